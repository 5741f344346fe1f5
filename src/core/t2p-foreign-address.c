/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-foreign-address.h"

/* IPv6 addresses that stand for an IPv4 address: a gateway, or this machine's kernel, connects
 * there. */
static const struct
{
  const char *prefix;
  guint offset; /* of the IPv4 address in it, in bytes */
} wrappings[] = {
  { "::ffff:0:0/96", 12 },  /* mapped: RFC 4291 section 2.5.5.2 */
  { "::/96", 12 },          /* compatible: section 2.5.5.1 */
  { "64:ff9b::/96", 12 },   /* NAT64: RFC 6052 section 2.1 */
  { "64:ff9b:1::/96", 12 }, /* NAT64 of this network, as it is used most: RFC 8215 */
  { "2002::/16", 2 },       /* 6to4: RFC 3056 section 2 */
};

/* Who asks there from this machine is given secrets, or is believed. */
static const char *const foreign[] = {
  "169.254.0.0/16",         /* link-local; the metadata service of most clouds */
  "fe80::/10",              /* the same */
  "fd00:ec2::254/128",      /* metadata of Amazon */
  "fd20:ce::254/128",       /* metadata of Google */
  "fd00:c1::a9fe:a9fe/128", /* metadata of Oracle */
  "100.100.100.200/32",     /* metadata of Alibaba */
  "168.63.129.16/32",       /* Azure's host, which gives keys; for root only on its machines */
  "0.0.0.0/32",             /* no address */
  "::/128",                 /* the same */
  "224.0.0.0/4",            /* multicast: no TCP is there */
  "ff00::/8",               /* the same */
};

static gboolean
is_in (const char *text, const T2pIpAddress *address)
{
  T2pIpPrefix prefix;

  return t2p_ip_prefix_parse (text, &prefix, NULL) && t2p_ip_prefix_contains (&prefix, address);
}

static gboolean
is_foreign (const T2pIpAddress *address)
{
  for (gsize i = 0; i < G_N_ELEMENTS (foreign); i++)
    if (is_in (foreign[i], address))
      return TRUE;
  return FALSE;
}

/**
 * t2p_ip_address_is_foreign:
 * @address: whom we would connect to for somebody
 *
 * Returns: whether we do not for an ordinary user, whatever it is wrapped in
 *
 * Since: 0.1
 */
gboolean
t2p_ip_address_is_foreign (const T2pIpAddress *address)
{
  if (is_foreign (address))
    return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (wrappings); i++)
    {
      T2pIpAddress inner;

      if (!is_in (wrappings[i].prefix, address) || t2p_ip_address_is_loopback (address))
        continue;
      inner = t2p_ip_address_from_bytes (AF_INET, address->bytes + wrappings[i].offset);
      if (is_foreign (&inner))
        return TRUE;
    }
  return FALSE;
}
