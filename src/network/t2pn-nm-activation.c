/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An operation looks at what NetworkManager has, does the one next thing that can be done, and
 * looks again whenever libnm says that something has changed. It ends once: with the state that
 * it waited for, with one from which no way leads there, at its deadline, or when it is
 * cancelled.
 *
 * A volatile profile is gone when it is no longer active, so that a failed activation leaves
 * nothing. One that nobody waits for any more is told to go: a request cannot be taken back, so
 * that its answer is heard in any case. */
#include "config.h"

#include "t2pn-nm-activation.h"

#include "t2p-error.h"

#define DEADLINE_S 10

/** Goal: what an operation waits for. */
typedef enum
{
  GOAL_ACTIVATE,   /* a profile of ours, to be added */
  GOAL_AWAIT,      /* one that NetworkManager has, and brings up by itself */
  GOAL_DEACTIVATE, /* that there is none */
} Goal;

typedef struct
{
  NMClient *client;
  Goal goal;
  char *ifname;
  char *uuid;
  NMConnection *profile;      /* NULL: nothing is to be added */
  NMActiveConnection *active; /* NULL until it is there */
  NMDevice *device;           /* NULL until it is there */
  char *reason;               /* why the device failed */
  gboolean is_requested;
  GSource *deadline; /* NULL when the operation is over */
  GSource *cancelled;
} Operation;

static void
stop_source (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
operation_free (Operation *operation)
{
  stop_source (&operation->deadline);
  stop_source (&operation->cancelled);
  g_clear_object (&operation->client);
  g_clear_object (&operation->profile);
  g_clear_object (&operation->active);
  g_clear_object (&operation->device);
  g_free (operation->ifname);
  g_free (operation->uuid);
  g_free (operation->reason);
  g_free (operation);
}

/* The youngest of that name: one that was removed may still be listed. */
NMDevice *
t2pn_nm_find_device (NMClient *client, const char *ifname)
{
  const GPtrArray *devices = nm_client_get_all_devices (client);

  for (guint i = devices->len; i > 0; i--)
    {
      NMDevice *device = devices->pdata[i - 1];

      if (NM_IS_DEVICE_TUN (device) && g_strcmp0 (nm_device_get_iface (device), ifname) == 0)
        return device;
    }
  return NULL;
}

static NMActiveConnection *
find_active (NMClient *client, const char *uuid)
{
  const GPtrArray *actives = nm_client_get_active_connections (client);

  for (guint i = 0; i < actives->len; i++)
    if (g_strcmp0 (nm_active_connection_get_uuid (actives->pdata[i]), uuid) == 0)
      return actives->pdata[i];
  return NULL;
}

/* --- the end */

static void
forget_active (GTask *task)
{
  Operation *operation = g_task_get_task_data (task);

  if (operation->active != NULL)
    g_signal_handlers_disconnect_by_data (operation->active, task);
  g_clear_object (&operation->active);
}

static void
forget_device (GTask *task)
{
  Operation *operation = g_task_get_task_data (task);

  if (operation->device != NULL)
    g_signal_handlers_disconnect_by_data (operation->device, task);
  g_clear_object (&operation->device);
}

static void
given_up_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  if (!nm_client_deactivate_connection_finish (NM_CLIENT (source), result, &error))
    g_debug ("%s, ignoring", error->message);
}

static void
give_up (NMClient *client, NMActiveConnection *active)
{
  if (nm_active_connection_get_state (active) < NM_ACTIVE_CONNECTION_STATE_DEACTIVATING)
    nm_client_deactivate_connection_async (client, active, NULL, given_up_cb, NULL);
}

/* Takes @error, NULL for success. */
static void
end (GTask *task, GError *error)
{
  Operation *operation = g_task_get_task_data (task);

  if (operation->deadline == NULL)
    {
      g_clear_error (&error);
      return;
    }
  stop_source (&operation->deadline);
  stop_source (&operation->cancelled);
  g_signal_handlers_disconnect_by_data (operation->client, task);
  forget_device (task);
  if (error == NULL)
    g_task_return_pointer (task,
                           operation->active != NULL ? g_object_ref (operation->active) : NULL,
                           g_object_unref);
  else
    {
      if (operation->active != NULL && operation->goal == GOAL_ACTIVATE)
        give_up (operation->client, operation->active);
      g_task_return_error (task, error);
    }
  forget_active (task);
  g_object_unref (task); /* that of begin() */
}

static void G_GNUC_PRINTF (2, 3) fail (GTask *task, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  end (task, g_error_new_literal (T2P_ERROR, T2P_ERROR_NETWORK_MANAGER_FAILED, text));
}

static const char *
nick_of (GType type, int value)
{
  g_autoptr (GEnumClass) values = g_type_class_ref (type);
  const GEnumValue *found = g_enum_get_value (values, value);

  return found != NULL ? found->value_nick : "unknown";
}

static void
fail_deactivated (GTask *task)
{
  Operation *operation = g_task_get_task_data (task);
  int reason = (int) nm_active_connection_get_state_reason (operation->active);

  fail (task, "NetworkManager could not bring up the profile of %s: %s", operation->ifname,
        operation->reason != NULL ? operation->reason
                                  : nick_of (NM_TYPE_ACTIVE_CONNECTION_STATE_REASON, reason));
}

/* --- the next thing */

static void advance (GTask *task);

static void
device_state_cb (
    NMDevice *device, guint new_state, guint old_state, guint reason, gpointer user_data)
{
  Operation *operation = g_task_get_task_data (user_data);

  if (new_state != NM_DEVICE_STATE_FAILED)
    return;
  g_free (operation->reason);
  operation->reason = g_strdup (nick_of (NM_TYPE_DEVICE_STATE_REASON, (int) reason));
}

static void
active_state_cb (NMActiveConnection *active, guint state, guint reason, gpointer user_data)
{
  g_autoptr (GTask) task = g_object_ref (user_data);

  advance (task);
}

static void
take_active (GTask *task, NMActiveConnection *active)
{
  Operation *operation = g_task_get_task_data (task);

  if (active == NULL || operation->active != NULL)
    return;
  operation->active = g_object_ref (active);
  g_signal_connect (active, "state-changed", G_CALLBACK (active_state_cb), task);
}

static void
take_device (GTask *task)
{
  Operation *operation = g_task_get_task_data (task);
  NMDevice *device = t2pn_nm_find_device (operation->client, operation->ifname);

  if (device == operation->device)
    return;
  forget_device (task);
  if (device == NULL)
    return;
  operation->device = g_object_ref (device);
  g_signal_connect (device, "state-changed", G_CALLBACK (device_state_cb), task);
}

static void
added_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Operation *operation = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (NMActiveConnection) active =
      nm_client_add_and_activate_connection2_finish (operation->client, result, NULL, &error);

  if (active != NULL && operation->deadline == NULL)
    give_up (operation->client, active); /* nobody waits for it any more */
  else if (active != NULL)
    {
      take_active (task, active);
      advance (task);
    }
  else if (g_error_matches (error, NM_MANAGER_ERROR, NM_MANAGER_ERROR_UNKNOWN_DEVICE))
    operation->is_requested = FALSE; /* it was a link of that name that is gone: it will tell */
  else
    {
      g_dbus_error_strip_remote_error (error);
      fail (task, "NetworkManager does not take a profile for %s: %s", operation->ifname,
            error->message);
    }
}

static void
request_activation (GTask *task)
{
  Operation *operation = g_task_get_task_data (task);
  GVariantBuilder options;

  operation->is_requested = TRUE;
  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&options, "{sv}", "persist", g_variant_new_string ("volatile"));
  nm_client_add_and_activate_connection2 (
      operation->client, operation->profile, operation->device, NULL,
      g_variant_builder_end (&options), NULL, added_cb, g_object_ref (task));
}

static void
advance_activation (GTask *task)
{
  Operation *operation = g_task_get_task_data (task);
  NMActiveConnectionState state;

  take_device (task);
  if (operation->goal == GOAL_AWAIT)
    take_active (task, find_active (operation->client, operation->uuid));
  if (operation->active == NULL)
    {
      if (operation->goal == GOAL_ACTIVATE && operation->device != NULL &&
          !operation->is_requested)
        request_activation (task);
      return;
    }
  state = nm_active_connection_get_state (operation->active);
  if (state == NM_ACTIVE_CONNECTION_STATE_ACTIVATED)
    end (task, NULL);
  else if (state == NM_ACTIVE_CONNECTION_STATE_DEACTIVATED)
    fail_deactivated (task);
}

static void
deactivated_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;

  if (nm_client_deactivate_connection_finish (NM_CLIENT (source), result, &error) ||
      g_error_matches (error, NM_MANAGER_ERROR, NM_MANAGER_ERROR_CONNECTION_NOT_ACTIVE))
    {
      advance (task);
      return;
    }
  g_dbus_error_strip_remote_error (error);
  fail (task, "NetworkManager does not take down its profile: %s", error->message);
}

static void
advance_deactivation (GTask *task)
{
  Operation *operation = g_task_get_task_data (task);
  NMActiveConnection *active = find_active (operation->client, operation->uuid);

  if (active == NULL ||
      nm_active_connection_get_state (active) == NM_ACTIVE_CONNECTION_STATE_DEACTIVATED)
    {
      end (task, NULL);
      return;
    }
  take_active (task, active);
  if (operation->is_requested)
    return;
  operation->is_requested = TRUE;
  nm_client_deactivate_connection_async (operation->client, active, NULL, deactivated_cb,
                                         g_object_ref (task));
}

static void
advance (GTask *task)
{
  Operation *operation = g_task_get_task_data (task);

  if (operation->deadline == NULL)
    return;
  if (!nm_client_get_nm_running (operation->client))
    fail (task, "NetworkManager is not running");
  else if (operation->goal == GOAL_DEACTIVATE)
    advance_deactivation (task);
  else
    advance_activation (task);
}

/* --- the beginning */

static void
changed_cb (NMClient *client, gpointer what, gpointer user_data)
{
  g_autoptr (GTask) task = g_object_ref (user_data);

  advance (task);
}

static gboolean
too_late_cb (gpointer user_data)
{
  g_autoptr (GTask) task = g_object_ref (user_data);
  Operation *operation = g_task_get_task_data (task);

  if (operation->goal == GOAL_DEACTIVATE)
    fail (task, "NetworkManager has not taken down its profile within %d seconds", DEADLINE_S);
  else if (operation->device == NULL)
    fail (task, "NetworkManager has not noticed the link %s within %d seconds",
          operation->ifname, DEADLINE_S);
  else
    fail (task, "NetworkManager has not brought up %s within %d seconds: its state is %s",
          operation->ifname, DEADLINE_S,
          nick_of (NM_TYPE_DEVICE_STATE, (int) nm_device_get_state (operation->device)));
  return G_SOURCE_REMOVE;
}

static gboolean
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  g_autoptr (GTask) task = g_object_ref (user_data);
  GError *error = NULL;

  g_cancellable_set_error_if_cancelled (cancellable, &error);
  end (task, error);
  return G_SOURCE_REMOVE;
}

static void
watch (GTask *task)
{
  const char *const signals[] = { NM_CLIENT_ANY_DEVICE_ADDED, NM_CLIENT_ANY_DEVICE_REMOVED,
                                  NM_CLIENT_ACTIVE_CONNECTION_ADDED,
                                  NM_CLIENT_ACTIVE_CONNECTION_REMOVED,
                                  ("notify::" NM_CLIENT_NM_RUNNING) };
  Operation *operation = g_task_get_task_data (task);
  GMainContext *context = g_main_context_get_thread_default ();
  GCancellable *cancellable = g_task_get_cancellable (task);

  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    g_signal_connect (operation->client, signals[i], G_CALLBACK (changed_cb), task);
  operation->deadline = g_timeout_source_new_seconds (DEADLINE_S);
  g_source_set_callback (operation->deadline, too_late_cb, task, NULL);
  g_source_attach (operation->deadline, context);
  if (cancellable == NULL)
    return;
  operation->cancelled = g_cancellable_source_new (cancellable);
  g_source_set_callback (operation->cancelled, G_SOURCE_FUNC (cancelled_cb), task, NULL);
  g_source_attach (operation->cancelled, context);
}

/* Takes @operation and the reference of @task, until its end. */
static void
begin (GTask *task, Operation *operation, NMClient *client, const char *uuid)
{
  g_autoptr (GTask) alive = g_object_ref (task);

  operation->client = g_object_ref (client);
  operation->uuid = g_strdup (uuid);
  g_task_set_task_data (task, operation, (GDestroyNotify) operation_free);
  watch (task);
  advance (task);
}

void
t2pn_nm_activate_async (NMClient *client,
                        const char *ifname,
                        const char *uuid,
                        NMConnection *profile,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);
  Operation *operation = g_new0 (Operation, 1);

  g_task_set_source_tag (task, t2pn_nm_activate_async);
  operation->goal = profile != NULL ? GOAL_ACTIVATE : GOAL_AWAIT;
  operation->ifname = g_strdup (ifname);
  g_set_object (&operation->profile, profile);
  begin (task, operation, client, uuid);
}

NMActiveConnection *
t2pn_nm_activate_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

void
t2pn_nm_deactivate_async (NMClient *client,
                          const char *uuid,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  GTask *task = g_task_new (NULL, NULL, callback, user_data);
  Operation *operation = g_new0 (Operation, 1);

  g_task_set_source_tag (task, t2pn_nm_deactivate_async);
  operation->goal = GOAL_DEACTIVATE;
  begin (task, operation, client, uuid);
}

gboolean
t2pn_nm_deactivate_finish (GAsyncResult *result, GError **error)
{
  g_autoptr (NMActiveConnection) active = NULL;

  if (g_task_had_error (G_TASK (result)))
    return g_task_propagate_pointer (G_TASK (result), error) != NULL;
  active = g_task_propagate_pointer (G_TASK (result), NULL);
  return TRUE;
}
