/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-rule-text.h"

G_BEGIN_DECLS

#define T2PW_RULE_NOBODY G_MAXUINT32 /* the uid of what no user of this machine sends */

/**
 * T2pwRuleSubject: a flow, as rules look at it.
 * @name: (nullable): of the destination, when it is known
 * @address: of the destination, when it is known: else family 0, and no `cidr:` matches
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @knows_user: whether @uid was asked for already
 */
typedef struct
{
  const char *name;
  T2pIpAddress address;
  guint16 port;
  guint8 protocol;
  gboolean knows_user;
  guint32 uid;
} T2pwRuleSubject;

/**
 * T2pwDecision: what becomes of a flow.
 * @proxy: from 1, an index into the proxies; 0: whichever is best
 * @rule: (nullable): text of the rule, owned by the set; %NULL: none matched
 */
typedef struct
{
  T2pRuleAction action;
  guint proxy;
  const char *rule;
} T2pwDecision;

/* The setting `rules` with the files that it names. Immutable. */
typedef struct _T2pwRuleSet T2pwRuleSet;

T2pwRuleSet *t2pw_rule_set_new (const char *const *texts,
                                GHashTable *files,
                                GHashTable *uids,
                                GError **error);
void t2pw_rule_set_free (T2pwRuleSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwRuleSet, t2pw_rule_set_free)

gboolean t2pw_rule_set_decide (const T2pwRuleSet *set,
                               const T2pwRuleSubject *subject,
                               T2pwDecision *out_decision);
/* The highest N of `proxy:N`; 0: there is none. */
guint t2pw_rule_set_get_last_proxy (const T2pwRuleSet *set);

G_END_DECLS
