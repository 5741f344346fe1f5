/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-limits.h"
#include "t2p-log.h"
#include "t2pw-isolation.h"
#include "t2pw-worker.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

typedef struct
{
  int listen_fd;
  char *user;
  double adopt_timeout_s;
  char *log_level;
} Arguments;

static void
arguments_clear (Arguments *arguments)
{
  g_free (arguments->user);
  g_free (arguments->log_level);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Arguments, arguments_clear)

static gboolean
check_arguments (const Arguments *arguments, int argc, GError **error)
{
  T2pLogLevel ignored;

  if (argc > 1)
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                         "saw an argument, expected options only");
  else if (arguments->listen_fd <= STDERR_FILENO)
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 "--listen-fd: saw %d, expected an inherited descriptor above 2",
                 arguments->listen_fd);
  else if (arguments->adopt_timeout_s < 0 || arguments->adopt_timeout_s > 3600)
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 "--adopt-timeout: saw %g, expected 0 to 3600 seconds",
                 arguments->adopt_timeout_s);
  else if (arguments->log_level != NULL &&
           !t2p_log_level_from_string (arguments->log_level, &ignored))
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 "--log-level: saw '%s', expected error, warning, notice, info or debug",
                 arguments->log_level);
  else
    return TRUE;
  return FALSE;
}

static gboolean
parse_arguments (Arguments *arguments, int *argc, char ***argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "listen-fd", 0, 0, G_OPTION_ARG_INT, &arguments->listen_fd, "inherited control socket",
      "FD" },
    { "user", 0, 0, G_OPTION_ARG_STRING, &arguments->user, "run as this user", "NAME" },
    { "adopt-timeout", 0, 0, G_OPTION_ARG_DOUBLE, &arguments->adopt_timeout_s,
      "go on this long without a daemon", "SECONDS" },
    { "log-level", 0, 0, G_OPTION_ARG_STRING, &arguments->log_level, "how much is logged",
      "LEVEL" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_set_summary (context, "Carries the packets of one tunnel; started by "
                                         "tun2proxyd, not by people.");
  return g_option_context_parse (context, argc, argv, error) &&
         check_arguments (arguments, *argc, error);
}

static gboolean
isolate (const Arguments *arguments, guint *out_max_descriptors, GError **error)
{
  return t2pw_isolation_close_descriptors (arguments->listen_fd, error) &&
         t2pw_isolation_set_limits (out_max_descriptors, error) &&
         t2pw_isolation_change_identity (arguments->user, error) &&
         t2pw_isolation_forbid_privilege (error);
}

int
main (int argc, char **argv)
{
  g_auto (Arguments) arguments = { .listen_fd = 3, .adopt_timeout_s = T2P_ADOPT_TIMEOUT_S };
  T2pwWorkerOptions options = { .peer_uid = getuid () };
  g_autoptr (GError) error = NULL;
  T2pLogLevel level = T2P_LOG_LEVEL_NOTICE;

  if (!parse_arguments (&arguments, &argc, &argv, &error))
    {
      fprintf (stderr, "tun2proxy-worker: %s\n", error->message);
      return T2P_WORKER_EXIT_USAGE;
    }
  if (!isolate (&arguments, &options.max_descriptors, &error))
    {
      fprintf (stderr, "tun2proxy-worker: %s\n", error->message);
      return T2P_WORKER_EXIT_FAILED;
    }
  if (t2pw_isolation_count_threads () > 1)
    {
      fprintf (stderr, "tun2proxy-worker: a thread was there before the isolation\n");
      return T2P_WORKER_EXIT_FAILED;
    }
  if (arguments.log_level != NULL)
    t2p_log_level_from_string (arguments.log_level, &level);
  t2p_log_init (level);
  (void) signal (SIGPIPE, SIG_IGN);
  options.listen_fd = arguments.listen_fd;
  options.adopt_timeout_ms = (guint) (arguments.adopt_timeout_s * 1000);
  return t2pw_worker_run (&options);
}
