/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-snapshot.h"

G_BEGIN_DECLS

/**
 * T2pnFlow: a connection that a program on this machine would make
 * @source: of no family: the socket is not bound
 * @uid: whose socket it is
 * @mark: its firewall mark
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @port: of the destination; 0: not known
 */
typedef struct
{
  T2pIpAddress destination;
  T2pIpAddress source;
  guint32 uid;
  guint32 mark;
  guint8 protocol;
  guint16 port;
} T2pnFlow;

/** T2pnWalkEnd: how the walk through the rules ends. */
typedef enum
{
  T2PN_WALK_ROUTED,  /* @route leads out, or to this machine */
  T2PN_WALK_REFUSED, /* @route or @rule says unreachable, prohibited or blackhole */
  T2PN_WALK_NOWHERE, /* no rule has led to a route */
} T2pnWalkEnd;

/**
 * T2pnWalk:
 * @rule: (nullable): by which the walk ended
 * @route: (nullable): with which it ended
 * @throw_rule: (nullable): the last rule that led to a route of the type `throw`
 * @throw_route: (nullable): that route
 * @own_rule: (nullable): the last rule of ours that was passed because its table has no route
 *   to the destination
 *
 * All of them are the snapshot's.
 */
typedef struct
{
  T2pnWalkEnd end;
  const T2pnRule *rule;
  const T2pnRoute *route;
  const T2pnRule *throw_rule;
  const T2pnRoute *throw_route;
  const T2pnRule *own_rule;
} T2pnWalk;

/* Pure: walks the rules of @snapshot (with the routes of every table) as the kernel would for
 * @flow. */
T2pnWalk t2pn_explain_walk (const T2pnSnapshot *snapshot, const T2pnFlow *flow);
/* Pure: whether @rule selects @flow. */
gboolean t2pn_explain_selects (const T2pnRule *rule, const T2pnFlow *flow);

G_END_DECLS
