/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-bus-manager.h"

#include "t2p-bus.h"
#include "t2p-limits.h"
#include "t2p-log.h"
#include "t2p-names.h"
#include "t2pd-bring-up.h"
#include "t2pd-bus-tunnel.h"
#include "t2pd-call.h"
#include "t2pd-files.h"
#include "t2pd-proxy-test.h"
#include "t2pd-reason.h"

struct _T2pdBusManager
{
  GObject parent;
  T2pdService *service;
  T2pBusManager *skeleton;
  GHashTable *tunnels; /* T2pdTunnel → T2pdBusTunnel */
};

G_DEFINE_FINAL_TYPE (T2pdBusManager, t2pd_bus_manager, G_TYPE_OBJECT)

/* --- CreateTunnel */

static const T2pdCallOption create_options[] = {
  { "activate", "b" }, { "persist", "b" },          { "lifetime", "s" },
  { "wait", "b" },     { "rollback-timeout", "u" }, { NULL, NULL },
};

static gboolean
lives_with_caller (T2pdCall *call)
{
  return g_str_equal (t2pd_call_options_get_string (call->call_options, "lifetime", "service"),
                      "caller");
}

static gboolean
refuse_option (GError **error, T2pError code, const char *text)
{
  g_set_error_literal (error, T2P_ERROR, code, text);
  return FALSE;
}

static gboolean
check_create_options (T2pdCall *call, GError **error)
{
  GVariant *options = call->call_options;
  const char *lifetime = t2pd_call_options_get_string (options, "lifetime", "service");
  gboolean is_persistent = t2pd_call_options_get_bool (options, "persist", FALSE);

  if (!g_str_equal (lifetime, "service") && !g_str_equal (lifetime, "caller"))
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                   "option 'lifetime': '%.32s' seen, 'service' or 'caller' expected", lifetime);
      return FALSE;
    }
  if (is_persistent && lives_with_caller (call))
    return refuse_option (error, T2P_ERROR_INVALID_ARGUMENT,
                          "option 'persist': true seen with lifetime 'caller', false expected");
  if (is_persistent)
    return refuse_option (error, T2P_ERROR_NOT_SUPPORTED,
                          "option 'persist': true is not supported by this version");
  return t2pd_bus_tunnel_check_rollback (options, error);
}

static const char *
create_name (T2pdCall *call)
{
  const char *name;

  g_variant_get_child (call->parameters, 0, "&s", &name);
  return name;
}

static gboolean
check_create (T2pdCall *call, GError **error)
{
  g_autoptr (GVariant) settings = g_variant_get_child_value (call->parameters, 1);
  g_autoptr (GArray) files = NULL;

  if (!t2p_tunnel_name_check (create_name (call), error) || !check_create_options (call, error))
    return FALSE;
  call->settings = t2p_settings_new (settings, call->uid == 0, error);
  if (call->settings == NULL)
    return FALSE;
  files = t2p_settings_list_files (call->settings);
  return t2pd_files_check (files, call->uid, error);
}

static gboolean
look_again_create (T2pdCall *call, GError **error)
{
  T2pdManager *manager = call->service->manager;
  const char *name = create_name (call);

  if (!t2pd_service_check_serving (call->service, error))
    return FALSE;
  if (t2pd_manager_find (manager, call->uid, name) != NULL)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_ALREADY_EXISTS,
                   "user %u has a tunnel '%s' already", call->uid, name);
      return FALSE;
    }
  return t2pd_manager_check_limits (manager, call->uid, error) &&
         (!t2pd_call_options_get_bool (call->call_options, "activate", TRUE) ||
          t2pd_manager_check_conflicts (manager, call->uid, call->settings, NULL, error));
}

/* What a person should know about what was made. */
static GVariant *
make_warnings (T2pdTunnel *tunnel)
{
  T2pSettings *settings = t2pd_tunnel_get_settings (tunnel);
  const char *const *of_worker = t2pd_bring_up_get_warnings (t2pd_bring_up_of (tunnel));
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
  for (guint i = 0; of_worker[i] != NULL; i++)
    g_variant_builder_add (&builder, "s", of_worker[i]);
  if (t2p_settings_get_dns (settings) != T2P_DNS_MODE_OFF &&
      (t2p_settings_get_scope (settings) == T2P_SCOPE_USER ||
       t2p_settings_has (settings, "users")))
    g_variant_builder_add (&builder, "s",
                           "a tunnel for some users changes no resolver: only names that "
                           "programs send into the tunnel themselves are resolved there");
  return g_variant_builder_end (&builder);
}

static void
return_created (T2pdCall *call, T2pdTunnel *tunnel)
{
  const char *interface = t2pd_tunnel_get_facts (tunnel)->interface;
  GVariantBuilder result;

  g_variant_builder_init (&result, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&result, "{sv}", "interface",
                         g_variant_new_string (interface != NULL ? interface : ""));
  g_variant_builder_add (&result, "{sv}", "warnings", make_warnings (tunnel));
  t2pd_call_return (call, g_variant_new ("(oa{sv})", t2pd_tunnel_get_path (tunnel), &result));
}

static void
accepted_up_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  /* Told by the tunnel's state, and logged there. */
  t2pd_tunnel_activate_finish (T2PD_TUNNEL (source), result, NULL);
}

/* What a call is answered when the tunnel that it made has gone. */
typedef struct
{
  T2pdCall *call;
  GError *error;
} Refusal;

static void
withdrawn_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Refusal *refusal = user_data;
  g_autoptr (T2pdCall) call = refusal->call;
  g_autoptr (GError) error = refusal->error;

  t2pd_service_delete_tunnel_finish (call->service, result);
  t2pd_call_fail (call, error);
}

static void
waited_up_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;
  T2pdTunnel *tunnel = T2PD_TUNNEL (source);
  T2pdService *service = call->service;
  GError *error = NULL;
  Refusal *refusal;

  if (t2pd_tunnel_activate_finish (tunnel, result, &error))
    {
      return_created (call, tunnel);
      return;
    }
  /* Who waited for it keeps no failed one. Somebody may have activated it again meanwhile. */
  refusal = g_new (Refusal, 1);
  *refusal = (Refusal){ g_steal_pointer (&call), error };
  t2pd_service_delete_tunnel_async (service, tunnel, t2pd_reason_from_error (error),
                                    withdrawn_cb, refusal);
}

static void
act_create (T2pdCall *call)
{
  g_autoptr (GError) error = NULL;
  T2pdTunnel *tunnel = t2pd_service_create_tunnel (call->service, create_name (call), call->uid,
                                                   call->settings, &error);
  gboolean wait = t2pd_call_options_get_bool (call->call_options, "wait", FALSE);

  if (tunnel == NULL)
    {
      t2pd_call_fail (call, error);
      return;
    }
  if (lives_with_caller (call))
    t2pd_tunnel_set_keeper (tunnel, call->sender);
  t2pd_bring_up_set_advanced (t2pd_bring_up_of (tunnel), call->is_advanced);
  if (!t2pd_call_options_get_bool (call->call_options, "activate", TRUE))
    {
      return_created (call, tunnel);
      return;
    }
  t2pd_tunnel_activate_async (tunnel, wait ? waited_up_cb : accepted_up_cb,
                              wait ? t2pd_call_ref (call) : NULL);
  if (!wait)
    return_created (call, tunnel);
}

/* --- GetTunnel, ListTunnels */

static gboolean
check_name (T2pdCall *call, GError **error)
{
  return t2p_tunnel_name_check (create_name (call), error);
}

static void
act_get (T2pdCall *call)
{
  const char *name = create_name (call);
  T2pdTunnel *tunnel = t2pd_manager_find (call->service->manager, call->uid, name);
  g_autoptr (GError) error = NULL;

  if (tunnel == NULL)
    tunnel = t2pd_manager_find (call->service->manager, 0, name);
  if (tunnel != NULL)
    {
      t2pd_call_return (call, g_variant_new ("(o)", t2pd_tunnel_get_path (tunnel)));
      return;
    }
  error = g_error_new (T2P_ERROR, T2P_ERROR_NOT_FOUND, "there is no tunnel '%s'", name);
  t2pd_call_fail (call, error);
}

/* One's own, root's, and for root everybody's. */
static void
act_list (T2pdCall *call)
{
  g_autoptr (GPtrArray) tunnels = t2pd_manager_list (call->service->manager);
  GVariantBuilder paths;

  g_variant_builder_init (&paths, G_VARIANT_TYPE_OBJECT_PATH_ARRAY);
  for (guint i = 0; i < tunnels->len; i++)
    {
      guint32 owner = t2pd_tunnel_get_owner (tunnels->pdata[i]);

      if (call->uid == 0 || owner == call->uid || owner == 0)
        g_variant_builder_add (&paths, "o", t2pd_tunnel_get_path (tunnels->pdata[i]));
    }
  t2pd_call_return (call, g_variant_new ("(ao)", &paths));
}

/* --- TestProxy */

static const T2pdCallOption test_options[] = {
  { "timeout", "u" },
  { NULL, NULL },
};

static guint
test_timeout_s (T2pdCall *call)
{
  return t2pd_call_options_get_u32 (call->call_options, "timeout", T2P_PROXY_TEST_TIMEOUT_S);
}

static gboolean
check_test (T2pdCall *call, GError **error)
{
  g_autoptr (GArray) files = NULL;
  const char *uri;
  guint timeout = test_timeout_s (call);

  if (timeout < 1 || timeout > T2P_PROXY_TEST_TIMEOUT_S)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                   "option 'timeout': %u seen, 1 to %d expected", timeout,
                   T2P_PROXY_TEST_TIMEOUT_S);
      return FALSE;
    }
  g_variant_get_child (call->parameters, 0, "&s", &uri);
  call->endpoint = t2p_endpoint_parse (uri, error);
  if (call->endpoint == NULL)
    return FALSE;
  files = t2p_setting_files_of_endpoint (call->endpoint);
  return t2pd_files_check (files, call->uid, error);
}

static gboolean
look_again_test (T2pdCall *call, GError **error)
{
  return t2pd_service_check_serving (call->service, error) &&
         t2pd_proxy_test_check_limit (call->uid, error);
}

static void
tested_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer = t2pd_proxy_test_finish (result, &error);

  if (answer != NULL)
    t2pd_call_return (call, g_variant_new ("(@a{sv})", answer));
  else
    t2pd_call_fail (call, error);
}

static void
act_test (T2pdCall *call)
{
  g_autoptr (GArray) wanted = t2p_setting_files_of_endpoint (call->endpoint);
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pdFiles) files = t2pd_files_open (wanted, call->uid, &error);

  if (files == NULL)
    t2pd_call_fail (call, error);
  else
    t2pd_proxy_test_async (call->service, call->uid, call->endpoint, files, call->is_advanced,
                           test_timeout_s (call) * 1000, tested_cb, t2pd_call_ref (call));
}

static const struct
{
  const char *signal;
  T2pdMethod method;
} methods[] = {
  { "handle-create-tunnel",
    { "CreateTunnel", create_options, check_create, look_again_create, act_create } },
  { "handle-get-tunnel", { "GetTunnel", NULL, check_name, NULL, act_get } },
  { "handle-list-tunnels", { "ListTunnels", NULL, NULL, NULL, act_list } },
  { "handle-test-proxy", { "TestProxy", test_options, check_test, look_again_test, act_test } },
};

/* --- the set on the bus */

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
show_properties (T2pdBusManager *self)
{
  static const char *const features[] = {
    "socks5",       "capture-routes", "capture-default", "scope-user",
    "scope-system", "virtual-dns",    "netlink",         NULL,
  };

  t2p_bus_manager_set_version (self->skeleton, PACKAGE_VERSION);
  t2p_bus_manager_set_features (self->skeleton, features);
  t2p_bus_manager_set_default_route_tunnel (self->skeleton, "/");
  t2p_bus_manager_set_default_network_backend (self->skeleton, "netlink");
  t2p_bus_manager_set_kill_switch (self->skeleton, "off");
  t2p_bus_manager_set_log_level (self->skeleton,
                                 t2p_log_level_to_string (t2p_log_get_level ()));
}

static void
export_manager (T2pdBusManager *self)
{
  g_autoptr (T2pBusObjectSkeleton) object = t2p_bus_object_skeleton_new (T2P_MANAGER_PATH);

  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    t2pd_call_connect (self->skeleton, methods[i].signal, self->service, &methods[i].method,
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
  export_manager (self);
  return self;
}
