/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a dead proxy costs: a bounded number of attempts. */
#include "config.h"

#include "group-fixture.h"
#include "t2p-error.h"
#include "t2p-limits.h"

/* As in t2pw-group-member.c: what is promised is tested by its number. */
#define PROVEN_ATTEMPTS 64
#define UNPROVEN_ATTEMPTS 4
#define MANY 1000

static void
test_unproven (GroupFixture *f, gconstpointer data)
{
  FakeOutbound *fake;

  group_fixture_add (f, 1);
  fake = f->fakes[0];
  group_fixture_open_many (f, MANY);
  group_fixture_settle (f);
  g_assert_cmpuint (fake->n_flows, ==, UNPROVEN_ATTEMPTS);
  g_assert_cmpuint (fake->n_checks, ==, 1);
  g_assert_cmpuint (f->n_failed, ==, 0);

  fake_outbound_fail (fake, &fake->pending, T2P_ERROR_PROXY_UNREACHABLE);
  group_fixture_settle (f);
  g_assert_cmpuint (f->n_failed, ==, MANY);
  g_assert_cmpuint (fake->n_closed, ==, UNPROVEN_ATTEMPTS - 1);
  g_assert_cmpuint (f->n_told_down, ==, 1);

  group_fixture_open_many (f, MANY);
  group_fixture_settle (f);
  g_assert_cmpuint (f->n_failed, ==, 2 * MANY);
  g_assert_cmpuint (fake->n_flows, ==, UNPROVEN_ATTEMPTS);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
}

/* It has worked till now, and says nothing any more. */
static void
test_dies (GroupFixture *f, gconstpointer data)
{
  FakeOutbound *fake;

  group_fixture_add (f, 1);
  fake = f->fakes[0];
  t2pw_group_take_probe (f->group, 0, 1000, NULL);
  group_fixture_open_many (f, MANY);
  group_fixture_settle (f);
  g_assert_cmpuint (fake->n_flows, ==, PROVEN_ATTEMPTS);
  g_assert_cmpuint (fake->n_checks, ==, 1);

  fake_outbound_fail (fake, &fake->checks, T2P_ERROR_PROXY_UNREACHABLE);
  group_fixture_settle (f);
  g_assert_cmpuint (f->n_failed, ==, MANY);
  g_assert_cmpuint (fake->n_flows, ==, PROVEN_ATTEMPTS);
}

static void
answer_all (GroupFixture *f, FakeOutbound *fake)
{
  for (guint i = 0; f->n_opened < MANY; i++)
    {
      g_assert_cmpuint (i, <, MANY);
      while (fake->pending.length > 0)
        fake_outbound_answer (fake, &fake->pending);
      group_fixture_settle (f);
    }
}

static void
test_lives (GroupFixture *f, gconstpointer data)
{
  FakeOutbound *fake;

  group_fixture_add (f, 1);
  fake = f->fakes[0];
  group_fixture_open_many (f, MANY);
  answer_all (f, fake);
  g_assert_cmpuint (f->n_failed, ==, 0);
  g_assert_cmpuint (fake->n_flows, ==, MANY);
}

/* Slow destinations keep nobody waiting once the proxy has spoken; that a connection was made
 * shows nothing: it may have been a port forwarder that took it. */
static void
test_sign_of_life (GroupFixture *f, gconstpointer data)
{
  FakeOutbound *fake;

  group_fixture_add (f, 1);
  fake = f->fakes[0];
  group_fixture_open_many (f, 50);
  fake_outbound_ask (&fake->pending, FALSE);
  group_fixture_settle (f);
  g_assert_cmpuint (fake->n_flows, ==, UNPROVEN_ATTEMPTS);
  fake_outbound_ask (&fake->pending, TRUE);
  group_fixture_settle (f);
  g_assert_cmpuint (fake->n_flows, ==, 50);
}

static void
test_on_to_the_next (GroupFixture *f, gconstpointer data)
{
  gpointer kept;

  group_fixture_add (f, 2);
  kept = group_fixture_open (f, 1, 1);
  fake_outbound_ask (&f->fakes[0]->pending, TRUE); /* it has the request */
  group_fixture_open_many (f, MANY);
  t2pw_group_take_probe (f->group, 1, 1000, NULL);
  group_fixture_settle (f);
  g_assert_cmpuint (f->fakes[0]->n_flows, ==, 1 + PROVEN_ATTEMPTS);

  fake_outbound_fail (f->fakes[0], &f->fakes[0]->checks, T2P_ERROR_PROXY_UNREACHABLE);
  group_fixture_settle (f);
  g_assert_cmpuint (f->fakes[0]->pending.length, ==, 1); /* which stays */
  g_assert_cmpuint (f->fakes[1]->n_flows, ==, PROVEN_ATTEMPTS);
  answer_all (f, f->fakes[1]);
  g_assert_cmpuint (f->n_failed, ==, 0);
  fake_outbound_answer (f->fakes[0], &f->fakes[0]->pending);
  g_assert_cmpstr (f->opened_by, ==, "a");
  group_fixture_close (f, kept);
}

/* Half open: one attempt at a time, whoever asks, and no sooner than the back-off says. */
static void
test_one_check_at_a_time (GroupFixture *f, gconstpointer data)
{
  FakeOutbound *fake;

  group_fixture_add (f, 1);
  fake = f->fakes[0];
  group_fixture_open (f, 1, 1);
  fake_outbound_fail (fake, &fake->pending, T2P_ERROR_PROXY_UNREACHABLE);
  for (guint i = 0; i < 14; i++)
    {
      group_fixture_open_many (f, 10);
      group_fixture_run_ms (f, 100);
      g_assert_cmpuint (fake->n_checks, <=, 1);
    }
  g_assert_cmpuint (fake->n_checks, ==, 1);
  fake_outbound_fail (fake, &fake->checks, T2P_ERROR_PROXY_UNREACHABLE);
  group_fixture_run_ms (f, 400); /* the back-off is a second by now, less a quarter at most */
  g_assert_cmpuint (fake->n_checks, ==, 1);
  group_fixture_run_ms (f, 800);
  g_assert_cmpuint (fake->n_checks, ==, 2);
  g_assert_cmpuint (fake->n_flows, ==, 1);
  fake_outbound_answer (fake, &fake->checks);
  group_fixture_open (f, 1, 1);
  fake_outbound_answer (fake, &fake->pending);
  g_assert_cmpuint (f->n_opened, ==, 1);
}

static void
test_wait_is_bounded (GroupFixture *f, gconstpointer data)
{
  f->context.connect_timeout_ms = 100;
  group_fixture_add (f, 1);
  group_fixture_open_many (f, 20);
  group_fixture_run_ms (f, 60);
  g_assert_cmpuint (f->n_failed, ==, 0);
  group_fixture_run_ms (f, 700); /* and some more, for the outcome of those that went */
  g_assert_cmpuint (f->n_failed, ==, 20 - UNPROVEN_ATTEMPTS);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
}

static void
test_queue_is_bounded (GroupFixture *f, gconstpointer data)
{
  group_fixture_add (f, 1);
  group_fixture_open_many (f, UNPROVEN_ATTEMPTS + T2P_MAX_WAITING_FLOWS);
  group_fixture_settle (f);
  g_assert_cmpuint (f->n_failed, ==, 0);
  group_fixture_open (f, 1, 1);
  group_fixture_settle (f);
  g_assert_cmpuint (f->n_failed, ==, 1);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
}

/* What we lack ourselves was no attempt. */
static void
test_own_shortage (GroupFixture *f, gconstpointer data)
{
  FakeOutbound *fake;

  group_fixture_add (f, 1);
  fake = f->fakes[0];
  group_fixture_open_many (f, 20);
  for (guint i = 0; i < 20; i++)
    {
      group_fixture_settle (f);
      fake_outbound_fail (fake, &fake->pending, T2P_ERROR_LIMIT_EXCEEDED);
    }
  g_assert_cmpuint (f->n_failed, ==, 20);
  g_assert_cmpint (group_fixture_get_state (f, 0), ==, T2PW_MEMBER_UNKNOWN);
}

/* Applications that give up soon never see an attempt to its end. */
static void
test_given_up (GroupFixture *f, gconstpointer data)
{
  FakeOutbound *fake;
  gpointer flow;

  group_fixture_add (f, 1);
  fake = f->fakes[0];
  t2pw_group_take_probe (f->group, 0, 1000, NULL);
  flow = group_fixture_open (f, 1, 1);
  group_fixture_run_ms (f, 300);
  group_fixture_close (f, flow);
  group_fixture_run_ms (f, 50);
  g_assert_cmpuint (fake->n_checks, ==, 0); /* the other of two addresses was faster, say */
  flow = group_fixture_open (f, 1, 1);
  group_fixture_run_ms (f, 1100);
  group_fixture_close (f, flow);
  group_fixture_run_ms (f, 50);
  g_assert_cmpuint (fake->n_checks, ==, 1);
  fake_outbound_fail (fake, &fake->checks, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_cmpint (group_fixture_get_state (f, 0), ==, T2PW_MEMBER_DOWN);
}

/* By another uplink it has everything to prove again. */
static void
test_uplink (GroupFixture *f, gconstpointer data)
{
  group_fixture_add (f, 1);
  t2pw_group_take_probe (f->group, 0, 1000, NULL);
  t2pw_group_uplink_changed (f->group);
  group_fixture_open_many (f, MANY);
  group_fixture_settle (f);
  g_assert_cmpuint (f->fakes[0]->n_flows, ==, UNPROVEN_ATTEMPTS);
  group_fixture_run_ms (f, 20);
  g_assert_cmpuint (f->fakes[0]->n_checks, ==, 1);
  fake_outbound_answer (f->fakes[0], &f->fakes[0]->checks);
  group_fixture_settle (f);
  g_assert_cmpuint (f->fakes[0]->n_flows, >, UNPROVEN_ATTEMPTS);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function)                                                                    \
  g_test_add ("/group-storm/" path, GroupFixture, NULL, group_fixture_set_up, function,        \
              group_fixture_tear_down)
  ADD ("a-thousand-flows-on-an-unproven-proxy-make-four-attempts", test_unproven);
  ADD ("a-thousand-flows-on-one-that-dies-make-sixty-four", test_dies);
  ADD ("a-thousand-flows-on-one-that-lives-open", test_lives);
  ADD ("a-word-of-the-proxy-lets-others-through", test_sign_of_life);
  ADD ("those-who-wait-go-on-to-the-next", test_on_to_the_next);
  ADD ("one-check-at-a-time-while-down", test_one_check_at_a_time);
  ADD ("nobody-waits-longer-than-a-connection-may-take", test_wait_is_bounded);
  ADD ("not-everybody-may-wait", test_queue_is_bounded);
  ADD ("own-shortage-takes-no-place", test_own_shortage);
  ADD ("given-up-after-a-while-is-checked", test_given_up);
  ADD ("another-uplink-begins-anew", test_uplink);
  return g_test_run ();
}
