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
};

/* Resets both sides; the flow is gone. */
void t2pw_relay_abort_flow (T2pwFlow *flow);

G_END_DECLS
