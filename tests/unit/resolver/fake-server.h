/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"

/* An outbound whose connections a test makes, answers and breaks as it likes. */
typedef struct
{
  T2pwCarrier base;
  T2pIpEndpoint to;
  gboolean is_open;
  gboolean is_closed;   /* by its owner */
  gboolean has_ended;   /* by the server */
  GByteArray *sent;     /* by the owner */
  GByteArray *received; /* not yet taken by it */
} FakeConnection;

typedef struct
{
  T2pwOutbound base;
  GPtrArray *connections; /* FakeConnection, all that there ever were */
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
