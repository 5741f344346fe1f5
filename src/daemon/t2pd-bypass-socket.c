/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A mark on a socket says: not into a tunnel. Whoever holds the descriptor could use it, so
 * what is checked is what it would do: a socket of the user who asks (the kernel's rules go by
 * the user who made it), in this network namespace (a mark may mean something else in another),
 * and one that is not on its way yet: a connection whose route changed under it would go on
 * with the address of the tunnel. */
#include "config.h"

#include "t2pd-bypass-socket.h"

#include "t2pd-bring-up-private.h"
#include "t2pn-snapshot.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean
refuse (GError **error, const char *text)
{
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD, "%s", text);
  return FALSE;
}

static gboolean
get_option (int fd, int name, int *out_value)
{
  socklen_t size = sizeof *out_value;

  return getsockopt (fd, SOL_SOCKET, name, out_value, &size) == 0;
}

static gboolean
check_owner (int fd, guint32 uid, GError **error)
{
  struct stat status;

  if (fstat (fd, &status) != 0 || !S_ISSOCK (status.st_mode))
    return refuse (error, "the descriptor is no socket");
  if (uid == 0 || status.st_uid == uid)
    return TRUE;
  return refuse (error, "the socket is another user's, one of the caller's own expected");
}

static gboolean
check_kind (int fd, GError **error)
{
  int domain, type, protocol;

  if (!get_option (fd, SO_DOMAIN, &domain) || !get_option (fd, SO_TYPE, &type) ||
      !get_option (fd, SO_PROTOCOL, &protocol))
    return refuse (error, "the descriptor is no socket");
  if (domain != AF_INET && domain != AF_INET6)
    return refuse (error, "the socket is of another family, IPv4 or IPv6 expected");
  if ((type == SOCK_STREAM && protocol == IPPROTO_TCP) ||
      (type == SOCK_DGRAM && protocol == IPPROTO_UDP))
    return TRUE;
  return refuse (error, "the socket is of another protocol, TCP or UDP expected");
}

static gboolean
is_under_way (int fd)
{
  struct sockaddr_storage peer;
  socklen_t size = sizeof peer;
  int is_listening = 0;

  return getpeername (fd, (struct sockaddr *) &peer, &size) == 0 ||
         (get_option (fd, SO_ACCEPTCONN, &is_listening) && is_listening);
}

/* A TCP socket that connects, or did, has left the state in which it was made. */
static gboolean
has_begun (int fd)
{
  struct tcp_info info = { 0 };
  socklen_t size = sizeof info;

  return getsockopt (fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
         info.tcpi_state != TCP_CLOSE;
}

static gboolean
check_namespace (int fd, GError **error)
{
  int netns = ioctl (fd, SIOCGSKNS);
  gboolean is_here = FALSE;
  struct stat theirs, ours;

  if (netns >= 0)
    {
      is_here = fstat (netns, &theirs) == 0 && stat ("/proc/self/ns/net", &ours) == 0 &&
                theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
      close (netns);
    }
  return is_here || refuse (error, "the socket is of another network namespace");
}

gboolean
t2pd_bypass_socket_check (int fd, guint32 uid, GError **error)
{
  if (!check_owner (fd, uid, error) || !check_kind (fd, error))
    return FALSE;
  if (is_under_way (fd) || has_begun (fd))
    return refuse (error, "the socket is connected or listens already, a new one expected");
  return check_namespace (fd, error);
}

/* --- the mark */

static gboolean
choose_mark (T2pdService *service, GError **error)
{
  g_autoptr (T2pnSnapshot) snapshot = NULL;

  if (service->mark != 0)
    return TRUE;
  snapshot = t2pn_snapshot_take_around_tunnels (0, error);
  return snapshot != NULL && t2pn_route_ids_choose_mark (snapshot, &service->mark, error);
}

/* Whether sockets with the service's mark stay out of @tunnel. */
static gboolean
heeds_mark (T2pdService *service, T2pdTunnel *tunnel)
{
  T2pSettings *settings = t2pd_tunnel_get_settings (tunnel);
  const T2pnRouteIds *ids = t2pd_bring_up_get_ids (t2pd_bring_up_of (tunnel));

  if (!t2pd_tunnel_is_engaged (tunnel) ||
      t2pd_bring_up_get_netns (t2pd_bring_up_of (tunnel)) >= 0 ||
      t2p_settings_get_capture (settings) == T2P_CAPTURE_NONE)
    return TRUE;
  return t2pd_bring_up_get_worker_uid (t2pd_bring_up_of (tunnel)) == 0 &&
         (ids == NULL || ids->mark == service->mark) &&
         g_str_equal (t2p_settings_get_string (settings, "loop-avoidance"), "mark");
}

gboolean
t2pd_bypass_socket_find_mark (T2pdService *service, guint32 *out_mark, GError **error)
{
  g_autoptr (GPtrArray) tunnels = t2pd_manager_list (service->manager);

  if (!choose_mark (service, error))
    return FALSE;
  for (guint i = 0; i < tunnels->len; i++)
    if (!heeds_mark (service, tunnels->pdata[i]))
      {
        g_set_error_literal (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
                             "a tunnel that is up does not go by the service's own mark");
        return FALSE;
      }
  *out_mark = service->mark;
  return TRUE;
}

gboolean
t2pd_bypass_socket_mark (int fd, guint32 mark, GError **error)
{
  int errsv;

  if (setsockopt (fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0)
    return TRUE;
  errsv = errno;
  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv),
               "could not mark the socket: %s", g_strerror (errsv));
  return FALSE;
}
