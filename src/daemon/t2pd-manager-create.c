/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-manager-methods.h"

#include "t2pd-apps.h"
#include "t2pd-bring-up.h"
#include "t2pd-bus-tunnel.h"
#include "t2pd-dns-redirect.h"
#include "t2pd-files.h"
#include "t2pd-guard.h"
#include "t2pd-reason.h"
#include "t2pd-worker-owners.h"

static const T2pdCallOption create_options[] = {
  { "activate", "b" },         { "persist", "b" },        { "lifetime", "s" }, { "wait", "b" },
  { "rollback-timeout", "u" }, { "close-existing", "b" }, { NULL, NULL },
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
  if (t2pd_bus_tunnel_get_rollback_s (options) != 0 &&
      !t2pd_call_options_get_bool (options, "activate", TRUE))
    return refuse_option (error, T2P_ERROR_INVALID_ARGUMENT,
                          "option 'rollback-timeout': a tunnel that is not activated has "
                          "nothing to be undone");
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
  return t2pd_files_check (files, call->uid, call->descriptors, error);
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
         (t2pd_descriptors_get_netns (call->descriptors) >= 0 ||
          !t2pd_call_options_get_bool (call->call_options, "activate", TRUE) ||
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
  t2pd_apps_add_warnings (t2pd_bring_up_of (tunnel), &builder);
  if (t2pd_bring_up_get_close_warning (t2pd_bring_up_of (tunnel)) != NULL)
    g_variant_builder_add (&builder, "s",
                           t2pd_bring_up_get_close_warning (t2pd_bring_up_of (tunnel)));
  if (t2pd_bring_up_get_netns (t2pd_bring_up_of (tunnel)) < 0)
    t2pd_dns_redirect_add_warnings (settings, &builder);
  return g_variant_builder_end (&builder);
}

static GVariant *
make_result (T2pdTunnel *tunnel)
{
  const char *interface = t2pd_tunnel_get_facts (tunnel)->interface;
  GVariantBuilder result;

  g_variant_builder_init (&result, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&result, "{sv}", "interface",
                         g_variant_new_string (interface != NULL ? interface : ""));
  g_variant_builder_add (&result, "{sv}", "warnings", make_warnings (tunnel));
  return g_variant_builder_end (&result);
}

/* Whoever passed descriptors gets one back. */
static void
return_created (T2pdCall *call, T2pdTunnel *tunnel)
{
  const char *path = t2pd_tunnel_get_path (tunnel);

  if (call->guard == NULL)
    t2pd_call_return (call, g_variant_new ("(o@a{sv})", path, make_result (tunnel)));
  else
    t2pd_call_return_with_fds (
        call, g_variant_new ("(oh@a{sv})", path, 0, make_result (tunnel)), call->guard);
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

/* Takes @error. */
static void
withdraw (T2pdCall *call, T2pdTunnel *tunnel, GError *error)
{
  Refusal *refusal = g_new (Refusal, 1);

  *refusal = (Refusal){ t2pd_call_ref (call), error };
  t2pd_service_delete_tunnel_async (call->service, tunnel, t2pd_reason_from_error (error),
                                    withdrawn_cb, refusal);
}

static void
waited_up_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;
  T2pdTunnel *tunnel = T2PD_TUNNEL (source);
  GError *error = NULL;

  if (t2pd_tunnel_activate_finish (tunnel, result, &error))
    return_created (call, tunnel);
  else /* Who waited for it keeps no failed one, though somebody may have activated it again. */
    withdraw (call, tunnel, error);
}

static gboolean
attach_descriptors (T2pdCall *call, T2pdTunnel *tunnel, GError **error)
{
  int guard = t2pd_guard_attach (call->service, tunnel, error);

  if (guard < 0)
    return FALSE;
  call->guard = g_unix_fd_list_new_from_array (&guard, 1);
  t2pd_bring_up_set_descriptors (t2pd_bring_up_of (tunnel), call->descriptors);
  return TRUE;
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
  if (call->descriptors != NULL && !attach_descriptors (call, tunnel, &error))
    {
      withdraw (call, tunnel, g_steal_pointer (&error));
      return;
    }
  if (lives_with_caller (call))
    t2pd_tunnel_set_keeper (tunnel, call->sender);
  t2pd_bring_up_set_advanced (t2pd_bring_up_of (tunnel), call->is_advanced);
  t2pd_bring_up_set_closes_existing (
      t2pd_bring_up_of (tunnel),
      t2pd_call_options_get_bool (call->call_options, "close-existing", FALSE));
  if (!t2pd_call_options_get_bool (call->call_options, "activate", TRUE))
    {
      return_created (call, tunnel);
      return;
    }
  if (t2pd_bus_tunnel_get_rollback_s (call->call_options) != 0)
    t2pd_tunnel_begin_rollback (tunnel, t2pd_bus_tunnel_get_rollback_s (call->call_options));
  t2pd_tunnel_activate_async (tunnel, wait ? waited_up_cb : accepted_up_cb,
                              wait ? t2pd_call_ref (call) : NULL);
  if (!wait)
    return_created (call, tunnel);
}

const T2pdMethod t2pd_manager_create_tunnel = {
  "CreateTunnel", create_options, check_create, look_again_create, act_create,
};

/* --- CreateTunnelFd */

static gboolean
refuse_elsewhere (const char *key, GError **error)
{
  g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
               "%s: is about this machine's own network, expected none with netns", key);
  return FALSE;
}

/* What only has a meaning where the machine's own programs are. */
static gboolean
check_elsewhere (const T2pSettings *settings, GError **error)
{
  static const char *const lists[] = { "users", "apps", "exclude-apps", "exclude-routes" };

  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++)
    if (t2p_settings_get_strv (settings, lists[i])[0] != NULL)
      return refuse_elsewhere (lists[i], error);
  if (t2p_settings_get_bool (settings, "forwarded"))
    return refuse_elsewhere ("forwarded", error);
  if (!g_str_equal (t2p_settings_get_string (settings, "kill-switch"), "off"))
    return refuse_elsewhere ("kill-switch", error);
  if (t2pd_worker_owners_are_wanted (settings))
    return refuse_elsewhere ("rules: user", error);
  return TRUE;
}

static gboolean
check_elsewhere_options (T2pdCall *call, GError **error)
{
  return !t2pd_call_options_get_bool (call->call_options, "close-existing", FALSE) ||
         refuse_elsewhere ("option 'close-existing'", error);
}

/* A descriptor that nothing asks for is a mistake. */
static gboolean
check_files_are_named (const T2pdCall *call, GError **error)
{
  g_autoptr (GArray) files = t2p_settings_list_files (call->settings);
  const char *name;

  for (guint i = 0; (name = t2pd_descriptors_get_file_name (call->descriptors, i)) != NULL; i++)
    {
      gboolean is_named = FALSE;

      for (guint j = 0; j < files->len; j++)
        is_named |= g_str_has_prefix (g_array_index (files, T2pSettingFile, j).name, "fd:") &&
                    g_str_equal (g_array_index (files, T2pSettingFile, j).name + 3, name);
      if (is_named)
        continue;
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
                   "descriptors: no setting has fd:%s, expected one", name);
      return FALSE;
    }
  return TRUE;
}

static gboolean
check_create_fd (T2pdCall *call, GError **error)
{
  g_autoptr (GVariant) names = g_variant_get_child_value (call->parameters, 2);

  call->descriptors = t2pd_descriptors_new (names, t2pd_call_get_fds (call), call->uid, error);
  return call->descriptors != NULL && check_create (call, error) &&
         check_files_are_named (call, error) &&
         (t2pd_descriptors_get_netns (call->descriptors) < 0 ||
          (check_elsewhere (call->settings, error) && check_elsewhere_options (call, error)));
}

const T2pdMethod t2pd_manager_create_tunnel_fd = {
  "CreateTunnelFd", create_options, check_create_fd, look_again_create, act_create,
};
