/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A gateway takes addresses only, and our own name servers must not learn what an application
 * asks for: so the question goes the way that its datagrams will go. One question for an IPv4
 * address, sent again a few times; the message is c-ares' to take apart. */
#include "config.h"

#include "t2pw-udpgw-lookup.h"

#include "t2p-dns.h"
#include "t2p-error.h"

#include <ares.h>

#define TRIES 3
#define TRY_MS 1500
#define TYPE_A 1
#define QUERY_BYTES 512

struct _T2pwUdpgwLookup
{
  const T2pwOutboundContext *context;
  T2pwAssociation *association;
  T2pwLookupDone done;
  gpointer user_data;
  T2pTimer timer;
  guint n_tries;
  gsize query_bytes;
  guint8 query[QUERY_BYTES];
};

void
t2pw_udpgw_lookup_cancel (T2pwUdpgwLookup *lookup)
{
  t2p_reactor_disarm (lookup->context->reactor, &lookup->timer);
  if (lookup->association != NULL)
    t2pw_association_close (lookup->association);
  g_free (lookup);
}

static void
lookup_finish (T2pwUdpgwLookup *lookup, const T2pIpAddress *addresses, guint n)
{
  T2pwLookupDone done = lookup->done;
  gpointer user_data = lookup->user_data;
  g_autoptr (GError) error = NULL;

  if (n == 0)
    error = g_error_new_literal (T2P_ERROR, T2P_ERROR_RESOLVE_FAILED,
                                 "no address by way of the gateway");
  t2pw_udpgw_lookup_cancel (lookup);
  done (addresses, n, 0, error, user_data);
}

static void
try_cb (T2pTimer *timer)
{
  T2pwUdpgwLookup *lookup = T2P_OWNER_OF (timer, T2pwUdpgwLookup, timer);
  T2pwDestination server = { .address = lookup->context->udpgw_resolver.address,
                             .port = lookup->context->udpgw_resolver.port };

  if (lookup->n_tries++ == TRIES)
    {
      lookup_finish (lookup, NULL, 0);
      return;
    }
  t2pw_association_send (lookup->association, &server, lookup->query, lookup->query_bytes, 0);
  t2p_reactor_arm (lookup->context->reactor, timer, TRY_MS, try_cb);
}

static void
opened_cb (T2pwAssociation *association, gpointer user_data)
{
  T2pwUdpgwLookup *lookup = user_data;

  lookup->association = association;
  try_cb (&lookup->timer);
}

static void
failed_cb (T2pwAssociation *association,
           T2pRefusal refusal,
           const GError *error,
           gpointer user_data)
{
  T2pwUdpgwLookup *lookup = user_data;

  lookup->association = NULL;
  lookup_finish (lookup, NULL, 0);
}

static void
received_cb (T2pwAssociation *association,
             const T2pwDestination *from,
             const guint8 *data,
             gsize length,
             gpointer user_data)
{
  T2pwUdpgwLookup *lookup = user_data;
  struct ares_addrttl rows[T2PW_NAMES_MAX_ADDRESSES];
  T2pIpAddress addresses[T2PW_NAMES_MAX_ADDRESSES];
  int n = G_N_ELEMENTS (rows);
  T2pDnsQuery query;

  t2p_dns_query_decode (lookup->query, lookup->query_bytes, &query);
  if (length > G_MAXUINT16 || !t2p_dns_response_matches (data, length, &query))
    return;
  if (ares_parse_a_reply (data, (int) length, NULL, rows, &n) != ARES_SUCCESS)
    n = 0;
  for (int i = 0; i < n; i++)
    addresses[i] = t2p_ip_address_from_bytes (AF_INET, (const guint8 *) &rows[i].ipaddr);
  lookup_finish (lookup, addresses, (guint) MAX (n, 0));
}

static void
too_big_cb (T2pwAssociation *association,
            const T2pwDestination *to,
            gsize most_bytes,
            gpointer user_data)
{
}

static const T2pwAssociationHandler handler = { opened_cb, failed_cb, received_cb, too_big_cb };

/* NULL when no name server is known, or the name is none. */
T2pwUdpgwLookup *
t2pw_udpgw_lookup (const T2pwOutboundContext *context,
                   T2pwUdpgw *gateway,
                   const char *name,
                   T2pwLookupDone done,
                   gpointer user_data)
{
  T2pwUdpgwLookup *lookup;
  T2pWriter writer;

  if (context->udpgw_resolver.port == 0)
    return NULL;
  lookup = g_new0 (T2pwUdpgwLookup, 1);
  lookup->context = context;
  lookup->done = done;
  lookup->user_data = user_data;
  t2p_writer_init (&writer, lookup->query, sizeof lookup->query);
  if (!t2p_dns_query_write (&writer, (guint16) g_random_int (), name, TYPE_A))
    {
      g_free (lookup);
      return NULL;
    }
  lookup->query_bytes = t2p_writer_length (&writer);
  lookup->association = t2pw_udpgw_associate (gateway, &handler, lookup);
  return lookup;
}
