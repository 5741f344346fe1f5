/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-uplink-watch.h"

#include "t2pn-nm.h"
#include "t2pn-resolvconf-program.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"

/** Source: properties that matter, as beginnings of their names. */
typedef struct
{
  const char *service;
  const char *path;
  const char *interface;
  const char *beginnings[3];
} Source;

static const Source sources[] = {
  { "org.freedesktop.resolve1",
    "/org/freedesktop/resolve1",
    "org.freedesktop.resolve1.Manager",
    { "DNS", "Domains" } },
  { T2PN_NM_NAME, "/org/freedesktop/NetworkManager", T2PN_NM_NAME, { "ConnectivityCheck" } },
  { T2PN_NM_NAME,
    "/org/freedesktop/NetworkManager/DnsManager",
    T2PN_NM_NAME ".DnsManager",
    { "Configuration" } },
};

/* Read where neither of them tells. */
static const char *const files[] = { "/etc/resolv.conf", T2PN_RESOLVCONF_RECORDS_DEBIAN,
                                     T2PN_RESOLVCONF_RECORDS };

typedef struct
{
  T2pnUplinkWatch *watch;
  const Source *source;
} Follower;

struct _T2pnUplinkWatch
{
  GDBusConnection *bus;
  Follower followers[G_N_ELEMENTS (sources)];
  guint property_ids[G_N_ELEMENTS (sources)];
  guint owner_ids[G_N_ELEMENTS (sources)];
  GFileMonitor *monitors[G_N_ELEMENTS (files)]; /* NULL where there is nothing */
  void (*changed) (gpointer user_data);
  gpointer user_data;
};

static gboolean
matters (const Source *source, const char *property)
{
  for (guint i = 0; source->beginnings[i] != NULL; i++)
    if (g_str_has_prefix (property, source->beginnings[i]))
      return TRUE;
  return FALSE;
}

static gboolean
any_matters (const Source *source, GVariant *parameters)
{
  g_autoptr (GVariant) changed = NULL;
  g_autofree const char **invalidated = NULL;
  GVariantIter iter;
  const char *name;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(sa{sv}as)")))
    return FALSE;
  g_variant_get (parameters, "(&s@a{sv}^a&s)", NULL, &changed, &invalidated);
  g_variant_iter_init (&iter, changed);
  while (g_variant_iter_next (&iter, "{&sv}", &name, NULL))
    if (matters (source, name))
      return TRUE;
  for (guint i = 0; invalidated[i] != NULL; i++)
    if (matters (source, invalidated[i]))
      return TRUE;
  return FALSE;
}

static void
properties_cb (GDBusConnection *bus,
               const char *sender,
               const char *path,
               const char *interface,
               const char *name,
               GVariant *parameters,
               gpointer user_data)
{
  const Follower *follower = user_data;

  if (any_matters (follower->source, parameters))
    follower->watch->changed (follower->watch->user_data);
}

static void
owner_cb (GDBusConnection *bus,
          const char *sender,
          const char *path,
          const char *interface,
          const char *name,
          GVariant *parameters,
          gpointer user_data)
{
  const Follower *follower = user_data;

  follower->watch->changed (follower->watch->user_data);
}

static void
follow (T2pnUplinkWatch *watch, guint i)
{
  const Source *source = &sources[i];
  Follower *follower = &watch->followers[i];

  *follower = (Follower){ watch, source };
  watch->property_ids[i] = g_dbus_connection_signal_subscribe (
      watch->bus, source->service, PROPERTIES, "PropertiesChanged", source->path,
      source->interface, G_DBUS_SIGNAL_FLAGS_NONE, properties_cb, follower, NULL);
  watch->owner_ids[i] = g_dbus_connection_signal_subscribe (
      watch->bus, "org.freedesktop.DBus", "org.freedesktop.DBus", "NameOwnerChanged",
      "/org/freedesktop/DBus", source->service, G_DBUS_SIGNAL_FLAGS_NONE, owner_cb, follower,
      NULL);
}

static void
file_cb (GFileMonitor *monitor,
         GFile *file,
         GFile *other,
         GFileMonitorEvent event,
         gpointer user_data)
{
  T2pnUplinkWatch *watch = user_data;

  if (event != G_FILE_MONITOR_EVENT_CHANGED && event != G_FILE_MONITOR_EVENT_ATTRIBUTE_CHANGED)
    watch->changed (watch->user_data);
}

static void
follow_file (T2pnUplinkWatch *watch, guint i)
{
  g_autoptr (GFile) file = g_file_new_for_path (files[i]);

  if (!g_file_query_exists (file, NULL))
    return;
  watch->monitors[i] = g_file_monitor (file, G_FILE_MONITOR_WATCH_MOVES, NULL, NULL);
  if (watch->monitors[i] != NULL)
    g_signal_connect (watch->monitors[i], "changed", G_CALLBACK (file_cb), watch);
}

T2pnUplinkWatch *
t2pn_uplink_watch_new (GDBusConnection *bus,
                       void (*changed) (gpointer user_data),
                       gpointer user_data)
{
  T2pnUplinkWatch *watch = g_new0 (T2pnUplinkWatch, 1);

  watch->bus = g_object_ref (bus);
  watch->changed = changed;
  watch->user_data = user_data;
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    follow (watch, i);
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    follow_file (watch, i);
  return watch;
}

void
t2pn_uplink_watch_free (T2pnUplinkWatch *watch)
{
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    {
      g_dbus_connection_signal_unsubscribe (watch->bus, watch->property_ids[i]);
      g_dbus_connection_signal_unsubscribe (watch->bus, watch->owner_ids[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    if (watch->monitors[i] != NULL)
      {
        g_signal_handlers_disconnect_by_data (watch->monitors[i], watch);
        g_object_unref (watch->monitors[i]);
      }
  g_object_unref (watch->bus);
  g_free (watch);
}
