/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "scripted-server.h"
#include "t2p-bus-worker.h"
#include "t2p-error.h"
#include "t2p-names.h"
#include "t2p-worker-exit.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;

typedef struct
{
  char *directory;
  char *path;
  pid_t pid;
} Fixture;

static void
spawn (Fixture *f, const char *adopt_timeout)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_autofree char *option = g_strdup_printf ("--adopt-timeout=%s", adopt_timeout);

  g_strlcpy (address.sun_path, f->path, sizeof address.sun_path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (fd, 4), ==, 0);
  f->pid = fork ();
  g_assert_cmpint (f->pid, >=, 0);
  if (f->pid == 0)
    {
      int stray = dup2 (fd, 9);

      if (dup2 (fd, 3) == 3 && fcntl (3, F_SETFD, 0) == 0 && stray == 9)
        execl (program, program, "--listen-fd=3", option,
               /* as the daemon does it, where the test may */
               geteuid () == 0 ? "--user=nobody" : "--log-level=notice", (char *) NULL);
      _exit (127);
    }
  close (fd);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->directory = g_dir_make_tmp ("t2p-worker-XXXXXX", NULL);
  f->path = g_build_filename (f->directory, "control", NULL);
  spawn (f, data != NULL ? data : "10");
}

static int
wait_for_exit (Fixture *f)
{
  int status;

  g_assert_cmpint (waitpid (f->pid, &status, 0), ==, f->pid);
  f->pid = 0;
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  if (f->pid > 0)
    {
      kill (f->pid, SIGTERM);
      waitpid (f->pid, NULL, 0);
    }
  unlink (f->path);
  rmdir (f->directory);
  g_free (f->path);
  g_free (f->directory);
}

static T2pBusWorker *
connect_peer (Fixture *f)
{
  g_autofree char *address = g_strdup_printf ("unix:path=%s", f->path);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) connection = g_dbus_connection_new_for_address_sync (
      address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, &error);
  T2pBusWorker *proxy;

  g_assert_no_error (error);
  proxy = t2p_bus_worker_proxy_new_sync (connection, G_DBUS_PROXY_FLAGS_NONE, NULL,
                                         T2P_WORKER_PATH, NULL, &error);
  g_assert_no_error (error);
  return proxy;
}

static void
disconnect_peer (T2pBusWorker *proxy)
{
  g_dbus_connection_close_sync (g_dbus_proxy_get_connection (G_DBUS_PROXY (proxy)), NULL, NULL);
  g_object_unref (proxy);
}

static GVariant *
options_new (guint timeout_ms)
{
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  g_variant_builder_add (&builder, "{sv}", "timeout-ms", g_variant_new_uint32 (timeout_ms));
  return g_variant_builder_end (&builder);
}

static void
test_resolve (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) addresses = NULL;
  T2pBusWorker *proxy = connect_peer (f);

  t2p_bus_worker_call_resolve_sync (proxy, "localhost", options_new (2000), &addresses, NULL,
                                    &error);
  g_assert_no_error (error);
  g_assert_true (g_strv_contains ((const char *const *) addresses, "127.0.0.1"));
  t2p_bus_worker_call_resolve_sync (proxy, "no.such.example", options_new (2000), NULL, NULL,
                                    &error);
  g_assert_error (error, T2P_ERROR, T2P_ERROR_RESOLVE_FAILED);
  disconnect_peer (proxy);
}

static void
test_probe (Fixture *f, gconstpointer data)
{
  static const ServerStep script[] = { { SERVER_READ, NULL, 4 },
                                       { SERVER_SEND, "\x05\x02", 2 },
                                       { SERVER_READ, "\x01\x01u\x06s3cret", 10 },
                                       { SERVER_SEND, "\x01\x01", 2 },
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);
  g_autofree char *uri =
      g_strdup_printf ("socks5://u:s3cret@127.0.0.1:%u", scripted_server_get_port (server));
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autofree char *printed = NULL;
  T2pBusWorker *proxy = connect_peer (f);
  const char *name = NULL;
  gboolean is_reachable = FALSE;

  t2p_bus_worker_call_probe_sync (proxy, uri, options_new (3000), NULL, &result, NULL, NULL,
                                  &error);
  g_assert_no_error (error);
  g_assert_true (g_variant_lookup (result, "reachable", "b", &is_reachable));
  g_assert_true (is_reachable);
  g_assert_true (g_variant_lookup (result, "error", "&s", &name));
  g_assert_cmpstr (name, ==, "ProxyAuthenticationFailed");
  printed = g_variant_print (result, FALSE);
  g_assert_null (strstr (printed, "s3cret"));

  t2p_bus_worker_call_probe_sync (proxy, "gopher://x", options_new (3000), NULL, NULL, NULL,
                                  NULL, &error);
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
  disconnect_peer (proxy);
}

static void
test_next_daemon (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < 3; i++)
    {
      T2pBusWorker *proxy = connect_peer (f);
      g_auto (GStrv) addresses = NULL;
      g_autoptr (GError) error = NULL;

      t2p_bus_worker_call_resolve_sync (proxy, "127.0.0.3", options_new (2000), &addresses,
                                        NULL, &error);
      g_assert_no_error (error);
      disconnect_peer (proxy);
    }
}

static void
test_stop (Fixture *f, gconstpointer data)
{
  T2pBusWorker *proxy = connect_peer (f);
  g_autoptr (GError) error = NULL;

  t2p_bus_worker_call_stop_sync (proxy, 0, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (wait_for_exit (f), ==, T2P_WORKER_EXIT_STOPPED);
  disconnect_peer (proxy);
}

static void
test_abandoned (Fixture *f, gconstpointer data)
{
  gint64 began_us = g_get_monotonic_time ();
  T2pBusWorker *proxy = connect_peer (f);

  g_usleep (700 * 1000); /* longer than the time-out: somebody is there */
  g_assert_cmpint (waitpid (f->pid, NULL, WNOHANG), ==, 0);
  disconnect_peer (proxy);
  g_assert_cmpint (wait_for_exit (f), ==, T2P_WORKER_EXIT_NO_PEER);
  g_assert_cmpint (g_get_monotonic_time () - began_us, >=, 1200 * 1000);
}

/* --- a tunnel over a socket pair in the place of the tun */

static GVariant *
start_settings (guint16 proxy_port)
{
  g_autofree char *uri = g_strdup_printf ("socks5://u:s3cret@127.0.0.1:%u", proxy_port);

  return g_variant_new_parsed ("{'proxies': <[%s]>, 'mtu': <uint32 1500>, 'dns': <'virtual'>,"
                               " 'dns-pool4': <'198.18.0.0/18'>, 'uplink-dns': <@as []>,"
                               " 'max-connections': <uint32 100>, 'mark': <uint32 0>}",
                               uri);
}

static gboolean
start (T2pBusWorker *proxy, GVariant *settings, int fd, GError **error)
{
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();
  g_auto (GStrv) warnings = NULL;

  g_assert_cmpint (g_unix_fd_list_append (fds, fd, NULL), ==, 0);
  return t2p_bus_worker_call_start_sync (proxy, settings, g_variant_new_handle (0), fds,
                                         &warnings, NULL, NULL, error);
}

/* The public interface documents these, and the daemon takes no others. */
static void
assert_contract (GVariant *counters)
{
  static const char *const always[] = {
    "rx-bytes",
    "tx-bytes",
    "rx-packets",
    "tx-packets",
    "connections-opened",
    "connections-active",
    "connections-refused",
    "connections-failed",
    "udp-flows",
    "dns-queries",
    "dns-failures",
    "dns-cache-hits",
    "reassembled",
    NULL,
  };
  GVariantIter iter;
  const char *name;
  guint64 value;

  for (guint i = 0; always[i] != NULL; i++)
    g_assert_true (g_variant_lookup (counters, always[i], "t", &value));
  g_variant_iter_init (&iter, counters);
  while (g_variant_iter_next (&iter, "{&st}", &name, &value))
    if (!g_strv_contains (always, name) && !g_str_has_prefix (name, "dropped-"))
      g_error ("the counter '%s' is not in the contract", name);
}

/* IPv4, UDP, no checksum: "a.example", A, from 198.18.0.1 to 198.18.0.2. */
static const guint8 dns_packet[] =
    "\x45\0\0\x37\0\0\0\0\x40\x11\xee\x8e\xc6\x12\0\x01\xc6\x12\0\x02"
    "\x9c\x40\0\x35\0\x23\0\0"
    "\0\x07\x01\0\0\x01\0\0\0\0\0\0\x01"
    "a\x07"
    "example\0\0\x01\0\x01";

/* The same name as above, asked of the uplink's servers from now on, of which there are none.
 */
static void
exclude_name (T2pBusWorker *proxy, int tun)
{
  static const char *const servers[] = { NULL };
  static const char *const names[] = { "example", NULL };
  g_autoptr (GError) error = NULL;
  guint8 answer[2048];

  t2p_bus_worker_call_uplink_sync (proxy, servers, names,
                                   g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0), NULL,
                                   &error);
  g_assert_no_error (error);
  g_assert_cmpint (send (tun, dns_packet, sizeof dns_packet - 1, 0), ==, sizeof dns_packet - 1);
  g_assert_cmpint (recv (tun, answer, sizeof answer, 0), ==, sizeof dns_packet - 1);
  g_assert_cmpint (answer[20 + 8 + 3] & 0xf, ==, 2); /* SERVFAIL */
}

static void
test_start (Fixture *f, gconstpointer data)
{
  T2pBusWorker *proxy = connect_peer (f);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) counters = NULL;
  g_autoptr (GVariant) upstreams = NULL;
  g_autofree char *printed = NULL;
  guint8 answer[2048];
  guint64 queries = 0;
  int pair[2];
  struct timeval patience = { .tv_sec = 5 };

  t2p_bus_worker_call_get_statistics_sync (proxy, &counters, NULL, &error);
  g_assert_error (error, T2P_ERROR, T2P_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  setsockopt (pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

  start (proxy, g_variant_new_parsed ("{'proxies': <@as []>}"), pair[1], &error);
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS);
  g_clear_error (&error);
  start (proxy,
         g_variant_new_parsed ("{'proxies': <['socks5://192.0.2.1']>,"
                               " 'files': <{'/ca.pem': handle 1}>}"),
         pair[1], &error);
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD);
  g_clear_error (&error);
  start (proxy, start_settings (1), pair[1], &error);
  g_assert_no_error (error);
  start (proxy, start_settings (1), pair[1], &error);
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ALREADY_EXISTS);
  g_clear_error (&error);

  g_assert_cmpint (send (pair[0], dns_packet, sizeof dns_packet - 1, 0), ==,
                   sizeof dns_packet - 1);
  g_assert_cmpint (recv (pair[0], answer, sizeof answer, 0), ==, sizeof dns_packet - 1 + 16);
  t2p_bus_worker_call_get_statistics_sync (proxy, &counters, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_variant_lookup (counters, "dns-queries", "t", &queries));
  g_assert_cmpuint (queries, ==, 1);
  assert_contract (counters);
  t2p_bus_worker_call_get_upstreams_sync (proxy, &upstreams, NULL, &error);
  g_assert_no_error (error);
  printed = g_variant_print (upstreams, FALSE);
  g_assert_nonnull (strstr (printed, "'unknown'"));
  g_assert_null (strstr (printed, "s3cret"));
  exclude_name (proxy, pair[0]);

  /* a restarted daemon finds it running */
  disconnect_peer (proxy);
  proxy = connect_peer (f);
  g_clear_pointer (&counters, g_variant_unref);
  t2p_bus_worker_call_get_statistics_sync (proxy, &counters, NULL, &error);
  g_assert_no_error (error);
  t2p_bus_worker_call_stop_sync (proxy, 0, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (wait_for_exit (f), ==, T2P_WORKER_EXIT_STOPPED);
  disconnect_peer (proxy);
  close (pair[0]);
  close (pair[1]);
}

static void
test_lists (Fixture *f, gconstpointer data)
{
  T2pBusWorker *proxy = connect_peer (f);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) rows = NULL;
  guint64 next_id = 1;
  guint closed = 1;
  int pair[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  start (proxy, start_settings (1), pair[1], &error);
  g_assert_no_error (error);
  t2p_bus_worker_call_list_connections_sync (proxy, g_variant_new_parsed ("@a{sv} {}"), 0, 10,
                                             &rows, &next_id, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (next_id, ==, 0);
  t2p_bus_worker_call_close_connections_sync (proxy, g_variant_new_parsed ("@a{sv} {}"),
                                              &closed, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (closed, ==, 0);
  t2p_bus_worker_call_list_connections_sync (proxy, g_variant_new_parsed ("{'x': <'y'>}"), 0,
                                             10, NULL, NULL, NULL, &error);
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
  disconnect_peer (proxy);
  close (pair[0]);
  close (pair[1]);
}

/* --- hostile and clumsy peers */

static int
connect_raw (Fixture *f)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, f->path, sizeof address.sun_path);
  g_assert_cmpint (connect (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  return fd;
}

static void
assert_serves (T2pBusWorker *proxy)
{
  g_auto (GStrv) addresses = NULL;
  g_autoptr (GError) error = NULL;

  t2p_bus_worker_call_resolve_sync (proxy, "127.0.0.3", options_new (2000), &addresses, NULL,
                                    &error);
  g_assert_no_error (error);
}

/* It says nothing; the next one gets its turn, and the adopt-timeout does not run out on it. */
static void
test_silent_peer (Fixture *f, gconstpointer data)
{
  gint64 began_us = g_get_monotonic_time ();
  int silent = connect_raw (f);
  T2pBusWorker *proxy = connect_peer (f);
  char byte;

  g_assert_cmpint (g_get_monotonic_time () - began_us, >=, 1500 * 1000);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 8 * G_USEC_PER_SEC);
  assert_serves (proxy);
  g_assert_cmpint (recv (silent, &byte, 1, 0), <=, 0); /* hung up on */
  disconnect_peer (proxy);
  close (silent);
}

static void
connected_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;

  *(GDBusConnection **) data = g_dbus_connection_new_for_address_finish (result, &error);
  g_assert_no_error (error);
}

static void
test_second_peer_waits (Fixture *f, gconstpointer data)
{
  T2pBusWorker *first = connect_peer (f);
  g_autofree char *address = g_strdup_printf ("unix:path=%s", f->path);
  GDBusConnection *second = NULL;
  gint64 until_us = g_get_monotonic_time () + 500 * 1000;

  g_dbus_connection_new_for_address (address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT,
                                     NULL, NULL, connected_cb, &second);
  while (g_get_monotonic_time () < until_us)
    {
      assert_serves (first);
      g_main_context_iteration (NULL, FALSE);
    }
  g_assert_null (second);
  disconnect_peer (first);
  while (second == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_object_unref (second);
}

static void
assert_start_fails (T2pBusWorker *proxy, GVariant *settings, int fd, T2pError code)
{
  g_autoptr (GError) error = NULL;

  start (proxy, settings, fd, &error);
  g_assert_error (error, T2P_ERROR, (int) code);
}

static void
test_wrong_descriptors (Fixture *f, gconstpointer data)
{
  T2pBusWorker *proxy = connect_peer (f);
  g_autoptr (GError) error = NULL;
  int null = open ("/dev/null", O_RDWR | O_CLOEXEC);
  int plain = open (program, O_RDONLY | O_CLOEXEC);
  int pipes[2], stream[2];

  g_assert_cmpint (pipe2 (pipes, O_CLOEXEC), ==, 0);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), ==, 0);
  assert_start_fails (proxy, start_settings (1), null, T2P_ERROR_INVALID_FD);
  assert_start_fails (proxy, start_settings (1), plain, T2P_ERROR_INVALID_FD);
  assert_start_fails (proxy, start_settings (1), pipes[0], T2P_ERROR_INVALID_FD);
  assert_start_fails (proxy, start_settings (1), stream[0], T2P_ERROR_INVALID_FD);
  /* a handle, and nothing that it could stand for */
  t2p_bus_worker_call_start_sync (proxy, start_settings (1), g_variant_new_handle (0), NULL,
                                  NULL, NULL, NULL, &error);
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD);
  assert_serves (proxy);
  disconnect_peer (proxy);
  close (null);
  close (plain);
  close (pipes[0]);
  close (pipes[1]);
  close (stream[0]);
  close (stream[1]);
}

static void
assert_explained (T2pBusWorker *proxy,
                  const char *name,
                  const char *address,
                  guint16 port,
                  guint32 uid,
                  const char *expected)
{
  g_autofree char *names = NULL, *action = NULL, *rule = NULL, *seen = NULL;
  g_autoptr (GError) error = NULL;

  t2p_bus_worker_call_explain_sync (proxy, name, address, port, 6, uid, &names, &action, &rule,
                                    NULL, &error);
  g_assert_no_error (error);
  seen = g_strjoin ("|", names, action, rule, NULL);
  g_assert_cmpstr (seen, ==, expected);
}

/* What would become of flows, without one: nothing comes out of the device. */
static void
test_explain (Fixture *f, gconstpointer data)
{
  T2pBusWorker *proxy = connect_peer (f);
  g_autoptr (GError) error = NULL;
  GVariant *settings = g_variant_new_parsed (
      "{'proxies': <['socks5://192.0.2.1:1080']>, 'dns': <'virtual'>,"
      " 'dns-pool4': <'198.18.0.0/18'>, 'uplink-dns': <['192.0.2.53:53']>,"
      " 'dns-exclude': <['home.example']>, 'mark': <uint32 0>,"
      " 'rules': <['domain:a.example -> direct', 'cidr:203.0.113.0/24 -> reject',"
      "            'user:7 & port:25 -> drop', 'port:26 -> proxy:1']>}");
  int pair[2];
  guint8 byte;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  g_assert_false (t2p_bus_worker_call_explain_sync (proxy, "a", "", 1, 6, 0, NULL, NULL, NULL,
                                                    NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_NOT_FOUND);
  g_clear_error (&error);
  start (proxy, settings, pair[1], &error);
  g_assert_no_error (error);
  assert_explained (proxy, "a.example", "", 80, 0, "virtual|direct|domain:a.example -> direct");
  assert_explained (proxy, "b.example", "", 80, 0, "virtual|proxy|");
  assert_explained (proxy, "home.example", "", 80, 0, "uplink|proxy|");
  assert_explained (proxy, "printer", "", 80, 0, "uplink|proxy|");
  assert_explained (proxy, "use-application-dns.net", "", 80, 0, "own|proxy|");
  assert_explained (proxy, "", "203.0.113.5", 80, 0, "|reject|cidr:203.0.113.0/24 -> reject");
  assert_explained (proxy, "", "192.0.2.9", 25, 7, "|drop|user:7 & port:25 -> drop");
  assert_explained (proxy, "", "192.0.2.9", 25, 8, "|proxy|");
  assert_explained (proxy, "", "192.0.2.9", 26, 8, "|proxy|port:26 -> proxy:1");
  assert_explained (proxy, "", "no address", 80, 0, "|proxy|");
  g_assert_cmpint (recv (pair[0], &byte, 1, MSG_DONTWAIT), <, 0);
  disconnect_peer (proxy);
  close (pair[0]);
  close (pair[1]);
}

static void
test_wrong_settings (Fixture *f, gconstpointer data)
{
  static const char *const wrong[] = {
    "{'proxies': <['socks5://192.0.2.1:1080']>, 'mtu': <uint32 100>}",
    "{'proxies': <['socks5://192.0.2.1:1080']>, 'memory-limit': <uint32 4096>}",
    "{'proxies': <['gopher://192.0.2.1:1080']>}",
    "{'proxies': <['socks5://192.0.2.1:1080']>, 'uplink-dns': <['no address']>}",
    "{'proxies': <['socks5://192.0.2.1:1080']>, 'dns': <'virtual'>, 'dns-pool4': <'x'>}",
    "{'proxies': <['socks5://192.0.2.1:1080']>, 'rules': <['any']>}",
    "{'proxies': <['socks5://192.0.2.1:1080']>, 'rules': <['any -> proxy:2']>}",
    "{'proxies': <['socks5://192.0.2.1:1080']>, 'rules': <['user:alice -> drop']>}",
    "{'proxies': <['socks5://192.0.2.1:1080']>, 'rules': <['cidr-file:fd:x -> drop']>}",
  };
  T2pBusWorker *proxy = connect_peer (f);
  int pair[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    assert_start_fails (proxy, g_variant_new_parsed (wrong[i]), pair[1],
                        T2P_ERROR_INVALID_SETTINGS);
  disconnect_peer (proxy);
  close (pair[0]);
  close (pair[1]);
}

/* The second is refused, the first goes on, and the second descriptor is not kept. */
static void
test_start_twice (Fixture *f, gconstpointer data)
{
  T2pBusWorker *proxy = connect_peer (f);
  struct timeval patience = { .tv_sec = 5 };
  g_autoptr (GError) error = NULL;
  guint8 answer[2048];
  int first[2], second[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, first), ==, 0);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, second), ==, 0);
  setsockopt (first[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt (second[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  start (proxy, start_settings (1), first[1], &error);
  g_assert_no_error (error);
  assert_start_fails (proxy, start_settings (1), second[1], T2P_ERROR_ALREADY_EXISTS);
  close (second[1]);
  g_assert_cmpint (recv (second[0], answer, sizeof answer, 0), ==, 0);
  g_assert_cmpint (send (first[0], dns_packet, sizeof dns_packet - 1, 0), ==,
                   sizeof dns_packet - 1);
  g_assert_cmpint (recv (first[0], answer, sizeof answer, 0), >, 0);
  disconnect_peer (proxy);
  close (first[0]);
  close (first[1]);
  close (second[0]);
}

static void
send_call (int fd, guint32 serial, const char *interface, const char *member, GVariant *body)
{
  g_autoptr (GDBusMessage) message =
      g_dbus_message_new_method_call (NULL, T2P_WORKER_PATH, interface, member);
  g_autofree guchar *blob = NULL;
  gsize length = 0;

  if (body != NULL)
    g_dbus_message_set_body (message, body);
  g_dbus_message_set_serial (message, serial);
  blob = g_dbus_message_to_blob (message, &length, G_DBUS_CAPABILITY_FLAGS_NONE, NULL);
  g_assert_cmpint (send (fd, blob, length, MSG_NOSIGNAL), ==, (gssize) length);
}

/* Asks for far more than a socket holds, and for the end. */
static void
test_peer_that_does_not_read (Fixture *f, gconstpointer data)
{
  int fd = connect_raw (f);
  g_autofree char *uid = g_strdup_printf ("%u", getuid ());
  g_autoptr (GString) hello = g_string_new ("AUTH EXTERNAL ");
  char answer[256];
  guint32 serial = 1;

  for (const char *digit = uid; *digit != '\0'; digit++)
    g_string_append_printf (hello, "%02x", (guint) *digit);
  g_string_append (hello, "\r\n");
  g_assert_cmpint (send (fd, "", 1, 0), ==, 1);
  g_assert_cmpint (send (fd, hello->str, hello->len, 0), ==, (gssize) hello->len);
  g_assert_cmpint (recv (fd, answer, sizeof answer, 0), >, 3);
  g_assert_cmpmem (answer, 3, "OK ", 3);
  g_assert_cmpint (send (fd, "BEGIN\r\n", 7, 0), ==, 7);
  while (serial < 400)
    send_call (fd, serial++, "org.freedesktop.DBus.Introspectable", "Introspect", NULL);
  send_call (fd, serial, "org.tun2proxy.Worker", "Stop", g_variant_new ("(u)", 0));
  g_assert_cmpint (wait_for_exit (f), ==, T2P_WORKER_EXIT_STOPPED);
  close (fd);
}

/* What the isolation promises, seen from outside. */
static void
test_isolated (Fixture *f, gconstpointer data)
{
  T2pBusWorker *proxy = connect_peer (f);
  g_autofree char *status_path = g_strdup_printf ("/proc/%d/status", f->pid);
  g_autofree char *fd_path = g_strdup_printf ("/proc/%d/fd/9", f->pid);
  g_autofree char *status = NULL;
  g_autofree char *target = NULL;
  g_autofree char *stray = g_strdup ("socket:");

  g_assert_true (g_file_get_contents (status_path, &status, NULL, NULL));
  g_assert_nonnull (strstr (status, "NoNewPrivs:\t1"));
  g_assert_null (strstr (status, "Uid:\t0"));
  g_assert_true (strstr (status, "CapEff:\t0000000000000000") != NULL ||
                 strstr (status, "CapEff:\t0000000000002000") != NULL);
  target = g_file_read_link (fd_path, NULL);
  /* the number may be in use again, but not for the inherited socket */
  if (target != NULL && g_str_has_prefix (target, stray))
    {
      g_autofree char *listen_path = g_strdup_printf ("/proc/%d/fd/3", f->pid);
      g_autofree char *listener = g_file_read_link (listen_path, NULL);

      g_assert_cmpstr (target, !=, listener);
    }
  disconnect_peer (proxy);
}

static void
test_usage (void)
{
  const char *argv[] = { program, "--listen-fd=1", NULL };
  g_autofree char *standard_error = NULL;
  int status = 0;

  g_assert_true (g_spawn_sync (NULL, (char **) argv, NULL, 0, NULL, NULL, NULL, &standard_error,
                               &status, NULL));
  g_assert_cmpint (WEXITSTATUS (status), ==, T2P_WORKER_EXIT_USAGE);
  g_assert_nonnull (strstr (standard_error, "--listen-fd"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  program = argv[1];
  g_assert_nonnull (program);
  (void) t2p_error_quark (); /* registers the names of the errors */
#define ADD(path, data, function) g_test_add (path, Fixture, data, set_up, function, tear_down)
  ADD ("/worker/resolves-without-start", NULL, test_resolve);
  ADD ("/worker/probes-without-start", NULL, test_probe);
  ADD ("/worker/next-daemon-may-connect", NULL, test_next_daemon);
  ADD ("/worker/stops-with-status-0", NULL, test_stop);
  ADD ("/worker/ends-without-a-daemon", "0.5", test_abandoned);
  ADD ("/worker/starts-answers-and-survives-its-daemon", NULL, test_start);
  ADD ("/worker/lists-and-closes-connections", NULL, test_lists);
  ADD ("/worker/explains-without-sending", NULL, test_explain);
  ADD ("/worker/silent-peer-is-hung-up-on", "1", test_silent_peer);
  ADD ("/worker/second-peer-waits", NULL, test_second_peer_waits);
  ADD ("/worker/wrong-descriptor-is-invalid-fd", NULL, test_wrong_descriptors);
  ADD ("/worker/wrong-value-is-invalid-settings", NULL, test_wrong_settings);
  ADD ("/worker/starts-once", NULL, test_start_twice);
  ADD ("/worker/ends-under-a-peer-that-does-not-read", NULL, test_peer_that_does_not_read);
  ADD ("/worker/is-isolated", NULL, test_isolated);
  g_test_add_func ("/worker/wrong-arguments-are-named", test_usage);
  return g_test_run ();
}
