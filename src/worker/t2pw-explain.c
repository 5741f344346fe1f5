/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-explain.h"

#include "t2pw-data-plane-private.h"

static const char *
action_name (T2pRuleAction action)
{
  switch (action)
    {
    case T2P_RULE_PROXY:
      return "proxy";
    case T2P_RULE_DIRECT:
      return "direct";
    case T2P_RULE_REJECT:
      return "reject";
    case T2P_RULE_DROP:
      return "drop";
    }
  return "";
}

static const char *
explain_name (const T2pwDataPlane *plane, const char *name)
{
  if (plane->responder == NULL || name[0] == '\0')
    return "";
  return t2pw_dns_responder_explain (plane->responder, name);
}

T2pwExplanation
t2pw_explain (const T2pwDataPlane *plane,
              const char *name,
              const T2pIpAddress *address,
              guint16 port,
              guint8 protocol,
              guint32 uid)
{
  T2pwRuleSubject subject = {
    .name = address == NULL && name[0] != '\0' ? name : NULL,
    .port = port,
    .protocol = protocol,
    .knows_user = TRUE,
    .uid = uid,
  };
  T2pwDecision decision = { .action = T2P_RULE_PROXY };

  if (address != NULL)
    subject.address = *address;
  if (plane->rules != NULL)
    t2pw_rule_set_decide (plane->rules, &subject, &decision);
  return (T2pwExplanation){
    .names = explain_name (plane, name),
    .action = action_name (decision.action),
    .rule = decision.rule != NULL ? decision.rule : "",
  };
}
