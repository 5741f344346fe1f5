/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "netns-fixture.h"
#include "t2pn-claims.h"
#include "t2pn-nm-profile.h"

#include <sched.h>

#define OWN_RULE "priority 8708 from 0.0.0.0 iif lo lookup 23700 protocol static"

/* What NetworkManager leaves when it is killed, and the device goes before it is back. */
static void
leave_behind (void)
{
  must ("ip rule add " OWN_RULE);
  must ("ip rule add priority 8707 fwmark 0x2370 lookup main unreachable protocol static");
  must ("ip route add throw 224.0.0.0/4 table 23700 proto static metric 450");
  must ("ip -6 route add unreachable default table 23700 proto static metric 450");
}

static T2pnRoutePlan *
make_installed (void)
{
  g_autoptr (T2pnRoutePlan) plan = g_new0 (T2pnRoutePlan, 1);
  T2pnRule capture = t2pn_rule_make (AF_INET, 8708);
  T2pnRule refusal = t2pn_rule_make (AF_INET, 8707);
  T2pnRoute route = { .table = 23700, .type = RTN_THROW, .protocol = T2PN_PROTOCOL };

  plan->table = 23700;
  plan->addresses = g_array_new (FALSE, TRUE, sizeof (T2pnAddress));
  plan->bypass_routes = g_array_new (FALSE, TRUE, sizeof (T2pnRoute));
  plan->bypass_rules = g_array_new (FALSE, TRUE, sizeof (T2pnRule));
  plan->routes = g_array_new (FALSE, TRUE, sizeof (T2pnRoute));
  plan->capture_rules = g_array_new (FALSE, TRUE, sizeof (T2pnRule));
  capture.source = parse_prefix ("0.0.0.0/32");
  g_strlcpy (capture.input, "lo", sizeof capture.input);
  capture.table = 23700;
  refusal.mark = 0x2370;
  refusal.mask = G_MAXUINT32;
  refusal.action = FR_ACT_UNREACHABLE;
  route.destination = parse_prefix ("224.0.0.0/4");
  g_array_append_val (plan->bypass_rules, refusal);
  g_array_append_val (plan->capture_rules, capture);
  g_array_append_val (plan->routes, route);
  return t2pn_nm_profile_installed (plan);
}

static guint
count_own (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take (&error);
  guint n = 0;

  g_assert_no_error (error);
  for (guint i = 0; i < snapshot->rules->len; i++)
    if (g_array_index (snapshot->rules, T2pnRule, i).protocol == T2PN_PROTOCOL)
      n++;
  for (guint i = 0; i < snapshot->routes->len; i++)
    if (g_array_index (snapshot->routes, T2pnRoute, i).protocol == T2PN_PROTOCOL)
      n++;
  return n;
}

static void
test_shown_as_ours (void)
{
  g_autoptr (T2pnRoutePlan) installed = make_installed ();
  g_autofree char *before = dump ();
  g_autofree char *after = NULL;

  leave_behind ();
  must ("ip rule add priority 8708 from 192.0.2.7 lookup 23700 protocol static");
  g_assert_cmpuint (count_own (), ==, 0);
  t2pn_claims_set (installed, installed, NULL);
  g_assert_cmpuint (count_own (), ==, 4); /* the other rule is somebody else's */
  t2pn_claims_drop (installed);
  g_assert_cmpuint (count_own (), ==, 0);
  must ("ip rule del priority 8707; ip rule del priority 8708; ip rule del priority 8708");
  must ("ip route flush table 23700; ip -6 route flush table 23700");
  after = dump ();
  g_assert_cmpstr (after, ==, before);
}

static void
test_undone_by_the_journal (void)
{
  g_autoptr (T2pnRoutePlan) installed = make_installed ();
  g_autofree char *runtime_dir = make_runtime_dir ();
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnJournal) journal = t2pn_journal_new (runtime_dir, "1", &error);
  g_autofree char *before = NULL, *after = NULL;

  g_assert_no_error (error);
  must ("ip route add 192.0.2.64/26 dev up0 table 23700"); /* nobody's of ours */
  before = dump ();
  leave_behind ();
  t2pn_journal_begin_step (journal, "configure-link", &error);
  g_assert_no_error (error);
  t2pn_journal_add_network (journal, NULL, installed->routes, installed->bypass_rules, &error);
  g_assert_no_error (error);
  t2pn_journal_add_network (journal, NULL, NULL, installed->capture_rules, &error);
  g_assert_no_error (error);
  t2pn_journal_free (g_steal_pointer (&journal));
  journal = t2pn_journal_load (runtime_dir, "1", &error); /* as another instance reads it */
  g_assert_no_error (error);
  g_assert_true (t2pn_journal_undo (journal, &error));
  after = dump ();
  g_assert_cmpstr (after, ==, before);
  must ("ip route flush table 23700");
  remove_runtime_dir (g_steal_pointer (&runtime_dir));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (unshare (CLONE_NEWNET) != 0)
    {
      printf ("1..0 # SKIP needs root for a network namespace of its own\n");
      return 0;
    }
  make_machine ();
  g_test_add_func ("/claims/what-is-claimed-is-shown-as-ours", test_shown_as_ours);
  g_test_add_func ("/claims/what-is-left-is-undone-by-the-journal", test_undone_by_the_journal);
  return g_test_run ();
}
