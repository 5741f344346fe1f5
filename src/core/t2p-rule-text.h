/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"
#include "t2p-user-range.h"

G_BEGIN_DECLS

/**
 * T2pRuleAction:
 * @T2P_RULE_PROXY: by the upstreams of the tunnel, or by one of them
 * @T2P_RULE_DIRECT: past them, by the uplink
 * @T2P_RULE_REJECT: refused at once
 * @T2P_RULE_DROP: not answered
 */
typedef enum
{
  T2P_RULE_PROXY,
  T2P_RULE_DIRECT,
  T2P_RULE_REJECT,
  T2P_RULE_DROP,
} T2pRuleAction;

/** T2pRuleMatch: what a rule may look at, as bits of `matches`; all of a rule must hold. */
typedef enum
{
  T2P_RULE_MATCH_DOMAIN = 1 << 0,
  T2P_RULE_MATCH_DOMAIN_SUFFIX = 1 << 1,
  T2P_RULE_MATCH_DOMAIN_FILE = 1 << 2,
  T2P_RULE_MATCH_CIDR = 1 << 3,
  T2P_RULE_MATCH_CIDR_FILE = 1 << 4,
  T2P_RULE_MATCH_PORT = 1 << 5,
  T2P_RULE_MATCH_PROTOCOL = 1 << 6,
  T2P_RULE_MATCH_USER = 1 << 7,
} T2pRuleMatch;

/**
 * T2pRule:
 * @text: as the user wrote it
 * @matches: which of the fields below count, T2pRuleMatch; 0: every flow
 * @domain, @domain_suffix: lower case, without a dot at the end
 * @domain_file, @cidr_file: an absolute path, or `fd:NAME`
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @proxy: from 1, an index into the setting `proxies`; 0: whichever is best
 *
 * One entry of the setting `rules`: `MATCH [& MATCH…] -> ACTION`.
 */
typedef struct
{
  char *text;
  guint matches;
  char *domain;
  char *domain_suffix;
  char *domain_file;
  T2pIpPrefix cidr;
  char *cidr_file;
  guint16 first_port, last_port; /* both included */
  guint8 protocol;
  T2pUserRange user;
  T2pRuleAction action;
  guint proxy;
} T2pRule;

/* T2P_ERROR_INVALID_SETTINGS, without the key. */
T2pRule *t2p_rule_parse (const char *text, GError **error);
void t2p_rule_free (T2pRule *rule);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pRule, t2p_rule_free)

G_END_DECLS
