/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

/**
 * T2pwLoopKind: what is wrong with a flow
 * @T2PW_LOOP_OWN_SOCKET: it comes from a socket of ours
 * @T2PW_LOOP_UPSTREAM: it goes to an upstream
 * @T2PW_LOOP_LOCAL_PROXY: it goes where a proxy on this machine was found to go round
 * @T2PW_LOOP_SUSPECT: nothing that is known yet
 */
typedef enum
{
  T2PW_LOOP_OWN_SOCKET,
  T2PW_LOOP_UPSTREAM,
  T2PW_LOOP_LOCAL_PROXY,
  T2PW_LOOP_SUSPECT,
} T2pwLoopKind;

/* "own-socket" and so on. */
const char *t2pw_loop_kind_to_string (T2pwLoopKind kind);

G_END_DECLS
