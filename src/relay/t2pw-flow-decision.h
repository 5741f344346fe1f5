/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-flow-owners.h"
#include "t2pw-loop-guard.h"
#include "t2pw-outbound.h"
#include "t2pw-rule-set.h"

G_BEGIN_DECLS

/**
 * T2pwFlowPolicy: what is decided by, for streams and datagrams. Everything outlives it.
 * @rules: (nullable): %NULL: everything goes to @group
 * @group: all upstreams: a T2pwGroup when @rules may ask for one of them
 * @direct: (nullable): the way past all upstreams; %NULL only without @rules
 * @owners: (nullable): whom to ask for the user of a flow; %NULL: what depends on it is refused
 * @has_ipv6: whether upstreams are asked for IPv6 addresses
 * @guard: (nullable): knows which flows go round
 */
typedef struct
{
  const T2pwRuleSet *rules;
  T2pwOutbound *group;
  T2pwOutbound *direct;
  T2pwFlowOwners *owners;
  gboolean has_ipv6;
  T2pwLoopGuard *guard;
} T2pwFlowPolicy;

/**
 * T2pwWay: what becomes of a flow.
 * @outbound: (nullable): by which it leaves; %NULL: not at all
 * @refusal: in that case, what the application is to see
 * @action: that led to it
 * @rule: (nullable): text of the rule, owned by the rule set; %NULL: none matched
 */
typedef struct
{
  T2pwOutbound *outbound;
  T2pRefusal refusal;
  T2pRuleAction action;
  const char *rule;
} T2pwWay;

/* @protocol: IPPROTO_TCP or IPPROTO_UDP. With a name in @destination its address is not looked
 * at: it is virtual. FALSE: it depends on the user, ask with t2pw_flow_inquiry_new(). */
gboolean t2pw_flow_decide (const T2pwFlowPolicy *policy,
                           guint8 protocol,
                           const T2pwFlowKey *key,
                           const T2pwDestination *destination,
                           T2pwWay *out_way);

/* A flow that waits until it is known whose it is. */
typedef struct _T2pwFlowInquiry T2pwFlowInquiry;
typedef void (*T2pwWayFunc) (const T2pwWay *way, gpointer user_data);

T2pwFlowInquiry *t2pw_flow_inquiry_new (const T2pwFlowPolicy *policy,
                                        guint8 protocol,
                                        const T2pwFlowKey *key,
                                        const T2pwDestination *destination,
                                        T2pwWayFunc func,
                                        gpointer user_data);
void t2pw_flow_inquiry_cancel (T2pwFlowInquiry *inquiry);

/* The way of a flow of which it could not be learnt whose it is: a reset. */
T2pwWay t2pw_flow_way_unknown (void);

G_END_DECLS
