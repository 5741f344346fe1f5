/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-route-rules.h"

G_BEGIN_DECLS

/* What the files that make a plan's rules share. Nothing else includes this. */

/** T2pnRuleSlot: what a rule is for, as its place after P. Rules of one slot may stand in any
 * order: no packet meets two of them that differ. */
typedef enum
{
  T2PN_SLOT_OWN,        /* our own sockets: by main … */
  T2PN_SLOT_OWN_END,    /* … or not at all */
  T2PN_SLOT_ANSWERS,    /* sockets that answer by the uplink, whatever the tunnel captures */
  T2PN_SLOT_OVERRIDE,   /* table X; what has a source address of the tunnel already */
  T2PN_SLOT_RESOLVER,   /* the machine's resolver may ask servers on the link */
  T2PN_SLOT_DNS,        /* nobody else may */
  T2PN_SLOT_MAIN,       /* main without its default route */
  T2PN_SLOT_ANSWER_END, /* the same sockets again: never by the tunnel */
  T2PN_SLOT_CAPTURE,
  T2PN_SLOT_FORWARDED,
} T2pnRuleSlot;

typedef struct
{
  T2pnRoutePlan *plan;
  const T2pnRoutePlanInput *input;
  const T2pnSnapshot *snapshot;
  int family;
  T2pnRuleFlags flags;
} T2pnRuleBuilder;

T2pnRule t2pn_rule_builder_make (const T2pnRuleBuilder *builder, T2pnRuleSlot slot);
/* One rule for everybody, or one for each range of users. */
void t2pn_rule_builder_append_for_users (const T2pnRuleBuilder *builder,
                                         GArray *rules,
                                         const T2pnRule *rule);
/* Whether the rules are for everybody, or @uid is in one of the ranges. */
gboolean t2pn_rule_builder_is_captured (const T2pnRuleBuilder *builder, guint32 uid);

/* The same for what leads into a tunnel: of sockets that are not bound to an address. */
void t2pn_rule_builder_append_unbound (const T2pnRuleBuilder *builder, T2pnRule *rule);

/* t2pn-route-own.c: the first two slots. */
void t2pn_route_own_append (const T2pnRuleBuilder *builder);
/* t2pn-route-answers.c */
void t2pn_route_answers_append (const T2pnRuleBuilder *builder);
void t2pn_route_answers_append_end (const T2pnRuleBuilder *builder);
/* t2pn-route-dns.c */
void t2pn_route_dns_append (const T2pnRuleBuilder *builder);

G_END_DECLS
