/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-percent.h"

#include <string.h>

static gboolean
percent_byte (const char *at, const char *end, char *out_byte)
{
  if (end - at < 3 || !g_ascii_isxdigit (at[1]) || !g_ascii_isxdigit (at[2]))
    return FALSE;
  *out_byte = (char) (g_ascii_xdigit_value (at[1]) * 16 + g_ascii_xdigit_value (at[2]));
  return TRUE;
}

gssize
t2p_percent_decode (const char *text, gsize length, char *out_bytes, gsize size)
{
  const char *end = text + length;
  gsize n = 0;

  for (const char *at = text; at < end; at++)
    {
      char byte = *at;

      if (byte == '%')
        {
          if (!percent_byte (at, end, &byte) || byte == '\0')
            return -1;
          at += 2;
        }
      else if (g_ascii_iscntrl (byte) || byte == ' ' || byte == '\0')
        return -1;
      if (n == size)
        return (gssize) size + 1;
      out_bytes[n++] = byte;
    }
  return (gssize) n;
}

void
t2p_percent_append (GString *out, const char *bytes, gsize length, const char *allowed)
{
  static const char digits[] = "0123456789ABCDEF";

  for (gsize i = 0; i < length; i++)
    {
      const guint8 byte = (guint8) bytes[i];

      if (g_ascii_isalnum (bytes[i]) || (byte != 0 && strchr (allowed, bytes[i]) != NULL))
        {
          g_string_append_c (out, bytes[i]);
          continue;
        }
      g_string_append_c (out, '%');
      g_string_append_c (out, digits[byte >> 4]);
      g_string_append_c (out, digits[byte & 15]);
    }
}
