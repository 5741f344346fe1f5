/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const guint8 v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* --- addresses */

static T2pIpAddress
address_none (void)
{
  T2pIpAddress address;

  memset (&address, 0, sizeof address);
  return address;
}

/**
 * t2p_ip_address_parse:
 * @text: (nullable): an IPv4 address as four decimal numbers, or an IPv6 address without
 * brackets and zone
 * @out_address: (out): the address, left alone on failure
 *
 * Returns: whether @text is one
 *
 * Since: 0.1
 */
gboolean
t2p_ip_address_parse (const char *text, T2pIpAddress *out_address)
{
  T2pIpAddress address = address_none ();

  if (text == NULL)
    return FALSE;
  address.family = strchr (text, ':') != NULL ? AF_INET6 : AF_INET;
  if (inet_pton (address.family, text, address.bytes) != 1)
    return FALSE;
  *out_address = address;
  return TRUE;
}

/**
 * t2p_ip_address_format:
 * @address: an address
 * @out_text: (out): its usual text (RFC 5952 for IPv6), empty for "none"
 *
 * Since: 0.1
 */
void
t2p_ip_address_format (const T2pIpAddress *address, char out_text[T2P_IP_STRLEN])
{
  out_text[0] = '\0';
  if (address->family != AF_UNSPEC)
    inet_ntop (address->family, address->bytes, out_text, T2P_IP_STRLEN);
}

gboolean
t2p_ip_address_equal (const T2pIpAddress *a, const T2pIpAddress *b)
{
  return memcmp (a, b, sizeof *a) == 0;
}

T2pIpAddress
t2p_ip_address_from_v4 (guint32 host_order)
{
  T2pIpAddress address = address_none ();
  guint32 network_order = g_htonl (host_order);

  address.family = AF_INET;
  memcpy (address.bytes, &network_order, sizeof network_order);
  return address;
}

guint32
t2p_ip_address_to_v4 (const T2pIpAddress *address)
{
  guint32 network_order;

  g_return_val_if_fail (address->family == AF_INET, 0);

  memcpy (&network_order, address->bytes, sizeof network_order);
  return g_ntohl (network_order);
}

/**
 * t2p_ip_address_from_bytes:
 * @family: AF_INET or AF_INET6
 * @bytes: four or sixteen bytes in network order
 *
 * Returns: the address
 *
 * Since: 0.1
 */
T2pIpAddress
t2p_ip_address_from_bytes (int family, const guint8 *bytes)
{
  T2pIpAddress address = address_none ();

  g_return_val_if_fail (family == AF_INET || family == AF_INET6, address);

  address.family = (guint8) family;
  if (family == AF_INET)
    memcpy (address.bytes, bytes, sizeof (struct in_addr));
  else
    memcpy (address.bytes, bytes, sizeof (struct in6_addr));
  return address;
}

guint
t2p_ip_address_bits (const T2pIpAddress *address)
{
  switch (address->family)
    {
    case AF_INET:
      return 32;
    case AF_INET6:
      return 128;
    default:
      return 0;
    }
}

/* The kernel takes ::ffff:127.0.0.1 for 127.0.0.1, so the questions below must too. */
static T2pIpAddress
unmapped (const T2pIpAddress *address)
{
  if (address->family == AF_INET6 && memcmp (address->bytes, v4_mapped, sizeof v4_mapped) == 0)
    return t2p_ip_address_from_bytes (AF_INET, address->bytes + sizeof v4_mapped);
  return *address;
}

/**
 * t2p_ip_address_is_loopback:
 * @address: an address
 *
 * Returns: whether it is in 127.0.0.0/8 (also when mapped into IPv6) or ::1
 *
 * Since: 0.1
 */
gboolean
t2p_ip_address_is_loopback (const T2pIpAddress *address)
{
  const T2pIpAddress plain = unmapped (address);

  if (plain.family == AF_INET)
    return plain.bytes[0] == 127;
  return plain.family == AF_INET6 &&
         memcmp (plain.bytes, &in6addr_loopback, sizeof in6addr_loopback) == 0;
}

/**
 * t2p_ip_address_is_unspecified:
 * @address: an address
 *
 * Returns: whether it is 0.0.0.0 (also when mapped into IPv6) or ::
 *
 * Since: 0.1
 */
gboolean
t2p_ip_address_is_unspecified (const T2pIpAddress *address)
{
  const T2pIpAddress plain = unmapped (address);
  static const guint8 zero[16];

  return plain.family != AF_UNSPEC && memcmp (plain.bytes, zero, sizeof zero) == 0;
}

/**
 * t2p_ip_address_is_multicast:
 * @address: an address
 *
 * Returns: whether it is in 224.0.0.0/4 (also when mapped into IPv6) or ff00::/8
 *
 * Since: 0.1
 */
gboolean
t2p_ip_address_is_multicast (const T2pIpAddress *address)
{
  const T2pIpAddress plain = unmapped (address);

  if (plain.family == AF_INET)
    return (plain.bytes[0] & 0xf0) == 0xe0;
  return plain.family == AF_INET6 && plain.bytes[0] == 0xff;
}

/**
 * t2p_ip_address_is_link_local:
 * @address: an address
 *
 * Returns: whether it is in 169.254.0.0/16 (also when mapped into IPv6) or fe80::/10
 *
 * Since: 0.1
 */
gboolean
t2p_ip_address_is_link_local (const T2pIpAddress *address)
{
  const T2pIpAddress plain = unmapped (address);

  if (plain.family == AF_INET)
    return plain.bytes[0] == 169 && plain.bytes[1] == 254;
  return plain.family == AF_INET6 && plain.bytes[0] == 0xfe && (plain.bytes[1] & 0xc0) == 0x80;
}

/**
 * t2p_ip_address_is_private:
 * @address: an address
 *
 * Returns: whether it is in 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918), 100.64.0.0/10
 *   (RFC 6598), also when mapped into IPv6, or fc00::/7 (RFC 4193)
 *
 * Since: 0.1
 */
gboolean
t2p_ip_address_is_private (const T2pIpAddress *address)
{
  const T2pIpAddress plain = unmapped (address);
  const guint8 *bytes = plain.bytes;

  if (plain.family == AF_INET)
    return bytes[0] == 10 || (bytes[0] == 172 && (bytes[1] & 0xf0) == 16) ||
           (bytes[0] == 192 && bytes[1] == 168) || (bytes[0] == 100 && (bytes[1] & 0xc0) == 64);
  return plain.family == AF_INET6 && (bytes[0] & 0xfe) == 0xfc;
}

/* --- endpoints */

gboolean
t2p_ip_endpoint_equal (const T2pIpEndpoint *a, const T2pIpEndpoint *b)
{
  return a->port == b->port && t2p_ip_address_equal (&a->address, &b->address);
}

/* FNV-1a; what an application chooses of it is its port, and there are few of those. */
guint
t2p_ip_endpoint_hash (gconstpointer data)
{
  const T2pIpEndpoint *endpoint = data;
  guint hash = 2166136261u ^ endpoint->port;

  for (guint i = 0; i < sizeof endpoint->address.bytes; i++)
    hash = (hash * 16777619u) ^ endpoint->address.bytes[i];
  return hash * 16777619u;
}

gboolean
t2p_ip_endpoint_equal_func (gconstpointer a, gconstpointer b)
{
  return t2p_ip_endpoint_equal (a, b);
}

static gboolean
parse_number (const char *text, guint64 max, guint64 *out_number)
{
  return strlen (text) <= 5 && g_ascii_string_to_unsigned (text, 10, 0, max, out_number, NULL);
}

/* Cuts @text at its last colon. */
static gboolean
split_port (char *text, guint16 *out_port)
{
  char *colon = strrchr (text, ':');
  guint64 port = 0;

  if (colon == NULL || !parse_number (colon + 1, G_MAXUINT16, &port))
    return FALSE;
  *colon = '\0';
  *out_port = (guint16) port;
  return TRUE;
}

/**
 * t2p_ip_endpoint_parse:
 * @text: (nullable): "192.0.2.1:80" or "[2001:db8::1]:80"
 * @out_endpoint: (out): the endpoint, left alone on failure
 *
 * Returns: whether @text is one; the port has to be there
 *
 * Since: 0.1
 */
gboolean
t2p_ip_endpoint_parse (const char *text, T2pIpEndpoint *out_endpoint)
{
  char host[T2P_ENDPOINT_STRLEN] = "";
  T2pIpEndpoint endpoint;
  gboolean is_bracketed;
  gsize length;

  memset (&endpoint, 0, sizeof endpoint);
  if (text == NULL || g_strlcpy (host, text, sizeof host) >= sizeof host)
    return FALSE;
  if (!split_port (host, &endpoint.port))
    return FALSE;
  length = strlen (host);
  is_bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';
  if (is_bracketed)
    host[length - 1] = '\0';
  if (!t2p_ip_address_parse (is_bracketed ? host + 1 : host, &endpoint.address) ||
      (endpoint.address.family == AF_INET6) != is_bracketed)
    return FALSE;
  *out_endpoint = endpoint;
  return TRUE;
}

void
t2p_ip_endpoint_format (const T2pIpEndpoint *endpoint, char out_text[T2P_ENDPOINT_STRLEN])
{
  char host[T2P_IP_STRLEN];

  t2p_ip_address_format (&endpoint->address, host);
  g_snprintf (out_text, T2P_ENDPOINT_STRLEN,
              endpoint->address.family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
              (guint) endpoint->port);
}

/**
 * t2p_ip_endpoint_to_sockaddr:
 * @endpoint: an endpoint
 * @out_storage: (out): the same for the kernel
 *
 * Returns: the length of what was written; 0 for an endpoint without an address
 *
 * Since: 0.1
 */
socklen_t
t2p_ip_endpoint_to_sockaddr (const T2pIpEndpoint *endpoint,
                             struct sockaddr_storage *out_storage)
{
  struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = g_htons (endpoint->port) };
  struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = g_htons (endpoint->port) };

  memset (out_storage, 0, sizeof *out_storage);
  if (endpoint->address.family == AF_INET)
    {
      memcpy (&v4.sin_addr, endpoint->address.bytes, sizeof v4.sin_addr);
      memcpy (out_storage, &v4, sizeof v4);
      return sizeof v4;
    }
  if (endpoint->address.family != AF_INET6)
    return 0;
  memcpy (&v6.sin6_addr, endpoint->address.bytes, sizeof v6.sin6_addr);
  memcpy (out_storage, &v6, sizeof v6);
  return sizeof v6;
}

static gboolean
from_sockaddr_in (const struct sockaddr *sockaddr,
                  socklen_t length,
                  T2pIpEndpoint *out_endpoint)
{
  struct sockaddr_in v4;

  if (length < sizeof v4)
    return FALSE;
  memcpy (&v4, sockaddr, sizeof v4);
  memset (out_endpoint, 0, sizeof *out_endpoint);
  out_endpoint->address = t2p_ip_address_from_v4 (g_ntohl (v4.sin_addr.s_addr));
  out_endpoint->port = g_ntohs (v4.sin_port);
  return TRUE;
}

static gboolean
from_sockaddr_in6 (const struct sockaddr *sockaddr,
                   socklen_t length,
                   T2pIpEndpoint *out_endpoint)
{
  struct sockaddr_in6 v6;

  if (length < sizeof v6)
    return FALSE;
  memcpy (&v6, sockaddr, sizeof v6);
  memset (out_endpoint, 0, sizeof *out_endpoint);
  out_endpoint->address = t2p_ip_address_from_bytes (AF_INET6, v6.sin6_addr.s6_addr);
  out_endpoint->port = g_ntohs (v6.sin6_port);
  return TRUE;
}

/**
 * t2p_ip_endpoint_from_sockaddr:
 * @sockaddr: what the kernel gave
 * @length: its length in bytes
 * @out_endpoint: (out): the endpoint, left alone on failure; a zone is dropped
 *
 * Returns: %FALSE for another family or too few bytes
 *
 * Since: 0.1
 */
gboolean
t2p_ip_endpoint_from_sockaddr (const struct sockaddr *sockaddr,
                               socklen_t length,
                               T2pIpEndpoint *out_endpoint)
{
  sa_family_t family;

  if (length < sizeof family)
    return FALSE;
  memcpy (&family, sockaddr, sizeof family);
  switch (family)
    {
    case AF_INET:
      return from_sockaddr_in (sockaddr, length, out_endpoint);
    case AF_INET6:
      return from_sockaddr_in6 (sockaddr, length, out_endpoint);
    default:
      return FALSE;
    }
}
