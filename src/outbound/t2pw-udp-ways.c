/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Which ways there are is said by the settings and by how the proxy is reached: beside a
 * connection that is encrypted, or goes through other proxies, no datagram travels. The first
 * application socket tries them in their order, and its outcome holds for all others: a way
 * that worked is the only one from then on; when none is left, every socket is refused at once,
 * until it is time to ask again. A proxy that cannot be reached has shown nothing.
 *
 * A change is told once, whatever the number of sockets that meet it. */
#include "config.h"

#include "t2pw-udp-ways.h"

#include "t2p-error.h"
#include "t2pw-udp-associate.h"
#include "t2pw-udp-in-tcp.h"
#include "t2pw-udpgw.h"

#include <string.h>

/* A proxy that has said that it cannot is asked again after this; one that was silent or said
 * no for another reason, sooner. */
#define NONE_HOLDS_US (300 * G_USEC_PER_SEC)
#define REFUSED_HOLDS_US (30 * G_USEC_PER_SEC)
#define MAX_WAYS 3

typedef struct
{
  T2pwOutbound base;
  const T2pwOutboundContext *context;
  T2pwOutbound *inner;
  const char *label; /* of the endpoint */
  T2pEndpoint *endpoint;
  T2pwUdpMode ways[MAX_WAYS];
  guint n_ways;
  T2pwUdpgw *gateway; /* NULL: there is none */
  T2pwUdpMode mode;
  gint64 none_until_us;
  T2pwUdpMode told; /* the last that was told */
} UdpWays;

typedef struct
{
  T2pwAssociation base;
  UdpWays *ways;
  T2pwAssociation *inner;
  guint way;            /* of @inner */
  gboolean was_refused; /* by one that may be able to */
} Trying;

/* --- what is known */

static void
ways_tell (UdpWays *ways, const GError *error)
{
  const T2pwOutboundContext *context = ways->context;

  if (ways->told == ways->mode || context->udp_mode_learnt == NULL)
    return;
  ways->told = ways->mode;
  context->udp_mode_learnt (ways->label, ways->mode, error, context->user_data);
}

static void
ways_learn (UdpWays *ways, T2pwUdpMode mode, gint64 holds_us, const GError *error)
{
  ways->mode = mode;
  ways->none_until_us = t2p_reactor_get_now_us (ways->context->reactor) + holds_us;
  ways_tell (ways, error);
}

static gboolean
knows_none (UdpWays *ways)
{
  if (ways->mode == T2PW_UDP_NONE &&
      t2p_reactor_get_now_us (ways->context->reactor) >= ways->none_until_us)
    ways->mode = T2PW_UDP_UNKNOWN;
  return ways->mode == T2PW_UDP_NONE;
}

/* --- trying */

static void trying_start (Trying *trying);

static void
trying_opened_cb (T2pwAssociation *inner, gpointer user_data)
{
  Trying *trying = user_data;
  T2pwAssociation base = trying->base;

  ways_learn (trying->ways, trying->ways->ways[trying->way], 0, NULL);
  inner->label = trying->ways->label;
  g_free (trying);
  t2pw_association_hand_over (inner, base.handler, base.user_data);
  base.handler->opened (inner, base.user_data);
}

static gboolean
says_no (const GError *error)
{
  return g_error_matches (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_FAILED) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_TIMED_OUT);
}

/* Whether the next way is to be tried. */
static gboolean
trying_next (Trying *trying, const GError *error)
{
  const UdpWays *ways = trying->ways;
  gboolean cannot = g_error_matches (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED);

  /* one that could before, and has its reasons now */
  if (ways->mode == ways->ways[trying->way] && !cannot)
    return FALSE;
  trying->was_refused |= says_no (error) && !cannot;
  return says_no (error) && ++trying->way < ways->n_ways;
}

static void
trying_failed_cb (T2pwAssociation *inner,
                  T2pRefusal refusal,
                  const GError *error,
                  gpointer user_data)
{
  g_autofree Trying *trying = user_data;
  T2pwAssociation base = trying->base;
  UdpWays *ways = trying->ways;
  g_autoptr (GError) none = NULL;

  if (trying_next (trying, error))
    {
      trying_start (g_steal_pointer (&trying));
      return;
    }
  if (trying->way == ways->n_ways)
    {
      ways_learn (ways, T2PW_UDP_NONE, trying->was_refused ? REFUSED_HOLDS_US : NONE_HOLDS_US,
                  error);
      none = g_error_new (T2P_ERROR, T2P_ERROR_NOT_SUPPORTED, "%s carries no UDP: %s",
                          ways->label, error->message);
      refusal = T2P_REFUSAL_PORT_UNREACHABLE;
    }
  base.handler->failed (&trying->base, refusal, none != NULL ? none : error, base.user_data);
}

static void
trying_received_cb (T2pwAssociation *inner,
                    const T2pwDestination *from,
                    const guint8 *data,
                    gsize length,
                    gpointer user_data)
{
}

static void
trying_too_big_cb (T2pwAssociation *inner,
                   const T2pwDestination *to,
                   gsize most_bytes,
                   gpointer user_data)
{
}

static const T2pwAssociationHandler trying_handler = { trying_opened_cb, trying_failed_cb,
                                                       trying_received_cb, trying_too_big_cb };

static T2pwAssociation *
open_way (UdpWays *ways, T2pwUdpMode mode, gpointer user_data)
{
  switch (mode)
    {
    case T2PW_UDP_ASSOCIATE:
      return t2pw_udp_associate_open (ways->context, ways->inner, &trying_handler, user_data);
    case T2PW_UDP_IN_TCP:
      return t2pw_udp_in_tcp_open (ways->context, ways->inner, &trying_handler, user_data);
    case T2PW_UDP_UDPGW:
      return t2pw_udpgw_associate (ways->gateway, &trying_handler, user_data);
    case T2PW_UDP_UNKNOWN:
    case T2PW_UDP_NONE:
    case T2PW_UDP_DIRECT:
      break;
    }
  return NULL;
}

static void
trying_start (Trying *trying)
{
  trying->inner = open_way (trying->ways, trying->ways->ways[trying->way], trying);
}

static void
trying_close (T2pwAssociation *base)
{
  t2pw_association_close (((Trying *) base)->inner);
  g_free (base);
}

static const T2pwAssociationClass trying_class = {
  .send = t2pw_unopened_send,
  .close = trying_close,
};

static T2pwAssociation *
ways_associate (T2pwOutbound *base, const T2pwAssociationHandler *handler, gpointer user_data)
{
  UdpWays *ways = (UdpWays *) base;
  Trying *trying;

  if (knows_none (ways))
    return NULL;
  trying = g_new0 (Trying, 1);
  trying->base = (T2pwAssociation){ &trying_class, handler, user_data, ways->label };
  trying->ways = ways;
  while (ways->mode != T2PW_UDP_UNKNOWN && trying->way + 1 < ways->n_ways &&
         ways->ways[trying->way] != ways->mode)
    trying->way++;
  trying_start (trying);
  return &trying->base;
}

/* --- the outbound */

static T2pwCarrier *
ways_open (T2pwOutbound *base,
           const T2pwDestination *destination,
           const T2pwCarrierHandler *handler,
           gpointer user_data)
{
  return t2pw_outbound_open (((UdpWays *) base)->inner, destination, handler, user_data);
}

static gint64
ways_get_rtt_us (T2pwOutbound *base)
{
  return t2pw_outbound_get_rtt_us (((UdpWays *) base)->inner);
}

static const char *
ways_get_auth (T2pwOutbound *base)
{
  return t2pw_outbound_get_auth (((UdpWays *) base)->inner);
}

static T2pwUdpMode
ways_get_udp_mode (T2pwOutbound *base)
{
  UdpWays *ways = (UdpWays *) base;

  knows_none (ways);
  return ways->mode;
}

static void
ways_free (T2pwOutbound *base)
{
  UdpWays *ways = (UdpWays *) base;

  g_clear_pointer (&ways->gateway, t2pw_udpgw_free);
  t2pw_outbound_free (ways->inner);
  t2p_endpoint_unref (ways->endpoint);
  g_free (ways);
}

static const T2pwOutboundClass ways_class = {
  .kind = "udp-ways",
  .open = ways_open,
  .get_rtt_us = ways_get_rtt_us,
  .get_auth = ways_get_auth,
  .associate = ways_associate,
  .get_udp_mode = ways_get_udp_mode,
  .free = ways_free,
};

/* --- which ways there are */

static void
add_way (UdpWays *ways, T2pwUdpMode mode)
{
  ways->ways[ways->n_ways++] = mode;
}

static void
choose_ways (UdpWays *ways, const char *wish, gboolean speaks_socks5, gboolean is_beside)
{
  gboolean is_auto = strcmp (wish, "auto") == 0;

  if (ways->context->udp == NULL)
    return;
  if ((is_auto || strcmp (wish, "associate") == 0) && speaks_socks5 && is_beside)
    add_way (ways, T2PW_UDP_ASSOCIATE);
  if ((is_auto || strcmp (wish, "udpgw") == 0) && ways->context->udpgw.port != 0)
    {
      add_way (ways, T2PW_UDP_UDPGW);
      ways->gateway = t2pw_udpgw_new (ways->context, ways->inner);
    }
  if (strcmp (wish, "udp-in-tcp") == 0 && speaks_socks5)
    add_way (ways, T2PW_UDP_IN_TCP);
}

static gboolean
has_socks5 (const T2pEndpoint *endpoint)
{
  T2pScheme scheme = t2p_endpoint_get_scheme (endpoint);

  return scheme == T2P_SCHEME_SOCKS5 || scheme == T2P_SCHEME_SOCKS5H ||
         scheme == T2P_SCHEME_SOCKS5_TLS;
}

/**
 * t2pw_udp_ways_new:
 * @context: outlives the outbound
 * @endpoint: (transfer none): the proxy, of a chain the last one
 * @inner: (transfer full): how to reach it, and destinations through it; for a SOCKS 5 proxy a
 *   t2pw_socks5_new(), whatever is below
 * @is_beside: datagrams may travel beside the connection to it
 */
T2pwOutbound *
t2pw_udp_ways_new (const T2pwOutboundContext *context,
                   T2pEndpoint *endpoint,
                   T2pwOutbound *inner,
                   gboolean is_beside)
{
  UdpWays *ways = g_new0 (UdpWays, 1);
  const char *wish = t2p_endpoint_get_option (endpoint, "udp");

  ways->base.klass = &ways_class;
  ways->context = context;
  ways->inner = inner;
  ways->endpoint = t2p_endpoint_ref (endpoint);
  ways->label = t2p_endpoint_get_hop_display (endpoint);
  if (wish == NULL)
    wish = context->udp_wish != NULL ? context->udp_wish : "auto";
  choose_ways (ways, wish, has_socks5 (endpoint), is_beside);
  if (ways->n_ways == 0)
    {
      ways->mode = T2PW_UDP_NONE;
      ways->none_until_us = G_MAXINT64;
      if (strcmp (wish, "reject") != 0)
        ways_tell (ways, NULL);
    }
  return &ways->base;
}

void
t2pw_udp_ways_learn (T2pwOutbound *outbound, T2pwUdpMode mode)
{
  UdpWays *ways = (UdpWays *) outbound;
  gboolean is_way = mode == T2PW_UDP_NONE;

  if (outbound->klass != &ways_class)
    return;
  for (guint i = 0; i < ways->n_ways; i++)
    is_way = is_way || ways->ways[i] == mode;
  if (is_way && ways->n_ways > 0)
    ways_learn (ways, mode, NONE_HOLDS_US, NULL);
}

void
t2pw_udp_ways_forget (T2pwOutbound *outbound)
{
  UdpWays *ways = (UdpWays *) outbound;

  if (outbound->klass == &ways_class && ways->n_ways > 0)
    ways->mode = T2PW_UDP_UNKNOWN;
}
