/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Datagrams of applications over a way out that does as it is told. */
#include "config.h"

#include "fake-stack.h"
#include "t2p-error.h"
#include "t2pw-association.h"
#include "t2pw-relay.h"

#include <string.h>

/* One association of the way; the newest is first. */
typedef struct _Link Link;
struct _Link
{
  T2pwAssociation base;
  Link *next;
  struct _Way *way;
  GString *sent; /* "HOST:PORT=DATA;" */
  gsize datagram_bytes;
};

typedef struct _Way
{
  T2pwOutbound base;
  Link *links;
  guint n_opened;
  guint n_links;
  gboolean has_none; /* knows that it carries no datagrams */
  gboolean is_full;
} Way;

typedef struct
{
  T2pReactor *reactor;
  Way way, direct;
  T2pwRuleSet *rules;
  T2pwFlowOwners *owners;
  guint64 asked; /* the last question whose socket it is */
  guint n_asked;
  T2pwVirtualNames *names;
  T2pwRelay *relay;
} Fixture;

static gboolean
link_send (T2pwAssociation *base,
           const T2pwDestination *to,
           const guint8 *data,
           gsize length,
           gsize datagram_bytes)
{
  Link *link = (Link *) base;
  char text[T2P_IP_STRLEN];

  if (link->way->is_full)
    return FALSE;
  t2p_ip_address_format (&to->address, text);
  g_string_append_printf (link->sent, "%s:%u=%.*s;", to->name != NULL ? to->name : text,
                          to->port, (int) length, (const char *) data);
  link->datagram_bytes = datagram_bytes;
  return TRUE;
}

static void
link_close (T2pwAssociation *base)
{
  Link *link = (Link *) base;
  Link **at = &link->way->links;

  while (*at != link)
    at = &(*at)->next;
  *at = link->next;
  link->way->n_links--;
  g_string_free (link->sent, TRUE);
  g_free (link);
}

static const T2pwAssociationClass link_class = { .send = link_send, .close = link_close };

static T2pwAssociation *
way_associate (T2pwOutbound *base, const T2pwAssociationHandler *handler, gpointer user_data)
{
  Way *way = (Way *) base;
  Link *link;

  if (way->has_none)
    return NULL;
  link = g_new0 (Link, 1);
  link->base = (T2pwAssociation){ &link_class, handler, user_data, "socks5://proxy" };
  link->way = way;
  link->sent = g_string_new (NULL);
  link->next = way->links;
  way->links = link;
  way->n_opened++;
  way->n_links++;
  return &link->base;
}

static T2pwUdpMode
way_get_udp_mode (T2pwOutbound *base)
{
  return ((Way *) base)->has_none ? T2PW_UDP_NONE : T2PW_UDP_ASSOCIATE;
}

static const T2pwOutboundClass way_class = { .kind = "way",
                                             .associate = way_associate,
                                             .get_udp_mode = way_get_udp_mode };

static void
link_open (Link *link)
{
  link->base.handler->opened (&link->base, link->base.user_data);
}

/* As an association does that has failed: it is gone afterwards. */
static void
link_fail (Link *link, int code)
{
  g_autoptr (GError) error = g_error_new_literal (T2P_ERROR, code, "no");
  T2pwAssociation base = link->base;

  base.handler->failed (&link->base, T2P_REFUSAL_RESET, error, base.user_data);
  link_close (&link->base);
}

static T2pIpEndpoint
endpoint (const char *text)
{
  T2pIpEndpoint parsed;

  g_assert_true (t2p_ip_endpoint_parse (text, &parsed));
  return parsed;
}

static void
link_receive (Link *link, const char *from, const char *data)
{
  T2pIpEndpoint parsed = endpoint (from);
  T2pwDestination source = { .address = parsed.address, .port = parsed.port };

  g_byte_array_set_size (fake_stack_get_datagrams (), 0);
  link->base.handler->received (&link->base, &source, (const guint8 *) data, strlen (data),
                                link->base.user_data);
}

static void
make_relay (Fixture *f, guint max_flows, guint idle_ms)
{
  T2pwRelayConfig config = { .reactor = f->reactor,
                             .policy = { .group = &f->way.base,
                                         .direct = &f->direct.base,
                                         .rules = f->rules,
                                         .owners = f->owners,
                                         .has_ipv6 = TRUE },
                             .virtual_names = f->names,
                             .max_flows = max_flows,
                             .idle_timeout_ms = 60000,
                             .half_close_timeout_ms = 60000,
                             .udp_idle_timeout_ms = idle_ms };

  f->relay = t2pw_relay_new (&config);
  t2pw_relay_set_stack (f->relay, NULL);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  T2pIpPrefix pool4, pool6;

  f->reactor = t2p_reactor_new (NULL, NULL);
  f->way.base.klass = f->direct.base.klass = &way_class;
  g_assert_true (t2p_ip_prefix_parse ("198.18.0.0/18", &pool4, NULL));
  g_assert_true (t2p_ip_prefix_parse ("fd00:1::/64", &pool6, NULL));
  f->names = t2pw_virtual_names_new (&pool4, &pool6);
  g_byte_array_set_size (fake_stack_get_datagrams (), 0);
  *fake_stack_get_icmp_error () = (FakeIcmpError){ 0 };
  make_relay (f, 100, 60000);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  t2pw_relay_free (f->relay);
  g_assert_cmpuint (f->way.n_links + f->direct.n_links, ==, 0);
  g_assert_cmpuint (*fake_stack_get_room (), ==, G_MAXSIZE);
  g_clear_pointer (&f->rules, t2pw_rule_set_free);
  g_clear_pointer (&f->owners, t2pw_flow_owners_free);
  t2pw_virtual_names_free (f->names);
  t2p_reactor_free (f->reactor);
}

static gboolean
send_many (
    Fixture *f, const char *source, const char *destination, const char *data, gsize each)
{
  T2pwFlowKey key = { endpoint (source), endpoint (destination) };

  return t2pw_relay_get_stack_handler ()->datagram (&key, (const guint8 *) data, strlen (data),
                                                    each, f->relay);
}

static gboolean
send_one (Fixture *f, const char *source, const char *destination, const char *data)
{
  return send_many (f, source, destination, data, 0);
}

static const T2pwDatagramCounters *
counters (Fixture *f)
{
  return t2pw_relay_get_datagram_counters (f->relay);
}

#define APP "10.0.0.1:5000"
#define APP2 "10.0.0.1:5001"

static void
test_one_for_all_destinations (Fixture *f, gconstpointer data)
{
  g_assert_true (send_one (f, APP, "192.0.2.1:9", "a"));
  g_assert_true (send_one (f, APP, "192.0.2.2:9", "b"));
  g_assert_cmpstr (f->way.links->sent->str, ==, ""); /* they wait */
  link_open (f->way.links);
  g_assert_true (send_one (f, APP, "[2001:db8::1]:9", "c"));
  g_assert_cmpstr (f->way.links->sent->str, ==, "192.0.2.1:9=a;192.0.2.2:9=b;2001:db8::1:9=c;");
  g_assert_cmpuint (f->way.n_opened, ==, 1);
  g_assert_true (send_one (f, APP2, "192.0.2.1:9", "d"));
  g_assert_cmpuint (f->way.n_opened, ==, 2);
  g_assert_cmpuint (counters (f)->flows, ==, 2);
}

static void
test_anybody_may_answer (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint stranger = endpoint ("203.0.113.7:777");
  T2pIpEndpoint app = endpoint (APP);

  send_one (f, APP, "192.0.2.1:9", "a");
  link_open (f->way.links);
  link_receive (f->way.links, "203.0.113.7:777", "hello");
  g_assert_cmpmem (fake_stack_get_datagrams ()->data, fake_stack_get_datagrams ()->len, "hello",
                   5);
  g_assert_true (t2p_ip_endpoint_equal (&fake_stack_get_datagram_key ()->source, &app));
  g_assert_true (
      t2p_ip_endpoint_equal (&fake_stack_get_datagram_key ()->destination, &stranger));
  /* an answer of the other family has no source that the socket could be told */
  link_receive (f->way.links, "[2001:db8::1]:9", "lost");
  g_assert_cmpuint (fake_stack_get_datagrams ()->len, ==, 0);
  g_assert_cmpuint (counters (f)->dropped, ==, 1);
}

/* The virtual address of @name, as "ADDRESS:PORT". */
static char *
virtual_endpoint (Fixture *f, const char *name, guint16 port)
{
  T2pIpEndpoint found = { .port = port };
  guint32 index = t2pw_virtual_names_assign (f->names, name, 1);
  char text[T2P_ENDPOINT_STRLEN];

  g_assert_true (t2pw_virtual_names_get_address (f->names, index, AF_INET, &found.address));
  t2p_ip_endpoint_format (&found, text);
  return g_strdup (text);
}

static void
check_answers_as (Fixture *f, const char *from, const char *expected)
{
  T2pIpEndpoint source = endpoint (expected);

  link_receive (f->way.links, from, "x");
  g_assert_true (t2p_ip_endpoint_equal (&fake_stack_get_datagram_key ()->destination, &source));
}

static void
test_names (Fixture *f, gconstpointer data)
{
  g_autofree char *one = virtual_endpoint (f, "one.example", 443);
  g_autofree char *two = virtual_endpoint (f, "two.example", 443);

  send_one (f, APP, one, "a");
  link_open (f->way.links);
  send_one (f, APP, two, "b");
  send_one (f, APP, "192.0.2.9:443", "c");
  g_assert_cmpstr (f->way.links->sent->str, ==,
                   "one.example:443=a;two.example:443=b;192.0.2.9:443=c;");
  check_answers_as (f, "203.0.113.1:443", one);
  check_answers_as (f, "203.0.113.2:443", two);
  check_answers_as (f, "203.0.113.1:443", one);
  check_answers_as (f, "203.0.113.3:443", "203.0.113.3:443");
  check_answers_as (f, "203.0.113.1:80", "203.0.113.1:80");
}

/* An address that was sent to as an address is nobody's name. */
static void
test_own_address_is_no_name (Fixture *f, gconstpointer data)
{
  g_autofree char *one = virtual_endpoint (f, "one.example", 443);

  send_one (f, APP, "192.0.2.9:443", "c");
  link_open (f->way.links);
  send_one (f, APP, one, "a");
  check_answers_as (f, "192.0.2.9:443", "192.0.2.9:443");
  check_answers_as (f, "203.0.113.1:443", one);
}

static void
test_unknown_virtual_address (Fixture *f, gconstpointer data)
{
  g_assert_true (send_one (f, APP, "198.18.1.1:443", "a"));
  g_assert_cmpuint (fake_stack_get_icmp_error ()->n_refusals, ==, 1);
  g_assert_cmpint (fake_stack_get_icmp_error ()->refusal, ==, T2P_REFUSAL_HOST_UNREACHABLE);
  g_assert_cmpuint (f->way.n_opened, ==, 0);
}

static void
test_no_udp (Fixture *f, gconstpointer data)
{
  f->way.has_none = TRUE;
  for (guint i = 0; i < 10; i++)
    g_assert_false (send_one (f, APP, "192.0.2.1:443", "quic"));
  g_assert_cmpuint (counters (f)->flows, ==, 0);
}

static void
test_fails (Fixture *f, gconstpointer data)
{
  send_one (f, APP, "192.0.2.1:443", "one");
  send_one (f, APP, "192.0.2.1:443", "two");
  link_fail (f->way.links, T2P_ERROR_NOT_SUPPORTED);
  g_assert_cmpuint (fake_stack_get_icmp_error ()->n_refusals, ==, 2);
  g_assert_cmpint (fake_stack_get_icmp_error ()->refusal, ==, T2P_REFUSAL_PORT_UNREACHABLE);
  g_assert_cmpuint (counters (f)->flows, ==, 0);
}

static void
test_ends_and_comes_again (Fixture *f, gconstpointer data)
{
  send_one (f, APP, "192.0.2.1:9", "a");
  link_open (f->way.links);
  link_fail (f->way.links, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_cmpuint (counters (f)->flows, ==, 0);
  g_assert_true (send_one (f, APP, "192.0.2.1:9", "b"));
  g_assert_cmpuint (f->way.n_opened, ==, 2);
}

static void
test_few_wait (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < T2PW_DATAGRAM_MAX_WAITING + 5; i++)
    send_one (f, APP, "192.0.2.1:9", "x");
  g_assert_cmpuint (counters (f)->dropped, ==, 5);
  link_open (f->way.links);
  g_assert_cmpuint (f->way.links->sent->len, ==,
                    T2PW_DATAGRAM_MAX_WAITING * strlen ("192.0.2.1:9=x;"));
  f->way.is_full = TRUE;
  send_one (f, APP, "192.0.2.1:9", "x");
  g_assert_cmpuint (counters (f)->dropped, ==, 6);
}

/* However many sockets there are. */
static void
test_all_that_wait_are_bounded (Fixture *f, gconstpointer data)
{
  g_autofree char *bytes = g_strnfill (60000, 'x');
  gsize room = 10 * 60000;
  guint waiting = 0;

  *fake_stack_get_room () = room;
  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *source = g_strdup_printf ("10.0.0.1:%u", 1000 + i);

      g_assert_true (send_one (f, source, "192.0.2.1:9", bytes));
    }
  g_assert_cmpuint (*fake_stack_get_room (), <, 60000);
  g_assert_cmpuint (counters (f)->dropped, ==, 91);
  for (Link *link = f->way.links; link != NULL; link = link->next)
    {
      link_open (link);
      waiting += link->sent->len > 0;
    }
  g_assert_cmpuint (waiting, ==, 9);
  g_assert_cmpuint (*fake_stack_get_room (), ==, room);
  *fake_stack_get_room () = G_MAXSIZE;
}

static void
test_super_packets_stay_whole (Fixture *f, gconstpointer data)
{
  send_many (f, APP, "192.0.2.1:9", "aabbc", 2);
  link_open (f->way.links);
  g_assert_cmpstr (f->way.links->sent->str, ==, "192.0.2.1:9=aabbc;");
  g_assert_cmpuint (f->way.links->datagram_bytes, ==, 2);
}

static void
test_too_big (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint peer = endpoint ("192.0.2.1:9");
  T2pwDestination to = { .address = peer.address, .port = peer.port };
  Link *link;

  send_one (f, APP, "192.0.2.1:9", "a");
  link = f->way.links;
  link_open (link);
  link->base.handler->too_big (&link->base, &to, 1200, link->base.user_data);
  g_assert_cmpuint (fake_stack_get_icmp_error ()->n_too_big, ==, 1);
  g_assert_cmpuint (fake_stack_get_icmp_error ()->most_payload_bytes, ==, 1200);
  g_assert_true (t2p_ip_endpoint_equal (&fake_stack_get_icmp_error ()->key.destination, &peer));
}

static void
test_idlest_goes (Fixture *f, gconstpointer data)
{
  T2pwFlowFilter filter = { .protocol = "udp", .source = APP };

  t2pw_relay_free (f->relay);
  make_relay (f, 2, 60000);
  send_one (f, APP, "192.0.2.1:9", "a");
  send_one (f, APP2, "192.0.2.1:9", "b");
  link_open (f->way.links->next);
  send_one (f, APP, "192.0.2.1:9", "c"); /* now APP2 is the idlest */
  send_one (f, "10.0.0.1:5002", "192.0.2.1:9", "d");
  g_assert_cmpuint (counters (f)->flows, ==, 2);
  g_assert_cmpuint (t2pw_relay_close_matching (f->relay, &filter), ==, 1);
  g_assert_cmpuint (counters (f)->flows, ==, 1);
}

static void
run_for (guint ms)
{
  gint64 until_us = g_get_monotonic_time () + ms * 1000;

  while (g_get_monotonic_time () < until_us)
    g_main_context_iteration (NULL, FALSE);
}

static void
test_idle (Fixture *f, gconstpointer data)
{
  t2pw_relay_free (f->relay);
  make_relay (f, 100, 60);
  send_one (f, APP, "192.0.2.1:9", "a");
  link_open (f->way.links);
  run_for (300);
  g_assert_cmpuint (counters (f)->flows, ==, 0);
  g_assert_cmpuint (f->way.n_links, ==, 0);
}

static void
test_uplink_changes (Fixture *f, gconstpointer data)
{
  send_one (f, APP, "192.0.2.1:9", "a");
  link_open (f->way.links);
  t2pw_relay_uplink_changed (f->relay);
  g_assert_cmpuint (f->way.n_links, ==, 0);
  g_assert_true (send_one (f, APP, "192.0.2.1:9", "b"));
  g_assert_cmpuint (f->way.n_opened, ==, 2);
}

static void
test_drains (Fixture *f, gconstpointer data)
{
  send_one (f, APP, "192.0.2.1:9", "a");
  link_open (f->way.links);
  t2pw_relay_refuse_new (f->relay);
  g_assert_true (send_one (f, APP, "192.0.2.1:9", "b"));
  g_assert_false (send_one (f, APP2, "192.0.2.1:9", "c"));
}

/* --- several ways, by rules */

static void
ask_cb (guint64 id, guint8 protocol, const T2pwFlowKey *key, gpointer user_data)
{
  Fixture *f = user_data;

  f->asked = id;
  f->n_asked++;
}

static void
decide_by (Fixture *f, const char *rule)
{
  const char *const texts[] = { rule, NULL };

  t2pw_relay_free (f->relay);
  f->rules = t2pw_rule_set_new (texts, NULL, NULL, NULL);
  f->owners = t2pw_flow_owners_new (f->reactor, ask_cb, f);
  make_relay (f, 100, 60000);
}

/* What waits for the other way is not told of it. */
static void
test_one_way_fails (Fixture *f, gconstpointer data)
{
  FakeIcmpError *icmp = fake_stack_get_icmp_error ();

  decide_by (f, "port:7 -> direct");
  send_one (f, APP, "192.0.2.1:7", "direct");
  send_one (f, APP, "192.0.2.1:9", "proxied");
  link_fail (f->way.links, T2P_ERROR_NOT_SUPPORTED);
  g_assert_cmpuint (icmp->n_refusals, ==, 1);
  g_assert_cmpuint (icmp->key.destination.port, ==, 9);
  g_assert_cmpuint (counters (f)->flows, ==, 1);
  link_open (f->direct.links);
  g_assert_cmpstr (f->direct.links->sent->str, ==, "192.0.2.1:7=direct;");
}

static void
test_waits_for_user (Fixture *f, gconstpointer data)
{
  decide_by (f, "user:1000 -> direct");
  g_assert_true (send_one (f, APP, "192.0.2.1:9", "a"));
  g_assert_true (send_one (f, APP, "192.0.2.2:9", "b"));
  g_assert_cmpuint (f->n_asked, ==, 1);
  g_assert_cmpuint (f->way.n_opened + f->direct.n_opened, ==, 0);
  t2pw_flow_owners_answer (f->owners, f->asked, TRUE, 1000);
  link_open (f->direct.links);
  g_assert_cmpstr (f->direct.links->sent->str, ==, "192.0.2.1:9=a;192.0.2.2:9=b;");
  g_assert_cmpuint (f->way.n_opened, ==, 0);
}

static void
test_user_stays_unknown (Fixture *f, gconstpointer data)
{
  decide_by (f, "user:1000 -> direct");
  send_one (f, APP, "192.0.2.1:9", "a");
  t2pw_flow_owners_answer (f->owners, f->asked, FALSE, 0);
  g_assert_cmpuint (fake_stack_get_icmp_error ()->n_refusals, ==, 1);
  g_assert_cmpint (fake_stack_get_icmp_error ()->refusal, ==, T2P_REFUSAL_ADMIN_PROHIBITED);
  g_assert_cmpuint (counters (f)->flows, ==, 0);
}

/* The way takes longer to open than the answer is remembered: it is asked for once more. */
static void
test_user_is_forgotten (Fixture *f, gconstpointer data)
{
  decide_by (f, "user:1000 -> direct");
  send_one (f, APP, "192.0.2.1:9", "a");
  t2pw_flow_owners_answer (f->owners, f->asked, TRUE, 1000);
  run_for (2100);
  link_open (f->direct.links);
  g_assert_cmpuint (fake_stack_get_icmp_error ()->n_refusals, ==, 0);
  g_assert_cmpuint (f->n_asked, ==, 2);
  t2pw_flow_owners_answer (f->owners, f->asked, TRUE, 1000);
  g_assert_cmpstr (f->direct.links->sent->str, ==, "192.0.2.1:9=a;");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/datagrams/one-association-for-all-destinations", test_one_for_all_destinations);
  ADD ("/datagrams/anybody-may-answer", test_anybody_may_answer);
  ADD ("/datagrams/names-go-out-and-their-answers-come-as-them", test_names);
  ADD ("/datagrams/an-address-that-was-sent-to-is-no-name", test_own_address_is_no_name);
  ADD ("/datagrams/a-virtual-address-without-name-is-unreachable",
       test_unknown_virtual_address);
  ADD ("/datagrams/without-udp-nobody-listens", test_no_udp);
  ADD ("/datagrams/a-way-that-fails-is-told", test_fails);
  ADD ("/datagrams/a-way-that-ends-is-opened-again", test_ends_and_comes_again);
  ADD ("/datagrams/few-wait-and-the-newest-is-dropped", test_few_wait);
  ADD ("/datagrams/all-that-wait-are-bounded", test_all_that_wait_are_bounded);
  ADD ("/datagrams/super-packets-stay-whole", test_super_packets_stay_whole);
  ADD ("/datagrams/too-big-is-told-with-the-right-addresses", test_too_big);
  ADD ("/datagrams/beyond-the-limit-the-idlest-goes", test_idlest_goes);
  ADD ("/datagrams/idle-ones-are-forgotten", test_idle);
  ADD ("/datagrams/another-uplink-gets-another-way", test_uplink_changes);
  ADD ("/datagrams/when-draining-new-ones-are-refused", test_drains);
  ADD ("/datagrams/a-way-that-fails-is-told-for-its-own-only", test_one_way_fails);
  ADD ("/datagrams/users/held-until-answered", test_waits_for_user);
  ADD ("/datagrams/users/unknown-ones-are-refused", test_user_stays_unknown);
  ADD ("/datagrams/users/asked-for-again-when-a-way-is-slow", test_user_is_forgotten);
  return g_test_run ();
}
