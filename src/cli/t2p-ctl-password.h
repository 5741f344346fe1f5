/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ctl.h"
#include "t2p-secret.h"

G_BEGIN_DECLS

/* Passwords come from a prompt, a file or standard input, because everybody can read an argv.
 */

/* The first line of that file without its end; `-` is standard input. At most 255 bytes: RFC
 * 1929 section 2 has room for no more. */
T2pSecret *t2p_ctl_read_password_file (const char *path, GError **error);

/* @uri with the user name and password that the options of @ctl ask for; a copy when they ask
 * for none. (transfer full); the caller wipes it with t2p_ctl_wipe(). */
char *t2p_ctl_add_credentials (const T2pCtl *ctl, const char *uri, GError **error);
/* Overwrites and frees. */
void t2p_ctl_wipe (char *text);

/* Overwrites the userinfo of every URI in @argv, which all users can read, with stars. Returns
 * whether there was a password. */
gboolean t2p_ctl_hide_passwords (int argc, char **argv);

G_END_DECLS
