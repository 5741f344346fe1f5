/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "scripted-server.h"
#include "t2p-error.h"
#include "t2pw-group.h"
#include "t2pw-outbound-factory.h"
#include "t2pw-probe.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

static const ServerStep accepting[] = { { SERVER_READ, "\x05\x01\x00", 3 },
                                        { SERVER_SEND, "\x05\x00", 2 },
                                        { SERVER_READ, NULL, 10 },
                                        { SERVER_SEND, "\x05\x00\x00\x01\0\0\0\0\0\0", 10 },
                                        { SERVER_STALL },
                                        { SERVER_END } };
/* takes the request, as a proxy whose destination is silent */
static const ServerStep silent[] = { { SERVER_READ, "\x05\x01\x00", 3 },
                                     { SERVER_SEND, "\x05\x00", 2 },
                                     { SERVER_STALL },
                                     { SERVER_END } };
static const ServerStep hanging_up[] = { { SERVER_READ, NULL, 3 }, { SERVER_END } };

typedef struct
{
  T2pReactor *reactor;
  T2pwSocketPolicy policy;
  T2pwOutboundContext context;
  T2pwGroupConfig config;
  T2pwOutbound *group;
  T2pwCarrier *carrier;
  gboolean is_opened;
  GError *error;
  guint n_told_up, n_told_down, n_told_active;
  T2pStateReason reason;
} Fixture;

static void
state_changed_cb (gboolean is_up, T2pStateReason reason, const char *message, gpointer data)
{
  Fixture *f = data;

  g_assert_cmpstr (message, !=, "");
  f->reason = reason;
  *(is_up ? &f->n_told_up : &f->n_told_down) += 1;
}

static void
active_changed_cb (const char *old, const char *new, T2pStateReason reason, gpointer data)
{
  ((Fixture *) data)->n_told_active++;
  g_assert_cmpstr (old, !=, new);
}

static const T2pwGroupHandler group_handler = { state_changed_cb, active_changed_cb };

static void
opened_cb (T2pwCarrier *carrier, gpointer data)
{
  Fixture *f = data;

  f->carrier = carrier;
  f->is_opened = TRUE;
}

static void
failed_cb (T2pwCarrier *carrier, T2pRefusal refusal, const GError *error, gpointer data)
{
  Fixture *f = data;

  f->carrier = NULL;
  f->error = g_error_copy (error);
}

static void
edge_cb (T2pwCarrier *carrier, gpointer data)
{
}

static const T2pwCarrierHandler handler = { opened_cb, failed_cb, edge_cb, edge_cb };

static void
set_up (Fixture *f, gconstpointer data)
{
  f->reactor = t2p_reactor_new (NULL, NULL);
  f->context = (T2pwOutboundContext){ .reactor = f->reactor,
                                      .policy = &f->policy,
                                      .connect_timeout_ms = 2000 };
  f->group = t2pw_group_new (&f->context, &f->config, &group_handler, f);
}

static void
close_carrier (Fixture *f)
{
  if (f->carrier != NULL)
    t2pw_carrier_close (g_steal_pointer (&f->carrier), FALSE);
  f->is_opened = FALSE;
  g_clear_error (&f->error);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  close_carrier (f);
  t2pw_outbound_free (f->group);
  t2p_reactor_free (f->reactor);
}

static void
add_upstream (Fixture *f, guint16 port)
{
  g_autofree char *uri = g_strdup_printf ("socks5://127.0.0.1:%u", port);
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uri, NULL);
  T2pwDestination harmless;

  t2pw_harmless_destination (endpoint, NULL, 0, &harmless);
  t2pw_group_add (f->group,
                  t2pw_outbound_new_for_endpoint (&f->context, endpoint, NULL, 0, NULL), uri,
                  &harmless);
}

static void
open_by (Fixture *f, T2pwOutbound *outbound)
{
  T2pwDestination destination = { .address = t2p_ip_address_from_v4 (0xc0000201), .port = 80 };

  f->carrier = t2pw_outbound_open (outbound, &destination, &handler, f);
  while (!f->is_opened && f->error == NULL)
    g_main_context_iteration (NULL, TRUE);
}

static void
open_flow (Fixture *f)
{
  open_by (f, f->group);
}

/* A port on which nobody listens until the caller does. */
static int
bound_socket (guint16 *out_port)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, length), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &address, &length), ==, 0);
  *out_port = ntohs (address.sin_port);
  return fd;
}

static void
test_next_one (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (accepting);
  guint16 dead_port;
  int dead = bound_socket (&dead_port);
  T2pwMemberStatus status;

  add_upstream (f, dead_port);
  add_upstream (f, scripted_server_get_port (server));
  open_flow (f);
  g_assert_true (f->is_opened);
  while (f->n_told_active == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (f->n_told_down, ==, 0);
  t2pw_group_get_status (f->group, 1, &status);
  g_assert_true (status.is_active);
  g_assert_cmpint (status.state, ==, T2PW_MEMBER_UP);
  t2pw_group_get_status (f->group, 0, &status);
  g_assert_cmpint (status.state, ==, T2PW_MEMBER_DOWN);
  g_assert_nonnull (status.error);
  close (dead);
}

static int
accept_while_running (int listener)
{
  struct pollfd pollfd = { .fd = listener, .events = POLLIN };

  while (poll (&pollfd, 1, 1) == 0)
    g_main_context_iteration (NULL, FALSE);
  return accept4 (listener, NULL, NULL, SOCK_CLOEXEC);
}

static void
receive_while_running (int fd, gssize length)
{
  struct pollfd pollfd = { .fd = fd, .events = POLLIN };
  char bytes[64];

  while (poll (&pollfd, 1, 1) == 0)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (recv (fd, bytes, sizeof bytes, 0), ==, length);
}

static void
test_down_and_up_again (Fixture *f, gconstpointer data)
{
  guint16 port;
  int fd = bound_socket (&port);
  int peer;

  add_upstream (f, port);
  open_flow (f);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  while (f->n_told_down == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (f->reason, ==, T2P_STATE_REASON_PROXY_UNREACHABLE);
  close_carrier (f);

  /* the circuit is open: refused at once, and told once only */
  for (guint i = 0; i < 20; i++)
    {
      open_flow (f);
      g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
      close_carrier (f);
    }
  g_assert_cmpuint (f->n_told_down, ==, 1);

  /* it is asked again without any flow, and a "no" to this destination proves that it lives */
  g_assert_cmpint (listen (fd, 4), ==, 0);
  peer = accept_while_running (fd);
  receive_while_running (peer, 3);
  g_assert_cmpint (send (peer, "\x05\x00", 2, 0), ==, 2);
  receive_while_running (peer, 10);
  g_assert_cmpint (send (peer, "\x05\x02\x00\x01\0\0\0\0\0\0", 10, 0), ==, 10);
  while (f->n_told_up == 0)
    g_main_context_iteration (NULL, TRUE);
  close (peer);
  close (fd);
}

static void
test_hang_ups_are_checked (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (hanging_up);

  add_upstream (f, scripted_server_get_port (server));
  open_flow (f);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL);
  while (f->n_told_down == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (f->reason, ==, T2P_STATE_REASON_PROXY_PROTOCOL);
  g_assert_cmpuint (scripted_server_get_n_connections (server), ==, 2);
}

static void
test_silent_destination (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (silent);
  T2pwMemberStatus status;

  f->context.connect_timeout_ms = 300;
  add_upstream (f, scripted_server_get_port (server));
  for (guint i = 0; i < 2; i++)
    {
      open_flow (f);
      g_assert_error (f->error, T2P_ERROR, T2P_ERROR_TIMED_OUT);
      close_carrier (f);
      t2pw_group_get_status (f->group, 0, &status);
      g_assert_cmpint (status.state, ==, T2PW_MEMBER_UP);
    }
  g_assert_cmpuint (f->n_told_down, ==, 0);
  g_assert_cmpuint (scripted_server_get_n_connections (server), ==, 2); /* no check */
}

/* Down, then a check that the proxy greets, but to which it never answers. */
static void
test_silent_check (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error =
      g_error_new_literal (T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE, "connection refused");
  g_autoptr (ScriptedServer) server = scripted_server_new (silent);
  gint64 began_us = g_get_monotonic_time ();

  f->context.connect_timeout_ms = 30000;
  add_upstream (f, scripted_server_get_port (server));
  t2pw_group_take_probe (f->group, 0, 0, error);
  while (f->n_told_up == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (f->n_told_down, ==, 1);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 10 * G_USEC_PER_SEC);
}

static void
test_own_shortage (Fixture *f, gconstpointer data)
{
  struct rlimit old, none;
  T2pwMemberStatus status;
  g_autoptr (ScriptedServer) server = scripted_server_new (accepting);

  add_upstream (f, scripted_server_get_port (server));
  open_flow (f);
  g_assert_true (f->is_opened);
  close_carrier (f);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &old), ==, 0);
  none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  open_flow (f);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &old), ==, 0);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
  close_carrier (f);
  t2pw_group_get_status (f->group, 0, &status);
  g_assert_cmpint (status.state, ==, T2PW_MEMBER_UP);
  open_flow (f);
  g_assert_true (f->is_opened);
  g_assert_cmpuint (f->n_told_down, ==, 0);
}

typedef struct
{
  gboolean is_done;
  T2pwProbeResult result;
  GError *error;
} Probed;

static void
probed_cb (const T2pwProbeResult *result, gpointer data)
{
  Probed *probed = data;

  probed->is_done = TRUE;
  probed->result = *result;
  probed->error = result->error != NULL ? g_error_copy (result->error) : NULL;
}

static void
probe (Fixture *f, guint16 port, Probed *probed)
{
  g_autofree char *uri = g_strdup_printf ("socks5://127.0.0.1:%u", port);
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uri, NULL);

  f->context.connect_timeout_ms = 700;
  g_assert_nonnull (t2pw_probe_start (&f->context, endpoint, NULL, 0, probed_cb, probed, NULL));
  while (!probed->is_done)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_probe_tells (Fixture *f, gconstpointer data)
{
  /* whatever the address: yes; the name's and the IPv6 request are longer than 10 bytes */
  static const ServerStep script[] = { { SERVER_READ, "\x05\x01\x00", 3 },
                                       { SERVER_SEND, "\x05\x00", 2 },
                                       { SERVER_READ, NULL, 10 },
                                       { SERVER_SEND, "\x05\x05\x00\x01\0\0\0\0\0\0", 10 },
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);
  Probed probed = { 0 };

  probe (f, scripted_server_get_port (server), &probed);
  g_assert_no_error (probed.error);
  g_assert_true (probed.result.is_reachable);
  g_assert_cmpint (probed.result.rtt_us, >, 0);
  g_assert_cmpstr (probed.result.auth, ==, "none");
  g_assert_true (probed.result.can_connect);
  g_assert_cmpstr (probed.result.udp, ==, "none");
  g_assert_cmpuint (scripted_server_get_n_connections (server), ==, 4);
}

static void
test_probe_of_a_stranger (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (hanging_up);
  Probed probed = { 0 };

  probe (f, scripted_server_get_port (server), &probed);
  g_assert_error (probed.error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL);
  g_assert_true (probed.result.is_reachable);
  g_assert_false (probed.result.can_connect);
  g_assert_false (probed.result.can_names);
  g_clear_error (&probed.error);
}

static void
test_probe_of_a_silent_one (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (silent);
  g_autofree char *uri =
      g_strdup_printf ("socks5://127.0.0.1:%u", scripted_server_get_port (server));
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uri, NULL);
  gint64 began_us = g_get_monotonic_time ();
  Probed probed = { 0 };

  f->context.connect_timeout_ms = 30000;
  t2pw_probe_start (&f->context, endpoint, NULL, 0, probed_cb, &probed, NULL);
  while (!probed.is_done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_no_error (probed.error);
  g_assert_true (probed.result.is_reachable);
  g_assert_cmpstr (probed.result.auth, ==, "none");
  g_assert_false (probed.result.can_connect); /* not shown */
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 6 * G_USEC_PER_SEC);
}

static void
test_learns_from_probes (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error =
      g_error_new_literal (T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE, "connection refused");
  T2pwMemberStatus status;

  add_upstream (f, 1);
  add_upstream (f, 2);
  t2pw_group_take_probe (f->group, 0, 0, error);
  t2pw_group_take_probe (f->group, 1, 1234, NULL);
  while (f->n_told_active == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (f->n_told_down, ==, 0);
  t2pw_group_get_status (f->group, 0, &status);
  g_assert_cmpint (status.state, ==, T2PW_MEMBER_DOWN);
  g_assert_cmpint (status.rtt_us, ==, 0);
  t2pw_group_get_status (f->group, 1, &status);
  g_assert_cmpint (status.state, ==, T2PW_MEMBER_UP);
  g_assert_true (status.is_active);
  g_assert_cmpint (status.rtt_us, ==, 1234);
}

/* A rule names an upstream: no other is tried, and what is seen of it is known to the group. */
static void
test_one_member (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (accepting);
  guint16 dead_port;
  int dead = bound_socket (&dead_port);
  T2pwMemberStatus status;

  add_upstream (f, scripted_server_get_port (server));
  add_upstream (f, dead_port);
  for (guint i = 0; i < 2; i++)
    {
      open_by (f, t2pw_group_get_member (f->group, 1));
      g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
      close_carrier (f);
      t2pw_group_get_status (f->group, 1, &status);
      g_assert_cmpint (status.state, ==, T2PW_MEMBER_DOWN);
    }
  g_assert_cmpuint (scripted_server_get_n_connections (server), ==, 0);
  open_by (f, t2pw_group_get_member (f->group, 0));
  g_assert_true (f->is_opened);
  t2pw_group_get_status (f->group, 0, &status);
  g_assert_cmpint (status.state, ==, T2PW_MEMBER_UP);
  close (dead);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/group/next-one-when-the-first-is-dead", test_next_one);
  ADD ("/group/down-is-told-once-and-up-again", test_down_and_up_again);
  ADD ("/group/hang-ups-are-checked", test_hang_ups_are_checked);
  ADD ("/group/silent-destination-is-no-fault", test_silent_destination);
  ADD ("/group/check-that-times-out-behind-the-request-is-up", test_silent_check);
  ADD ("/group/own-shortage-is-no-fault", test_own_shortage);
  ADD ("/group/one-member-and-no-other", test_one_member);
  ADD ("/group/learns-from-probes", test_learns_from_probes);
  ADD ("/probe/tells-what-the-proxy-can", test_probe_tells);
  ADD ("/probe/stranger-is-an-error", test_probe_of_a_stranger);
  ADD ("/probe/silence-behind-the-request-is-no-error", test_probe_of_a_silent_one);
  return g_test_run ();
}
