/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * The caller gets the end of a pipe that is read from, so that he cannot send us anything; the
 * kernel tells the other end when nobody is left who could read. */

#include "t2pd-guard.h"

#include "t2p-error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <unistd.h>

typedef struct
{
  T2pdService *service;
  T2pdTunnel *tunnel; /* unowned: it owns us */
  int fd;
  GSource *closed;
} Guard;

static void
guard_free (gpointer data)
{
  Guard *guard = data;

  g_source_destroy (guard->closed);
  g_source_unref (guard->closed);
  close (guard->fd);
  g_free (guard);
}

static void
deleted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  t2pd_service_delete_tunnel_finish (user_data, result);
}

static gboolean
closed_cb (int fd, GIOCondition condition, gpointer user_data)
{
  Guard *guard = user_data;

  t2pd_service_delete_tunnel_async (guard->service, guard->tunnel,
                                    T2P_STATE_REASON_CALLER_VANISHED, deleted_cb,
                                    guard->service);
  return G_SOURCE_REMOVE;
}

int
t2pd_guard_attach (T2pdService *service, T2pdTunnel *tunnel, GError **error)
{
  int ends[2];
  Guard *guard;

  if (pipe2 (ends, O_CLOEXEC | O_NONBLOCK) < 0)
    {
      int errsv = errno;

      g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED, "no guard: %s",
                   g_strerror (errsv));
      return -1;
    }
  guard = g_new0 (Guard, 1);
  guard->service = service;
  guard->tunnel = tunnel;
  guard->fd = ends[1];
  guard->closed = g_unix_fd_source_new (guard->fd, G_IO_ERR);
  g_source_set_callback (guard->closed, G_SOURCE_FUNC (closed_cb), guard, NULL);
  g_source_attach (guard->closed, NULL);
  g_object_set_data_full (G_OBJECT (tunnel), "guard", guard, guard_free);
  return ends[0];
}
