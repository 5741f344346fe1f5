/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-bus-manager.h"

#include "t2p-bus.h"
#include "t2p-log.h"
#include "t2p-names.h"
#include "t2pd-bus-tunnel.h"
#include "t2pd-manager-methods.h"

struct _T2pdBusManager
{
  GObject parent;
  T2pdService *service;
  T2pBusManager *skeleton;
  GHashTable *tunnels; /* T2pdTunnel → T2pdBusTunnel */
};

G_DEFINE_FINAL_TYPE (T2pdBusManager, t2pd_bus_manager, G_TYPE_OBJECT)

/* Each is in the file of its verb. */
static const struct
{
  const char *signal;
  const T2pdMethod *method;
} methods[] = {
  { "handle-create-tunnel", &t2pd_manager_create_tunnel },
  { "handle-create-tunnel-fd", &t2pd_manager_create_tunnel_fd },
  { "handle-get-tunnel", &t2pd_manager_get_tunnel },
  { "handle-list-tunnels", &t2pd_manager_list_tunnels },
  { "handle-set-kill-switch", &t2pd_manager_set_kill_switch },
  { "handle-test-proxy", &t2pd_manager_test_proxy },
  { "handle-explain", &t2pd_manager_explain },
  { "handle-repair", &t2pd_manager_repair },
  { "handle-bypass-socket", &t2pd_manager_bypass_socket },
};

/* --- the set on the bus */

static void
show_kill_switch_cb (T2pdKillSwitch *kill_switch, gpointer user_data)
{
  T2pdBusManager *self = T2PD_BUS_MANAGER (user_data);

  t2p_bus_manager_set_kill_switch (
      self->skeleton,
      t2pd_kill_switch_state_to_string (t2pd_kill_switch_get_state (kill_switch)));
}

static void
show_default (T2pdBusManager *self)
{
  T2pdTunnel *tunnel = t2pd_manager_get_default (self->service->manager);

  t2p_bus_manager_set_default_route_tunnel (
      self->skeleton, tunnel != NULL ? t2pd_tunnel_get_path (tunnel) : "/");
}

static void
state_changed_cb (T2pdTunnel *tunnel, int old, int new, int reason, gpointer user_data)
{
  show_default (user_data);
}

static void
added_cb (T2pdManager *manager, T2pdTunnel *tunnel, gpointer user_data)
{
  T2pdBusManager *self = T2PD_BUS_MANAGER (user_data);

  g_hash_table_insert (self->tunnels, tunnel, t2pd_bus_tunnel_new (self->service, tunnel));
  g_signal_connect_object (tunnel, "state-changed", G_CALLBACK (state_changed_cb), self, 0);
}

static void
removed_cb (T2pdManager *manager, T2pdTunnel *tunnel, gpointer user_data)
{
  T2pdBusManager *self = T2PD_BUS_MANAGER (user_data);

  g_hash_table_remove (self->tunnels, tunnel);
  g_signal_handlers_disconnect_by_data (tunnel, self);
  show_default (self);
}

static void
t2pd_bus_manager_dispose (GObject *object)
{
  T2pdBusManager *self = T2PD_BUS_MANAGER (object);

  g_clear_pointer (&self->tunnels, g_hash_table_unref);
  g_clear_object (&self->skeleton);
  G_OBJECT_CLASS (t2pd_bus_manager_parent_class)->dispose (object);
}

static void
t2pd_bus_manager_class_init (T2pdBusManagerClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = t2pd_bus_manager_dispose;
}

static void
t2pd_bus_manager_init (T2pdBusManager *self)
{
  self->tunnels = g_hash_table_new_full (NULL, NULL, NULL, g_object_unref);
  self->skeleton = t2p_bus_manager_skeleton_new ();
}

static void
nm_changed_cb (T2pnNmClient *nm, gpointer user_data)
{
  T2pdBusManager *self = T2PD_BUS_MANAGER (user_data);

  t2p_bus_manager_set_default_network_backend (
      self->skeleton, t2pd_service_get_default_backend (self->service));
}

static void
show_properties (T2pdBusManager *self)
{
  static const char *const features[] = {
    "socks5",      "capture-routes", "capture-default", "scope-user", "scope-system",
    "virtual-dns", "netlink",        "networkmanager",  "apps",       "netns",
    "explain",     "rollback",       "bypass-socket",   NULL,
  };

  t2p_bus_manager_set_version (self->skeleton, PACKAGE_VERSION);
  t2p_bus_manager_set_features (self->skeleton, features);
  t2p_bus_manager_set_default_route_tunnel (self->skeleton, "/");
  t2p_bus_manager_set_default_network_backend (
      self->skeleton, t2pd_service_get_default_backend (self->service));
  show_kill_switch_cb (self->service->kill_switch, self);
  t2p_bus_manager_set_log_level (self->skeleton,
                                 t2p_log_level_to_string (t2p_log_get_level ()));
}

static void
export_manager (T2pdBusManager *self)
{
  g_autoptr (T2pBusObjectSkeleton) object = t2p_bus_object_skeleton_new (T2P_MANAGER_PATH);

  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    t2pd_call_connect (self->skeleton, methods[i].signal, self->service, methods[i].method,
                       NULL);
  t2p_bus_object_skeleton_set_manager (object, self->skeleton);
  g_dbus_object_manager_server_export (self->service->objects, G_DBUS_OBJECT_SKELETON (object));
  g_dbus_object_manager_server_set_connection (self->service->objects, self->service->bus);
}

T2pdBusManager *
t2pd_bus_manager_new (T2pdService *service)
{
  T2pdBusManager *self = g_object_new (T2PD_TYPE_BUS_MANAGER, NULL);

  self->service = service;
  show_properties (self);
  g_signal_connect_object (service->manager, "added", G_CALLBACK (added_cb), self, 0);
  g_signal_connect_object (service->manager, "removed", G_CALLBACK (removed_cb), self, 0);
  g_signal_connect_object (service->nm, "changed", G_CALLBACK (nm_changed_cb), self, 0);
  g_signal_connect_object (service->kill_switch, "changed", G_CALLBACK (show_kill_switch_cb),
                           self, 0);
  export_manager (self);
  return self;
}
