/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A foreign string as a message may show it: in single quotes, control characters and broken
 * UTF-8 escaped, cut after 64 characters. (transfer full) */
char *t2p_quote (const char *text);

G_END_DECLS
