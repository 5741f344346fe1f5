/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * A cursor on a table of steps. `run` moves it down: journal, run, next. A failure of step k
 * moves it back up, k-1 to 0, before the error is returned; `undo` does the same for a tunnel
 * that is up. One of them at a time: the tunnel's state machine sees to that. */

#include "t2pd-activation.h"

#include <stdio.h>

struct _T2pdActivation
{
  GObject parent;
  const T2pdStep *steps;
  guint n_steps;
  T2pdActivationHooks hooks;
  gpointer context;
  char *pause_at;
  guint n_done;
  GError *failure;       /* why a run is walking back */
  GTask *task;           /* the run or undo that is under way */
  gint64 drain_until_us; /* 0: nothing is being drained */
};

G_DEFINE_FINAL_TYPE (T2pdActivation, t2pd_activation, G_TYPE_OBJECT)

static guint entered_signal;

static void
t2pd_activation_finalize (GObject *object)
{
  T2pdActivation *self = T2PD_ACTIVATION (object);

  g_clear_error (&self->failure);
  g_free (self->pause_at);
  G_OBJECT_CLASS (t2pd_activation_parent_class)->finalize (object);
}

static void
t2pd_activation_class_init (T2pdActivationClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = t2pd_activation_finalize;
  entered_signal = g_signal_new ("entered", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                 NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
}

static void
t2pd_activation_init (T2pdActivation *self)
{
}

/**
 * t2pd_activation_new:
 * @steps: (array length=n_steps): the table, in the order of bringing up; static
 * @context: handed to the steps and hooks; must outlive the activation
 * @pause_at: (nullable): hold after this step, for tests
 *
 * Since: 0.1
 */
T2pdActivation *
t2pd_activation_new (const T2pdStep *steps,
                     guint n_steps,
                     const T2pdActivationHooks *hooks,
                     gpointer context,
                     const char *pause_at)
{
  T2pdActivation *self = g_object_new (T2PD_TYPE_ACTIVATION, NULL);

  self->steps = steps;
  self->n_steps = n_steps;
  self->hooks = *hooks;
  self->context = context;
  self->pause_at = g_strdup (pause_at);
  return self;
}

static void
end (T2pdActivation *self)
{
  g_autoptr (GTask) task = g_steal_pointer (&self->task);

  if (self->failure != NULL)
    g_task_return_error (task, g_steal_pointer (&self->failure));
  else
    g_task_return_boolean (task, TRUE);
}

static void undo_next (T2pdActivation *self);

static void
undo_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  T2pdActivation *self = T2PD_ACTIVATION (source);
  g_autoptr (GError) error = NULL;

  g_task_propagate_boolean (G_TASK (result), &error);
  self->n_done--;
  self->hooks.undone (self->context, &self->steps[self->n_done], error);
  undo_next (self);
}

static void
undo_next (T2pdActivation *self)
{
  g_autoptr (GTask) task = NULL;
  const T2pdStep *step;

  if (self->n_done == 0)
    {
      end (self);
      return;
    }
  step = &self->steps[self->n_done - 1];
  task = g_task_new (self, NULL, undo_cb, NULL);
  if (step->undo != NULL)
    step->undo (self->context, g_steal_pointer (&task));
  else
    g_task_return_boolean (task, TRUE);
}

static void
fail (T2pdActivation *self, GError *error)
{
  self->failure = error;
  undo_next (self);
}

static void run_next (T2pdActivation *self);

static void
resumed_cb (GCancellable *cancellable, gpointer user_data)
{
  T2pdActivation *self = user_data;
  g_autoptr (GError) error = NULL;

  g_cancellable_set_error_if_cancelled (cancellable, &error);
  fail (self, g_steal_pointer (&error));
}

static gboolean
resumed_source_cb (GCancellable *cancellable, gpointer user_data)
{
  resumed_cb (cancellable, user_data);
  return G_SOURCE_REMOVE;
}

/* Nothing but taking the tunnel down, or SIGKILL, ends a pause. */
static void
hold (T2pdActivation *self, const T2pdStep *step)
{
  g_autoptr (GSource) source = g_cancellable_source_new (g_task_get_cancellable (self->task));

  fprintf (stderr, "paused at %s\n", step->name);
  g_source_set_callback (source, G_SOURCE_FUNC (resumed_source_cb), g_object_ref (self),
                         g_object_unref);
  g_source_attach (source, g_main_context_get_thread_default ());
}

static void
run_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  T2pdActivation *self = T2PD_ACTIVATION (source);
  const T2pdStep *step = &self->steps[self->n_done];
  g_autoptr (GError) error = NULL;

  if (!g_task_propagate_boolean (G_TASK (result), &error))
    {
      self->hooks.undone (self->context, step, NULL);
      fail (self, g_steal_pointer (&error));
      return;
    }
  self->n_done++;
  if (g_strcmp0 (self->pause_at, step->name) == 0)
    hold (self, step);
  else
    run_next (self);
}

static void
run_next (T2pdActivation *self)
{
  GCancellable *cancellable = g_task_get_cancellable (self->task);
  const T2pdStep *step = &self->steps[self->n_done];
  GTask *task;
  GError *error = NULL;

  if (self->n_done == self->n_steps)
    {
      end (self);
      return;
    }
  if (g_cancellable_set_error_if_cancelled (cancellable, &error))
    {
      fail (self, error);
      return;
    }
  g_signal_emit (self, entered_signal, 0, (int) step->state);
  if (!self->hooks.begin (self->context, step, &error))
    {
      self->hooks.undone (self->context, step, NULL);
      fail (self, error);
      return;
    }
  task = g_task_new (self, cancellable, run_cb, NULL);
  /* A step that ended well although it was cancelled must be undone, not forgotten. */
  g_task_set_check_cancellable (task, FALSE);
  step->run (self->context, task);
}

/**
 * t2pd_activation_run_async:
 *
 * Runs the steps in order. When one fails, or @cancellable is cancelled, all those before it
 * are undone before the error is returned.
 *
 * Since: 0.1
 */
void
t2pd_activation_run_async (T2pdActivation *self,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  g_return_if_fail (self->task == NULL && self->n_done == 0);

  self->task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_check_cancellable (self->task, FALSE);
  run_next (self);
}

gboolean
t2pd_activation_run_finish (T2pdActivation *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
drained_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) ignored = NULL;

  g_task_propagate_boolean (G_TASK (result), &ignored);
  T2PD_ACTIVATION (source)->drain_until_us = 0;
  undo_next (T2PD_ACTIVATION (source));
}

/**
 * t2pd_activation_undo_async:
 * @drain_ms: for how long open connections may go on before anything is undone
 *
 * Walks the table backwards. It cannot fail: what could not be undone was told to the hook
 * `undone` and stays in the journal.
 *
 * Since: 0.1
 */
void
t2pd_activation_undo_async (T2pdActivation *self,
                            guint drain_ms,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_return_if_fail (self->task == NULL);

  self->task = g_task_new (self, NULL, callback, user_data);
  if (drain_ms > 0 && self->hooks.drain != NULL)
    {
      self->drain_until_us = g_get_monotonic_time () + (gint64) drain_ms * 1000;
      self->hooks.drain (self->context, drain_ms, g_task_new (self, NULL, drained_cb, NULL));
    }
  else
    undo_next (self);
}

/**
 * t2pd_activation_shorten_drain:
 * @drain_ms: from now on
 *
 * Has a drain that is under way end sooner; a longer one, or none, is left alone.
 *
 * Since: 0.1
 */
void
t2pd_activation_shorten_drain (T2pdActivation *self, guint drain_ms)
{
  gint64 until_us = g_get_monotonic_time () + (gint64) drain_ms * 1000;

  if (self->drain_until_us <= until_us)
    return;
  self->drain_until_us = until_us;
  /* The first drain's end goes on with the undoing; nobody waits for this one. */
  self->hooks.drain (self->context, drain_ms, g_task_new (self, NULL, NULL, NULL));
}

void
t2pd_activation_undo_finish (T2pdActivation *self, GAsyncResult *result)
{
  g_task_propagate_boolean (G_TASK (result), NULL);
}
