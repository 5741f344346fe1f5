/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-stack-private.h"

#include <lwip/priv/tcp_priv.h>

G_BEGIN_DECLS

/* For the lwIP files of this folder only. */

struct netif *t2pw_lwip_netif (void);
struct tcp_pcb_listen *t2pw_lwip_listener (void);

/* Makes @stream's pcb all that lwIP knows of. */
static inline void
t2pw_pcb_enter (T2pwStream *stream)
{
  tcp_tw_pcbs = NULL;
  tcp_active_pcbs = stream->pcb;
  if (stream->pcb != NULL)
    stream->pcb->next = NULL;
  stream->stack->entered = stream;
}

/* Before t2pw_pcb_settle(), or where the pcb is known to be gone. */
static inline void
t2pw_pcb_leave (T2pwStream *stream)
{
  tcp_active_pcbs = NULL;
  stream->stack->entered = NULL;
}

G_END_DECLS
