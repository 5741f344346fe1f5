/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-association.h"

/* An outbound whose connections a test makes, answers and breaks as it likes. */
typedef struct
{
  T2pwCarrier base;
  T2pIpEndpoint to;
  gboolean is_open;
  gboolean is_closed;   /* by its owner */
  gboolean has_ended;   /* by the server */
  gboolean is_stalled;  /* the server takes nothing */
  GByteArray *sent;     /* by the owner */
  GByteArray *received; /* not yet taken by it */
} FakeConnection;

typedef struct
{
  T2pwAssociation base;
  gboolean is_open;
  gboolean is_closed;
  GPtrArray *sent; /* GByteArray: datagrams */
  GArray *to;      /* T2pIpEndpoint: where each went */
} FakeAssociation;

typedef struct
{
  T2pwOutbound base;
  gboolean has_udp;
  GPtrArray *connections;  /* FakeConnection, all that there ever were */
  GPtrArray *associations; /* FakeAssociation, likewise */
} FakeOutbound;

void fake_outbound_init (FakeOutbound *outbound);
void fake_outbound_clear (FakeOutbound *outbound);
FakeConnection *fake_outbound_get (FakeOutbound *outbound, guint index);

void fake_connection_accept (FakeConnection *connection);
void fake_connection_refuse (FakeConnection *connection);
void fake_connection_end (FakeConnection *connection);
void fake_connection_say (FakeConnection *connection, const guint8 *bytes, gsize length);

GByteArray *fake_connection_take_query (FakeConnection *connection);
void fake_connection_answer (FakeConnection *connection,
                             GByteArray *query,
                             guint rcode,
                             guint8 last);

FakeAssociation *fake_outbound_get_association (FakeOutbound *outbound, guint index);
void fake_association_accept (FakeAssociation *association);
void fake_association_fail (FakeAssociation *association);
GByteArray *fake_association_take_query (FakeAssociation *association, T2pIpEndpoint *out_to);
void fake_association_answer (FakeAssociation *association,
                              const T2pIpEndpoint *from,
                              GByteArray *query,
                              gboolean is_truncated,
                              guint8 last);
