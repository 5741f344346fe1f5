/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-client.h"

#include "t2p-client-private.h"
#include "t2p-names.h"

/**
 * T2pClient:
 *
 * The service `org.tun2proxy.Manager` and its tunnels.
 *
 * A client is a [iface@Gio.ListModel] of [class@Tunnel]. It follows the service: when the
 * service stops, [property@Client:is-running] becomes %FALSE and all tunnels are removed; when
 * it starts again, they come back as new objects. Making a client does not start the service;
 * calling a method does, where bus activation is set up. Signals come in the main context that
 * was the thread-default one when the client was made. A client is for one thread.
 *
 * Since: 0.1
 */
static void initable_iface_init (GInitableIface *iface);
static void async_initable_iface_init (GAsyncInitableIface *iface);
static void list_model_iface_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (T2pClient,
                               t2p_client,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_INITABLE, initable_iface_init)
                                   G_IMPLEMENT_INTERFACE (G_TYPE_ASYNC_INITABLE,
                                                          async_initable_iface_init)
                                       G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL,
                                                              list_model_iface_init))

static const T2pCachedProperty rows[T2P_CLIENT_N_PROPS] = {
  [T2P_CLIENT_PROP_VERSION] = { "Version", "s" },
  [T2P_CLIENT_PROP_FEATURES] = { "Features", "as" },
  [T2P_CLIENT_PROP_DEFAULT_ROUTE_TUNNEL] = { "DefaultRouteTunnel", "o" },
  [T2P_CLIENT_PROP_DEFAULT_NETWORK_BACKEND] = { "DefaultNetworkBackend", "s" },
  [T2P_CLIENT_PROP_KILL_SWITCH] = { "KillSwitch", "s" },
  [T2P_CLIENT_PROP_LOG_LEVEL] = { "LogLevel", "s" },
};

static GParamSpec *pspecs[T2P_CLIENT_N_PROPS];

static const GDBusConnectionFlags bus_flags = G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                              G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION;

static gboolean
t2p_client_initable_init (GInitable *initable, GCancellable *cancellable, GError **error)
{
  T2pClient *self = T2P_CLIENT (initable);

  if (self->connection == NULL && self->bus_address != NULL)
    self->connection = g_dbus_connection_new_for_address_sync (self->bus_address, bus_flags,
                                                               NULL, cancellable, error);
  else if (self->connection == NULL)
    self->connection = g_bus_get_sync (G_BUS_TYPE_SYSTEM, cancellable, error);
  if (self->connection == NULL || !t2p_client_refresh_sync (self, cancellable, error))
    return FALSE;
  t2p_client_follow (self);
  return TRUE;
}

static void
initable_iface_init (GInitableIface *iface)
{
  iface->init = t2p_client_initable_init;
}

static void
first_snapshot_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  T2pClient *self = T2P_CLIENT (source);
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;

  if (!t2p_client_refresh_finish (self, result, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  t2p_client_follow (self);
  g_task_return_boolean (task, TRUE);
}

static void
connected_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pClient *self = g_task_get_source_object (task);
  GError *error = NULL;

  if (self->bus_address != NULL)
    self->connection = g_dbus_connection_new_for_address_finish (result, &error);
  else
    self->connection = g_bus_get_finish (result, &error);
  if (self->connection == NULL)
    {
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }
  t2p_client_refresh (self, g_task_get_cancellable (task), first_snapshot_cb, task);
}

static void
t2p_client_init_async (GAsyncInitable *initable,
                       int io_priority,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  T2pClient *self = T2P_CLIENT (initable);
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  if (self->connection != NULL)
    t2p_client_refresh (self, cancellable, first_snapshot_cb, task);
  else if (self->bus_address != NULL)
    g_dbus_connection_new_for_address (self->bus_address, bus_flags, NULL, cancellable,
                                       connected_cb, task);
  else
    g_bus_get (G_BUS_TYPE_SYSTEM, cancellable, connected_cb, task);
}

static gboolean
t2p_client_init_finish (GAsyncInitable *initable, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
async_initable_iface_init (GAsyncInitableIface *iface)
{
  iface->init_async = t2p_client_init_async;
  iface->init_finish = t2p_client_init_finish;
}

static GType
get_item_type (GListModel *model)
{
  return T2P_TYPE_TUNNEL;
}

static guint
get_n_items (GListModel *model)
{
  return T2P_CLIENT (model)->tunnels->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  GPtrArray *tunnels = T2P_CLIENT (model)->tunnels;

  return position < tunnels->len ? g_object_ref (g_ptr_array_index (tunnels, position)) : NULL;
}

static void
list_model_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
t2p_client_dispose (GObject *object)
{
  T2pClient *self = T2P_CLIENT (object);

  t2p_client_unfollow (self);
  G_OBJECT_CLASS (t2p_client_parent_class)->dispose (object);
}

static void
t2p_client_finalize (GObject *object)
{
  T2pClient *self = T2P_CLIENT (object);

  g_clear_object (&self->connection);
  g_clear_pointer (&self->bus_address, g_free);
  g_clear_pointer (&self->cache, t2p_property_cache_free);
  g_clear_pointer (&self->tunnels, g_ptr_array_unref);
  G_OBJECT_CLASS (t2p_client_parent_class)->finalize (object);
}

static void
t2p_client_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  T2pClient *self = T2P_CLIENT (object);

  switch (id)
    {
    case T2P_CLIENT_PROP_CONNECTION:
      self->connection = g_value_dup_object (value);
      break;
    case T2P_CLIENT_PROP_BUS_ADDRESS:
      self->bus_address = g_value_dup_string (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
t2p_client_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  T2pClient *self = T2P_CLIENT (object);

  switch (id)
    {
    case T2P_CLIENT_PROP_CONNECTION:
      g_value_set_object (value, self->connection);
      break;
    case T2P_CLIENT_PROP_BUS_ADDRESS:
      g_value_set_string (value, self->bus_address);
      break;
    case T2P_CLIENT_PROP_IS_RUNNING:
      g_value_set_boolean (value, self->is_running);
      break;
    case T2P_CLIENT_PROP_DEFAULT_ROUTE_TUNNEL:
      g_value_set_object (value, t2p_client_get_default_route_tunnel (self));
      break;
    default:
      if (id >= T2P_CLIENT_N_PROPS || rows[id].bus_name == NULL)
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      else
        t2p_property_cache_get (self->cache, id, value);
    }
}

static void
install_own (GObjectClass *klass)
{
  const GParamFlags given = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  /**
   * T2pClient:connection:
   *
   * The bus. Given, or made from [property@Client:bus-address], or the system bus.
   *
   * Since: 0.1
   */
  pspecs[T2P_CLIENT_PROP_CONNECTION] =
      g_param_spec_object ("connection", NULL, NULL, G_TYPE_DBUS_CONNECTION, given);
  /**
   * T2pClient:bus-address:
   *
   * Address of another bus than the system's.
   *
   * Since: 0.1
   */
  pspecs[T2P_CLIENT_PROP_BUS_ADDRESS] =
      g_param_spec_string ("bus-address", NULL, NULL, NULL, given);
  /**
   * T2pClient:is-running:
   *
   * Whether the service is there. While it is not, there are no tunnels.
   *
   * Since: 0.1
   */
  pspecs[T2P_CLIENT_PROP_IS_RUNNING] =
      g_param_spec_boolean ("is-running", NULL, NULL, FALSE, readable);
  /**
   * T2pClient:default-route-tunnel:
   *
   * The tunnel that has the default route of the whole system.
   *
   * Since: 0.1
   */
  pspecs[T2P_CLIENT_PROP_DEFAULT_ROUTE_TUNNEL] =
      g_param_spec_object ("default-route-tunnel", NULL, NULL, T2P_TYPE_TUNNEL, readable);
}

static void
install_remote (GObjectClass *klass)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  /**
   * T2pClient:version:
   *
   * Of the service; empty while it is not running.
   *
   * Since: 0.1
   */
  pspecs[T2P_CLIENT_PROP_VERSION] = g_param_spec_string ("version", NULL, NULL, "", flags);
  /**
   * T2pClient:features:
   *
   * What the service can do on this machine.
   *
   * Since: 0.1
   */
  pspecs[T2P_CLIENT_PROP_FEATURES] =
      g_param_spec_boxed ("features", NULL, NULL, G_TYPE_STRV, flags);
  /**
   * T2pClient:default-network-backend:
   *
   * Who would own a new tunnel's routes.
   *
   * Since: 0.1
   */
  pspecs[T2P_CLIENT_PROP_DEFAULT_NETWORK_BACKEND] =
      g_param_spec_string ("default-network-backend", NULL, NULL, "", flags);
  /**
   * T2pClient:kill-switch:
   *
   * `off`, `armed` or `blocking`.
   *
   * Since: 0.1
   */
  pspecs[T2P_CLIENT_PROP_KILL_SWITCH] =
      g_param_spec_string ("kill-switch", NULL, NULL, "", flags);
  /**
   * T2pClient:log-level:
   *
   * `error`, `warning`, `notice`, `info` or `debug`.
   *
   * Since: 0.1
   */
  pspecs[T2P_CLIENT_PROP_LOG_LEVEL] = g_param_spec_string ("log-level", NULL, NULL, "", flags);
}

static void
new_tunnel_signal (const char *name)
{
  g_signal_new (name, T2P_TYPE_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                T2P_TYPE_TUNNEL);
}

static void
t2p_client_class_init (T2pClientClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = t2p_client_dispose;
  object_class->finalize = t2p_client_finalize;
  object_class->set_property = t2p_client_set_property;
  object_class->get_property = t2p_client_get_property;
  install_own (object_class);
  install_remote (object_class);
  g_object_class_install_properties (object_class, T2P_CLIENT_N_PROPS, pspecs);
  /**
   * T2pClient::tunnel-added:
   * @self: the client
   * @tunnel: a tunnel that is in the list now
   *
   * Since: 0.1
   */
  new_tunnel_signal ("tunnel-added");
  /**
   * T2pClient::tunnel-removed:
   * @self: the client
   * @tunnel: a tunnel that is no longer in the list
   *
   * Since: 0.1
   */
  new_tunnel_signal ("tunnel-removed");
}

static void
t2p_client_init (T2pClient *self)
{
  self->cache = t2p_property_cache_new (G_OBJECT (self), rows, pspecs, T2P_CLIENT_N_PROPS);
  self->tunnels = g_ptr_array_new_with_free_func (g_object_unref);
}

T2pBusTarget
t2p_client_get_target (T2pClient *self)
{
  return (T2pBusTarget){ self->connection, T2P_MANAGER_PATH, T2P_MANAGER_INTERFACE };
}
