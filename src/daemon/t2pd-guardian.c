/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * The guardian is this program again, so that it has none of the daemon's memory, and no
 * descriptor of it but the reading end of the pipe: above all no tun. The writing end is the
 * daemon's alone. It reads one byte when the daemon ends cleanly, and end of file when it was
 * killed. Then it waits as long as a worker waits for another daemon, takes the lock that every
 * daemon holds, and repairs. If the lock is taken, a daemon came back and did it. */

#include "t2pd-guardian.h"

#include "t2p-log.h"
#include "t2pd-lock.h"
#include "t2pd-worker-socket.h"
#include "t2pn-journal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CLEAN_END 'q'

static char **
make_argv (const T2pdOptions *options)
{
  g_autoptr (GStrvBuilder) argv = g_strv_builder_new ();
  g_autofree char *runtime = g_strdup_printf ("--runtime-dir=%s", options->runtime_dir);
  g_autofree char *timeout = g_strdup_printf ("--adopt-timeout=%u", options->adopt_timeout_s);
  g_autofree char *level =
      g_strdup_printf ("--log-level=%s", t2p_log_level_to_string (options->log_level));

  /* Not the file's name: it may have been replaced by another version. The second is what the
   * process is called. */
  g_strv_builder_add_many (argv, "/proc/self/exe", "tun2proxyd", "--guardian", runtime, timeout,
                           level, NULL);
  return g_strv_builder_end (argv);
}

/* What is sent to the daemon's process group or session is not meant for the guardian. */
static void
child_setup (gpointer user_data)
{
  setsid ();
}

static void
ended_cb (GPid pid, int status, gpointer user_data)
{
  t2p_log_warning (NULL, NULL, "the guardian ended, nobody will repair what SIGKILL leaves");
}

int
t2pd_guardian_start (const T2pdOptions *options, GError **error)
{
  const GSpawnFlags flags = G_SPAWN_FILE_AND_ARGV_ZERO | G_SPAWN_DO_NOT_REAP_CHILD;
  g_auto (GStrv) argv = make_argv (options);
  int pipe_fds[2];
  gboolean ok;
  GPid pid;

  if (pipe2 (pipe_fds, O_CLOEXEC) != 0)
    {
      int saved_errno = errno;

      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
                   "could not make a pipe: %s", g_strerror (saved_errno));
      return -1;
    }
  ok = g_spawn_async_with_fds (NULL, argv, NULL, flags, child_setup, NULL, &pid, pipe_fds[0],
                               -1, -1, error);
  close (pipe_fds[0]);
  if (!ok)
    {
      close (pipe_fds[1]);
      return -1;
    }
  g_child_watch_add (pid, ended_cb, NULL);
  return pipe_fds[1];
}

void
t2pd_guardian_dismiss (int fd)
{
  char byte = CLEAN_END;

  if (fd < 0)
    return;
  if (write (fd, &byte, 1) != 1)
    t2p_log_debug (NULL, NULL, "the guardian is gone already");
  close (fd);
}

/* TRUE when the daemon said good-bye. */
static gboolean
wait_for_end (void)
{
  char byte;
  gssize n;

  do
    n = read (STDIN_FILENO, &byte, 1);
  while (n < 0 && errno == EINTR);
  return n == 1;
}

int
t2pd_guardian_run (const T2pdOptions *options)
{
  g_autoptr (GError) error = NULL;
  int lock;

  signal (SIGTERM, SIG_IGN);
  signal (SIGINT, SIG_IGN);
  signal (SIGHUP, SIG_IGN);
  prctl (PR_SET_NAME, "tun2proxyd-guard");
  if (wait_for_end ())
    return 0;
  /* lint: a process of its own that has nothing else to wait for */
  g_usleep ((gulong) options->adopt_timeout_s * G_USEC_PER_SEC);
  lock = t2pd_lock_take (options->runtime_dir, "guardian", &error);
  if (lock < 0)
    {
      t2p_log_info (NULL, error, "guardian: nothing to do");
      return 0;
    }
  t2p_log_warning (NULL, NULL,
                   "guardian: the daemon was killed and did not come back, repairing");
  if (t2pd_repair (options, &error))
    return 0;
  t2p_log_error (NULL, error, "guardian: could not undo everything");
  return 1;
}

gboolean
t2pd_repair (const T2pdOptions *options, GError **error)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  guint n_workers = t2pd_worker_socket_stop_left (options->runtime_dir);
  gboolean ok = t2pn_repair (options->runtime_dir, FALSE, lines, error);

  if (n_workers > 0)
    t2p_log_notice (NULL, NULL, "repair: %u workers of a dead instance were stopped",
                    n_workers);
  for (guint i = 0; i < lines->len; i++)
    t2p_log_notice (NULL, NULL, "repair: %s", (const char *) lines->pdata[i]);
  return ok;
}
