/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"

G_BEGIN_DECLS

/**
 * T2pwTcpCarrier:
 *
 * The byte side of carriers that end in one TCP socket: embedded as the first member by the
 * kinds of outbound. Fields are private to this file, @base excepted.
 */
typedef struct
{
  T2pwCarrier base;
  T2pReactor *reactor;
  T2pWatch watch;        /* of the socket */
  T2pTimer timer;        /* of the handshake; behind it, when keep-alive is switched on */
  guint is_open : 1;     /* events go to the handler */
  guint has_hung_up : 1; /* RDHUP or HUP was seen: its edge will not come again */
  guint is_drained : 1;  /* the last read was short and no edge came since */
  guint32 n_leftover;    /* bytes that came behind the proxy's reply */
  guint8 *leftover;
} T2pwTcpCarrier;

void t2pw_tcp_carrier_init (T2pwTcpCarrier *carrier,
                            const T2pwCarrierClass *klass,
                            T2pReactor *reactor,
                            const T2pwCarrierHandler *handler,
                            gpointer user_data);
gboolean t2pw_tcp_carrier_watch (T2pwTcpCarrier *carrier, T2pWatch *from, T2pWatchFunc ready);
void t2pw_tcp_carrier_open (T2pwTcpCarrier *carrier, const guint8 *leftover, gsize n_leftover);
void t2pw_tcp_carrier_clear (T2pwTcpCarrier *carrier, gboolean reset);

gssize t2pw_tcp_carrier_send (T2pwCarrier *carrier, const struct iovec *iov, guint n);
gssize t2pw_tcp_carrier_receive (T2pwCarrier *carrier, const struct iovec *iov, guint n);
void t2pw_tcp_carrier_shutdown (T2pwCarrier *carrier);
gboolean t2pw_tcp_carrier_is_stalled (T2pwCarrier *carrier);

G_END_DECLS
