/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-datagram-relay.h"
#include "t2pw-dns-responder.h"
#include "t2pw-flow-table.h"
#include "t2pw-ping-relay.h"

G_BEGIN_DECLS

/**
 * T2pwRelayConfig:
 * @policy: how flows leave; what it points to outlives the relay
 * @virtual_names: (nullable): what pool addresses stand for; outlives the relay
 * @responder: (nullable): answers port 53 of any destination; outlives the relay
 * @pings: (nullable): carries pings; outlives the relay
 * @worker_index: top 8 bits of the ids
 * @early_accept: answer SYNs before the upstream has
 * @udp_idle_timeout_ms: after which a silent UDP socket of an application is forgotten
 * @look_again_ms: at what is doubtful behind a change of the uplink; 0: the usual time
 * @device_lost: the stack reads no more
 */
typedef struct
{
  T2pReactor *reactor;
  T2pwFlowPolicy policy;
  T2pwVirtualNames *virtual_names;
  T2pwDnsResponder *responder;
  T2pwPingRelay *pings;
  guint worker_index;
  guint max_flows;
  gboolean early_accept;
  guint idle_timeout_ms;
  guint half_close_timeout_ms;
  guint udp_idle_timeout_ms;
  guint look_again_ms;
  void (*device_lost) (const GError *error, gpointer user_data);
  gpointer user_data;
} T2pwRelayConfig;

typedef struct
{
  guint64 opened;
  guint64 refused; /* by us: no room, no such name, no IPv6, a rule */
  guint64 dropped; /* by a rule, without an answer */
  guint64 failed;  /* by the upstream, or it was not reached */
} T2pwRelayCounters;

/* Called for each flow that matches; FALSE ends the walk. */
typedef gboolean (*T2pwFlowFunc) (T2pwFlow *flow, const char *host, gpointer user_data);

T2pwRelay *t2pw_relay_new (const T2pwRelayConfig *config);
void t2pw_relay_free (T2pwRelay *relay);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwRelay, t2pw_relay_free)

/* For the stack, with the relay as its user data. */
const T2pwStackHandler *t2pw_relay_get_stack_handler (void);
void t2pw_relay_set_stack (T2pwRelay *relay, T2pwStack *stack);

const T2pwDatagramCounters *t2pw_relay_get_datagram_counters (const T2pwRelay *relay);
const T2pwRelayCounters *t2pw_relay_get_counters (const T2pwRelay *relay);
guint t2pw_relay_get_n_flows (const T2pwRelay *relay);
void t2pw_relay_foreach (T2pwRelay *relay,
                         const T2pwFlowFilter *filter,
                         guint64 after_id,
                         T2pwFlowFunc func,
                         gpointer user_data);
guint t2pw_relay_close_matching (T2pwRelay *relay, const T2pwFlowFilter *filter);
/* Flows whose upstream connection is dead are reset, now or within seconds; UDP gets new ways.
 */
guint t2pw_relay_uplink_changed (T2pwRelay *relay);
/* Whether upstreams are asked for IPv6 addresses from now on. */
void t2pw_relay_set_ipv6 (T2pwRelay *relay, gboolean has_ipv6);
void t2pw_relay_refuse_new (T2pwRelay *relay);

G_END_DECLS
