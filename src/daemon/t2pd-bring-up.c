/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * The table in this file is the bring-up; its rows are in t2pd-step-carry.c and
 * t2pd-step-network.c, what happens afterwards in t2pd-bring-up-events.c. Each
 * row ends its GTask, whose reference it owns, and leaves nothing when it fails. What a row
 * makes is a field of this object, and its undo clears that field.
 *
 * The device's descriptor is held here and never read: a crash of the worker costs its
 * connections, never the device. While no worker has been there for a second, the plan is
 * computed as if the proxy could carry nothing, which makes what was captured unreachable. */

#include "t2pd-bring-up-private.h"

#include "t2p-log.h"
#include "t2pd-name-map.h"
#include "t2pd-bypass.h"
#include "t2pd-worker-sockets.h"
#include "t2pn-netns-backend.h"
#include "t2pn-netns-plan.h"

#include <stdio.h>
#include <sys/utsname.h>

G_DEFINE_FINAL_TYPE (T2pdBringUp, t2pd_bring_up, G_TYPE_OBJECT)

static void
t2pd_bring_up_dispose (GObject *object)
{
  T2pdBringUp *self = T2PD_BRING_UP (object);

  g_clear_pointer (&self->table, t2pd_tunnel_table_free);
  g_clear_pointer (&self->apps, t2pd_apps_free);
  g_clear_object (&self->resolver);
  g_clear_object (&self->backend);
  g_clear_object (&self->carrier);
  g_clear_object (&self->upstreams);
  G_OBJECT_CLASS (t2pd_bring_up_parent_class)->dispose (object);
}

static void
t2pd_bring_up_finalize (GObject *object)
{
  T2pdBringUp *self = T2PD_BRING_UP (object);

  g_clear_pointer (&self->device, t2pn_tun_device_free);
  g_free (self->resolver_redirect);
  g_clear_pointer (&self->journal, t2pn_journal_free);
  g_clear_pointer (&self->loop_watch, t2pd_loop_watch_free);
  g_clear_pointer (&self->second_hop, t2pd_second_hop_free);
  g_clear_pointer (&self->bypass, t2pn_bypass_free);
  g_clear_pointer (&self->users, g_array_unref);
  g_clear_pointer (&self->rule_uids, g_variant_unref);
  g_clear_pointer (&self->files, t2pd_files_unref);
  g_clear_pointer (&self->descriptors, t2pd_descriptors_unref);
  g_free (self->close_warning);
  t2p_settings_unref (self->settings);
  G_OBJECT_CLASS (t2pd_bring_up_parent_class)->finalize (object);
}

static void
t2pd_bring_up_class_init (T2pdBringUpClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = t2pd_bring_up_dispose;
  G_OBJECT_CLASS (klass)->finalize = t2pd_bring_up_finalize;
  g_signal_new ("loop-detected", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                NULL, G_TYPE_NONE, 1, G_TYPE_VARIANT);
  g_signal_new ("proxy-changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                NULL, G_TYPE_NONE, 3, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING);
}

static void
t2pd_bring_up_init (T2pdBringUp *self)
{
}

void
t2pd_step_end (GTask *owned, GError *error)
{
  g_autoptr (GTask) task = owned;

  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
}

void
t2pd_step_set_bring_up (GTask *task, T2pdBringUp *self)
{
  g_object_set_data (G_OBJECT (task), "bring-up", self);
}

T2pdBringUp *
t2pd_step_get_bring_up (GTask *task)
{
  return g_object_get_data (G_OBJECT (task), "bring-up");
}

int
t2pd_bring_up_get_ifindex (T2pdBringUp *self)
{
  return self->device != NULL && t2pd_bring_up_get_netns (self) < 0
             ? t2pn_tun_device_get_ifindex (self->device)
             : 0;
}

void
t2pd_bring_up_show_facts (T2pdBringUp *self)
{
  T2pdTunnelFacts facts = { 0 };

  if (self->device != NULL)
    {
      facts.interface = t2pn_tun_device_get_name (self->device);
      facts.ifindex = t2pd_bring_up_get_ifindex (self);
    }
  if (self->backend != NULL)
    facts.network_backend = t2pn_backend_get_name (self->backend);
  if (self->resolver != NULL && !g_str_equal (t2pn_resolver_get_name (self->resolver), "none"))
    facts.resolver_backend = t2pn_resolver_get_name (self->resolver);
  t2pd_tunnel_set_facts (self->tunnel, &facts);
}

/* From Linux 5.17 CAP_NET_RAW suffices for SO_MARK. */
guint32
t2pd_bring_up_get_worker_uid (T2pdBringUp *self)
{
  struct utsname kernel;
  int major = 0, minor = 0;

  uname (&kernel);
  if (sscanf (kernel.release, "%d.%d", &major, &minor) != 2 || major > 5 ||
      (major == 5 && minor >= 17))
    return 0;
  return self->service->options->worker_uid;
}

/* Of all tunnels: the address of another tunnel's link is no uplink's. */
GArray *
t2pd_bring_up_list_own_links (T2pdBringUp *self)
{
  GArray *links = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GPtrArray) tunnels = t2pd_manager_list (self->service->manager);

  for (guint i = 0; i < tunnels->len; i++)
    {
      int ifindex = t2pd_tunnel_get_facts (tunnels->pdata[i])->ifindex;

      if (ifindex != 0)
        g_array_append_val (links, ifindex);
    }
  return links;
}

/* @links must outlive it. */
static T2pnRoutePlanInput
make_plan_input (T2pdBringUp *self, const GArray *links)
{
  return (T2pnRoutePlanInput){
    .settings = self->settings,
    .ifindex = t2pn_tun_device_get_ifindex (self->device),
    .ifname = t2pn_tun_device_get_name (self->device),
    .pool = self->pool,
    .ids = self->ids,
    .owner_uid = t2pd_tunnel_get_owner (self->tunnel),
    .users = (gconstpointer) self->users->data, /* NULL when there is none */
    .n_users = self->users->len,
    .own_ifindexes = (gconstpointer) links->data,
    .n_own_ifindexes = links->len,
    .proxy_has_ipv4 = !self->is_unattended,
    .proxy_has_ipv6 = !self->is_unattended && t2pd_upstreams_have_ipv6 (self->upstreams),
    .worker_uid = t2pd_bring_up_get_worker_uid (self),
    .resolver_uid = self->resolver_uid,
    .bypass = self->bypass,
  };
}

T2pnRoutePlan *
t2pd_bring_up_make_netns_plan (T2pdBringUp *self, GError **error)
{
  g_autoptr (T2pnSnapshot) snapshot =
      t2pn_netns_take_snapshot (t2pd_bring_up_get_netns (self), error);
  g_autoptr (GArray) links = g_array_new (FALSE, FALSE, sizeof (int));
  T2pnRoutePlanInput input = make_plan_input (self, links);

  return snapshot != NULL ? t2pn_netns_plan_new (&input, snapshot) : NULL;
}

T2pnRoutePlan *
t2pd_bring_up_make_plan (T2pdBringUp *self, GError **error)
{
  g_autoptr (T2pnSnapshot) snapshot =
      t2pn_snapshot_take_around_tunnels (self->ids.table, error);
  g_autoptr (GArray) links = t2pd_bring_up_list_own_links (self);
  T2pnRoutePlanInput input;

  if (snapshot == NULL ||
      !t2pn_snapshot_add_table (snapshot, self->ids.override_table, error) ||
      !t2pd_second_hop_find (self, error))
    return NULL;
  t2pd_uplink_note_udp_servers (self->service->uplink, snapshot);
  t2pd_bypass_renew (self);
  input = make_plan_input (self, links);
  return t2pn_route_plan_new (&input, snapshot, error);
}

T2pnRoutePlan *
t2pd_bring_up_renew_plan (T2pdBringUp *self, GError **out_conflict, GError **error)
{
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take_around_tunnels (0, error);
  g_autoptr (GArray) links = t2pd_bring_up_list_own_links (self);
  T2pnRoutePlanInput input;
  T2pnRoutePlan *plan;

  if (snapshot == NULL)
    return NULL;
  t2pd_uplink_note_udp_servers (self->service->uplink, snapshot);
  t2pd_bypass_renew (self);
  input = make_plan_input (self, links);
  plan = t2pn_route_plan_renew (&input, snapshot);
  t2pn_route_plan_check (plan, &input, snapshot, out_conflict);
  return plan;
}

gboolean
t2pd_bring_up_fill_arm (T2pdBringUp *self, T2pnKillSwitchArm *arm, GError **error)
{
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take_around_tunnels (0, error);
  g_autoptr (GArray) links = t2pd_bring_up_list_own_links (self);
  T2pnRoutePlanInput input = make_plan_input (self, links);

  if (snapshot == NULL)
    return FALSE;
  t2pn_kill_switch_arm_fill (arm, &input, snapshot);
  return TRUE;
}

/* --- the journal */

static gboolean
begin_cb (gpointer context, const T2pdStep *step, GError **error)
{
  T2pdBringUp *self = context;
  g_autofree char *id =
      g_strdup_printf ("%" G_GUINT64_FORMAT, t2pd_tunnel_get_id (self->tunnel));

  if (self->journal == NULL)
    self->journal = t2pn_journal_new (self->service->options->runtime_dir, id, error);
  return self->journal != NULL && t2pn_journal_begin_step (self->journal, step->name, error);
}

static gboolean
is_first_step (const T2pdStep *step)
{
  return g_str_equal (step->name, t2pd_bring_up_get_step_names ()[0]);
}

static void
undone_cb (gpointer context, const T2pdStep *step, const GError *undo_error)
{
  T2pdBringUp *self = context;
  g_autoptr (GError) error = NULL;

  if (self->journal == NULL) /* there was none to begin with */
    return;
  if (undo_error != NULL)
    t2p_log_warning (t2pd_tunnel_get_name (self->tunnel), undo_error,
                     "%s: could not undo, the journal will", step->name);
  if (!t2pn_journal_undo_step (self->journal, step->name, &error))
    t2p_log_warning (t2pd_tunnel_get_name (self->tunnel), error, "%s: could not undo, ignoring",
                     step->name);
  if (!is_first_step (step))
    return;
  g_clear_error (&error);
  if (!t2pn_journal_undo (self->journal, &error))
    t2p_log_warning (t2pd_tunnel_get_name (self->tunnel), error,
                     "something is left, the journal stays");
  g_clear_pointer (&self->journal, t2pn_journal_free);
}

/* --- the table */

static const T2pdStep steps[] = {
  { "resolve-upstream", T2P_TUNNEL_STATE_PREPARING, t2pd_step_run_resolve,
    t2pd_step_undo_resolve },
  { "create-device", T2P_TUNNEL_STATE_PREPARING, t2pd_step_run_device, t2pd_step_undo_device },
  { "start-worker", T2P_TUNNEL_STATE_PREPARING, t2pd_step_run_worker, t2pd_step_undo_worker },
  { "probe-upstream", T2P_TUNNEL_STATE_CONNECTING, t2pd_step_run_probe, NULL },
  { "configure-link", T2P_TUNNEL_STATE_CONFIGURING, t2pd_step_run_link, t2pd_step_undo_link },
  /* before capture: else a loop */
  { "install-bypass", T2P_TUNNEL_STATE_CONFIGURING, t2pd_step_run_bypass,
    t2pd_step_undo_bypass },
  { "install-capture", T2P_TUNNEL_STATE_CONFIGURING, t2pd_step_run_capture,
    t2pd_step_undo_capture },
  { "apply-dns", T2P_TUNNEL_STATE_CONFIGURING, t2pd_step_run_dns, t2pd_step_undo_dns },
};

const char *const *
t2pd_bring_up_get_step_names (void)
{
  static const char *names[G_N_ELEMENTS (steps) + 1];

  for (gsize i = 0; i < G_N_ELEMENTS (steps); i++)
    names[i] = steps[i].name;
  return names;
}

static void
drained_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GError *error = NULL;

  t2pd_carrier_finish (T2PD_CARRIER (source), result, &error);
  t2pd_step_end (user_data, error);
}

static void
drain_cb (gpointer context, guint drain_ms, GTask *task)
{
  T2pdBringUp *self = context;

  t2pd_carrier_stop_async (self->carrier, drain_ms, drained_cb, task);
}

/**
 * t2pd_bring_up_attach:
 * @service: must outlive @tunnel
 *
 * Since: 0.1
 */
void
t2pd_bring_up_attach (T2pdService *service, T2pdTunnel *tunnel)
{
  static const T2pdActivationHooks hooks = { begin_cb, undone_cb, drain_cb };
  g_autoptr (T2pdBringUp) self = g_object_new (T2PD_TYPE_BRING_UP, NULL);
  g_autofree char *label = g_strdup_printf ("%" G_GUINT64_FORMAT, t2pd_tunnel_get_id (tunnel));
  g_autofree char *names_key =
      t2pd_name_map_make_key (t2pd_tunnel_get_owner (tunnel), t2pd_tunnel_get_name (tunnel));
  g_auto (GStrv) paths = t2pd_worker_sockets_of_settings (t2pd_tunnel_get_settings (tunnel));
  g_autoptr (T2pdActivation) activation = t2pd_activation_new (
      steps, G_N_ELEMENTS (steps), &hooks, self, service->options->pause_at);

  self->service = service;
  self->tunnel = tunnel;
  self->settings = t2p_settings_ref (t2pd_tunnel_get_settings (tunnel));
  self->loop_watch = t2pd_loop_watch_new (self);
  self->carrier = t2pd_carrier_new (service->options, label, service->fd_store, names_key);
  t2pd_carrier_allow_sockets (self->carrier, t2pd_tunnel_get_owner (tunnel),
                              (const char *const *) paths);
  t2pd_bring_up_watch (self);
  t2pd_tunnel_set_activation (tunnel, activation, G_OBJECT (self));
}

T2pdBringUp *
t2pd_bring_up_of (T2pdTunnel *tunnel)
{
  return T2PD_BRING_UP (t2pd_tunnel_get_context (tunnel));
}

void
t2pd_bring_up_set_advanced (T2pdBringUp *self, gboolean is_advanced)
{
  self->is_advanced = is_advanced;
}

void
t2pd_bring_up_set_closes_existing (T2pdBringUp *self, gboolean closes_existing)
{
  self->closes_existing = closes_existing;
}

const char *
t2pd_bring_up_get_close_warning (T2pdBringUp *self)
{
  return self->close_warning;
}

void
t2pd_bring_up_set_descriptors (T2pdBringUp *self, T2pdDescriptors *descriptors)
{
  g_return_if_fail (self->descriptors == NULL);

  self->descriptors = t2pd_descriptors_ref (descriptors);
  t2pd_tunnel_set_is_elsewhere (self->tunnel, t2pd_descriptors_get_netns (descriptors) >= 0);
}

int
t2pd_bring_up_get_netns (T2pdBringUp *self)
{
  return t2pd_descriptors_get_netns (self->descriptors);
}

T2pdWorker *
t2pd_bring_up_get_worker (T2pdBringUp *self)
{
  return t2pd_carrier_get_worker (self->carrier);
}

const char *const *
t2pd_bring_up_get_warnings (T2pdBringUp *self)
{
  return t2pd_carrier_get_warnings (self->carrier);
}

const T2pnAddressPool *
t2pd_bring_up_get_pool (T2pdBringUp *self)
{
  return self->ids.mark != 0 ? &self->pool : NULL;
}

const T2pnRouteIds *
t2pd_bring_up_get_ids (T2pdBringUp *self)
{
  return self->ids.mark != 0 ? &self->ids : NULL;
}

const char *
t2pd_bring_up_get_udp (T2pdBringUp *self)
{
  return self->upstreams != NULL && t2pd_tunnel_is_engaged (self->tunnel)
             ? t2pd_upstreams_get_udp (self->upstreams)
             : "unknown";
}

gboolean
t2pd_bring_up_has_ipv6 (T2pdBringUp *self)
{
  return self->upstreams != NULL && t2pd_upstreams_have_ipv6 (self->upstreams);
}
