/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Before a flow opens its outbound the rules are asked which one that is. Most decide at once.
 * A flow of which a rule depends on the user waits (its SYN is held, its datagrams are queued)
 * until the owner of its socket is known, and is then decided again, from the beginning. When
 * that cannot be learnt in time, the flow is refused: to go on with the next rule could send
 * out what the rule would have kept in.
 *
 * `reject` is a reset for TCP, which ends a connect at once whatever the icmp setting says, and
 * "prohibited" for UDP; `drop` is silence, for each retransmission anew. */
#include "config.h"

#include "t2pw-flow-decision.h"

#include "t2pw-group.h"

#include <netinet/in.h>

struct _T2pwFlowInquiry
{
  const T2pwFlowPolicy *policy;
  T2pwOwnerQuestion *question;
  T2pwRuleSubject subject;
  char *name; /* of the subject */
  T2pwWayFunc func;
  gpointer user_data;
};

static T2pwRuleSubject
make_subject (guint8 protocol, const T2pwDestination *destination)
{
  T2pwRuleSubject subject = { .name = destination->name,
                              .port = destination->port,
                              .protocol = protocol };

  if (destination->name == NULL)
    subject.address = destination->address;
  return subject;
}

/* NULL: upstreams are not asked for that. */
static T2pwOutbound *
find_proxy (const T2pwFlowPolicy *policy, const T2pwRuleSubject *subject, guint index)
{
  if (subject->address.family == AF_INET6 && !policy->has_ipv6)
    return NULL;
  return index == 0 ? policy->group : t2pw_group_get_member (policy->group, index - 1);
}

static T2pwWay
make_way (const T2pwFlowPolicy *policy,
          const T2pwRuleSubject *subject,
          const T2pwDecision *decision)
{
  T2pwWay way = { .action = decision->action, .rule = decision->rule };

  switch (decision->action)
    {
    case T2P_RULE_PROXY:
      way.outbound = find_proxy (policy, subject, decision->proxy);
      way.refusal = T2P_REFUSAL_NET_UNREACHABLE;
      break;
    case T2P_RULE_DIRECT:
      way.outbound = policy->direct;
      break;
    case T2P_RULE_REJECT:
      way.refusal =
          subject->protocol == IPPROTO_UDP ? T2P_REFUSAL_ADMIN_PROHIBITED : T2P_REFUSAL_RESET;
      break;
    case T2P_RULE_DROP:
      way.refusal = T2P_REFUSAL_SILENCE;
      break;
    }
  return way;
}

/**
 * t2pw_flow_decide:
 * @out_way: (out): set when the answer is %TRUE
 *
 * Returns: %FALSE when it depends on whose flow it is, which is not known yet
 */
gboolean
t2pw_flow_decide (const T2pwFlowPolicy *policy,
                  guint8 protocol,
                  const T2pwFlowKey *key,
                  const T2pwDestination *destination,
                  T2pwWay *out_way)
{
  T2pwDecision decision = { .action = T2P_RULE_PROXY };
  T2pwRuleSubject subject = make_subject (protocol, destination);

  if (policy->rules != NULL)
    {
      if (policy->owners != NULL)
        subject.knows_user =
            t2pw_flow_owners_recall (policy->owners, protocol, &key->source, &subject.uid);
      if (!t2pw_rule_set_decide (policy->rules, &subject, &decision))
        return FALSE;
    }
  *out_way = make_way (policy, &subject, &decision);
  return TRUE;
}

/* Refused, as if a rule had said so. */
T2pwWay
t2pw_flow_way_unknown (void)
{
  return (T2pwWay){ .action = T2P_RULE_REJECT, .refusal = T2P_REFUSAL_RESET };
}

/* --- when the user has to be asked for */

static void
inquiry_free (T2pwFlowInquiry *inquiry)
{
  g_clear_pointer (&inquiry->question, t2pw_owner_question_cancel);
  g_free (inquiry->name);
  g_free (inquiry);
}

static void
answered_cb (gboolean is_known, guint32 uid, gpointer user_data)
{
  T2pwFlowInquiry *inquiry = user_data;
  T2pwWay way = t2pw_flow_way_unknown ();
  T2pwWayFunc func = inquiry->func;
  gpointer func_data = inquiry->user_data;
  T2pwDecision decision;

  inquiry->question = NULL;
  inquiry->subject.knows_user = TRUE;
  inquiry->subject.uid = uid;
  if (is_known && t2pw_rule_set_decide (inquiry->policy->rules, &inquiry->subject, &decision))
    way = make_way (inquiry->policy, &inquiry->subject, &decision);
  inquiry_free (inquiry);
  func (&way, func_data);
}

/**
 * t2pw_flow_inquiry_new:
 * @policy: outlives the inquiry
 * @func: called once, later; the inquiry is gone then
 *
 * Returns: (transfer none) (nullable): %NULL when nobody can be asked now: @func is not called,
 *   and t2pw_flow_way_unknown() is the way
 */
T2pwFlowInquiry *
t2pw_flow_inquiry_new (const T2pwFlowPolicy *policy,
                       guint8 protocol,
                       const T2pwFlowKey *key,
                       const T2pwDestination *destination,
                       T2pwWayFunc func,
                       gpointer user_data)
{
  T2pwFlowInquiry *inquiry;

  if (policy->owners == NULL)
    return NULL;
  inquiry = g_new0 (T2pwFlowInquiry, 1);
  inquiry->policy = policy;
  inquiry->subject = make_subject (protocol, destination);
  inquiry->name = g_strdup (destination->name);
  inquiry->subject.name = inquiry->name;
  inquiry->func = func;
  inquiry->user_data = user_data;
  inquiry->question =
      t2pw_flow_owners_ask (policy->owners, protocol, key, answered_cb, inquiry);
  if (inquiry->question != NULL)
    return inquiry;
  inquiry_free (inquiry);
  return NULL;
}

void
t2pw_flow_inquiry_cancel (T2pwFlowInquiry *inquiry)
{
  inquiry_free (inquiry);
}
