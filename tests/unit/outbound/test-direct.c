/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "scripted-server.h"
#include "t2p-error.h"
#include "t2pw-direct.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

typedef struct
{
  T2pReactor *reactor;
  T2pwSocketPolicy policy;
  T2pwOutboundContext context;
  T2pwOutbound *outbound;
  T2pwCarrier *carrier;
  GError *error;
  T2pRefusal refusal;
  GString *received;
  gboolean is_over;
  gboolean at_end;
} Fixture;

static void
opened_cb (T2pwCarrier *carrier, gpointer data)
{
  Fixture *f = data;

  f->carrier = carrier;
  f->is_over = TRUE;
}

static void
failed_cb (T2pwCarrier *carrier, T2pRefusal refusal, const GError *error, gpointer data)
{
  Fixture *f = data;

  f->carrier = NULL;
  f->is_over = TRUE;
  f->refusal = refusal;
  f->error = g_error_copy (error);
}

static void
readable_cb (T2pwCarrier *carrier, gpointer data)
{
  Fixture *f = data;
  char bytes[64];
  struct iovec iov = { bytes, sizeof bytes };
  gssize got;

  while ((got = t2pw_carrier_receive (carrier, &iov, 1)) > 0)
    g_string_append_len (f->received, bytes, got);
  f->at_end = f->at_end || got == 0;
}

static void
writable_cb (T2pwCarrier *carrier, gpointer data)
{
}

static const T2pwCarrierHandler handler = { opened_cb, failed_cb, readable_cb, writable_cb };

static void
set_up (Fixture *f, gconstpointer data)
{
  f->reactor = t2p_reactor_new (NULL, NULL);
  f->context = (T2pwOutboundContext){ .reactor = f->reactor,
                                      .policy = &f->policy,
                                      .names = t2pw_names_new (f->reactor, &f->policy),
                                      .connect_timeout_ms = 2000 };
  f->outbound = t2pw_direct_new (&f->context);
  f->received = g_string_new (NULL);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  if (f->carrier != NULL)
    t2pw_carrier_close (f->carrier, FALSE);
  t2pw_outbound_free (f->outbound);
  g_clear_pointer (&f->context.names, t2pw_names_free);
  g_clear_error (&f->error);
  g_string_free (f->received, TRUE);
  t2p_reactor_free (f->reactor);
}

static void
open_to (Fixture *f, const char *name, guint16 port)
{
  T2pwDestination destination = { .name = name,
                                  .address = t2p_ip_address_from_v4 (INADDR_LOOPBACK),
                                  .port = port };

  f->carrier = t2pw_outbound_open (f->outbound, &destination, &handler, f);
  while (!f->is_over)
    g_main_context_iteration (NULL, TRUE);
}

static const ServerStep echo[] = { { SERVER_ECHO }, { SERVER_END } };

static void
check_echo (Fixture *f)
{
  struct iovec iov = { (char *) "hello", 5 };

  g_assert_no_error (f->error);
  g_assert_cmpstr (f->carrier->label, ==, "direct");
  g_assert_cmpint (t2pw_carrier_send (f->carrier, &iov, 1), ==, 5);
  t2pw_carrier_shutdown (f->carrier);
  while (!f->at_end)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (f->received->str, ==, "hello");
}

static void
test_address (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (echo);

  open_to (f, NULL, scripted_server_get_port (server));
  check_echo (f);
}

static void
test_name (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (echo);

  open_to (f, "localhost", scripted_server_get_port (server));
  check_echo (f);
}

static void
test_refused (Fixture *f, gconstpointer data)
{
  open_to (f, NULL, 1);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_RESET);
}

static void
test_unknown_name (Fixture *f, gconstpointer data)
{
  open_to (f, "nowhere.invalid", 80);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_HOST_UNREACHABLE);
}

static void
test_foreign_address (Fixture *f, gconstpointer data)
{
  T2pwDestination metadata = { .port = 80 };

  g_assert_true (t2p_ip_address_parse ("169.254.169.254", &metadata.address));
  f->policy.refuses_foreign = TRUE;
  f->carrier = t2pw_outbound_open (f->outbound, &metadata, &handler, f);
  while (!f->is_over)
    g_main_context_iteration (NULL, TRUE);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_ADMIN_PROHIBITED);
}

static void
test_no_names (Fixture *f, gconstpointer data)
{
  g_clear_pointer (&f->context.names, t2pw_names_free);
  open_to (f, "localhost", 80);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
}

static void
test_what_is_unread_comes_first (Fixture *f, gconstpointer data)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (echo);

  open_to (f, NULL, scripted_server_get_port (server));
  t2pw_carrier_unread (f->carrier, (const guint8 *) "two ", 4);
  t2pw_carrier_unread (f->carrier, (const guint8 *) "one ", 4);
  readable_cb (f->carrier, f);
  g_assert_cmpstr (f->received->str, ==, "one two ");
  g_string_truncate (f->received, 0);
  check_echo (f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/direct/an-address-is-connected-to", test_address);
  ADD ("/direct/a-name-is-looked-up", test_name);
  ADD ("/direct/a-closed-port-is-a-reset", test_refused);
  ADD ("/direct/an-unknown-name-is-unreachable", test_unknown_name);
  ADD ("/direct/what-answers-with-secrets-is-not-for-everybody", test_foreign_address);
  ADD ("/direct/without-servers-a-name-is-unreachable", test_no_names);
  ADD ("/direct/what-is-unread-comes-first", test_what_is_unread_comes_first);
  return g_test_run ();
}
