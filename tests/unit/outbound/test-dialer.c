/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "scripted-server.h"
#include "t2p-error.h"
#include "t2pw-dialer.h"
#include "t2pw-tcp-carrier.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

static const ServerStep stalling[] = { { SERVER_STALL }, { SERVER_END } };

typedef struct
{
  T2pReactor *reactor;
  T2pwSocketPolicy policy;
  gboolean is_done;
  T2pWatch watch;
  T2pIpEndpoint peer;
  GError *error;
} Fixture;

static void
ready_cb (T2pWatch *watch, guint32 events)
{
}

static void
done_cb (T2pWatch *watch,
         const T2pIpEndpoint *peer,
         gint64 rtt_us,
         T2pRefusal refusal,
         const GError *error,
         gpointer data)
{
  Fixture *f = data;

  f->is_done = TRUE;
  if (watch == NULL)
    {
      f->error = g_error_copy (error);
      return;
    }
  f->peer = *peer;
  g_assert_true (t2p_reactor_hand_over (f->reactor, watch, &f->watch, EPOLLIN, ready_cb, NULL));
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->reactor = t2p_reactor_new (NULL, NULL);
  f->watch.fd = -1;
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  t2p_reactor_close (f->reactor, &f->watch);
  g_clear_error (&f->error);
  t2p_reactor_free (f->reactor);
}

static void
dial (Fixture *f, const T2pIpEndpoint *peers, guint n, guint timeout_ms)
{
  t2pw_dial_start (f->reactor, &f->policy, peers, n, FALSE, timeout_ms, done_cb, f);
  g_assert_false (f->is_done);
  while (!f->is_done)
    g_main_context_iteration (NULL, TRUE);
}

static T2pIpEndpoint
endpoint (const char *address, guint16 port)
{
  T2pIpEndpoint result = { .port = port };

  g_assert_true (t2p_ip_address_parse (address, &result.address));
  return result;
}

static void
test_dead_ones_are_passed_over (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (stalling);
  guint16 port = scripted_server_get_port (server);
  /* refused at once; no such local network; the one that listens */
  T2pIpEndpoint peers[] = { endpoint ("127.0.0.2", port), endpoint ("::1", 1),
                            endpoint ("127.0.0.1", port) };

  dial (f, peers, G_N_ELEMENTS (peers), 5000);
  g_assert_no_error (f->error);
  g_assert_true (t2p_ip_endpoint_equal (&f->peer, &peers[2]));
}

static void
test_silent_ones_do_not_hold_up (Fixture *f, gconstpointer data)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof address;
  int silent = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int fillers[4];
  T2pIpEndpoint peers[2];
  g_autoptr (ScriptedServer) server = scripted_server_new (stalling);
  gint64 began_us;

  /* a full accept queue answers no SYN */
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  g_assert_cmpint (bind (silent, (struct sockaddr *) &address, length), ==, 0);
  g_assert_cmpint (listen (silent, 0), ==, 0);
  g_assert_cmpint (getsockname (silent, (struct sockaddr *) &address, &length), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (fillers); i++)
    {
      fillers[i] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      (void) connect (fillers[i], (struct sockaddr *) &address, length);
    }
  peers[0] = endpoint ("127.0.0.1", ntohs (address.sin_port));
  peers[1] = endpoint ("127.0.0.1", scripted_server_get_port (server));
  began_us = g_get_monotonic_time ();
  dial (f, peers, 2, 5000);
  g_assert_no_error (f->error);
  g_assert_true (t2p_ip_endpoint_equal (&f->peer, &peers[1]));
  g_assert_cmpint (g_get_monotonic_time () - began_us, >=, 240 * 1000);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 3000 * 1000);

  /* alone it runs into the time-out */
  t2p_reactor_close (f->reactor, &f->watch);
  f->is_done = FALSE;
  dial (f, peers, 1, 200);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  for (guint i = 0; i < G_N_ELEMENTS (fillers); i++)
    close (fillers[i]);
  close (silent);
}

static void
test_mark_refusal_is_noted (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (stalling);
  T2pIpEndpoint peer = endpoint ("127.0.0.1", scripted_server_get_port (server));
  guint32 mark = 0;
  socklen_t length = sizeof mark;

  f->policy.mark = 0x74321;
  dial (f, &peer, 1, 5000);
  g_assert_no_error (f->error);
  g_assert_cmpint (getsockopt (f->watch.fd, SOL_SOCKET, SO_MARK, &mark, &length), ==, 0);
  g_assert_cmpuint (mark, ==, f->policy.mark_was_refused ? 0 : 0x74321);
}

static int
int_option (int fd, int level, int option)
{
  int value = -1;
  socklen_t length = sizeof value;

  g_assert_cmpint (getsockopt (fd, level, option, &value, &length), ==, 0);
  return value;
}

/* A peer that keeps its window closed acknowledges every probe of it: it is there. */
static void
test_guard_lets_a_closed_window_be (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (stalling);
  T2pIpEndpoint peer = endpoint ("127.0.0.1", scripted_server_get_port (server));

  dial (f, &peer, 1, 5000);
  g_assert_no_error (f->error);
  t2pw_upstream_socket_guard (f->watch.fd);
  g_assert_cmpint (int_option (f->watch.fd, SOL_SOCKET, SO_KEEPALIVE), ==, 1);
  g_assert_cmpint (int_option (f->watch.fd, IPPROTO_TCP, TCP_KEEPIDLE), <=, 60);
  g_assert_cmpint (int_option (f->watch.fd, IPPROTO_TCP, TCP_USER_TIMEOUT), ==, 0);
}

/* Neither does a change of the uplink end it: what is there answers, and time ends nothing. */
static void
test_hurry_and_back (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (stalling);
  T2pIpEndpoint peer = endpoint ("127.0.0.1", scripted_server_get_port (server));

  dial (f, &peer, 1, 5000);
  g_assert_no_error (f->error);
  t2pw_upstream_socket_hurry (f->watch.fd);
  g_assert_cmpint (int_option (f->watch.fd, SOL_SOCKET, SO_KEEPALIVE), ==, 1);
  g_assert_cmpint (int_option (f->watch.fd, IPPROTO_TCP, TCP_KEEPIDLE), <=, 2);
  g_assert_cmpint (int_option (f->watch.fd, IPPROTO_TCP, TCP_USER_TIMEOUT), ==, 0);
  t2pw_upstream_socket_guard (f->watch.fd);
  g_assert_cmpint (int_option (f->watch.fd, IPPROTO_TCP, TCP_KEEPIDLE), >=, 30);
  g_assert_cmpint (int_option (f->watch.fd, IPPROTO_TCP, TCP_KEEPINTVL), >=, 10);
}

static void
ignore_cb (T2pwCarrier *carrier, gpointer user_data)
{
}

static const T2pwCarrierHandler ignoring = { .readable = ignore_cb, .writable = ignore_cb };

/* A young carrier gets its guard later than it may come into doubt: that ends no hurry. */
static void
test_doubt_of_a_young_one (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (stalling);
  T2pIpEndpoint peer = endpoint ("127.0.0.1", scripted_server_get_port (server));
  gint64 until_us = g_get_monotonic_time () + 5200 * 1000;
  T2pwCarrier *carrier;
  int fd;

  dial (f, &peer, 1, 5000);
  fd = f->watch.fd;
  carrier = t2pw_tcp_carrier_new (f->reactor, &f->watch, &ignoring, f);
  t2pw_carrier_doubt (carrier, TRUE);
  while (g_get_monotonic_time () < until_us)
    {
      g_main_context_iteration (NULL, FALSE);
      g_usleep (10000);
    }
  g_assert_cmpint (int_option (fd, SOL_SOCKET, SO_KEEPALIVE), ==, 1);
  g_assert_cmpint (int_option (fd, IPPROTO_TCP, TCP_KEEPIDLE), <=, 2);
  t2pw_carrier_doubt (carrier, FALSE);
  g_assert_cmpint (int_option (fd, IPPROTO_TCP, TCP_KEEPIDLE), >=, 30);
  t2pw_carrier_close (carrier, FALSE);
}

static void
test_loopback_is_never_stranded (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (stalling);
  T2pIpEndpoint peer = endpoint ("127.0.0.1", scripted_server_get_port (server));
  int pair[2];

  dial (f, &peer, 1, 5000);
  g_assert_no_error (f->error);
  g_assert_false (t2pw_upstream_socket_is_stranded (f->watch.fd));
  g_assert_true (t2pw_upstream_socket_has_route (f->watch.fd));
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  g_assert_false (t2pw_upstream_socket_is_stranded (pair[0]));
  g_assert_false (t2pw_upstream_socket_has_route (pair[0]));
  close (pair[0]);
  close (pair[1]);
}

static void
ran_short_cb (const char *message, gpointer user_data)
{
  g_assert_nonnull (strstr (message, g_strerror (EMFILE)));
  ++*(guint *) user_data;
}

static void
test_no_descriptor (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint peers[] = { endpoint ("127.0.0.1", 1), endpoint ("127.0.0.2", 1) };
  struct rlimit old, none;
  guint n_told = 0;

  f->policy.ran_short = ran_short_cb;
  f->policy.user_data = &n_told;
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &old), ==, 0);
  none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  dial (f, peers, 2, 5000);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &old), ==, 0);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
  g_assert_nonnull (strstr (f->error->message, g_strerror (EMFILE)));
  g_assert_cmpuint (f->policy.n_shortages, ==, 1);
  g_assert_cmpuint (n_told, ==, 1);
}

static void
test_refusal_is_no_shortage (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint peer = endpoint ("127.0.0.1", 1);

  dial (f, &peer, 1, 5000);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_cmpuint (f->policy.n_shortages, ==, 0);
}

/* Told apart without a namespace: a peer that a datagram would reach has lost a port, one for
 * which there is no address of ours has lost nothing. */
static void
test_port_shortage_is_told_apart (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint near = endpoint ("127.0.0.1", 1080);
  struct sockaddr_storage storage;
  socklen_t length = t2p_ip_endpoint_to_sockaddr (&near, &storage);
  struct sockaddr *address = (struct sockaddr *) &storage;

  g_assert_true (t2pw_upstream_socket_is_shortage (EADDRNOTAVAIL, address, length));
  g_assert_true (t2pw_upstream_socket_is_shortage (ENOBUFS, address, length));
  g_assert_false (t2pw_upstream_socket_is_shortage (ECONNREFUSED, address, length));
  g_assert_false (t2pw_upstream_socket_is_shortage (ENETUNREACH, address, length));
  ((struct sockaddr_in *) &storage)->sin_addr.s_addr = htonl (INADDR_BROADCAST);
  g_assert_false (t2pw_upstream_socket_is_shortage (EADDRNOTAVAIL, address, length));
}

/* Accepted and reset before we look: the connection came about. */
static void
test_reset_at_once_is_connected (Fixture *f, gconstpointer data)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  struct linger at_once = { .l_onoff = 1 };
  socklen_t length = sizeof address;
  int listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  T2pIpEndpoint peer;
  int accepted;

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  g_assert_cmpint (bind (listener, (struct sockaddr *) &address, length), ==, 0);
  g_assert_cmpint (listen (listener, 1), ==, 0);
  g_assert_cmpint (getsockname (listener, (struct sockaddr *) &address, &length), ==, 0);
  peer = endpoint ("127.0.0.1", ntohs (address.sin_port));
  t2pw_dial_start (f->reactor, &f->policy, &peer, 1, FALSE, 5000, done_cb, f);
  accepted = accept (listener, NULL, NULL);
  g_assert_cmpint (accepted, >=, 0);
  setsockopt (accepted, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close (accepted);
  while (!f->is_done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_no_error (f->error);
  close (listener);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/dialer/dead-addresses-are-passed-over", test_dead_ones_are_passed_over);
  ADD ("/dialer/silent-addresses-do-not-hold-up", test_silent_ones_do_not_hold_up);
  ADD ("/dialer/mark-is-set-or-its-refusal-noted", test_mark_refusal_is_noted);
  ADD ("/dialer/guard-lets-a-closed-window-be", test_guard_lets_a_closed_window_be);
  ADD ("/dialer/hurry-ends-with-the-guard", test_hurry_and_back);
  ADD ("/dialer/a-young-carrier-stays-in-doubt", test_doubt_of_a_young_one);
  ADD ("/dialer/loopback-and-unix-are-never-stranded", test_loopback_is_never_stranded);
  ADD ("/dialer/no-descriptor-is-our-own-limit", test_no_descriptor);
  ADD ("/dialer/refusal-is-no-shortage", test_refusal_is_no_shortage);
  ADD ("/dialer/port-shortage-is-told-apart", test_port_shortage_is_told_apart);
  ADD ("/dialer/reset-at-once-is-connected", test_reset_at_once_is_connected);
  return g_test_run ();
}
