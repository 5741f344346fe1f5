/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-limits.h"
#include "t2p-names.h"
#include "t2pd-worker-filter.h"

static gboolean
passes (T2pdWorkerFilter *filter, const char *interface, const char *name, GVariant *body)
{
  GDBusMessage *message = g_dbus_message_new_signal (T2P_WORKER_PATH, interface, name);

  if (body != NULL)
    g_dbus_message_set_body (message, body);
  message = t2pd_worker_filter_cb (NULL, message, TRUE, filter);
  if (message == NULL)
    return FALSE;
  g_object_unref (message);
  return TRUE;
}

static gboolean
wants (T2pdWorkerFilter *filter)
{
  return passes (filter, T2P_WORKER_INTERFACE, "SocketWanted",
                 g_variant_new ("(ts)", G_GUINT64_CONSTANT (1), "/x"));
}

static void
test_sockets (void)
{
  T2pdWorkerFilter *filter = t2pd_worker_filter_new ();

  for (guint i = 0; i < T2P_MAX_SOCKETS_UNDER_WAY; i++)
    g_assert_true (wants (filter));
  g_assert_false (wants (filter));
  g_assert_false (wants (filter));
  g_assert_cmpuint (t2pd_worker_filter_get_dropped (filter), ==, 2);
  t2pd_worker_filter_socket_answered (filter);
  g_assert_true (wants (filter));
  g_assert_false (wants (filter));
  t2pd_worker_filter_unref (filter);
}

/* Nobody would answer it, and it would take a place for ever. */
static void
test_wrong_type (void)
{
  T2pdWorkerFilter *filter = t2pd_worker_filter_new ();

  for (guint i = 0; i < 2 * T2P_MAX_SOCKETS_UNDER_WAY; i++)
    {
      g_assert_false (passes (filter, T2P_WORKER_INTERFACE, "SocketWanted", NULL));
      g_assert_false (
          passes (filter, T2P_WORKER_INTERFACE, "SocketWanted", g_variant_new ("(s)", "/x")));
    }
  g_assert_true (wants (filter));
  t2pd_worker_filter_unref (filter);
}

static void
test_other_signals (void)
{
  T2pdWorkerFilter *filter = t2pd_worker_filter_new ();
  g_autofree char *large = g_strnfill (10000, 'x');
  guint n = 0;

  g_assert_false (passes (filter, "org.example", "SocketWanted",
                          g_variant_new ("(ts)", G_GUINT64_CONSTANT (1), "/x")));
  g_assert_false (passes (filter, T2P_WORKER_INTERFACE, "UpstreamChanged",
                          g_variant_new ("(sss)", "up", "none", large)));
  for (guint i = 0; i < 1000; i++)
    n += passes (filter, T2P_WORKER_INTERFACE, "UpstreamChanged",
                 g_variant_new ("(sss)", "up", "none", ""));
  g_assert_cmpuint (n, >=, 50);
  g_assert_cmpuint (n, <=, 150); /* when a second or two begin meanwhile */
  t2pd_worker_filter_unref (filter);
}

static void
test_owners (void)
{
  T2pdWorkerFilter *filter = t2pd_worker_filter_new ();
  const gint64 began_us = g_get_monotonic_time ();
  gint64 seconds;
  guint n = 0;

  for (guint i = 0; i < 10 * T2P_MAX_OWNERS_PER_SECOND; i++)
    n += passes (filter, T2P_WORKER_INTERFACE, "OwnerWanted",
                 g_variant_new ("(tyss)", (guint64) i, 6, "10.0.0.1:1", "10.0.0.2:2"));
  seconds = (g_get_monotonic_time () - began_us) / G_USEC_PER_SEC + 1;
  g_assert_cmpuint (n, >=, 2 * T2P_MAX_OWNERS_PER_SECOND);
  g_assert_cmpuint (n, <=, (4 + 2 * seconds) * T2P_MAX_OWNERS_PER_SECOND);
  g_assert_true (wants (filter)); /* others have their own bounds */
  t2pd_worker_filter_unref (filter);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/worker-filter/sockets-under-way-are-counted", test_sockets);
  g_test_add_func ("/worker-filter/socket-of-wrong-type-takes-no-place", test_wrong_type);
  g_test_add_func ("/worker-filter/other-signals-are-few-and-small", test_other_signals);
  g_test_add_func ("/worker-filter/owners", test_owners);
  return g_test_run ();
}
