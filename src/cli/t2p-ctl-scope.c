/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ctl-scope.h"

#include <gio/gio.h>
#include <unistd.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define TIMEOUT_MS 10000

typedef struct
{
  GMainLoop *loop;
  const char *unit;
  gboolean is_done;
} Job;

static GVariant *
make_arguments (const char *unit, const char *name)
{
  guint32 pid = (guint32) getpid ();
  g_autofree char *description = g_strdup_printf ("Program in the tunnel %s", name);
  GVariantBuilder properties;

  g_variant_builder_init (&properties, G_VARIANT_TYPE ("a(sv)"));
  g_variant_builder_add (&properties, "(sv)", "Description",
                         g_variant_new_string (description));
  g_variant_builder_add (
      &properties, "(sv)", "PIDs",
      g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, &pid, 1, sizeof pid));
  /* One that fails is no unit to look after. */
  g_variant_builder_add (&properties, "(sv)", "CollectMode",
                         g_variant_new_string ("inactive-or-failed"));
  return g_variant_new ("(ssa(sv)a(sa(sv)))", unit, "fail", &properties, NULL);
}

static void
removed_cb (GDBusConnection *bus,
            const char *sender,
            const char *path,
            const char *interface,
            const char *signal,
            GVariant *parameters,
            gpointer user_data)
{
  Job *job = user_data;
  const char *unit = NULL;
  const char *result = NULL;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(uoss)")))
    return;
  g_variant_get (parameters, "(uo&s&s)", NULL, NULL, &unit, &result);
  if (!g_str_equal (unit, job->unit))
    return;
  job->is_done = g_str_equal (result, "done");
  g_main_loop_quit (job->loop);
}

static gboolean
too_late_cb (gpointer user_data)
{
  g_main_loop_quit (((Job *) user_data)->loop);
  return G_SOURCE_CONTINUE;
}

static gboolean
wait_for_job (Job *job)
{
  guint too_late = g_timeout_add (TIMEOUT_MS, too_late_cb, job);

  g_main_loop_run (job->loop);
  g_source_remove (too_late);
  return job->is_done;
}

/* The signal may come before the answer: the loop is not running yet, and finds it later. */
static gboolean
start_scope (GDBusConnection *bus, const char *unit, const char *name)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GVariant) reply = NULL;
  Job job = { loop, unit, FALSE };
  guint watch = g_dbus_connection_signal_subscribe (
      bus, SYSTEMD, MANAGER, "JobRemoved", MANAGER_PATH, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
      removed_cb, &job, NULL);
  gboolean is_done;

  g_dbus_connection_call (bus, SYSTEMD, MANAGER_PATH, MANAGER, "Subscribe", NULL, NULL,
                          G_DBUS_CALL_FLAGS_NO_AUTO_START, TIMEOUT_MS, NULL, NULL, NULL);
  reply = g_dbus_connection_call_sync (
      bus, SYSTEMD, MANAGER_PATH, MANAGER, "StartTransientUnit", make_arguments (unit, name),
      G_VARIANT_TYPE ("(o)"), G_DBUS_CALL_FLAGS_NO_AUTO_START, TIMEOUT_MS, NULL, NULL);
  is_done = reply != NULL && wait_for_job (&job);
  g_dbus_connection_signal_unsubscribe (bus, watch);
  return is_done;
}

gboolean
t2p_ctl_scope_enter (const char *name)
{
  g_autofree char *unit = g_strdup_printf ("tun2proxy-%s-%d.scope", name, (int) getpid ());
  g_autoptr (GDBusConnection) bus = NULL;

  /* What sd_booted(3) looks at. */
  if (!g_file_test ("/run/systemd/system", G_FILE_TEST_IS_DIR))
    return FALSE;
  bus = g_bus_get_sync (getuid () == 0 ? G_BUS_TYPE_SYSTEM : G_BUS_TYPE_SESSION, NULL, NULL);
  return bus != NULL && start_scope (bus, unit, name);
}
