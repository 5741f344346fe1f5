/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-data-plane.h"

G_BEGIN_DECLS

/* What the files of the data plane share; nothing else includes this. */

struct _T2pwDataPlane
{
  T2pwSocketPolicy policy;
  T2pwOutboundContext context;
  T2pwPlaneHandler handler;
  gpointer user_data;
  T2pwNames *names;
  GPtrArray *endpoints; /* T2pEndpoint, as in the group */
  T2pwOutbound *group;
  T2pwOutbound *direct; /* for rules */
  T2pwRuleSet *rules;
  T2pwFlowOwners *owners;
  T2pwVirtualNames *virtual_names;
  T2pwDnsForwarder *forwarder;
  T2pwNameSet *exclude;
  T2pwDnsResponder *responder;
  T2pwPingRelay *pings;
  GError *ping_error;
  gint64 told_shortage_us; /* 0: never */
  T2pwRelay *relay;
  T2pwStack *stack;
};

G_END_DECLS
