/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2pd-owner-socket.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define OWNER 1    /* daemon */
#define STRANGER 2 /* bin */

typedef struct
{
  char *folder;
  char *path;
  int listener;
  guint n_answers;
  guint n_busy;
  int fd;
  GError *error;
} Fixture;

/* Only OWNER may enter the folder. */
static void
setup (Fixture *f, gconstpointer data)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  f->folder = g_dir_make_tmp ("t2p-owner-XXXXXX", NULL);
  f->path = g_build_filename (f->folder, "s", NULL);
  f->fd = -1;
  f->listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_strlcpy (address.sun_path, f->path, sizeof address.sun_path);
  g_assert_cmpint (bind (f->listener, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (f->listener, 200), ==, 0);
  if (geteuid () != 0)
    return;
  g_assert_cmpint (chown (f->path, OWNER, 0), ==, 0);
  g_assert_cmpint (chmod (f->path, 0600), ==, 0);
  g_assert_cmpint (chown (f->folder, OWNER, 0), ==, 0);
  g_assert_cmpint (chmod (f->folder, 0700), ==, 0);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  if (f->fd >= 0)
    close (f->fd);
  g_clear_error (&f->error);
  close (f->listener);
  g_unlink (f->path);
  g_rmdir (f->folder);
  g_free (f->path);
  g_free (f->folder);
}

static void
connected_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Fixture *f = user_data;

  if (f->fd >= 0)
    close (f->fd);
  g_clear_error (&f->error);
  f->fd = t2pd_owner_socket_connect_finish (result, &f->error);
  f->n_busy += g_error_matches (f->error, T2P_ERROR, T2P_ERROR_BUSY);
  f->n_answers++;
}

static void
connect_as (Fixture *f, guint32 uid, const char *path)
{
  f->n_answers = 0;
  t2pd_owner_socket_connect_async (uid, path, connected_cb, f);
  while (f->n_answers == 0)
    g_main_context_iteration (NULL, TRUE);
}

static struct ucred
seen_peer (const Fixture *f)
{
  struct ucred peer = { 0 };
  socklen_t length = sizeof peer;
  int fd = accept (f->listener, NULL, NULL);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &length), ==, 0);
  close (fd);
  return peer;
}

static gboolean
skip_without_root (void)
{
  if (geteuid () == 0)
    return FALSE;
  g_test_skip ("needs root");
  return TRUE;
}

static void
test_as_oneself (Fixture *f, gconstpointer data)
{
  connect_as (f, (guint32) geteuid (), f->path);
  g_assert_no_error (f->error);
  g_assert_cmpint (f->fd, >=, 0);
  connect_as (f, (guint32) geteuid (), "/nonexistent/socket");
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
}

static void
test_as_owner (Fixture *f, gconstpointer data)
{
  if (skip_without_root ())
    return;
  connect_as (f, OWNER, f->path);
  g_assert_no_error (f->error);
  g_assert_cmpuint (seen_peer (f).uid, ==, OWNER);
  g_assert_cmpuint (geteuid (), ==, 0);
  connect_as (f, 0, f->path);
  g_assert_no_error (f->error);
  g_assert_cmpuint (seen_peer (f).uid, ==, 0);
}

static void
test_as_stranger (Fixture *f, gconstpointer data)
{
  if (skip_without_root ())
    return;
  connect_as (f, STRANGER, f->path);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_nonnull (strstr (f->error->message, g_strerror (EACCES)));
  connect_as (f, 4000000001u, f->path);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
  g_assert_nonnull (strstr (f->error->message, "no user"));
}

/* None of the groups that the service is in. */
static void
test_groups (Fixture *f, gconstpointer data)
{
  const gid_t root = 0;

  if (skip_without_root ())
    return;
  /* The C library's would change all threads, and abort at one that is not root: those of the
   * tests before may still be about to end. */
  g_assert_cmpint (syscall (SYS_setgroups, (size_t) 1, &root), ==, 0);
  g_assert_cmpint (chown (f->folder, STRANGER, 0), ==, 0);
  g_assert_cmpint (chmod (f->folder, 0070), ==, 0);
  g_assert_cmpint (chmod (f->path, 0666), ==, 0);
  connect_as (f, OWNER, f->path);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_cmpint (chown (f->folder, STRANGER, 1), ==, 0); /* daemon's own */
  connect_as (f, OWNER, f->path);
  g_assert_no_error (f->error);
}

static void
test_bound (Fixture *f, gconstpointer data)
{
  f->n_answers = 0;
  for (guint i = 0; i < T2P_MAX_SOCKETS_PER_UID; i++)
    t2pd_owner_socket_connect_async ((guint32) geteuid (), f->path, connected_cb, f);
  g_assert_cmpuint (f->n_answers, ==, 0);
  connect_as (f, (guint32) geteuid (), f->path);
  while (f->n_answers <= T2P_MAX_SOCKETS_PER_UID)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (f->n_busy, ==, 1); /* in whatever order they came */
  connect_as (f, (guint32) geteuid (), f->path);
  g_assert_no_error (f->error);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/owner-socket/as-oneself", Fixture, NULL, setup, test_as_oneself, teardown);
  g_test_add ("/owner-socket/peer-sees-the-owner", Fixture, NULL, setup, test_as_owner,
              teardown);
  g_test_add ("/owner-socket/what-a-user-may-not-reach-is-not-reached", Fixture, NULL, setup,
              test_as_stranger, teardown);
  g_test_add ("/owner-socket/with-the-groups-of-its-owner-alone", Fixture, NULL, setup,
              test_groups, teardown);
  g_test_add ("/owner-socket/number-under-way-is-bounded", Fixture, NULL, setup, test_bound,
              teardown);
  return g_test_run ();
}
