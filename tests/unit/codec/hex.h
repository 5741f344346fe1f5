/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Test vectors are written as hex text; blanks and "|" separate as the author likes. */
static inline GByteArray *
bytes_from_hex (const char *text)
{
  GByteArray *bytes = g_byte_array_new ();
  int high = -1;

  for (; *text != '\0'; text++)
    {
      int digit = g_ascii_xdigit_value (*text);
      guint8 byte;

      if (digit < 0)
        {
          g_assert_true (g_ascii_isspace (*text) || *text == '|');
          continue;
        }
      if (high < 0)
        {
          high = digit;
          continue;
        }
      byte = (guint8) (high << 4 | digit);
      g_byte_array_append (bytes, &byte, 1);
      high = -1;
    }
  g_assert_cmpint (high, ==, -1);
  return bytes;
}

/* A copy with nothing behind it, so that the address sanitizer sees every read past the end. */
static inline guint8 *
exact_copy (const guint8 *bytes, gsize length)
{
  return g_memdup2 (bytes, length);
}
