/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-limits.h"
#include "t2pw-loop-guard.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct
{
  T2pReactor *reactor;
  T2pwLoopGuard *guard;
  guint n_told;
  T2pwLoopKind kind;
  T2pIpEndpoint source, destination;
} Fixture;

static void
told_cb (T2pwLoopKind kind,
         guint8 protocol,
         const T2pIpEndpoint *source,
         const T2pIpEndpoint *destination,
         gpointer user_data)
{
  Fixture *f = user_data;

  f->n_told++;
  f->kind = kind;
  f->source = *source;
  f->destination = *destination;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  f->reactor = t2p_reactor_new (NULL, &error);
  g_assert_no_error (error);
  f->guard = t2pw_loop_guard_new (f->reactor, told_cb, f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  t2pw_loop_guard_free (f->guard);
  t2p_reactor_free (f->reactor);
}

static T2pIpEndpoint
endpoint (const char *text)
{
  T2pIpEndpoint parsed;

  g_assert_true (t2p_ip_endpoint_parse (text, &parsed));
  return parsed;
}

static T2pwLoopVerdict
judge (Fixture *f, guint8 protocol, const T2pIpEndpoint *source, const char *destination)
{
  T2pIpEndpoint to = endpoint (destination);

  return t2pw_loop_guard_judge (f->guard, protocol, source, &to);
}

/* A bound socket; *@out is where. */
static int
bind_at (int type, const char *address, T2pIpEndpoint *out)
{
  struct sockaddr_storage name;
  socklen_t length;
  int fd;

  g_assert_true (t2p_ip_address_parse (address, &out->address));
  out->port = 0;
  length = t2p_ip_endpoint_to_sockaddr (out, &name);
  fd = socket (out->address.family, type, 0);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &name, length), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &name, &length), ==, 0);
  g_assert_true (t2p_ip_endpoint_from_sockaddr ((struct sockaddr *) &name, length, out));
  return fd;
}

static void
test_own (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint source;
  T2pwOwnSocket one, other;
  int fd = bind_at (SOCK_STREAM, "127.0.0.1", &source);

  g_assert_cmpint (judge (f, IPPROTO_TCP, &source, "192.0.2.1:80"), ==, T2PW_LOOP_PASS);
  t2pw_loop_guard_watch (f->guard, &one, IPPROTO_TCP, fd);
  t2pw_loop_guard_watch (f->guard, &other, IPPROTO_TCP, fd); /* ports are shared by many */
  g_assert_cmpint (judge (f, IPPROTO_TCP, &source, "192.0.2.1:80"), ==, T2PW_LOOP_SILENCE);
  g_assert_cmpint (judge (f, IPPROTO_TCP, &source, "192.0.2.1:80"), ==, T2PW_LOOP_REFUSE);
  g_assert_cmpint (judge (f, IPPROTO_UDP, &source, "192.0.2.1:80"), ==, T2PW_LOOP_PASS);
  g_assert_cmpuint (f->n_told, ==, 1); /* of two, in one second */
  g_assert_cmpint (f->kind, ==, T2PW_LOOP_OWN_SOCKET);
  g_assert_cmpuint (f->source.port, ==, source.port);
  g_assert_cmpuint (t2pw_loop_guard_get_n_caught (f->guard), ==, 2);
  t2pw_loop_guard_forget (f->guard, &one);
  t2pw_loop_guard_forget (f->guard, &one);
  g_assert_cmpint (judge (f, IPPROTO_TCP, &source, "192.0.2.1:80"), ==, T2PW_LOOP_REFUSE);
  t2pw_loop_guard_forget (f->guard, &other);
  g_assert_cmpint (judge (f, IPPROTO_TCP, &source, "192.0.2.1:80"), ==, T2PW_LOOP_PASS);
  close (fd);
}

/* From any address of this machine; the ports of others mean nothing. */
static void
test_wildcard (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint bound, source;
  T2pwOwnSocket own;
  int fd = bind_at (SOCK_DGRAM, "0.0.0.0", &bound);

  t2pw_loop_guard_watch (f->guard, &own, IPPROTO_UDP, fd);
  source = bound;
  t2p_ip_address_parse ("127.0.0.1", &source.address);
  g_assert_cmpint (judge (f, IPPROTO_UDP, &source, "192.0.2.1:53"), !=, T2PW_LOOP_PASS);
  g_assert_cmpint (judge (f, IPPROTO_TCP, &source, "192.0.2.1:53"), ==, T2PW_LOOP_PASS);
  t2p_ip_address_parse ("198.51.100.77", &source.address);
  g_assert_cmpint (judge (f, IPPROTO_UDP, &source, "192.0.2.1:53"), ==, T2PW_LOOP_PASS);
  t2p_ip_address_parse ("127.0.0.1", &source.address);
  source.port ^= 1;
  g_assert_cmpint (judge (f, IPPROTO_UDP, &source, "192.0.2.1:53"), ==, T2PW_LOOP_PASS);
  t2pw_loop_guard_forget (f->guard, &own);
  close (fd);
}

static void
test_upstream (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint upstream = endpoint ("192.0.2.80:1080");
  T2pIpEndpoint source = endpoint ("198.18.0.1:40000");

  t2pw_loop_guard_add_upstream (f->guard, &upstream);
  g_assert_cmpint (judge (f, IPPROTO_TCP, &source, "192.0.2.80:1080"), !=, T2PW_LOOP_PASS);
  g_assert_cmpint (f->kind, ==, T2PW_LOOP_UPSTREAM);
  g_assert_cmpint (judge (f, IPPROTO_TCP, &source, "192.0.2.80:80"), ==, T2PW_LOOP_PASS);
  g_assert_cmpint (judge (f, IPPROTO_UDP, &source, "192.0.2.80:1080"), ==, T2PW_LOOP_PASS);
}

static void
test_blocks (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint source = endpoint ("198.18.0.1:40000");

  for (guint i = 0; i <= T2P_MAX_BLOCKED_LOOPS; i++)
    {
      g_autofree char *text = g_strdup_printf ("192.0.2.%u:443", i);
      T2pIpEndpoint destination = endpoint (text);

      t2pw_loop_guard_block (f->guard, &destination);
      t2pw_loop_guard_block (f->guard, &destination); /* takes no second place */
      g_assert_cmpint (judge (f, IPPROTO_TCP, &source, text), !=, T2PW_LOOP_PASS);
    }
  g_assert_cmpint (f->kind, ==, T2PW_LOOP_LOCAL_PROXY);
  g_assert_cmpint (judge (f, IPPROTO_TCP, &source, "192.0.2.0:443"), ==, T2PW_LOOP_PASS);
  g_assert_cmpint (judge (f, IPPROTO_TCP, &source, "192.0.2.1:443"), !=, T2PW_LOOP_PASS);
}

static void
test_suspects (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint source = endpoint ("198.18.0.1:40000");

  g_assert_cmpint (judge (f, IPPROTO_TCP, &source, "192.0.2.1:80"), ==, T2PW_LOOP_PASS);
  g_assert_cmpuint (f->n_told, ==, 0);
  t2pw_loop_guard_suspect (f->guard, TRUE);
  for (guint i = 0; i < 100; i++)
    g_assert_cmpint (judge (f, IPPROTO_TCP, &source, "192.0.2.1:80"), ==, T2PW_LOOP_PASS);
  g_assert_cmpuint (f->n_told, ==, 1);
  g_assert_cmpint (f->kind, ==, T2PW_LOOP_SUSPECT);
  g_assert_cmpuint (t2pw_loop_guard_get_n_caught (f->guard), ==, 0);
}

static void
test_none (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint any = endpoint ("192.0.2.1:80");
  T2pwOwnSocket own;

  t2pw_loop_guard_watch (NULL, &own, IPPROTO_TCP, -1);
  t2pw_loop_guard_forget (NULL, &own);
  g_assert_cmpint (t2pw_loop_guard_judge (NULL, IPPROTO_TCP, &any, &any), ==, T2PW_LOOP_PASS);
}

#define ADD(name, func) g_test_add (name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/loop-guard/own-sockets-are-caught-while-they-are-watched", test_own);
  ADD ("/loop-guard/unconnected-sockets-by-their-port", test_wildcard);
  ADD ("/loop-guard/nobody-reaches-an-upstream-by-itself", test_upstream);
  ADD ("/loop-guard/blocked-destinations-are-bounded", test_blocks);
  ADD ("/loop-guard/suspects-are-told-when-asked-for", test_suspects);
  ADD ("/loop-guard/without-one-everything-passes", test_none);
  return g_test_run ();
}
