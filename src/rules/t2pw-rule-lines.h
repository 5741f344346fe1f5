/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define T2PW_RULE_ENTRY_BYTES 256 /* a domain name has 253 at most; the end included */

/**
 * T2pwRuleLines:
 * @at, @end: what was not read yet
 * @number: of the line that was read last, from 1
 * @entries_left: how many entries may still come
 * @entry: of that line
 *
 * Walks a file of entries: one on a line, `#` begins a comment, blank lines, CRLF and a byte
 * order mark are fine. Errors name the line and the reason, never what stands there: the file
 * may be one that its reader should not see.
 */
typedef struct
{
  const char *at;
  const char *end;
  guint number;
  guint entries_left;
  char entry[T2PW_RULE_ENTRY_BYTES];
} T2pwRuleLines;

void t2pw_rule_lines_init (T2pwRuleLines *lines, GBytes *content, guint max_entries);
/* FALSE at the end, and with an error. */
gboolean t2pw_rule_lines_next (T2pwRuleLines *lines, GError **error);
gboolean
t2pw_rule_lines_refuse (const T2pwRuleLines *lines, GError **error, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

G_END_DECLS
