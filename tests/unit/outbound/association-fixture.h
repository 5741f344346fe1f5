/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "scripted-server.h"
#include "t2pw-association.h"
#include "t2pw-outbound-factory.h"

/* An association through a scripted proxy, made as a tunnel makes it, and a socket that plays
 * the relay, the far end, or whoever else sends datagrams. */
typedef struct
{
  T2pReactor *reactor;
  T2pwSocketPolicy policy;
  T2pwOutboundContext context;
  T2pwOutbound *outbound;
  T2pwAssociation *association;
  gboolean is_opened;
  gboolean is_over; /* opened or failed */
  guint n_failed;
  GError *error;
  T2pRefusal refusal;
  GPtrArray *received; /* "FROM TEXT" */
  gsize too_big_bytes; /* what would not have been */
  T2pwUdpMode told;
  guint n_told;
  int peer; /* a UDP socket on loopback */
  guint16 peer_port;
} AssociationFixture;

void association_fixture_set_up (AssociationFixture *f, gconstpointer data);
void association_fixture_tear_down (AssociationFixture *f, gconstpointer data);
/* @format: of the proxy's URI, with %u for its port */
void association_fixture_make (AssociationFixture *f, const char *format, guint16 port);
gboolean association_fixture_begin (AssociationFixture *f);
/* Until it is opened or has failed; FALSE when it is known at once that nothing is carried. */
gboolean association_fixture_open (AssociationFixture *f);
gboolean association_fixture_send (AssociationFixture *f, const char *to, const char *text);
/* Waits for @n datagrams to have come, all in all. */
void association_fixture_expect (AssociationFixture *f, guint n);
/* What comes to the peer next, and from whom. */
GBytes *association_fixture_peer_receive (AssociationFixture *f, T2pIpEndpoint *out_from);
void association_fixture_peer_send (
    AssociationFixture *f, int fd, const T2pIpEndpoint *to, gconstpointer data, gsize length);
int association_fixture_new_peer (guint16 *out_port);
