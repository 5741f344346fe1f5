/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * lock → guardian → repair what a dead instance left → bus → export → name → serve. So whoever
 * sees the name finds everything in its place. SIGTERM and SIGINT take everything down in
 * order; so does losing the bus or the name, with exit status 1. */

#include "t2p-error.h"
#include "t2p-log.h"
#include "t2p-names.h"
#include "t2pd-bring-up.h"
#include "t2pd-bus-manager.h"
#include "t2pd-guardian.h"
#include "t2pd-kill-switch-left.h"
#include "t2pd-lock.h"
#include "t2pd-options.h"
#include "t2pd-service.h"

#include <glib-unix.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

/** Daemon: a run of the service. */
typedef struct
{
  GMainLoop *loop;
  T2pdService *service;
  guint name_id; /* 0: not asked for yet */
  gboolean is_ending;
  int exit_status;
} Daemon;

static void
down_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Daemon *self = user_data;

  g_task_propagate_boolean (G_TASK (result), NULL);
  g_main_loop_quit (self->loop);
}

static void
begin_end (Daemon *self, int exit_status)
{
  if (self->is_ending)
    return;
  self->is_ending = TRUE;
  self->exit_status = exit_status;
  if (exit_status != 0)
    t2pd_kill_switch_hold (self->service->kill_switch);
  t2pd_service_shut_down_async (self->service, down_cb, self);
}

static gboolean
terminated_cb (gpointer user_data)
{
  t2p_log_notice (NULL, NULL, "told to end, taking everything down");
  begin_end (user_data, 0);
  return G_SOURCE_CONTINUE;
}

static void
name_acquired_cb (GDBusConnection *bus, const char *name, gpointer user_data)
{
  t2p_log_notice (NULL, NULL, "serving %s", name);
}

static void
name_lost_cb (GDBusConnection *bus, const char *name, gpointer user_data)
{
  Daemon *self = user_data;

  if (self->is_ending)
    return;
  t2p_log_error (NULL, NULL, "could not have or keep the name %s", name);
  begin_end (self, 1);
}

static void
bus_closed_cb (GDBusConnection *bus,
               gboolean peer_vanished,
               const GError *error,
               gpointer user_data)
{
  t2p_log_error (NULL, error, "the bus is gone, taking everything down");
  begin_end (user_data, 1);
}

static GDBusConnection *
connect_bus (const char *bus, GError **error)
{
  const GDBusConnectionFlags flags = G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                     G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION;
  g_autofree char *address = NULL;

  if (g_str_equal (bus, "system"))
    address = g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SYSTEM, NULL, error);
  else if (g_str_equal (bus, "session"))
    address = g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SESSION, NULL, error);
  else
    address = g_strdup (bus);
  if (address == NULL)
    return NULL;
  return g_dbus_connection_new_for_address_sync (address, flags, NULL, NULL, error);
}

static void
servers_known_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  /* Asked again at each bring-up; here only so that the first authorisation knows them. */
  t2pd_uplink_refresh_finish (T2PD_UPLINK (source), result, NULL);
}

/* Whoever starts us reads what backend there is, and should not read it too early. */
static void
nm_known_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Daemon *self = user_data;

  if (!t2pn_nm_client_ready_finish (T2PN_NM_CLIENT (source), result, NULL))
    return; /* it ended first, and @self with it */
  self->name_id = g_bus_own_name_on_connection (self->service->bus, T2P_BUS_NAME,
                                                G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE,
                                                name_acquired_cb, name_lost_cb, self, NULL);
}

static int
serve (GDBusConnection *bus, T2pdService *service)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (T2pdBusManager) manager = t2pd_bus_manager_new (service);
  Daemon self = { .loop = loop, .service = service };
  guint term_id = g_unix_signal_add (SIGTERM, terminated_cb, &self);
  guint int_id = g_unix_signal_add (SIGINT, terminated_cb, &self);
  gulong closed_id = g_signal_connect (bus, "closed", G_CALLBACK (bus_closed_cb), &self);
  g_autoptr (GCancellable) starting = g_cancellable_new ();

  t2pn_nm_client_ready_async (service->nm, starting, nm_known_cb, &self);
  t2pd_uplink_refresh_async (service->uplink, NULL, servers_known_cb, NULL);
  g_main_loop_run (loop);
  g_cancellable_cancel (starting);
  if (self.name_id != 0)
    g_bus_unown_name (self.name_id);
  g_dbus_connection_flush_sync (bus, NULL, NULL);
  g_signal_handler_disconnect (bus, closed_id);
  g_source_remove (int_id);
  g_source_remove (term_id);
  return self.exit_status;
}

static int
fail (const GError *error)
{
  t2p_log_error (NULL, error, "could not start");
  return 1;
}

static int
run_on_bus (const T2pdOptions *options, T2pdFdStore *fd_store)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) bus = connect_bus (options->bus, &error);
  g_autoptr (T2pdService) service = NULL;

  if (bus == NULL)
    return fail (error);
  g_dbus_connection_set_exit_on_close (bus, FALSE);
  service = t2pd_service_new (options, bus, fd_store, &error);
  return service != NULL ? serve (bus, service) : fail (error);
}

static int
run_service (const T2pdOptions *options)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pdFdStore) fd_store = t2pd_fd_store_new ();
  int lock = t2pd_lock_take (options->runtime_dir, "daemon", &error);
  int guardian = -1;
  int status;

  if (lock < 0)
    return fail (error);
  /* Before anything that it would have to undo. */
  guardian = t2pd_guardian_start (options, &error);
  if (guardian < 0)
    {
      close (lock);
      return fail (error);
    }
  if (!t2pd_repair (options, &error))
    t2p_log_warning (NULL, error,
                     "could not undo everything that a dead instance left, ignoring");
  status = run_on_bus (options, fd_store);
  t2pd_guardian_dismiss (guardian);
  close (lock);
  return status;
}

static int
run_repair (const T2pdOptions *options)
{
  g_autoptr (GError) error = NULL;
  int lock = t2pd_lock_take (options->runtime_dir, "repair", &error);
  gboolean ok;

  if (lock < 0)
    return fail (error);
  ok = t2pd_repair (options, &error);
  close (lock);
  return ok ? 0 : fail (error);
}

/* Before the network is there: no bus, no lock, nobody else. */
static int
load_kill_switch (const T2pdOptions *options)
{
  g_autoptr (GError) error = NULL;

  return t2pd_kill_switch_load_left (options, &error) ? 0 : fail (error);
}

static gboolean
check_step (const T2pdOptions *options)
{
  const char *const *names = t2pd_bring_up_get_step_names ();
  g_autofree char *list = NULL;

  if (options->pause_at == NULL || g_strv_contains (names, options->pause_at))
    return TRUE;
  list = g_strjoinv (", ", (char **) names);
  fprintf (stderr, "tun2proxyd: --pause-at: '%s' seen, one of %s expected\n", options->pause_at,
           list);
  return FALSE;
}

static int
run (const T2pdOptions *options)
{
  switch (options->role)
    {
    case T2PD_ROLE_VERSION:
      puts ("tun2proxyd " PACKAGE_VERSION);
      return 0;
    case T2PD_ROLE_REPAIR:
      return run_repair (options);
    case T2PD_ROLE_KILL_SWITCH:
      return load_kill_switch (options);
    case T2PD_ROLE_GUARDIAN:
      return t2pd_guardian_run (options);
    case T2PD_ROLE_SERVICE:
      return check_step (options) ? run_service (options) : 2;
    }
  return 2;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pdOptions) options = NULL;

  setlocale (LC_ALL, "");
  /* Settings with passwords pass through here: no core file, no reading by others. */
  prctl (PR_SET_DUMPABLE, 0);
  signal (SIGPIPE, SIG_IGN);
  options = t2pd_options_parse (argv, &error);
  if (options == NULL)
    {
      fprintf (stderr, "tun2proxyd: %s\n", error->message);
      return 2;
    }
  t2p_log_init (options->log_level);
  t2p_error_quark ();
  if (options->role == T2PD_ROLE_SERVICE)
    t2pd_options_look_up_worker_user (options);
  return run (options);
}
