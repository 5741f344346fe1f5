/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resolver backends, the uplink's servers and NetworkManager against services made here, on a
 * bus of the test's own. */
#include "config.h"

#include "t2p-error.h"
#include "t2pn-connectivity-host.h"
#include "t2pn-nm.h"
#include "t2pn-resolver-backends.h"
#include "t2pn-uplink-dns.h"
#include "t2pn-uplink-watch.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct
{
  GTestDBus *bus;
  GDBusConnection *service; /* plays resolved and NetworkManager */
  GDBusConnection *client;
  GString *log;
  guint name;
  gboolean is_managed;
  gboolean knows_device;
  const char *check_uri;
  const char *refused; /* a method that fails */
  char *dir;
  char *conf;
} Fixture;

static const char interfaces[] =
    "<node><interface name='org.freedesktop.resolve1.Manager'>"
    "<method name='SetLinkDNS'><arg type='i' direction='in'/><arg type='a(iay)' "
    "direction='in'/></method>"
    "<method name='SetLinkDomains'><arg type='i' direction='in'/><arg type='a(sb)' "
    "direction='in'/></method>"
    "<method name='SetLinkDefaultRoute'><arg type='i' direction='in'/><arg type='b' "
    "direction='in'/></method>"
    "<method name='SetLinkDNSSEC'><arg type='i' direction='in'/><arg type='s' "
    "direction='in'/></method>"
    "<method name='SetLinkDNSOverTLS'><arg type='i' direction='in'/><arg type='s' "
    "direction='in'/></method>"
    "<method name='FlushCaches'/><method name='RevertLink'><arg type='i' "
    "direction='in'/></method>"
    "<property name='DNS' type='a(iiay)' access='read'/>"
    "<property name='Domains' type='a(isb)' access='read'/></interface>"
    "<interface name='org.freedesktop.NetworkManager'>"
    "<method name='GetDeviceByIpIface'><arg type='s' direction='in'/><arg type='o' "
    "direction='out'/></method>"
    "<signal name='DeviceAdded'><arg type='o'/></signal>"
    "<property name='ConnectivityCheckUri' type='s' access='read'/></interface>"
    "<interface name='org.freedesktop.NetworkManager.Device'>"
    "<property name='Managed' type='b' access='readwrite'/></interface>"
    "<interface name='org.freedesktop.NetworkManager.DnsManager'>"
    "<property name='Configuration' type='aa{sv}' access='read'/></interface></node>";

static void
method_cb (GDBusConnection *connection,
           const char *sender,
           const char *path,
           const char *interface,
           const char *method,
           GVariant *arguments,
           GDBusMethodInvocation *invocation,
           gpointer user_data)
{
  Fixture *fixture = user_data;
  g_autofree char *text = g_variant_print (arguments, FALSE);

  g_string_append_printf (fixture->log, "%s%s\n", method, text);
  if (g_strcmp0 (method, fixture->refused) == 0)
    g_dbus_method_invocation_return_dbus_error (invocation, "org.freedesktop.resolve1.LinkBusy",
                                                "Link is managed.");
  else if (strcmp (method, "GetDeviceByIpIface") == 0 && !fixture->knows_device)
    g_dbus_method_invocation_return_dbus_error (
        invocation, "org.freedesktop.NetworkManager.UnknownDevice", "No device found");
  else if (strcmp (method, "GetDeviceByIpIface") == 0)
    g_dbus_method_invocation_return_value (
        invocation, g_variant_new ("(o)", "/org/freedesktop/NetworkManager/Devices/9"));
  else
    g_dbus_method_invocation_return_value (invocation, NULL);
}

static GVariant *
get_cb (GDBusConnection *connection,
        const char *sender,
        const char *path,
        const char *interface,
        const char *property,
        GError **error,
        gpointer user_data)
{
  Fixture *fixture = user_data;

  if (strcmp (property, "Managed") == 0)
    return g_variant_new_boolean (fixture->is_managed);
  if (strcmp (property, "DNS") == 0)
    return g_variant_new_parsed (
        "[(7, 2, [byte 198, 18, 0, 2]), (2, 2, [byte 192, 0, 2, 53]), "
        "(2, 10, [byte 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "
        "0, 1]), (2, 2, [byte 1])]");
  if (strcmp (property, "Domains") == 0)
    return g_variant_new_parsed (
        "[(7, '.', true), (2, 'Lan.Example.', false), (2, 'com', false),"
        " (0, 'lan.example', false), (3, 'corp.example', true)]");
  if (strcmp (property, "ConnectivityCheckUri") == 0)
    return g_variant_new_string (fixture->check_uri);
  return g_variant_new_parsed (
      "[{'nameservers': <['192.0.2.54', 'junk']>, 'domains': <['nm.example', '~x.y', '~.']>, "
      "'interface': <'eth0'>}, "
      "{'nameservers': <['127.0.0.9']>, 'domains': <['own.example']>, "
      "'interface': <'lo'>}]");
}

static gboolean
set_cb (GDBusConnection *connection,
        const char *sender,
        const char *path,
        const char *interface,
        const char *property,
        GVariant *value,
        GError **error,
        gpointer user_data)
{
  Fixture *fixture = user_data;

  fixture->is_managed = g_variant_get_boolean (value);
  return TRUE;
}

static const GDBusInterfaceVTable vtable = { method_cb, get_cb, set_cb, { 0 } };

static GDBusConnection *
connect_to (GTestDBus *bus)
{
  g_autoptr (GError) error = NULL;
  GDBusConnection *connection = g_dbus_connection_new_for_address_sync (
      g_test_dbus_get_bus_address (bus),
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL, NULL, &error);

  g_assert_no_error (error);
  return connection;
}

static void
own (Fixture *fixture, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
      fixture->service, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
      "RequestName", g_variant_new ("(su)", name, 4), NULL, 0, -1, NULL, &error);

  g_assert_no_error (error);
}

static void
serve (Fixture *fixture)
{
  static const char *const paths[] = {
    "/org/freedesktop/resolve1",
    "/org/freedesktop/NetworkManager",
    "/org/freedesktop/NetworkManager/Devices/9",
    "/org/freedesktop/NetworkManager/DnsManager",
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (interfaces, &error);

  g_assert_no_error (error);
  fixture->service = connect_to (fixture->bus);
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_dbus_connection_register_object (fixture->service, paths[i], node->interfaces[i],
                                         &vtable, fixture, NULL, &error);
      g_assert_no_error (error);
    }
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->bus = g_test_dbus_new (G_TEST_DBUS_NONE);
  g_test_dbus_up (fixture->bus);
  fixture->log = g_string_new (NULL);
  fixture->client = connect_to (fixture->bus);
  fixture->is_managed = TRUE;
  serve (fixture);
  fixture->dir = g_dir_make_tmp ("t2pn-dns-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->conf = g_build_filename (fixture->dir, "resolv.conf", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autofree char *journal = g_build_filename (fixture->dir, "journal", NULL);

  g_dbus_connection_close_sync (fixture->client, NULL, NULL);
  g_dbus_connection_close_sync (fixture->service, NULL, NULL);
  g_object_unref (fixture->client);
  g_object_unref (fixture->service);
  g_test_dbus_down (fixture->bus);
  g_object_unref (fixture->bus);
  g_string_free (fixture->log, TRUE);
  g_unlink (fixture->conf);
  g_rmdir (journal);
  g_assert_cmpint (g_rmdir (fixture->dir), ==, 0);
  g_free (fixture->dir);
  g_free (fixture->conf);
}

static void
store_result_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

static GAsyncResult *
wait_for (GAsyncResult **result)
{
  while (*result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return *result;
}

static T2pnResolver *
choose (Fixture *fixture, T2pScope scope)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  T2pnResolver *resolver;

  t2pn_resolver_choose_async (fixture->client, scope, fixture->conf, NULL, store_result_cb,
                              &result);
  resolver = t2pn_resolver_choose_finish (wait_for (&result), &error);
  g_assert_no_error (error);
  return resolver;
}

static gboolean
apply (T2pnResolver *resolver, const char *const *domains, T2pnJournal *journal, GError **error)
{
  T2pIpAddress server = t2p_ip_address_from_v4 (0xc6120002);
  T2pnResolverConfig config = {
    .ifindex = 7, .servers = &server, .n_servers = 1, .domains = domains
  };
  g_autoptr (GAsyncResult) result = NULL;

  t2pn_resolver_apply_async (resolver, &config, journal, NULL, store_result_cb, &result);
  return t2pn_resolver_apply_finish (resolver, wait_for (&result), error);
}

static void
revert (T2pnResolver *resolver)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  t2pn_resolver_revert_async (resolver, NULL, store_result_cb, &result);
  t2pn_resolver_revert_finish (resolver, wait_for (&result), &error);
  g_assert_no_error (error);
}

static const char *const everything[] = { ".", NULL };
static const char *const corp[] = { "corp.example", "*.lab.example", NULL };

#define APPLIED                                                                                \
  "SetLinkDNSSEC(7, 'no')\n"                                                                   \
  "SetLinkDNSOverTLS(7, 'no')\n"                                                               \
  "SetLinkDNS(7, [(2, [0xc6, 0x12, 0x00, 0x02])])\n"                                           \
  "SetLinkDomains(7, [('.', true)])\n"                                                         \
  "SetLinkDefaultRoute(7, true)\n"                                                             \
  "FlushCaches()\n"

static void
test_resolved (Fixture *fixture, gconstpointer data)
{
  g_autoptr (T2pnResolver) resolver = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (fixture->conf, "nameserver 127.0.0.53\n", -1, NULL));
  own (fixture, "org.freedesktop.resolve1");
  resolver = choose (fixture, T2P_SCOPE_SYSTEM);
  g_assert_cmpstr (t2pn_resolver_get_name (resolver), ==, "resolved");
  apply (resolver, everything, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (fixture->log->str, ==, APPLIED);
  g_string_truncate (fixture->log, 0);
  revert (resolver);
  revert (resolver);
  g_assert_cmpstr (fixture->log->str, ==, "RevertLink(7,)\nFlushCaches()\n");
}

static void
test_resolved_domains (Fixture *fixture, gconstpointer data)
{
  g_autoptr (T2pnResolver) resolver = t2pn_resolver_resolved_new (fixture->client);
  g_autoptr (GError) error = NULL;

  own (fixture, "org.freedesktop.resolve1");
  apply (resolver, corp, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (
      fixture->log->str, "SetLinkDomains(7, [('corp.example', true), ('lab.example', true)])"));
  g_assert_nonnull (strstr (fixture->log->str, "SetLinkDefaultRoute(7, false)"));
}

/* Whoever told it, tells another one the same. */
static void
assert_told_again (Fixture *fixture, T2pnResolver *resolver, const char *what)
{
  g_autoptr (GError) error = NULL;

  own (fixture, "org.freedesktop.resolve1");
  apply (resolver, everything, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (fixture->log->str, ==, what);
  for (guint i = 0; i < 20; i++) /* the watch learns the first owner */
    {
      g_main_context_iteration (NULL, FALSE);
      g_usleep (2000);
    }
  g_dbus_connection_close_sync (fixture->service, NULL, NULL);
  g_object_unref (fixture->service);
  g_string_truncate (fixture->log, 0);
  serve (fixture);
  own (fixture, "org.freedesktop.resolve1");
  while (strstr (fixture->log->str, "FlushCaches") == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (fixture->log->str, ==, what);
}

static void
test_resolved_restarts (Fixture *fixture, gconstpointer data)
{
  g_autoptr (T2pnResolver) resolver = t2pn_resolver_resolved_new (fixture->client);

  assert_told_again (fixture, resolver, APPLIED);
}

static void
test_resolved_restarts_under_nm (Fixture *fixture, gconstpointer data)
{
  g_autoptr (T2pnResolver) resolver = t2pn_resolver_nm_new (fixture->client, TRUE);

  assert_told_again (fixture, resolver, "SetLinkDNSSEC(7, 'no')\nFlushCaches()\n");
  g_string_truncate (fixture->log, 0);
  revert (resolver);
  g_assert_cmpstr (fixture->log->str, ==, ""); /* the profile takes it with it */
}

static void
test_resolved_reverted_meanwhile (Fixture *fixture, gconstpointer data)
{
  g_autoptr (T2pnResolver) resolver = t2pn_resolver_resolved_new (fixture->client);
  T2pIpAddress server = t2p_ip_address_from_v4 (0xc6120002);
  T2pnResolverConfig config = {
    .ifindex = 7, .servers = &server, .n_servers = 1, .domains = everything
  };
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  own (fixture, "org.freedesktop.resolve1");
  t2pn_resolver_apply_async (resolver, &config, NULL, NULL, store_result_cb, &result);
  revert (resolver);
  g_assert_false (t2pn_resolver_apply_finish (resolver, wait_for (&result), &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpstr (fixture->log->str, ==,
                   "SetLinkDNSSEC(7, 'no')\nRevertLink(7,)\nFlushCaches()\n");
}

static void
test_resolved_refuses (Fixture *fixture, gconstpointer data)
{
  g_autoptr (T2pnResolver) resolver = t2pn_resolver_resolved_new (fixture->client);
  g_autoptr (GError) error = NULL;

  own (fixture, "org.freedesktop.resolve1");
  fixture->refused = "SetLinkDNS";
  g_assert_false (apply (resolver, everything, NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_DNS_SETUP_FAILED);
  g_assert_nonnull (strstr (error->message, "SetLinkDNS: Link is managed."));
  revert (resolver);
}

static void
test_resolved_gone_at_revert (Fixture *fixture, gconstpointer data)
{
  g_autoptr (T2pnResolver) resolver = t2pn_resolver_resolved_new (fixture->client);
  g_autoptr (GError) error = NULL;

  own (fixture, "org.freedesktop.resolve1");
  apply (resolver, everything, NULL, &error);
  g_assert_no_error (error);
  g_dbus_connection_close_sync (fixture->service, NULL, NULL);
  revert (resolver);
}

/* --- the uplink's servers */

static void
assert_servers (Fixture *fixture,
                GDBusConnection *bus,
                const char *expected,
                const char *expected_domains)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) own_links = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GArray) servers = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  g_auto (GStrv) domains = NULL;
  g_autofree char *joined = NULL;
  const int own_ifindex = 7;
  const int lo = 1;

  g_array_append_val (own_links, own_ifindex);
  g_array_append_val (own_links, lo); /* stands for a tun, for it has a name everywhere */
  t2pn_uplink_dns_async (bus, own_links, fixture->conf, NULL, store_result_cb, &result);
  servers = t2pn_uplink_dns_finish (wait_for (&result), &domains, &error);
  g_assert_no_error (error);
  joined = g_strjoinv (" ", domains);
  g_assert_cmpstr (joined, ==, expected_domains);
  for (guint i = 0; i < servers->len; i++)
    {
      char formatted[T2P_ENDPOINT_STRLEN];

      t2p_ip_endpoint_format (&g_array_index (servers, T2pIpEndpoint, i), formatted);
      g_string_append_printf (text, "%s ", formatted);
    }
  g_assert_cmpstr (text->str, ==, expected);
}

static void
test_file (Fixture *fixture, gconstpointer data)
{
  g_autoptr (T2pnJournal) journal = t2pn_journal_new (fixture->dir, "1", NULL);
  g_autoptr (T2pnResolver) resolver = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *during = NULL;
  g_autofree char *second = NULL;
  T2pIpAddress other = t2p_ip_address_from_v4 (0xc6124002);
  g_autofree char *after = NULL;
  const char *before = "search lan.example\nnameserver 192.0.2.53\noptions edns0\n";

  g_assert_true (g_file_set_contents (fixture->conf, before, -1, NULL));
  own (fixture, "org.freedesktop.resolve1"); /* it runs, but names do not go to it */
  resolver = choose (fixture, T2P_SCOPE_SYSTEM);
  g_assert_cmpstr (t2pn_resolver_get_name (resolver), ==, "file");
  g_assert_false (apply (resolver, corp, journal, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_DNS_SETUP_FAILED);
  g_clear_error (&error);
  apply (resolver, everything, journal, &error);
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (fixture->conf, &during, NULL, NULL));
  g_assert_nonnull (strstr (during, "\nnameserver 198.18.0.2\nsearch lan.example\n"
                                    "# was: nameserver 192.0.2.53\noptions edns0\n"));
  assert_servers (fixture, NULL, "192.0.2.53:53 ", "lan.example"); /* the uplink's */
  second = t2pn_resolver_file_compose (&other, 1, during);
  g_assert_nonnull (strstr (second, "\nnameserver 198.18.64.2\n"));
  g_assert_nonnull (strstr (second, "\n# was: nameserver 192.0.2.53\n"));
  g_assert_null (strstr (second, "198.18.0.2"));
  revert (resolver);
  g_assert_true (g_file_get_contents (fixture->conf, &after, NULL, NULL));
  g_assert_cmpstr (after, ==, before);
  g_assert_true (t2pn_journal_undo (journal, NULL));
}

static void
test_user_scope (Fixture *fixture, gconstpointer data)
{
  g_autoptr (T2pnResolver) resolver = NULL;
  g_autoptr (GError) error = NULL;

  own (fixture, "org.freedesktop.resolve1");
  resolver = choose (fixture, T2P_SCOPE_USER);
  g_assert_cmpstr (t2pn_resolver_get_name (resolver), ==, "none");
  g_assert_true (apply (resolver, everything, NULL, &error));
  revert (resolver);
  g_assert_cmpstr (fixture->log->str, ==, "");
}

static void
test_uplink_dns (Fixture *fixture, gconstpointer data)
{
  g_assert_true (g_file_set_contents (fixture->conf,
                                      "nameserver 192.0.2.55\n  nameserver\t2001:db8::53 # x\n"
                                      "nameserver fe80::1%eth0\n#nameserver 192.0.2.1\n"
                                      "search  Conf.Example. com . conf.example\n#search a.b\n",
                                      -1, NULL));
  assert_servers (fixture, NULL, "192.0.2.55:53 [2001:db8::53]:53 ", "conf.example");
  assert_servers (fixture, fixture->client, "192.0.2.55:53 [2001:db8::53]:53 ", "conf.example");
  own (fixture, "org.freedesktop.NetworkManager");
  assert_servers (fixture, fixture->client, "192.0.2.54:53 ", "nm.example x.y");
  own (fixture, "org.freedesktop.resolve1");
  assert_servers (fixture, fixture->client, "192.0.2.53:53 ", "lan.example corp.example");
  g_unlink (fixture->conf);
  assert_servers (fixture, NULL, "", "");
}

/* --- NetworkManager's connectivity check */

static char *
ask_host (Fixture *fixture)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  char *host;

  t2pn_connectivity_host_async (fixture->client, NULL, store_result_cb, &result);
  host = t2pn_connectivity_host_finish (wait_for (&result), &error);
  g_assert_no_error (error);
  return host;
}

static void
count_cb (gpointer user_data)
{
  (*(guint *) user_data)++;
}

static void
tell_changed (Fixture *fixture, const char *property)
{
  g_dbus_connection_emit_signal (
      fixture->service, NULL, "/org/freedesktop/NetworkManager",
      "org.freedesktop.DBus.Properties", "PropertiesChanged",
      g_variant_new_parsed ("('org.freedesktop.NetworkManager', {%s: <'x'>}, @as [])",
                            property),
      NULL);
}

static void
test_connectivity_host (Fixture *fixture, gconstpointer data)
{
  guint n = 0;
  g_autoptr (T2pnUplinkWatch) watch = t2pn_uplink_watch_new (fixture->client, count_cb, &n);
  g_autofree char *absent = ask_host (fixture);
  g_autofree char *host = NULL;
  g_autofree char *none = NULL;

  g_assert_null (absent);
  own (fixture, "org.freedesktop.NetworkManager");
  fixture->check_uri = "http://Check.Example:8080/x?y";
  host = ask_host (fixture);
  g_assert_cmpstr (host, ==, "check.example");
  g_assert_cmpuint (n, >=, 1); /* it has come */
  n = 0;
  tell_changed (fixture, "ActiveConnections");
  tell_changed (fixture, "ConnectivityCheckUri");
  fixture->check_uri = "http://192.0.2.1/";
  none = ask_host (fixture);
  g_assert_null (none);
  g_assert_cmpuint (n, ==, 1);
}

/* --- NetworkManager */

static gboolean
device_added_cb (gpointer user_data)
{
  Fixture *fixture = user_data;

  fixture->knows_device = TRUE;
  g_dbus_connection_emit_signal (
      fixture->service, NULL, "/org/freedesktop/NetworkManager",
      "org.freedesktop.NetworkManager", "DeviceAdded",
      g_variant_new ("(o)", "/org/freedesktop/NetworkManager/Devices/9"), NULL);
  return G_SOURCE_REMOVE;
}

static void
test_nm_absent (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  gboolean was_running = TRUE;

  t2pn_nm_release_async (fixture->client, "t2p0", NULL, store_result_cb, &result);
  g_assert_true (t2pn_nm_release_finish (wait_for (&result), &was_running, NULL));
  g_assert_false (was_running);
}

static void
test_nm_lets_go (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  gboolean was_running = FALSE;

  own (fixture, "org.freedesktop.NetworkManager");
  g_timeout_add (100, device_added_cb, fixture);
  t2pn_nm_release_async (fixture->client, "t2p0", NULL, store_result_cb, &result);
  t2pn_nm_release_finish (wait_for (&result), &was_running, &error);
  g_assert_no_error (error);
  g_assert_true (was_running);
  g_assert_false (fixture->is_managed);
}

static void
test_nm_never_learns (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  own (fixture, "org.freedesktop.NetworkManager");
  t2pn_nm_release_async (fixture->client, "t2p0", NULL, store_result_cb, &result);
  g_assert_false (t2pn_nm_release_finish (wait_for (&result), NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_NETWORK_MANAGER_FAILED);
  g_assert_nonnull (strstr (error->message, "t2p0"));
}

static gboolean
cancel_cb (gpointer user_data)
{
  g_cancellable_cancel (user_data);
  return G_SOURCE_REMOVE;
}

static void
test_nm_cancelled (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  gint64 begin = g_get_monotonic_time ();

  own (fixture, "org.freedesktop.NetworkManager");
  g_timeout_add (100, cancel_cb, cancellable);
  t2pn_nm_release_async (fixture->client, "t2p0", cancellable, store_result_cb, &result);
  g_assert_false (t2pn_nm_release_finish (wait_for (&result), NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 3 * G_USEC_PER_SEC);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add (name, Fixture, NULL, set_up, function, tear_down)
  ADD ("/resolver/resolved/applied-and-reverted", test_resolved);
  ADD ("/resolver/resolved/routing-domains", test_resolved_domains);
  ADD ("/resolver/resolved/restart-gets-it-again", test_resolved_restarts);
  ADD ("/resolver/resolved/restart-under-nm-gets-it-again", test_resolved_restarts_under_nm);
  ADD ("/resolver/resolved/reverted-while-it-is-applied", test_resolved_reverted_meanwhile);
  ADD ("/resolver/resolved/refusal-names-the-method", test_resolved_refuses);
  ADD ("/resolver/resolved/gone-at-revert-is-no-failure", test_resolved_gone_at_revert);
  ADD ("/resolver/file/replaced-and-restored", test_file);
  ADD ("/resolver/user-scope-tells-nobody", test_user_scope);
  ADD ("/uplink-dns/resolved-then-nm-then-file", test_uplink_dns);
  ADD ("/nm/connectivity-check-is-read-and-followed", test_connectivity_host);
  ADD ("/nm/absent", test_nm_absent);
  ADD ("/nm/lets-go-when-it-has-learned", test_nm_lets_go);
  ADD ("/nm/never-learns", test_nm_never_learns);
  ADD ("/nm/cancelled-while-waiting", test_nm_cancelled);
  return g_test_run ();
}
