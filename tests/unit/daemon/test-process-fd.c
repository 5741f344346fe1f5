/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2pd-process-fd.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int
open_process (pid_t pid)
{
  int fd = (int) syscall (SYS_pidfd_open, pid, 0);

  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static void
refused (int fd, guint32 caller, T2pError code)
{
  g_autoptr (GError) error = NULL;
  pid_t pid = 7;
  guint32 uid = 7;

  g_assert_false (t2pd_process_fd_check (fd, caller, &pid, &uid, &error));
  g_assert_error (error, T2P_ERROR, (int) code);
  g_assert_cmpint (pid, ==, 7);
  g_assert_cmpuint (uid, ==, 7);
}

static void
test_own (void)
{
  g_autoptr (GError) error = NULL;
  int fd = open_process (getpid ());
  pid_t pid = 0;
  guint32 uid = 7;

  g_assert_true (t2pd_process_fd_check (fd, getuid (), &pid, &uid, &error));
  g_assert_no_error (error);
  g_assert_cmpint (pid, ==, getpid ());
  g_assert_cmpuint (uid, ==, getuid ());
  refused (fd, getuid () + 1, T2P_ERROR_NOT_AUTHORIZED);
  close (fd);
}

static void
test_none (void)
{
  int fd = open ("/dev/null", O_RDONLY);

  refused (-1, 0, T2P_ERROR_INVALID_FD);
  refused (fd, 0, T2P_ERROR_INVALID_FD);
  close (fd);
}

static void
test_ended (void)
{
  pid_t child = fork ();
  int fd;

  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    _exit (0);
  fd = open_process (child);
  waitpid (child, NULL, 0);
  refused (fd, getuid (), T2P_ERROR_INVALID_FD);
  close (fd);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/process-fd/own-process", test_own);
  g_test_add_func ("/process-fd/something-else", test_none);
  g_test_add_func ("/process-fd/ended-process", test_ended);
  return g_test_run ();
}
