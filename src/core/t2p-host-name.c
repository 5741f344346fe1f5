/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-host-name.h"

#include <string.h>

#define MAX_NAME_BYTES 253 /* RFC 1035 section 2.3.4, as text */
#define MAX_LABEL_BYTES 63

static gboolean
label_is_valid (const char *label, gsize length)
{
  if (length == 0 || length > MAX_LABEL_BYTES || label[0] == '-' || label[length - 1] == '-')
    return FALSE;
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isalnum (label[i]) && label[i] != '-' && label[i] != '_')
      return FALSE;
  return TRUE;
}

/* "10.1" and "0x7f.1" are IPv4 to some resolvers: a last label that is a number is refused. */
static gboolean
label_is_number (const char *label, gsize length)
{
  if (length > 1 && label[0] == '0' && g_ascii_tolower (label[1]) == 'x')
    return TRUE;
  return strspn (label, "0123456789") >= length;
}

/**
 * t2p_host_name_is_valid:
 * @name: (nullable): text, in ASCII
 *
 * Returns: whether it is a DNS name (RFC 1035 section 2.3.4, RFC 1123 section 2.1; underscores
 *   and one final dot are fine) that nobody could take for an address
 *
 * Since: 0.1
 */
gboolean
t2p_host_name_is_valid (const char *name)
{
  const char *label = name;

  if (name == NULL || name[0] == '\0' || strlen (name) > MAX_NAME_BYTES)
    return FALSE;
  for (;;)
    {
      const gsize n = strcspn (label, ".");
      const gboolean is_last = label[n] == '\0' || label[n + 1] == '\0';

      if (!label_is_valid (label, n) || (is_last && label_is_number (label, n)))
        return FALSE;
      if (is_last)
        return TRUE;
      label += n + 1;
    }
}
