/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is asked, in each mode: the responder with name servers behind an upstream. */
#include "config.h"

#include "fake-server.h"
#include "t2p-dns-answer.h"
#include "t2p-limits.h"
#include "t2pw-dns-session.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  T2pReactor *reactor;
  T2pwSocketPolicy policy;
  T2pwNames *names;
  FakeOutbound outbound;
  T2pwDnsForwarder *forwarder;
  T2pwVirtualNames *virtual_names;
  T2pwNameSet *exclude;
  T2pwDnsResponder *responder;
  guint8 query[300];
  gsize query_bytes;
  guint8 answer[T2P_DNS_MAX_MESSAGE_BYTES];
  gsize answer_bytes;
  guint n_answers;
} Fixture;

static void
set_up (Fixture *f, gconstpointer is_virtual)
{
  static const char *const patterns[] = { "corp.example", "0.10.in-addr.arpa", NULL };
  T2pwDnsForwarderConfig forwarder;
  T2pwDnsResponderConfig config;
  T2pIpEndpoint server;
  T2pIpPrefix pool;

  g_assert_true (t2p_ip_prefix_parse ("198.18.0.0/18", &pool, NULL));
  g_assert_true (t2p_ip_endpoint_parse ("192.0.2.53:53", &server));
  f->reactor = t2p_reactor_new (NULL, NULL);
  f->names = t2pw_names_new (f->reactor, &f->policy);
  fake_outbound_init (&f->outbound);
  forwarder = (T2pwDnsForwarderConfig){ f->reactor, &f->outbound.base, &server, 1 };
  f->forwarder = t2pw_dns_forwarder_new (&forwarder);
  if (is_virtual != NULL)
    f->virtual_names = t2pw_virtual_names_new (&pool, NULL);
  f->exclude = t2pw_name_set_new (patterns);
  config = (T2pwDnsResponderConfig){ .reactor = f->reactor,
                                     .virtual_names = f->virtual_names,
                                     .forwarder = f->forwarder,
                                     .names = f->names,
                                     .exclude = f->exclude };
  f->responder = t2pw_dns_responder_new (&config);
}

static void
tear_down (Fixture *f, gconstpointer is_virtual)
{
  t2pw_dns_responder_free (f->responder);
  t2pw_name_set_free (f->exclude);
  g_clear_pointer (&f->virtual_names, t2pw_virtual_names_free);
  t2pw_dns_forwarder_free (f->forwarder);
  fake_outbound_clear (&f->outbound);
  t2pw_names_free (f->names);
  t2p_reactor_free (f->reactor);
}

static T2pwDnsVerdict
ask (Fixture *f, const char *name, guint16 type, T2pwDnsTransport transport)
{
  T2pwDnsVerdict verdict;
  T2pWriter writer;

  t2p_writer_init (&writer, f->query, sizeof f->query);
  g_assert_true (t2p_dns_query_write (&writer, 0x1234, name, type));
  f->query_bytes = t2p_writer_length (&writer);
  t2p_writer_init (&writer, f->answer, sizeof f->answer);
  verdict =
      t2pw_dns_responder_answer (f->responder, f->query, f->query_bytes, transport, &writer);
  f->answer_bytes = t2p_writer_length (&writer);
  return verdict;
}

static void
answered_cb (const guint8 *answer, gsize length, gpointer user_data)
{
  Fixture *f = user_data;

  f->n_answers++;
  f->answer_bytes = length;
  memcpy (f->answer, answer, length);
}

static T2pwDnsForward *
forward (Fixture *f, const char *name, guint16 type, T2pwDnsTransport transport)
{
  g_assert_cmpint (ask (f, name, type, transport), ==, T2PW_DNS_FORWARD);
  return t2pw_dns_responder_forward (f->responder, f->query, f->query_bytes, transport,
                                     answered_cb, f);
}

static void
expect (const Fixture *f, T2pDnsRcode rcode, guint n_answers)
{
  g_assert_cmpuint (f->answer_bytes, >=, f->query_bytes);
  g_assert_cmphex (t2p_load_be16 (f->answer), ==, 0x1234);
  g_assert_cmpuint (f->answer[3] & 0x0f, ==, rcode);
  g_assert_cmpuint (t2p_load_be16 (f->answer + 6), ==, n_answers);
}

/* The server's next answer. */
static void
serve (Fixture *f, guint rcode)
{
  FakeConnection *connection =
      fake_outbound_get (&f->outbound, f->outbound.connections->len - 1);
  g_autoptr (GByteArray) query = NULL;

  if (!connection->is_open)
    fake_connection_accept (connection);
  query = fake_connection_take_query (connection);
  g_assert_nonnull (query);
  fake_connection_answer (connection, query, rcode, 1);
}

static void
test_addresses_are_asked_for (Fixture *f, gconstpointer is_virtual)
{
  forward (f, "a.example", T2P_DNS_TYPE_A, T2PW_DNS_OVER_UDP);
  serve (f, T2P_DNS_NOERROR);
  g_assert_cmpuint (f->n_answers, ==, 1);
  expect (f, T2P_DNS_NOERROR, 1);
  /* known from now on, and NXDOMAIN stays what it is */
  g_assert_cmpint (ask (f, "A.example", T2P_DNS_TYPE_A, T2PW_DNS_OVER_TCP), ==,
                   T2PW_DNS_ANSWERED);
  expect (f, T2P_DNS_NOERROR, 1);
  g_assert_cmpuint (t2pw_dns_responder_get_counters (f->responder)->cache_hits, ==, 1);
  forward (f, "none.example", T2P_DNS_TYPE_A, T2PW_DNS_OVER_UDP);
  serve (f, T2P_DNS_NXDOMAIN);
  expect (f, T2P_DNS_NXDOMAIN, 0);
  forward (f, "a.example", T2P_DNS_TYPE_HTTPS, T2PW_DNS_OVER_UDP);
  serve (f, T2P_DNS_NOERROR);
}

static void
test_nobody_is_servfail (Fixture *f, gconstpointer is_virtual)
{
  forward (f, "a.example", T2P_DNS_TYPE_A, T2PW_DNS_OVER_UDP);
  fake_connection_refuse (fake_outbound_get (&f->outbound, 0));
  g_assert_cmpuint (f->n_answers, ==, 1);
  expect (f, T2P_DNS_SERVFAIL, 0);
  g_assert_cmpuint (t2pw_dns_responder_get_counters (f->responder)->failures, ==, 1);
}

static void
test_virtual_types (Fixture *f, gconstpointer is_virtual)
{
  g_assert_cmpint (ask (f, "a.example", T2P_DNS_TYPE_A, T2PW_DNS_OVER_UDP), ==,
                   T2PW_DNS_ANSWERED);
  g_assert_cmpint (ask (f, "a.example", T2P_DNS_TYPE_HTTPS, T2PW_DNS_OVER_UDP), ==,
                   T2PW_DNS_ANSWERED);
  expect (f, T2P_DNS_NOERROR, 0);
  forward (f, "a.example", T2P_DNS_TYPE_MX, T2PW_DNS_OVER_UDP);
  serve (f, T2P_DNS_NOERROR);
  expect (f, T2P_DNS_NOERROR, 1);
  /* nobody but us says that a name does not exist */
  forward (f, "inside.example", T2P_DNS_TYPE_TXT, T2PW_DNS_OVER_UDP);
  serve (f, T2P_DNS_NXDOMAIN);
  expect (f, T2P_DNS_NOERROR, 0);
  forward (f, "1.1.0.192.in-addr.arpa", T2P_DNS_TYPE_PTR, T2PW_DNS_OVER_UDP);
  serve (f, T2P_DNS_NXDOMAIN);
  expect (f, T2P_DNS_NXDOMAIN, 0);
}

/* Empty, and nobody has to wait for it again and again. */
static void
test_virtual_without_servers (Fixture *f, gconstpointer is_virtual)
{
  forward (f, "a.example", T2P_DNS_TYPE_MX, T2PW_DNS_OVER_UDP);
  fake_connection_refuse (fake_outbound_get (&f->outbound, 0));
  g_assert_cmpuint (f->n_answers, ==, 1);
  expect (f, T2P_DNS_NOERROR, 0);
  g_assert_cmpint (ask (f, "b.example", T2P_DNS_TYPE_MX, T2PW_DNS_OVER_UDP), ==,
                   T2PW_DNS_ANSWERED);
  expect (f, T2P_DNS_NOERROR, 0);
  g_assert_cmpuint (f->outbound.connections->len, ==, 1);
}

static void
test_what_stays_here (Fixture *f, gconstpointer is_virtual)
{
  static const struct
  {
    const char *name;
    guint16 type;
    T2pDnsRcode rcode;
  } cases[] = {
    { "1.1.168.192.in-addr.arpa", T2P_DNS_TYPE_PTR, T2P_DNS_NOERROR },
    { "1.0.0.127.in-addr.arpa", T2P_DNS_TYPE_PTR, T2P_DNS_NOERROR },
    { "use-application-dns.net", T2P_DNS_TYPE_A, T2P_DNS_NXDOMAIN },
    { "localhost", T2P_DNS_TYPE_TXT, T2P_DNS_NOERROR },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_assert_cmpint (ask (f, cases[i].name, cases[i].type, T2PW_DNS_OVER_UDP), ==,
                       T2PW_DNS_ANSWERED);
      expect (f, cases[i].rcode, 0);
    }
}

static void
test_uplink (Fixture *f, gconstpointer is_virtual)
{
  static const struct
  {
    const char *name;
    guint16 type;
  } cases[] = {
    { "printer", T2P_DNS_TYPE_A },
    { "www.corp.example", T2P_DNS_TYPE_AAAA },
    { "_ldap._tcp.corp.example", T2P_DNS_TYPE_SRV },
    { "1.2.0.10.in-addr.arpa", T2P_DNS_TYPE_PTR },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    t2pw_dns_forward_cancel (forward (f, cases[i].name, cases[i].type, T2PW_DNS_OVER_UDP));
  g_assert_cmpuint (f->outbound.connections->len, ==, 0);
}

/* A server of the uplink, which says 192.0.2.7. */
static void
serve_uplink (int server)
{
  static const guint8 record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7 };
  guint8 message[512 + sizeof record];
  struct sockaddr_in peer;
  socklen_t length = sizeof peer;
  gssize got;

  while ((got = recvfrom (server, message, 512, MSG_DONTWAIT, (struct sockaddr *) &peer,
                          &length)) < 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmphex (t2p_load_be16 (message), !=, 0x1234); /* one that nobody can guess */
  message[2] |= 0x80;
  message[7] = 1;
  message[11] = 0; /* no OPT */
  got = 12 + (gssize) strlen ((const char *) message + 12) + 1 + 4;
  memcpy (message + got, record, sizeof record);
  g_assert_cmpint (sendto (server, message, (gsize) got + sizeof record, 0,
                           (struct sockaddr *) &peer, length),
                   >, 0);
}

static void
test_uplink_answers (Fixture *f, gconstpointer is_virtual)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = g_htonl (INADDR_LOOPBACK) };
  socklen_t length = sizeof address;
  int server = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  g_autofree char *text = NULL;
  const char *servers[] = { NULL, NULL };

  g_assert_cmpint (bind (server, (struct sockaddr *) &address, length), ==, 0);
  g_assert_cmpint (getsockname (server, (struct sockaddr *) &address, &length), ==, 0);
  servers[0] = text = g_strdup_printf ("127.0.0.1:%u", g_ntohs (address.sin_port));
  g_assert_true (t2pw_names_set_servers (f->names, servers, NULL));
  forward (f, "www.corp.example", T2P_DNS_TYPE_A, T2PW_DNS_OVER_UDP);
  serve_uplink (server);
  while (f->n_answers == 0)
    g_main_context_iteration (NULL, TRUE);
  expect (f, T2P_DNS_NOERROR, 1);
  g_assert_cmpuint (f->answer[f->answer_bytes - 1], ==, 7);
  close (server);
}

static void
test_uplink_is_bounded (Fixture *f, gconstpointer is_virtual)
{
  g_autoptr (GPtrArray) forwards = g_ptr_array_new ();

  for (guint i = 0; i < T2P_DNS_MAX_WAITING; i++)
    g_ptr_array_add (forwards, forward (f, "printer", T2P_DNS_TYPE_A, T2PW_DNS_OVER_UDP));
  g_assert_cmpint (ask (f, "printer", T2P_DNS_TYPE_A, T2PW_DNS_OVER_UDP), ==,
                   T2PW_DNS_ANSWERED);
  expect (f, T2P_DNS_SERVFAIL, 0);
  for (guint i = 0; i < forwards->len; i++)
    t2pw_dns_forward_cancel (forwards->pdata[i]);
}

/* An answer of @n_texts strings of 250 bytes. */
static void
serve_long (Fixture *f, guint n_texts)
{
  FakeConnection *connection = fake_outbound_get (&f->outbound, 0);
  static const guint8 head[] = { 0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, 251, 250 };
  static const guint8 text[250] = { 'x' };
  g_autoptr (GByteArray) message = NULL;
  guint8 prefix[2];

  fake_connection_accept (connection);
  message = fake_connection_take_query (connection);
  message->data[2] |= 0x80;
  message->data[7] = (guint8) n_texts;
  for (guint i = 0; i < n_texts; i++)
    {
      g_byte_array_append (message, head, sizeof head);
      g_byte_array_append (message, text, sizeof text);
    }
  t2p_store_be16 (prefix, (guint16) message->len);
  g_byte_array_prepend (message, prefix, sizeof prefix);
  fake_connection_say (connection, message->data, message->len);
}

static void
test_truncation (Fixture *f, gconstpointer is_virtual)
{
  forward (f, "long.example", T2P_DNS_TYPE_TXT, T2PW_DNS_OVER_UDP);
  serve_long (f, 40);
  expect (f, T2P_DNS_NOERROR, 0);
  g_assert_cmphex (f->answer[2] & 0x02, ==, 0x02);
  g_assert_cmpint (ask (f, "long.example", T2P_DNS_TYPE_TXT, T2PW_DNS_OVER_TCP), ==,
                   T2PW_DNS_ANSWERED);
  expect (f, T2P_DNS_NOERROR, 40);
  g_assert_cmphex (f->answer[2] & 0x02, ==, 0);
  g_assert_cmpuint (f->answer_bytes, >, 10000);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, is_virtual, function)                                                        \
  g_test_add (path, Fixture, GINT_TO_POINTER (is_virtual), set_up, function, tear_down)
  ADD ("/dns-modes/tcp/all-is-asked-for-and-kept", FALSE, test_addresses_are_asked_for);
  ADD ("/dns-modes/tcp/nobody-is-servfail", FALSE, test_nobody_is_servfail);
  ADD ("/dns-modes/tcp/what-stays-here", FALSE, test_what_stays_here);
  ADD ("/dns-modes/tcp/excluded-names-of-every-type", FALSE, test_uplink);
  ADD ("/dns-modes/tcp/excluded-names-are-answered", FALSE, test_uplink_answers);
  ADD ("/dns-modes/tcp/excluded-names-that-wait-are-bounded", FALSE, test_uplink_is_bounded);
  ADD ("/dns-modes/tcp/too-long-for-udp-comes-by-tcp", FALSE, test_truncation);
  ADD ("/dns-modes/virtual/other-types-are-asked-for", TRUE, test_virtual_types);
  ADD ("/dns-modes/virtual/without-servers-they-are-empty", TRUE, test_virtual_without_servers);
  ADD ("/dns-modes/virtual/what-stays-here", TRUE, test_what_stays_here);
  ADD ("/dns-modes/virtual/excluded-names-of-every-type", TRUE, test_uplink);
  return g_test_run ();
}
