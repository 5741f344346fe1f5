/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-nm-client-private.h"

#include "t2p-error.h"
#include "t2pn-nm-profile.h"

#include <stdio.h>

/* Routes of type throw and unreachable in profiles. */
#define LEAST_MAJOR 1
#define LEAST_MINOR 36
/* For which nobody waits longer: one that hangs is none. */
#define READY_TIMEOUT_S 5

struct _T2pnNmClient
{
  GObject parent;
  NMClient *client;   /* NULL until it is there */
  GError *failure;    /* why it never will be */
  GPtrArray *waiting; /* of GTask */
  GSource *patience;  /* of those who wait; NULL when it is over, or nobody does */
  GCancellable *cancellable;
};

G_DEFINE_FINAL_TYPE (T2pnNmClient, t2pn_nm_client, G_TYPE_OBJECT)

enum
{
  CHANGED,
  RUNNING,
  N_SIGNALS,
};
static guint signals[N_SIGNALS];

static void
stop_patience (T2pnNmClient *self)
{
  if (self->patience != NULL)
    g_source_destroy (self->patience);
  g_clear_pointer (&self->patience, g_source_unref);
}

static void
answer_waiting (T2pnNmClient *self)
{
  g_autoptr (GPtrArray) waiting = g_steal_pointer (&self->waiting);

  stop_patience (self);
  self->waiting = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < waiting->len; i++)
    g_task_return_boolean (waiting->pdata[i], TRUE);
}

static gboolean
patience_cb (gpointer user_data)
{
  answer_waiting (user_data);
  return G_SOURCE_REMOVE;
}

static void
start_patience (T2pnNmClient *self)
{
  if (self->patience != NULL)
    return;
  self->patience = g_timeout_source_new_seconds (READY_TIMEOUT_S);
  g_source_set_callback (self->patience, patience_cb, self, NULL);
  g_source_attach (self->patience, g_main_context_get_thread_default ());
}

static void
t2pn_nm_client_dispose (GObject *object)
{
  T2pnNmClient *self = T2PN_NM_CLIENT (object);

  g_cancellable_cancel (self->cancellable);
  stop_patience (self);
  g_clear_object (&self->client);
  G_OBJECT_CLASS (t2pn_nm_client_parent_class)->dispose (object);
}

static void
t2pn_nm_client_finalize (GObject *object)
{
  T2pnNmClient *self = T2PN_NM_CLIENT (object);

  g_clear_error (&self->failure);
  g_ptr_array_unref (self->waiting);
  g_object_unref (self->cancellable);
  G_OBJECT_CLASS (t2pn_nm_client_parent_class)->finalize (object);
}

static void
t2pn_nm_client_class_init (T2pnNmClientClass *klass)
{
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = t2pn_nm_client_dispose;
  G_OBJECT_CLASS (klass)->finalize = t2pn_nm_client_finalize;
  signals[CHANGED] =
      g_signal_new ("changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[RUNNING] = g_signal_new ("running", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 1, G_TYPE_BOOLEAN);
}

static void
t2pn_nm_client_init (T2pnNmClient *self)
{
  self->waiting = g_ptr_array_new_with_free_func (g_object_unref);
  self->cancellable = g_cancellable_new ();
}

static void
running_cb (NMClient *client, GParamSpec *property, gpointer user_data)
{
  g_signal_emit (user_data, signals[RUNNING], 0, nm_client_get_nm_running (client));
  g_signal_emit (user_data, signals[CHANGED], 0);
}

static void
version_cb (NMClient *client, GParamSpec *property, gpointer user_data)
{
  g_signal_emit (user_data, signals[CHANGED], 0);
}

static void
made_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pnNmClient) self = user_data;
  GError *error = NULL;
  GObject *client = g_async_initable_new_finish (G_ASYNC_INITABLE (source), result, &error);

  if (client == NULL)
    self->failure = error;
  else
    {
      self->client = NM_CLIENT (client);
      g_signal_connect_object (client, "notify::" NM_CLIENT_NM_RUNNING, G_CALLBACK (running_cb),
                               self, 0);
      g_signal_connect_object (client, "notify::" NM_CLIENT_VERSION, G_CALLBACK (version_cb),
                               self, 0);
    }
  answer_waiting (self);
  g_signal_emit (self, signals[CHANGED], 0);
}

T2pnNmClient *
t2pn_nm_client_new (GDBusConnection *bus)
{
  T2pnNmClient *self = g_object_new (T2PN_TYPE_NM_CLIENT, NULL);

  g_async_initable_new_async (NM_TYPE_CLIENT, G_PRIORITY_DEFAULT, self->cancellable, made_cb,
                              g_object_ref (self), NM_CLIENT_DBUS_CONNECTION, bus,
                              NM_CLIENT_INSTANCE_FLAGS,
                              (guint) NM_CLIENT_INSTANCE_FLAGS_NO_AUTO_FETCH_PERMISSIONS, NULL);
  return self;
}

void
t2pn_nm_client_ready_async (T2pnNmClient *self,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, t2pn_nm_client_ready_async);
  if (self->client == NULL && self->failure == NULL)
    {
      g_ptr_array_add (self->waiting, task);
      start_patience (self);
      return;
    }
  g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

gboolean
t2pn_nm_client_ready_finish (T2pnNmClient *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

gboolean
t2pn_nm_client_is_recent (const char *version)
{
  int major = 0, minor = 0;

  return version != NULL && sscanf (version, "%d.%d", &major, &minor) == 2 &&
         (major > LEAST_MAJOR || (major == LEAST_MAJOR && minor >= LEAST_MINOR));
}

gboolean
t2pn_nm_client_check (T2pnNmClient *self, GError **error)
{
  const char *version = NULL;

  if (self->failure != NULL)
    g_set_error (error, T2P_ERROR, T2P_ERROR_NETWORK_MANAGER_FAILED,
                 "NetworkManager cannot be asked: %s", self->failure->message);
  else if (self->client == NULL)
    g_set_error_literal (error, T2P_ERROR, T2P_ERROR_NETWORK_MANAGER_FAILED,
                         "NetworkManager has not answered yet");
  else if (!nm_client_get_nm_running (self->client))
    g_set_error_literal (error, T2P_ERROR, T2P_ERROR_NETWORK_MANAGER_FAILED,
                         "NetworkManager is not running");
  else if (!t2pn_nm_client_is_recent (version = nm_client_get_version (self->client)))
    g_set_error (error, T2P_ERROR, T2P_ERROR_NETWORK_MANAGER_FAILED,
                 "NetworkManager is version %s, expected %d.%d or later",
                 version != NULL ? version : "unknown", LEAST_MAJOR, LEAST_MINOR);
  else
    return TRUE;
  return FALSE;
}

int
t2pn_nm_client_get_dns_priority (T2pnNmClient *self)
{
  if (self->client == NULL)
    return 0;
  return t2pn_nm_dns_priority (nm_client_get_dns_mode (self->client),
                               nm_client_get_dns_rc_manager (self->client));
}

gboolean
t2pn_nm_client_tells_resolved (T2pnNmClient *self)
{
  return self->client != NULL &&
         g_strcmp0 (nm_client_get_dns_mode (self->client), "systemd-resolved") == 0;
}

NMClient *
t2pn_nm_client_peek (T2pnNmClient *self)
{
  return self->client;
}
