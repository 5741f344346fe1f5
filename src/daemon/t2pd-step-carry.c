/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-bring-up-private.h"

#include "t2p-log.h"
#include "t2pd-bypass.h"
#include "t2pd-kill-switch-part.h"
#include "t2pd-start-settings.h"
#include "t2pd-users.h"
#include "t2pd-worker-owners.h"
#include "t2pn-bind-links.h"
#include "t2pn-netns-backend.h"
#include "t2pn-netns.h"

/* --- resolve-upstream */

GVariant *
t2pd_bring_up_make_ask (T2pdBringUp *self)
{
  GVariantBuilder builder;
  g_auto (GStrv) servers = t2pd_uplink_get_server_texts (self->service->uplink);

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "mark", g_variant_new_uint32 (self->ids.mark));
  g_variant_builder_add (&builder, "{sv}", "uplink-dns",
                         g_variant_new_strv ((const char *const *) servers, -1));
  g_variant_builder_add (&builder, "{sv}", "foreign-addresses",
                         g_variant_new_boolean (self->is_advanced));
  g_variant_builder_add (&builder, "{sv}", "sockets", t2pd_bypass_make_sockets (self));
  return g_variant_builder_end (&builder);
}

static gboolean
shares_network (T2pdBringUp *self, T2pdBringUp *other)
{
  int a = t2pd_bring_up_get_netns (self);
  int b = t2pd_bring_up_get_netns (other);

  return a < 0 || b < 0 ? a == b : t2pn_netns_equal (a, b);
}

static GArray *
collect_taken (T2pdBringUp *self, GArray **out_ids)
{
  GArray *pools = g_array_new (FALSE, FALSE, sizeof (T2pIpPrefix));
  g_autoptr (GPtrArray) tunnels = t2pd_manager_list (self->service->manager);

  *out_ids = g_array_new (FALSE, FALSE, sizeof (T2pnRouteIds));
  for (guint i = 0; i < tunnels->len; i++)
    {
      T2pdBringUp *other = t2pd_bring_up_of (tunnels->pdata[i]);

      if (other == self || other->ids.mark == 0)
        continue;
      g_array_append_val (*out_ids, other->ids);
      if (!shares_network (self, other))
        continue;
      if (other->pool.pool4.address.family != AF_UNSPEC)
        g_array_append_val (pools, other->pool.pool4);
      if (other->pool.pool6.address.family != AF_UNSPEC)
        g_array_append_val (pools, other->pool.pool6);
    }
  return pools;
}

static char *
make_seed (T2pdBringUp *self)
{
  g_autofree char *machine = NULL;

  if (!g_file_get_contents ("/etc/machine-id", &machine, NULL, NULL))
    machine = g_strdup (g_get_host_name ());
  return g_strdup_printf ("%s/%u/%s", g_strchomp (machine),
                          t2pd_tunnel_get_owner (self->tunnel),
                          t2pd_tunnel_get_name (self->tunnel));
}

/* Marks, tables, priorities and addresses that nobody else has. */
static gboolean
choose_numbers (T2pdBringUp *self, GError **error)
{
  int netns = t2pd_bring_up_get_netns (self);
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take (error);
  g_autoptr (T2pnSnapshot) elsewhere =
      netns >= 0 ? t2pn_netns_take_snapshot (netns, error) : NULL;
  g_autoptr (GArray) taken_ids = NULL;
  g_autoptr (GArray) taken_pools = collect_taken (self, &taken_ids);
  g_autofree char *seed = make_seed (self);

  if (snapshot == NULL || (netns >= 0 && elsewhere == NULL) ||
      !t2pn_bind_links_check (self->settings, snapshot, error))
    return FALSE;
  if (self->service->mark == 0 &&
      !t2pn_route_ids_choose_mark (snapshot, &self->service->mark, error))
    return FALSE;
  return t2pn_route_ids_choose (self->settings, snapshot, self->service->mark, taken_ids,
                                &self->ids, error) &&
         t2pn_route_apps_choose_mark (self->settings, snapshot, taken_ids, &self->ids, error) &&
         t2pn_address_pool_choose (self->settings, netns >= 0 ? elsewhere : snapshot,
                                   taken_pools, seed, &self->pool, error) &&
         /* Before the first socket: another tunnel, or this one before, may be armed. */
         t2pd_kill_switch_part_allow (self, error);
}

gboolean
t2pd_bring_up_take_app_mark (T2pdBringUp *self, GError **error)
{
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take_around_tunnels (0, error);
  g_autoptr (GArray) taken_ids = NULL;
  g_autoptr (GArray) taken_pools = collect_taken (self, &taken_ids);

  if (self->ids.app_mark != 0)
    return TRUE;
  return snapshot != NULL && t2pn_route_apps_take_mark (snapshot, taken_ids, &self->ids, error);
}

static gboolean
open_files (T2pdBringUp *self, GError **error)
{
  g_autoptr (GArray) wanted = t2p_settings_list_files (self->settings);

  g_clear_pointer (&self->files, t2pd_files_unref);
  self->files =
      t2pd_files_open (wanted, t2pd_tunnel_get_owner (self->tunnel), self->descriptors, error);
  return self->files != NULL;
}

/* What the first row found is what the next bring-up looks for again. */
static void
forget_found (T2pdBringUp *self)
{
  g_clear_pointer (&self->files, t2pd_files_unref);
  g_clear_pointer (&self->second_hop, t2pd_second_hop_free);
  self->ids = (T2pnRouteIds){ 0 };
  self->pool = (T2pnAddressPool){ 0 };
}

static void
resolve_failed_stopped_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;

  t2pd_carrier_finish (T2PD_CARRIER (source), result, NULL);
  t2pd_step_end (task, g_error_copy (g_task_get_task_data (task)));
}

/* A failed look-up takes the worker that it started with it. */
static void
resolve_fail (T2pdBringUp *self, GTask *task, GError *error)
{
  forget_found (self);
  g_task_set_task_data (task, error, (GDestroyNotify) g_error_free);
  t2pd_carrier_stop_async (self->carrier, 0, resolve_failed_stopped_cb, task);
}

static void
resolved_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  GError *error = NULL;

  if (t2pd_upstreams_finish (T2PD_UPSTREAMS (source), result, &error))
    t2pd_step_end (task, NULL);
  else
    resolve_fail (t2pd_step_get_bring_up (task), task, error);
}

static void
resolve_names (T2pdBringUp *self, GTask *task)
{
  t2pd_upstreams_resolve_async (self->upstreams, self->carrier, t2pd_bring_up_make_ask (self),
                                g_task_get_cancellable (task), resolved_cb, task);
}

static void
ensured_for_names_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  GError *error = NULL;

  if (t2pd_carrier_finish (T2PD_CARRIER (source), result, &error))
    resolve_names (t2pd_step_get_bring_up (task), task);
  else
    resolve_fail (t2pd_step_get_bring_up (task), task, error);
}

static void
servers_known_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pdBringUp *self = t2pd_step_get_bring_up (task);
  g_autoptr (GError) error = NULL;

  if (!t2pd_uplink_refresh_finish (T2PD_UPLINK (source), result, &error))
    t2p_log_info (t2pd_tunnel_get_name (self->tunnel), error,
                  "the uplink's name servers are not known, ignoring");
  if (t2pd_upstreams_have_names (self->upstreams))
    t2pd_carrier_ensure_async (self->carrier, g_task_get_cancellable (task),
                               ensured_for_names_cb, task);
  else
    resolve_names (self, task);
}

void
t2pd_step_run_resolve (gpointer context, GTask *task)
{
  T2pdBringUp *self = context;
  GError *error = NULL;

  t2pd_step_set_bring_up (task, self);
  g_clear_object (&self->upstreams);
  if (!open_files (self, &error))
    {
      t2pd_step_end (task, error);
      return;
    }
  self->upstreams = t2pd_upstreams_new (self->settings, self->is_advanced, self->files);
  g_clear_pointer (&self->users, g_array_unref);
  g_clear_pointer (&self->rule_uids, g_variant_unref);
  self->resolver_uid = t2pd_users_find_resolver ();
  self->users = t2pd_users_look_up (self->settings, &error);
  if (self->users != NULL)
    self->rule_uids = t2pd_users_look_up_rules (self->settings, &error);
  if (self->rule_uids == NULL || !choose_numbers (self, &error) ||
      !t2pn_journal_add_socket (self->journal, t2pd_carrier_get_socket_path (self->carrier),
                                &error))
    {
      forget_found (self);
      t2pd_step_end (task, error);
      return;
    }
  t2pd_uplink_refresh_async (self->service->uplink, g_task_get_cancellable (task),
                             servers_known_cb, task);
}

/* --- start-worker; its undo is that of resolve-upstream too */

static void
stopped_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GError *error = NULL;

  t2pd_carrier_finish (T2PD_CARRIER (source), result, &error);
  t2pd_step_end (user_data, error);
}

void
t2pd_step_undo_worker (gpointer context, GTask *task)
{
  T2pdBringUp *self = context;

  self->is_unattended = FALSE;
  t2pd_carrier_stop_async (self->carrier, 0, stopped_cb, task);
}

void
t2pd_step_undo_resolve (gpointer context, GTask *task)
{
  forget_found (context);
  t2pd_step_undo_worker (context, task);
}

static void
started_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  GError *error = NULL;

  if (t2pd_carrier_finish (T2PD_CARRIER (source), result, &error))
    {
      t2pd_step_end (task, NULL);
      return;
    }
  g_task_set_task_data (task, error, (GDestroyNotify) g_error_free);
  t2pd_carrier_stop_async (T2PD_CARRIER (source), 0, resolve_failed_stopped_cb, task);
}

void
t2pd_step_run_worker (gpointer context, GTask *task)
{
  T2pdBringUp *self = context;
  g_auto (GStrv) servers = t2pd_uplink_get_server_texts (self->service->uplink);
  g_auto (GStrv) exclude = t2pd_uplink_make_dns_exclude (self->service->uplink, self->settings);
  GVariant *settings = t2pd_start_settings_make (
      self->settings, self->upstreams, self->device, &self->pool, self->ids.mark,
      self->is_advanced, (const char *const *) servers, (const char *const *) exclude,
      self->rule_uids, t2pd_bypass_make_sockets (self));

  t2pd_carrier_answer_owners (self->carrier, t2pd_worker_owners_are_wanted (self->settings)
                                                 ? t2pd_bring_up_get_ifindex (self)
                                                 : 0);
  t2pd_carrier_start_async (self->carrier, settings, t2pn_tun_device_peek_fd (self->device, 0),
                            self->files, g_task_get_cancellable (task), started_cb, task);
}

/* --- create-device */

static void
drop_device (T2pdBringUp *self)
{
  if (t2pd_bring_up_get_ifindex (self) != 0)
    t2pd_uplink_remove_own_link (self->service->uplink, t2pd_bring_up_get_ifindex (self));
  g_clear_pointer (&self->device, t2pn_tun_device_free);
  t2pd_bring_up_show_facts (self);
}

/* Nothing needs to be undone of one that is elsewhere: it goes with its descriptors. */
static gboolean
register_device (T2pdBringUp *self, GError **error)
{
  T2pIpPrefix pools[] = { self->pool.pool4, self->pool.pool6 };
  int ifindex = t2pd_bring_up_get_ifindex (self);

  if (ifindex == 0)
    return TRUE;
  t2pd_uplink_add_own_link (self->service->uplink, ifindex, pools, G_N_ELEMENTS (pools));
  return t2pn_journal_add_device (self->journal, t2pn_tun_device_get_name (self->device),
                                  ifindex, error);
}

void
t2pd_step_run_device (gpointer context, GTask *task)
{
  T2pdBringUp *self = context;
  const char *name = t2p_settings_get_string (self->settings, "interface");
  int netns = t2pd_bring_up_get_netns (self);
  GError *error = NULL;

  self->device = netns >= 0 ? t2pn_netns_open_device (netns, name, &error)
                            : t2pn_tun_device_open (name, 1, &error);
  if (self->device == NULL)
    {
      t2pd_step_end (task, error);
      return;
    }
  if (register_device (self, &error))
    t2pd_bring_up_show_facts (self);
  else
    drop_device (self);
  t2pd_step_end (task, error);
}

void
t2pd_step_undo_device (gpointer context, GTask *task)
{
  drop_device (context);
  t2pd_step_end (task, NULL);
}

/* --- probe-upstream */

static void
probed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  GError *error = NULL;

  if (t2pd_upstreams_finish (T2PD_UPSTREAMS (source), result, &error))
    t2pd_bring_up_tell_ipv6 (t2pd_step_get_bring_up (task)); /* before the first question */
  t2pd_step_end (task, error);
}

void
t2pd_step_run_probe (gpointer context, GTask *task)
{
  T2pdBringUp *self = context;

  t2pd_step_set_bring_up (task, self);
  t2pd_upstreams_probe_async (self->upstreams, self->carrier, t2pd_bring_up_make_ask (self),
                              g_task_get_cancellable (task), probed_cb, task);
}
