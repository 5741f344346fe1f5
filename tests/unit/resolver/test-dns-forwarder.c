/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-server.h"
#include "t2p-limits.h"
#include "t2pw-dns-forwarder.h"
#include "t2pw-dns-stream-server.h"

typedef struct
{
  T2pReactor *reactor;
  FakeOutbound outbound;
  T2pwDnsForwarder *forwarder;
  guint n_answers;
  guint n_failures;
  T2pDnsRcode rcode;
  guint8 last; /* byte of the last answer */
} Fixture;

/* @by_datagrams: whether they are asked by UDP. */
static void
set_up (Fixture *f, gconstpointer by_datagrams)
{
  T2pIpEndpoint servers[2];
  T2pwDnsForwarderConfig config;

  f->reactor = t2p_reactor_new (NULL, NULL);
  fake_outbound_init (&f->outbound);
  f->outbound.has_udp = TRUE;
  g_assert_true (t2p_ip_endpoint_parse ("192.0.2.53:53", &servers[0]));
  g_assert_true (t2p_ip_endpoint_parse ("[2001:db8::53]:53", &servers[1]));
  config = (T2pwDnsForwarderConfig){ .reactor = f->reactor,
                                     .outbound = &f->outbound.base,
                                     .servers = servers,
                                     .n_servers = G_N_ELEMENTS (servers),
                                     .by_datagrams = by_datagrams != NULL };
  f->forwarder = t2pw_dns_forwarder_new (&config);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  t2pw_dns_forwarder_free (f->forwarder);
  fake_outbound_clear (&f->outbound);
  t2p_reactor_free (f->reactor);
}

static void
answered_cb (const guint8 *message, const T2pDnsAnswer *answer, gpointer user_data)
{
  Fixture *f = user_data;

  if (answer == NULL)
    {
      f->n_failures++;
      return;
    }
  f->n_answers++;
  f->rcode = answer->rcode;
  f->last = message[answer->length - 1];
}

/* The query borrows @buffer. */
static void
make_query (guint8 *buffer, gsize size, const char *name, T2pDnsQuery *out_query)
{
  T2pWriter writer;

  t2p_writer_init (&writer, buffer, size);
  g_assert_true (t2p_dns_query_write (&writer, 0x1234, name, T2P_DNS_TYPE_A));
  g_assert_cmpint (t2p_dns_query_decode (buffer, t2p_writer_length (&writer), out_query), ==,
                   T2P_DNS_PARSE_OK);
}

static T2pwDnsWaiter *
ask (Fixture *f, const char *name)
{
  guint8 buffer[300];
  T2pDnsQuery query;

  make_query (buffer, sizeof buffer, name, &query);
  return t2pw_dns_forwarder_ask (f->forwarder, &query, answered_cb, f);
}

static gboolean
is_known (Fixture *f, const char *name)
{
  guint8 buffer[300];
  T2pDnsQuery query;
  T2pwDnsKept kept;

  make_query (buffer, sizeof buffer, name, &query);
  return t2pw_dns_forwarder_find (f->forwarder, &query, &kept);
}

static void
wait_until (const guint *counter, guint value)
{
  while (*counter < value)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_out_of_order (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) first = NULL;
  g_autoptr (GByteArray) second = NULL;
  FakeConnection *connection;

  g_assert_nonnull (ask (f, "a.example"));
  connection = fake_outbound_get (&f->outbound, 0);
  g_assert_cmpuint (connection->to.port, ==, 53);
  fake_connection_accept (connection);
  g_assert_nonnull (ask (f, "b.example"));
  first = fake_connection_take_query (connection);
  second = fake_connection_take_query (connection);
  g_assert_cmpuint (t2p_load_be16 (first->data), !=, t2p_load_be16 (second->data));
  fake_connection_answer (connection, second, 0, 22);
  g_assert_cmpuint (f->n_answers, ==, 1);
  g_assert_cmpuint (f->last, ==, 22);
  fake_connection_answer (connection, first, 0, 11);
  g_assert_cmpuint (f->n_answers, ==, 2);
  g_assert_cmpuint (f->last, ==, 11);
  g_assert_cmpuint (f->outbound.connections->len, ==, 1);
}

static void
test_joined_and_kept (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) query = NULL;
  T2pwDnsWaiter *impatient;

  ask (f, "a.example");
  impatient = ask (f, "A.Example");
  ask (f, "a.EXAMPLE");
  t2pw_dns_waiter_cancel (impatient);
  fake_connection_accept (fake_outbound_get (&f->outbound, 0));
  query = fake_connection_take_query (fake_outbound_get (&f->outbound, 0));
  g_assert_null (fake_connection_take_query (fake_outbound_get (&f->outbound, 0)));
  g_assert_false (is_known (f, "a.example"));
  fake_connection_answer (fake_outbound_get (&f->outbound, 0), query, 0, 1);
  g_assert_cmpuint (f->n_answers, ==, 2);
  g_assert_true (is_known (f, "a.example"));
  t2pw_dns_forwarder_uplink_changed (f->forwarder);
  g_assert_false (is_known (f, "a.example"));
}

/* Neither another name, nor another id, nor what is no answer. */
static void
test_strangers_are_ignored (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) query = NULL;
  FakeConnection *connection;

  ask (f, "a.example");
  connection = fake_outbound_get (&f->outbound, 0);
  fake_connection_accept (connection);
  query = fake_connection_take_query (connection);
  query->data[0] ^= 1;
  fake_connection_answer (connection, query, 0, 66);
  query->data[0] ^= 1;
  query->data[13] ^= 1;
  fake_connection_answer (connection, query, 0, 66);
  query->data[13] ^= 1;
  fake_connection_say (connection, (const guint8 *) "\0\0\0\1x", 5);
  g_assert_cmpuint (f->n_answers, ==, 0);
  fake_connection_answer (connection, query, 0, 1);
  g_assert_cmpuint (f->n_answers, ==, 1);
  g_assert_cmpuint (f->last, ==, 1);
}

/* A server may close whenever it likes: what it had not answered is asked again. */
static void
test_closed_after_an_answer (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) first = NULL;
  g_autoptr (GByteArray) again = NULL;
  FakeConnection *connection;

  ask (f, "a.example");
  ask (f, "b.example");
  connection = fake_outbound_get (&f->outbound, 0);
  fake_connection_accept (connection);
  first = fake_connection_take_query (connection);
  fake_connection_answer (connection, first, 0, 1);
  fake_connection_end (connection);
  g_assert_true (connection->is_closed);
  connection = fake_outbound_get (&f->outbound, 1);
  fake_connection_accept (connection);
  again = fake_connection_take_query (connection);
  g_assert_null (fake_connection_take_query (connection));
  fake_connection_answer (connection, again, 0, 2);
  g_assert_cmpuint (f->n_answers, ==, 2);
  g_assert_cmpuint (f->n_failures, ==, 0);
}

static void
test_next_server (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) query = NULL;
  FakeConnection *connection;

  ask (f, "a.example");
  fake_connection_refuse (fake_outbound_get (&f->outbound, 0));
  connection = fake_outbound_get (&f->outbound, 1);
  g_assert_cmpint (connection->to.address.family, ==, AF_INET6);
  fake_connection_accept (connection);
  query = fake_connection_take_query (connection);
  fake_connection_answer (connection, query, 0, 1);
  g_assert_cmpuint (f->n_answers, ==, 1);
  /* the one that failed rests: the other is asked first */
  ask (f, "b.example");
  g_byte_array_unref (g_steal_pointer (&query));
  query = fake_connection_take_query (connection);
  g_assert_nonnull (query);
  g_assert_false (t2pw_dns_forwarder_is_down (f->forwarder));
  g_assert_cmpuint (f->outbound.connections->len, ==, 2);
}

static void
test_silence (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) query = NULL;
  FakeConnection *connection;

  ask (f, "a.example");
  fake_connection_accept (fake_outbound_get (&f->outbound, 0));
  wait_until (&f->outbound.connections->len, 2);
  /* the silent one is not trusted, and still asked: over a new connection */
  g_assert_true (fake_outbound_get (&f->outbound, 0)->is_closed);
  wait_until (&f->outbound.connections->len, 3);
  for (guint i = 1; i < 3; i++)
    {
      connection = fake_outbound_get (&f->outbound, i);
      fake_connection_accept (connection);
      query = fake_connection_take_query (connection);
      g_assert_nonnull (query);
      g_byte_array_unref (g_steal_pointer (&query));
    }
  wait_until (&f->n_failures, 1); /* T2P_DNS_ANSWER_TIMEOUT_MS */
  g_assert_true (t2pw_dns_forwarder_is_down (f->forwarder));
}

static void
test_nobody (Fixture *f, gconstpointer data)
{
  ask (f, "a.example");
  fake_connection_refuse (fake_outbound_get (&f->outbound, 0));
  fake_connection_refuse (fake_outbound_get (&f->outbound, 1));
  g_assert_cmpuint (f->n_failures, ==, 1);
  g_assert_true (t2pw_dns_forwarder_is_down (f->forwarder));
  /* and yet they are asked when somebody wants to know */
  ask (f, "b.example");
  g_assert_cmpuint (f->outbound.connections->len, ==, 3);
  t2pw_dns_forwarder_uplink_changed (f->forwarder);
  g_assert_false (t2pw_dns_forwarder_is_down (f->forwarder));
}

/* "I could not" counts when nobody knows better. */
static void
test_refusals (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GByteArray) first = NULL;
      g_autoptr (GByteArray) second = NULL;

      ask (f, i == 0 ? "a.example" : "b.example");
      if (i == 0)
        fake_connection_accept (fake_outbound_get (&f->outbound, 0));
      first = fake_connection_take_query (fake_outbound_get (&f->outbound, 0));
      fake_connection_answer (fake_outbound_get (&f->outbound, 0), first, T2P_DNS_REFUSED, 0);
      g_assert_cmpuint (f->n_answers, ==, i);
      if (i == 0)
        fake_connection_accept (fake_outbound_get (&f->outbound, 1));
      second = fake_connection_take_query (fake_outbound_get (&f->outbound, 1));
      fake_connection_answer (fake_outbound_get (&f->outbound, 1), second,
                              i == 0 ? T2P_DNS_NOERROR : T2P_DNS_SERVFAIL, 5);
      g_assert_cmpuint (f->n_answers, ==, i + 1);
      g_assert_cmpint (f->rcode, ==, i == 0 ? T2P_DNS_NOERROR : T2P_DNS_REFUSED);
    }
  g_assert_false (is_known (f, "b.example"));
}

static void
test_is_bounded (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < T2P_DNS_MAX_EXCHANGES; i++)
    {
      g_autofree char *name = g_strdup_printf ("n%u.example", i);

      g_assert_nonnull (ask (f, name));
    }
  g_assert_null (ask (f, "one-more.example"));
  for (guint i = T2P_DNS_MAX_EXCHANGES; i < T2P_DNS_MAX_WAITING; i++)
    g_assert_nonnull (ask (f, "n0.example"));
  g_assert_null (ask (f, "n0.example"));
}

/* One who answers what nobody asked, without end. */
static void
test_strays_are_bounded (Fixture *f, gconstpointer data)
{
  FakeConnection *connection;

  ask (f, "a.example");
  connection = fake_outbound_get (&f->outbound, 0);
  fake_connection_accept (connection);
  for (guint i = 0; i < 10000 && !connection->is_closed; i++)
    fake_connection_say (connection, (const guint8 *) "\0\0\0\1x", 5);
  g_assert_true (connection->is_closed);
  g_assert_cmpuint (f->outbound.connections->len, ==, 2); /* the other server */
}

static T2pwDnsAsked *
ask_server (T2pwDnsStreamServer *server, guint number)
{
  g_autofree char *name = g_strdup_printf ("a-name-of-some-length-%u.example", number);
  guint8 buffer[300];
  T2pDnsQuery query;

  make_query (buffer, sizeof buffer, name, &query);
  return t2pw_dns_stream_server_ask (server, &query, answered_cb, NULL);
}

/* The server takes nothing, and nobody waits for long. What waited until it could be sent is
 * not sent for those who have left. */
static void
test_slow_server (Fixture *f, gconstpointer data)
{
  const T2pIpEndpoint endpoint = { t2p_ip_address_from_v4 (0xc0000235), 53 };
  T2pwDnsStreamServer *server =
      t2pw_dns_stream_server_new (f->reactor, &f->outbound.base, &endpoint);
  g_autoptr (GByteArray) query = NULL;
  T2pwDnsAsked *last;

  for (guint i = 0; i < 100; i++)
    t2pw_dns_asked_cancel (ask_server (server, i));
  fake_outbound_get (&f->outbound, 0)->is_stalled = TRUE;
  fake_connection_accept (fake_outbound_get (&f->outbound, 0));
  for (guint i = 0; f->outbound.connections->len == 1; i++)
    {
      g_assert_cmpuint (i, <, 10 * T2P_DNS_MAX_EXCHANGES);
      last = ask_server (server, i);
      if (f->outbound.connections->len == 1)
        t2pw_dns_asked_cancel (last);
    }
  g_assert_true (fake_outbound_get (&f->outbound, 0)->is_closed);
  fake_connection_accept (fake_outbound_get (&f->outbound, 1));
  query = fake_connection_take_query (fake_outbound_get (&f->outbound, 1));
  g_assert_nonnull (query);
  g_assert_null (fake_connection_take_query (fake_outbound_get (&f->outbound, 1)));
  t2pw_dns_stream_server_free (server);
}

/* --- by datagrams */

static void
test_datagrams (Fixture *f, gconstpointer by_datagrams)
{
  g_autoptr (GByteArray) query = NULL;
  FakeAssociation *association;
  T2pIpEndpoint to, stranger;

  ask (f, "a.example");
  association = fake_outbound_get_association (&f->outbound, 0);
  fake_association_accept (association);
  query = fake_association_take_query (association, &to);
  g_assert_nonnull (query);
  g_assert_cmpuint (to.port, ==, 53);
  stranger = to;
  stranger.port = 5353;
  fake_association_answer (association, &stranger, query, FALSE, 66);
  g_assert_cmpuint (f->n_answers, ==, 0);
  fake_association_answer (association, &to, query, FALSE, 1);
  g_assert_cmpuint (f->n_answers, ==, 1);
  g_assert_cmpuint (f->last, ==, 1);
  g_assert_true (is_known (f, "a.example"));
  /* the same association for the next */
  ask (f, "b.example");
  g_byte_array_unref (g_steal_pointer (&query));
  query = fake_association_take_query (association, &to);
  fake_association_answer (association, &to, query, FALSE, 2);
  g_assert_cmpuint (f->n_answers, ==, 2);
  g_assert_cmpuint (f->outbound.associations->len, ==, 1);
  g_assert_cmpuint (f->outbound.connections->len, ==, 0);
}

static void
test_truncated_datagram (Fixture *f, gconstpointer by_datagrams)
{
  g_autoptr (GByteArray) query = NULL;
  g_autoptr (GByteArray) again = NULL;
  FakeAssociation *association;
  T2pIpEndpoint to;

  ask (f, "a.example");
  association = fake_outbound_get_association (&f->outbound, 0);
  fake_association_accept (association);
  query = fake_association_take_query (association, &to);
  fake_association_answer (association, &to, query, TRUE, 1);
  g_assert_cmpuint (f->n_answers, ==, 0);
  fake_connection_accept (fake_outbound_get (&f->outbound, 0));
  again = fake_connection_take_query (fake_outbound_get (&f->outbound, 0));
  fake_connection_answer (fake_outbound_get (&f->outbound, 0), again, 0, 7);
  g_assert_cmpuint (f->n_answers, ==, 1);
  g_assert_cmpuint (f->last, ==, 7);
}

static void
answer_over_tcp (Fixture *f, guint n_before)
{
  g_autoptr (GByteArray) query = NULL;
  FakeConnection *connection = fake_outbound_get (&f->outbound, 0);

  if (!connection->is_open)
    fake_connection_accept (connection);
  while ((query = fake_connection_take_query (connection)) == NULL)
    g_main_context_iteration (NULL, TRUE);
  fake_connection_answer (connection, query, 0, 1);
  g_assert_cmpuint (f->n_answers, ==, n_before + 1);
}

static void
test_no_datagrams (Fixture *f, gconstpointer by_datagrams)
{
  f->outbound.has_udp = FALSE;
  ask (f, "a.example");
  answer_over_tcp (f, 0);
  /* they rest, although there are some by now */
  f->outbound.has_udp = TRUE;
  ask (f, "b.example");
  answer_over_tcp (f, 1);
  g_assert_cmpuint (f->outbound.associations->len, ==, 0);
  t2pw_dns_forwarder_uplink_changed (f->forwarder);
  ask (f, "c.example");
  g_assert_cmpuint (f->outbound.associations->len, ==, 1);
}

static void
test_refused_association (Fixture *f, gconstpointer by_datagrams)
{
  ask (f, "a.example");
  fake_association_fail (fake_outbound_get_association (&f->outbound, 0));
  answer_over_tcp (f, 0);
}

/* It had opened, so there is no reason to do without datagrams. */
static void
test_lost_association (Fixture *f, gconstpointer by_datagrams)
{
  g_autoptr (GByteArray) query = NULL;
  T2pIpEndpoint to;

  ask (f, "a.example");
  fake_association_accept (fake_outbound_get_association (&f->outbound, 0));
  fake_association_fail (fake_outbound_get_association (&f->outbound, 0));
  g_assert_cmpuint (f->outbound.connections->len, ==, 0);
  fake_association_accept (fake_outbound_get_association (&f->outbound, 1));
  query = fake_association_take_query (fake_outbound_get_association (&f->outbound, 1), &to);
  g_assert_nonnull (query);
  g_assert_cmpint (to.address.family, ==, AF_INET6);
  fake_association_answer (fake_outbound_get_association (&f->outbound, 1), &to, query, FALSE,
                           3);
  g_assert_cmpuint (f->n_answers, ==, 1);
}

static void
test_silent_datagrams (Fixture *f, gconstpointer by_datagrams)
{
  ask (f, "a.example");
  ask (f, "b.example");
  ask (f, "c.example");
  fake_association_accept (fake_outbound_get_association (&f->outbound, 0));
  wait_until (&f->outbound.connections->len, 1);
  for (guint i = 0; i < 3; i++)
    answer_over_tcp (f, i);
  ask (f, "d.example");
  answer_over_tcp (f, 3);
}

/* Two are lost, one is answered, two are lost: that is not three in a row. */
static void
test_some_are_lost (Fixture *f, gconstpointer by_datagrams)
{
  FakeAssociation *association;
  g_autoptr (GByteArray) query = NULL;
  T2pIpEndpoint to;

  ask (f, "a.example");
  ask (f, "b.example");
  association = fake_outbound_get_association (&f->outbound, 0);
  fake_association_accept (association);
  wait_until (&association->sent->len, 4); /* each at the second server, too */
  ask (f, "c.example");
  while ((query = fake_association_take_query (association, &to)) != NULL &&
         memmem (query->data, query->len, "\1c", 2) == NULL)
    g_byte_array_unref (g_steal_pointer (&query));
  g_assert_nonnull (query);
  fake_association_answer (association, &to, query, FALSE, 1);
  g_assert_cmpuint (f->n_answers, ==, 1);
  ask (f, "d.example");
  wait_until (&association->sent->len, 2);
  g_assert_cmpuint (association->sent->len, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/dns-forwarder/pipelined-and-answered-out-of-order", test_out_of_order);
  ADD ("/dns-forwarder/same-questions-are-joined-and-kept", test_joined_and_kept);
  ADD ("/dns-forwarder/answers-to-nothing-are-ignored", test_strangers_are_ignored);
  ADD ("/dns-forwarder/answers-to-nothing-are-bounded", test_strays_are_bounded);
  ADD ("/dns-forwarder/asked-again-when-the-server-closes", test_closed_after_an_answer);
  ADD ("/dns-forwarder/the-next-server-when-one-fails", test_next_server);
  ADD ("/dns-forwarder/silence-ends", test_silence);
  ADD ("/dns-forwarder/nobody-answers", test_nobody);
  ADD ("/dns-forwarder/a-refusal-counts-last", test_refusals);
  ADD ("/dns-forwarder/waiters-are-bounded", test_is_bounded);
  ADD ("/dns-forwarder/a-server-that-reads-nothing-costs-little", test_slow_server);
#define ADD_UDP(path, function)                                                                \
  g_test_add (path, Fixture, GINT_TO_POINTER (TRUE), set_up, function, tear_down)
  ADD_UDP ("/dns-forwarder/datagrams/answered", test_datagrams);
  ADD_UDP ("/dns-forwarder/datagrams/truncated-comes-by-tcp", test_truncated_datagram);
  ADD_UDP ("/dns-forwarder/datagrams/none-means-tcp", test_no_datagrams);
  ADD_UDP ("/dns-forwarder/datagrams/refused-means-tcp", test_refused_association);
  ADD_UDP ("/dns-forwarder/datagrams/lost-means-another-server", test_lost_association);
  ADD_UDP ("/dns-forwarder/datagrams/some-may-be-lost", test_some_are_lost);
  ADD_UDP ("/dns-forwarder/datagrams/silent-means-tcp", test_silent_datagrams);
  return g_test_run ();
}
