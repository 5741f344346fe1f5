/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake-service.h"
#include "libtun2proxy.h"

/* Every test has a bus of its own; the service is there unless the test says otherwise. */
typedef struct
{
  GTestDBus *bus;
  FakeService *service;
  T2pClient *client;
} Fixture;

static void
set_up_bus (Fixture *f, gconstpointer data)
{
  f->bus = g_test_dbus_new (G_TEST_DBUS_NONE);
  g_test_dbus_up (f->bus);
}

static T2pClient *
new_client (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  T2pClient *client =
      t2p_client_new_for_address_sync (g_test_dbus_get_bus_address (f->bus), NULL, &error);

  g_assert_no_error (error);
  return client;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  set_up_bus (f, data);
  f->service = fake_service_start (g_test_dbus_get_bus_address (f->bus));
  f->client = new_client (f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_clear_object (&f->client);
  g_clear_pointer (&f->service, fake_service_stop);
  g_test_dbus_down (f->bus);
  g_clear_object (&f->bus);
}

static GVariant *
settings_for (const char *proxy)
{
  return g_variant_new_parsed ("{'proxies': <[%s]>}", proxy);
}

static T2pTunnel *
create (Fixture *f, const char *name)
{
  g_autoptr (GError) error = NULL;
  T2pTunnel *tunnel = t2p_client_create_tunnel_sync (
      f->client, name, settings_for ("socks5://proxy.example"), NULL, NULL, NULL, &error);

  g_assert_no_error (error);
  return tunnel;
}

static gboolean
too_late_cb (gpointer data)
{
  g_error ("waited too long for %s", (const char *) data);
  return G_SOURCE_REMOVE;
}

/* Runs the main context until @condition; a hang fails the test. */
#define WAIT_FOR(condition)                                                                    \
  G_STMT_START                                                                                 \
  {                                                                                            \
    guint too_late = g_timeout_add_seconds (20, too_late_cb, (gpointer) #condition);           \
    while (!(condition))                                                                       \
      g_main_context_iteration (NULL, TRUE);                                                   \
    g_source_remove (too_late);                                                                \
  }                                                                                            \
  G_STMT_END

static void
result_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_set_object ((GAsyncResult **) data, result);
}

/* --- client */

static void
test_absent (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pClient) client = new_client (f);
  g_autoptr (GPtrArray) tunnels = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_false (t2p_client_get_is_running (client));
  g_assert_cmpstr (t2p_client_get_version (client), ==, "");
  g_assert_null (t2p_client_get_features (client)[0]);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (client)), ==, 0);
  tunnels = t2p_client_list_tunnels_sync (client, NULL, &error);
  g_assert_null (tunnels);
  g_assert_error (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN);
  g_assert_null (strstr (error->message, "GDBus.Error"));
}

static void
test_properties (Fixture *f, gconstpointer data)
{
  g_assert_true (t2p_client_get_is_running (f->client));
  g_assert_cmpstr (t2p_client_get_version (f->client), ==, "9.9");
  g_assert_true (g_strv_contains (t2p_client_get_features (f->client), "virtual-dns"));
  g_assert_cmpstr (t2p_client_get_default_network_backend (f->client), ==, "netlink");
  g_assert_cmpstr (t2p_client_get_kill_switch (f->client), ==, "off");
  g_assert_cmpstr (t2p_client_get_log_level (f->client), ==, "notice");
  g_assert_null (t2p_client_get_default_route_tunnel (f->client));
}

static void
test_create (Fixture *f, gconstpointer data)
{
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pTunnel) tunnel = t2p_client_create_tunnel_sync (
      f->client, "work", settings_for ("socks5://p"), NULL, NULL, &result, &error);
  g_autofree const char **warnings = NULL;

  g_assert_no_error (error);
  g_assert_cmpstr (t2p_tunnel_get_name (tunnel), ==, "work");
  g_assert_cmpint (t2p_tunnel_get_state (tunnel), ==, T2P_TUNNEL_STATE_ACTIVE);
  g_assert_cmpint (t2p_tunnel_get_state_reason (tunnel), ==, T2P_STATE_REASON_USER_REQUESTED);
  g_assert_cmpstr (t2p_tunnel_get_interface (tunnel), ==, "t2p0");
  g_assert_cmpint (t2p_tunnel_get_if_index (tunnel), ==, 42);
  g_assert_cmpint (t2p_tunnel_get_capture (tunnel), ==, T2P_CAPTURE_ROUTES);
  g_assert_cmpint (t2p_tunnel_get_scope (tunnel), ==, T2P_SCOPE_SYSTEM);
  g_assert_cmpuint (t2p_tunnel_get_owner (tunnel), ==, 1000);
  g_assert_cmpuint (t2p_tunnel_get_mtu (tunnel), ==, 1500);
  g_assert_true (g_variant_lookup (result, "warnings", "^a&s", &warnings));
  g_assert_cmpstr (warnings[0], ==, "mind the gap");
  g_assert_true (fake_service_saw_interactive (f->service));
  g_assert_true (t2p_client_get_default_route_tunnel (f->client) == tunnel);
}

static void
test_create_async (Fixture *f, gconstpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (T2pTunnel) tunnel = NULL;
  g_autoptr (GError) error = NULL;
  guint n_added = 0;

  g_signal_connect_swapped (f->client, "tunnel-added", G_CALLBACK (g_atomic_int_inc), &n_added);
  t2p_client_create_tunnel (f->client, "work", settings_for ("socks5://p"), NULL, NULL,
                            result_cb, &result);
  WAIT_FOR (result != NULL);
  tunnel = t2p_client_create_tunnel_finish (f->client, result, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (t2p_tunnel_get_name (tunnel), ==, "work");
  g_assert_cmpuint (n_added, ==, 1);
}

static void
test_new_async (Fixture *f, gconstpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (T2pClient) client = NULL;
  g_autoptr (GError) error = NULL;

  t2p_client_new_for_connection (t2p_client_get_connection (f->client), NULL, result_cb,
                                 &result);
  WAIT_FOR (result != NULL);
  client = t2p_client_new_finish (result, &error);
  g_assert_no_error (error);
  g_assert_true (t2p_client_get_is_running (client));
}

static void
test_errors (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *name;
    T2pError code;
    const char *message;
  } cases[] = {
    { "taken", T2P_ERROR_ALREADY_EXISTS, "there is a tunnel 'taken' already" },
    { "denied", T2P_ERROR_NOT_AUTHORIZED, "not allowed" },
    { "dialog", T2P_ERROR_NOT_AUTHORIZED, "ask somebody" },
    { "future", T2P_ERROR_FAILED, "what is this" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      T2pTunnel *tunnel = t2p_client_create_tunnel_sync (
          f->client, cases[i].name, settings_for ("socks5://p"), NULL, NULL, NULL, &error);

      g_assert_null (tunnel);
      g_assert_error (error, T2P_ERROR, (int) cases[i].code);
      g_assert_cmpstr (error->message, ==, cases[i].message);
    }
}

static void
test_get_tunnel (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pTunnel) made = create (f, "work");
  g_autoptr (T2pTunnel) found = t2p_client_get_tunnel_sync (f->client, "work", NULL, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (made == found);
  g_assert_null (t2p_client_get_tunnel_sync (f->client, "nowhere", NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_NOT_FOUND);
}

static void
test_list (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pTunnel) a = create (f, "a");
  g_autoptr (T2pTunnel) b = create (f, "b");
  g_autoptr (GPtrArray) all = t2p_client_get_tunnels (f->client);
  g_autoptr (GPtrArray) mine = t2p_client_list_tunnels_sync (f->client, NULL, NULL);
  g_autoptr (GObject) second = g_list_model_get_object (G_LIST_MODEL (f->client), 1);

  g_assert_cmpuint (all->len, ==, 2);
  g_assert_cmpuint (mine->len, ==, 2);
  g_assert_true (second == G_OBJECT (b));
  g_assert_null (g_list_model_get_item (G_LIST_MODEL (f->client), 2));
}

static void
test_test_proxy (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result =
      t2p_client_test_proxy_sync (f->client, "socks5://proxy", NULL, NULL, &error);
  guint64 rtt_us = 0;

  g_assert_no_error (error);
  g_assert_true (g_variant_lookup (result, "rtt-us", "t", &rtt_us));
  g_assert_cmpuint (rtt_us, ==, 23456);
}

static void
test_restart (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pTunnel) tunnel = create (f, "work");
  guint n_removed = 0;

  g_signal_connect_swapped (f->client, "tunnel-removed", G_CALLBACK (g_atomic_int_inc),
                            &n_removed);
  g_clear_pointer (&f->service, fake_service_stop);
  WAIT_FOR (!t2p_client_get_is_running (f->client));
  g_assert_cmpuint (n_removed, ==, 1);
  g_assert_cmpint (t2p_tunnel_get_state (tunnel), ==, T2P_TUNNEL_STATE_INACTIVE);
  g_assert_cmpstr (t2p_client_get_version (f->client), ==, "");

  f->service = fake_service_start (g_test_dbus_get_bus_address (f->bus));
  WAIT_FOR (t2p_client_get_is_running (f->client));
  g_assert_cmpstr (t2p_client_get_version (f->client), ==, "9.9");
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (f->client)), ==, 0);
}

static void
test_cancel (Fixture *f, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_null (t2p_client_list_tunnels_sync (f->client, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* --- tunnel */

typedef struct
{
  guint n;
  T2pTunnelState old_state;
  T2pTunnelState new_state;
  T2pStateReason reason;
  T2pTunnelState property;
} Seen;

static void
state_changed_cb (T2pTunnel *tunnel,
                  T2pTunnelState old_state,
                  T2pTunnelState new_state,
                  T2pStateReason reason,
                  gpointer data)
{
  Seen *seen = data;

  *seen = (Seen){ seen->n + 1, old_state, new_state, reason, t2p_tunnel_get_state (tunnel) };
}

static void
test_state_changed (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pTunnel) tunnel = create (f, "work");
  Seen seen = { 0 };
  guint n_notified = 0;

  /* Lets what the creation itself has sent pass by. */
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_signal_connect (tunnel, "state-changed", G_CALLBACK (state_changed_cb), &seen);
  g_signal_connect_swapped (tunnel, "notify::state", G_CALLBACK (g_atomic_int_inc),
                            &n_notified);
  fake_service_degrade (f->service, t2p_tunnel_get_object_path (tunnel));
  WAIT_FOR (seen.n > 0 && seen.new_state == T2P_TUNNEL_STATE_DEGRADED);
  g_assert_cmpint (seen.old_state, ==, T2P_TUNNEL_STATE_ACTIVE);
  g_assert_cmpint (seen.reason, ==, T2P_STATE_REASON_PROXY_UNREACHABLE);
  g_assert_cmpint (seen.property, ==, T2P_TUNNEL_STATE_DEGRADED);
  g_assert_cmpuint (n_notified, >=, 1);
}

static void
test_changes (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pTunnel) tunnel = create (f, "work");
  g_autoptr (GError) error = NULL;

  t2p_tunnel_deactivate_sync (tunnel, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (t2p_tunnel_get_state (tunnel), ==, T2P_TUNNEL_STATE_INACTIVE);
  t2p_tunnel_activate_sync (tunnel, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (t2p_tunnel_get_state (tunnel), ==, T2P_TUNNEL_STATE_ACTIVE);
  t2p_tunnel_delete_sync (tunnel, NULL, NULL, &error);
  g_assert_no_error (error);
  WAIT_FOR (g_list_model_get_n_items (G_LIST_MODEL (f->client)) == 0);
  g_assert_false (t2p_tunnel_activate_sync (tunnel, NULL, NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_NOT_FOUND);
}

static void
test_kill_switch (Fixture *f, gconstpointer data)
{
  g_autoptr (GVariant) options =
      g_variant_ref_sink (g_variant_new_parsed ("{'tunnel': <'none'>}"));
  g_autoptr (GError) error = NULL;

  g_assert_true (t2p_client_set_kill_switch_sync (f->client, "always", NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (fake_service_saw_interactive (f->service));
  WAIT_FOR (g_str_equal (t2p_client_get_kill_switch (f->client), "armed"));
  g_assert_false (t2p_client_set_kill_switch_sync (f->client, "off", options, NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_NOT_FOUND);
}

static void
test_confirm (Fixture *f, gconstpointer data)
{
  g_autoptr (GVariant) settings =
      g_variant_ref_sink (g_variant_new_parsed ("{'proxies': <['socks5://p']>}"));
  g_autoptr (GVariant) options =
      g_variant_ref_sink (g_variant_new_parsed ("{'rollback-timeout': <uint32 60>}"));
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pTunnel) tunnel =
      t2p_client_create_tunnel_sync (f->client, "work", settings, options, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (t2p_tunnel_get_rollback_deadline (tunnel), >,
                    (guint64) g_get_real_time () + 30 * G_USEC_PER_SEC);
  t2p_tunnel_confirm_sync (tunnel, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (t2p_tunnel_get_rollback_deadline (tunnel), ==, 0);
}

static void
test_repair (Fixture *f, gconstpointer data)
{
  GVariant *options = g_variant_new_parsed ("{'dry-run': <true>}");
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) told = t2p_client_repair_sync (f->client, options, NULL, &error);
  g_auto (GStrv) done = t2p_client_repair_sync (f->client, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (told[0], ==, "tunnel 7: worker process 12");
  g_assert_null (told[1]);
  g_assert_null (done[0]);
}

static void
test_explain (Fixture *f, gconstpointer data)
{
  GVariant *options = g_variant_new_parsed ("{'uid': <uint32 1000>}");
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result =
      t2p_client_explain_sync (f->client, "example.org:443", options, NULL, &error);
  const char *reason = NULL;

  g_assert_no_error (error);
  g_assert_true (g_variant_lookup (result, "reason", "&s", &reason));
  g_assert_cmpstr (reason, ==, "example.org:443 of 1000");
}

static void
bypassed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  t2p_client_bypass_socket_finish (T2P_CLIENT (source), result, &error);
  g_assert_no_error (error);
  *(gboolean *) user_data = TRUE;
}

static void
test_bypass (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  gboolean is_done = FALSE;
  int pair[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
  g_assert_true (t2p_client_bypass_socket_sync (f->client, pair[0], NULL, NULL, &error));
  g_assert_no_error (error);
  t2p_client_bypass_socket (f->client, pair[0], NULL, NULL, bypassed_cb, &is_done);
  WAIT_FOR (is_done);
  /* It is still ours. */
  g_assert_cmpint (send (pair[0], "x", 1, 0), ==, 1);
  close (pair[0]);
  close (pair[1]);
  g_assert_no_errno (pipe (pair));
  g_assert_false (t2p_client_bypass_socket_sync (f->client, pair[0], NULL, NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD);
  close (pair[0]);
  close (pair[1]);
}

static void
attached_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  t2p_tunnel_attach_process_finish (T2P_TUNNEL (source), result, &error);
  g_assert_no_error (error);
  *(gboolean *) user_data = TRUE;
}

static void
test_attach (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pTunnel) tunnel = create (f, "work");
  g_autoptr (GError) error = NULL;
  int process = (int) syscall (SYS_pidfd_open, getpid (), 0);
  int nothing = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  gboolean is_done = FALSE;

  g_assert_no_errno (process);
  g_assert_no_errno (nothing);
  t2p_tunnel_attach_process (tunnel, process, NULL, NULL, attached_cb, &is_done);
  WAIT_FOR (is_done);
  g_assert_true (t2p_tunnel_attach_process_sync (tunnel, process, NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_false (t2p_tunnel_attach_process_sync (tunnel, nothing, NULL, NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD);
  g_clear_error (&error);
  close (process);
  close (nothing);
  /* A descriptor that is none gets nowhere. */
  g_assert_false (t2p_tunnel_attach_process_sync (tunnel, G_MAXINT, NULL, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
}

static void
test_queries (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pTunnel) tunnel = create (f, "work");
  guint64 version = 0;
  guint64 bytes = 0;
  g_autoptr (GVariant) settings = t2p_tunnel_get_settings_sync (tunnel, NULL, &version, NULL);
  g_autoptr (GVariant) details = t2p_tunnel_get_details_sync (tunnel, NULL, NULL);
  g_autoptr (GVariant) statistics = t2p_tunnel_get_statistics_sync (tunnel, NULL, NULL);
  const char *udp = NULL;

  g_assert_true (g_variant_is_of_type (settings, G_VARIANT_TYPE_VARDICT));
  g_assert_cmpuint (version, ==, 7);
  g_assert_true (g_variant_lookup (details, "udp-mode", "&s", &udp));
  g_assert_cmpstr (udp, ==, "associate");
  g_assert_true (g_variant_lookup (statistics, "rx-bytes", "t", &bytes));
  g_assert_cmpuint (bytes, ==, 1258291);
}

static void
test_queries_async (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pTunnel) tunnel = create (f, "work");
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GVariant) settings = NULL;
  guint64 version = 0;

  t2p_tunnel_get_settings (tunnel, NULL, result_cb, &result);
  WAIT_FOR (result != NULL);
  settings = t2p_tunnel_get_settings_finish (tunnel, result, &version, NULL);
  g_assert_nonnull (settings);
  g_assert_cmpuint (version, ==, 7);
}

static void
test_connections (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pTunnel) tunnel = create (f, "work");
  guint64 next = 0;
  gsize n_rows = 0;
  guint n_pages = 0;
  guint closed = 0;

  do
    {
      g_autoptr (GVariant) rows =
          t2p_tunnel_list_connections_sync (tunnel, NULL, next, 0, NULL, &next, NULL);

      g_assert_true (g_variant_is_of_type (rows, G_VARIANT_TYPE ("aa{sv}")));
      n_rows += g_variant_n_children (rows);
      n_pages++;
    }
  while (next != 0);
  g_assert_cmpuint (n_rows, ==, 5);
  g_assert_cmpuint (n_pages, ==, 3);
  g_assert_true (t2p_tunnel_close_connections_sync (tunnel, NULL, NULL, &closed, NULL));
  g_assert_cmpuint (closed, ==, 5);
}

static void
message_cb (T2pTunnel *tunnel, const char *text, gpointer data)
{
  *(char **) data = g_strdup (text);
}

static void
loop_cb (T2pTunnel *tunnel, GVariant *loop, gpointer data)
{
  g_variant_lookup (loop, "program", "s", data);
}

static void
test_message (Fixture *f, gconstpointer data)
{
  g_autoptr (T2pTunnel) tunnel = create (f, "work");
  g_autofree char *text = NULL;
  g_autofree char *program = NULL;

  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_signal_connect (tunnel, "message", G_CALLBACK (message_cb), &text);
  g_signal_connect (tunnel, "loop-detected", G_CALLBACK (loop_cb), &program);
  WAIT_FOR (t2p_client_get_is_running (f->client));
  t2p_tunnel_close_connections (tunnel, NULL, NULL, NULL, NULL);
  WAIT_FOR (text != NULL);
  g_assert_cmpstr (text, ==, "connections were closed");
  WAIT_FOR (program != NULL);
  g_assert_cmpstr (program, ==, "curl");
}

/* --- without a bus */

static void
test_labels (void)
{
  g_autoptr (GEnumClass) states = g_type_class_ref (T2P_TYPE_TUNNEL_STATE);
  g_autoptr (GEnumClass) reasons = g_type_class_ref (T2P_TYPE_STATE_REASON);

  for (guint i = 0; i < states->n_values; i++)
    {
      g_assert_cmpstr (t2p_tunnel_state_to_label (states->values[i].value), !=, "");
      /* The nick of the GEnum is the word of the bus. */
      g_assert_cmpstr (t2p_tunnel_state_to_string (states->values[i].value), ==,
                       states->values[i].value_nick);
    }
  for (guint i = 1; i < reasons->n_values; i++)
    {
      g_assert_cmpstr (t2p_state_reason_to_label (reasons->values[i].value), !=, "");
      g_assert_cmpstr (t2p_state_reason_to_string (reasons->values[i].value), ==,
                       reasons->values[i].value_nick);
    }
}

#define ADD(path, set_up_function, function)                                                   \
  g_test_add (path, Fixture, NULL, set_up_function, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/client/labels-for-everything", test_labels);
  ADD ("/client/absent-service-is-no-error-until-called", set_up_bus, test_absent);
  ADD ("/client/properties", set_up, test_properties);
  ADD ("/client/create", set_up, test_create);
  ADD ("/client/create-async-announces-once", set_up, test_create_async);
  ADD ("/client/new-async", set_up, test_new_async);
  ADD ("/client/errors-have-codes-and-no-prefix", set_up, test_errors);
  ADD ("/client/get-tunnel", set_up, test_get_tunnel);
  ADD ("/client/list", set_up, test_list);
  ADD ("/client/test-proxy", set_up, test_test_proxy);
  ADD ("/client/follows-a-restart", set_up, test_restart);
  ADD ("/client/cancel", set_up, test_cancel);
  ADD ("/tunnel/state-changed-after-properties", set_up, test_state_changed);
  ADD ("/tunnel/changes", set_up, test_changes);
  ADD ("/client/kill-switch", set_up, test_kill_switch);
  ADD ("/client/confirm-ends-the-rollback-timer", set_up, test_confirm);
  ADD ("/client/explain-tells-the-path", set_up, test_explain);
  ADD ("/client/repair-tells-lines", set_up, test_repair);
  ADD ("/client/bypass-passes-a-socket", set_up, test_bypass);
  ADD ("/tunnel/attach-passes-a-process", set_up, test_attach);
  ADD ("/tunnel/queries", set_up, test_queries);
  ADD ("/tunnel/queries-async", set_up, test_queries_async);
  ADD ("/tunnel/connections-by-the-page", set_up, test_connections);
  ADD ("/tunnel/message", set_up, test_message);
  return g_test_run ();
}
