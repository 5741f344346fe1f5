/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-user-range.h"

#include "t2p-error.h"
#include "t2p-quote.h"

#include <string.h>

#define MAX_USER_NAME_BYTES 255
#define LAST_UID (G_MAXUINT32 - 1) /* the last number is "none" to the kernel */

static gboolean
user_name_is_valid (const char *text)
{
  if (text[0] == '-' || text[0] == '\0' || strlen (text) > MAX_USER_NAME_BYTES)
    return FALSE;
  for (const char *at = text; *at != '\0'; at++)
    if (!g_ascii_isalnum (*at) && strchr ("._-+@$\\", *at) == NULL)
      return FALSE;
  return TRUE;
}

static gboolean
parse_uids (const char *text, T2pUserRange *range)
{
  g_auto (GStrv) ends = g_strsplit (text, "-", 3);
  const guint n = g_strv_length (ends);
  guint64 first = 0;
  guint64 last = 0;

  if (n > 2 || !g_ascii_string_to_unsigned (ends[0], 10, 0, LAST_UID, &first, NULL) ||
      !g_ascii_string_to_unsigned (ends[n - 1], 10, first, LAST_UID, &last, NULL))
    return FALSE;
  range->first = (guint32) first;
  range->last = (guint32) last;
  return TRUE;
}

/**
 * t2p_user_range_parse:
 * @text: a user name, a uid, or a range of uids
 * @out_range: (out): to be cleared with t2p_user_range_clear(); left alone on failure
 * @error: return location for %T2P_ERROR_INVALID_SETTINGS
 *
 * Returns: whether @text is one; no look-up is made
 *
 * Since: 0.1
 */
gboolean
t2p_user_range_parse (const char *text, T2pUserRange *out_range, GError **error)
{
  const gboolean is_number = g_ascii_isdigit (text[0]);
  T2pUserRange range = { NULL, 0, 0 };
  g_autofree char *seen = NULL;

  if (is_number ? parse_uids (text, &range) : user_name_is_valid (text))
    {
      range.name = is_number ? NULL : g_strdup (text);
      *out_range = range;
      return TRUE;
    }
  seen = t2p_quote (text);
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
               "%s is no user, expected a name, a uid, or a range such as 1000-1999", seen);
  return FALSE;
}

void
t2p_user_range_clear (T2pUserRange *range)
{
  g_clear_pointer (&range->name, g_free);
}
