/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-ip.h"
#include "t2p-quote.h"

#include <string.h>

static gboolean
parse_length (const char *text, guint64 max, guint64 *out_length)
{
  return strlen (text) <= 3 && g_ascii_string_to_unsigned (text, 10, 0, max, out_length, NULL);
}

/**
 * t2p_ip_prefix_of:
 * @address: an address
 * @length: bits that count; at most t2p_ip_address_bits()
 *
 * Returns: the prefix of @length bits that @address lies in
 *
 * Since: 0.1
 */
T2pIpPrefix
t2p_ip_prefix_of (const T2pIpAddress *address, guint8 length)
{
  T2pIpPrefix prefix;

  memset (&prefix, 0, sizeof prefix);
  prefix.address = *address;
  prefix.length = (guint8) MIN (length, t2p_ip_address_bits (address));
  for (guint i = 0; i < sizeof prefix.address.bytes; i++)
    {
      guint kept = CLAMP ((int) prefix.length - (int) (i * 8), 0, 8);

      prefix.address.bytes[i] &= (guint8) (0xff00u >> kept);
    }
  return prefix;
}

static gboolean
prefix_invalid (const char *text, GError **error)
{
  g_autofree char *seen = t2p_quote (text);

  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "%s is no CIDR, expected such as 192.0.2.0/24 or 2001:db8::/32", seen);
  return FALSE;
}

static gboolean
prefix_too_long (const char *text, guint bits, GError **error)
{
  g_autofree char *seen = t2p_quote (text);

  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "%s has no prefix length that fits, expected /0 to /%u", seen, bits);
  return FALSE;
}

static gboolean
prefix_has_host_bits (const T2pIpPrefix *prefix, const char *text, GError **error)
{
  g_autofree char *seen = t2p_quote (text);
  char expected[T2P_PREFIX_STRLEN];

  t2p_ip_prefix_format (prefix, expected);
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "%s has bits set after its prefix, expected %s", seen, expected);
  return FALSE;
}

/**
 * t2p_ip_interface_parse:
 * @text: an address with the length of its network, "198.18.4.1/30"; bare: /32 or /128
 * @out_prefix: (out): the address *with* its host bits, left alone on failure
 * @error: return location for %T2P_ERROR_INVALID_ARGUMENT
 *
 * Returns: whether @text is one
 *
 * Since: 0.1
 */
gboolean
t2p_ip_interface_parse (const char *text, T2pIpPrefix *out_prefix, GError **error)
{
  char host[T2P_PREFIX_STRLEN] = "";
  char *slash;
  T2pIpPrefix prefix;
  guint64 length;

  memset (&prefix, 0, sizeof prefix);
  if (text == NULL || g_strlcpy (host, text, sizeof host) >= sizeof host)
    return prefix_invalid (text, error);
  slash = strchr (host, '/');
  if (slash != NULL)
    *slash = '\0';
  if (!t2p_ip_address_parse (host, &prefix.address))
    return prefix_invalid (text, error);
  length = t2p_ip_address_bits (&prefix.address);
  if (slash != NULL && !parse_length (slash + 1, length, &length))
    return prefix_too_long (text, t2p_ip_address_bits (&prefix.address), error);
  prefix.length = (guint8) length;
  *out_prefix = prefix;
  return TRUE;
}

/**
 * t2p_ip_prefix_parse:
 * @text: a CIDR; a bare address is a /32 or /128
 * @out_prefix: (out): the prefix, left alone on failure
 * @error: return location for %T2P_ERROR_INVALID_ARGUMENT
 *
 * Returns: whether @text is one; bits set after the prefix are refused
 *
 * Since: 0.1
 */
gboolean
t2p_ip_prefix_parse (const char *text, T2pIpPrefix *out_prefix, GError **error)
{
  T2pIpPrefix seen;
  T2pIpPrefix prefix;

  if (!t2p_ip_interface_parse (text, &seen, error))
    return FALSE;
  prefix = t2p_ip_prefix_of (&seen.address, seen.length);
  if (!t2p_ip_prefix_equal (&prefix, &seen))
    return prefix_has_host_bits (&prefix, text, error);
  *out_prefix = prefix;
  return TRUE;
}

void
t2p_ip_prefix_format (const T2pIpPrefix *prefix, char out_text[T2P_PREFIX_STRLEN])
{
  char host[T2P_IP_STRLEN];

  t2p_ip_address_format (&prefix->address, host);
  g_snprintf (out_text, T2P_PREFIX_STRLEN, "%s/%u", host, (guint) prefix->length);
}

gboolean
t2p_ip_prefix_equal (const T2pIpPrefix *a, const T2pIpPrefix *b)
{
  return a->length == b->length && t2p_ip_address_equal (&a->address, &b->address);
}

gboolean
t2p_ip_prefix_contains (const T2pIpPrefix *prefix, const T2pIpAddress *address)
{
  T2pIpPrefix there;

  if (prefix->address.family != address->family)
    return FALSE;
  there = t2p_ip_prefix_of (address, prefix->length);
  return t2p_ip_address_equal (&there.address, &prefix->address);
}

/* Prefixes nest or are apart: they overlap when the wider one has the other's address. */
gboolean
t2p_ip_prefix_overlaps (const T2pIpPrefix *a, const T2pIpPrefix *b)
{
  return a->length <= b->length ? t2p_ip_prefix_contains (a, &b->address)
                                : t2p_ip_prefix_contains (b, &a->address);
}
