/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 *   LOOKING UP ──▶ DIALING ──▶ the TCP carrier is handed over
 *
 * No proxy: a marked socket to the destination itself. A name is asked of the uplink's servers
 * with marked queries, so that neither the name nor the connection comes back into a tunnel.
 * What goes wrong is the destination's doing, never a fault of an upstream. */
#include "config.h"

#include "t2pw-direct.h"

#include "t2p-error.h"
#include "t2pw-direct-datagrams.h"
#include "t2pw-tcp-carrier.h"

#define LABEL "direct"

typedef struct
{
  T2pwOutbound base;
  const T2pwOutboundContext *context;
} DirectOutbound;

typedef struct
{
  T2pwCarrier base;
  const T2pwOutboundContext *context;
  guint16 port;
  T2pwLookup *lookup;
  T2pwDial *dial;
  T2pTask task; /* what cannot even begin fails when the caller has returned */
} Connecting;

static void
connecting_free (Connecting *connecting)
{
  t2p_reactor_cancel (connecting->context->reactor, &connecting->task);
  g_clear_pointer (&connecting->lookup, t2pw_lookup_cancel);
  g_clear_pointer (&connecting->dial, t2pw_dial_cancel);
  g_free (connecting);
}

static void
connecting_close (T2pwCarrier *base, gboolean reset)
{
  connecting_free ((Connecting *) base);
}

static const T2pwCarrierClass connecting_class = {
  .send = t2pw_unopened_transfer,
  .receive = t2pw_unopened_transfer,
  .unread = t2pw_unopened_unread,
  .shutdown = t2pw_unopened_shutdown,
  .close = connecting_close,
  .is_stalled = t2pw_unopened_is_stalled,
};

static void
connecting_fail (Connecting *connecting, T2pError code, T2pRefusal refusal, const char *message)
{
  T2pwCarrier base = connecting->base;
  g_autoptr (GError) error = g_error_new_literal (T2P_ERROR, code, message);

  base.handler->failed (&connecting->base, refusal, error, base.user_data);
  connecting_free (connecting);
}

static void
dialed_cb (T2pWatch *watch,
           const T2pIpEndpoint *peer,
           gint64 rtt_us,
           T2pRefusal refusal,
           const GError *error,
           gpointer user_data)
{
  Connecting *connecting = user_data;
  T2pwCarrier base = connecting->base;
  T2pwCarrier *open = NULL;

  connecting->dial = NULL;
  if (watch != NULL)
    open = t2pw_tcp_carrier_new (connecting->context->reactor, watch, base.handler,
                                 base.user_data);
  if (open == NULL)
    {
      gboolean is_ours =
          error == NULL || g_error_matches (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);

      connecting_fail (connecting, is_ours ? T2P_ERROR_LIMIT_EXCEEDED : T2P_ERROR_FAILED,
                       is_ours ? T2P_REFUSAL_HOST_UNREACHABLE : refusal,
                       error != NULL ? error->message : "the connection cannot be watched");
      return;
    }
  connecting_free (connecting);
  open->label = LABEL;
  base.handler->opened (open, base.user_data);
}

static void
forbidden_cb (T2pTask *task)
{
  connecting_fail (T2P_OWNER_OF (task, Connecting, task), T2P_ERROR_FAILED,
                   T2P_REFUSAL_ADMIN_PROHIBITED,
                   "no direct connections to such an address for an ordinary user");
}

static void
connect_to (Connecting *connecting, const T2pIpAddress *addresses, guint n)
{
  const T2pwOutboundContext *context = connecting->context;
  T2pIpEndpoint peers[T2PW_DIAL_MAX_ADDRESSES];
  guint n_peers = 0;

  for (guint i = 0; i < n && n_peers < G_N_ELEMENTS (peers); i++)
    if (t2pw_socket_policy_allows (context->policy, &addresses[i]))
      peers[n_peers++] = (T2pIpEndpoint){ addresses[i], connecting->port };
  if (n_peers == 0)
    {
      t2p_reactor_defer (context->reactor, &connecting->task, forbidden_cb);
      return;
    }
  connecting->dial = t2pw_dial_start (context->reactor, context->policy, peers, n_peers, FALSE,
                                      context->connect_timeout_ms, dialed_cb, connecting);
}

static void
looked_up_cb (const T2pIpAddress *addresses,
              guint n,
              guint32 ttl_s,
              const GError *error,
              gpointer user_data)
{
  Connecting *connecting = user_data;

  connecting->lookup = NULL;
  if (n > 0)
    connect_to (connecting, addresses, n);
  else
    connecting_fail (connecting, T2P_ERROR_FAILED, T2P_REFUSAL_HOST_UNREACHABLE,
                     error->message);
}

static void
no_names_cb (T2pTask *task)
{
  connecting_fail (T2P_OWNER_OF (task, Connecting, task), T2P_ERROR_FAILED,
                   T2P_REFUSAL_HOST_UNREACHABLE,
                   "there is no name server for direct connections");
}

static T2pwCarrier *
direct_open (T2pwOutbound *base,
             const T2pwDestination *destination,
             const T2pwCarrierHandler *handler,
             gpointer user_data)
{
  const T2pwOutboundContext *context = ((DirectOutbound *) base)->context;
  Connecting *connecting = g_new0 (Connecting, 1);

  connecting->base = (T2pwCarrier){ &connecting_class, handler, user_data, LABEL };
  connecting->context = context;
  connecting->port = destination->port;
  if (destination->name == NULL)
    connect_to (connecting, &destination->address, 1);
  else if (context->names != NULL)
    connecting->lookup =
        t2pw_names_lookup (context->names, destination->name, context->connect_timeout_ms,
                           looked_up_cb, connecting);
  else
    t2p_reactor_defer (context->reactor, &connecting->task, no_names_cb);
  return &connecting->base;
}

static T2pwAssociation *
direct_associate (T2pwOutbound *base, const T2pwAssociationHandler *handler, gpointer user_data)
{
  const T2pwOutboundContext *context = ((DirectOutbound *) base)->context;

  if (context->udp == NULL)
    return NULL;
  return t2pw_direct_datagrams_open (context, LABEL, handler, user_data);
}

static T2pwUdpMode
direct_get_udp_mode (T2pwOutbound *base)
{
  return ((DirectOutbound *) base)->context->udp != NULL ? T2PW_UDP_DIRECT : T2PW_UDP_NONE;
}

static void
direct_free (T2pwOutbound *base)
{
  g_free (base);
}

static const T2pwOutboundClass direct_class = {
  .kind = "direct",
  .open = direct_open,
  .associate = direct_associate,
  .get_udp_mode = direct_get_udp_mode,
  .free = direct_free,
};

/**
 * t2pw_direct_new:
 * @context: outlives the outbound
 *
 * A carrier fails with T2P_ERROR: FAILED (the destination's name or itself was not reached) or
 * LIMIT_EXCEEDED (we lack descriptors, ports or memory).
 */
T2pwOutbound *
t2pw_direct_new (const T2pwOutboundContext *context)
{
  DirectOutbound *outbound = g_new0 (DirectOutbound, 1);

  outbound->base.klass = &direct_class;
  outbound->context = context;
  return &outbound->base;
}
