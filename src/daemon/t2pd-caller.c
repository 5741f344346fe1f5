/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * One subscription to NameOwnerChanged for all callers, since a bus gives a connection a few
 * hundred match rules and no more: with one for each caller, those who came after the last
 * would never be seen leaving. It is there before the first caller; and a caller is in the
 * table before the bus is asked for its uid, which fails when it has left. So one is either
 * heard leaving or found gone, whenever it went. */

#include "t2pd-caller.h"

#include "t2p-error.h"

#define BUS_NAME "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"

typedef struct
{
  char *sender;
  gboolean is_identified;
  guint32 uid;
  GPtrArray *waiting; /* GTask, while the bus is asked */
} Caller;

struct _T2pdCallers
{
  GObject parent;
  GDBusConnection *bus;
  guint subscription_id;
  GCancellable *cancellable;
  GHashTable *by_sender; /* name in Caller → Caller */
};

G_DEFINE_FINAL_TYPE (T2pdCallers, t2pd_callers, G_TYPE_OBJECT)

static guint vanished_signal;

static void
caller_free (Caller *caller)
{
  g_ptr_array_unref (caller->waiting);
  g_free (caller->sender);
  g_free (caller);
}

static void
t2pd_callers_dispose (GObject *object)
{
  T2pdCallers *self = T2PD_CALLERS (object);

  g_cancellable_cancel (self->cancellable);
  g_clear_pointer (&self->by_sender, g_hash_table_unref);
  g_clear_object (&self->cancellable);
  if (self->subscription_id != 0)
    g_dbus_connection_signal_unsubscribe (self->bus, self->subscription_id);
  self->subscription_id = 0;
  g_clear_object (&self->bus);
  G_OBJECT_CLASS (t2pd_callers_parent_class)->dispose (object);
}

static void
t2pd_callers_class_init (T2pdCallersClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = t2pd_callers_dispose;
  vanished_signal = g_signal_new ("vanished", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                  NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
t2pd_callers_init (T2pdCallers *self)
{
  self->cancellable = g_cancellable_new ();
  self->by_sender =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) caller_free);
}

static void
fail_waiting (GPtrArray *waiting, const char *sender)
{
  for (guint i = 0; i < waiting->len; i++)
    g_task_return_new_error (waiting->pdata[i], T2P_ERROR, T2P_ERROR_CANCELLED,
                             "caller %s left the bus", sender);
}

static void
forget (T2pdCallers *self, const char *sender)
{
  Caller *caller = g_hash_table_lookup (self->by_sender, sender);
  g_autoptr (GPtrArray) waiting = NULL;

  if (caller == NULL)
    return;
  waiting = g_ptr_array_ref (caller->waiting);
  g_hash_table_remove (self->by_sender, sender);
  fail_waiting (waiting, sender);
  g_signal_emit (self, vanished_signal, 0, sender);
}

static void
owner_changed_cb (GDBusConnection *bus,
                  const char *sender,
                  const char *path,
                  const char *interface,
                  const char *signal,
                  GVariant *parameters,
                  gpointer user_data)
{
  g_autoptr (T2pdCallers) self = g_object_ref (user_data);
  const char *name, *new_owner;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(sss)")))
    return;
  g_variant_get (parameters, "(&s&s&s)", &name, NULL, &new_owner);
  if (new_owner[0] == '\0')
    forget (self, name);
}

/**
 * t2pd_callers_new:
 * @bus: a connection to a message bus
 *
 * Since: 0.1
 */
T2pdCallers *
t2pd_callers_new (GDBusConnection *bus)
{
  T2pdCallers *self = g_object_new (T2PD_TYPE_CALLERS, NULL);

  self->bus = g_object_ref (bus);
  self->subscription_id = g_dbus_connection_signal_subscribe (
      bus, BUS_NAME, BUS_NAME, "NameOwnerChanged", BUS_PATH, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
      owner_changed_cb, self, NULL);
  return self;
}

static void
uid_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  g_autoptr (GTask) first = user_data;
  T2pdCallers *self = g_task_get_source_object (first);
  const char *sender = g_task_get_task_data (first);
  Caller *caller =
      self->by_sender != NULL ? g_hash_table_lookup (self->by_sender, sender) : NULL;
  g_autoptr (GPtrArray) waiting = NULL;

  if (caller == NULL) /* it left meanwhile, and everybody was told */
    return;
  waiting = g_steal_pointer (&caller->waiting);
  caller->waiting = g_ptr_array_new_with_free_func (g_object_unref);
  if (reply == NULL)
    {
      g_hash_table_remove (self->by_sender, sender);
      fail_waiting (waiting, sender);
      return;
    }
  g_variant_get (reply, "(u)", &caller->uid);
  caller->is_identified = TRUE;
  for (guint i = 0; i < waiting->len; i++)
    g_task_return_int (waiting->pdata[i], caller->uid);
}

static Caller *
caller_add (T2pdCallers *self, const char *sender, GTask *first)
{
  Caller *caller = g_new0 (Caller, 1);

  caller->sender = g_strdup (sender);
  caller->waiting = g_ptr_array_new_with_free_func (g_object_unref);
  g_hash_table_insert (self->by_sender, caller->sender, caller);
  g_dbus_connection_call (self->bus, BUS_NAME, BUS_PATH, BUS_NAME, "GetConnectionUnixUser",
                          g_variant_new ("(s)", sender), G_VARIANT_TYPE ("(u)"),
                          G_DBUS_CALL_FLAGS_NONE, -1, self->cancellable, uid_cb,
                          g_object_ref (first));
  return caller;
}

/**
 * t2pd_callers_identify_async:
 * @sender: a unique name
 *
 * Asks the bus for the uid of @sender.
 *
 * Since: 0.1
 */
void
t2pd_callers_identify_async (T2pdCallers *self,
                             const char *sender,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  Caller *caller = g_hash_table_lookup (self->by_sender, sender);

  g_task_set_task_data (task, g_strdup (sender), g_free);
  if (caller != NULL && caller->is_identified)
    {
      g_task_return_int (task, caller->uid);
      return;
    }
  if (caller == NULL)
    caller = caller_add (self, sender, task);
  g_ptr_array_add (caller->waiting, g_object_ref (task));
}

/**
 * t2pd_callers_identify_finish:
 * @out_uid: (out): the caller's user
 *
 * Returns: %FALSE with %T2P_ERROR_CANCELLED when the caller left first
 *
 * Since: 0.1
 */
gboolean
t2pd_callers_identify_finish (T2pdCallers *self,
                              GAsyncResult *result,
                              guint32 *out_uid,
                              GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gssize uid = g_task_propagate_int (G_TASK (result), &local_error);

  if (local_error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  *out_uid = (guint32) uid;
  return TRUE;
}

/**
 * t2pd_callers_is_known:
 *
 * Returns: whether @sender was identified and is still on the bus
 *
 * Since: 0.1
 */
gboolean
t2pd_callers_is_known (T2pdCallers *self, const char *sender)
{
  Caller *caller = g_hash_table_lookup (self->by_sender, sender);

  return caller != NULL && caller->is_identified;
}

gboolean
t2pd_callers_is_root (T2pdCallers *self, const char *sender)
{
  Caller *caller = g_hash_table_lookup (self->by_sender, sender);

  return caller != NULL && caller->is_identified && caller->uid == 0;
}
