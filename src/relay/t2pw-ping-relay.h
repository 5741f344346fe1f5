/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-stack.h"
#include "t2pw-upstream-socket.h"
#include "t2pw-virtual-names.h"

G_BEGIN_DECLS

/* Pings past the proxy (`icmp=direct`). */
typedef struct _T2pwPingRelay T2pwPingRelay;

/* @virtual_names: (nullable): addresses that nobody can be pinged at; outlives it. NULL when
 * the kernel lets us have no socket of either family; G_IO_ERROR. */
T2pwPingRelay *t2pw_ping_relay_new (T2pReactor *reactor,
                                    T2pwSocketPolicy *policy,
                                    const T2pwVirtualNames *virtual_names,
                                    GError **error);
void t2pw_ping_relay_free (T2pwPingRelay *relay);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwPingRelay, t2pw_ping_relay_free)
void t2pw_ping_relay_set_stack (T2pwPingRelay *relay, T2pwStack *stack);
/* As the stack's handler. */
gboolean
t2pw_ping_relay_take (T2pwPingRelay *relay, const T2pwEcho *echo, T2pRefusal *io_refusal);
/* Pings that were not sent because too many wait for an answer, or the socket takes no more. */
guint64 t2pw_ping_relay_get_n_dropped (const T2pwPingRelay *relay);
guint t2pw_ping_relay_get_n_waiting (const T2pwPingRelay *relay);

G_END_DECLS
