/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-host-port.h"

#include "t2p-host-name.h"

#include <string.h>

static gboolean
parse_name_and_port (const char *text, T2pHostPort *out_host_port)
{
  const char *colon = strrchr (text, ':');
  g_autofree char *name = NULL;
  guint64 port;

  if (colon == NULL || !g_ascii_string_to_unsigned (colon + 1, 10, 1, G_MAXUINT16, &port, NULL))
    return FALSE;
  name = g_strndup (text, (gsize) (colon - text));
  if (!t2p_host_name_is_valid (name))
    return FALSE;
  g_strlcpy (out_host_port->name, name, sizeof out_host_port->name);
  out_host_port->port = (guint16) port;
  return TRUE;
}

/**
 * t2p_host_port_parse:
 * @text: `HOST:PORT`; HOST is a DNS name, an IPv4 address or a bracketed IPv6 address
 * @out_host_port: (out): left alone on failure
 *
 * Returns: whether it is one, with a port that is not 0
 *
 * Since: 0.1
 */
gboolean
t2p_host_port_parse (const char *text, T2pHostPort *out_host_port)
{
  T2pHostPort parsed = { 0 };
  T2pIpEndpoint literal;

  if (t2p_ip_endpoint_parse (text, &literal))
    {
      parsed.address = literal.address;
      parsed.port = literal.port;
    }
  else if (!parse_name_and_port (text, &parsed))
    return FALSE;
  if (parsed.port == 0)
    return FALSE;
  *out_host_port = parsed;
  return TRUE;
}
