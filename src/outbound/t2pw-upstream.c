/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-upstream.h"

#include "t2p-error.h"

struct _T2pwUpstream
{
  const T2pwOutboundContext *context;
  T2pEndpoint *endpoint;
  T2pIpEndpoint peers[T2PW_DIAL_MAX_ADDRESSES];
  guint n_peers;
  gboolean is_stale; /* the addresses did not answer: look the name up again */
  gboolean is_fast_open;
  guint uplink;        /* that its addresses were asked for with */
  T2pwLookup *renewal; /* of its name, for another uplink; NULL: none */
  gint64 rtt_us;
};

struct _T2pwUpstreamDial
{
  T2pwUpstream *upstream;
  T2pwLookup *lookup;
  T2pwDial *dial;
  T2pwDialDone done;
  gpointer user_data;
};

/**
 * t2pw_upstream_new:
 * @endpoint: (transfer none): with a host; a reference is taken
 */
T2pwUpstream *
t2pw_upstream_new (const T2pwOutboundContext *context, T2pEndpoint *endpoint)
{
  T2pwUpstream *upstream = g_new0 (T2pwUpstream, 1);
  T2pIpAddress literal;

  upstream->context = context;
  upstream->uplink = context->uplink;
  upstream->endpoint = t2p_endpoint_ref (endpoint);
  upstream->is_fast_open = g_strcmp0 (t2p_endpoint_get_option (endpoint, "tfo"), "yes") == 0;
  if (t2p_endpoint_get_address (endpoint, &literal))
    t2pw_upstream_set_addresses (upstream, &literal, 1);
  return upstream;
}

void
t2pw_upstream_free (T2pwUpstream *upstream)
{
  g_clear_pointer (&upstream->renewal, t2pw_lookup_cancel);
  t2p_endpoint_unref (upstream->endpoint);
  g_free (upstream);
}

/**
 * t2pw_upstream_set_addresses:
 *
 * What the name stands for, in the order to try; of none, nothing changes.
 */
void
t2pw_upstream_set_addresses (T2pwUpstream *upstream, const T2pIpAddress *addresses, guint n)
{
  if (n == 0)
    return;
  upstream->n_peers = MIN (n, T2PW_DIAL_MAX_ADDRESSES);
  for (guint i = 0; i < upstream->n_peers; i++)
    upstream->peers[i] = (T2pIpEndpoint){ .address = addresses[i],
                                          .port = t2p_endpoint_get_port (upstream->endpoint) };
  for (guint i = 0; i < upstream->n_peers && upstream->context->policy->guard != NULL; i++)
    t2pw_loop_guard_add_upstream (upstream->context->policy->guard, &upstream->peers[i]);
  upstream->is_stale = FALSE;
}

/* Of the last TCP handshake; 0 before the first. */
gint64
t2pw_upstream_get_rtt_us (const T2pwUpstream *upstream)
{
  return upstream->rtt_us;
}

static void
dial_done_cb (T2pWatch *watch,
              const T2pIpEndpoint *peer,
              gint64 rtt_us,
              T2pRefusal refusal,
              const GError *error,
              gpointer data)
{
  g_autofree T2pwUpstreamDial *dial = data;
  T2pwUpstream *upstream = dial->upstream;
  T2pIpAddress literal;

  if (rtt_us > 0)
    upstream->rtt_us = rtt_us;
  if (watch == NULL)
    upstream->is_stale = !t2p_endpoint_get_address (upstream->endpoint, &literal);
  dial->done (watch, peer, rtt_us, refusal, error, dial->user_data);
}

static void
dial_connect (T2pwUpstreamDial *dial)
{
  T2pwUpstream *upstream = dial->upstream;

  dial->dial = t2pw_dial_start (upstream->context->reactor, upstream->context->policy,
                                upstream->peers, upstream->n_peers, upstream->is_fast_open,
                                upstream->context->connect_timeout_ms, dial_done_cb, dial);
}

static void
lookup_done_cb (const T2pIpAddress *addresses,
                guint n,
                guint32 ttl_s,
                const GError *error,
                gpointer user_data)
{
  T2pwUpstreamDial *dial = user_data;
  g_autoptr (GError) not_found = NULL;

  dial->lookup = NULL;
  t2pw_upstream_set_addresses (dial->upstream, addresses, n);
  if (dial->upstream->n_peers > 0)
    {
      dial_connect (dial); /* old addresses are better than none */
      return;
    }
  not_found = g_error_new_literal (T2P_ERROR, T2P_ERROR_RESOLVE_FAILED, error->message);
  dial->done (NULL, NULL, 0, T2P_REFUSAL_HOST_UNREACHABLE, not_found, dial->user_data);
  g_free (dial);
}

/* --- another uplink */

static void
renewed_cb (
    const T2pIpAddress *addresses, guint n, guint32 ttl_s, const GError *error, gpointer data)
{
  T2pwUpstream *upstream = data;

  upstream->renewal = NULL;
  t2pw_upstream_set_addresses (upstream, addresses, n);
}

/* Nobody waits for it: the old addresses are most likely right, and the name servers of another
 * uplink may not be known yet. */
static void
renew (T2pwUpstream *upstream)
{
  const T2pwOutboundContext *context = upstream->context;
  T2pIpAddress literal;

  if (upstream->uplink == context->uplink)
    return;
  upstream->uplink = context->uplink;
  if (upstream->renewal == NULL && upstream->n_peers > 0 && context->names != NULL &&
      !t2p_endpoint_get_address (upstream->endpoint, &literal))
    upstream->renewal =
        t2pw_names_lookup (context->names, t2p_endpoint_get_host (upstream->endpoint),
                           context->connect_timeout_ms, renewed_cb, upstream);
}

T2pwUpstreamDial *
t2pw_upstream_dial (T2pwUpstream *upstream, T2pwDialDone done, gpointer user_data)
{
  const T2pwOutboundContext *context = upstream->context;
  T2pwUpstreamDial *dial = g_new0 (T2pwUpstreamDial, 1);
  gboolean knows_enough =
      upstream->n_peers > 0 && (!upstream->is_stale || context->names == NULL);

  dial->upstream = upstream;
  dial->done = done;
  dial->user_data = user_data;
  g_return_val_if_fail (upstream->n_peers > 0 || context->names != NULL, dial);
  renew (upstream);
  if (knows_enough)
    dial_connect (dial);
  else
    dial->lookup =
        t2pw_names_lookup (context->names, t2p_endpoint_get_host (upstream->endpoint),
                           context->connect_timeout_ms, lookup_done_cb, dial);
  return dial;
}

/**
 * t2pw_upstream_dial_cancel:
 *
 * Its callback is not called.
 */
void
t2pw_upstream_dial_cancel (T2pwUpstreamDial *dial)
{
  g_clear_pointer (&dial->lookup, t2pw_lookup_cancel);
  g_clear_pointer (&dial->dial, t2pw_dial_cancel);
  g_free (dial);
}
