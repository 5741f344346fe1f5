/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-netns-backend.h"

#include "t2pn-netlink-objects.h"
#include "t2pn-netns.h"

#define T2PN_TYPE_NETNS_BACKEND (t2pn_netns_backend_get_type ())
G_DECLARE_FINAL_TYPE (T2pnNetnsBackend, t2pn_netns_backend, T2PN, NETNS_BACKEND, GObject)

struct _T2pnNetnsBackend
{
  GObject parent;
  T2pnRoutePlan *plan;
  int netns;
  gboolean has_link;
  gboolean has_routes;
};

static void t2pn_netns_backend_iface_init (T2pnBackendInterface *iface);

G_DEFINE_TYPE_WITH_CODE (T2pnNetnsBackend,
                         t2pn_netns_backend,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (T2PN_TYPE_BACKEND,
                                                t2pn_netns_backend_iface_init))

/* What a thread in the namespace is to do. */
typedef struct
{
  T2pnNetnsBackend *self;
  T2pnStage stage;
} Errand;

static T2pnNetlinkObjects
objects_of (const T2pnRoutePlan *plan, T2pnStage stage)
{
  T2pnNetlinkObjects objects = { NULL, NULL, NULL };

  if (stage == T2PN_STAGE_CONFIGURE_LINK)
    objects.addresses = plan->addresses;
  if (stage == T2PN_STAGE_INSTALL_CAPTURE)
    objects.routes = plan->routes;
  return objects;
}

static gboolean *
flag_of (T2pnNetnsBackend *self, T2pnStage stage)
{
  return stage == T2PN_STAGE_CONFIGURE_LINK ? &self->has_link : &self->has_routes;
}

/* --- in the namespace */

static gboolean
install (gpointer data, GError **error)
{
  const Errand *errand = data;
  const T2pnRoutePlan *plan = errand->self->plan;
  T2pnNetlinkObjects objects = objects_of (plan, errand->stage);
  g_autoptr (T2pnNetlink) netlink = t2pn_netlink_new (error);

  if (netlink == NULL)
    return FALSE;
  if (errand->stage == T2PN_STAGE_CONFIGURE_LINK &&
      (!t2pn_netlink_prepare_link (netlink, plan->ifindex, plan->mtu, error) ||
       !t2pn_netlink_set_link_up (netlink, plan->ifindex, TRUE, error)))
    return FALSE;
  return t2pn_netlink_objects_add (netlink, &objects, error);
}

static gboolean
uninstall (gpointer data, GError **error)
{
  const Errand *errand = data;
  const T2pnRoutePlan *plan = errand->self->plan;
  T2pnNetlinkObjects objects = objects_of (plan, errand->stage);
  g_autoptr (T2pnNetlink) netlink = t2pn_netlink_new (error);

  return netlink != NULL && t2pn_netlink_objects_delete (netlink, &objects, error) &&
         (errand->stage != T2PN_STAGE_CONFIGURE_LINK ||
          t2pn_netlink_set_link_up (netlink, plan->ifindex, FALSE, error));
}

typedef struct
{
  const char *name;
  T2pnTunDevice *device;
  T2pnSnapshot *snapshot;
} Find;

static gboolean
open_device (gpointer data, GError **error)
{
  Find *find = data;

  find->device = t2pn_tun_device_open (find->name, 1, error);
  return find->device != NULL;
}

static gboolean
take_snapshot (gpointer data, GError **error)
{
  Find *find = data;
  g_autofree char *text = NULL;

  find->snapshot = t2pn_snapshot_new ();
  find->snapshot->links_get_ipv6 =
      g_file_get_contents ("/proc/sys/net/ipv6/conf/default/disable_ipv6", &text, NULL, NULL) &&
      text[0] == '0';
  return TRUE;
}

/* --- outside */

T2pnTunDevice *
t2pn_netns_open_device (int netns, const char *name, GError **error)
{
  Find find = { .name = name };

  return t2pn_netns_run (netns, open_device, &find, error) ? find.device : NULL;
}

T2pnSnapshot *
t2pn_netns_take_snapshot (int netns, GError **error)
{
  Find find = { NULL, NULL, NULL };

  return t2pn_netns_run (netns, take_snapshot, &find, error) ? find.snapshot : NULL;
}

static void
return_result (GTask *task, gboolean is_done, GError *error)
{
  /* What was done is done, whether anybody still waits for it or not. */
  g_task_set_check_cancellable (task, FALSE);
  if (is_done)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
run_async (T2pnBackend *backend,
           T2pnStage stage,
           GCancellable *cancellable,
           GAsyncReadyCallback callback,
           gpointer user_data)
{
  T2pnNetnsBackend *self = T2PN_NETNS_BACKEND (backend);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  Errand errand = { self, stage };
  GError *error = NULL;
  gboolean is_done;

  g_task_set_source_tag (task, run_async);
  if (g_task_return_error_if_cancelled (task))
    return;
  is_done = t2pn_netns_run (self->netns, install, &errand, &error);
  if (is_done && stage != T2PN_STAGE_INSTALL_BYPASS)
    *flag_of (self, stage) = TRUE;
  return_result (task, is_done, error);
}

static void
undo_async (T2pnBackend *backend,
            T2pnStage stage,
            GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer user_data)
{
  T2pnNetnsBackend *self = T2PN_NETNS_BACKEND (backend);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  Errand errand = { self, stage };
  GError *error = NULL;
  gboolean is_done = TRUE;

  g_task_set_source_tag (task, undo_async);
  if (stage != T2PN_STAGE_INSTALL_BYPASS && *flag_of (self, stage))
    {
      is_done = t2pn_netns_run (self->netns, uninstall, &errand, &error);
      *flag_of (self, stage) = !is_done;
    }
  return_result (task, is_done, error);
}

/* The plan goes by the settings alone. What the namespace's owner has changed there is his. */
static void
update_async (T2pnBackend *backend,
              T2pnRoutePlan *plan,
              GCancellable *cancellable,
              GAsyncReadyCallback callback,
              gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (backend, cancellable, callback, user_data);

  g_task_set_source_tag (task, update_async);
  t2pn_route_plan_free (plan);
  return_result (task, TRUE, NULL);
}

static gboolean
finish (T2pnBackend *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
t2pn_netns_backend_iface_init (T2pnBackendInterface *iface)
{
  iface->name = "netns";
  iface->run_async = run_async;
  iface->undo_async = undo_async;
  iface->update_async = update_async;
  iface->finish = finish;
}

static void
t2pn_netns_backend_finalize (GObject *object)
{
  t2pn_route_plan_free (T2PN_NETNS_BACKEND (object)->plan);
  G_OBJECT_CLASS (t2pn_netns_backend_parent_class)->finalize (object);
}

static void
t2pn_netns_backend_class_init (T2pnNetnsBackendClass *class)
{
  G_OBJECT_CLASS (class)->finalize = t2pn_netns_backend_finalize;
}

static void
t2pn_netns_backend_init (T2pnNetnsBackend *self)
{
}

T2pnBackend *
t2pn_netns_backend_new (T2pnRoutePlan *plan, int netns)
{
  T2pnNetnsBackend *self = g_object_new (T2PN_TYPE_NETNS_BACKEND, NULL);

  self->plan = plan;
  self->netns = netns;
  return T2PN_BACKEND (self);
}
