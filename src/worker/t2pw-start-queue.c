/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-start-queue.h"

#include "t2p-error.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A queue of a TUN device, or a socket that carries a packet in each message. */
static gboolean
is_queue (int fd)
{
  struct stat status;
  int type = -1;
  socklen_t length = sizeof type;

  if (fstat (fd, &status) < 0 || (fcntl (fd, F_GETFL) & O_ACCMODE) != O_RDWR)
    return FALSE;
  if (S_ISCHR (status.st_mode))
    return TRUE;
  return getsockopt (fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type != SOCK_STREAM;
}

/* -1 with T2P_ERROR_INVALID_FD. */
int
t2pw_start_queue_take (GUnixFDList *fd_list, gint32 handle, GError **error)
{
  int n = fd_list != NULL ? g_unix_fd_list_get_length (fd_list) : 0;
  int fd = handle >= 0 && handle < n ? g_unix_fd_list_get (fd_list, handle, NULL) : -1;

  if (fd < 0)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
                   "saw handle %d and %d descriptors with Start, expected the queue of a TUN "
                   "device",
                   handle, n);
      return -1;
    }
  if (!is_queue (fd))
    {
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
                           "the descriptor that came with Start is no queue of a TUN device");
      close (fd);
      return -1;
    }
  (void) fcntl (fd, F_SETFL, O_RDWR | O_NONBLOCK);
  return fd;
}
