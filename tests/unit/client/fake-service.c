/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-service.h"

#include "t2p-bus.h"
#include "t2p-error.h"
#include "t2p-names.h"

#include <gio/gunixfdlist.h>
#include <sys/stat.h>

#define N_CONNECTIONS 5

struct _FakeService
{
  char *address;
  GThread *thread;
  GMainContext *context;
  GMainLoop *loop;

  GMutex lock;
  GCond owned_cond;
  gboolean is_owned;
  gboolean saw_interactive;
  char *proxy;

  GDBusConnection *connection;
  GDBusObjectManagerServer *objects;
  guint n_created;
};

static void
note_call (FakeService *service, GDBusMethodInvocation *invocation, const char *proxy)
{
  GDBusMessage *message = g_dbus_method_invocation_get_message (invocation);

  g_mutex_lock (&service->lock);
  service->saw_interactive = (g_dbus_message_get_flags (message) &
                              G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION) != 0;
  if (proxy != NULL)
    {
      g_free (service->proxy);
      service->proxy = g_strdup (proxy);
    }
  g_mutex_unlock (&service->lock);
}

static T2pBusTunnel *
peek_tunnel (FakeService *service, const char *path)
{
  g_autoptr (GDBusInterface) interface = g_dbus_object_manager_get_interface (
      G_DBUS_OBJECT_MANAGER (service->objects), path, T2P_TUNNEL_INTERFACE);

  return interface != NULL ? T2P_BUS_TUNNEL (interface) : NULL;
}

static void
set_state (T2pBusTunnel *tunnel, const char *state, const char *reason)
{
  g_autofree char *old = t2p_bus_tunnel_dup_state (tunnel);

  t2p_bus_tunnel_set_state (tunnel, state);
  t2p_bus_tunnel_set_state_reason (tunnel, reason);
  t2p_bus_tunnel_emit_state_changed (tunnel, old, state, reason);
}

/* --- org.tun2proxy.Tunnel */

static gboolean
activate_cb (T2pBusTunnel *tunnel,
             GDBusMethodInvocation *invocation,
             GVariant *options,
             gpointer data)
{
  note_call (data, invocation, NULL);
  set_state (tunnel, "active", "user-requested");
  t2p_bus_tunnel_complete_activate (tunnel, invocation);
  return TRUE;
}

static gboolean
deactivate_cb (T2pBusTunnel *tunnel,
               GDBusMethodInvocation *invocation,
               GVariant *options,
               gpointer data)
{
  note_call (data, invocation, NULL);
  set_state (tunnel, "inactive", "user-requested");
  t2p_bus_tunnel_complete_deactivate (tunnel, invocation);
  return TRUE;
}

static gboolean
confirm_cb (T2pBusTunnel *tunnel,
            GDBusMethodInvocation *invocation,
            GVariant *options,
            gpointer data)
{
  note_call (data, invocation, NULL);
  t2p_bus_tunnel_set_rollback_deadline (tunnel, 0);
  t2p_bus_tunnel_complete_confirm (tunnel, invocation);
  return TRUE;
}

static gboolean
delete_cb (T2pBusTunnel *tunnel,
           GDBusMethodInvocation *invocation,
           GVariant *options,
           gpointer data)
{
  FakeService *service = data;
  const char *path = g_dbus_method_invocation_get_object_path (invocation);

  t2p_bus_tunnel_complete_delete (tunnel, invocation);
  g_dbus_object_manager_server_unexport (service->objects, path);
  return TRUE;
}

static gboolean
settings_cb (T2pBusTunnel *tunnel,
             GDBusMethodInvocation *invocation,
             GVariant *options,
             gpointer data)
{
  GVariantDict settings = G_VARIANT_DICT_INIT (NULL);
  const char *const proxies[] = { "socks5://proxy.example:1080", NULL };
  const guint32 with_credentials[] = { 0 };

  g_variant_dict_insert (&settings, "proxies", "^as", proxies);
  g_variant_dict_insert (&settings, "capture", "s", "none");
  g_variant_dict_insert_value (
      &settings, "proxies-with-credentials",
      g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, with_credentials, 1, sizeof (guint32)));
  t2p_bus_tunnel_complete_get_settings (tunnel, invocation, g_variant_dict_end (&settings), 7);
  return TRUE;
}

static gboolean
details_cb (T2pBusTunnel *tunnel,
            GDBusMethodInvocation *invocation,
            GVariant *options,
            gpointer data)
{
  GVariant *details = g_variant_new_parsed (
      "{'active-proxy': <'socks5://proxy.example:1080'>,"
      " 'proxies': <[{'uri': <'socks5://proxy.example:1080'>, 'state': <'ok'>,"
      "               'rtt-us': <@t 23456>}]>,"
      " 'udp-mode': <'associate'>, 'ipv6-mode': <'on'>, 'dns-mode': <'off'>,"
      " 'addresses': <['198.18.0.1/32']>, 'message': <''>}");

  t2p_bus_tunnel_complete_get_details (tunnel, invocation, details);
  return TRUE;
}

static gboolean
statistics_cb (T2pBusTunnel *tunnel,
               GDBusMethodInvocation *invocation,
               GVariant *options,
               gpointer data)
{
  GVariant *statistics = g_variant_new_parsed (
      "@a{st} {'rx-bytes': 1258291, 'tx-bytes': 52428800, 'connections-active': 3}");

  t2p_bus_tunnel_complete_get_statistics (tunnel, invocation, statistics);
  return TRUE;
}

static GVariant *
make_connection (guint64 id)
{
  g_autofree char *source = g_strdup_printf ("198.18.0.1:%u", 40000 + (guint) id);

  return g_variant_new_parsed ("{'id': <%t>, 'protocol': <'tcp'>, 'source': <%s>,"
                               " 'destination': <'192.0.2.7:443'>, 'host': <'host.example'>,"
                               " 'proxy': <'socks5://proxy.example:1080'>, 'rule': <''>,"
                               " 'state': <'established'>, 'rx-bytes': <@t 1536>,"
                               " 'tx-bytes': <@t 10485760>, 'age-us': <@t 61000000>}",
                               id, source);
}

static gboolean
list_connections_cb (T2pBusTunnel *tunnel,
                     GDBusMethodInvocation *invocation,
                     GVariant *filter,
                     guint64 after_id,
                     guint max,
                     GVariant *options,
                     gpointer data)
{
  const guint64 per_page = max == 0 ? 2 : MIN (max, 2);
  GVariantBuilder rows;
  guint64 id = after_id;

  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  while (id < N_CONNECTIONS && id < after_id + per_page)
    g_variant_builder_add_value (&rows, make_connection (++id));
  t2p_bus_tunnel_complete_list_connections (tunnel, invocation, g_variant_builder_end (&rows),
                                            id < N_CONNECTIONS ? id : 0);
  return TRUE;
}

static gboolean
close_connections_cb (T2pBusTunnel *tunnel,
                      GDBusMethodInvocation *invocation,
                      GVariant *filter,
                      GVariant *options,
                      gpointer data)
{
  t2p_bus_tunnel_emit_message (tunnel, "connections were closed");
  t2p_bus_tunnel_emit_loop_detected (
      tunnel,
      g_variant_new_parsed ("{'destination': <'192.0.2.80:1080'>, 'program': <'curl'>}"));
  t2p_bus_tunnel_complete_close_connections (tunnel, invocation, N_CONNECTIONS);
  return TRUE;
}

/* Takes whatever pidfd_open(2) has made. */
static gboolean
attach_cb (T2pBusTunnel *tunnel,
           GDBusMethodInvocation *invocation,
           GUnixFDList *descriptors,
           GVariant *process,
           GVariant *options,
           gpointer data)
{
  int fd = g_unix_fd_list_peek_fds (descriptors, NULL)[g_variant_get_handle (process)];
  g_autofree char *path = g_strdup_printf ("/proc/self/fdinfo/%d", fd);
  g_autofree char *facts = NULL;

  note_call (data, invocation, NULL);
  if (g_file_get_contents (path, &facts, NULL, NULL) && strstr (facts, "\nPid:") != NULL)
    t2p_bus_tunnel_complete_attach_process (tunnel, invocation, NULL);
  else
    g_dbus_method_invocation_return_error (invocation, T2P_ERROR, T2P_ERROR_INVALID_FD,
                                           "the descriptor is no process");
  return TRUE;
}

static T2pBusTunnel *
make_tunnel (FakeService *service, const char *name)
{
  T2pBusTunnel *tunnel = t2p_bus_tunnel_skeleton_new ();

  t2p_bus_tunnel_set_name (tunnel, name);
  t2p_bus_tunnel_set_owner (tunnel, 1000);
  t2p_bus_tunnel_set_state (tunnel, "inactive");
  t2p_bus_tunnel_set_state_reason (tunnel, "none");
  t2p_bus_tunnel_set_interface (tunnel, "t2p0");
  t2p_bus_tunnel_set_if_index (tunnel, 42);
  t2p_bus_tunnel_set_mtu (tunnel, 1500);
  t2p_bus_tunnel_set_capture (tunnel, "routes");
  t2p_bus_tunnel_set_scope (tunnel, "system");
  t2p_bus_tunnel_set_persistent (tunnel, g_str_has_prefix (name, "profile"));
  t2p_bus_tunnel_set_lifetime (tunnel, "service");
  t2p_bus_tunnel_set_active_since (tunnel, 1000000);
  g_signal_connect (tunnel, "handle-activate", G_CALLBACK (activate_cb), service);
  g_signal_connect (tunnel, "handle-deactivate", G_CALLBACK (deactivate_cb), service);
  g_signal_connect (tunnel, "handle-confirm", G_CALLBACK (confirm_cb), service);
  g_signal_connect (tunnel, "handle-delete", G_CALLBACK (delete_cb), service);
  g_signal_connect (tunnel, "handle-get-settings", G_CALLBACK (settings_cb), service);
  g_signal_connect (tunnel, "handle-get-details", G_CALLBACK (details_cb), service);
  g_signal_connect (tunnel, "handle-get-statistics", G_CALLBACK (statistics_cb), service);
  g_signal_connect (tunnel, "handle-list-connections", G_CALLBACK (list_connections_cb),
                    service);
  g_signal_connect (tunnel, "handle-close-connections", G_CALLBACK (close_connections_cb),
                    service);
  g_signal_connect (tunnel, "handle-attach-process", G_CALLBACK (attach_cb), service);
  return tunnel;
}

/* --- org.tun2proxy.Manager */

static gboolean
refuse (GDBusMethodInvocation *invocation, const char *name, const char *proxy)
{
  if (g_str_has_prefix (name, "taken"))
    g_dbus_method_invocation_return_error (invocation, T2P_ERROR, T2P_ERROR_ALREADY_EXISTS,
                                           "there is a tunnel '%s' already", name);
  else if (g_str_has_prefix (name, "denied"))
    g_dbus_method_invocation_return_error (invocation, T2P_ERROR, T2P_ERROR_NOT_AUTHORIZED,
                                           "not allowed");
  else if (g_str_has_prefix (name, "dialog"))
    g_dbus_method_invocation_return_dbus_error (
        invocation, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
        "ask somebody");
  else if (g_str_has_prefix (name, "future"))
    g_dbus_method_invocation_return_dbus_error (invocation, "org.tun2proxy.Error.FromTheFuture",
                                                "what is this");
  else if (strstr (proxy, "refuses") != NULL)
    g_dbus_method_invocation_return_error (invocation, T2P_ERROR,
                                           T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                                           "proxy refused the password");
  else
    return FALSE;
  return TRUE;
}

static void
set_rollback (T2pBusTunnel *tunnel, GVariant *options)
{
  guint32 timeout_s = 0;

  if (g_variant_lookup (options, "rollback-timeout", "u", &timeout_s))
    t2p_bus_tunnel_set_rollback_deadline (tunnel, (guint64) g_get_real_time () +
                                                      timeout_s * G_USEC_PER_SEC);
}

static void
export_tunnel (FakeService *service, const char *path, const char *name, GVariant *options)
{
  gboolean activate = TRUE;
  g_autoptr (T2pBusObjectSkeleton) object = t2p_bus_object_skeleton_new (path);
  g_autoptr (T2pBusTunnel) tunnel = make_tunnel (service, name);

  set_rollback (tunnel, options);
  t2p_bus_object_skeleton_set_tunnel (object, tunnel);
  g_dbus_object_manager_server_export (service->objects, G_DBUS_OBJECT_SKELETON (object));
  g_variant_lookup (options, "activate", "b", &activate);
  if (!activate)
    return;
  set_state (tunnel, "preparing", "user-requested");
  set_state (tunnel, "active", "user-requested");
}

static gboolean
create_cb (T2pBusManager *manager,
           GDBusMethodInvocation *invocation,
           const char *name,
           GVariant *settings,
           GVariant *options,
           gpointer data)
{
  FakeService *service = data;
  g_autofree const char **proxies = NULL;
  g_autofree char *path = NULL;

  if (!g_variant_lookup (settings, "proxies", "^a&s", &proxies) || proxies[0] == NULL)
    {
      g_dbus_method_invocation_return_error (invocation, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
                                             "proxies: missing, expected at least one URI");
      return TRUE;
    }
  note_call (service, invocation, proxies[0]);
  if (refuse (invocation, name, proxies[0]))
    return TRUE;
  path = g_strdup_printf (T2P_TUNNEL_PATH_PREFIX "%u", service->n_created++);
  export_tunnel (service, path, name, options);
  t2p_bus_manager_complete_create_tunnel (
      manager, invocation, path,
      g_variant_new_parsed ("{'interface': <'t2p0'>, 'warnings': <['mind the gap']>}"));
  return TRUE;
}

static gboolean
get_cb (T2pBusManager *manager,
        GDBusMethodInvocation *invocation,
        const char *name,
        GVariant *options,
        gpointer data)
{
  FakeService *service = data;

  for (guint i = 0; i < service->n_created; i++)
    {
      g_autofree char *path = g_strdup_printf (T2P_TUNNEL_PATH_PREFIX "%u", i);
      T2pBusTunnel *tunnel = peek_tunnel (service, path);

      if (tunnel != NULL && g_str_equal (t2p_bus_tunnel_get_name (tunnel), name))
        {
          t2p_bus_manager_complete_get_tunnel (manager, invocation, path);
          return TRUE;
        }
    }
  g_dbus_method_invocation_return_error (invocation, T2P_ERROR, T2P_ERROR_NOT_FOUND,
                                         "there is no tunnel '%s'", name);
  return TRUE;
}

static gboolean
list_cb (T2pBusManager *manager,
         GDBusMethodInvocation *invocation,
         GVariant *options,
         gpointer data)
{
  FakeService *service = data;
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < service->n_created; i++)
    {
      g_autofree char *path = g_strdup_printf (T2P_TUNNEL_PATH_PREFIX "%u", i);

      if (peek_tunnel (service, path) != NULL)
        g_ptr_array_add (paths, g_steal_pointer (&path));
    }
  g_ptr_array_add (paths, NULL);
  t2p_bus_manager_complete_list_tunnels (manager, invocation,
                                         (const char *const *) paths->pdata);
  return TRUE;
}

/* Of the tunnel `none`: NotFound. */
static gboolean
set_kill_switch_cb (T2pBusManager *manager,
                    GDBusMethodInvocation *invocation,
                    const char *mode,
                    GVariant *options,
                    gpointer data)
{
  const char *tunnel = "";

  note_call (data, invocation, NULL);
  (void) g_variant_lookup (options, "tunnel", "&s", &tunnel);
  if (g_str_equal (tunnel, "none"))
    {
      g_dbus_method_invocation_return_dbus_error (invocation, "org.tun2proxy.Error.NotFound",
                                                  "no such tunnel");
      return TRUE;
    }
  t2p_bus_manager_set_kill_switch (manager, g_str_equal (mode, "off") ? "off" : "armed");
  t2p_bus_manager_complete_set_kill_switch (manager, invocation);
  return TRUE;
}

static gboolean
test_proxy_cb (T2pBusManager *manager,
               GDBusMethodInvocation *invocation,
               const char *uri,
               GVariant *options,
               gpointer data)
{
  GVariant *result = NULL;

  note_call (data, invocation, uri);
  if (strstr (uri, "refuses") != NULL)
    result = g_variant_new_parsed (
        "{'reachable': <true>, 'rtt-us': <@t 900>, 'auth': <'password'>, 'connect': <false>,"
        " 'names': <false>, 'ipv6': <false>, 'udp': <'none'>,"
        " 'error': <'org.tun2proxy.Error.ProxyAuthenticationFailed'>}");
  else
    result = g_variant_new_parsed (
        "{'reachable': <true>, 'rtt-us': <@t 23456>, 'auth': <'none'>, 'connect': <true>,"
        " 'names': <true>, 'ipv6': <false>, 'udp': <'associate'>, 'error': <''>}");
  t2p_bus_manager_complete_test_proxy (manager, invocation, result);
  return TRUE;
}

static gboolean
explain_cb (T2pBusManager *manager,
            GDBusMethodInvocation *invocation,
            const char *destination,
            GVariant *options,
            gpointer data)
{
  guint32 uid = 0;
  g_autofree char *reason = NULL;
  GVariantDict result = G_VARIANT_DICT_INIT (NULL);

  note_call (data, invocation, NULL);
  g_variant_lookup (options, "uid", "u", &uid);
  g_variant_lookup (options, "pid", "u", &uid);
  reason = g_strdup_printf ("%s of %u", destination, uid);
  g_variant_dict_insert (&result, "path", "s", "tunnel");
  g_variant_dict_insert (&result, "tunnel", "o", T2P_TUNNEL_PATH_PREFIX "0");
  g_variant_dict_insert (&result, "rule", "s", "priority 7 lookup 9");
  g_variant_dict_insert (&result, "interface", "s", "t2p0");
  g_variant_dict_insert (&result, "reason", "s", reason);
  t2p_bus_manager_complete_explain (manager, invocation, g_variant_dict_end (&result));
  return TRUE;
}

static gboolean
repair_cb (T2pBusManager *manager,
           GDBusMethodInvocation *invocation,
           GVariant *options,
           gpointer data)
{
  const char *const lines[] = { "tunnel 7: worker process 12", NULL };
  gboolean is_dry_run = FALSE;

  note_call (data, invocation, NULL);
  g_variant_lookup (options, "dry-run", "b", &is_dry_run);
  t2p_bus_manager_complete_repair (manager, invocation, lines + (is_dry_run ? 0 : 1));
  return TRUE;
}

/* Takes whatever is a socket. */
static gboolean
bypass_cb (T2pBusManager *manager,
           GDBusMethodInvocation *invocation,
           GUnixFDList *descriptors,
           GVariant *socket,
           GVariant *options,
           gpointer data)
{
  int fd = g_unix_fd_list_peek_fds (descriptors, NULL)[g_variant_get_handle (socket)];
  struct stat status;

  note_call (data, invocation, NULL);
  if (fstat (fd, &status) == 0 && S_ISSOCK (status.st_mode))
    t2p_bus_manager_complete_bypass_socket (manager, invocation, NULL);
  else
    g_dbus_method_invocation_return_error (invocation, T2P_ERROR, T2P_ERROR_INVALID_FD,
                                           "the descriptor is no socket");
  return TRUE;
}

static void
export_manager (FakeService *service)
{
  const char *const features[] = { "socks5", "virtual-dns", NULL };
  g_autoptr (T2pBusObjectSkeleton) object = t2p_bus_object_skeleton_new (T2P_MANAGER_PATH);
  g_autoptr (T2pBusManager) manager = t2p_bus_manager_skeleton_new ();

  t2p_bus_manager_set_version (manager, "9.9");
  t2p_bus_manager_set_features (manager, features);
  t2p_bus_manager_set_default_route_tunnel (manager, T2P_TUNNEL_PATH_PREFIX "0");
  t2p_bus_manager_set_default_network_backend (manager, "netlink");
  t2p_bus_manager_set_kill_switch (manager, "off");
  t2p_bus_manager_set_log_level (manager, "notice");
  g_signal_connect (manager, "handle-create-tunnel", G_CALLBACK (create_cb), service);
  g_signal_connect (manager, "handle-get-tunnel", G_CALLBACK (get_cb), service);
  g_signal_connect (manager, "handle-list-tunnels", G_CALLBACK (list_cb), service);
  g_signal_connect (manager, "handle-set-kill-switch", G_CALLBACK (set_kill_switch_cb),
                    service);
  g_signal_connect (manager, "handle-test-proxy", G_CALLBACK (test_proxy_cb), service);
  g_signal_connect (manager, "handle-explain", G_CALLBACK (explain_cb), service);
  g_signal_connect (manager, "handle-repair", G_CALLBACK (repair_cb), service);
  g_signal_connect (manager, "handle-bypass-socket", G_CALLBACK (bypass_cb), service);
  t2p_bus_object_skeleton_set_manager (object, manager);
  g_dbus_object_manager_server_export (service->objects, G_DBUS_OBJECT_SKELETON (object));
}

/* --- the thread */

static void
owned_cb (GDBusConnection *connection, const char *name, gpointer data)
{
  FakeService *service = data;

  g_mutex_lock (&service->lock);
  service->is_owned = TRUE;
  g_cond_signal (&service->owned_cond);
  g_mutex_unlock (&service->lock);
}

static gpointer
serve (gpointer data)
{
  FakeService *service = data;
  g_autoptr (GError) error = NULL;
  guint owner = 0;

  g_main_context_push_thread_default (service->context);
  service->connection = g_dbus_connection_new_for_address_sync (
      service->address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL, NULL, &error);
  g_assert_no_error (error);
  service->objects = g_dbus_object_manager_server_new (T2P_ROOT_PATH);
  export_manager (service);
  g_dbus_object_manager_server_set_connection (service->objects, service->connection);
  owner =
      g_bus_own_name_on_connection (service->connection, T2P_BUS_NAME,
                                    G_BUS_NAME_OWNER_FLAGS_NONE, owned_cb, NULL, service, NULL);
  g_main_loop_run (service->loop);
  g_bus_unown_name (owner);
  g_clear_object (&service->objects);
  g_dbus_connection_close_sync (service->connection, NULL, NULL);
  g_clear_object (&service->connection);
  g_main_context_pop_thread_default (service->context);
  return NULL;
}

FakeService *
fake_service_start (const char *bus_address)
{
  FakeService *service = g_new0 (FakeService, 1);

  (void) T2P_ERROR; /* registers the names of its errors */
  service->address = g_strdup (bus_address);
  service->context = g_main_context_new ();
  service->loop = g_main_loop_new (service->context, FALSE);
  g_mutex_init (&service->lock);
  g_cond_init (&service->owned_cond);
  service->thread = g_thread_new ("fake-service", serve, service);
  g_mutex_lock (&service->lock);
  while (!service->is_owned)
    g_cond_wait (&service->owned_cond, &service->lock);
  g_mutex_unlock (&service->lock);
  return service;
}

static gboolean
quit_cb (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_REMOVE;
}

void
fake_service_stop (FakeService *service)
{
  g_main_context_invoke (service->context, quit_cb, service->loop);
  g_thread_join (service->thread);
  g_main_loop_unref (service->loop);
  g_main_context_unref (service->context);
  g_mutex_clear (&service->lock);
  g_cond_clear (&service->owned_cond);
  g_free (service->address);
  g_free (service->proxy);
  g_free (service);
}

gboolean
fake_service_saw_interactive (FakeService *service)
{
  gboolean saw = FALSE;

  g_mutex_lock (&service->lock);
  saw = service->saw_interactive;
  g_mutex_unlock (&service->lock);
  return saw;
}

char *
fake_service_dup_proxy (FakeService *service)
{
  char *proxy = NULL;

  g_mutex_lock (&service->lock);
  proxy = g_strdup (service->proxy);
  g_mutex_unlock (&service->lock);
  return proxy;
}

typedef struct
{
  FakeService *service;
  char *path;
} Degrade;

static gboolean
degrade_cb (gpointer data)
{
  g_autofree Degrade *degrade = data;
  g_autofree char *path = degrade->path;

  set_state (peek_tunnel (degrade->service, path), "degraded", "proxy-unreachable");
  return G_SOURCE_REMOVE;
}

void
fake_service_degrade (FakeService *service, const char *path)
{
  Degrade *degrade = g_new (Degrade, 1);

  *degrade = (Degrade){ service, g_strdup (path) };
  g_main_context_invoke (service->context, degrade_cb, degrade);
}
