/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-activation.h"

#include "t2p-error.h"

#define N_STEPS 5

/* What a walk over fake steps did, as one string: "+a" run, "-a" undone, "!a" failed. */
typedef struct
{
  GString *trace;
  GString *journal;
  int fail_at;   /* step that fails, -1: none */
  int refuse_at; /* step whose journal entry fails */
  int cancel_at; /* step during which the run is cancelled */
  GCancellable *cancellable;
  gboolean is_done;
  GError *error;
} Walk;

static void
run_step (Walk *walk, int index, GTask *task)
{
  char letter = (char) ('a' + index);

  if (index == walk->cancel_at)
    g_cancellable_cancel (walk->cancellable);
  if (index == walk->fail_at)
    {
      g_string_append_printf (walk->trace, "!%c", letter);
      g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE, "step %c", letter);
    }
  else
    {
      g_string_append_printf (walk->trace, "+%c", letter);
      g_task_return_boolean (task, TRUE);
    }
  g_object_unref (task);
}

static void
undo_step (Walk *walk, int index, GTask *task)
{
  g_string_append_printf (walk->trace, "-%c", 'a' + index);
  /* An undo that fails stops nobody. */
  if (index == 1)
    g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_FAILED, "undo");
  else
    g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

#define STEP(letter, index)                                                                    \
  static void run_##letter (gpointer context, GTask *task)                                     \
  {                                                                                            \
    run_step (context, index, task);                                                           \
  }                                                                                            \
  static void undo_##letter (gpointer context, GTask *task)                                    \
  {                                                                                            \
    undo_step (context, index, task);                                                          \
  }
STEP (a, 0)
STEP (b, 1)
STEP (c, 2)
STEP (d, 3)
STEP (e, 4)

static const T2pdStep steps[N_STEPS] = {
  { "a", T2P_TUNNEL_STATE_PREPARING, run_a, undo_a },
  { "b", T2P_TUNNEL_STATE_PREPARING, run_b, undo_b },
  { "c", T2P_TUNNEL_STATE_CONNECTING, run_c, undo_c },
  { "d", T2P_TUNNEL_STATE_CONFIGURING, run_d, undo_d },
  { "e", T2P_TUNNEL_STATE_CONFIGURING, run_e, undo_e },
};

static gboolean
begin_cb (gpointer context, const T2pdStep *step, GError **error)
{
  Walk *walk = context;

  g_string_append (walk->journal, step->name);
  if (walk->refuse_at >= 0 && step == &steps[walk->refuse_at])
    {
      /* Half of it may have been written. */
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_FAILED, "journal");
      return FALSE;
    }
  return TRUE;
}

static void
undone_cb (gpointer context, const T2pdStep *step, const GError *error)
{
  Walk *walk = context;

  /* Always the one that was begun last. */
  g_assert_cmpstr (walk->journal->str + walk->journal->len - 1, ==, step->name);
  g_string_truncate (walk->journal, walk->journal->len - 1);
}

static void
drain_cb (gpointer context, guint drain_ms, GTask *task)
{
  g_string_append_printf (((Walk *) context)->trace, "~%u", drain_ms);
  g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

static void
ran_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Walk *walk = user_data;

  t2pd_activation_run_finish (T2PD_ACTIVATION (source), result, &walk->error);
  walk->is_done = TRUE;
}

static void
went_back_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  t2pd_activation_undo_finish (T2PD_ACTIVATION (source), result);
  ((Walk *) user_data)->is_done = TRUE;
}

static void
wait_done (Walk *walk)
{
  while (!walk->is_done)
    g_main_context_iteration (NULL, TRUE);
  walk->is_done = FALSE;
}

static Walk
walk_new (void)
{
  return (Walk){ .trace = g_string_new (NULL),
                 .journal = g_string_new (NULL),
                 .fail_at = -1,
                 .refuse_at = -1,
                 .cancel_at = -1,
                 .cancellable = g_cancellable_new () };
}

static void
walk_clear (Walk *walk)
{
  g_string_free (walk->trace, TRUE);
  g_string_free (walk->journal, TRUE);
  g_object_unref (walk->cancellable);
  g_clear_error (&walk->error);
}

static T2pdActivation *
start (Walk *walk, const char *pause_at)
{
  static const T2pdActivationHooks hooks = { begin_cb, undone_cb, drain_cb };
  T2pdActivation *activation = t2pd_activation_new (steps, N_STEPS, &hooks, walk, pause_at);

  t2pd_activation_run_async (activation, walk->cancellable, ran_cb, walk);
  return activation;
}

static void
test_up_and_down (void)
{
  Walk walk = walk_new ();
  g_autoptr (T2pdActivation) activation = start (&walk, NULL);

  wait_done (&walk);
  g_assert_no_error (walk.error);
  g_assert_cmpstr (walk.trace->str, ==, "+a+b+c+d+e");
  g_assert_cmpstr (walk.journal->str, ==, "abcde");
  t2pd_activation_undo_async (activation, 250, went_back_cb, &walk);
  wait_done (&walk);
  g_assert_cmpstr (walk.trace->str, ==, "+a+b+c+d+e~250-e-d-c-b-a");
  g_assert_cmpstr (walk.journal->str, ==, "");
  walk_clear (&walk);
}

static void
test_failure (gconstpointer data)
{
  int k = GPOINTER_TO_INT (data);
  Walk walk = walk_new ();
  g_autoptr (GString) expected = g_string_new (NULL);
  g_autoptr (T2pdActivation) activation = NULL;

  for (int i = 0; i < k; i++)
    g_string_append_printf (expected, "+%c", 'a' + i);
  g_string_append_printf (expected, "!%c", 'a' + k);
  for (int i = k - 1; i >= 0; i--)
    g_string_append_printf (expected, "-%c", 'a' + i);
  walk.fail_at = k;
  activation = start (&walk, NULL);
  wait_done (&walk);
  g_assert_error (walk.error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_cmpstr (walk.trace->str, ==, expected->str);
  g_assert_cmpstr (walk.journal->str, ==, "");
  walk_clear (&walk);
}

static void
test_journal_first (void)
{
  Walk walk = walk_new ();
  g_autoptr (T2pdActivation) activation = NULL;

  walk.refuse_at = 2;
  activation = start (&walk, NULL);
  wait_done (&walk);
  g_assert_error (walk.error, T2P_ERROR, T2P_ERROR_FAILED);
  g_assert_cmpstr (walk.trace->str, ==, "+a+b-b-a");
  walk_clear (&walk);
}

static void
test_cancelled (void)
{
  Walk walk = walk_new ();
  g_autoptr (T2pdActivation) activation = NULL;

  /* The step that was running when it was cancelled ended well: it is undone too. */
  walk.cancel_at = 2;
  activation = start (&walk, NULL);
  wait_done (&walk);
  g_assert_error (walk.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpstr (walk.trace->str, ==, "+a+b+c-c-b-a");
  walk_clear (&walk);
}

static gboolean
cancel_cb (gpointer user_data)
{
  g_cancellable_cancel (user_data);
  return G_SOURCE_REMOVE;
}

static void
test_pause (void)
{
  Walk walk = walk_new ();
  g_autoptr (T2pdActivation) activation = start (&walk, "b");

  g_timeout_add (20, cancel_cb, walk.cancellable);
  wait_done (&walk);
  g_assert_error (walk.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpstr (walk.trace->str, ==, "+a+b-b-a");
  walk_clear (&walk);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/activation/runs-down-and-undoes-up", test_up_and_down);
  for (int k = 0; k < N_STEPS; k++)
    {
      g_autofree char *path =
          g_strdup_printf ("/activation/failure-at-%d-undoes-all-before", k);

      g_test_add_data_func (path, GINT_TO_POINTER (k), test_failure);
    }
  g_test_add_func ("/activation/no-step-without-its-journal-entry", test_journal_first);
  g_test_add_func ("/activation/cancelled-undoes-what-ended-well", test_cancelled);
  g_test_add_func ("/activation/pause-holds-until-cancelled", test_pause);
  return g_test_run ();
}
