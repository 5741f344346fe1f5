/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"

/* An outbound without sockets: the test says what becomes of each carrier, and when. */
typedef struct
{
  T2pwOutbound base;
  GQueue pending; /* carriers of flows that wait for an answer, the oldest first */
  GQueue checks;  /* the same of checks */
  guint n_flows;  /* that were ever begun */
  guint n_checks;
  guint n_closed; /* while they were pending */
} FakeOutbound;

FakeOutbound *fake_outbound_new (void);

/* These act on the oldest of @queue. */
void fake_outbound_ask (GQueue *queue, gboolean has_spoken);
void fake_outbound_answer (FakeOutbound *fake, GQueue *queue);
void fake_outbound_fail (FakeOutbound *fake, GQueue *queue, int code);
