/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"
#include "t2p-reactor.h"
#include "t2p-refusal.h"
#include "t2pw-upstream-socket.h"

G_BEGIN_DECLS

/* Attempts for one connection; more addresses than this are not tried (RFC 8305 would go on for
 * minutes). */
#define T2PW_DIAL_MAX_ADDRESSES 8

typedef struct _T2pwDial T2pwDial;

/**
 * T2pwDialDone:
 * @watch: (nullable): of the connected socket, which is the callee's from now on: it must hand
 *   the watch over or close it before it returns; %NULL with @error set
 * @peer: (nullable): which address it was
 * @rtt_us: how long the attempt that won took; 0: the SYN waits for the first data (fast open)
 * @refusal: with @error: what an application sees that wanted to go to this very peer
 *
 * The dial is as good as gone when this is called. Never called from within t2pw_dial_start().
 */
typedef void (*T2pwDialDone) (T2pWatch *watch,
                              const T2pIpEndpoint *peer,
                              gint64 rtt_us,
                              T2pRefusal refusal,
                              const GError *error,
                              gpointer user_data);

T2pwDial *t2pw_dial_start (T2pReactor *reactor,
                           T2pwSocketPolicy *policy,
                           const T2pIpEndpoint *peers,
                           guint n_peers,
                           gboolean is_fast_open,
                           guint timeout_ms,
                           T2pwDialDone done,
                           gpointer user_data);
void t2pw_dial_cancel (T2pwDial *dial);

G_END_DECLS
