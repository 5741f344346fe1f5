/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-worker-socket.h"

#include "t2p-log.h"
#include "t2p-names.h"

#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PREFIX "worker-"
#define SUFFIX ".sock"
#define STOP_TIMEOUT_MS 2000

char *
t2pd_worker_socket_make_path (const char *runtime_dir, const char *label)
{
  g_autofree char *name = g_strconcat (PREFIX, label, SUFFIX, NULL);

  return g_build_filename (runtime_dir, name, NULL);
}

static int
fail (int fd, int saved_errno, const char *path, GError **error)
{
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
               "could not listen at '%s': %s", path, g_strerror (saved_errno));
  if (fd >= 0)
    close (fd);
  return -1;
}

int
t2pd_worker_socket_bind (const char *path, GError **error)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd;

  if (g_strlcpy (address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path)
    return fail (-1, ENAMETOOLONG, path, error);
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return fail (-1, errno, path, error);
  if ((g_unlink (path) != 0 && errno != ENOENT) ||
      bind (fd, (struct sockaddr *) &address, sizeof address) != 0 || chmod (path, 0600) != 0 ||
      listen (fd, 4) != 0)
    return fail (fd, errno, path, error);
  return fd;
}

/* Its socket is closed when it has gone. */
static void
wait_closed (GDBusConnection *connection)
{
  GIOStream *stream = g_dbus_connection_get_stream (connection);
  GSocket *socket = g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream));
  struct pollfd poll_fd = { .fd = g_socket_get_fd (socket), .events = POLLRDHUP };

  while (poll (&poll_fd, 1, STOP_TIMEOUT_MS) < 0 && errno == EINTR)
    continue;
}

static gboolean
stop_one (const char *path)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new (path);
  g_autoptr (GSocketConnection) stream = NULL;
  g_autoptr (GDBusConnection) connection = NULL;
  g_autoptr (GVariant) reply = NULL;

  g_socket_client_set_timeout (client, STOP_TIMEOUT_MS / 1000);
  stream = g_socket_client_connect (client, G_SOCKET_CONNECTABLE (address), NULL, NULL);
  if (stream == NULL)
    return FALSE;
  connection = g_dbus_connection_new_sync (G_IO_STREAM (stream), NULL,
                                           G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL,
                                           NULL, NULL);
  if (connection == NULL)
    return TRUE;
  g_dbus_connection_set_exit_on_close (connection, FALSE);
  reply = g_dbus_connection_call_sync (connection, NULL, T2P_WORKER_PATH, T2P_WORKER_INTERFACE,
                                       "Stop", g_variant_new ("(u)", 0), NULL,
                                       G_DBUS_CALL_FLAGS_NONE, STOP_TIMEOUT_MS, NULL, NULL);
  wait_closed (connection);
  return TRUE;
}

guint
t2pd_worker_socket_stop_left (const char *runtime_dir)
{
  g_autoptr (GDir) dir = g_dir_open (runtime_dir, 0, NULL);
  const char *name;
  guint n = 0;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, PREFIX) && g_str_has_suffix (name, SUFFIX))
      {
        g_autofree char *path = g_build_filename (runtime_dir, name, NULL);

        n += stop_one (path);
        if (g_unlink (path) != 0)
          t2p_log_warning (NULL, NULL, "could not remove '%s', ignoring", path);
      }
  return n;
}
