/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gunixfdlist.h>

G_BEGIN_DECLS

/* What files hold that settings name: a GHashTable of name ("/etc/ca.pem", "fd:ca") to GBytes.
 */
GHashTable *t2pw_file_set_new (void);
/* @fd stays the caller's, and is read from its beginning. Errors: T2P_ERROR_INVALID_FD,
 * T2P_ERROR_LIMIT_EXCEEDED, G_IO_ERROR. */
gboolean t2pw_file_set_add (GHashTable *files, const char *name, int fd, GError **error);
/* @handles: `a{sh}`; @list: (nullable) */
gboolean t2pw_file_set_add_handles (GHashTable *files,
                                    GVariant *handles,
                                    GUnixFDList *list,
                                    GError **error);

G_END_DECLS
