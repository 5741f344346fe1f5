/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * t2pd_tunnel_change_state() is the only function that changes the state: it looks at the
 * transition table, notifies, logs. What is under way is never a flag:
 *
 *   preparing, connecting, configuring   the activation runs
 *   deactivating                         it is being undone, or a cancelled run walks back
 *   active, degraded, suspended with `failure` set
 *                                        it is being undone because something broke
 *
 * Whoever waits is in one of two lists: for "up or not", for "down". The first is bounded here,
 * the second by the callers' own check, because a tunnel that must go (its caller left, the
 * service ends) goes however many wait already.
 *
 * A tunnel that is being deleted never comes up again. That is no state, since nobody sees it:
 * it is the promise by which its owner may drop it from the set as soon as it is down. */

#include "t2pd-tunnel-private.h"

#include "t2p-log.h"
#include "t2p-names.h"
#include "t2pd-reason.h"

#define MAX_WAITERS 64

G_DEFINE_FINAL_TYPE (T2pdTunnel, t2pd_tunnel, G_TYPE_OBJECT)

enum
{
  STATE_CHANGED,
  CHANGED,
  MESSAGE,
  N_SIGNALS,
};
static guint signals[N_SIGNALS];

static void
t2pd_tunnel_dispose (GObject *object)
{
  T2pdTunnel *self = T2PD_TUNNEL (object);

  t2pd_tunnel_end_rollback (self);
  g_clear_object (&self->activation);
  g_clear_object (&self->context);
  g_clear_object (&self->bringing_up);
  G_OBJECT_CLASS (t2pd_tunnel_parent_class)->dispose (object);
}

static void
t2pd_tunnel_finalize (GObject *object)
{
  T2pdTunnel *self = T2PD_TUNNEL (object);

  t2pd_tunnel_clear_facts (self);
  g_clear_error (&self->failure);
  g_clear_pointer (&self->waiting_up, g_ptr_array_unref);
  g_clear_pointer (&self->waiting_down, g_ptr_array_unref);
  g_clear_pointer (&self->settings, t2p_settings_unref);
  g_free (self->keeper);
  g_free (self->message);
  g_free (self->name);
  g_free (self->path);
  G_OBJECT_CLASS (t2pd_tunnel_parent_class)->finalize (object);
}

static void
t2pd_tunnel_class_init (T2pdTunnelClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GType type = G_TYPE_FROM_CLASS (klass);

  object_class->dispose = t2pd_tunnel_dispose;
  object_class->finalize = t2pd_tunnel_finalize;
  signals[STATE_CHANGED] =
      g_signal_new ("state-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                    3, G_TYPE_INT, G_TYPE_INT, G_TYPE_INT);
  signals[CHANGED] =
      g_signal_new ("changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[MESSAGE] = g_signal_new ("message", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
t2pd_tunnel_init (T2pdTunnel *self)
{
  self->waiting_up = g_ptr_array_new_with_free_func (g_object_unref);
  self->waiting_down = g_ptr_array_new_with_free_func (g_object_unref);
}

/**
 * t2pd_tunnel_new:
 * @id: the number in its path, never used before in this boot
 * @name: a checked name
 * @owner: uid
 * @settings: (transfer none): frozen
 *
 * Since: 0.1
 */
T2pdTunnel *
t2pd_tunnel_new (guint64 id, const char *name, guint32 owner, T2pSettings *settings)
{
  T2pdTunnel *self = g_object_new (T2PD_TYPE_TUNNEL, NULL);

  self->id = id;
  self->name = g_strdup (name);
  self->path = g_strdup_printf (T2P_TUNNEL_PATH_PREFIX "%" G_GUINT64_FORMAT, id);
  self->owner = owner;
  self->settings = t2p_settings_ref (settings);
  return self;
}

/* --- the state machine */

/* Everybody in @list (emptied first, because the answers may lead back here) gets @error, or
 * success when it is NULL. */
static void
answer (GPtrArray **list, const GError *error)
{
  g_autoptr (GPtrArray) waiting = g_steal_pointer (list);

  *list = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < waiting->len; i++)
    if (error != NULL)
      g_task_return_error (waiting->pdata[i], g_error_copy (error));
    else
      g_task_return_boolean (waiting->pdata[i], TRUE);
}

void
t2pd_tunnel_change_state (T2pdTunnel *self, T2pTunnelState state, T2pStateReason reason)
{
  T2pTunnelState old = self->state;

  if (old == state && self->reason == reason)
    return;
  if (old != state && !t2p_tunnel_state_may_follow (old, state))
    {
      t2p_log_error (self->name, NULL, "state %s must not follow %s, ignoring",
                     t2p_tunnel_state_to_string (state), t2p_tunnel_state_to_string (old));
      return;
    }
  self->state = state;
  self->reason = reason;
  if (t2pd_tunnel_is_up (self) && self->active_since_us == 0)
    self->active_since_us = g_get_real_time ();
  else if (!t2pd_tunnel_is_up (self))
    self->active_since_us = 0;
  t2p_log_notice (self->name, NULL, "%s -> %s (%s)", t2p_tunnel_state_to_string (old),
                  t2p_tunnel_state_to_string (state), t2p_state_reason_to_string (reason));
  g_signal_emit (self, signals[STATE_CHANGED], 0, (int) old, (int) state, (int) reason);
}

/* Everything is undone: inactive when that was asked for, else failed. */
static void
settle_down (T2pdTunnel *self, const GError *error)
{
  g_autoptr (GError) cancelled = NULL;

  t2pd_tunnel_forget_impairments (self);
  if (self->state == T2P_TUNNEL_STATE_DEACTIVATING)
    {
      t2pd_tunnel_change_state (self, T2P_TUNNEL_STATE_INACTIVE, self->reason);
      cancelled = g_error_new (T2P_ERROR, T2P_ERROR_CANCELLED, "tunnel '%s' was deactivated",
                               self->name);
      answer (&self->waiting_up, cancelled);
    }
  else
    {
      t2p_log_warning (self->name, error, "could not be kept up");
      t2pd_tunnel_tell (self, error->message);
      t2pd_tunnel_change_state (self, T2P_TUNNEL_STATE_FAILED, t2pd_reason_from_error (error));
      answer (&self->waiting_up, error);
    }
  answer (&self->waiting_down, NULL);
}

static void
undone_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdTunnel) self = user_data;
  g_autoptr (GError) failure = g_steal_pointer (&self->failure);

  t2pd_activation_undo_finish (T2PD_ACTIVATION (source), result);
  settle_down (self, failure);
}

static void
entered_cb (T2pdActivation *activation, int state, gpointer user_data)
{
  T2pdTunnel *self = T2PD_TUNNEL (user_data);

  if (self->state != T2P_TUNNEL_STATE_DEACTIVATING && (int) self->state != state)
    t2pd_tunnel_change_state (self, (T2pTunnelState) state, T2P_STATE_REASON_NONE);
}

static void
up_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdTunnel) self = user_data;
  g_autoptr (GError) error = NULL;
  gboolean ok = t2pd_activation_run_finish (T2PD_ACTIVATION (source), result, &error);

  g_clear_object (&self->bringing_up);
  if (!ok)
    {
      g_autoptr (GError) failure = g_steal_pointer (&self->failure);

      settle_down (self, failure != NULL ? failure : error);
    }
  else if (self->state == T2P_TUNNEL_STATE_DEACTIVATING || self->failure != NULL)
    t2pd_activation_undo_async (self->activation, 0, undone_cb, g_object_ref (self));
  else
    {
      /* `degraded` follows `active` only. */
      t2pd_tunnel_change_state (self, T2P_TUNNEL_STATE_ACTIVE, T2P_STATE_REASON_NONE);
      t2pd_tunnel_settle_up (self);
      answer (&self->waiting_up, NULL);
    }
}

static void
bring_up (T2pdTunnel *self)
{
  self->bringing_up = g_cancellable_new ();
  t2pd_tunnel_forget_impairments (self);
  g_clear_pointer (&self->message, g_free);
  t2pd_tunnel_change_state (self, T2P_TUNNEL_STATE_PREPARING, T2P_STATE_REASON_USER_REQUESTED);
  t2pd_activation_run_async (self->activation, self->bringing_up, up_cb, g_object_ref (self));
}

static gboolean
check_waiting (T2pdTunnel *self, const GPtrArray *list, GError **error)
{
  if (list->len < MAX_WAITERS)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_BUSY, "%u calls wait for tunnel '%s' already",
               list->len, self->name);
  return FALSE;
}

static gboolean
wait_up (T2pdTunnel *self, GTask *task)
{
  GError *error = NULL;

  if (!check_waiting (self, self->waiting_up, &error))
    {
      g_task_return_error (task, error);
      return FALSE;
    }
  g_ptr_array_add (self->waiting_up, g_object_ref (task));
  return TRUE;
}

/**
 * t2pd_tunnel_activate_async:
 *
 * Brings the tunnel up, or joins those who wait for it. Done when it is up, or everything that
 * was begun is undone.
 *
 * Since: 0.1
 */
void
t2pd_tunnel_activate_async (T2pdTunnel *self, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, user_data);

  if (self->is_being_deleted)
    {
      g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_NOT_FOUND,
                               "tunnel '%s' is being deleted", self->name);
      return;
    }
  switch (self->state)
    {
    case T2P_TUNNEL_STATE_INACTIVE:
    case T2P_TUNNEL_STATE_FAILED:
      if (wait_up (self, task))
        bring_up (self);
      return;
    case T2P_TUNNEL_STATE_PREPARING:
    case T2P_TUNNEL_STATE_CONNECTING:
    case T2P_TUNNEL_STATE_CONFIGURING:
      wait_up (self, task);
      return;
    case T2P_TUNNEL_STATE_ACTIVE:
    case T2P_TUNNEL_STATE_DEGRADED:
    case T2P_TUNNEL_STATE_SUSPENDED:
      g_task_return_boolean (task, TRUE);
      return;
    case T2P_TUNNEL_STATE_DEACTIVATING:
      g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_BUSY,
                               "tunnel '%s' is being deactivated", self->name);
      return;
    }
}

/**
 * t2pd_tunnel_activate_finish:
 *
 * Returns: %FALSE with the error of the step that failed, %T2P_ERROR_CANCELLED,
 *   %T2P_ERROR_BUSY, or %T2P_ERROR_NOT_FOUND when the tunnel is being deleted
 *
 * Since: 0.1
 */
gboolean
t2pd_tunnel_activate_finish (T2pdTunnel *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
take_down (T2pdTunnel *self, T2pStateReason reason, guint drain_ms)
{
  gboolean is_undoing = self->failure != NULL;

  t2pd_tunnel_change_state (self, T2P_TUNNEL_STATE_DEACTIVATING, reason);
  if (self->bringing_up != NULL)
    g_cancellable_cancel (self->bringing_up);
  else if (!is_undoing)
    t2pd_activation_undo_async (self->activation, drain_ms, undone_cb, g_object_ref (self));
}

/**
 * t2pd_tunnel_deactivate_async:
 * @reason: told with the state
 * @drain_ms: for how long open connections may go on
 *
 * Takes the tunnel down. Done when everything is undone. It cannot fail. When the tunnel is on
 * its way down already, this joins those who wait for it; a shorter @drain_ms than what is left
 * of theirs holds for all.
 *
 * Since: 0.1
 */
void
t2pd_tunnel_deactivate_async (T2pdTunnel *self,
                              T2pStateReason reason,
                              guint drain_ms,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, user_data);

  switch (self->state)
    {
    case T2P_TUNNEL_STATE_FAILED:
      t2pd_tunnel_change_state (self, T2P_TUNNEL_STATE_INACTIVE, reason);
      g_task_return_boolean (task, TRUE);
      return;
    case T2P_TUNNEL_STATE_INACTIVE:
      g_task_return_boolean (task, TRUE);
      return;
    case T2P_TUNNEL_STATE_DEACTIVATING:
      g_ptr_array_add (self->waiting_down, g_object_ref (task));
      t2pd_activation_shorten_drain (self->activation, drain_ms);
      return;
    case T2P_TUNNEL_STATE_PREPARING:
    case T2P_TUNNEL_STATE_CONNECTING:
    case T2P_TUNNEL_STATE_CONFIGURING:
    case T2P_TUNNEL_STATE_ACTIVE:
    case T2P_TUNNEL_STATE_DEGRADED:
    case T2P_TUNNEL_STATE_SUSPENDED:
      g_ptr_array_add (self->waiting_down, g_object_ref (task));
      take_down (self, reason, drain_ms);
      return;
    }
}

void
t2pd_tunnel_deactivate_finish (T2pdTunnel *self, GAsyncResult *result)
{
  g_task_propagate_boolean (G_TASK (result), NULL);
}

/**
 * t2pd_tunnel_check_waiting_down:
 *
 * Returns: %FALSE with %T2P_ERROR_BUSY when so many wait for the tunnel to be down that a
 * caller must not be added to them
 *
 * Since: 0.1
 */
gboolean
t2pd_tunnel_check_waiting_down (T2pdTunnel *self, GError **error)
{
  return check_waiting (self, self->waiting_down, error);
}

/**
 * t2pd_tunnel_delete_async:
 *
 * Takes the tunnel down, without a drain, and keeps it there: from now on it cannot be
 * activated. Ends with t2pd_tunnel_deactivate_finish().
 *
 * Since: 0.1
 */
void
t2pd_tunnel_delete_async (T2pdTunnel *self,
                          T2pStateReason reason,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  self->is_being_deleted = TRUE;
  t2pd_tunnel_deactivate_async (self, reason, 0, callback, user_data);
}

/**
 * t2pd_tunnel_fail:
 * @error: what broke
 *
 * Something that the tunnel cannot live without is gone: everything is undone, then the state
 * is `failed`. Does nothing when that is already happening.
 *
 * Since: 0.1
 */
void
t2pd_tunnel_fail (T2pdTunnel *self, const GError *error)
{
  if (self->failure != NULL)
    return;
  if (self->bringing_up != NULL)
    {
      /* up_cb() finds it, whether the run ends well or not. */
      self->failure = g_error_copy (error);
      g_cancellable_cancel (self->bringing_up);
    }
  else if (t2pd_tunnel_is_up (self))
    {
      self->failure = g_error_copy (error);
      t2pd_activation_undo_async (self->activation, 0, undone_cb, g_object_ref (self));
    }
}

void
t2pd_tunnel_set_activation (T2pdTunnel *self, T2pdActivation *activation, GObject *context)
{
  g_return_if_fail (self->activation == NULL);

  self->activation = g_object_ref (activation);
  self->context = context != NULL ? g_object_ref (context) : NULL;
  g_signal_connect_object (activation, "entered", G_CALLBACK (entered_cb), self, 0);
}
