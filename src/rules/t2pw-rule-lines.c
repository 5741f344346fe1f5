/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-rule-lines.h"

#include "t2p-error.h"

#include <string.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";

/**
 * t2pw_rule_lines_init:
 * @content: (transfer none): outlives @lines
 * @max_entries: more are an error
 */
void
t2pw_rule_lines_init (T2pwRuleLines *lines, GBytes *content, guint max_entries)
{
  gsize length = 0;
  const char *data = g_bytes_get_data (content, &length);

  *lines = (T2pwRuleLines){ .at = data, .end = data, .entries_left = max_entries };
  if (data == NULL) /* of no length */
    return;
  lines->end = data + length;
  if (length >= strlen (byte_order_mark) &&
      memcmp (data, byte_order_mark, strlen (byte_order_mark)) == 0)
    lines->at += strlen (byte_order_mark);
}

/* The text of the next line without its comment and the blanks around it. */
static const char *
take_line (T2pwRuleLines *lines, gsize *out_length)
{
  const char *start = lines->at;
  const char *newline = memchr (start, '\n', (gsize) (lines->end - start));
  const char *stop = newline != NULL ? newline : lines->end;
  const char *comment = memchr (start, '#', (gsize) (stop - start));

  lines->at = newline != NULL ? newline + 1 : lines->end;
  lines->number++;
  if (comment != NULL)
    stop = comment;
  while (start < stop && g_ascii_isspace (*start))
    start++;
  while (start < stop && g_ascii_isspace (stop[-1]))
    stop--;
  *out_length = (gsize) (stop - start);
  return start;
}

static gboolean
take_entry (T2pwRuleLines *lines, const char *text, gsize length, GError **error)
{
  if (lines->entries_left == 0)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED, "line %u: is one entry too many",
                   lines->number);
      return FALSE;
    }
  if (length >= sizeof lines->entry || memchr (text, '\0', length) != NULL)
    return t2pw_rule_lines_refuse (lines, error,
                                   "has %" G_GSIZE_FORMAT
                                   " bytes or a zero byte, expected text of at most %u",
                                   length, T2PW_RULE_ENTRY_BYTES - 1);
  lines->entries_left--;
  memcpy (lines->entry, text, length);
  lines->entry[length] = '\0';
  return TRUE;
}

/**
 * t2pw_rule_lines_next:
 *
 * Returns: whether there is another entry, now in @lines; blank lines were skipped. %FALSE
 *   without @error at the end
 */
gboolean
t2pw_rule_lines_next (T2pwRuleLines *lines, GError **error)
{
  while (lines->at < lines->end)
    {
      gsize length;
      const char *text = take_line (lines, &length);

      if (length > 0)
        return take_entry (lines, text, length, error);
    }
  return FALSE;
}

/* Returns: FALSE */
gboolean
t2pw_rule_lines_refuse (const T2pwRuleLines *lines, GError **error, const char *format, ...)
{
  g_autofree char *reason = NULL;
  va_list args;

  va_start (args, format);
  reason = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS, "line %u: %s", lines->number,
               reason);
  return FALSE;
}
