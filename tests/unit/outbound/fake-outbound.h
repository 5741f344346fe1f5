/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-association.h"

/* An outbound without sockets: the test says what becomes of each carrier, and when. */
typedef struct
{
  T2pwOutbound base;
  const char *name;
  GQueue pending; /* carriers of flows that wait for an answer, the oldest first */
  GQueue checks;  /* the same of checks */
  guint n_flows;  /* that were ever begun */
  guint n_checks;
  guint n_closed; /* while they were pending */
  T2pwUdpMode udp_mode;
  GQueue associations; /* that wait, or are open */
  guint n_associations;
} FakeOutbound;

FakeOutbound *fake_outbound_new (const char *name);

/* These act on the oldest of @queue. */
void fake_outbound_ask (GQueue *queue, gboolean has_spoken);
void fake_outbound_answer (FakeOutbound *fake, GQueue *queue);
void fake_outbound_fail (FakeOutbound *fake, GQueue *queue, int code);

void fake_outbound_open_association (FakeOutbound *fake);
/* As if @text came for the newest. */
void fake_outbound_receive (FakeOutbound *fake, const char *text);
void fake_outbound_end_association (FakeOutbound *fake, int code);
/* What was sent the last time, by any. */
const char *fake_outbound_get_sent (void);
