/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-datagram-relay.h"
#include "t2pw-dns-relay.h"
#include "t2pw-relay.h"

G_BEGIN_DECLS

struct _T2pwRelay
{
  T2pwRelayConfig config;
  T2pwFlowTable table;
  T2pwRelayCounters counters;
  GHashTable *held; /* T2pwHeldSyn → T2pwFlow */
  T2pwDnsRelay *dns;
  T2pwDatagramRelay *datagrams;
  gboolean refuses_new;
  T2pTimer doubt_timer; /* armed for a while behind a change of the uplink */
  guint n_looks;        /* in that while */
};

/* --- t2pw-relay-flow.c */

/* Its SYN becomes a stream. FALSE when that cannot be: the flow is gone. */
gboolean t2pw_relay_accept_flow (T2pwFlow *flow);
/* Has it pumped, later in this turn. */
void t2pw_relay_queue_flow (T2pwFlow *flow);
/* For the state that it is in now. */
void t2pw_relay_rearm_flow (T2pwFlow *flow);
/* Who takes the SYN has to answer it. */
T2pwHeldSyn *t2pw_relay_take_syn (T2pwFlow *flow);
/* Its stream, SYN and carrier are gone, or were given away, before. */
void t2pw_relay_free_flow (T2pwFlow *flow);
/* Resets both sides; the flow is gone. */
void t2pw_relay_abort_flow (T2pwFlow *flow);

G_END_DECLS
