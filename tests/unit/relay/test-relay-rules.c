/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which way flows leave, by rules, and those that wait until it is known whose they are. */
#include "config.h"

#include "fake-stack.h"
#include "t2p-limits.h"
#include "t2pw-group.h"
#include "t2pw-relay.h"

#include <netinet/in.h>

/* Ways out that are asked and never answer. */
typedef struct
{
  T2pwOutbound base;
  guint n_opened;
  guint n_carriers;
  char *name;
  T2pIpAddress address;
} Way;

typedef struct
{
  T2pwCarrier base;
  Way *way;
} WayCarrier;

typedef struct
{
  guint64 id;
  guint8 protocol;
  T2pwFlowKey key;
  guint n;
} Asked;

typedef struct
{
  T2pReactor *reactor;
  Way first, second, direct;
  T2pwOutboundContext context;
  T2pwOutbound *group;
  T2pwFlowOwners *owners;
  T2pwRuleSet *rules;
  T2pwVirtualNames *virtual_names;
  T2pwRelayConfig config;
  T2pwRelay *relay;
  FakeSyn *syn;
  Asked asked;
} Fixture;

static void
way_carrier_close (T2pwCarrier *base, gboolean reset)
{
  WayCarrier *carrier = (WayCarrier *) base;

  carrier->way->n_carriers--;
  g_free (carrier);
}

static const T2pwCarrierClass carrier_class = { .send = t2pw_unopened_transfer,
                                                .receive = t2pw_unopened_transfer,
                                                .unread = t2pw_unopened_unread,
                                                .shutdown = t2pw_unopened_shutdown,
                                                .close = way_carrier_close,
                                                .is_stalled = t2pw_unopened_is_stalled };

static T2pwCarrier *
way_open (T2pwOutbound *base,
          const T2pwDestination *destination,
          const T2pwCarrierHandler *handler,
          gpointer user_data)
{
  Way *way = (Way *) base;
  WayCarrier *carrier = g_new0 (WayCarrier, 1);

  carrier->base = (T2pwCarrier){ &carrier_class, handler, user_data, "way" };
  carrier->way = way;
  way->n_opened++;
  way->n_carriers++;
  g_free (way->name);
  way->name = g_strdup (destination->name);
  way->address = destination->address;
  return &carrier->base;
}

static void
way_free (T2pwOutbound *base)
{
}

static const T2pwOutboundClass way_class = { .kind = "way",
                                             .open = way_open,
                                             .free = way_free };

static void
ask_cb (guint64 id, guint8 protocol, const T2pwFlowKey *key, gpointer user_data)
{
  Fixture *f = user_data;

  f->asked = (Asked){ id, protocol, *key, f->asked.n + 1 };
}

static void
state_changed_cb (gboolean is_up, T2pStateReason reason, const char *message, gpointer data)
{
}

static void
active_changed_cb (const char *old_label,
                   const char *new_label,
                   T2pStateReason reason,
                   gpointer data)
{
}

static const T2pwGroupHandler group_handler = { .state_changed = state_changed_cb,
                                                .active_changed = active_changed_cb };

static void
set_up (Fixture *f, gconstpointer data)
{
  const char *const *texts = data;
  g_autoptr (GError) error = NULL;
  T2pwDestination harmless = { .name = "proxy.example", .port = 1 };
  T2pwGroupConfig group = { .policy = T2PW_GROUP_FAILOVER };
  T2pIpPrefix pool;

  g_assert_true (t2p_ip_prefix_parse ("198.18.0.0/18", &pool, NULL));
  f->reactor = t2p_reactor_new (NULL, NULL);
  f->first.base.klass = f->second.base.klass = f->direct.base.klass = &way_class;
  f->context = (T2pwOutboundContext){ .reactor = f->reactor, .connect_timeout_ms = 10000 };
  f->group = t2pw_group_new (&f->context, &group, &group_handler, f);
  t2pw_group_add (f->group, &f->first.base, "first", &harmless);
  t2pw_group_add (f->group, &f->second.base, "second", &harmless);
  f->owners = t2pw_flow_owners_new (f->reactor, ask_cb, f);
  f->rules = t2pw_rule_set_new (texts, NULL, NULL, &error);
  g_assert_no_error (error);
  f->virtual_names = t2pw_virtual_names_new (&pool, NULL);
  f->config = (T2pwRelayConfig){ .reactor = f->reactor,
                                 .policy = { .rules = f->rules,
                                             .group = f->group,
                                             .direct = &f->direct.base,
                                             .owners = f->owners },
                                 .virtual_names = f->virtual_names,
                                 .max_flows = 10,
                                 .idle_timeout_ms = 60000,
                                 .half_close_timeout_ms = 60000 };
  f->relay = t2pw_relay_new (&f->config);
  f->syn = fake_syn_new (1 << 20);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  t2pw_relay_free (f->relay);
  g_assert_cmpuint (f->first.n_carriers + f->second.n_carriers + f->direct.n_carriers, ==, 0);
  t2pw_virtual_names_free (f->virtual_names);
  t2pw_rule_set_free (f->rules);
  t2pw_flow_owners_free (f->owners);
  t2pw_outbound_free (f->group);
  t2p_reactor_free (f->reactor);
  fake_syn_free (f->syn);
  g_free (f->first.name);
  g_free (f->second.name);
  g_free (f->direct.name);
}

static T2pwFlowKey
key_to (const char *destination)
{
  T2pwFlowKey key = { 0 };

  g_assert_true (t2p_ip_endpoint_parse ("10.0.0.2:40000", &key.source));
  g_assert_true (t2p_ip_endpoint_parse (destination, &key.destination));
  return key;
}

static void
connect_by (Fixture *f, FakeSyn *syn, const char *destination)
{
  T2pwFlowKey key = key_to (destination);

  t2pw_relay_get_stack_handler ()->connecting ((T2pwHeldSyn *) syn, &key, f->relay);
}

static void
connect_to (Fixture *f, const char *destination)
{
  connect_by (f, f->syn, destination);
}

static gboolean
take_rule_cb (T2pwFlow *flow, const char *host, gpointer user_data)
{
  *(const char **) user_data = flow->rule;
  return TRUE;
}

static const char *
only_rule (Fixture *f)
{
  T2pwFlowFilter all = { 0 };
  const char *rule = "no flow";

  t2pw_relay_foreach (f->relay, &all, 0, take_rule_cb, &rule);
  return rule;
}

/* --- at once */

static const char *const each_action[] = { "port:1 -> proxy",
                                           "port:2 -> proxy:2",
                                           "port:3 -> direct",
                                           "port:4 -> reject",
                                           "port:5 -> drop",
                                           "domain:corp.example -> direct",
                                           "cidr:198.18.0.0/15 -> drop",
                                           "cidr:2001:db8:1::/48 -> direct",
                                           NULL };

static void
test_no_match (Fixture *f, gconstpointer data)
{
  connect_to (f, "192.0.2.1:80");
  g_assert_cmpuint (f->first.n_opened, ==, 1);
  g_assert_cmpstr (only_rule (f), ==, NULL);
}

static void
test_proxy (Fixture *f, gconstpointer data)
{
  connect_to (f, "192.0.2.1:1");
  g_assert_cmpuint (f->first.n_opened, ==, 1);
  g_assert_cmpstr (only_rule (f), ==, each_action[0]);
}

static void
test_one_proxy (Fixture *f, gconstpointer data)
{
  connect_to (f, "192.0.2.1:2");
  g_assert_cmpuint (f->first.n_opened, ==, 0);
  g_assert_cmpuint (f->second.n_opened, ==, 1);
  g_assert_cmpstr (only_rule (f), ==, each_action[1]);
}

static void
test_direct (Fixture *f, gconstpointer data)
{
  connect_to (f, "192.0.2.1:3");
  g_assert_cmpuint (f->direct.n_opened, ==, 1);
  g_assert_cmpuint (f->first.n_opened, ==, 0);
  g_assert_false (f->syn->is_accepted);
}

static void
test_reject (Fixture *f, gconstpointer data)
{
  connect_to (f, "192.0.2.1:4");
  g_assert_true (f->syn->is_refused);
  g_assert_cmpint (f->syn->refusal, ==, T2P_REFUSAL_RESET);
  g_assert_cmpuint (t2pw_relay_get_counters (f->relay)->refused, ==, 1);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 0);
}

static void
test_drop (Fixture *f, gconstpointer data)
{
  connect_to (f, "192.0.2.1:5");
  g_assert_true (f->syn->is_refused);
  g_assert_cmpint (f->syn->refusal, ==, T2P_REFUSAL_SILENCE);
  g_assert_cmpuint (t2pw_relay_get_counters (f->relay)->dropped, ==, 1);
  g_assert_cmpuint (t2pw_relay_get_counters (f->relay)->refused, ==, 0);
}

/* By its name, and not by the address that stands for it, which a cidr rule would drop. */
static void
test_virtual_name (Fixture *f, gconstpointer data)
{
  T2pwFlowKey key = key_to ("192.0.2.1:443");
  guint32 index = t2pw_virtual_names_assign (f->virtual_names, "corp.example", 0);

  g_assert_true (t2pw_virtual_names_get_address (f->virtual_names, index, AF_INET,
                                                 &key.destination.address));
  t2pw_relay_get_stack_handler ()->connecting ((T2pwHeldSyn *) f->syn, &key, f->relay);
  g_assert_cmpuint (f->direct.n_opened, ==, 1);
  g_assert_cmpstr (f->direct.name, ==, "corp.example");
}

/* Upstreams are not asked for IPv6 here; what does not go to them is none of their business. */
static void
test_direct_ipv6 (Fixture *f, gconstpointer data)
{
  FakeSyn *other = fake_syn_new (1);

  connect_to (f, "[2001:db8:1::1]:80");
  g_assert_cmpuint (f->direct.n_opened, ==, 1);
  connect_by (f, other, "[2001:db8:2::1]:80");
  g_assert_true (other->is_refused);
  g_assert_cmpint (other->refusal, ==, T2P_REFUSAL_NET_UNREACHABLE);
  fake_syn_free (other);
}

/* --- whose flow is it */

static const char *const by_user[] = { "port:25 -> reject", "user:1000 -> direct",
                                       "user:2000 & port:80 -> drop", NULL };

static void
test_not_asked_without_need (Fixture *f, gconstpointer data)
{
  connect_to (f, "192.0.2.1:25");
  g_assert_cmpuint (f->asked.n, ==, 0);
  g_assert_true (f->syn->is_refused);
}

static void
test_held_until_answered (Fixture *f, gconstpointer data)
{
  connect_to (f, "192.0.2.1:80");
  g_assert_cmpuint (f->asked.n, ==, 1);
  g_assert_cmpint (f->asked.protocol, ==, IPPROTO_TCP);
  g_assert_cmpuint (f->asked.key.source.port, ==, 40000);
  g_assert_cmpuint (f->direct.n_opened + f->first.n_opened, ==, 0);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 1);
  t2pw_flow_owners_answer (f->owners, f->asked.id + 1, TRUE, 1000); /* of nothing */
  g_assert_cmpuint (f->direct.n_opened, ==, 0);
  t2pw_flow_owners_answer (f->owners, f->asked.id, TRUE, 1000);
  g_assert_cmpuint (f->direct.n_opened, ==, 1);
  g_assert_cmpstr (only_rule (f), ==, by_user[1]);
  t2pw_flow_owners_answer (f->owners, f->asked.id, TRUE, 2000); /* again */
  g_assert_false (f->syn->is_refused);
}

static void
test_other_users (Fixture *f, gconstpointer data)
{
  FakeSyn *other = fake_syn_new (1);

  connect_to (f, "192.0.2.1:80");
  t2pw_flow_owners_answer (f->owners, f->asked.id, TRUE, 2000);
  g_assert_cmpint (f->syn->refusal, ==, T2P_REFUSAL_SILENCE);
  g_assert_true (f->syn->is_refused);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 0);
  connect_by (f, other, "192.0.2.1:80");
  g_assert_cmpuint (f->asked.n, ==, 2); /* nothing is remembered of TCP */
  t2pw_flow_owners_answer (f->owners, f->asked.id, TRUE, T2PW_RULE_NOBODY);
  g_assert_cmpuint (f->first.n_opened, ==, 1);
  t2pw_relay_close_matching (f->relay, &(T2pwFlowFilter){ 0 });
  fake_syn_free (other);
}

static void
test_no_answer_refuses (Fixture *f, gconstpointer data)
{
  connect_to (f, "192.0.2.1:80");
  t2pw_flow_owners_answer (f->owners, f->asked.id, FALSE, 1000);
  g_assert_true (f->syn->is_refused);
  g_assert_cmpint (f->syn->refusal, ==, T2P_REFUSAL_RESET);
  g_assert_cmpuint (f->direct.n_opened + f->first.n_opened, ==, 0);
}

static gboolean
too_late_cb (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

static void
test_silence_refuses (Fixture *f, gconstpointer data)
{
  gboolean is_late = FALSE;
  guint guard = g_timeout_add_seconds (20, too_late_cb, &is_late);

  connect_to (f, "192.0.2.1:80");
  while (!f->syn->is_refused && !is_late)
    g_main_context_iteration (NULL, TRUE);
  g_assert_false (is_late);
  g_source_remove (guard);
  g_assert_cmpint (f->syn->refusal, ==, T2P_REFUSAL_RESET);
  g_assert_cmpuint (f->direct.n_opened + f->first.n_opened, ==, 0);
}

static void
test_abandoned_while_asked (Fixture *f, gconstpointer data)
{
  connect_to (f, "192.0.2.1:80");
  t2pw_relay_get_stack_handler ()->abandoned ((T2pwHeldSyn *) f->syn, f->relay);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 0);
  t2pw_flow_owners_answer (f->owners, f->asked.id, TRUE, 1000);
  g_assert_cmpuint (f->direct.n_opened, ==, 0);
}

static void
test_freed_while_asked (Fixture *f, gconstpointer data)
{
  connect_to (f, "192.0.2.1:80"); /* tear_down() resets it */
  g_assert_cmpuint (f->asked.n, ==, 1);
}

static void
never_cb (gboolean is_known, guint32 uid, gpointer user_data)
{
  g_assert_not_reached ();
}

/* More than the daemon would answer are not asked. */
static void
test_questions_are_bounded (Fixture *f, gconstpointer data)
{
  g_autoptr (GPtrArray) questions = g_ptr_array_new ();
  T2pwFlowKey key = key_to ("192.0.2.1:80");
  T2pwOwnerQuestion *question;

  while ((question = t2pw_flow_owners_ask (f->owners, IPPROTO_TCP, &key, never_cb, f)) != NULL)
    g_ptr_array_add (questions, question);
  g_assert_cmpuint (questions->len, ==, T2P_MAX_OWNERS_PER_SECOND);
  connect_to (f, "192.0.2.1:80");
  g_assert_true (f->syn->is_refused);
  g_assert_cmpint (f->syn->refusal, ==, T2P_REFUSAL_RESET);
  for (guint i = 0; i < questions->len; i++)
    t2pw_owner_question_cancel (g_ptr_array_index (questions, i));
}

static void
uid_cb (gboolean is_known, guint32 uid, gpointer user_data)
{
  g_assert_true (is_known);
  *(guint32 *) user_data = uid;
}

/* A UDP socket talks to many; its address and port are asked for once. */
static void
test_udp_is_remembered (Fixture *f, gconstpointer data)
{
  T2pwFlowKey key = key_to ("192.0.2.1:80");
  T2pwFlowKey other = key_to ("192.0.2.2:443");
  T2pwDestination destination = { .address = other.destination.address, .port = 443 };
  guint32 uid = 0;
  T2pwWay way;

  g_assert_false (t2pw_flow_decide (&f->config.policy, IPPROTO_UDP, &key, &destination, &way));
  t2pw_flow_owners_ask (f->owners, IPPROTO_UDP, &key, uid_cb, &uid);
  t2pw_flow_owners_answer (f->owners, f->asked.id, TRUE, 1000);
  g_assert_cmpuint (uid, ==, 1000);
  g_assert_true (t2pw_flow_decide (&f->config.policy, IPPROTO_UDP, &other, &destination, &way));
  g_assert_true (way.outbound == &f->direct.base);
  g_assert_false (
      t2pw_flow_decide (&f->config.policy, IPPROTO_TCP, &other, &destination, &way));
}

static void
test_udp_rejected (Fixture *f, gconstpointer data)
{
  T2pwFlowKey key = key_to ("192.0.2.1:4");
  T2pwDestination destination = { .address = key.destination.address, .port = 4 };
  T2pwWay way;

  g_assert_true (t2pw_flow_decide (&f->config.policy, IPPROTO_UDP, &key, &destination, &way));
  g_assert_null (way.outbound);
  g_assert_cmpint (way.refusal, ==, T2P_REFUSAL_ADMIN_PROHIBITED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, rules, func)                                                                 \
  g_test_add ("/relay/rules/" path, Fixture, rules, set_up, func, tear_down)
  ADD ("no-match-goes-to-the-group", each_action, test_no_match);
  ADD ("proxy", each_action, test_proxy);
  ADD ("one-proxy-alone", each_action, test_one_proxy);
  ADD ("direct", each_action, test_direct);
  ADD ("reject-resets", each_action, test_reject);
  ADD ("drop-is-silent", each_action, test_drop);
  ADD ("a-virtual-address-goes-by-its-name", each_action, test_virtual_name);
  ADD ("direct-ipv6", each_action, test_direct_ipv6);
  ADD ("udp-is-prohibited", each_action, test_udp_rejected);
  ADD ("users/not-asked-without-need", by_user, test_not_asked_without_need);
  ADD ("users/held-until-answered", by_user, test_held_until_answered);
  ADD ("users/others", by_user, test_other_users);
  ADD ("users/an-empty-answer-refuses", by_user, test_no_answer_refuses);
  ADD ("users/silence-refuses", by_user, test_silence_refuses);
  ADD ("users/abandoned", by_user, test_abandoned_while_asked);
  ADD ("users/freed", by_user, test_freed_while_asked);
  ADD ("users/questions-are-bounded", by_user, test_questions_are_bounded);
  ADD ("users/udp-is-remembered", by_user, test_udp_is_remembered);
  return g_test_run ();
}
