/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-log.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/** T2pdRole: what this process is to do. */
typedef enum
{
  T2PD_ROLE_SERVICE,     /* serve the bus */
  T2PD_ROLE_REPAIR,      /* undo what a dead instance left, then exit */
  T2PD_ROLE_KILL_SWITCH, /* load the saved kill switch, then exit */
  T2PD_ROLE_GUARDIAN,    /* wait on standard input for the daemon's death, then repair */
  T2PD_ROLE_VERSION,     /* print the version, then exit */
} T2pdRole;

/** T2pdNetworkBackend: who is to own the tunnels' addresses, routes and rules. */
typedef enum
{
  T2PD_NETWORK_BACKEND_AUTO, /* NetworkManager where it can, else we */
  T2PD_NETWORK_BACKEND_NETLINK,
  T2PD_NETWORK_BACKEND_NETWORK_MANAGER,
} T2pdNetworkBackend;

/**
 * T2pdOptions:
 * @bus: `system`, `session` or a D-Bus address
 * @pause_at: (nullable): step of the bring-up to hold after
 * @adopt_timeout_s: for how long a worker outlives its daemon
 * @worker_program: absolute path
 * @worker_user: who the workers run as; empty: as the daemon
 * @has_worker_user: whether that user was found, or none is needed
 * @worker_uid: of that user
 *
 * The command line.
 */
typedef struct
{
  T2pdRole role;
  char *bus;
  char *state_dir;
  char *config_dir;
  char *runtime_dir;
  char *pause_at;
  guint adopt_timeout_s;
  char *worker_program;
  char *worker_user;
  gboolean has_worker_user;
  guint32 worker_uid;
  T2pdNetworkBackend network_backend;
  T2pLogLevel log_level;
} T2pdOptions;

T2pdOptions *t2pd_options_parse (char **argv, GError **error);
/* Once, at the start: a name service may take its time, and later everybody would wait. */
void t2pd_options_look_up_worker_user (T2pdOptions *options);
void t2pd_options_free (T2pdOptions *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pdOptions, t2pd_options_free)

G_END_DECLS
