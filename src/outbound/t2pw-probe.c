/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A row of real handshakes with one upstream, one at a time, by the very outbound that a tunnel
 * would have: CONNECT to the proxy itself (of a chain: to the last one) by its address, to
 * "localhost" by name, to ::1, and UDP ASSOCIATE. Nobody else is bothered, and every answer but
 * "not supported" and the family's "network unreachable" shows that the proxy understands the
 * request: a rule of its own may well forbid this very destination. A fault in the first ends
 * the probe, since the others could tell no more. Silence behind the request is no fault, the
 * proxy greeted us and may be cut off from the destination; but it tells nothing of what the
 * proxy can, and when the first request meets it, the others get little time. */
#include "config.h"

#include "t2pw-probe.h"

#include "t2p-error.h"
#include "t2pw-outbound-factory.h"
#include "t2pw-association.h"

#include <netinet/in.h>

/* Behind the deadline of the first handshake. */
#define GRACE_MS 100
/* For all other steps once the first was met with silence. */
#define AFTER_SILENCE_MS 1000

typedef enum
{
  STEP_CONNECT,
  STEP_NAME,
  STEP_IPV6,
  STEP_UDP,
  N_STEPS,
} Step;

struct _T2pwProbe
{
  T2pwOutboundContext context; /* with our own deadline */
  T2pEndpoint *endpoint;
  T2pIpAddress address; /* one of the endpoint's, when those are known */
  T2pwOutbound *outbound;
  T2pwCarrier *carrier;
  T2pwAssociation *association;
  char name[T2P_IP_STRLEN]; /* that is asked for */
  Step step;
  gboolean answered[N_STEPS];
  gboolean refuses_ipv6;
  GError *error;
  T2pTimer timer;
  gint64 deadline_us;
  T2pTask task;
  T2pwProbeDone done;
  gpointer user_data;
};

/**
 * t2pw_probe_cancel:
 *
 * Its callback is not called.
 */
void
t2pw_probe_cancel (T2pwProbe *probe)
{
  T2pReactor *reactor = probe->context.reactor;

  t2p_reactor_disarm (reactor, &probe->timer);
  t2p_reactor_cancel (reactor, &probe->task);
  if (probe->carrier != NULL)
    t2pw_carrier_close (probe->carrier, TRUE);
  if (probe->association != NULL)
    t2pw_association_close (probe->association);
  t2pw_outbound_free (probe->outbound);
  t2pw_udp_io_free (probe->context.udp);
  t2p_endpoint_unref (probe->endpoint);
  g_clear_error (&probe->error);
  g_free (probe);
}

static const char *
auth_of (const T2pwProbe *probe)
{
  const char *auth = t2pw_outbound_get_auth (probe->outbound);

  /* It wants one, and we had none to give. */
  if (*auth == '\0' &&
      g_error_matches (probe->error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED))
    return "password";
  return auth;
}

/* A connection whose SYN waited for data, and one to a path, has no time of its own; one
 * through a chain has that of the first hop, which says nothing of the others. */
static gboolean
was_reached (const T2pwProbe *probe)
{
  gboolean has_time = t2pw_outbound_get_rtt_us (probe->outbound) > 0;

  for (guint i = 0; i < N_STEPS; i++)
    if (probe->answered[i])
      return TRUE;
  if (g_error_matches (probe->error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED) ||
      g_error_matches (probe->error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL))
    return TRUE;
  return has_time && (probe->error == NULL || t2p_endpoint_get_next (probe->endpoint) == NULL);
}

/* What was not learnt may be there; nobody would count on it. */
static const char *
udp_of (const T2pwProbe *probe)
{
  T2pwUdpMode mode = t2pw_outbound_get_udp_mode (probe->outbound);

  return t2pw_udp_mode_to_string (mode != T2PW_UDP_UNKNOWN ? mode : T2PW_UDP_NONE);
}

static void
probe_finish (T2pwProbe *probe)
{
  T2pwProbeDone done = probe->done;
  gpointer user_data = probe->user_data;
  g_autoptr (GError) error = NULL;
  T2pwProbeResult result = {
    .is_reachable = was_reached (probe),
    .rtt_us = t2pw_outbound_get_rtt_us (probe->outbound),
    .auth = auth_of (probe),
    .can_connect = probe->answered[STEP_CONNECT] || probe->answered[STEP_NAME] ||
                   probe->answered[STEP_IPV6],
    .can_names = probe->answered[STEP_NAME],
    .can_ipv6 = probe->answered[STEP_IPV6],
    .refuses_ipv6 = probe->refuses_ipv6,
    .udp = udp_of (probe),
  };

  result.error = error = g_steal_pointer (&probe->error);
  t2pw_probe_cancel (probe);
  done (&result, user_data);
}

static void probe_step_cb (T2pTask *task);

static void
probe_next (T2pwProbe *probe)
{
  probe->step++;
  t2p_reactor_defer (probe->context.reactor, &probe->task, probe_step_cb);
}

static void
opened_cb (T2pwCarrier *carrier, gpointer user_data)
{
  T2pwProbe *probe = user_data;

  probe->answered[probe->step] = TRUE;
  probe->carrier = NULL;
  t2pw_carrier_close (carrier, TRUE);
  probe_next (probe);
}

static T2pScheme
last_scheme (const T2pEndpoint *endpoint)
{
  while (t2p_endpoint_get_next (endpoint) != NULL)
    endpoint = t2p_endpoint_get_next (endpoint);
  return t2p_endpoint_get_scheme (endpoint);
}

/* A proxy of plain SOCKS 4 takes a name of 4a for an address that it cannot reach, and says no
 * as if it had understood. */
static gboolean
has_to_say_yes (const T2pwProbe *probe)
{
  return probe->step == STEP_UDP ||
         (probe->step == STEP_NAME && last_scheme (probe->endpoint) == T2P_SCHEME_SOCKS4A);
}

/* Whether a "no" shows that the request is understood. */
static gboolean
is_understood (const T2pwProbe *probe, T2pRefusal refusal, const GError *error)
{
  if (!g_error_matches (error, T2P_ERROR, T2P_ERROR_FAILED) || has_to_say_yes (probe))
    return FALSE;
  return probe->step != STEP_IPV6 || refusal != T2P_REFUSAL_NET_UNREACHABLE;
}

/* A way of refusing that does not mean this destination only. */
static gboolean
means_the_family (T2pRefusal refusal, const GError *error)
{
  return g_error_matches (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED) ||
         (g_error_matches (error, T2P_ERROR, T2P_ERROR_FAILED) &&
          refusal == T2P_REFUSAL_NET_UNREACHABLE);
}

static gboolean
ends_probe (Step step, const GError *error)
{
  return step == STEP_CONNECT && !g_error_matches (error, T2P_ERROR, T2P_ERROR_FAILED) &&
         !g_error_matches (error, T2P_ERROR, T2P_ERROR_TIMED_OUT);
}

static void deadline_cb (T2pTimer *timer);

static void
probe_hurry (T2pwProbe *probe)
{
  gint64 left_ms = (probe->deadline_us - g_get_monotonic_time ()) / 1000;

  t2p_reactor_arm (probe->context.reactor, &probe->timer,
                   (guint) CLAMP (left_ms, 0, AFTER_SILENCE_MS), deadline_cb);
}

static void
failed_cb (T2pwCarrier *carrier, T2pRefusal refusal, const GError *error, gpointer user_data)
{
  T2pwProbe *probe = user_data;

  probe->carrier = NULL;
  if (ends_probe (probe->step, error))
    {
      probe->error = g_error_copy (error);
      probe->step = N_STEPS - 1;
    }
  else
    probe->answered[probe->step] = is_understood (probe, refusal, error);
  if (probe->step == STEP_IPV6)
    probe->refuses_ipv6 = means_the_family (refusal, error);
  if (probe->step == STEP_CONNECT && g_error_matches (error, T2P_ERROR, T2P_ERROR_TIMED_OUT))
    probe_hurry (probe);
  probe_next (probe);
}

static void
ignore_cb (T2pwCarrier *carrier, gpointer user_data)
{
}

static const T2pwCarrierHandler probe_handler = {
  .opened = opened_cb,
  .failed = failed_cb,
  .readable = ignore_cb,
  .writable = ignore_cb,
};

/* One that has to be reached is that of the proxy itself, and be it its address as a text. */
static const char *
harmless_name (T2pwProbe *probe, const T2pwDestination *destination)
{
  if (!has_to_say_yes (probe))
    return "localhost";
  if (destination->name != NULL)
    return destination->name;
  t2p_ip_address_format (&destination->address, probe->name);
  return probe->name;
}

static void
step_destination (T2pwProbe *probe, T2pwDestination *out_destination)
{
  t2pw_harmless_destination (probe->endpoint, &probe->address,
                             probe->address.family != AF_UNSPEC ? 1 : 0, out_destination);
  if (probe->step == STEP_NAME)
    out_destination->name = harmless_name (probe, out_destination);
  else if (probe->step == STEP_IPV6)
    out_destination->address =
        t2p_ip_address_from_bytes (AF_INET6, (const guint8 *) &in6addr_loopback);
  else if (out_destination->name != NULL && probe->address.family != AF_UNSPEC)
    out_destination->address = probe->address;
  if (probe->step == STEP_IPV6 ||
      (probe->step == STEP_CONNECT && out_destination->address.family != AF_UNSPEC))
    out_destination->name = NULL;
}

static void
association_opened_cb (T2pwAssociation *association, gpointer user_data)
{
  T2pwProbe *probe = user_data;

  probe->association = NULL;
  t2pw_association_close (association);
  probe_next (probe);
}

static void
association_failed_cb (T2pwAssociation *association,
                       T2pRefusal refusal,
                       const GError *error,
                       gpointer user_data)
{
  T2pwProbe *probe = user_data;

  probe->association = NULL;
  probe_next (probe);
}

static const T2pwAssociationHandler association_handler = {
  .opened = association_opened_cb,
  .failed = association_failed_cb,
};

static void
probe_step_cb (T2pTask *task)
{
  T2pwProbe *probe = T2P_OWNER_OF (task, T2pwProbe, task);
  T2pwDestination destination;

  if (probe->step == STEP_UDP)
    {
      probe->association =
          t2pw_outbound_associate (probe->outbound, &association_handler, probe);
      if (probe->association != NULL)
        return;
    }
  if (probe->step >= STEP_UDP)
    {
      probe_finish (probe);
      return;
    }
  step_destination (probe, &destination);
  probe->carrier = t2pw_outbound_open (probe->outbound, &destination, &probe_handler, probe);
}

/* What is known by then is told; a first step that hangs has told more exactly what hung. */
static void
deadline_cb (T2pTimer *timer)
{
  T2pwProbe *probe = T2P_OWNER_OF (timer, T2pwProbe, timer);

  if (probe->step == STEP_CONNECT && probe->error == NULL)
    probe->error = g_error_new_literal (T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE,
                                        "the upstream did not answer in time");
  probe_finish (probe);
}

static gboolean
check_scheme (T2pEndpoint *endpoint, GError **error)
{
  T2pScheme scheme = t2p_endpoint_get_scheme (endpoint);

  if (scheme != T2P_SCHEME_DIRECT && scheme != T2P_SCHEME_REJECT)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED, "'%s' is no proxy to be tested",
               t2p_scheme_to_string (scheme));
  return FALSE;
}

/**
 * t2pw_probe_start:
 * @context: copied; its time-out holds for the whole
 * @addresses: (array length=n_addresses): what the host stands for, when that is known already
 *
 * Returns: the probe, valid until @done is called or it is cancelled. Errors:
 * T2P_ERROR_NOT_SUPPORTED.
 */
T2pwProbe *
t2pw_probe_start (const T2pwOutboundContext *context,
                  T2pEndpoint *endpoint,
                  const T2pIpAddress *addresses,
                  guint n_addresses,
                  T2pwProbeDone done,
                  gpointer user_data,
                  GError **error)
{
  const T2pIpAddress *address;
  T2pwProbe *probe;
  T2pwOutbound *outbound;

  if (!check_scheme (endpoint, error))
    return NULL;
  probe = g_new0 (T2pwProbe, 1);
  probe->context = *context;
  probe->context.udp = t2pw_udp_io_new (context->reactor, context->policy);
  probe->context.udp_mode_learnt = NULL;
  outbound =
      t2pw_outbound_new_for_endpoint (&probe->context, endpoint, addresses, n_addresses, error);
  if (outbound == NULL)
    {
      t2pw_udp_io_free (probe->context.udp);
      g_free (probe);
      return NULL;
    }
  probe->outbound = outbound;
  probe->endpoint = t2p_endpoint_ref (endpoint);
  address = t2pw_find_address (t2p_endpoint_get_scheme (endpoint), addresses, n_addresses);
  if (address != NULL && t2p_endpoint_get_next (endpoint) == NULL)
    probe->address = *address;
  probe->done = done;
  probe->user_data = user_data;
  probe->deadline_us =
      g_get_monotonic_time () + (context->connect_timeout_ms + GRACE_MS) * 1000LL;
  t2p_reactor_arm (context->reactor, &probe->timer, context->connect_timeout_ms + GRACE_MS,
                   deadline_cb);
  t2p_reactor_defer (context->reactor, &probe->task, probe_step_cb);
  return probe;
}
