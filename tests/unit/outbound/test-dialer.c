/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "scripted-server.h"
#include "t2p-error.h"
#include "t2pw-dialer.h"

#include <netinet/in.h>
#include <sys/epoll.h>
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
  g_assert_true (
      t2p_reactor_hand_over (f->reactor, watch, &f->watch, EPOLLIN, ready_cb, NULL));
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
  t2pw_dial_start (f->reactor, &f->policy, peers, n, timeout_ms, done_cb, f);
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/dialer/dead-addresses-are-passed-over", test_dead_ones_are_passed_over);
  ADD ("/dialer/silent-addresses-do-not-hold-up", test_silent_ones_do_not_hold_up);
  ADD ("/dialer/mark-is-set-or-its-refusal-noted", test_mark_refusal_is_noted);
  return g_test_run ();
}
