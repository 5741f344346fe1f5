/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-service.h"

#include "t2p-log.h"
#include "t2p-names.h"
#include "t2pd-bring-up.h"
#include "t2pd-name-map.h"
#include "t2pd-proxy-test.h"

#define LAST_ID_FILE "last-id"

/* --- numbers of tunnels, never used twice in a boot */

static char *
last_id_path (T2pdService *service)
{
  return g_build_filename (service->options->runtime_dir, LAST_ID_FILE, NULL);
}

static void
read_last_id (T2pdService *service)
{
  g_autofree char *path = last_id_path (service);
  g_autofree char *text = NULL;

  if (g_file_get_contents (path, &text, NULL, NULL))
    t2pd_manager_skip_ids (service->manager, g_ascii_strtoull (text, NULL, 10));
}

static gboolean
write_last_id (T2pdService *service, guint64 id, GError **error)
{
  g_autofree char *path = last_id_path (service);
  g_autofree char *text = g_strdup_printf ("%" G_GUINT64_FORMAT "\n", id);

  return g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}

/* --- tunnels that live as long as a caller */

static void
deleted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  t2pd_service_delete_tunnel_finish (user_data, result);
}

static void
vanished_cb (T2pdCallers *callers, const char *sender, gpointer user_data)
{
  T2pdService *service = user_data;
  g_autoptr (GPtrArray) tunnels = t2pd_manager_list (service->manager);

  for (guint i = 0; i < tunnels->len; i++)
    if (g_strcmp0 (t2pd_tunnel_get_keeper (tunnels->pdata[i]), sender) == 0)
      t2pd_service_delete_tunnel_async (service, tunnels->pdata[i],
                                        T2P_STATE_REASON_CALLER_VANISHED, deleted_cb, service);
}

/* --- sleep */

static void
suspend_all (T2pdService *service)
{
  g_autoptr (GPtrArray) tunnels = t2pd_manager_list (service->manager);

  for (guint i = 0; i < tunnels->len; i++)
    t2pd_tunnel_suspend (tunnels->pdata[i]);
}

/* First everything is looked at that may be another than before the sleep. */
static void
resume_all (T2pdService *service)
{
  g_autoptr (GPtrArray) tunnels = t2pd_manager_list (service->manager);

  t2pd_uplink_look_again (service->uplink);
  for (guint i = 0; i < tunnels->len; i++)
    t2pd_tunnel_resume (tunnels->pdata[i]);
}

static void
sleep_cb (gboolean is_asleep, gpointer user_data)
{
  if (is_asleep)
    suspend_all (user_data);
  else
    resume_all (user_data);
}

/* With everything blocked even a test of a proxy needs the mark that passes. */
static void
take_mark (T2pdService *service)
{
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take_around_tunnels (0, NULL);
  guint32 mark = t2pd_kill_switch_get_mark (service->kill_switch);

  if (snapshot != NULL && !t2pn_route_ids_is_mark_selected (snapshot, mark))
    service->mark = mark;
}

/**
 * t2pd_service_new:
 * @options: must outlive the service
 * @fd_store: must outlive the service
 *
 * Nothing is exported yet.
 *
 * Since: 0.1
 */
T2pdService *
t2pd_service_new (const T2pdOptions *options,
                  GDBusConnection *bus,
                  T2pdFdStore *fd_store,
                  GError **error)
{
  g_autoptr (T2pdService) service = g_new0 (T2pdService, 1);
  g_autoptr (GError) ignored = NULL;

  service->options = options;
  service->fd_store = fd_store;
  service->bus = g_object_ref (bus);
  service->callers = t2pd_callers_new (bus);
  service->polkit = t2pd_polkit_new (bus);
  service->manager = t2pd_manager_new ();
  service->objects = g_dbus_object_manager_server_new (T2P_ROOT_PATH);
  service->uplink = t2pd_uplink_new (bus, error);
  if (service->uplink == NULL)
    return NULL;
  service->nm = t2pn_nm_client_new (bus);
  service->kill_switch = t2pd_kill_switch_new (options, service->manager);
  if (!t2pd_kill_switch_restore (service->kill_switch, &ignored))
    t2p_log_error (NULL, ignored, "kill switch: what was left armed could not be taken up");
  take_mark (service);
  service->portal = t2pd_portal_new (bus, service->kill_switch, service->uplink);
  read_last_id (service);
  service->sleep = t2pd_sleep_new (bus, sleep_cb, service);
  g_signal_connect (service->callers, "vanished", G_CALLBACK (vanished_cb), service);
  return g_steal_pointer (&service);
}

void
t2pd_service_free (T2pdService *service)
{
  g_signal_handlers_disconnect_by_data (service->callers, service);
  g_clear_pointer (&service->sleep, t2pd_sleep_free);
  g_clear_pointer (&service->portal, t2pd_portal_free);
  g_clear_object (&service->kill_switch);
  g_clear_object (&service->manager);
  g_clear_object (&service->objects);
  g_clear_object (&service->polkit);
  g_clear_object (&service->callers);
  g_clear_object (&service->uplink);
  g_clear_object (&service->nm);
  g_clear_object (&service->bus);
  g_free (service);
}

/**
 * t2pd_service_create_tunnel:
 *
 * Returns: (transfer none): the tunnel, `inactive`; the set owns it
 *
 * Since: 0.1
 */
T2pdTunnel *
t2pd_service_create_tunnel (T2pdService *service,
                            const char *name,
                            guint32 owner,
                            T2pSettings *settings,
                            GError **error)
{
  guint64 id = t2pd_manager_next_id (service->manager);
  g_autoptr (T2pdTunnel) tunnel = NULL;

  if (!write_last_id (service, id, error))
    return NULL;
  tunnel = t2pd_tunnel_new (id, name, owner, settings);
  t2pd_bring_up_attach (service, tunnel);
  t2pd_manager_add (service->manager, tunnel);
  return tunnel;
}

/* Names of a tunnel that somebody deleted mean nothing to the next one of that name. */
static void
forget_names (T2pdService *service, T2pdTunnel *tunnel)
{
  g_autofree char *key =
      t2pd_name_map_make_key (t2pd_tunnel_get_owner (tunnel), t2pd_tunnel_get_name (tunnel));

  if (!service->is_ending)
    t2pd_fd_store_forget (service->fd_store, key);
}

static void
down_for_delete_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  T2pdTunnel *tunnel = T2PD_TUNNEL (source);
  T2pdService *service = g_task_get_task_data (task);

  t2pd_tunnel_deactivate_finish (tunnel, result);
  forget_names (service, tunnel);
  t2pd_manager_remove (service->manager, tunnel);
  g_task_return_boolean (task, TRUE);
}

/**
 * t2pd_service_delete_tunnel_async:
 *
 * Done when everything is undone and the tunnel is out of the set. It cannot fail.
 *
 * Since: 0.1
 */
void
t2pd_service_delete_tunnel_async (T2pdService *service,
                                  T2pdTunnel *tunnel,
                                  T2pStateReason reason,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data)
{
  GTask *task = g_task_new (tunnel, NULL, callback, user_data);

  g_task_set_task_data (task, service, NULL);
  t2pd_tunnel_delete_async (tunnel, reason, down_for_delete_cb, task);
}

void
t2pd_service_delete_tunnel_finish (T2pdService *service, GAsyncResult *result)
{
  g_task_propagate_boolean (G_TASK (result), NULL);
}

static void shut_down_next (GTask *task);

static void
shut_one_down_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;

  t2pd_service_delete_tunnel_finish (g_task_get_task_data (task), result);
  shut_down_next (task);
}

static void
shut_down_next (GTask *task)
{
  T2pdService *service = g_task_get_task_data (task);
  g_autoptr (GPtrArray) tunnels = t2pd_manager_list (service->manager);

  if (tunnels->len == 0)
    {
      g_task_return_boolean (task, TRUE);
      g_object_unref (task);
      return;
    }
  t2pd_service_delete_tunnel_async (service, tunnels->pdata[tunnels->len - 1],
                                    T2P_STATE_REASON_USER_REQUESTED, shut_one_down_cb, task);
}

static void
tests_ended_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_task_propagate_boolean (G_TASK (result), NULL);
  shut_down_next (user_data);
}

const char *
t2pd_service_get_default_backend (T2pdService *service)
{
  switch (service->options->network_backend)
    {
    case T2PD_NETWORK_BACKEND_AUTO:
      return t2pn_nm_client_check (service->nm, NULL) ? "networkmanager" : "netlink";
    case T2PD_NETWORK_BACKEND_NETLINK:
      return "netlink";
    case T2PD_NETWORK_BACKEND_NETWORK_MANAGER:
      return "networkmanager";
    }
  return "";
}

gboolean
t2pd_service_check_serving (T2pdService *service, GError **error)
{
  if (!service->is_ending)
    return TRUE;
  g_set_error_literal (error, T2P_ERROR, T2P_ERROR_CANCELLED, "the service is ending");
  return FALSE;
}

void
t2pd_service_shut_down_async (T2pdService *service,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  GTask *task = g_task_new (NULL, NULL, callback, user_data);

  service->is_ending = TRUE;
  g_task_set_task_data (task, service, NULL);
  t2pd_proxy_test_end_all_async (tests_ended_cb, task);
}
