/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-options.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2p-names.h"

#include <pwd.h>

/* What GOption fills in, before it is looked at. */
typedef struct
{
  gboolean repair;
  gboolean guardian;
  gboolean load_kill_switch;
  gboolean version;
  char *bus;
  char *state_dir;
  char *config_dir;
  char *runtime_dir;
  char *pause_at;
  char *worker_program;
  char *worker_user;
  char *network_backend;
  char *log_level;
  int adopt_timeout;
} RawOptions;

static void
raw_options_clear (RawOptions *raw)
{
  g_free (raw->bus);
  g_free (raw->state_dir);
  g_free (raw->config_dir);
  g_free (raw->runtime_dir);
  g_free (raw->pause_at);
  g_free (raw->worker_program);
  g_free (raw->worker_user);
  g_free (raw->network_backend);
  g_free (raw->log_level);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RawOptions, raw_options_clear)

static GOptionContext *
make_context (RawOptions *raw)
{
  const GOptionEntry entries[] = {
    { "bus", 0, 0, G_OPTION_ARG_STRING, &raw->bus, "Bus to serve [system]",
      "system|session|ADDRESS" },
    { "state-dir", 0, 0, G_OPTION_ARG_FILENAME, &raw->state_dir, "What outlives a boot",
      "DIR" },
    { "config-dir", 0, 0, G_OPTION_ARG_FILENAME, &raw->config_dir, "Profiles", "DIR" },
    { "runtime-dir", 0, 0, G_OPTION_ARG_FILENAME, &raw->runtime_dir,
      "Lock, journal and worker sockets", "DIR" },
    { "pause-at", 0, 0, G_OPTION_ARG_STRING, &raw->pause_at,
      "Hold after this step of the bring-up (test buses only)", "STEP" },
    { "repair", 0, 0, G_OPTION_ARG_NONE, &raw->repair,
      "Undo what a dead instance left behind, and exit", NULL },
    { "load-kill-switch", 0, 0, G_OPTION_ARG_NONE, &raw->load_kill_switch,
      "Block what is to be blocked before the service runs, and exit", NULL },
    { "adopt-timeout", 0, 0, G_OPTION_ARG_INT, &raw->adopt_timeout,
      "For how long a worker outlives the daemon [10]", "SECONDS" },
    { "worker-program", 0, 0, G_OPTION_ARG_FILENAME, &raw->worker_program,
      "Program that carries the packets", "FILE" },
    { "worker-user", 0, 0, G_OPTION_ARG_STRING, &raw->worker_user,
      "User that the workers run as", "NAME" },
    { "network-backend", 0, 0, G_OPTION_ARG_STRING, &raw->network_backend,
      "Who owns addresses, routes and rules of tunnels [auto]", "auto|networkmanager|netlink" },
    { "log-level", 0, 0, G_OPTION_ARG_STRING, &raw->log_level, "What to log [notice]",
      "error|warning|notice|info|debug" },
    { "version", 0, 0, G_OPTION_ARG_NONE, &raw->version, "Print the version", NULL },
    { "guardian", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &raw->guardian, "", NULL },
    { NULL },
  };
  GOptionContext *context = g_option_context_new ("- carries network traffic to proxies");

  g_option_context_add_main_entries (context, entries, NULL);
  return context;
}

static char *
value_or (char **value, const char *fallback)
{
  return *value != NULL ? g_steal_pointer (value) : g_strdup (fallback);
}

static T2pdRole
role_of (const RawOptions *raw)
{
  if (raw->version)
    return T2PD_ROLE_VERSION;
  if (raw->guardian)
    return T2PD_ROLE_GUARDIAN;
  if (raw->load_kill_switch)
    return T2PD_ROLE_KILL_SWITCH;
  return raw->repair ? T2PD_ROLE_REPAIR : T2PD_ROLE_SERVICE;
}

static gboolean
check (const RawOptions *raw, const T2pdOptions *options, GError **error)
{
  if (raw->adopt_timeout < 0 || raw->adopt_timeout > 3600)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                   "--adopt-timeout: %d seen, 0 to 3600 expected", raw->adopt_timeout);
      return FALSE;
    }
  /* A machine's own service must not be left half up. */
  if (options->pause_at != NULL && g_str_equal (options->bus, "system") &&
      g_getenv ("DBUS_SYSTEM_BUS_ADDRESS") == NULL)
    {
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                           "--pause-at: refused on the system bus, a test bus expected "
                           "(--bus=ADDRESS)");
      return FALSE;
    }
  return TRUE;
}

static gboolean
read_log_level (const RawOptions *raw, T2pdOptions *options, GError **error)
{
  options->log_level = T2P_LOG_LEVEL_NOTICE;
  if (raw->log_level == NULL || t2p_log_level_from_string (raw->log_level, &options->log_level))
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "--log-level: '%s' seen, error, warning, notice, info or debug expected",
               raw->log_level);
  return FALSE;
}

static gboolean
read_network_backend (const RawOptions *raw, T2pdOptions *options, GError **error)
{
  const char *const names[] = {
    [T2PD_NETWORK_BACKEND_AUTO] = "auto",
    [T2PD_NETWORK_BACKEND_NETLINK] = "netlink",
    [T2PD_NETWORK_BACKEND_NETWORK_MANAGER] = "networkmanager",
  };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_strcmp0 (raw->network_backend, names[i]) == 0)
      {
        options->network_backend = (T2pdNetworkBackend) i;
        return TRUE;
      }
  if (raw->network_backend == NULL)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "--network-backend: '%s' seen, auto, networkmanager or netlink expected",
               raw->network_backend);
  return FALSE;
}

/**
 * t2pd_options_parse:
 * @argv: the program's arguments
 *
 * Returns: (transfer full): what they say, or %NULL with #GOptionError or
 *   %T2P_ERROR_INVALID_ARGUMENT
 *
 * Since: 0.1
 */
T2pdOptions *
t2pd_options_parse (char **argv, GError **error)
{
  g_auto (RawOptions) raw = { .adopt_timeout = T2P_ADOPT_TIMEOUT_S };
  g_autoptr (GOptionContext) context = make_context (&raw);
  g_auto (GStrv) args = g_strdupv (argv);
  g_autoptr (T2pdOptions) options = g_new0 (T2pdOptions, 1);

  if (!g_option_context_parse_strv (context, &args, error))
    return NULL;
  if (g_strv_length (args) > 1)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                   "'%s' seen, no argument expected", args[1]);
      return NULL;
    }
  options->role = role_of (&raw);
  options->bus = value_or (&raw.bus, "system");
  options->state_dir = value_or (&raw.state_dir, T2P_STATE_DIR);
  options->config_dir = value_or (&raw.config_dir, T2P_CONFIG_DIR);
  options->runtime_dir = value_or (&raw.runtime_dir, T2P_RUNTIME_DIR);
  options->worker_program =
      value_or (&raw.worker_program, T2P_PROGRAM_DIR "/" T2P_WORKER_PROGRAM);
  options->worker_user = value_or (&raw.worker_user, T2P_WORKER_USER);
  options->pause_at = g_steal_pointer (&raw.pause_at);
  options->adopt_timeout_s = (guint) MAX (raw.adopt_timeout, 0);
  if (!read_log_level (&raw, options, error) || !read_network_backend (&raw, options, error) ||
      !check (&raw, options, error))
    return NULL;
  return g_steal_pointer (&options);
}

/**
 * t2pd_options_look_up_worker_user:
 *
 * Asks the system's user database for the workers' user.
 *
 * Since: 0.1
 */
void
t2pd_options_look_up_worker_user (T2pdOptions *options)
{
  const char *name = options->worker_user;
  const struct passwd *entry = name[0] != '\0' ? getpwnam (name) : NULL;

  options->has_worker_user = name[0] == '\0' || entry != NULL;
  options->worker_uid = entry != NULL ? entry->pw_uid : 0;
}

void
t2pd_options_free (T2pdOptions *options)
{
  g_free (options->bus);
  g_free (options->state_dir);
  g_free (options->config_dir);
  g_free (options->runtime_dir);
  g_free (options->pause_at);
  g_free (options->worker_program);
  g_free (options->worker_user);
  g_free (options);
}
