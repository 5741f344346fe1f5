/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-group-policy.h"
#include "t2pw-group-turns.h"

#define U T2PW_MEMBER_UP
#define D T2PW_MEMBER_DOWN
#define Q T2PW_MEMBER_UNKNOWN
#define N 3

typedef struct
{
  const char *name;
  T2pwGroupPolicy policy;
  T2pwMemberView views[N];
  guint begin; /* the active one */
  guint active;
  guint order[N]; /* that a flow tries */
} Case;

#define NONE T2PW_NO_MEMBER

static const Case cases[] = {
  { "failover/first-of-the-list",
    T2PW_GROUP_FAILOVER,
    { { U }, { U }, { U } },
    0,
    0,
    { 0, 1, 2 } },
  { "failover/an-earlier-one-is-back",
    T2PW_GROUP_FAILOVER,
    { { U }, { U }, { U } },
    2,
    0,
    { 2, 0, 1 } },
  { "failover/nobody-tried-yet",
    T2PW_GROUP_FAILOVER,
    { { Q }, { Q }, { Q } },
    0,
    0,
    { 0, 1, 2 } },
  { "failover/those-that-are-down-get-none",
    T2PW_GROUP_FAILOVER,
    { { D }, { U }, { D } },
    0,
    1,
    { 1, NONE } },
  { "failover/probation-is-waited-for",
    T2PW_GROUP_FAILOVER,
    { { U, TRUE }, { U }, { U } },
    1,
    1,
    { 1, 2, 0 } },
  { "failover/probation-is-better-than-none",
    T2PW_GROUP_FAILOVER,
    { { D }, { U, TRUE }, { D } },
    0,
    1,
    { 1, NONE } },
  { "failover/all-down-changes-nothing",
    T2PW_GROUP_FAILOVER,
    { { D }, { D }, { D } },
    1,
    1,
    { NONE } },
  { "round-robin/begins-with-the-turn",
    T2PW_GROUP_ROUND_ROBIN,
    { { U }, { U }, { U } },
    2,
    0,
    { 2, 0, 1 } },
  { "round-robin/skips-those-that-are-down",
    T2PW_GROUP_ROUND_ROBIN,
    { { U }, { D }, { U } },
    1,
    0,
    { 2, 0, NONE } },
  { "round-robin/skips-probation",
    T2PW_GROUP_ROUND_ROBIN,
    { { U, TRUE }, { U }, { U } },
    0,
    1,
    { 1, 2, 0 } },
  { "least-latency/nearest",
    T2PW_GROUP_LEAST_LATENCY,
    { { U, FALSE, 90000 }, { U, FALSE, 20000 }, { U, FALSE, 50000 } },
    0,
    1,
    { 0, 1, 2 } },
  { "least-latency/a-little-nearer-is-not-enough",
    T2PW_GROUP_LEAST_LATENCY,
    { { U, FALSE, 50000 }, { U, FALSE, 41000 }, { U, FALSE, 60000 } },
    0,
    0,
    { 0, 1, 2 } },
  { "least-latency/a-fifth-nearer-is-enough",
    T2PW_GROUP_LEAST_LATENCY,
    { { U, FALSE, 50000 }, { U, FALSE, 39000 }, { U, FALSE, 60000 } },
    0,
    1,
    { 0, 1, 2 } },
  { "least-latency/microseconds-are-noise",
    T2PW_GROUP_LEAST_LATENCY,
    { { U, FALSE, 2000 }, { U, FALSE, 100 }, { U, FALSE, 1000 } },
    0,
    0,
    { 0, 1, 2 } },
  { "least-latency/the-nearest-is-down",
    T2PW_GROUP_LEAST_LATENCY,
    { { U, FALSE, 90000 }, { D, FALSE, 20000 }, { U, FALSE, 50000 } },
    1,
    2,
    { 2, 0, NONE } },
  { "least-latency/the-nearest-is-on-probation",
    T2PW_GROUP_LEAST_LATENCY,
    { { U, FALSE, 90000 }, { U, TRUE, 20000 }, { D } },
    0,
    0,
    { 0, 1, NONE } },
  { "least-latency/not-measured-yet-stays",
    T2PW_GROUP_LEAST_LATENCY,
    { { U }, { U, FALSE, 20000 }, { U } },
    0,
    0,
    { 0, 1, 2 } },
  { "least-latency/not-measured-is-not-chosen",
    T2PW_GROUP_LEAST_LATENCY,
    { { U, FALSE, 90000 }, { U }, { Q } },
    0,
    0,
    { 0, 1, 2 } },
};

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  guint32 tried = 0;

  g_assert_cmpuint (t2pw_group_policy_get_active (c->policy, c->views, N, c->begin), ==,
                    c->active);
  for (guint i = 0; i < N; i++)
    {
      guint next = t2pw_group_policy_get_next (c->policy, c->views, N, c->begin, tried);

      g_assert_cmpuint (next, ==, c->order[i]);
      if (next == NONE)
        return;
      tried |= 1u << next;
    }
  g_assert_cmpuint (t2pw_group_policy_get_next (c->policy, c->views, N, c->begin, tried), ==,
                    NONE);
}

/* What holds whatever is known: nobody twice, nobody that is down, everybody else. */
static void
test_any_states (void)
{
  for (guint round = 0; round < 20000; round++)
    {
      T2pwMemberView views[N];
      T2pwGroupPolicy policy = (T2pwGroupPolicy) g_test_rand_int_range (0, 3);
      guint begin = (guint) g_test_rand_int_range (0, N);
      guint32 tried = 0;
      guint32 usable = 0;
      guint next, active;

      for (guint i = 0; i < N; i++)
        {
          views[i] = (T2pwMemberView){ (T2pwMemberState) g_test_rand_int_range (0, 3),
                                       g_test_rand_int_range (0, 2),
                                       g_test_rand_int_range (0, 5) * 1000 };
          if (views[i].state != D)
            usable |= 1u << i;
        }
      active = t2pw_group_policy_get_active (policy, views, N, begin);
      g_assert_cmpuint (active, <, N);
      g_assert_true (views[active].state != D || (usable == 0 && active == begin));
      while ((next = t2pw_group_policy_get_next (policy, views, N, begin, tried)) != NONE)
        {
          g_assert_cmpuint (tried & (1u << next), ==, 0);
          tried |= 1u << next;
        }
      g_assert_cmpuint (tried, ==, usable);
    }
}

static void
test_names (void)
{
  T2pwGroupPolicy policy = T2PW_GROUP_FAILOVER;

  g_assert_true (t2pw_group_policy_from_string ("least-latency", &policy));
  g_assert_cmpint (policy, ==, T2PW_GROUP_LEAST_LATENCY);
  g_assert_true (t2pw_group_policy_from_string ("round-robin", &policy));
  g_assert_cmpint (policy, ==, T2PW_GROUP_ROUND_ROBIN);
  g_assert_false (t2pw_group_policy_from_string ("random", &policy));
  g_assert_cmpint (policy, ==, T2PW_GROUP_ROUND_ROBIN);
}

static void
test_turns_expire (void)
{
  g_autoptr (T2pwGroupTurns) turns = t2pw_group_turns_new ();
  const gint64 kept_us = T2PW_GROUP_TURN_MS * G_GINT64_CONSTANT (1000);
  guint member = 0;

  g_assert_false (t2pw_group_turns_recall (turns, 7, 1000, &member));
  g_assert_false (t2pw_group_turns_recall (turns, 0, 1000, &member));
  t2pw_group_turns_remember (turns, 7, 1000, 2);
  g_assert_true (t2pw_group_turns_recall (turns, 7, 1000 + kept_us, &member));
  g_assert_cmpuint (member, ==, 2);
  g_assert_false (t2pw_group_turns_recall (turns, 7, 1001 + kept_us, &member));
  g_assert_false (t2pw_group_turns_recall (turns, 8, 1000, &member));
}

static void
test_turns_are_of_hosts (void)
{
  const T2pIpAddress one = t2p_ip_address_from_v4 (0x0a000001);
  const T2pIpAddress two = t2p_ip_address_from_v4 (0x0a000002);
  const T2pwDestination base = { .name = "example.org", .source = one, .port = 80 };
  const T2pwDestination tls = { .name = "EXAMPLE.org", .source = one, .port = 443 };
  const T2pwDestination other_host = { .name = "example.com", .source = one, .port = 80 };
  const T2pwDestination other_source = { .name = "example.org", .source = two, .port = 80 };
  const T2pwDestination by_address = { .address = two, .source = one, .port = 80 };
  const T2pwDestination swapped = { .address = one, .source = two, .port = 80 };

  g_assert_cmpuint (t2pw_group_turns_key (&base), ==, t2pw_group_turns_key (&tls));
  g_assert_cmpuint (t2pw_group_turns_key (&base), !=, t2pw_group_turns_key (&other_host));
  g_assert_cmpuint (t2pw_group_turns_key (&base), !=, t2pw_group_turns_key (&other_source));
  g_assert_cmpuint (t2pw_group_turns_key (&by_address), !=, t2pw_group_turns_key (&swapped));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/group-policy/%s", cases[i].name);

      g_test_add_data_func (path, &cases[i], test_case);
    }
  g_test_add_func ("/group-policy/any-states-are-tried-once-each", test_any_states);
  g_test_add_func ("/group-policy/names", test_names);
  g_test_add_func ("/group-turns/expire", test_turns_expire);
  g_test_add_func ("/group-turns/are-of-an-address-and-a-host", test_turns_are_of_hosts);
  return g_test_run ();
}
