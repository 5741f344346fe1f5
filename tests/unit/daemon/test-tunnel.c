/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-tunnel.h"

/* A tunnel whose steps end as the test says. */
typedef struct
{
  T2pdTunnel *tunnel;
  GString *states;
  GTask *held; /* a run that was not ended yet */
  gboolean hold;
  gboolean fail;
  guint n_up; /* of the second step */
  guint n_ended;
  GError *error;
} Fixture;

static void
run_first (gpointer context, GTask *task)
{
  g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

static void
run_second (gpointer context, GTask *task)
{
  Fixture *fixture = context;

  if (fixture->hold)
    {
      fixture->held = task;
      return;
    }
  if (fixture->fail)
    g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED, "no");
  else
    {
      fixture->n_up++;
      g_task_return_boolean (task, TRUE);
    }
  g_object_unref (task);
}

static void
undo_second (gpointer context, GTask *task)
{
  ((Fixture *) context)->n_up--;
  g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

static const T2pdStep steps[] = {
  { "first", T2P_TUNNEL_STATE_PREPARING, run_first, NULL },
  { "second", T2P_TUNNEL_STATE_CONNECTING, run_second, undo_second },
  { "third", T2P_TUNNEL_STATE_CONFIGURING, run_first, NULL },
};

static gboolean
begin_cb (gpointer context, const T2pdStep *step, GError **error)
{
  return TRUE;
}

static void
undone_cb (gpointer context, const T2pdStep *step, const GError *error)
{
}

static void
state_changed_cb (T2pdTunnel *tunnel, int old, int new, int reason, gpointer user_data)
{
  Fixture *fixture = user_data;

  if (old != new)
    g_assert_true (t2p_tunnel_state_may_follow ((T2pTunnelState) old, (T2pTunnelState) new));
  g_string_append_printf (fixture->states, "%s(%s) ",
                          t2p_tunnel_state_to_string ((T2pTunnelState) new),
                          t2p_state_reason_to_string ((T2pStateReason) reason));
}

static void
fixture_init (Fixture *fixture)
{
  static const T2pdActivationHooks hooks = { begin_cb, undone_cb, NULL };
  g_autoptr (GVariant) dict =
      g_variant_ref_sink (g_variant_new_parsed ("{'proxies': <['socks5://192.0.2.1:1080']>}"));
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pSettings) settings = t2p_settings_new (dict, TRUE, &error);
  g_autoptr (T2pdActivation) activation =
      t2pd_activation_new (steps, G_N_ELEMENTS (steps), &hooks, fixture, NULL);

  g_assert_no_error (error);
  *fixture = (Fixture){ .states = g_string_new (NULL) };
  fixture->tunnel = t2pd_tunnel_new (1, "work", 0, settings);
  t2pd_tunnel_set_activation (fixture->tunnel, activation, NULL);
  g_signal_connect (fixture->tunnel, "state-changed", G_CALLBACK (state_changed_cb), fixture);
}

static void
fixture_clear (Fixture *fixture)
{
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  g_assert_finalize_object (fixture->tunnel);
  g_string_free (fixture->states, TRUE);
  g_clear_error (&fixture->error);
}

static void
up_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_clear_error (&fixture->error);
  t2pd_tunnel_activate_finish (T2PD_TUNNEL (source), result, &fixture->error);
  fixture->n_ended++;
}

static void
down_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Fixture *fixture = user_data;

  t2pd_tunnel_deactivate_finish (T2PD_TUNNEL (source), result);
  fixture->n_ended++;
}

static void
wait_ended (Fixture *fixture, guint n)
{
  while (fixture->n_ended < n)
    g_main_context_iteration (NULL, TRUE);
  fixture->n_ended = 0;
}

static void
bring_up (Fixture *fixture)
{
  t2pd_tunnel_activate_async (fixture->tunnel, up_cb, fixture);
  wait_ended (fixture, 1);
}

static void
take_down (Fixture *fixture)
{
  t2pd_tunnel_deactivate_async (fixture->tunnel, T2P_STATE_REASON_USER_REQUESTED, 0, down_cb,
                                fixture);
  wait_ended (fixture, 1);
}

static void
test_up_and_down (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  bring_up (&fixture);
  g_assert_no_error (fixture.error);
  g_assert_cmpuint (fixture.n_up, ==, 1);
  g_assert_cmpint (t2pd_tunnel_get_active_since_us (fixture.tunnel), >, 0);
  take_down (&fixture);
  g_assert_cmpuint (fixture.n_up, ==, 0);
  g_assert_cmpint (t2pd_tunnel_get_active_since_us (fixture.tunnel), ==, 0);
  g_assert_cmpstr (fixture.states->str, ==,
                   "preparing(user-requested) connecting(none) configuring(none) "
                   "active(none) deactivating(user-requested) inactive(user-requested) ");
  fixture_clear (&fixture);
}

static void
test_failed (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture.fail = TRUE;
  bring_up (&fixture);
  g_assert_error (fixture.error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED);
  g_assert_cmpint (t2pd_tunnel_get_state (fixture.tunnel), ==, T2P_TUNNEL_STATE_FAILED);
  g_assert_cmpint (t2pd_tunnel_get_reason (fixture.tunnel), ==, T2P_STATE_REASON_PROXY_AUTH);
  g_assert_cmpstr (t2pd_tunnel_get_message (fixture.tunnel), ==, "no");
  fixture.fail = FALSE;
  bring_up (&fixture);
  g_assert_no_error (fixture.error);
  take_down (&fixture);
  fixture_clear (&fixture);
}

static void
test_deactivated_while_coming_up (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture.hold = TRUE;
  t2pd_tunnel_activate_async (fixture.tunnel, up_cb, &fixture);
  while (fixture.held == NULL)
    g_main_context_iteration (NULL, TRUE);
  t2pd_tunnel_deactivate_async (fixture.tunnel, T2P_STATE_REASON_USER_REQUESTED, 0, down_cb,
                                &fixture);
  /* Meanwhile it cannot be activated. */
  t2pd_tunnel_activate_async (fixture.tunnel, up_cb, &fixture);
  wait_ended (&fixture, 1);
  g_assert_error (fixture.error, T2P_ERROR, T2P_ERROR_BUSY);
  fixture.n_up++;
  g_task_return_boolean (fixture.held, TRUE);
  g_object_unref (fixture.held);
  wait_ended (&fixture, 2);
  g_assert_error (fixture.error, T2P_ERROR, T2P_ERROR_CANCELLED);
  g_assert_cmpuint (fixture.n_up, ==, 0);
  g_assert_cmpint (t2pd_tunnel_get_state (fixture.tunnel), ==, T2P_TUNNEL_STATE_INACTIVE);
  fixture_clear (&fixture);
}

static void
impair (Fixture *fixture,
        T2pdImpairment impairment,
        gboolean is_impaired,
        T2pStateReason reason)
{
  t2pd_tunnel_set_impaired (fixture->tunnel, impairment, is_impaired, reason, NULL);
}

static void
test_degraded (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  bring_up (&fixture);
  g_string_truncate (fixture.states, 0);
  impair (&fixture, T2PD_IMPAIRMENT_UPSTREAM, TRUE, T2P_STATE_REASON_PROXY_UNREACHABLE);
  impair (&fixture, T2PD_IMPAIRMENT_WORKER, TRUE, T2P_STATE_REASON_WORKER_CRASHED);
  impair (&fixture, T2PD_IMPAIRMENT_WORKER, FALSE, T2P_STATE_REASON_NONE);
  impair (&fixture, T2PD_IMPAIRMENT_UPSTREAM, FALSE, T2P_STATE_REASON_NONE);
  g_assert_cmpstr (fixture.states->str, ==,
                   "degraded(proxy-unreachable) degraded(worker-crashed) "
                   "degraded(proxy-unreachable) active(none) ");
  take_down (&fixture);
  /* What comes late changes nothing. */
  impair (&fixture, T2PD_IMPAIRMENT_WORKER, TRUE, T2P_STATE_REASON_WORKER_CRASHED);
  g_assert_cmpint (t2pd_tunnel_get_state (fixture.tunnel), ==, T2P_TUNNEL_STATE_INACTIVE);
  fixture_clear (&fixture);
}

static void
test_suspended (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  t2pd_tunnel_suspend (fixture.tunnel); /* one that is not up does not notice */
  bring_up (&fixture);
  g_string_truncate (fixture.states, 0);
  t2pd_tunnel_resume (fixture.tunnel);
  t2pd_tunnel_suspend (fixture.tunnel);
  g_assert_cmpint (t2pd_tunnel_get_active_since_us (fixture.tunnel), >, 0);
  impair (&fixture, T2PD_IMPAIRMENT_UPLINK, TRUE, T2P_STATE_REASON_PROXY_UNREACHABLE);
  impair (&fixture, T2PD_IMPAIRMENT_WORKER, TRUE, T2P_STATE_REASON_WORKER_CRASHED);
  impair (&fixture, T2PD_IMPAIRMENT_WORKER, FALSE, T2P_STATE_REASON_NONE);
  t2pd_tunnel_resume (fixture.tunnel);
  impair (&fixture, T2PD_IMPAIRMENT_UPLINK, FALSE, T2P_STATE_REASON_NONE);
  t2pd_tunnel_suspend (fixture.tunnel);
  t2pd_tunnel_resume (fixture.tunnel);
  g_assert_cmpstr (fixture.states->str, ==,
                   "suspended(suspended) degraded(proxy-unreachable) active(none) "
                   "suspended(suspended) active(none) ");
  t2pd_tunnel_suspend (fixture.tunnel);
  take_down (&fixture);
  g_assert_cmpuint (fixture.n_up, ==, 0);
  fixture_clear (&fixture);
}

/* What breaks in a sleep is taken down, and the awakening changes nothing about that. */
static void
test_broken_while_suspended (void)
{
  Fixture fixture;
  g_autoptr (GError) error = g_error_new (T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE, "gone");

  fixture_init (&fixture);
  bring_up (&fixture);
  t2pd_tunnel_suspend (fixture.tunnel);
  t2pd_tunnel_fail (fixture.tunnel, error);
  t2pd_tunnel_resume (fixture.tunnel);
  while (t2pd_tunnel_get_state (fixture.tunnel) != T2P_TUNNEL_STATE_FAILED)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (fixture.n_up, ==, 0);
  fixture_clear (&fixture);
}

static void
test_broken (void)
{
  Fixture fixture;
  g_autoptr (GError) error = g_error_new (T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE, "gone");

  fixture_init (&fixture);
  bring_up (&fixture);
  t2pd_tunnel_fail (fixture.tunnel, error);
  t2pd_tunnel_fail (fixture.tunnel, error);
  while (t2pd_tunnel_get_state (fixture.tunnel) != T2P_TUNNEL_STATE_FAILED)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (fixture.n_up, ==, 0);
  g_assert_cmpint (t2pd_tunnel_get_reason (fixture.tunnel), ==, T2P_STATE_REASON_DEVICE_FAILED);
  take_down (&fixture);
  g_assert_cmpint (t2pd_tunnel_get_state (fixture.tunnel), ==, T2P_TUNNEL_STATE_INACTIVE);
  fixture_clear (&fixture);
}

/* Whether it was down or up before, and although nothing ran between the two calls. */
static void
test_deleted_stays_down (void)
{
  for (guint i = 0; i < 3; i++)
    {
      Fixture fixture;

      fixture_init (&fixture);
      fixture.fail = i == 1;
      if (i > 0)
        bring_up (&fixture);
      t2pd_tunnel_delete_async (fixture.tunnel, T2P_STATE_REASON_USER_REQUESTED, down_cb,
                                &fixture);
      g_assert_true (t2pd_tunnel_is_being_deleted (fixture.tunnel));
      t2pd_tunnel_activate_async (fixture.tunnel, up_cb, &fixture);
      wait_ended (&fixture, 2);
      g_assert_error (fixture.error, T2P_ERROR, T2P_ERROR_NOT_FOUND);
      g_assert_cmpint (t2pd_tunnel_get_state (fixture.tunnel), ==, T2P_TUNNEL_STATE_INACTIVE);
      g_assert_cmpuint (fixture.n_up, ==, 0);
      fixture_clear (&fixture);
    }
}

/* However many wait, one that must go goes. */
static void
test_delete_is_never_refused (void)
{
  Fixture fixture;
  g_autoptr (GError) error = NULL;
  guint n = 0;

  fixture_init (&fixture);
  fixture.hold = TRUE;
  t2pd_tunnel_activate_async (fixture.tunnel, up_cb, &fixture);
  while (fixture.held == NULL)
    g_main_context_iteration (NULL, TRUE);
  for (; t2pd_tunnel_check_waiting_down (fixture.tunnel, &error) && n < 1000; n++)
    t2pd_tunnel_deactivate_async (fixture.tunnel, T2P_STATE_REASON_USER_REQUESTED, 0, down_cb,
                                  &fixture);
  g_assert_error (error, T2P_ERROR, T2P_ERROR_BUSY);
  t2pd_tunnel_delete_async (fixture.tunnel, T2P_STATE_REASON_USER_REQUESTED, down_cb, &fixture);
  fixture.n_up++;
  g_task_return_boolean (fixture.held, TRUE);
  g_object_unref (fixture.held);
  wait_ended (&fixture, n + 2);
  g_assert_cmpint (t2pd_tunnel_get_state (fixture.tunnel), ==, T2P_TUNNEL_STATE_INACTIVE);
  fixture_clear (&fixture);
}

static void
test_rollback (void)
{
  Fixture fixture;
  g_autoptr (GError) error = NULL;

  fixture_init (&fixture);
  t2pd_tunnel_begin_rollback (fixture.tunnel, 1);
  bring_up (&fixture);
  g_assert_cmpint (t2pd_tunnel_get_rollback_deadline_us (fixture.tunnel), >,
                   g_get_real_time ());
  g_string_truncate (fixture.states, 0);
  while (t2pd_tunnel_get_state (fixture.tunnel) != T2P_TUNNEL_STATE_INACTIVE)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (fixture.states->str, ==, "deactivating(rollback) inactive(rollback) ");
  g_assert_cmpuint (fixture.n_up, ==, 0);
  g_assert_cmpint (t2pd_tunnel_get_rollback_deadline_us (fixture.tunnel), ==, 0);
  g_assert_false (t2pd_tunnel_confirm (fixture.tunnel, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_TIMED_OUT);
  fixture_clear (&fixture);
}

static gboolean
flag_cb (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

/* Long after the time of a timer of one second. */
static void
wait_longer (void)
{
  gboolean is_over = FALSE;

  g_timeout_add (2200, flag_cb, &is_over);
  while (!is_over)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_confirmed (void)
{
  Fixture fixture;
  g_autoptr (GError) error = NULL;

  fixture_init (&fixture);
  g_assert_false (t2pd_tunnel_confirm (fixture.tunnel, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_FAILED);
  g_clear_error (&error);
  bring_up (&fixture);
  t2pd_tunnel_begin_rollback (fixture.tunnel, 1);
  g_assert_true (t2pd_tunnel_confirm (fixture.tunnel, &error));
  g_assert_true (t2pd_tunnel_confirm (fixture.tunnel, &error));
  g_assert_cmpint (t2pd_tunnel_get_rollback_deadline_us (fixture.tunnel), ==, 0);
  wait_longer ();
  g_assert_cmpint (t2pd_tunnel_get_state (fixture.tunnel), ==, T2P_TUNNEL_STATE_ACTIVE);
  take_down (&fixture);
  fixture_clear (&fixture);
}

/* A bring-up that hangs is undone; one that failed, or was taken down, has no timer any more.
 */
static void
test_rollback_before_up (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture.hold = TRUE;
  t2pd_tunnel_begin_rollback (fixture.tunnel, 1);
  t2pd_tunnel_activate_async (fixture.tunnel, up_cb, &fixture);
  while (t2pd_tunnel_get_state (fixture.tunnel) != T2P_TUNNEL_STATE_DEACTIVATING)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (t2pd_tunnel_get_reason (fixture.tunnel), ==, T2P_STATE_REASON_ROLLBACK);
  fixture.n_up++;
  g_task_return_boolean (fixture.held, TRUE);
  g_clear_object (&fixture.held);
  wait_ended (&fixture, 1);
  g_assert_cmpuint (fixture.n_up, ==, 0);

  fixture.hold = FALSE;
  fixture.fail = TRUE;
  t2pd_tunnel_begin_rollback (fixture.tunnel, 1);
  bring_up (&fixture);
  g_assert_cmpint (t2pd_tunnel_get_rollback_deadline_us (fixture.tunnel), ==, 0);
  fixture.fail = FALSE;
  bring_up (&fixture);
  wait_longer ();
  g_assert_cmpint (t2pd_tunnel_get_state (fixture.tunnel), ==, T2P_TUNNEL_STATE_ACTIVE);
  take_down (&fixture);
  fixture_clear (&fixture);
}

/* Whatever comes in whatever order, the states follow each other as the table says (looked at
 * in state_changed_cb) and nothing is left up at the end. */
static void
test_any_order (void)
{
  g_autoptr (GError) error = g_error_new (T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE, "gone");
  Fixture fixture;
  guint n_expected = 0;

  fixture_init (&fixture);
  for (guint i = 0; i < 2000; i++)
    {
      T2pdImpairment which = (T2pdImpairment) g_test_rand_int_range (0, T2PD_N_IMPAIRMENTS);

      fixture.fail = g_test_rand_int_range (0, 4) == 0;
      switch (g_test_rand_int_range (0, 8))
        {
        case 0:
        case 1:
          t2pd_tunnel_activate_async (fixture.tunnel, up_cb, &fixture);
          n_expected++;
          break;
        case 2:
          t2pd_tunnel_deactivate_async (fixture.tunnel, T2P_STATE_REASON_USER_REQUESTED, 0,
                                        down_cb, &fixture);
          n_expected++;
          break;
        case 3:
          impair (&fixture, which, g_test_rand_bit (), T2P_STATE_REASON_WORKER_CRASHED);
          break;
        case 4:
          t2pd_tunnel_fail (fixture.tunnel, error);
          break;
        case 5:
          t2pd_tunnel_suspend (fixture.tunnel);
          break;
        case 6:
          t2pd_tunnel_resume (fixture.tunnel);
          break;
        default:
          g_main_context_iteration (NULL, FALSE);
          break;
        }
    }
  wait_ended (&fixture, n_expected);
  take_down (&fixture);
  g_assert_cmpuint (fixture.n_up, ==, 0);
  fixture_clear (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* A tunnel that fails is a warning; a state that must not follow is not. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  g_test_add_func ("/tunnel/goes-up-and-down", test_up_and_down);
  g_test_add_func ("/tunnel/failed-says-why-and-can-be-tried-again", test_failed);
  g_test_add_func ("/tunnel/deactivated-while-coming-up", test_deactivated_while_coming_up);
  g_test_add_func ("/tunnel/degraded-by-the-worst-impairment", test_degraded);
  g_test_add_func ("/tunnel/suspended-until-the-machine-is-awake", test_suspended);
  g_test_add_func ("/tunnel/broken-while-suspended-is-undone", test_broken_while_suspended);
  g_test_add_func ("/tunnel/broken-is-undone-then-failed", test_broken);
  g_test_add_func ("/tunnel/deleted-stays-down", test_deleted_stays_down);
  g_test_add_func ("/tunnel/delete-is-never-refused", test_delete_is_never_refused);
  g_test_add_func ("/tunnel/rollback/takes-it-down-unless-confirmed", test_rollback);
  g_test_add_func ("/tunnel/rollback/confirmed-stays", test_confirmed);
  g_test_add_func ("/tunnel/rollback/begins-with-the-bring-up", test_rollback_before_up);
  g_test_add_func ("/tunnel/any-order-keeps-to-the-table", test_any_order);
  return g_test_run ();
}
