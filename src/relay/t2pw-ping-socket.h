/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-icmp.h"
#include "t2p-reactor.h"
#include "t2pw-upstream-socket.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/** T2pwPingSocket: sends pings of one family by the uplink, past every tunnel. */
typedef struct
{
  T2pWatch watch;
  const T2pwSocketPolicy *policy;
  int family;
  gboolean is_raw; /* else the kernel keeps other programs' answers away */
  guint16 id;      /* of all that leave by it */
} T2pwPingSocket;

/** T2pwPingAnswer: what came back: an answer, or an error about a ping. */
typedef struct
{
  T2pIpAddress from;
  guint8 ttl; /* hops that the answer could still have gone */
  T2pIcmpEcho message;
  gboolean is_error;
  T2pIpAddress pinged; /* of an error: whom the ping was for */
  T2pIcmpError error;
  guint8 bytes[65536];
} T2pwPingAnswer;

/* Not watched yet; @policy outlives it. Errors: G_IO_ERROR, when the kernel does not let us. */
gboolean t2pw_ping_socket_open (T2pwPingSocket *socket,
                                T2pwSocketPolicy *policy,
                                int family,
                                GError **error);
/* 0, or an errno. */
int t2pw_ping_socket_send (T2pwPingSocket *socket,
                           const T2pIpAddress *to,
                           guint8 ttl,
                           guint16 sequence,
                           const guint8 *data,
                           gsize length);
/* FALSE when nothing more waits. What is no answer to a ping of ours has length and sequence 0
 * and no family in @from. */
gboolean t2pw_ping_socket_receive (T2pwPingSocket *socket, T2pwPingAnswer *out);

G_END_DECLS
