/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-timer-wheel.h"

/* The wheel knows no clock: the test is the clock. */

#define GRAIN T2P_TIMER_WHEEL_GRAIN_US

typedef struct
{
  T2pTimer timer;
  guint ran;
  T2pTimerWheel *wheel;
  gint64 rearm_us;
  T2pTimer *victim;
} Probe;

static void
probe_cb (T2pTimer *timer)
{
  Probe *probe = (Probe *) timer;

  probe->ran++;
  if (probe->rearm_us != 0)
    t2p_timer_wheel_arm (probe->wheel, timer, probe->rearm_us);
  if (probe->victim != NULL)
    t2p_timer_wheel_disarm (probe->victim);
}

static void
test_never_early (void)
{
  static const gint64 delays[] = { 1,
                                   GRAIN - 1,
                                   GRAIN,
                                   GRAIN + 1,
                                   255 * GRAIN,
                                   256 * GRAIN,
                                   257 * GRAIN,
                                   65535LL * GRAIN,
                                   65536LL * GRAIN,
                                   65537LL * GRAIN,
                                   3600000000LL,
                                   4294967295000LL };
  static const gint64 starts[] = { GRAIN, 255 * GRAIN, 256 * GRAIN + 17, 65535LL * GRAIN + 3,
                                   987654321987LL };

  for (guint s = 0; s < G_N_ELEMENTS (starts); s++)
    for (guint d = 0; d < G_N_ELEMENTS (delays); d++)
      {
        T2pTimerWheel wheel;
        Probe probe = { .timer.expired = probe_cb };
        gint64 deadline_us = starts[s] + delays[d];

        t2p_timer_wheel_init (&wheel, starts[s]);
        t2p_timer_wheel_arm (&wheel, &probe.timer, deadline_us);
        g_assert_cmpint (t2p_timer_wheel_get_next_us (&wheel), <=, deadline_us + GRAIN);
        t2p_timer_wheel_advance (&wheel, deadline_us - 1);
        g_assert_cmpuint (probe.ran, ==, 0);
        t2p_timer_wheel_advance (&wheel, deadline_us + GRAIN);
        g_assert_cmpuint (probe.ran, ==, 1);
        g_assert_cmpint (probe.timer.deadline_us, ==, 0);
        g_assert_cmpint (t2p_timer_wheel_get_next_us (&wheel), ==, G_MAXINT64);
      }
}

static void
test_follows_its_own_advice (void)
{
  T2pTimerWheel wheel;
  Probe probe = { .timer.expired = probe_cb };
  guint wakes = 0;

  t2p_timer_wheel_init (&wheel, 12345678);
  t2p_timer_wheel_arm (&wheel, &probe.timer, 12345678 + 3600LL * G_USEC_PER_SEC);
  while (probe.ran == 0)
    {
      t2p_timer_wheel_advance (&wheel, t2p_timer_wheel_get_next_us (&wheel));
      g_assert_cmpuint (++wakes, <=, T2P_TIMER_WHEEL_LEVELS);
    }
}

static void
test_many_in_order (void)
{
  enum
  {
    N = 5000
  };
  T2pTimerWheel wheel;
  g_autofree Probe *probes = g_new0 (Probe, N);
  g_autoptr (GRand) rand = g_rand_new_with_seed (4);
  guint total = 0;

  t2p_timer_wheel_init (&wheel, 1);
  for (guint i = 0; i < N; i++)
    {
      probes[i].timer.expired = probe_cb;
      t2p_timer_wheel_arm (&wheel, &probes[i].timer, 1 + g_rand_int_range (rand, 0, 300000000));
    }
  for (guint i = 0; i < N; i += 3)
    t2p_timer_wheel_disarm (&probes[i].timer);
  for (gint64 now_us = 0; now_us < 300100000; now_us += 250000)
    {
      total += t2p_timer_wheel_advance (&wheel, now_us);
      for (guint i = 0; i < N; i++)
        if (probes[i].timer.deadline_us != 0)
          g_assert_cmpint (probes[i].timer.deadline_us, >, now_us - GRAIN);
    }
  g_assert_cmpuint (total, ==, N - (N + 2) / 3);
  for (guint i = 0; i < N; i++)
    g_assert_cmpuint (probes[i].ran, ==, i % 3 == 0 ? 0 : 1);
}

static void
test_may_arm_and_disarm_inside (void)
{
  T2pTimerWheel wheel;
  Probe a = { .timer.expired = probe_cb, .wheel = &wheel, .rearm_us = 1000 };
  Probe b = { .timer.expired = probe_cb }, c = { .timer.expired = probe_cb };

  b.victim = &c.timer;
  c.victim = &b.timer;
  t2p_timer_wheel_init (&wheel, 0);
  t2p_timer_wheel_arm (&wheel, &a.timer, 1000);
  t2p_timer_wheel_arm (&wheel, &b.timer, 1000);
  t2p_timer_wheel_arm (&wheel, &c.timer, 1000);
  t2p_timer_wheel_advance (&wheel, GRAIN);
  g_assert_cmpuint (a.ran, ==, 1);
  g_assert_cmpuint (b.ran + c.ran, ==, 1);
  t2p_timer_wheel_advance (&wheel, 2 * GRAIN);
  g_assert_cmpuint (a.ran, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/reactor/timer-wheel/never-early-and-at-most-a-grain-late",
                   test_never_early);
  g_test_add_func ("/reactor/timer-wheel/an-hour-costs-few-wakes", test_follows_its_own_advice);
  g_test_add_func ("/reactor/timer-wheel/many-timers-run-once-each", test_many_in_order);
  g_test_add_func ("/reactor/timer-wheel/timers-may-arm-and-disarm-while-they-run",
                   test_may_arm_and_disarm_inside);
  return g_test_run ();
}
