/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Linux has "ping sockets": datagram sockets of ICMP, which carry nothing but pings and get
 * nothing but the answers to their own. Whether we may have one is said by
 * net.ipv4.ping_group_range. Where we may not, a raw socket does the same, with CAP_NET_RAW,
 * which a worker has for its marks; then answers to other programs' pings have to be told from
 * ours by the identifier.
 *
 * What routers say of a ping is in the socket's error queue, together with the ping's header.
 */
#include "config.h"

#include "t2pw-ping-socket.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define CONTROL_BYTES 512

typedef union
{
  struct cmsghdr align;
  guint8 bytes[CONTROL_BYTES];
} Control;

static int
icmp_protocol (int family)
{
  return family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

/* --- opening */

static void
set_flag (int fd, int level, int option)
{
  int on = 1;

  /* Without them errors and hop counts are not told; pings work. */
  (void) setsockopt (fd, level, option, &on, sizeof on);
}

/* A raw socket would get all the ICMP of the machine. */
static gboolean
filter_raw (const T2pwPingSocket *ping)
{
  struct icmp6_filter v6;
  struct icmp_filter v4 = { .data = ~(1u << ICMP_ECHOREPLY) };

  if (ping->family == AF_INET)
    return setsockopt (ping->watch.fd, SOL_RAW, ICMP_FILTER, &v4, sizeof v4) == 0;
  ICMP6_FILTER_SETBLOCKALL (&v6);
  ICMP6_FILTER_SETPASS (ICMP6_ECHO_REPLY, &v6);
  return setsockopt (ping->watch.fd, IPPROTO_ICMPV6, ICMP6_FILTER, &v6, sizeof v6) == 0;
}

/* The kernel chooses the identifier of a ping socket, as it does a port. */
static gboolean
take_id (T2pwPingSocket *ping)
{
  struct sockaddr_storage address = { .ss_family = (sa_family_t) ping->family };
  socklen_t length =
      ping->family == AF_INET ? sizeof (struct sockaddr_in) : sizeof (struct sockaddr_in6);
  T2pIpEndpoint own;

  if (ping->is_raw)
    {
      ping->id = (guint16) g_random_int ();
      return TRUE;
    }
  if (bind (ping->watch.fd, (struct sockaddr *) &address, length) < 0 ||
      getsockname (ping->watch.fd, (struct sockaddr *) &address, &length) < 0 ||
      !t2p_ip_endpoint_from_sockaddr ((struct sockaddr *) &address, length, &own))
    return FALSE;
  ping->id = own.port;
  return TRUE;
}

static gboolean
set_up (T2pwPingSocket *ping, T2pwSocketPolicy *policy)
{
  int fd = ping->watch.fd;

  if (!t2pw_socket_policy_apply (policy, fd, NULL))
    return FALSE;
  if (ping->family == AF_INET)
    {
      set_flag (fd, IPPROTO_IP, IP_RECVERR);
      set_flag (fd, IPPROTO_IP, IP_RECVTTL);
    }
  else
    {
      set_flag (fd, IPPROTO_IPV6, IPV6_RECVERR);
      set_flag (fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
    }
  return (!ping->is_raw || filter_raw (ping)) && take_id (ping);
}

static int
open_any (T2pwPingSocket *ping)
{
  const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  int protocol = icmp_protocol (ping->family);
  int fd = socket (ping->family, SOCK_DGRAM | flags, protocol);

  ping->is_raw = fd < 0 && (errno == EACCES || errno == EPERM);
  return ping->is_raw ? socket (ping->family, SOCK_RAW | flags, protocol) : fd;
}

gboolean
t2pw_ping_socket_open (T2pwPingSocket *ping,
                       T2pwSocketPolicy *policy,
                       int family,
                       GError **error)
{
  int saved_errno;

  *ping = (T2pwPingSocket){ .watch.fd = -1, .policy = policy, .family = family };
  ping->watch.fd = open_any (ping);
  if (ping->watch.fd >= 0 && set_up (ping, policy))
    return TRUE;
  saved_errno = errno;
  if (ping->watch.fd >= 0)
    close (ping->watch.fd);
  ping->watch.fd = -1;
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
               "no %s socket for pings: %s (net.ipv4.ping_group_range leaves our group out, "
               "and without CAP_NET_RAW there is no other way)",
               family == AF_INET ? "IPv4" : "IPv6", g_strerror (saved_errno));
  return FALSE;
}

/* --- sending */

static void
add_ttl (struct msghdr *message, int family, int ttl)
{
  struct cmsghdr *item = CMSG_FIRSTHDR (message);

  item->cmsg_level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
  item->cmsg_type = family == AF_INET ? IP_TTL : IPV6_HOPLIMIT;
  item->cmsg_len = CMSG_LEN (sizeof ttl);
  memcpy (CMSG_DATA (item), &ttl, sizeof ttl);
  message->msg_controllen = CMSG_SPACE (sizeof ttl);
}

int
t2pw_ping_socket_send (T2pwPingSocket *ping,
                       const T2pIpAddress *to,
                       guint8 ttl,
                       guint16 sequence,
                       const guint8 *data,
                       gsize length)
{
  T2pIpEndpoint peer = { .address = *to };
  T2pIcmpEcho echo = { ping->id, sequence, data, length };
  guint8 header[T2P_ICMP_HEADER_BYTES];
  struct sockaddr_storage address;
  Control control = { 0 };
  struct iovec parts[] = { { header, sizeof header }, { (gpointer) data, length } };
  struct msghdr message = { .msg_name = &address,
                            .msg_namelen = t2p_ip_endpoint_to_sockaddr (&peer, &address),
                            .msg_iov = parts,
                            .msg_iovlen = G_N_ELEMENTS (parts),
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control };

  /* The sum of ICMPv6 is the kernel's business, which knows our address. */
  t2p_icmp_echo_write_header (header, to, to, FALSE, &echo);
  add_ttl (&message, ping->family, ttl);
  if (!t2pw_socket_policy_steer (ping->policy, ping->watch.fd, to))
    return errno;
  /* An error that came for an earlier ping is told by the next call, and gone then. */
  if (sendmsg (ping->watch.fd, &message, MSG_NOSIGNAL) >= 0 ||
      sendmsg (ping->watch.fd, &message, MSG_NOSIGNAL) >= 0)
    return 0;
  return errno;
}

/* --- receiving */

static void
take_control (T2pwPingAnswer *out, struct msghdr *message)
{
  struct cmsghdr *item;

  for (item = CMSG_FIRSTHDR (message); item != NULL; item = CMSG_NXTHDR (message, item))
    {
      gboolean is_v4 = item->cmsg_level == IPPROTO_IP;
      int ttl;

      if ((!is_v4 && item->cmsg_level != IPPROTO_IPV6) ||
          item->cmsg_type != (is_v4 ? IP_TTL : IPV6_HOPLIMIT) ||
          item->cmsg_len < CMSG_LEN (sizeof ttl))
        continue;
      memcpy (&ttl, CMSG_DATA (item), sizeof ttl);
      out->ttl = (guint8) CLAMP (ttl - 1, 1, 255); /* we are a hop */
    }
}

/* What the kernel, or a router, says of a ping. FALSE: nothing that we pass on. */
static gboolean
take_error (T2pwPingAnswer *out, int family, struct msghdr *message)
{
  struct cmsghdr *item;

  for (item = CMSG_FIRSTHDR (message); item != NULL; item = CMSG_NXTHDR (message, item))
    {
      struct sock_extended_err error;
      struct sockaddr_storage offender;
      const gsize offender_bytes =
          family == AF_INET ? sizeof (struct sockaddr_in) : sizeof (struct sockaddr_in6);
      T2pIpEndpoint from;

      if (item->cmsg_type != (family == AF_INET ? IP_RECVERR : IPV6_RECVERR) ||
          item->cmsg_len < CMSG_LEN (sizeof error + offender_bytes))
        continue;
      memcpy (&error, CMSG_DATA (item), sizeof error);
      memcpy (&offender, CMSG_DATA (item) + sizeof error, offender_bytes);
      if ((error.ee_origin != SO_EE_ORIGIN_ICMP && error.ee_origin != SO_EE_ORIGIN_ICMP6) ||
          !t2p_ip_endpoint_from_sockaddr ((struct sockaddr *) &offender,
                                          (socklen_t) offender_bytes, &from))
        return FALSE;
      out->is_error = TRUE;
      out->from = from.address;
      out->error = (T2pIcmpError){ error.ee_type, error.ee_code, error.ee_info };
      return TRUE;
    }
  return FALSE;
}

static gboolean
is_ours (const T2pwPingSocket *ping, const T2pIcmpEcho *echo)
{
  return echo->id == ping->id;
}

/* The header of the ping that an error is about. */
static gboolean
take_quoted (const T2pwPingSocket *ping, T2pwPingAnswer *out, gsize length)
{
  T2pCursor cursor;
  const guint8 *head;

  t2p_cursor_init (&cursor, out->bytes, length);
  if (!t2p_cursor_read_bytes (&cursor, T2P_ICMP_HEADER_BYTES, &head))
    return FALSE;
  out->message =
      (T2pIcmpEcho){ .id = t2p_load_be16 (head + 4), .sequence = t2p_load_be16 (head + 6) };
  return is_ours (ping, &out->message);
}

/* Raw sockets of IPv4 give the IP header as well. */
static gboolean
take_message (const T2pwPingSocket *ping, T2pwPingAnswer *out, gsize length)
{
  gboolean is_v4 = ping->family == AF_INET;
  gsize skipped = 0;
  T2pIpHeader ip;

  if (is_v4 && ping->is_raw)
    {
      if (t2p_ip_header_parse (out->bytes, length, &ip) != T2P_IP_PARSE_OK)
        return FALSE;
      skipped = ip.header_bytes;
    }
  return t2p_icmp_echo_parse_reply (out->bytes + skipped, length - skipped, is_v4,
                                    &out->message) &&
         is_ours (ping, &out->message);
}

/* -1: nothing waits there. */
static gssize
receive (T2pwPingSocket *ping, T2pwPingAnswer *out, int flags, gboolean *out_is_good)
{
  struct sockaddr_storage address = { 0 };
  Control control;
  struct iovec part = { out->bytes, sizeof out->bytes };
  struct msghdr message = { .msg_name = &address,
                            .msg_namelen = sizeof address,
                            .msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control };
  gssize got = recvmsg (ping->watch.fd, &message, flags);
  T2pIpEndpoint peer;

  if (got < 0)
    return -1;
  *out_is_good =
      t2p_ip_endpoint_from_sockaddr ((struct sockaddr *) &address, message.msg_namelen, &peer);
  if ((flags & MSG_ERRQUEUE) != 0)
    {
      out->pinged = peer.address;
      *out_is_good = *out_is_good && take_error (out, ping->family, &message) &&
                     take_quoted (ping, out, (gsize) got);
      return got;
    }
  out->from = peer.address;
  take_control (out, &message);
  *out_is_good = *out_is_good && take_message (ping, out, (gsize) got);
  return got;
}

gboolean
t2pw_ping_socket_receive (T2pwPingSocket *ping, T2pwPingAnswer *out)
{
  gboolean is_good = FALSE;

  out->is_error = FALSE;
  out->ttl = 1;
  if (receive (ping, out, MSG_ERRQUEUE | MSG_DONTWAIT, &is_good) < 0)
    {
      out->is_error = FALSE;
      /* once more: an error that came meanwhile is told in place of an answer */
      if (receive (ping, out, MSG_DONTWAIT, &is_good) < 0 &&
          receive (ping, out, MSG_DONTWAIT, &is_good) < 0)
        return FALSE;
    }
  if (!is_good)
    {
      out->from.family = AF_UNSPEC;
      out->message = (T2pIcmpEcho){ 0 };
    }
  return TRUE;
}
