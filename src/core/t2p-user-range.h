/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/** T2pUserRange: users by name, which whoever needs their uids looks up, or by uid. */
typedef struct
{
  char *name;          /* NULL: the uids below */
  guint32 first, last; /* both included */
} T2pUserRange;

/* A name, a uid, or a range such as 1000-1999. T2P_ERROR_INVALID_SETTINGS; @out_range is left
 * alone on failure. */
gboolean t2p_user_range_parse (const char *text, T2pUserRange *out_range, GError **error);
void t2p_user_range_clear (T2pUserRange *range);

G_END_DECLS
