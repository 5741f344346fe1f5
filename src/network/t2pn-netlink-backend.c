/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A stage is addresses, routes and rules of the plan. Requests to the kernel are local and take
 * microseconds, so they are made synchronously; only NetworkManager is waited for. */
#include "config.h"

#include "t2pn-backend.h"
#include "t2pn-netlink-objects.h"
#include "t2pn-nm.h"

#define N_STAGES (T2PN_STAGE_INSTALL_CAPTURE + 1)

#define T2PN_TYPE_NETLINK_BACKEND (t2pn_netlink_backend_get_type ())
G_DECLARE_FINAL_TYPE (T2pnNetlinkBackend, t2pn_netlink_backend, T2PN, NETLINK_BACKEND, GObject)

struct _T2pnNetlinkBackend
{
  GObject parent;

  T2pnRoutePlan *plan;
  T2pnJournal *journal;
  GDBusConnection *bus;
  guint nm_watch;
  gboolean has_released; /* the NetworkManager that is running now */
  gboolean is_installed[N_STAGES];
  gboolean leaves_routes; /* by the update that is being made */
  gboolean is_doubtful;   /* the last one failed */
};

static void t2pn_netlink_backend_iface_init (T2pnBackendInterface *iface);

G_DEFINE_TYPE_WITH_CODE (T2pnNetlinkBackend,
                         t2pn_netlink_backend,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (T2PN_TYPE_BACKEND,
                                                t2pn_netlink_backend_iface_init))

static const char *const step_names[N_STAGES] = {
  [T2PN_STAGE_CONFIGURE_LINK] = "configure-link",
  [T2PN_STAGE_INSTALL_BYPASS] = "install-bypass",
  [T2PN_STAGE_INSTALL_CAPTURE] = "install-capture",
};

/* What of a plan a stage installs. */
static T2pnNetlinkObjects
objects_of (const T2pnRoutePlan *plan, T2pnStage stage)
{
  T2pnNetlinkObjects objects = { NULL, NULL, NULL };

  switch (stage)
    {
    case T2PN_STAGE_CONFIGURE_LINK:
      objects.addresses = plan->addresses;
      break;
    case T2PN_STAGE_INSTALL_BYPASS:
      objects.routes = plan->bypass_routes;
      objects.rules = plan->bypass_rules;
      break;
    case T2PN_STAGE_INSTALL_CAPTURE:
      objects.routes = plan->routes;
      objects.rules = plan->capture_rules;
      break;
    }
  return objects;
}

static gboolean
install (T2pnNetlinkBackend *self, T2pnStage stage, GError **error)
{
  g_autoptr (T2pnNetlink) netlink = t2pn_netlink_new (error);
  T2pnNetlinkObjects objects = objects_of (self->plan, stage);
  int ifindex = self->plan->ifindex;

  if (netlink == NULL)
    return FALSE;
  if (stage == T2PN_STAGE_CONFIGURE_LINK &&
      (!t2pn_netlink_prepare_link (netlink, ifindex, self->plan->mtu, error) ||
       !t2pn_netlink_set_link_up (netlink, ifindex, TRUE, error)))
    return FALSE;
  if (!t2pn_netlink_objects_add (netlink, &objects, error))
    {
      if (stage == T2PN_STAGE_CONFIGURE_LINK)
        t2pn_netlink_set_link_up (netlink, ifindex, FALSE, NULL);
      return FALSE;
    }
  self->is_installed[stage] = TRUE;
  return TRUE;
}

static void
return_result (GTask *task, gboolean is_done, GError *error)
{
  if (is_done)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
install_and_return (GTask *task)
{
  T2pnStage stage = (T2pnStage) GPOINTER_TO_INT (g_task_get_task_data (task));
  GError *error = NULL;
  gboolean is_done;

  if (g_task_return_error_if_cancelled (task))
    return;
  is_done = install (g_task_get_source_object (task), stage, &error);
  return_result (task, is_done, error);
}

/* --- NetworkManager, now and when it is started (again) later */

static void
released_again_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  if (!t2pn_nm_release_finish (result, NULL, &error))
    g_debug ("%s, ignoring", error->message);
}

static void
nm_appeared_cb (GDBusConnection *bus, const char *name, const char *owner, gpointer user_data)
{
  T2pnNetlinkBackend *self = user_data;

  if (!self->has_released)
    t2pn_nm_release_async (bus, self->plan->ifname, NULL, released_again_cb, NULL);
  self->has_released = TRUE;
}

static void
nm_vanished_cb (GDBusConnection *bus, const char *name, gpointer user_data)
{
  T2pnNetlinkBackend *self = user_data;

  self->has_released = FALSE;
}

static void
unwatch_nm (T2pnNetlinkBackend *self)
{
  if (self->nm_watch != 0)
    g_bus_unwatch_name (self->nm_watch);
  self->nm_watch = 0;
}

static void
watch_nm (T2pnNetlinkBackend *self)
{
  unwatch_nm (self);
  if (self->bus != NULL)
    self->nm_watch =
        g_bus_watch_name_on_connection (self->bus, T2PN_NM_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                        nm_appeared_cb, nm_vanished_cb, self, NULL);
}

static void
released_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  T2pnNetlinkBackend *self = g_task_get_source_object (task);
  GError *error = NULL;

  if (!t2pn_nm_release_finish (result, &self->has_released, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  watch_nm (self);
  install_and_return (task);
}

static void
run_async (T2pnBackend *backend,
           T2pnStage stage,
           GCancellable *cancellable,
           GAsyncReadyCallback callback,
           gpointer user_data)
{
  T2pnNetlinkBackend *self = T2PN_NETLINK_BACKEND (backend);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  T2pnNetlinkObjects objects = objects_of (self->plan, stage);
  GError *error = NULL;

  g_task_set_source_tag (task, run_async);
  g_task_set_task_data (task, GINT_TO_POINTER (stage), NULL);
  if (!t2pn_journal_add_network (self->journal, objects.addresses, objects.routes,
                                 objects.rules, &error))
    g_task_return_error (task, error);
  else if (stage == T2PN_STAGE_CONFIGURE_LINK)
    t2pn_nm_release_async (self->bus, self->plan->ifname, cancellable, released_cb,
                           g_steal_pointer (&task));
  else
    install_and_return (task);
}

static gboolean
uninstall (T2pnNetlinkBackend *self, T2pnStage stage, GError **error)
{
  g_autoptr (T2pnNetlink) netlink = NULL;
  T2pnNetlinkObjects objects = objects_of (self->plan, stage);

  if (stage == T2PN_STAGE_CONFIGURE_LINK)
    unwatch_nm (self);
  if (!self->is_installed[stage])
    return TRUE;
  netlink = t2pn_netlink_new (error);
  if (netlink == NULL || !t2pn_netlink_objects_delete (netlink, &objects, error))
    return FALSE;
  if (stage == T2PN_STAGE_CONFIGURE_LINK &&
      !t2pn_netlink_set_link_up (netlink, self->plan->ifindex, FALSE, error))
    return FALSE;
  self->is_installed[stage] = FALSE;
  return TRUE;
}

static void
undo_async (T2pnBackend *backend,
            T2pnStage stage,
            GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (backend, cancellable, callback, user_data);
  GError *error = NULL;
  gboolean is_done = uninstall (T2PN_NETLINK_BACKEND (backend), stage, &error);

  g_task_set_source_tag (task, undo_async);
  /* What was undone is undone, whether anybody still waits for it or not. */
  g_task_set_check_cancellable (task, FALSE);
  return_result (task, is_done, error);
}

/* --- another plan */

static gboolean
change_stage (T2pnNetlinkBackend *self,
              T2pnStage stage,
              T2pnNetlink *netlink,
              const T2pnSnapshot *snapshot,
              const T2pnRoutePlan *plan,
              GError **error)
{
  T2pnNetlinkObjects old = objects_of (self->plan, stage);
  T2pnNetlinkObjects wanted = objects_of (plan, stage);
  T2pnNetlinkObjects journalled = wanted;

  if (self->leaves_routes && stage == T2PN_STAGE_INSTALL_CAPTURE)
    wanted.routes = old.routes = NULL;
  if (!self->is_installed[stage])
    return TRUE;
  /* Both plans are in the journal while both may be in the kernel, after a failure for good. */
  return t2pn_journal_add_step_network (self->journal, step_names[stage], journalled.addresses,
                                        journalled.routes, journalled.rules, error) &&
         t2pn_netlink_objects_change (netlink, snapshot, &old, &wanted, error) &&
         t2pn_journal_set_step_network (self->journal, step_names[stage], journalled.addresses,
                                        journalled.routes, journalled.rules, error);
}

static gboolean
has_same_routes (const T2pnRoutePlan *a, const T2pnRoutePlan *b)
{
  if (a->routes->len != b->routes->len)
    return FALSE;
  for (guint i = 0; i < a->routes->len; i++)
    if (!t2pn_route_equal (&g_array_index (a->routes, T2pnRoute, i),
                           &g_array_index (b->routes, T2pnRoute, i)))
      return FALSE;
  return TRUE;
}

/* Thousands of routes are listed only when others are wanted, or the last change failed. */
static T2pnSnapshot *
look (T2pnNetlinkBackend *self, const T2pnRoutePlan *plan, GError **error)
{
  g_autoptr (T2pnSnapshot) snapshot = NULL;

  self->leaves_routes = !self->is_doubtful && has_same_routes (self->plan, plan);
  if (self->leaves_routes)
    return t2pn_snapshot_take_around_tunnels (0, error);
  snapshot = t2pn_snapshot_take_around_tunnels (plan->table, error);
  if (snapshot == NULL || !t2pn_snapshot_add_table (snapshot, plan->override_table, error))
    return NULL;
  return g_steal_pointer (&snapshot);
}

/* Its routes went when somebody put it down. */
static void
put_link_up (T2pnNetlinkBackend *self, T2pnNetlink *netlink, const T2pnSnapshot *snapshot)
{
  int ifindex = self->plan->ifindex;

  for (guint i = 0; i < snapshot->links->len; i++)
    {
      const T2pnLink *link = &g_array_index (snapshot->links, T2pnLink, i);

      if (link->ifindex == ifindex && (link->flags & IFF_UP) == 0 &&
          self->is_installed[T2PN_STAGE_CONFIGURE_LINK])
        t2pn_netlink_set_link_up (netlink, ifindex, TRUE, NULL);
    }
}

/* Takes @plan. A stage that fails does not keep the others from being right; what is left of
 * the old plan then stays in the journal. */
static gboolean
change_plan (T2pnNetlinkBackend *self, T2pnRoutePlan *plan, GError **error)
{
  g_autoptr (T2pnRoutePlan) unused = plan;
  g_autoptr (T2pnNetlink) netlink = t2pn_netlink_new (error);
  g_autoptr (T2pnSnapshot) snapshot = netlink != NULL ? look (self, plan, error) : NULL;
  GError *first = NULL;

  if (snapshot == NULL)
    return FALSE;
  put_link_up (self, netlink, snapshot);
  for (int stage = 0; stage < N_STAGES; stage++)
    if (!change_stage (self, (T2pnStage) stage, netlink, snapshot, plan,
                       first == NULL ? &first : NULL))
      g_debug ("%s: not as planned", step_names[stage]);
  unused = g_steal_pointer (&self->plan);
  self->plan = plan;
  self->is_doubtful = first != NULL;
  if (first == NULL)
    return TRUE;
  g_propagate_error (error, first);
  return FALSE;
}

static void
update_async (T2pnBackend *backend,
              T2pnRoutePlan *plan,
              GCancellable *cancellable,
              GAsyncReadyCallback callback,
              gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (backend, cancellable, callback, user_data);
  GError *error = NULL;
  gboolean is_done = change_plan (T2PN_NETLINK_BACKEND (backend), plan, &error);

  g_task_set_source_tag (task, update_async);
  g_task_set_check_cancellable (task, FALSE);
  return_result (task, is_done, error);
}

static void
doubt (T2pnBackend *backend)
{
  T2PN_NETLINK_BACKEND (backend)->is_doubtful = TRUE;
}

static gboolean
finish (T2pnBackend *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
t2pn_netlink_backend_iface_init (T2pnBackendInterface *iface)
{
  iface->name = "netlink";
  iface->run_async = run_async;
  iface->undo_async = undo_async;
  iface->update_async = update_async;
  iface->doubt = doubt;
  iface->finish = finish;
}

static void
t2pn_netlink_backend_dispose (GObject *object)
{
  unwatch_nm (T2PN_NETLINK_BACKEND (object));
  G_OBJECT_CLASS (t2pn_netlink_backend_parent_class)->dispose (object);
}

static void
t2pn_netlink_backend_finalize (GObject *object)
{
  T2pnNetlinkBackend *self = T2PN_NETLINK_BACKEND (object);

  t2pn_route_plan_free (self->plan);
  g_clear_object (&self->bus);
  G_OBJECT_CLASS (t2pn_netlink_backend_parent_class)->finalize (object);
}

static void
t2pn_netlink_backend_class_init (T2pnNetlinkBackendClass *class)
{
  G_OBJECT_CLASS (class)->dispose = t2pn_netlink_backend_dispose;
  G_OBJECT_CLASS (class)->finalize = t2pn_netlink_backend_finalize;
}

static void
t2pn_netlink_backend_init (T2pnNetlinkBackend *self)
{
}

T2pnBackend *
t2pn_netlink_backend_new (T2pnRoutePlan *plan, T2pnJournal *journal, GDBusConnection *bus)
{
  T2pnNetlinkBackend *self = g_object_new (T2PN_TYPE_NETLINK_BACKEND, NULL);

  self->plan = plan;
  self->journal = journal;
  g_set_object (&self->bus, bus);
  return T2PN_BACKEND (self);
}
