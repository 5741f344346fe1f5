/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * An arm is added when a tunnel that wants one has its routes, and outlives the tunnel, the
 * worker and the daemon: the table is the kernel's, and what it was made from stands in a file,
 * written first. It goes when the tunnel was taken down because somebody wanted it (any
 * transition to `inactive`), or could not be brought up the first time; with `always` only when
 * it is switched off. So a tunnel that fails, and a daemon that is killed, leave it as it is.
 *
 *   RUNTIME_DIR/kill-switch.json   what is in force: the next daemon of this boot reads it
 *   STATE_DIR/kill-switch.json     arms of `always`: loaded before the network is there
 *
 * An arm whose tunnel this daemon does not know waits for its return: the same owner and name.
 */

#include "t2pd-kill-switch.h"

#include "t2p-log.h"
#include "t2pd-kill-switch-left.h"
#include "t2pd-kill-switch-table.h"

struct _T2pdKillSwitch
{
  GObject parent;
  const T2pdOptions *options;
  T2pdManager *manager;
  T2pnKillSwitch *current;
  T2pdKillSwitchTable *table;
  T2pdKillSwitchState state;
  gboolean is_held;
};

G_DEFINE_FINAL_TYPE (T2pdKillSwitch, t2pd_kill_switch, G_TYPE_OBJECT)

static guint changed_signal;

static void
t2pd_kill_switch_dispose (GObject *object)
{
  T2pdKillSwitch *self = T2PD_KILL_SWITCH (object);

  g_clear_pointer (&self->table, t2pd_kill_switch_table_free);
  g_clear_object (&self->manager);
  G_OBJECT_CLASS (t2pd_kill_switch_parent_class)->dispose (object);
}

static void
t2pd_kill_switch_finalize (GObject *object)
{
  T2pdKillSwitch *self = T2PD_KILL_SWITCH (object);

  g_clear_pointer (&self->current, t2pn_kill_switch_free);
  G_OBJECT_CLASS (t2pd_kill_switch_parent_class)->finalize (object);
}

static void
t2pd_kill_switch_class_init (T2pdKillSwitchClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = t2pd_kill_switch_dispose;
  G_OBJECT_CLASS (klass)->finalize = t2pd_kill_switch_finalize;
  changed_signal = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                 NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
t2pd_kill_switch_init (T2pdKillSwitch *self)
{
  self->current = t2pn_kill_switch_new ();
}

/* --- the state */

const char *
t2pd_kill_switch_state_to_string (T2pdKillSwitchState state)
{
  switch (state)
    {
    case T2PD_KILL_SWITCH_OFF:
      return "off";
    case T2PD_KILL_SWITCH_ARMED:
      return "armed";
    case T2PD_KILL_SWITCH_BLOCKING:
      return "blocking";
    }
  return "off";
}

T2pdKillSwitchState
t2pd_kill_switch_get_state (T2pdKillSwitch *self)
{
  return self->state;
}

static gboolean
works (T2pdKillSwitch *self, const T2pnKillSwitchArm *arm)
{
  T2pdTunnel *tunnel = t2pd_manager_find (self->manager, arm->owner_uid, arm->name);

  return tunnel != NULL && t2pd_tunnel_get_state (tunnel) == T2P_TUNNEL_STATE_ACTIVE;
}

/* A tunnel that is being brought up for the first time is no business of anybody yet. */
static T2pdKillSwitchState
find_state (T2pdKillSwitch *self)
{
  T2pdKillSwitchState state = T2PD_KILL_SWITCH_OFF;

  for (guint i = 0; i < self->current->arms->len; i++)
    {
      const T2pnKillSwitchArm *arm = g_ptr_array_index (self->current->arms, i);

      if (!arm->has_been_up)
        continue;
      if (!works (self, arm))
        return T2PD_KILL_SWITCH_BLOCKING;
      state = T2PD_KILL_SWITCH_ARMED;
    }
  return state;
}

static void
show_state (T2pdKillSwitch *self)
{
  T2pdKillSwitchState state = find_state (self);

  if (state == self->state)
    return;
  t2p_log_notice (NULL, NULL, "kill switch: %s -> %s",
                  t2pd_kill_switch_state_to_string (self->state),
                  t2pd_kill_switch_state_to_string (state));
  self->state = state;
  g_signal_emit (self, changed_signal, 0);
}

/* --- the files and the table */

static gboolean
save (T2pdKillSwitch *self, GError **error)
{
  g_autofree char *runtime = t2pd_kill_switch_file_of_boot (self->options);
  g_autofree char *state = t2pd_kill_switch_file_of_next_boot (self->options);

  return t2pn_kill_switch_save (self->current, runtime, FALSE, error) &&
         t2pn_kill_switch_save (self->current, state, TRUE, error);
}

static gboolean
load (T2pdKillSwitch *self, GError **error)
{
  return t2pd_kill_switch_table_load (self->table, self->current, error);
}

/* For what nobody waits for. */
static void
reload (T2pdKillSwitch *self)
{
  g_autoptr (GError) error = NULL;

  if (!load (self, &error))
    t2p_log_warning (NULL, error, "kill switch: its table could not be changed, ignoring");
}

/* --- arms */

static void
forget_what_was_seen (T2pdKillSwitch *self)
{
  if (self->current->arms->len > 0)
    return;
  g_array_set_size (self->current->servers, 0);
  g_array_set_size (self->current->check_hosts, 0);
  self->current->is_portal_open = FALSE;
}

/* What began before anything is tracked looks like what begins now. */
static void
note_servers (T2pdKillSwitch *self)
{
  g_autoptr (GArray) servers = NULL;

  if (self->current->arms->len > 0)
    return;
  servers = t2pn_kill_switch_list_servers ();
  g_array_append_vals (self->current->servers, servers->data, servers->len);
}

/* The table first: a file of nothing would leave one that nobody knows of. */
static gboolean
settle_removal (T2pdKillSwitch *self, GError **error)
{
  gboolean ok;

  forget_what_was_seen (self);
  ok = load (self, error) && save (self, error);
  show_state (self);
  return ok;
}

static void
release (T2pdKillSwitch *self, T2pnKillSwitchArm *arm)
{
  g_autoptr (GError) error = NULL;

  t2p_log_notice (arm->name, NULL, "kill switch: disarmed");
  g_ptr_array_remove (self->current->arms, arm);
  if (!settle_removal (self, &error))
    t2p_log_warning (NULL, error, "kill switch: could not be disarmed, ignoring");
}

/* --- tunnels come and go */

static gboolean
is_over (T2pdKillSwitch *self, const T2pnKillSwitchArm *arm, T2pTunnelState state)
{
  if (self->is_held)
    return FALSE;
  if (state == T2P_TUNNEL_STATE_FAILED)
    return !arm->has_been_up;
  return state == T2P_TUNNEL_STATE_INACTIVE && (!arm->is_always || !arm->has_been_up);
}

static void
state_changed_cb (T2pdTunnel *tunnel, int old, int new, int reason, gpointer user_data)
{
  T2pdKillSwitch *self = T2PD_KILL_SWITCH (user_data);
  T2pnKillSwitchArm *arm = t2pn_kill_switch_find_arm (
      self->current, t2pd_tunnel_get_owner (tunnel), t2pd_tunnel_get_name (tunnel));

  if (arm != NULL && is_over (self, arm, (T2pTunnelState) new))
    {
      release (self, arm);
      return;
    }
  if (arm != NULL && new == T2P_TUNNEL_STATE_ACTIVE)
    arm->has_been_up = TRUE;
  if (self->current->arms->len == 0)
    return;
  reload (self); /* links */
  show_state (self);
}

static void
added_cb (T2pdManager *manager, T2pdTunnel *tunnel, gpointer user_data)
{
  g_signal_connect_object (tunnel, "state-changed", G_CALLBACK (state_changed_cb), user_data,
                           0);
}

T2pdKillSwitch *
t2pd_kill_switch_new (const T2pdOptions *options, T2pdManager *manager)
{
  T2pdKillSwitch *self = g_object_new (T2PD_TYPE_KILL_SWITCH, NULL);

  self->options = options;
  self->manager = g_object_ref (manager);
  self->table = t2pd_kill_switch_table_new (manager);
  g_signal_connect_object (manager, "added", G_CALLBACK (added_cb), self, 0);
  return self;
}

gboolean
t2pd_kill_switch_restore (T2pdKillSwitch *self, GError **error)
{
  T2pnKillSwitch *left = t2pd_kill_switch_read_left (self->options, error);

  if (left == NULL)
    return FALSE;
  t2pn_kill_switch_free (self->current);
  self->current = left;
  if (left->arms->len == 0)
    return TRUE;
  /* Those who were let in before may still be here. */
  g_array_unref (left->servers);
  left->servers = t2pn_kill_switch_list_servers ();
  if (!load (self, error))
    return FALSE;
  show_state (self);
  return save (self, error);
}

guint32
t2pd_kill_switch_get_mark (T2pdKillSwitch *self)
{
  return self->current->marks->len > 0 ? g_array_index (self->current->marks, guint32, 0) : 0;
}

gboolean
t2pd_kill_switch_allow (T2pdKillSwitch *self, guint32 mark, guint32 worker_uid, GError **error)
{
  t2pn_kill_switch_add_mark (self->current, mark);
  t2pn_kill_switch_add_worker_uid (self->current, worker_uid);
  return self->current->arms->len == 0 || (save (self, error) && load (self, error));
}

const T2pnKillSwitchArm *
t2pd_kill_switch_find (T2pdKillSwitch *self, T2pdTunnel *tunnel)
{
  return t2pn_kill_switch_find_arm (self->current, t2pd_tunnel_get_owner (tunnel),
                                    t2pd_tunnel_get_name (tunnel));
}

/* Takes the old arm back. */
static gboolean
take_back (T2pdKillSwitch *self, T2pnKillSwitchArm *arm, T2pnKillSwitchArm *old)
{
  g_ptr_array_remove (self->current->arms, arm);
  if (old != NULL)
    g_ptr_array_add (self->current->arms, old);
  forget_what_was_seen (self);
  save (self, NULL);
  return FALSE;
}

gboolean
t2pd_kill_switch_arm (T2pdKillSwitch *self,
                      T2pdTunnel *tunnel,
                      T2pnKillSwitchArm *arm,
                      GError **error)
{
  GPtrArray *arms = self->current->arms;
  T2pnKillSwitchArm *old = t2pn_kill_switch_find_arm (self->current, arm->owner_uid, arm->name);
  guint index;

  note_servers (self);
  if (old != NULL && g_ptr_array_find (arms, old, &index))
    g_ptr_array_steal_index (arms, index);
  arm->has_been_up = arm->has_been_up || (old != NULL && old->has_been_up) ||
                     t2pd_tunnel_get_state (tunnel) == T2P_TUNNEL_STATE_ACTIVE;
  g_ptr_array_add (arms, arm);
  if (!save (self, error) || !load (self, error))
    return take_back (self, arm, old);
  if (old == NULL)
    t2p_log_notice (arm->name, NULL, "kill switch: armed (%s)",
                    arm->is_always ? "always" : "on-failure");
  t2pn_kill_switch_arm_free (old);
  show_state (self);
  return TRUE;
}

gboolean
t2pd_kill_switch_set_always (T2pdKillSwitch *self,
                             guint32 owner_uid,
                             const char *name,
                             gboolean is_always,
                             GError **error)
{
  T2pnKillSwitchArm *arm = t2pn_kill_switch_find_arm (self->current, owner_uid, name);

  if (arm == NULL)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_FOUND,
                   "there is no tunnel '%s' that is up or armed", name);
      return FALSE;
    }
  arm->is_always = is_always;
  return save (self, error);
}

gboolean
t2pd_kill_switch_disarm (T2pdKillSwitch *self,
                         guint32 owner_uid,
                         const char *name,
                         GError **error)
{
  T2pnKillSwitchArm *arm =
      name != NULL ? t2pn_kill_switch_find_arm (self->current, owner_uid, name) : NULL;

  if (name == NULL)
    g_ptr_array_set_size (self->current->arms, 0);
  else if (arm != NULL)
    g_ptr_array_remove (self->current->arms, arm);
  return settle_removal (self, error);
}

void
t2pd_kill_switch_hold (T2pdKillSwitch *self)
{
  self->is_held = TRUE;
}

void
t2pd_kill_switch_set_portal_open (T2pdKillSwitch *self, gboolean is_open)
{
  if (self->current->is_portal_open == is_open)
    return;
  self->current->is_portal_open = is_open;
  reload (self);
}

void
t2pd_kill_switch_set_check_hosts (T2pdKillSwitch *self, const GArray *hosts)
{
  if (self->current->arms->len == 0)
    return;
  g_array_set_size (self->current->check_hosts, 0);
  g_array_append_vals (self->current->check_hosts, hosts->data, hosts->len);
  reload (self);
}

const T2pnKillSwitchArm *
t2pd_kill_switch_find_refusal (T2pdKillSwitch *self, const T2pnFlow *flow)
{
  return t2pn_kill_switch_find_refusal (self->current, flow);
}
