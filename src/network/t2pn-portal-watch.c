/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-portal-watch.h"

#include "t2pn-nm.h"

#define NM_PATH "/org/freedesktop/NetworkManager"
#define PROPERTY "Connectivity"

struct _T2pnPortalWatch
{
  GDBusProxy *proxy; /* NULL until it is made */
  GCancellable *gone;
  T2pnConnectivity told;
  void (*changed) (T2pnConnectivity connectivity, gpointer user_data);
  gpointer user_data;
};

static T2pnConnectivity
read_connectivity (GDBusProxy *proxy)
{
  g_autoptr (GVariant) value = g_dbus_proxy_get_cached_property (proxy, PROPERTY);
  guint32 number;

  if (value == NULL || !g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32))
    return T2PN_CONNECTIVITY_UNKNOWN;
  number = g_variant_get_uint32 (value);
  return number <= T2PN_CONNECTIVITY_FULL ? (T2pnConnectivity) number
                                          : T2PN_CONNECTIVITY_UNKNOWN;
}

static void
tell (T2pnPortalWatch *self)
{
  T2pnConnectivity now = read_connectivity (self->proxy);

  if (now == self->told)
    return;
  self->told = now;
  self->changed (now, self->user_data);
}

static void
properties_changed_cb (GDBusProxy *proxy, GVariant *changed, GStrv gone, gpointer user_data)
{
  tell (user_data);
}

static void
owner_changed_cb (GDBusProxy *proxy, GParamSpec *property, gpointer user_data)
{
  tell (user_data);
}

static void
made_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  GDBusProxy *proxy = g_dbus_proxy_new_finish (result, &error);
  T2pnPortalWatch *self;

  if (proxy == NULL) /* the watch may have gone; a bus without NetworkManager makes one */
    return;
  self = user_data;
  self->proxy = proxy;
  g_signal_connect (proxy, "g-properties-changed", G_CALLBACK (properties_changed_cb), self);
  g_signal_connect (proxy, "notify::g-name-owner", G_CALLBACK (owner_changed_cb), self);
  tell (self);
}

T2pnPortalWatch *
t2pn_portal_watch_new (GDBusConnection *bus,
                       void (*changed) (T2pnConnectivity connectivity, gpointer user_data),
                       gpointer user_data)
{
  T2pnPortalWatch *self = g_new0 (T2pnPortalWatch, 1);

  self->gone = g_cancellable_new ();
  self->changed = changed;
  self->user_data = user_data;
  g_dbus_proxy_new (bus, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START, NULL, T2PN_NM_NAME, NM_PATH,
                    T2PN_NM_NAME, self->gone, made_cb, self);
  return self;
}

void
t2pn_portal_watch_free (T2pnPortalWatch *self)
{
  if (self == NULL)
    return;
  g_cancellable_cancel (self->gone);
  g_object_unref (self->gone);
  if (self->proxy != NULL)
    g_signal_handlers_disconnect_by_data (self->proxy, self);
  g_clear_object (&self->proxy);
  g_free (self);
}
