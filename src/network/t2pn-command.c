/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The program reads from a file in memory and writes to two others, not to pipes: what it
 * starts itself and leaves running (a name server that it restarts) may hold them open for as
 * long as it likes, and only the end of the program is waited for. */
#include "config.h"

#include "t2pn-command.h"

#include "t2p-error.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_OUTPUT_BYTES (64 * 1024)
#define GRACE_MS 1000 /* between SIGTERM and SIGKILL */
#define MAX_COMPLAINT_CHARS 200

typedef struct
{
  char *program;
  guint timeout_ms;
  int out_fd, err_fd;
  GSubprocess *process; /* NULL until it is started */
  GSource *deadline;    /* for its end, then for the end of our patience */
  GSource *cancelled;
  gboolean is_late;
  gboolean is_told; /* to end */
} Run;

static void
drop_source (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
run_free (Run *run)
{
  drop_source (&run->deadline);
  drop_source (&run->cancelled);
  g_clear_object (&run->process);
  if (run->out_fd >= 0)
    close (run->out_fd);
  if (run->err_fd >= 0)
    close (run->err_fd);
  g_free (run->program);
  g_free (run);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Run, run_free)

static Run *
run_new (const char *const *argv, guint timeout_ms)
{
  Run *run = g_new0 (Run, 1);

  run->program = g_strdup (argv[0]);
  run->timeout_ms = timeout_ms;
  run->out_fd = memfd_create ("tun2proxy-output", MFD_CLOEXEC);
  run->err_fd = memfd_create ("tun2proxy-errors", MFD_CLOEXEC);
  return run;
}

/* A file in memory that reads as @text, or -1. */
static int
open_input (const char *text)
{
  int fd = memfd_create ("tun2proxy-input", MFD_CLOEXEC);
  gsize length = strlen (text);

  if (fd >= 0 && (write (fd, text, length) != (gssize) length || lseek (fd, 0, SEEK_SET) != 0))
    {
      close (fd);
      return -1;
    }
  return fd;
}

static gboolean
start (Run *run, const char *const *argv, const char *input, GError **error)
{
  static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                                             NULL };
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (0);
  int in_fd = open_input (input);
  int out_fd = dup (run->out_fd);
  int err_fd = dup (run->err_fd);
  int errsv = errno;

  g_subprocess_launcher_set_environ (launcher, (char **) environment);
  g_subprocess_launcher_set_cwd (launcher, "/");
  g_subprocess_launcher_take_stdin_fd (launcher, in_fd);
  g_subprocess_launcher_take_stdout_fd (launcher, out_fd);
  g_subprocess_launcher_take_stderr_fd (launcher, err_fd);
  if (in_fd >= 0 && out_fd >= 0 && err_fd >= 0)
    run->process = g_subprocess_launcher_spawnv (launcher, argv, error);
  else
    g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv),
                 "no descriptors for %s: %s", run->program, g_strerror (errsv));
  return run->process != NULL;
}

/* --- how it ended */

static char *
read_back (int fd)
{
  char *text = g_malloc (MAX_OUTPUT_BYTES + 1);
  gssize n = pread (fd, text, MAX_OUTPUT_BYTES, 0);

  text[MAX (n, 0)] = '\0';
  return text;
}

/* ": " and the first line that is not empty, or nothing. (transfer full) */
static char *
make_complaint (int err_fd)
{
  g_autofree char *text = read_back (err_fd);
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  const char *line = valid + strspn (valid, "\r\n\t ");
  gsize length = strcspn (line, "\r\n");

  if (length == 0)
    return g_strdup ("");
  return g_strdup_printf (": %.*s", (int) MIN (length, MAX_COMPLAINT_CHARS), line);
}

static char *
take_result (Run *run, GError **error)
{
  g_autofree char *complaint = NULL;

  if (run->is_late)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_TIMED_OUT, "%s did not end within %u ms",
                   run->program, run->timeout_ms);
      return NULL;
    }
  if (g_subprocess_get_successful (run->process))
    return read_back (run->out_fd);
  complaint = make_complaint (run->err_fd);
  if (g_subprocess_get_if_exited (run->process))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s ended with %d%s", run->program,
                 g_subprocess_get_exit_status (run->process), complaint);
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s was ended by signal %d%s",
                 run->program, g_subprocess_get_term_sig (run->process), complaint);
  return NULL;
}

/* --- asynchronously */

static gboolean deadline_cb (gpointer user_data);

static void
set_deadline (GTask *task, guint ms)
{
  Run *run = g_task_get_task_data (task);

  drop_source (&run->deadline);
  run->deadline = g_timeout_source_new (ms);
  g_task_attach_source (task, run->deadline, deadline_cb);
}

static void
tell_to_end (GTask *task)
{
  Run *run = g_task_get_task_data (task);

  if (run->is_told)
    {
      g_subprocess_force_exit (run->process);
      return;
    }
  run->is_told = TRUE;
  g_subprocess_send_signal (run->process, SIGTERM);
  set_deadline (task, GRACE_MS);
}

static gboolean
deadline_cb (gpointer user_data)
{
  Run *run = g_task_get_task_data (user_data);

  run->is_late = run->is_late || !run->is_told;
  tell_to_end (user_data);
  return G_SOURCE_REMOVE;
}

static gboolean
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  Run *run = g_task_get_task_data (user_data);

  if (!run->is_told)
    tell_to_end (user_data);
  return G_SOURCE_REMOVE;
}

static void
ended_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Run *run = g_task_get_task_data (task);
  GError *error = NULL;
  char *output;

  g_subprocess_wait_finish (G_SUBPROCESS (source), result, NULL); /* no cancellable */
  drop_source (&run->deadline);
  drop_source (&run->cancelled);
  output = take_result (run, &error);
  if (output != NULL)
    g_task_return_pointer (task, output, g_free);
  else
    g_task_return_error (task, error);
}

void
t2pn_command_run_async (const char *const *argv,
                        const char *input,
                        guint timeout_ms,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  Run *run = run_new (argv, timeout_ms);
  GError *error = NULL;

  g_task_set_source_tag (task, t2pn_command_run_async);
  g_task_set_task_data (task, run, (GDestroyNotify) run_free);
  if (g_task_return_error_if_cancelled (task))
    return;
  if (!start (run, argv, input, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  set_deadline (task, timeout_ms);
  if (cancellable != NULL)
    {
      run->cancelled = g_cancellable_source_new (cancellable);
      g_task_attach_source (task, run->cancelled, G_SOURCE_FUNC (cancelled_cb));
    }
  g_subprocess_wait_async (run->process, NULL, ended_cb, g_object_ref (task));
}

char *
t2pn_command_run_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* --- waiting */

static gboolean
ends_within (GSubprocess *process, guint ms)
{
  const char *pid = g_subprocess_get_identifier (process);
  struct pollfd end = { .fd = -1, .events = POLLIN };
  int n;

  if (pid != NULL)
    end.fd = (int) syscall (SYS_pidfd_open, (pid_t) g_ascii_strtoll (pid, NULL, 10), 0);
  if (end.fd < 0)
    return TRUE; /* it has ended */
  do
    n = poll (&end, 1, (int) ms);
  while (n < 0 && errno == EINTR);
  close (end.fd);
  return n > 0;
}

char *
t2pn_command_run (const char *const *argv, const char *input, guint timeout_ms, GError **error)
{
  g_autoptr (Run) run = run_new (argv, timeout_ms);

  if (!start (run, argv, input, error))
    return NULL;
  if (!ends_within (run->process, timeout_ms))
    {
      run->is_late = TRUE;
      g_subprocess_send_signal (run->process, SIGTERM);
      if (!ends_within (run->process, GRACE_MS))
        g_subprocess_force_exit (run->process);
    }
  g_subprocess_wait (run->process, NULL, NULL);
  return take_result (run, error);
}
