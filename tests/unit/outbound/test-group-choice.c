/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which member gets a flow, over time. */
#include "config.h"

#include "group-fixture.h"
#include "t2p-error.h"

#define STEADY_MS 40
#define INTERVAL_MS 300

static void
answer_flow (GroupFixture *f, guint member)
{
  fake_outbound_answer (f->fakes[member], &f->fakes[member]->pending);
}

/* @a has failed a flow, @b has it now; the first check of @a is under way. */
static gpointer
fail_over (GroupFixture *f)
{
  gpointer flow;

  f->config.steady_check_ms = STEADY_MS;
  group_fixture_add (f, 2);
  flow = group_fixture_open (f, 1, 1);
  fake_outbound_fail (f->fakes[0], &f->fakes[0]->pending, T2P_ERROR_PROXY_UNREACHABLE);
  answer_flow (f, 1);
  group_fixture_settle (f);
  g_assert_cmpstr (f->opened_by, ==, "b");
  g_assert_cmpuint (group_fixture_get_active (f), ==, 1);
  g_assert_cmpuint (f->n_told_active, ==, 1);
  g_assert_cmpint (f->active_reason, ==, T2P_STATE_REASON_PROXY_UNREACHABLE);
  while (f->fakes[0]->checks.length == 0)
    g_main_context_iteration (NULL, TRUE);
  return flow;
}

static void
answer_next_check (GroupFixture *f, guint member)
{
  while (f->fakes[member]->checks.length == 0)
    g_main_context_iteration (NULL, TRUE);
  fake_outbound_answer (f->fakes[member], &f->fakes[member]->checks);
  group_fixture_settle (f);
}

static void
test_comes_back (GroupFixture *f, gconstpointer data)
{
  gpointer flow = fail_over (f);
  gint64 began_us = g_get_monotonic_time ();

  answer_next_check (f, 0);
  g_assert_cmpint (group_fixture_get_state (f, 0), ==, T2PW_MEMBER_UP);
  g_assert_cmpuint (group_fixture_get_active (f), ==, 1);
  group_fixture_open (f, 1, 2);
  answer_flow (f, 1);
  answer_next_check (f, 0);
  g_assert_cmpuint (group_fixture_get_active (f), ==, 1);
  answer_next_check (f, 0);
  g_assert_cmpint (g_get_monotonic_time () - began_us, >=, 2 * STEADY_MS * 1000);
  g_assert_cmpuint (group_fixture_get_active (f), ==, 0);
  g_assert_cmpuint (f->n_told_active, ==, 2);
  g_assert_cmpint (f->active_reason, ==, T2P_STATE_REASON_NONE);
  group_fixture_open (f, 1, 3);
  answer_flow (f, 0);
  g_assert_cmpstr (f->opened_by, ==, "a");
  g_assert_cmpuint (f->n_failed, ==, 0);
  group_fixture_close (f, flow); /* which was open all the time */
}

static void
test_comes_and_goes (GroupFixture *f, gconstpointer data)
{
  fail_over (f);
  for (guint i = 0; i < 2; i++)
    {
      answer_next_check (f, 0);
      g_assert_cmpint (group_fixture_get_state (f, 0), ==, T2PW_MEMBER_UP);
      while (f->fakes[0]->checks.length == 0)
        g_main_context_iteration (NULL, TRUE);
      fake_outbound_fail (f->fakes[0], &f->fakes[0]->checks, T2P_ERROR_PROXY_PROTOCOL);
      group_fixture_settle (f);
      g_assert_cmpint (group_fixture_get_state (f, 0), ==, T2PW_MEMBER_DOWN);
    }
  g_assert_cmpuint (group_fixture_get_active (f), ==, 1);
  g_assert_cmpuint (f->n_told_active, ==, 1);
}

/* On probation, but the other has gone. */
static void
test_better_than_none (GroupFixture *f, gconstpointer data)
{
  fail_over (f);
  answer_next_check (f, 0);
  group_fixture_open (f, 1, 2);
  fake_outbound_fail (f->fakes[1], &f->fakes[1]->pending, T2P_ERROR_PROXY_UNREACHABLE);
  answer_flow (f, 0);
  group_fixture_settle (f);
  g_assert_cmpstr (f->opened_by, ==, "a");
  g_assert_cmpuint (group_fixture_get_active (f), ==, 0);
  g_assert_cmpuint (f->n_told_down, ==, 0);
}

static void
test_rotation (GroupFixture *f, gconstpointer data)
{
  f->config.policy = T2PW_GROUP_ROUND_ROBIN;
  group_fixture_add (f, 3);
  for (guint i = 0; i < 9; i++)
    group_fixture_open (f, 1, i);
  for (guint i = 0; i < 3; i++)
    {
      g_assert_cmpuint (f->fakes[i]->n_flows, ==, 3);
      while (f->fakes[i]->pending.length > 0)
        answer_flow (f, i);
    }
  for (guint i = 0; i < 10; i++) /* again to those hosts, in another order */
    {
      guint host = (i * 7) % 9;

      group_fixture_open (f, 1, host);
      answer_flow (f, host % 3);
    }
  g_assert_cmpuint (group_fixture_get_active (f), ==, 0);
  g_assert_cmpuint (f->n_told_active, ==, 0);
}

static void
test_rotation_without_one (GroupFixture *f, gconstpointer data)
{
  f->config.policy = T2PW_GROUP_ROUND_ROBIN;
  group_fixture_add (f, 3);
  group_fixture_open (f, 1, 0);
  fake_outbound_fail (f->fakes[0], &f->fakes[0]->pending, T2P_ERROR_PROXY_UNREACHABLE);
  answer_flow (f, 1);
  group_fixture_settle (f);
  g_assert_cmpuint (group_fixture_get_active (f), ==, 1);
  g_assert_cmpuint (f->n_told_active, ==, 1);
  group_fixture_open (f, 1, 0); /* it has its new place */
  answer_flow (f, 1);
  for (guint i = 1; i < 5; i++)
    group_fixture_open (f, 1, i);
  g_assert_cmpuint (f->fakes[0]->n_flows, ==, 1);
  g_assert_cmpuint (f->fakes[1]->n_flows, ==, 2 + 2);
  g_assert_cmpuint (f->fakes[2]->n_flows, ==, 2);
}

static void
test_nearest (GroupFixture *f, gconstpointer data)
{
  guint far_steps = 0;

  f->config.policy = T2PW_GROUP_LEAST_LATENCY;
  f->config.check_interval_ms = INTERVAL_MS;
  group_fixture_add (f, 2);
  group_fixture_run_ms (f, 20);
  g_assert_cmpuint (f->fakes[0]->n_checks, ==, 1);
  g_assert_cmpuint (f->fakes[1]->n_checks, ==, 1);
  fake_outbound_ask (&f->fakes[1]->checks, TRUE);
  answer_next_check (f, 1);
  g_assert_cmpuint (group_fixture_get_active (f), ==, 0); /* which is not measured yet */
  group_fixture_run_ms (f, 60);
  answer_next_check (f, 0); /* greeting and answer in one */
  g_assert_cmpuint (group_fixture_get_active (f), ==, 1);
  g_assert_cmpuint (f->n_told_active, ==, 1);
  g_assert_cmpint (f->active_reason, ==, T2P_STATE_REASON_NONE);
  group_fixture_open (f, 1, 1);
  answer_flow (f, 1);

  /* the other is near now, which its checks find out one by one */
  for (guint i = 0; i < 1000 && group_fixture_get_active (f) == 1; i++)
    {
      group_fixture_run_ms (f, 5);
      if (f->fakes[0]->checks.length > 0)
        fake_outbound_answer (f->fakes[0], &f->fakes[0]->checks);
      far_steps = f->fakes[1]->checks.length > 0 ? far_steps + 1 : 0;
      if (far_steps == 16) /* 80 ms */
        fake_outbound_answer (f->fakes[1], &f->fakes[1]->checks);
    }
  group_fixture_settle (f);
  g_assert_cmpuint (group_fixture_get_active (f), ==, 0);
  g_assert_cmpuint (f->n_told_active, ==, 2);
}

/* A slow destination is no matter of the proxy. */
static void
test_destinations_are_not_measured (GroupFixture *f, gconstpointer data)
{
  f->config.policy = T2PW_GROUP_LEAST_LATENCY;
  group_fixture_add (f, 2);
  group_fixture_run_ms (f, 20);
  answer_next_check (f, 0);
  group_fixture_run_ms (f, 40);
  answer_next_check (f, 1);
  for (guint i = 0; i < 10; i++)
    {
      group_fixture_open (f, 1, i);
      fake_outbound_ask (&f->fakes[0]->pending, TRUE);
      group_fixture_run_ms (f, 80);
      answer_flow (f, 0);
    }
  g_assert_cmpuint (group_fixture_get_active (f), ==, 0);
  g_assert_cmpuint (f->n_told_active, ==, 0);
}

static void
test_idle_ones_are_checked (GroupFixture *f, gconstpointer data)
{
  f->config.check_interval_ms = INTERVAL_MS;
  group_fixture_add (f, 2);
  t2pw_group_take_probe (f->group, 0, 1000, NULL);
  t2pw_group_take_probe (f->group, 1, 1000, NULL);
  for (guint i = 0; i < 2 * INTERVAL_MS / 20 + 2; i++)
    {
      group_fixture_open (f, 1, i);
      answer_flow (f, 0);
      group_fixture_run_ms (f, 20);
    }
  g_assert_cmpuint (f->fakes[0]->n_checks, ==, 0); /* its flows have shown enough */
  g_assert_cmpuint (f->fakes[1]->n_checks, ==, 1);
  fake_outbound_fail (f->fakes[1], &f->fakes[1]->checks, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_cmpint (group_fixture_get_state (f, 1), ==, T2PW_MEMBER_DOWN);
  group_fixture_settle (f);
  g_assert_cmpuint (f->n_told_down, ==, 0);
}

static void
test_a_lone_one_is_left_in_peace (GroupFixture *f, gconstpointer data)
{
  f->config.check_interval_ms = INTERVAL_MS;
  group_fixture_add (f, 1);
  t2pw_group_take_probe (f->group, 0, 1000, NULL);
  group_fixture_run_ms (f, 3 * INTERVAL_MS);
  g_assert_cmpuint (f->fakes[0]->n_checks, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function)                                                                    \
  g_test_add ("/group-choice/" path, GroupFixture, NULL, group_fixture_set_up, function,       \
              group_fixture_tear_down)
  ADD ("failover/comes-back-when-it-has-proven-itself", test_comes_back);
  ADD ("failover/comes-and-goes-and-gets-no-flow", test_comes_and_goes);
  ADD ("failover/on-probation-is-better-than-none", test_better_than_none);
  ADD ("round-robin/hosts-take-turns-and-keep-them", test_rotation);
  ADD ("round-robin/goes-on-without-one", test_rotation_without_one);
  ADD ("least-latency/follows-the-nearest", test_nearest);
  ADD ("least-latency/destinations-are-not-measured", test_destinations_are_not_measured);
  ADD ("idle-ones-are-checked", test_idle_ones_are_checked);
  ADD ("a-lone-one-is-left-in-peace", test_a_lone_one_is_left_in_peace);
  return g_test_run ();
}
