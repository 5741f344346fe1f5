/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Who owns the tunnel's addresses, routes and rules is settled here, for as long as it is up:
 *
 *   NetworkManager  it runs, is recent enough, takes the link, and a profile can say all of the
 *                   plan; the profile has the DNS too when NetworkManager writes what the
 *                   machine's names go by
 *   we              else; and NetworkManager, if there is one, is told to leave the link alone
 *
 * An administrator may have said by --network-backend which of them, and then has it or an
 * error. */
#include "config.h"

#include "t2pd-bring-up-private.h"
#include "t2pd-dns-redirect.h"

#include "t2p-log.h"
#include "t2pn-netns-backend.h"
#include "t2pn-nm-backend.h"

/* The system's resolver answers everybody: only a tunnel for everybody may change it. */
T2pScope
t2pd_bring_up_get_resolver_scope (T2pdBringUp *self)
{
  return t2pd_dns_redirect_is_for_some (self->settings) ? T2P_SCOPE_USER : T2P_SCOPE_SYSTEM;
}

static gboolean
is_forced (T2pdBringUp *self)
{
  return self->service->options->network_backend == T2PD_NETWORK_BACKEND_NETWORK_MANAGER;
}

/* --- we */

static void
netlink_run_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pdBringUp *self = t2pd_step_get_bring_up (task);
  GError *error = NULL;

  if (!t2pn_backend_run_finish (T2PN_BACKEND (source), result, &error))
    g_clear_object (&self->backend);
  t2pd_bring_up_show_facts (self);
  t2pd_step_end (task, error);
}

/* Takes @plan. */
static void
run_netlink (T2pdBringUp *self, GTask *task, T2pnRoutePlan *plan)
{
  self->backend = t2pn_netlink_backend_new (plan, self->journal, self->service->bus);
  t2pn_backend_run_async (self->backend, T2PN_STAGE_CONFIGURE_LINK,
                          g_task_get_cancellable (task), netlink_run_cb, task);
}

static void
plan_and_run_netlink (T2pdBringUp *self, GTask *task)
{
  GError *error = NULL;
  T2pnRoutePlan *plan = t2pd_bring_up_make_plan (self, &error);

  if (plan == NULL)
    t2pd_step_end (task, error);
  else
    run_netlink (self, task, plan);
}

/* --- NetworkManager */

static void
lost_cb (T2pnBackend *backend, const GError *error, gpointer user_data)
{
  T2pdBringUp *self = T2PD_BRING_UP (user_data);

  if (self->backend == backend)
    t2pd_tunnel_fail (self->tunnel, error);
}

static void
nm_run_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pdBringUp *self = t2pd_step_get_bring_up (task);
  GError *error = NULL;

  if (t2pn_backend_run_finish (T2PN_BACKEND (source), result, &error))
    {
      g_signal_connect_object (self->backend, "lost", G_CALLBACK (lost_cb), self, 0);
      t2pd_bring_up_show_facts (self);
      t2pd_step_end (task, NULL);
      return;
    }
  g_clear_object (&self->backend);
  if (is_forced (self) || !g_error_matches (error, T2P_ERROR, T2P_ERROR_NETWORK_MANAGER_FAILED))
    {
      t2pd_step_end (task, error);
      return;
    }
  t2p_log_notice (t2pd_tunnel_get_name (self->tunnel), error,
                  "not owned by NetworkManager, using netlink");
  g_error_free (error);
  plan_and_run_netlink (self, task);
}

/* A flat list of servers cannot be split: it takes all names, or none. */
static gboolean
can_tell (T2pdBringUp *self, T2pnResolver *resolver)
{
  int priority = t2pn_nm_client_get_dns_priority (self->service->nm);
  gboolean is_resolved = g_str_equal (t2pn_resolver_get_name (resolver), "resolved");
  const char *const *domains = t2p_settings_get_strv (self->settings, "dns-domains");

  if (priority == 0 || is_resolved != t2pn_nm_client_tells_resolved (self->service->nm))
    return FALSE;
  return priority > 0 || g_strv_contains (domains, ".");
}

/* @resolver: (nullable): who would be told without NetworkManager */
static void
run_nm (T2pdBringUp *self, GTask *task, T2pnResolver *resolver)
{
  g_autofree char *id = g_strconcat ("tun2proxy ", t2pd_tunnel_get_name (self->tunnel), NULL);
  gboolean tells = resolver != NULL && can_tell (self, resolver);
  T2pnNmBackendConfig config = {
    .client = self->service->nm,
    .journal = self->journal,
    .id = id,
    .has_vnet_header = t2pn_tun_device_get_header_bytes (self->device) > 0,
    .is_multi_queue = t2pn_tun_device_get_n_queues (self->device) > 1,
    .server = tells ? &self->pool.responder4 : NULL,
    .domains = t2p_settings_get_strv (self->settings, "dns-domains"),
  };
  GError *error = NULL;
  T2pnRoutePlan *plan = t2pd_bring_up_make_plan (self, &error);

  if (plan == NULL)
    t2pd_step_end (task, error);
  else if (t2pn_nm_backend_check (self->service->nm, plan, &error))
    {
      self->backend = t2pn_nm_backend_new (plan, &config);
      t2pn_backend_run_async (self->backend, T2PN_STAGE_CONFIGURE_LINK,
                              g_task_get_cancellable (task), nm_run_cb, task);
    }
  else if (is_forced (self))
    {
      t2pn_route_plan_free (plan);
      t2pd_step_end (task, error);
    }
  else
    {
      t2p_log_info (t2pd_tunnel_get_name (self->tunnel), error, "using netlink");
      g_error_free (error);
      run_netlink (self, task, plan);
    }
}

static void
resolver_known_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  GError *error = NULL;
  g_autoptr (T2pnResolver) resolver = t2pn_resolver_choose_finish (result, &error);

  if (resolver == NULL)
    t2pd_step_end (task, error);
  else
    run_nm (t2pd_step_get_bring_up (task), task, resolver);
}

static void
nm_known_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pdBringUp *self = t2pd_step_get_bring_up (task);
  GError *error = NULL;

  if (!t2pn_nm_client_ready_finish (T2PN_NM_CLIENT (source), result, &error))
    t2pd_step_end (task, error);
  else if (t2p_settings_get_dns (self->settings) == T2P_DNS_MODE_OFF ||
           t2pd_bring_up_get_resolver_scope (self) == T2P_SCOPE_USER)
    run_nm (self, task, NULL);
  else
    t2pn_resolver_choose_async (self->service->bus, T2P_SCOPE_SYSTEM, NULL,
                                g_task_get_cancellable (task), resolver_known_cb, task);
}

/* --- in the caller's namespace, which nobody else knows of */

static void
run_netns (T2pdBringUp *self, GTask *task)
{
  GError *error = NULL;
  T2pnRoutePlan *plan = t2pd_bring_up_make_netns_plan (self, &error);

  if (plan == NULL)
    {
      t2pd_step_end (task, error);
      return;
    }
  self->backend = t2pn_netns_backend_new (plan, t2pd_bring_up_get_netns (self));
  t2pn_backend_run_async (self->backend, T2PN_STAGE_CONFIGURE_LINK,
                          g_task_get_cancellable (task), netlink_run_cb, task);
}

/* --- the step */

void
t2pd_step_run_link (gpointer context, GTask *task)
{
  T2pdBringUp *self = context;

  t2pd_step_set_bring_up (task, self);
  if (t2pd_bring_up_get_netns (self) >= 0)
    run_netns (self, task);
  else if (self->service->options->network_backend == T2PD_NETWORK_BACKEND_NETLINK)
    plan_and_run_netlink (self, task);
  else
    t2pn_nm_client_ready_async (self->service->nm, g_task_get_cancellable (task), nm_known_cb,
                                task);
}

static void
link_undone_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pdBringUp *self = t2pd_step_get_bring_up (task);
  GError *error = NULL;

  t2pn_backend_undo_finish (T2PN_BACKEND (source), result, &error);
  g_clear_object (&self->backend);
  t2pd_bring_up_show_facts (self);
  t2pd_step_end (task, error);
}

void
t2pd_step_undo_link (gpointer context, GTask *task)
{
  T2pdBringUp *self = context;

  t2pd_step_set_bring_up (task, self);
  t2pn_backend_undo_async (self->backend, T2PN_STAGE_CONFIGURE_LINK, NULL, link_undone_cb,
                           task);
}
