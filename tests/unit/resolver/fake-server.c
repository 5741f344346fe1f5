/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-server.h"

#include "t2p-cursor.h"

#include <errno.h>
#include <string.h>

static gssize
fake_send (T2pwCarrier *carrier, const struct iovec *iov, guint n)
{
  FakeConnection *connection = (FakeConnection *) carrier;
  gssize total = 0;

  g_assert_true (connection->is_open && !connection->is_closed);
  if (connection->is_stalled)
    {
      errno = EAGAIN;
      return -1;
    }
  for (guint i = 0; i < n; i++)
    {
      g_byte_array_append (connection->sent, iov[i].iov_base, (guint) iov[i].iov_len);
      total += (gssize) iov[i].iov_len;
    }
  return total;
}

static gssize
fake_receive (T2pwCarrier *carrier, const struct iovec *iov, guint n)
{
  FakeConnection *connection = (FakeConnection *) carrier;
  gsize piece = MIN (iov[0].iov_len, connection->received->len);

  g_assert_true (connection->is_open && !connection->is_closed);
  if (piece == 0 && connection->has_ended)
    return 0;
  if (piece == 0)
    {
      errno = EAGAIN;
      return -1;
    }
  memcpy (iov[0].iov_base, connection->received->data, piece);
  g_byte_array_remove_range (connection->received, 0, (guint) piece);
  return (gssize) piece;
}

static void
fake_close (T2pwCarrier *carrier, gboolean reset)
{
  FakeConnection *connection = (FakeConnection *) carrier;

  g_assert_false (connection->is_closed);
  connection->is_closed = TRUE;
}

static const T2pwCarrierClass carrier_class = {
  .send = fake_send,
  .receive = fake_receive,
  .close = fake_close,
};

static T2pwCarrier *
fake_open (T2pwOutbound *base,
           const T2pwDestination *destination,
           const T2pwCarrierHandler *handler,
           gpointer user_data)
{
  FakeOutbound *outbound = (FakeOutbound *) base;
  FakeConnection *connection = g_new0 (FakeConnection, 1);

  connection->base.klass = &carrier_class;
  connection->base.handler = handler;
  connection->base.user_data = user_data;
  connection->to = (T2pIpEndpoint){ destination->address, destination->port };
  connection->sent = g_byte_array_new ();
  connection->received = g_byte_array_new ();
  g_ptr_array_add (outbound->connections, connection);
  return &connection->base;
}

static gboolean
fake_send_datagram (T2pwAssociation *base,
                    const T2pwDestination *to,
                    const guint8 *data,
                    gsize length,
                    gsize datagram_bytes)
{
  FakeAssociation *association = (FakeAssociation *) base;
  T2pIpEndpoint endpoint = { to->address, to->port };
  GByteArray *copy = g_byte_array_new ();

  g_assert_true (association->is_open && !association->is_closed);
  g_byte_array_append (copy, data, (guint) length);
  g_ptr_array_add (association->sent, copy);
  g_array_append_val (association->to, endpoint);
  return TRUE;
}

static void
fake_close_association (T2pwAssociation *base)
{
  FakeAssociation *association = (FakeAssociation *) base;

  g_assert_false (association->is_closed);
  association->is_closed = TRUE;
}

static const T2pwAssociationClass association_class = {
  .send = fake_send_datagram,
  .close = fake_close_association,
};

static T2pwAssociation *
fake_associate (T2pwOutbound *base, const T2pwAssociationHandler *handler, gpointer user_data)
{
  FakeOutbound *outbound = (FakeOutbound *) base;
  FakeAssociation *association;

  if (!outbound->has_udp)
    return NULL;
  association = g_new0 (FakeAssociation, 1);
  association->base.klass = &association_class;
  association->base.handler = handler;
  association->base.user_data = user_data;
  association->sent = g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);
  association->to = g_array_new (FALSE, FALSE, sizeof (T2pIpEndpoint));
  g_ptr_array_add (outbound->associations, association);
  return &association->base;
}

static void
association_free (gpointer data)
{
  FakeAssociation *association = data;

  g_ptr_array_unref (association->sent);
  g_array_unref (association->to);
  g_free (association);
}

static const T2pwOutboundClass outbound_class = {
  .kind = "fake",
  .open = fake_open,
  .associate = fake_associate,
};

static void
connection_free (gpointer data)
{
  FakeConnection *connection = data;

  g_byte_array_unref (connection->sent);
  g_byte_array_unref (connection->received);
  g_free (connection);
}

void
fake_outbound_init (FakeOutbound *outbound)
{
  outbound->base.klass = &outbound_class;
  outbound->connections = g_ptr_array_new_with_free_func (connection_free);
  outbound->associations = g_ptr_array_new_with_free_func (association_free);
}

void
fake_outbound_clear (FakeOutbound *outbound)
{
  for (guint i = 0; i < outbound->connections->len; i++)
    g_assert_true (fake_outbound_get (outbound, i)->is_closed);
  for (guint i = 0; i < outbound->associations->len; i++)
    g_assert_true (fake_outbound_get_association (outbound, i)->is_closed);
  g_ptr_array_unref (outbound->connections);
  g_ptr_array_unref (outbound->associations);
}

FakeConnection *
fake_outbound_get (FakeOutbound *outbound, guint index)
{
  g_assert_cmpuint (index, <, outbound->connections->len);
  return g_ptr_array_index (outbound->connections, index);
}

static void
run_turns (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

void
fake_connection_accept (FakeConnection *connection)
{
  connection->is_open = TRUE;
  connection->base.handler->opened (&connection->base, connection->base.user_data);
  run_turns ();
}

void
fake_connection_refuse (FakeConnection *connection)
{
  connection->is_closed = TRUE;
  connection->base.handler->failed (&connection->base, T2P_REFUSAL_RESET, NULL,
                                    connection->base.user_data);
  run_turns ();
}

void
fake_connection_end (FakeConnection *connection)
{
  connection->has_ended = TRUE;
  connection->base.handler->readable (&connection->base, connection->base.user_data);
  run_turns ();
}

void
fake_connection_say (FakeConnection *connection, const guint8 *bytes, gsize length)
{
  g_byte_array_append (connection->received, bytes, (guint) length);
  connection->base.handler->readable (&connection->base, connection->base.user_data);
  run_turns ();
}

/* (transfer full) (nullable): the next one, without its length */
GByteArray *
fake_connection_take_query (FakeConnection *connection)
{
  GByteArray *query;
  guint16 length;

  run_turns ();
  if (connection->sent->len < 2)
    return NULL;
  length = t2p_load_be16 (connection->sent->data);
  g_assert_cmpuint (connection->sent->len, >=, 2u + length);
  query = g_byte_array_new ();
  g_byte_array_append (query, connection->sent->data + 2, length);
  g_byte_array_remove_range (connection->sent, 0, 2u + length);
  return query;
}

/* With 192.0.2.@last for a minute, or no record and @rcode. */
static GByteArray *
make_answer (const GByteArray *query, guint rcode, guint8 last)
{
  const guint8 record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last };
  GByteArray *message = g_byte_array_new ();

  g_byte_array_append (message, query->data, query->len);
  message->data[2] = 0x81;
  message->data[3] = (guint8) (0x80 | rcode);
  if (rcode == 0)
    {
      message->data[7] = 1;
      g_byte_array_append (message, record, sizeof record);
    }
  return message;
}

void
fake_connection_answer (FakeConnection *connection, GByteArray *query, guint rcode, guint8 last)
{
  g_autoptr (GByteArray) message = make_answer (query, rcode, last);
  guint8 prefix[2];

  t2p_store_be16 (prefix, (guint16) message->len);
  g_byte_array_prepend (message, prefix, sizeof prefix);
  fake_connection_say (connection, message->data, message->len);
}

/* --- datagrams */

FakeAssociation *
fake_outbound_get_association (FakeOutbound *outbound, guint index)
{
  g_assert_cmpuint (index, <, outbound->associations->len);
  return g_ptr_array_index (outbound->associations, index);
}

void
fake_association_accept (FakeAssociation *association)
{
  association->is_open = TRUE;
  association->base.handler->opened (&association->base, association->base.user_data);
  run_turns ();
}

void
fake_association_fail (FakeAssociation *association)
{
  association->is_closed = TRUE;
  association->base.handler->failed (&association->base, T2P_REFUSAL_RESET, NULL,
                                     association->base.user_data);
  run_turns ();
}

/* (transfer full) (nullable) */
GByteArray *
fake_association_take_query (FakeAssociation *association, T2pIpEndpoint *out_to)
{
  run_turns ();
  if (association->sent->len == 0)
    return NULL;
  *out_to = g_array_index (association->to, T2pIpEndpoint, 0);
  g_array_remove_index (association->to, 0);
  return g_ptr_array_steal_index (association->sent, 0);
}

void
fake_association_answer (FakeAssociation *association,
                         const T2pIpEndpoint *from,
                         GByteArray *query,
                         gboolean is_truncated,
                         guint8 last)
{
  g_autoptr (GByteArray) message = make_answer (query, 0, last);
  T2pwDestination source = { .address = from->address, .port = from->port };

  if (is_truncated)
    message->data[2] |= 0x02;
  association->base.handler->received (&association->base, &source, message->data, message->len,
                                       association->base.user_data);
  run_turns ();
}
