/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-reactor.h"
#include "t2pw-loop-kind.h"

G_BEGIN_DECLS

/** T2pwOwnSocket: where a socket of ours sends from; zeroed: nowhere. */
typedef struct
{
  T2pIpEndpoint source;
  guint8 protocol; /* IPPROTO_TCP or IPPROTO_UDP; 0: it is not watched */
} T2pwOwnSocket;

/** T2pwLoopFunc: a flow that came out of the tunnel is a loop. Now and then, while that
 * lasts. */
typedef void (*T2pwLoopFunc) (T2pwLoopKind kind,
                              guint8 protocol,
                              const T2pIpEndpoint *source,
                              const T2pIpEndpoint *destination,
                              gpointer user_data);

/* Tells flows that go round from others. */
typedef struct _T2pwLoopGuard T2pwLoopGuard;

T2pwLoopGuard *t2pw_loop_guard_new (T2pReactor *reactor, T2pwLoopFunc func, gpointer user_data);
void t2pw_loop_guard_free (T2pwLoopGuard *guard);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwLoopGuard, t2pw_loop_guard_free)

/* Where an upstream is: nobody has to reach it through itself. */
void t2pw_loop_guard_add_upstream (T2pwLoopGuard *guard, const T2pIpEndpoint *upstream);
/* @fd begins to connect, or is bound: until @own is forgotten, flows from there are ours.
 * @guard may be NULL, and @own forgotten already. */
void t2pw_loop_guard_watch (T2pwLoopGuard *guard, T2pwOwnSocket *own, guint8 protocol, int fd);
void t2pw_loop_guard_forget (T2pwLoopGuard *guard, T2pwOwnSocket *own);

/**
 * T2pwLoopVerdict: what becomes of a new flow
 * @T2PW_LOOP_PASS: it is none that goes round
 * @T2PW_LOOP_REFUSE: it is one of ours, or leads to an upstream
 * @T2PW_LOOP_SILENCE: likewise, and gets no answer, so that its socket is there for a moment
 *   and can be looked at
 */
typedef enum
{
  T2PW_LOOP_PASS,
  T2PW_LOOP_REFUSE,
  T2PW_LOOP_SILENCE,
} T2pwLoopVerdict;

/* What does not pass is counted, and told now and then. @guard may be NULL. */
T2pwLoopVerdict t2pw_loop_guard_judge (T2pwLoopGuard *guard,
                                       guint8 protocol,
                                       const T2pIpEndpoint *source,
                                       const T2pIpEndpoint *destination);
/* Somebody else has found that what goes to @destination goes round: it goes nowhere for a
 * while. */
void t2pw_loop_guard_block (T2pwLoopGuard *guard, const T2pIpEndpoint *destination);
/* New flows are told as suspects, a few each second, since an upstream is on this machine. */
void t2pw_loop_guard_suspect (T2pwLoopGuard *guard, gboolean is_suspicious);
guint64 t2pw_loop_guard_get_n_caught (const T2pwLoopGuard *guard);

G_END_DECLS
