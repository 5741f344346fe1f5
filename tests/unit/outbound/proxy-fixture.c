/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "proxy-fixture.h"

#include <errno.h>

static void
opened_cb (T2pwCarrier *carrier, gpointer data)
{
  ProxyFixture *f = data;

  f->carrier = carrier;
  f->is_opened = f->is_over = TRUE;
}

static void
failed_cb (T2pwCarrier *carrier, T2pRefusal refusal, const GError *error, gpointer data)
{
  ProxyFixture *f = data;

  g_assert_true (carrier == f->carrier);
  f->carrier = NULL;
  f->is_over = TRUE;
  f->refusal = refusal;
  f->error = g_error_copy (error);
}

void
proxy_fixture_receive (ProxyFixture *f)
{
  char bytes[512];
  struct iovec iov = { bytes, sizeof bytes };
  gssize got;

  while ((got = t2pw_carrier_receive (f->carrier, &iov, 1)) > 0)
    g_string_append_len (f->received, bytes, got);
  f->at_end = got == 0;
  if (got < 0)
    g_assert_cmpint (errno, ==, EAGAIN);
}

static void
readable_cb (T2pwCarrier *carrier, gpointer data)
{
  proxy_fixture_receive (data);
}

static void
writable_cb (T2pwCarrier *carrier, gpointer data)
{
}

static const T2pwCarrierHandler handler = { opened_cb, failed_cb, readable_cb, writable_cb };

void
proxy_fixture_set_up (ProxyFixture *f, gconstpointer data)
{
  f->reactor = t2p_reactor_new (NULL, NULL);
  f->context = (T2pwOutboundContext){ .reactor = f->reactor, .policy = &f->policy };
  f->received = g_string_new (NULL);
}

void
proxy_fixture_tear_down (ProxyFixture *f, gconstpointer data)
{
  proxy_fixture_close (f);
  g_clear_pointer (&f->outbound, t2pw_outbound_free);
  g_string_free (f->received, TRUE);
  t2p_reactor_free (f->reactor);
}

void
proxy_fixture_make_uri (ProxyFixture *f, const char *uri, guint timeout_ms)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uri, &error);

  g_assert_no_error (error);
  f->context.connect_timeout_ms = timeout_ms;
  f->outbound = t2pw_outbound_new_for_endpoint (&f->context, endpoint, NULL, 0, &error);
  g_assert_no_error (error);
}

void
proxy_fixture_make (ProxyFixture *f,
                    const char *format,
                    ScriptedServer *server,
                    guint timeout_ms)
{
  g_auto (GStrv) parts = g_strsplit (format, "%u", 2);
  g_autofree char *uri =
      g_strdup_printf ("%s%u%s", parts[0], scripted_server_get_port (server), parts[1]);

  proxy_fixture_make_uri (f, uri, timeout_ms);
}

void
proxy_fixture_open (ProxyFixture *f, const T2pwDestination *destination)
{
  f->is_over = f->is_opened = FALSE;
  f->carrier = t2pw_outbound_open (f->outbound, destination, &handler, f);
  while (!f->is_over)
    g_main_context_iteration (NULL, TRUE);
}

void
proxy_fixture_close (ProxyFixture *f)
{
  if (f->carrier != NULL)
    t2pw_carrier_close (g_steal_pointer (&f->carrier), FALSE);
  g_clear_error (&f->error);
}

void
proxy_fixture_drain (ProxyFixture *f)
{
  proxy_fixture_receive (f);
  while (!f->at_end)
    g_main_context_iteration (NULL, TRUE);
}
