/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-quote.h"

#define MAX_SHOWN_CHARS 64

static void
append_char (GString *out, const char *at, gunichar c)
{
  if (c == (gunichar) -1 || c == (gunichar) -2)
    g_string_append_printf (out, "\\x%02x", (guint8) *at);
  else if (!g_unichar_isprint (c))
    g_string_append_printf (out, "\\u%04x", c);
  else
    g_string_append_unichar (out, c);
}

/**
 * t2p_quote:
 * @text: (nullable): a string from outside, not necessarily UTF-8
 *
 * Returns: (transfer full): @text in quotes, short and harmless to a terminal, a log and the
 * bus
 *
 * Since: 0.1
 */
char *
t2p_quote (const char *text)
{
  GString *out = g_string_new ("'");
  const char *at = text != NULL ? text : "";

  for (guint n = 0; *at != '\0'; n++)
    {
      gunichar c = g_utf8_get_char_validated (at, -1);

      if (n == MAX_SHOWN_CHARS)
        {
          g_string_append (out, "…");
          break;
        }
      append_char (out, at, c);
      at += c == (gunichar) -1 || c == (gunichar) -2 ? 1 : g_utf8_skip[(guint8) *at];
    }
  g_string_append_c (out, '\'');
  return g_string_free (out, FALSE);
}
