/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Asks on the controlling terminal, whatever standard input and output are. An error when there
 * is no terminal, when nothing was typed, and when the person gave up (Ctrl-C, Ctrl-D). */
char *t2p_ctl_prompt (const char *prompt, gboolean echoes, GError **error);

G_END_DECLS
