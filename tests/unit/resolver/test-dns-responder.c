/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-dns.h"
#include "t2pw-dns-session.h"

#include <string.h>

typedef struct
{
  T2pReactor *reactor;
  T2pwSocketPolicy policy;
  T2pwNames *names;
  T2pwVirtualNames *virtual_names;
  T2pwNameSet *exclude;
  T2pwDnsResponder *responder;
  guint8 query[512];
  gsize query_bytes;
  guint8 answer[1232];
  gsize answer_bytes;
  gboolean is_forwarded;
  guint n_outputs;
} Fixture;

static void
responder_new (Fixture *f, const char *pool4, gboolean has_ipv6)
{
  static const char *const patterns[] = { "ntp.example", "*.local", NULL };
  T2pIpPrefix four, six;
  T2pwDnsResponderConfig config;

  g_assert_true (t2p_ip_prefix_parse (pool4, &four, NULL));
  g_assert_true (t2p_ip_prefix_parse ("fd00:1:2:3::/64", &six, NULL));
  f->reactor = t2p_reactor_new (NULL, NULL);
  f->names = t2pw_names_new (f->reactor, &f->policy);
  f->virtual_names = t2pw_virtual_names_new (&four, &six);
  f->exclude = t2pw_name_set_new (patterns);
  config = (T2pwDnsResponderConfig){ .reactor = f->reactor,
                                     .virtual_names = f->virtual_names,
                                     .names = f->names,
                                     .exclude = f->exclude,
                                     .has_ipv6 = has_ipv6 };
  f->responder = t2pw_dns_responder_new (&config);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  responder_new (f, data != NULL ? data : "198.18.0.0/18", TRUE);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  t2pw_dns_responder_free (f->responder);
  t2pw_name_set_free (f->exclude);
  t2pw_virtual_names_free (f->virtual_names);
  t2pw_names_free (f->names);
  t2p_reactor_free (f->reactor);
}

static void
make_query (Fixture *f, const char *name, guint16 type)
{
  T2pWriter writer;

  t2p_writer_init (&writer, f->query, sizeof f->query);
  g_assert_true (t2p_dns_query_write (&writer, 0x1234, name, type));
  f->query_bytes = t2p_writer_length (&writer);
}

static T2pwDnsVerdict
ask_bytes (Fixture *f)
{
  T2pWriter writer;
  T2pwDnsVerdict verdict;

  t2p_writer_init (&writer, f->answer, sizeof f->answer);
  verdict = t2pw_dns_responder_answer (f->responder, f->query, f->query_bytes,
                                       T2PW_DNS_OVER_UDP, &writer);
  f->answer_bytes = t2p_writer_length (&writer);
  return verdict;
}

static void
ask (Fixture *f, const char *name, guint16 type, T2pDnsRcode rcode, guint n_answers)
{
  make_query (f, name, type);
  g_assert_cmpint (ask_bytes (f), ==, T2PW_DNS_ANSWERED);
  g_assert_cmpuint (f->answer_bytes, >=, f->query_bytes);
  g_assert_cmpuint (t2p_load_be16 (f->answer), ==, 0x1234);
  g_assert_cmpuint (f->answer[2] & 0x80, ==, 0x80);
  g_assert_cmpuint (f->answer[3] & 0x0f, ==, rcode);
  g_assert_cmpuint (t2p_load_be16 (f->answer + 6), ==, n_answers);
}

/* The address in the only answer: its owner is a pointer, its time to live a second. */
static T2pIpAddress
answered_address (Fixture *f, int family)
{
  const guint8 *record = f->answer + f->query_bytes;

  g_assert_cmpuint (t2p_load_be32 (record + 6), ==, 1);
  g_assert_cmpuint (t2p_load_be16 (record + 10), ==, family == AF_INET ? 4 : 16);
  return t2p_ip_address_from_bytes (family, record + 12);
}

static void
test_addresses_are_paired (Fixture *f, gconstpointer data)
{
  T2pIpAddress four, six, again;
  char reverse[T2P_DNS_REVERSE_STRLEN];

  ask (f, "Example.ORG", T2P_DNS_TYPE_A, T2P_DNS_NOERROR, 1);
  four = answered_address (f, AF_INET);
  ask (f, "example.org", T2P_DNS_TYPE_AAAA, T2P_DNS_NOERROR, 1);
  six = answered_address (f, AF_INET6);
  ask (f, "example.org.", T2P_DNS_TYPE_A, T2P_DNS_NOERROR, 1);
  again = answered_address (f, AF_INET);
  g_assert_true (t2p_ip_address_equal (&four, &again));
  g_assert_cmpuint (t2pw_virtual_names_find (f->virtual_names, &four), ==,
                    t2pw_virtual_names_find (f->virtual_names, &six));
  g_assert_cmpstr (t2pw_virtual_names_get_name (
                       f->virtual_names, t2pw_virtual_names_find (f->virtual_names, &four)),
                   ==, "example.org");
  t2p_dns_reverse_name (&four, reverse);
  ask (f, reverse, T2P_DNS_TYPE_PTR, T2P_DNS_NOERROR, 1);
  t2p_dns_reverse_name (&six, reverse);
  ask (f, reverse, T2P_DNS_TYPE_PTR, T2P_DNS_NOERROR, 1);
}

static void
test_what_has_no_address (Fixture *f, gconstpointer data)
{
  ask (f, "use-application-dns.net", T2P_DNS_TYPE_A, T2P_DNS_NXDOMAIN, 0);
  ask (f, "example.org", T2P_DNS_TYPE_HTTPS, T2P_DNS_NOERROR, 0);
  ask (f, "example.org", T2P_DNS_TYPE_SVCB, T2P_DNS_NOERROR, 0);
  ask (f, "example.org", T2P_DNS_TYPE_MX, T2P_DNS_NOERROR, 0);
  ask (f, "200.0.18.198.in-addr.arpa", T2P_DNS_TYPE_PTR, T2P_DNS_NXDOMAIN, 0);
  ask (f, "1.2.0.192.in-addr.arpa", T2P_DNS_TYPE_PTR, T2P_DNS_NOERROR, 0);
  ask (f, "192.0.2.1", T2P_DNS_TYPE_A, T2P_DNS_NXDOMAIN, 0);
  ask (f, ".", T2P_DNS_TYPE_A, T2P_DNS_NOERROR, 0);
  g_assert_cmpuint (t2pw_virtual_names_get_n_used (f->virtual_names), ==, 0);
  g_assert_cmpuint (t2pw_dns_responder_get_counters (f->responder)->queries, ==, 8);
}

static void
test_full_pool (Fixture *f, gconstpointer data)
{
  ask (f, "a.example", T2P_DNS_TYPE_A, T2P_DNS_NOERROR, 1);
  ask (f, "b.example", T2P_DNS_TYPE_AAAA, T2P_DNS_NOERROR, 1);
  ask (f, "c.example", T2P_DNS_TYPE_A, T2P_DNS_NOERROR, 1);
  ask (f, "d.example", T2P_DNS_TYPE_A, T2P_DNS_SERVFAIL, 0);
  ask (f, "a.example", T2P_DNS_TYPE_A, T2P_DNS_NOERROR, 1);
  g_assert_cmpuint (t2pw_dns_responder_get_counters (f->responder)->failures, ==, 1);
}

static void
test_no_ipv6 (Fixture *f, gconstpointer data)
{
  tear_down (f, data);
  responder_new (f, "198.18.0.0/18", FALSE);
  ask (f, "example.org", T2P_DNS_TYPE_AAAA, T2P_DNS_NOERROR, 0);
  ask (f, "example.org", T2P_DNS_TYPE_A, T2P_DNS_NOERROR, 1);
}

static void
test_malformed (Fixture *f, gconstpointer data)
{
  make_query (f, "example.org", T2P_DNS_TYPE_A);
  f->query_bytes -= 3;
  g_assert_cmpint (ask_bytes (f), ==, T2PW_DNS_ANSWERED);
  g_assert_cmpuint (f->answer[3] & 0x0f, ==, T2P_DNS_FORMERR);
  f->query_bytes = 11;
  g_assert_cmpint (ask_bytes (f), ==, T2PW_DNS_DROP);
  make_query (f, "example.org", T2P_DNS_TYPE_A);
  f->query[2] |= 0x80; /* an answer */
  g_assert_cmpint (ask_bytes (f), ==, T2PW_DNS_DROP);
}

/* Cut and flipped queries never do more than be answered or dropped. */
static void
test_random_bytes (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < 20000; i++)
    {
      make_query (f, "www.example.org", T2P_DNS_TYPE_A);
      f->query_bytes -= (gsize) g_test_rand_int_range (0, 8);
      for (guint k = 0; k < 3; k++)
        f->query[g_test_rand_int_range (0, (gint) f->query_bytes)] =
            (guint8) g_test_rand_int ();
      ask_bytes (f);
      g_assert_cmpuint (f->answer_bytes, <=, 512);
    }
}

static void
forwarded_cb (const guint8 *answer, gsize length, gpointer user_data)
{
  Fixture *f = user_data;

  f->is_forwarded = TRUE;
  f->answer_bytes = length;
  memcpy (f->answer, answer, length);
}

static void
forward (Fixture *f, const char *name, T2pDnsRcode rcode, guint n_answers)
{
  make_query (f, name, T2P_DNS_TYPE_A);
  g_assert_cmpint (ask_bytes (f), ==, T2PW_DNS_FORWARD);
  f->is_forwarded = FALSE;
  t2pw_dns_responder_forward (f->responder, f->query, f->query_bytes, T2PW_DNS_OVER_UDP,
                              forwarded_cb, f);
  g_assert_false (f->is_forwarded);
  while (!f->is_forwarded)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (f->answer[3] & 0x0f, ==, rcode);
  g_assert_cmpuint (t2p_load_be16 (f->answer + 6), ==, n_answers);
}

static void
test_excluded (Fixture *f, gconstpointer data)
{
  ask (f, "localhost", T2P_DNS_TYPE_A, T2P_DNS_NOERROR, 1);
  ask (f, "me.localhost", T2P_DNS_TYPE_AAAA, T2P_DNS_NOERROR, 1);
  ask (f, "localhost", T2P_DNS_TYPE_MX, T2P_DNS_NOERROR, 0);
  forward (f, "printer", T2P_DNS_SERVFAIL, 0); /* no server is known */
  make_query (f, "pool.ntp.example", T2P_DNS_TYPE_A);
  g_assert_cmpint (ask_bytes (f), ==, T2PW_DNS_FORWARD);
  make_query (f, "printer.local", T2P_DNS_TYPE_A);
  g_assert_cmpint (ask_bytes (f), ==, T2PW_DNS_FORWARD);
  ask (f, "my-ntp.example", T2P_DNS_TYPE_A, T2P_DNS_NOERROR, 1);
  /* cancelled before the answer */
  t2pw_dns_forward_cancel (t2pw_dns_responder_forward (f->responder, f->query, f->query_bytes,
                                                       T2PW_DNS_OVER_UDP, forwarded_cb, f));
}

static void
output_cb (gpointer user_data)
{
  ((Fixture *) user_data)->n_outputs++;
}

static void
test_pipelined_session (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pwDnsSession) session = t2pw_dns_session_new (f->responder, output_cb, f);
  g_autoptr (GByteArray) input = g_byte_array_new ();
  static const char *const names[] = { "a.example", "printer", "b.example" };
  const guint8 *output;
  gsize used;
  guint n_answers = 0;

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      guint8 prefix[2];

      make_query (f, names[i], T2P_DNS_TYPE_A);
      t2p_store_be16 (prefix, (guint16) f->query_bytes);
      g_byte_array_append (input, prefix, 2);
      g_byte_array_append (input, f->query, (guint) f->query_bytes);
    }
  for (guint i = 0; i < input->len; i++) /* byte by byte */
    {
      g_assert_cmpint (t2pw_dns_session_feed (session, input->data + i, 1, &used), ==,
                       T2P_DECODE_MORE);
      g_assert_cmpuint (used, ==, 1);
    }
  g_assert_false (t2pw_dns_session_is_idle (session));
  while (f->n_outputs == 0)
    g_main_context_iteration (NULL, TRUE);
  for (gsize left; (left = t2pw_dns_session_peek (session, &output)) > 0; n_answers++)
    t2pw_dns_session_sent (session, 2u + t2p_load_be16 (output));
  g_assert_cmpuint (n_answers, ==, 3);
  g_assert_true (t2pw_dns_session_is_idle (session));
}

static void
test_session_is_bounded (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pwDnsSession) session = t2pw_dns_session_new (f->responder, output_cb, f);
  guint8 prefix[2];
  gsize used = 2;
  guint n = 0;
  const guint8 *output;

  make_query (f, "a.example", T2P_DNS_TYPE_A);
  t2p_store_be16 (prefix, (guint16) f->query_bytes);
  for (; t2pw_dns_session_wants_input (session); n++)
    {
      t2pw_dns_session_feed (session, prefix, 2, &used);
      t2pw_dns_session_feed (session, f->query, f->query_bytes, &used);
      g_assert_cmpuint (n, <, 10000);
    }
  g_assert_cmpuint (t2pw_dns_session_peek (session, &output), <, 20000);
  t2pw_dns_session_feed (session, prefix, 2, &used);
  g_assert_cmpuint (used, ==, 0);
}

static void
test_session_of_no_dns (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pwDnsSession) session = t2pw_dns_session_new (f->responder, output_cb, f);
  gsize used;

  g_assert_cmpint (
      t2pw_dns_session_feed (session, (const guint8 *) "GET / HTTP/1.1\r\n", 16, &used), ==,
      T2P_DECODE_BAD);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/dns-responder/addresses-are-paired-and-kept", test_addresses_are_paired);
  ADD ("/dns-responder/other-questions-are-empty", test_what_has_no_address);
  ADD ("/dns-responder/no-ipv6-no-aaaa", test_no_ipv6);
  ADD ("/dns-responder/malformed-is-told", test_malformed);
  ADD ("/dns-responder/random-bytes-do-no-harm", test_random_bytes);
  ADD ("/dns-responder/excluded-names-keep-their-addresses", test_excluded);
  ADD ("/dns-session/pipelined-and-split", test_pipelined_session);
  ADD ("/dns-session/reader-that-does-not-read-is-bounded", test_session_is_bounded);
  ADD ("/dns-session/no-dns-is-bad", test_session_of_no_dns);
  g_test_add ("/dns-responder/full-pool-is-servfail", Fixture, "198.18.0.0/29", set_up,
              test_full_pool, tear_down);
  return g_test_run ();
}
