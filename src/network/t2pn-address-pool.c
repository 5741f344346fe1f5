/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-address-pool.h"

#include <string.h>

/* RFC 2544 section C.2.2: for benchmarks, so that nobody on the Internet has them. */
#define POOL4_FIRST 0xc6120000u /* 198.18.0.0/15 */
#define POOL4_LENGTH 18
#define POOL4_COUNT 8
#define POOL6_LENGTH 64
#define POOL6_ATTEMPTS 16
#define LINK4_LENGTH 30
#define LINK6_LENGTH 126
/* Shorter routes are default routes in disguise (0.0.0.0/1, 2000::/3) and block nothing. */
#define SHORTEST_BLOCKER4 8
#define SHORTEST_BLOCKER6 7

static guint8
shortest_blocker (const T2pIpPrefix *prefix)
{
  return prefix->address.family == AF_INET ? SHORTEST_BLOCKER4 : SHORTEST_BLOCKER6;
}

static const char *
link_name (const T2pnSnapshot *snapshot, int ifindex)
{
  const T2pnLink *link = t2pn_snapshot_find_link (snapshot, ifindex);

  return link != NULL ? link->name : NULL;
}

/* What of the machine overlaps @candidate, in words, or NULL. (transfer full) */
static char *
find_route_blocker (const T2pnSnapshot *snapshot, const T2pIpPrefix *candidate)
{
  for (guint i = 0; i < snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (snapshot->routes, T2pnRoute, i);
      g_autofree char *text = NULL;

      if (route->destination.length < shortest_blocker (candidate) ||
          !t2p_ip_prefix_overlaps (&route->destination, candidate))
        continue;
      text = t2pn_route_to_text (route, link_name (snapshot, route->ifindex));
      return g_strdup_printf ("the route %s", text);
    }
  return NULL;
}

static char *
find_address_blocker (const T2pnSnapshot *snapshot, const T2pIpPrefix *candidate)
{
  for (guint i = 0; i < snapshot->addresses->len; i++)
    {
      const T2pnAddress *address = &g_array_index (snapshot->addresses, T2pnAddress, i);
      const char *name = link_name (snapshot, address->ifindex);
      char text[T2P_IP_STRLEN];

      if (!t2p_ip_prefix_contains (candidate, &address->address))
        continue;
      t2p_ip_address_format (&address->address, text);
      return g_strdup_printf ("the address %s of %s", text, name != NULL ? name : "a link");
    }
  return NULL;
}

static char *
find_taken_blocker (const GArray *taken, const T2pIpPrefix *candidate)
{
  for (guint i = 0; taken != NULL && i < taken->len; i++)
    {
      const T2pIpPrefix *other = &g_array_index (taken, T2pIpPrefix, i);
      char text[T2P_PREFIX_STRLEN];

      if (!t2p_ip_prefix_overlaps (other, candidate))
        continue;
      t2p_ip_prefix_format (other, text);
      return g_strdup_printf ("%s of another tunnel", text);
    }
  return NULL;
}

static char *
find_blocker (const T2pnSnapshot *snapshot, const GArray *taken, const T2pIpPrefix *candidate)
{
  char *blocker = find_taken_blocker (taken, candidate);

  if (blocker == NULL)
    blocker = find_address_blocker (snapshot, candidate);
  if (blocker == NULL)
    blocker = find_route_blocker (snapshot, candidate);
  return blocker;
}

static gboolean
check_explicit (const char *key,
                const T2pIpPrefix *prefix,
                const T2pnSnapshot *snapshot,
                const GArray *taken,
                GError **error)
{
  g_autofree char *blocker = find_blocker (snapshot, taken, prefix);
  char text[T2P_PREFIX_STRLEN];

  if (blocker == NULL)
    return TRUE;
  t2p_ip_prefix_format (prefix, text);
  g_set_error (error, T2P_ERROR, T2P_ERROR_ADDRESS_CONFLICT, "%s: %s overlaps %s", key, text,
               blocker);
  return FALSE;
}

static const T2pIpPrefix *
find_explicit (const T2pSettings *settings, const char *key, int family)
{
  guint n = 0;
  const T2pIpPrefix *prefixes = t2p_settings_get_prefixes (settings, key, &n);

  for (guint i = 0; i < n; i++)
    if (prefixes[i].address.family == family)
      return &prefixes[i];
  return NULL;
}

static gboolean
choose_pool4 (const T2pnSnapshot *snapshot,
              const GArray *taken,
              T2pIpPrefix *out_pool,
              GError **error)
{
  g_autofree char *blocker = NULL;

  for (guint i = 0; i < POOL4_COUNT; i++)
    {
      T2pIpPrefix candidate = {
        .address = t2p_ip_address_from_v4 (POOL4_FIRST + (i << (32 - POOL4_LENGTH))),
        .length = POOL4_LENGTH,
      };

      g_free (blocker);
      blocker = find_blocker (snapshot, taken, &candidate);
      if (blocker == NULL)
        {
          *out_pool = candidate;
          return TRUE;
        }
    }
  g_set_error (error, T2P_ERROR, T2P_ERROR_ADDRESS_CONFLICT,
               "no /%d of 198.18.0.0/15 is free, the last one overlaps %s: set dns-pool4",
               POOL4_LENGTH, blocker);
  return FALSE;
}

/* RFC 4193 section 3.2: fd, then 40 bits that nobody else is likely to have; here 16 more for
 * the subnet, of the same origin. */
static T2pIpPrefix
derive_ula (const char *seed, guint attempt)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize length = sizeof digest;
  guint8 bytes[16] = { 0xfd };
  T2pIpPrefix prefix;

  g_checksum_update (checksum, (const guchar *) seed, (gssize) strlen (seed));
  g_checksum_update (checksum, (const guchar *) &attempt, sizeof attempt);
  g_checksum_get_digest (checksum, digest, &length);
  memcpy (bytes + 1, digest, 7);
  memset (&prefix, 0, sizeof prefix);
  prefix.address = t2p_ip_address_from_bytes (AF_INET6, bytes);
  prefix.length = POOL6_LENGTH;
  return prefix;
}

static gboolean
choose_pool6 (const T2pnSnapshot *snapshot,
              const GArray *taken,
              const char *seed,
              T2pIpPrefix *out_pool,
              GError **error)
{
  g_autofree char *blocker = NULL;

  for (guint i = 0; i < POOL6_ATTEMPTS; i++)
    {
      T2pIpPrefix candidate = derive_ula (seed, i);

      g_free (blocker);
      blocker = find_blocker (snapshot, taken, &candidate);
      if (blocker == NULL)
        {
          *out_pool = candidate;
          return TRUE;
        }
    }
  g_set_error (error, T2P_ERROR, T2P_ERROR_ADDRESS_CONFLICT,
               "no unique local IPv6 prefix is free, the last one overlaps %s: set dns-pool6",
               blocker);
  return FALSE;
}

static T2pIpAddress
address_plus (const T2pIpAddress *address, guint number)
{
  T2pIpAddress result = *address;

  for (int i = address->family == AF_INET ? 3 : 15; i >= 0 && number > 0; i--)
    {
      number += result.bytes[i];
      result.bytes[i] = number & 0xff;
      number >>= 8;
    }
  return result;
}

/* "10.9.0.0/24" is the network, of which the tunnel takes .1; "10.9.0.7/24" is the address. */
static T2pIpAddress
own_address (const T2pIpPrefix *prefix)
{
  T2pIpPrefix network = t2p_ip_prefix_of (&prefix->address, prefix->length);

  if (prefix->length + 1u >= t2p_ip_address_bits (&prefix->address) ||
      !t2p_ip_address_equal (&network.address, &prefix->address))
    return prefix->address;
  return address_plus (&prefix->address, 1);
}

/* The address after @own, or the one before it where that would be a broadcast address. */
static T2pIpAddress
responder_beside (const T2pIpAddress *own, guint8 length)
{
  T2pIpPrefix network = t2p_ip_prefix_of (own, length);
  T2pIpAddress next = address_plus (own, 1);
  T2pIpAddress after = address_plus (own, 2);
  T2pIpAddress before = *own;

  if (length + 1u >= t2p_ip_address_bits (own) || t2p_ip_prefix_contains (&network, &after))
    return next;
  for (int i = own->family == AF_INET ? 3 : 15; i >= 0; i--)
    if (before.bytes[i]-- != 0)
      break;
  return before;
}

/* With a prefix route of its own an address needs the prefix for itself, else only to be new.
 */
static gboolean
check_address (const T2pSettings *settings,
               const T2pIpPrefix *address,
               const T2pnSnapshot *snapshot,
               const GArray *taken,
               GError **error)
{
  gboolean is_none = t2p_settings_get_capture (settings) == T2P_CAPTURE_NONE;
  guint bits = t2p_ip_address_bits (&address->address);
  T2pIpPrefix prefix = t2p_ip_prefix_of (&address->address, is_none ? address->length : bits);
  g_autofree char *blocker = NULL;

  if (is_none)
    return check_explicit ("addresses", &prefix, snapshot, taken, error);
  blocker = find_address_blocker (snapshot, &prefix);
  if (blocker == NULL)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_ADDRESS_CONFLICT, "addresses: this machine has %s",
               blocker);
  return FALSE;
}

static gboolean
choose_family (const T2pSettings *settings,
               const T2pnSnapshot *snapshot,
               const GArray *taken,
               int family,
               T2pIpPrefix *pool,
               gboolean *out_is_pool_set,
               const T2pIpPrefix **out_address,
               GError **error)
{
  const char *pool_key = family == AF_INET ? "dns-pool4" : "dns-pool6";
  const T2pIpPrefix *explicit_pool = find_explicit (settings, pool_key, family);

  *out_address = find_explicit (settings, "addresses", family);
  *out_is_pool_set = explicit_pool != NULL;
  if (*out_address != NULL && !check_address (settings, *out_address, snapshot, taken, error))
    return FALSE;
  if (explicit_pool == NULL)
    return TRUE;
  *pool = *explicit_pool;
  return check_explicit (pool_key, explicit_pool, snapshot, taken, error);
}

static void
set_link (T2pIpAddress *own,
          T2pIpAddress *responder,
          guint8 *length,
          gboolean *is_explicit,
          const T2pIpPrefix *pool,
          guint8 automatic_length,
          const T2pIpPrefix *explicit_address)
{
  const T2pIpPrefix *prefix = explicit_address != NULL ? explicit_address : pool;

  *own = own_address (prefix);
  *length = explicit_address != NULL ? prefix->length : MAX (automatic_length, pool->length);
  *responder = responder_beside (own, *length);
  *is_explicit = explicit_address != NULL;
}

gboolean
t2pn_address_pool_choose (const T2pSettings *settings,
                          const T2pnSnapshot *snapshot,
                          const GArray *taken,
                          const char *seed,
                          T2pnAddressPool *out_pool,
                          GError **error)
{
  const T2pIpPrefix *explicit4, *explicit6;
  gboolean is_set4, is_set6;
  T2pnAddressPool pool;

  memset (&pool, 0, sizeof pool);
  if (!choose_family (settings, snapshot, taken, AF_INET, &pool.pool4, &is_set4, &explicit4,
                      error) ||
      !choose_family (settings, snapshot, taken, AF_INET6, &pool.pool6, &is_set6, &explicit6,
                      error))
    return FALSE;
  if (!is_set4 && !choose_pool4 (snapshot, taken, &pool.pool4, error))
    return FALSE;
  if (!is_set6 && !choose_pool6 (snapshot, taken, seed, &pool.pool6, error))
    return FALSE;
  set_link (&pool.address4, &pool.responder4, &pool.link_length4, &pool.is_explicit4,
            &pool.pool4, LINK4_LENGTH, explicit4);
  set_link (&pool.address6, &pool.responder6, &pool.link_length6, &pool.is_explicit6,
            &pool.pool6, LINK6_LENGTH, explicit6);
  *out_pool = pool;
  return TRUE;
}
