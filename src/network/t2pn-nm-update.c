/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A Reapply makes NetworkManager compare the device with the profile, and put right what is
 * missing; rules that somebody deleted come back by it, too. It changes what is applied and not
 * the profile, which is what comes back after a restart: then it is made once more. */
#include "config.h"

#include "t2pn-nm-backend-private.h"

#include "t2p-error.h"
#include "t2pn-claims.h"
#include "t2pn-netlink-objects.h"
#include "t2pn-netlink.h"
#include "t2pn-nm-activation.h"
#include "t2pn-nm-profile.h"
#include "t2pn-route-set.h"

#include <string.h>

/* --- another plan */

/** Change: of the plan that is installed. */
typedef struct
{
  T2pnRoutePlan *plan;
  T2pnRoutePlan *installed;
} Change;

static void
change_free (Change *change)
{
  t2pn_route_plan_free (change->plan);
  t2pn_route_plan_free (change->installed);
  g_free (change);
}

static void
take_plan (T2pnNmBackend *self, Change *change)
{
  t2pn_route_plan_free (self->plan);
  t2pn_route_plan_free (self->installed);
  self->plan = g_steal_pointer (&change->plan);
  self->installed = g_steal_pointer (&change->installed);
}

static gboolean
settle (T2pnNmBackend *self, GError **error)
{
  t2pn_claims_set (self, self->installed, NULL);
  return t2pn_nm_backend_write_plan (self, self->installed, t2pn_journal_set_step_network,
                                     error) &&
         t2pn_nm_backend_prepare_link (self, error);
}

static void
reapplied_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  T2pnNmBackend *self = g_task_get_source_object (task);
  g_autoptr (GError) failure = NULL;
  GError *error = NULL;
  gboolean is_done = nm_device_reapply_finish (NM_DEVICE (source), result, &failure);

  self->is_doubtful = !is_done;
  /* Both plans stay in the journal: nobody knows which one is installed. */
  if (is_done && self->state != T2PN_NM_STATE_DOWN)
    is_done = settle (self, &error);
  else if (!is_done)
    {
      g_dbus_error_strip_remote_error (failure);
      g_set_error (&error, T2P_ERROR, T2P_ERROR_NETWORK_MANAGER_FAILED,
                   "NetworkManager does not reapply the profile of %s: %s", self->plan->ifname,
                   failure->message);
    }
  t2pn_nm_backend_return (task, is_done, error);
}

/* Has NetworkManager install self->plan, which may be there already. */
static void
reapply (T2pnNmBackend *self, GTask *task)
{
  NMClient *client = t2pn_nm_client_peek (self->client);
  NMDevice *device = t2pn_nm_find_device (client, self->plan->ifname);
  GError *error = NULL;
  g_autoptr (NMConnection) profile = t2pn_nm_backend_make_profile (self, self->plan, &error);

  self->is_doubtful = TRUE;
  if (profile != NULL && device == NULL)
    g_set_error (&error, T2P_ERROR, T2P_ERROR_NETWORK_MANAGER_FAILED,
                 "NetworkManager does not know the link %s", self->plan->ifname);
  if (error != NULL)
    g_task_return_error (task, error);
  else
    nm_device_reapply_async (device, profile, 0, 0, NULL, reapplied_cb, g_object_ref (task));
}

static gboolean
has_all_rules (const GArray *present, const GArray *rules)
{
  for (guint i = 0; i < rules->len; i++)
    {
      T2pnRule rule = g_array_index (rules, T2pnRule, i);

      rule.protocol = T2PN_PROTOCOL; /* as a claimed one is shown */
      if (!t2pn_netlink_objects_has_rule (present, &rule))
        return FALSE;
    }
  return TRUE;
}

static gboolean
has_all_routes (const GArray *present, const GArray *routes)
{
  g_autoptr (T2pnRouteSet) set = t2pn_route_set_new (present);

  for (guint i = 0; i < routes->len; i++)
    if (!t2pn_route_set_has_rival (set, &g_array_index (routes, T2pnRoute, i)))
      return FALSE;
  return TRUE;
}

static gboolean
has_all_addresses (const GArray *present, const GArray *addresses)
{
  for (guint i = 0; i < addresses->len; i++)
    if (!t2pn_netlink_objects_has_address (present, &g_array_index (addresses, T2pnAddress, i)))
      return FALSE;
  return TRUE;
}

static gboolean
is_up (const T2pnSnapshot *snapshot, int ifindex)
{
  for (guint i = 0; i < snapshot->links->len; i++)
    {
      const T2pnLink *link = &g_array_index (snapshot->links, T2pnLink, i);

      if (link->ifindex == ifindex)
        return (link->flags & IFF_UP) != 0;
    }
  return FALSE;
}

/* NetworkManager takes a link that was put down for one that somebody wants down. */
static void
put_link_up (int ifindex)
{
  T2pnNetlink *netlink = t2pn_netlink_new (NULL);

  if (netlink == NULL)
    return;
  t2pn_netlink_set_link_up (netlink, ifindex, TRUE, NULL);
  t2pn_netlink_free (netlink);
}

/* The same for what is looked at only when there is a reason: there may be thousands. */
static gboolean
is_all_there (T2pnNmBackend *self)
{
  const T2pnRoutePlan *installed = self->installed;
  g_autoptr (T2pnSnapshot) snapshot =
      t2pn_snapshot_take_around_tunnels (self->plan->table, NULL);
  gboolean has_link;

  self->looks_at_all = FALSE;
  if (snapshot == NULL || !t2pn_snapshot_add_table (snapshot, self->plan->override_table, NULL))
    return FALSE;
  has_link = is_up (snapshot, self->plan->ifindex);
  if (!has_link)
    put_link_up (self->plan->ifindex);
  return has_link && has_all_addresses (snapshot->addresses, installed->addresses) &&
         has_all_routes (snapshot->routes, installed->routes);
}

/* Whether the kernel has all rules that it should have. */
static gboolean
is_complete (T2pnNmBackend *self)
{
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take_around_tunnels (0, NULL);

  return snapshot != NULL && has_all_rules (snapshot->rules, self->installed->bypass_rules) &&
         has_all_rules (snapshot->rules, self->installed->capture_rules) &&
         (!self->looks_at_all || is_all_there (self));
}

void
t2pn_nm_backend_doubt (T2pnBackend *backend)
{
  T2PN_NM_BACKEND (backend)->looks_at_all = TRUE;
}

static gboolean
has_same (const GArray *a, const GArray *b, gsize element_bytes)
{
  return a->len == b->len &&
         (a->len == 0 || memcmp (a->data, b->data, a->len * element_bytes) == 0);
}

/* A difference that is none, in what lies between the fields, costs a Reapply. */
static gboolean
is_same_plan (const T2pnRoutePlan *a, const T2pnRoutePlan *b)
{
  return a->mtu == b->mtu && has_same (a->addresses, b->addresses, sizeof (T2pnAddress)) &&
         has_same (a->routes, b->routes, sizeof (T2pnRoute)) &&
         has_same (a->bypass_rules, b->bypass_rules, sizeof (T2pnRule)) &&
         has_same (a->capture_rules, b->capture_rules, sizeof (T2pnRule));
}

/* Has NetworkManager install what is in @task's Change. */
static void
apply_change (T2pnNmBackend *self, GTask *task)
{
  Change *change = g_task_get_task_data (task);
  GError *error = NULL;

  if (!t2pn_nm_profile_check (change->plan, &error) ||
      !t2pn_nm_backend_write_plan (self, change->installed, t2pn_journal_add_step_network,
                                   &error))
    {
      self->is_doubtful = TRUE;
      g_task_return_error (task, error);
      return;
    }
  t2pn_claims_set (self, self->installed, change->installed);
  take_plan (self, change);
  reapply (self, task);
}

static void
keep_for_later (T2pnNmBackend *self, Change *change)
{
  t2pn_route_plan_free (self->pending);
  self->pending = g_steal_pointer (&change->plan);
}

static void
change_plan (T2pnNmBackend *self, GTask *task)
{
  Change *change = g_task_get_task_data (task);

  if (self->state == T2PN_NM_STATE_UP &&
      (self->is_doubtful || !is_same_plan (self->plan, change->plan) || !is_complete (self)))
    {
      apply_change (self, task);
      return;
    }
  if (self->state == T2PN_NM_STATE_AWAY || self->state == T2PN_NM_STATE_CHANGING)
    keep_for_later (self, change);
  g_task_return_boolean (task, TRUE);
}

static void
set_change (GTask *task, T2pnRoutePlan *plan)
{
  Change *change = g_new (Change, 1);

  change->plan = plan;
  change->installed = t2pn_nm_profile_installed (plan);
  g_task_set_task_data (task, change, (GDestroyNotify) change_free);
}

void
t2pn_nm_backend_update_async (T2pnBackend *backend,
                              T2pnRoutePlan *plan,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  T2pnNmBackend *self = T2PN_NM_BACKEND (backend);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, t2pn_nm_backend_update_async);
  g_task_set_check_cancellable (task, FALSE);
  set_change (task, plan);
  change_plan (self, task);
}

/* --- NetworkManager was restarted */

static void
recovered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  T2pnNmBackend *self = T2PN_NM_BACKEND (source);
  g_autoptr (GError) error = NULL;

  if (g_task_propagate_boolean (G_TASK (result), &error) ||
      g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (self->state == T2PN_NM_STATE_UP)
    g_debug ("%s, ignoring", error->message); /* the next update tries again */
  else
    t2pn_nm_backend_emit_lost (self, error);
}

/* The profile came back as it was added. */
static void
catch_up (T2pnNmBackend *self, GTask *task)
{
  if (self->pending == NULL)
    {
      reapply (self, task);
      return;
    }
  set_change (task, g_steal_pointer (&self->pending));
  apply_change (self, task);
}

static void
added_again_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  T2pnNmBackend *self = g_task_get_source_object (task);
  GError *error = NULL;
  NMActiveConnection *active = t2pn_nm_activate_finish (result, &error);

  if (active != NULL && g_task_return_error_if_cancelled (task))
    g_object_unref (active);
  else if (active == NULL)
    g_task_return_error (task, error);
  else
    {
      t2pn_nm_backend_take_active (self, active);
      catch_up (self, task);
    }
}

/* It knows the profile no more, or does not bring it up: that one goes by itself. */
static void
add_again (T2pnNmBackend *self, GTask *task)
{
  GError *error = NULL;
  g_autoptr (NMConnection) profile = NULL;

  g_free (self->uuid);
  self->uuid = g_uuid_string_random ();
  profile = t2pn_nm_backend_make_profile (self, self->plan, &error);
  if (profile == NULL)
    g_task_return_error (task, error);
  else
    t2pn_nm_activate_async (t2pn_nm_client_peek (self->client), self->plan->ifname, self->uuid,
                            profile, g_task_get_cancellable (task), added_again_cb,
                            g_object_ref (task));
}

static void
awaited_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  T2pnNmBackend *self = g_task_get_source_object (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (NMActiveConnection) active = t2pn_nm_activate_finish (result, &error);

  if (g_task_return_error_if_cancelled (task))
    return;
  if (active == NULL)
    {
      g_debug ("%s, adding it again", error->message);
      add_again (self, task);
      return;
    }
  t2pn_nm_backend_take_active (self, g_steal_pointer (&active));
  catch_up (self, task);
}

/* It brings the profile up as it was added, whatever has been reapplied since. */
static void
recover (T2pnNmBackend *self)
{
  g_autoptr (GTask) task = NULL;

  self->recovery = g_cancellable_new ();
  self->state = T2PN_NM_STATE_CHANGING;
  task = g_task_new (self, self->recovery, recovered_cb, NULL);
  g_task_set_source_tag (task, recover);
  t2pn_nm_activate_async (t2pn_nm_client_peek (self->client), self->plan->ifname, self->uuid,
                          NULL, self->recovery, awaited_cb, g_object_ref (task));
}

void
t2pn_nm_backend_stop_recovery (T2pnNmBackend *self)
{
  if (self->recovery != NULL)
    g_cancellable_cancel (self->recovery);
  g_clear_object (&self->recovery);
}

void
t2pn_nm_backend_running_cb (T2pnNmClient *client, gboolean is_running, gpointer user_data)
{
  T2pnNmBackend *self = T2PN_NM_BACKEND (user_data);

  if (!is_running && (self->state == T2PN_NM_STATE_UP || self->recovery != NULL))
    {
      t2pn_nm_backend_stop_recovery (self);
      t2pn_nm_backend_drop_active (self);
      self->state = T2PN_NM_STATE_AWAY;
    }
  else if (is_running && self->state == T2PN_NM_STATE_AWAY)
    recover (self);
}
