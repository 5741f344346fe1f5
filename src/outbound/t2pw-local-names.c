/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-local-names.h"

#include <string.h>

/* "localhost" and what is below it, with or without the dot of the root. */
static gboolean
is_localhost (const char *name)
{
  static const char localhost[] = "localhost";
  const gsize size = sizeof localhost - 1;
  gsize length = strlen (name);

  if (length > 0 && name[length - 1] == '.')
    length--;
  if (length < size || g_ascii_strncasecmp (name + length - size, localhost, size) != 0)
    return FALSE;
  return length == size || name[length - size - 1] == '.';
}

/**
 * t2pw_local_names_answer:
 * @name: a host name or a literal address
 * @out_addresses: (array fixed-size=2) (out caller-allocates): filled from the front
 *
 * Answers what needs neither a server nor a file: a literal address is itself, and localhost
 * names are the loopback address, whatever /etc/hosts says or lacks (RFC 6761 section 6.3).
 *
 * Returns: how many addresses there are; 0 when others have to be asked
 */
guint
t2pw_local_names_answer (const char *name, T2pIpAddress *out_addresses)
{
  if (t2p_ip_address_parse (name, &out_addresses[0]))
    return 1;
  if (!is_localhost (name))
    return 0;
  (void) t2p_ip_address_parse ("127.0.0.1", &out_addresses[0]);
  (void) t2p_ip_address_parse ("::1", &out_addresses[1]);
  return T2PW_LOCAL_NAMES_MAX_ADDRESSES;
}
