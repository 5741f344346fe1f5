/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Servers and domains are in the profile that NetworkManager owns, and come and go with it.
 * What a profile cannot say is said here, where NetworkManager tells systemd-resolved: nobody
 * signs virtual addresses, so that DNSSEC is off for our link. A resolved that was restarted
 * hears it again. */
#include "config.h"

#include "t2p-error.h"
#include "t2pn-resolver-backends.h"

#define NAME "org.freedesktop.resolve1"
#define PATH "/org/freedesktop/resolve1"
#define MANAGER "org.freedesktop.resolve1.Manager"

#define T2PN_TYPE_RESOLVER_NM (t2pn_resolver_nm_get_type ())
G_DECLARE_FINAL_TYPE (T2pnResolverNm, t2pn_resolver_nm, T2PN, RESOLVER_NM, GObject)

struct _T2pnResolverNm
{
  GObject parent;

  GDBusConnection *bus;
  gboolean tells_resolved;
  int ifindex; /* 0 while nothing is applied */
  guint watch;
  char *owner; /* of resolved's name, when it was told */
};

static void t2pn_resolver_nm_iface_init (T2pnResolverInterface *iface);

G_DEFINE_TYPE_WITH_CODE (T2pnResolverNm,
                         t2pn_resolver_nm,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (T2PN_TYPE_RESOLVER,
                                                t2pn_resolver_nm_iface_init))

static void
call (T2pnResolverNm *self,
      const char *method,
      GVariant *arguments,
      GCancellable *cancellable,
      GAsyncReadyCallback callback,
      gpointer user_data)
{
  g_dbus_connection_call (self->bus, NAME, PATH, MANAGER, method, arguments, NULL,
                          G_DBUS_CALL_FLAGS_NONE, -1, cancellable, callback, user_data);
}

static GVariant *
dnssec_arguments (T2pnResolverNm *self)
{
  return g_variant_new ("(is)", self->ifindex, "no");
}

static void
told_again_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (reply == NULL)
    g_debug ("%s, ignoring", error->message);
}

static void
appeared_cb (GDBusConnection *bus, const char *name, const char *owner, gpointer user_data)
{
  T2pnResolverNm *self = user_data;
  gboolean is_first = self->owner == NULL;

  if (g_strcmp0 (self->owner, owner) == 0)
    return;
  g_free (self->owner);
  self->owner = g_strdup (owner);
  if (!is_first)
    call (self, "SetLinkDNSSEC", dnssec_arguments (self), NULL, told_again_cb, NULL);
}

static void
forget (T2pnResolverNm *self)
{
  if (self->watch != 0)
    g_bus_unwatch_name (self->watch);
  self->watch = 0;
  self->ifindex = 0;
  g_clear_pointer (&self->owner, g_free);
}

static gboolean
end_call (GObject *source, GAsyncResult *result, const char *method, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &failure);

  if (reply != NULL)
    return TRUE;
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  g_dbus_error_strip_remote_error (failure);
  g_set_error (error, T2P_ERROR, T2P_ERROR_DNS_SETUP_FAILED,
               "systemd-resolved does not take %s: %s", method, failure->message);
  return FALSE;
}

static void
flushed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;

  if (end_call (source, result, "FlushCaches", &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

/* What was learned before comes from elsewhere, and would go there. */
static void
dnssec_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;

  if (end_call (source, result, "SetLinkDNSSEC", &error))
    call (g_task_get_source_object (task), "FlushCaches", NULL, g_task_get_cancellable (task),
          flushed_cb, g_object_ref (task));
  else
    g_task_return_error (task, error);
}

static void
apply_async (T2pnResolver *resolver,
             const T2pnResolverConfig *config,
             T2pnJournal *journal,
             GCancellable *cancellable,
             GAsyncReadyCallback callback,
             gpointer user_data)
{
  T2pnResolverNm *self = T2PN_RESOLVER_NM (resolver);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, apply_async);
  forget (self);
  if (!self->tells_resolved)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  self->ifindex = config->ifindex;
  self->watch = g_bus_watch_name_on_connection (self->bus, NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                                appeared_cb, NULL, self, NULL);
  call (self, "SetLinkDNSSEC", dnssec_arguments (self), cancellable, dnssec_cb,
        g_object_ref (task));
}

static void
revert_async (T2pnResolver *resolver,
              GCancellable *cancellable,
              GAsyncReadyCallback callback,
              gpointer user_data)
{
  T2pnResolverNm *self = T2PN_RESOLVER_NM (resolver);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, revert_async);
  forget (self); /* the profile takes the rest with it */
  g_task_return_boolean (task, TRUE);
}

static gboolean
finish (T2pnResolver *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
t2pn_resolver_nm_iface_init (T2pnResolverInterface *iface)
{
  iface->name = "networkmanager";
  iface->apply_async = apply_async;
  iface->apply_finish = finish;
  iface->revert_async = revert_async;
  iface->revert_finish = finish;
}

static void
t2pn_resolver_nm_dispose (GObject *object)
{
  T2pnResolverNm *self = T2PN_RESOLVER_NM (object);

  forget (self);
  g_clear_object (&self->bus);
  G_OBJECT_CLASS (t2pn_resolver_nm_parent_class)->dispose (object);
}

static void
t2pn_resolver_nm_class_init (T2pnResolverNmClass *class)
{
  G_OBJECT_CLASS (class)->dispose = t2pn_resolver_nm_dispose;
}

static void
t2pn_resolver_nm_init (T2pnResolverNm *self)
{
}

T2pnResolver *
t2pn_resolver_nm_new (GDBusConnection *bus, gboolean tells_resolved)
{
  T2pnResolverNm *self = g_object_new (T2PN_TYPE_RESOLVER_NM, NULL);

  self->bus = g_object_ref (bus);
  self->tells_resolved = tells_resolved;
  return T2PN_RESOLVER (self);
}
