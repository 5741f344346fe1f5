/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "proxy-fixture.h"
#include "t2p-error.h"
#include "t2pw-direct.h"

#include <netinet/in.h>

static void
set_up (ProxyFixture *f, gconstpointer data)
{
  proxy_fixture_set_up (f, data);
  f->context.names = t2pw_names_new (f->reactor, &f->policy);
  f->context.connect_timeout_ms = 2000;
  f->outbound = t2pw_direct_new (&f->context);
}

static void
tear_down (ProxyFixture *f, gconstpointer data)
{
  proxy_fixture_close (f);
  g_clear_pointer (&f->outbound, t2pw_outbound_free);
  g_clear_pointer (&f->context.names, t2pw_names_free);
  proxy_fixture_tear_down (f, data);
}

static void
open_to (ProxyFixture *f, const char *name, guint16 port)
{
  T2pwDestination destination = { .name = name,
                                  .address = t2p_ip_address_from_v4 (INADDR_LOOPBACK),
                                  .port = port };

  proxy_fixture_open (f, &destination);
}

static const ServerStep echo[] = { { SERVER_ECHO }, { SERVER_END } };

static void
check_echo (ProxyFixture *f)
{
  struct iovec iov = { (char *) "hello", 5 };

  g_assert_no_error (f->error);
  g_assert_cmpstr (f->carrier->label, ==, "direct");
  g_assert_cmpint (t2pw_carrier_send (f->carrier, &iov, 1), ==, 5);
  t2pw_carrier_shutdown (f->carrier);
  proxy_fixture_drain (f);
  g_assert_cmpstr (f->received->str, ==, "hello");
}

static void
test_address (ProxyFixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (echo);

  open_to (f, NULL, scripted_server_get_port (server));
  check_echo (f);
}

static void
test_name (ProxyFixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (echo);

  open_to (f, "localhost", scripted_server_get_port (server));
  check_echo (f);
}

static void
test_refused (ProxyFixture *f, gconstpointer data)
{
  open_to (f, NULL, 1);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_RESET);
}

static void
test_unknown_name (ProxyFixture *f, gconstpointer data)
{
  open_to (f, "nowhere.invalid", 80);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_HOST_UNREACHABLE);
}

static void
test_foreign_address (ProxyFixture *f, gconstpointer data)
{
  T2pwDestination metadata = { .port = 80 };

  g_assert_true (t2p_ip_address_parse ("169.254.169.254", &metadata.address));
  f->policy.refuses_foreign = TRUE;
  proxy_fixture_open (f, &metadata);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_ADMIN_PROHIBITED);
}

static void
test_no_names (ProxyFixture *f, gconstpointer data)
{
  g_clear_pointer (&f->context.names, t2pw_names_free);
  open_to (f, "localhost", 80);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
}

static void
test_what_is_unread_comes_first (ProxyFixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (echo);

  open_to (f, NULL, scripted_server_get_port (server));
  t2pw_carrier_unread (f->carrier, (const guint8 *) "two ", 4);
  t2pw_carrier_unread (f->carrier, (const guint8 *) "one ", 4);
  proxy_fixture_receive (f);
  g_assert_cmpstr (f->received->str, ==, "one two ");
  g_string_truncate (f->received, 0);
  check_echo (f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, ProxyFixture, NULL, set_up, function, tear_down)
  ADD ("/direct/an-address-is-connected-to", test_address);
  ADD ("/direct/a-name-is-looked-up", test_name);
  ADD ("/direct/a-closed-port-is-a-reset", test_refused);
  ADD ("/direct/an-unknown-name-is-unreachable", test_unknown_name);
  ADD ("/direct/what-answers-with-secrets-is-not-for-everybody", test_foreign_address);
  ADD ("/direct/without-servers-a-name-is-unreachable", test_no_names);
  ADD ("/direct/what-is-unread-comes-first", test_what_is_unread_comes_first);
  return g_test_run ();
}
