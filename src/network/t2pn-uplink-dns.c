/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Three sources, asked in turn until one names a server: systemd-resolved (Manager.DNS, an
 * `a(iiay)` of link, family and address for every link and the global ones), NetworkManager
 * (DnsManager.Configuration, an array of dictionaries), resolv.conf. Where resolvconf writes
 * that, its records are read instead, for the file has those of a tunnel. The search domains
 * are those of the source that named the servers. A service that is not running is not started
 * for this.
 */
#include "config.h"

#include "t2pn-uplink-dns.h"

#include "t2pn-command.h"
#include "t2pn-resolv-conf.h"
#include "t2pn-resolvconf-program.h"
#include "t2pn-search-domains.h"

#include <net/if.h>
#include <string.h>

#define DNS_PORT 53
#define MAX_SERVERS 16
#define DEFAULT_RESOLV_CONF "/etc/resolv.conf"
/* What systemd-resolved keeps for those who cannot use its stub. */
#define RESOLVED_UPSTREAMS "/run/systemd/resolve/resolv.conf"
#define MAX_RESOLV_CONF_BYTES (64 * 1024)
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define CALL_TIMEOUT_MS 3000

typedef struct
{
  GDBusConnection *bus;
  GArray *own; /* of int */
  char *resolv_conf;
  GArray *servers; /* of T2pIpEndpoint: the result */
  T2pnSearchDomains *domains;
} Query;

static void
query_free (Query *query)
{
  g_clear_object (&query->bus);
  g_clear_pointer (&query->own, g_array_unref);
  g_clear_pointer (&query->servers, g_array_unref);
  t2pn_search_domains_free (query->domains);
  g_free (query->resolv_conf);
  g_free (query);
}

static GArray *
new_servers (void)
{
  return g_array_new (FALSE, TRUE, sizeof (T2pIpEndpoint));
}

/* A link-local server needs a scope, which an endpoint does not have. */
static gboolean
is_usable (const T2pIpAddress *address, gboolean skip_loopback)
{
  return !t2p_ip_address_is_unspecified (address) && !t2p_ip_address_is_multicast (address) &&
         !t2p_ip_address_is_link_local (address) &&
         !(skip_loopback && t2p_ip_address_is_loopback (address));
}

static void
add_server (GArray *servers, const T2pIpAddress *address, gboolean skip_loopback)
{
  T2pIpEndpoint endpoint;

  memset (&endpoint, 0, sizeof endpoint);
  endpoint.address = *address;
  endpoint.port = DNS_PORT;
  if (servers->len >= MAX_SERVERS || !is_usable (address, skip_loopback))
    return;
  for (guint i = 0; i < servers->len; i++)
    if (t2p_ip_endpoint_equal (&g_array_index (servers, T2pIpEndpoint, i), &endpoint))
      return;
  g_array_append_val (servers, endpoint);
}

/* --- resolv.conf */

/* The first word after `nameserver`, or NULL for another line. (transfer full) */
static char *
server_of_line (const char *line)
{
  g_auto (GStrv) words = g_strsplit_set (line, " \t\r", -1);
  gboolean is_server = FALSE;

  for (guint i = 0; words[i] != NULL; i++)
    {
      if (words[i][0] == '\0')
        continue;
      if (is_server)
        return g_strdup (words[i]);
      if (strcmp (words[i], "nameserver") != 0)
        return NULL;
      is_server = TRUE;
    }
  return NULL;
}

GArray *
t2pn_uplink_dns_parse (const char *resolv_conf_text, gboolean skip_loopback)
{
  g_auto (GStrv) lines = g_strsplit (resolv_conf_text, "\n", -1);
  gboolean is_ours = g_str_has_prefix (resolv_conf_text, T2PN_RESOLV_CONF_HEADER);
  GArray *servers = new_servers ();

  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_autofree char *server = NULL;
      T2pIpAddress address;

      if (!is_ours)
        server = server_of_line (lines[i]);
      else if (g_str_has_prefix (lines[i], T2PN_RESOLV_CONF_WAS))
        server = server_of_line (lines[i] + strlen (T2PN_RESOLV_CONF_WAS));
      if (server != NULL && t2p_ip_address_parse (server, &address))
        add_server (servers, &address, skip_loopback);
    }
  return servers;
}

static GArray *
read_resolv_conf (const Query *query, const char *path, gboolean skip_loopback)
{
  g_autofree char *text = NULL;
  gsize length;

  if (!g_file_get_contents (path, &text, &length, NULL) || length > MAX_RESOLV_CONF_BYTES)
    return new_servers ();
  t2pn_search_domains_add_conf (query->domains, text);
  return t2pn_uplink_dns_parse (text, skip_loopback);
}

static void
end (GTask *task, GArray *servers)
{
  Query *query = g_task_get_task_data (task);

  query->servers = servers;
  g_task_return_boolean (task, TRUE);
}

static gboolean
names_resolved_stub (const GArray *servers)
{
  T2pIpAddress stub = t2p_ip_address_from_v4 (0x7f000035);

  for (guint i = 0; i < servers->len; i++)
    if (t2p_ip_address_equal (&g_array_index (servers, T2pIpEndpoint, i).address, &stub))
      return TRUE;
  return FALSE;
}

/* A server on loopback (dnsmasq, unbound) is a good one: what it asks itself is its affair. */
static void
ask_resolv_conf_file (GTask *task)
{
  const Query *query = g_task_get_task_data (task);
  g_autoptr (GArray) servers = read_resolv_conf (query, query->resolv_conf, FALSE);

  if (names_resolved_stub (servers))
    {
      g_array_unref (servers);
      servers = read_resolv_conf (query, RESOLVED_UPSTREAMS, TRUE);
    }
  end (task, g_steal_pointer (&servers));
}

/* Not a server on loopback here: it asks what resolvconf tells it, a tunnel as well. */
static void
records_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  const Query *query = g_task_get_task_data (task);
  g_autofree char *listing = t2pn_command_run_finish (result, NULL);
  g_autofree char *others = NULL;

  if (listing == NULL)
    {
      end (task, new_servers ());
      return;
    }
  others = t2pn_resolvconf_strip_own (listing);
  t2pn_search_domains_add_conf (query->domains, others);
  end (task, t2pn_uplink_dns_parse (others, TRUE));
}

static void
ask_resolv_conf (GTask *task)
{
  const Query *query = g_task_get_task_data (task);
  g_autofree char *program = t2pn_resolvconf_find ();
  const char *const argv[] = { program, "-l", NULL };

  if (program == NULL || !t2pn_resolvconf_owns (query->resolv_conf))
    ask_resolv_conf_file (task);
  else
    t2pn_command_run_async (argv, "", CALL_TIMEOUT_MS, g_task_get_cancellable (task),
                            records_cb, g_object_ref (task));
}

/* --- NetworkManager */

static gboolean
is_own_link (const Query *query, int ifindex)
{
  for (guint i = 0; query->own != NULL && i < query->own->len; i++)
    if (g_array_index (query->own, int, i) == ifindex)
      return TRUE;
  return FALSE;
}

static gboolean
is_own_name (const Query *query, const char *ifname)
{
  guint ifindex = ifname != NULL ? if_nametoindex (ifname) : 0;

  return ifindex != 0 && is_own_link (query, (int) ifindex);
}

static void
take_nm_entry (const Query *query, GVariant *entry, GArray *servers)
{
  g_autofree const char **texts = NULL;
  g_autofree const char **domains = NULL;
  const char *ifname = NULL;

  g_variant_lookup (entry, "interface", "&s", &ifname);
  if (is_own_name (query, ifname) || !g_variant_lookup (entry, "nameservers", "^a&s", &texts))
    return;
  for (guint i = 0; texts[i] != NULL; i++)
    {
      T2pIpAddress address;

      if (t2p_ip_address_parse (texts[i], &address))
        add_server (servers, &address, FALSE);
    }
  if (!g_variant_lookup (entry, "domains", "^a&s", &domains))
    return;
  for (guint i = 0; domains[i] != NULL; i++)
    t2pn_search_domains_add (query->domains, domains[i]);
}

/* Cancelled is the one failure that is told; after the others the next source is asked. */
static gboolean
ends_with_cancelled (GTask *task, const GError *error)
{
  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return FALSE;
  g_task_return_error (task, g_error_copy (error));
  return TRUE;
}

static GVariant *
finish_get (GObject *source, GAsyncResult *result, const char *type, GError **error)
{
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, error);
  GVariant *value = NULL;

  if (reply == NULL)
    return NULL;
  g_variant_get (reply, "(v)", &value);
  if (!g_variant_is_of_type (value, G_VARIANT_TYPE (type)))
    g_clear_pointer (&value, g_variant_unref);
  return value;
}

static void
get_property (GTask *task,
              const char *name,
              const char *path,
              const char *interface,
              const char *property,
              GAsyncReadyCallback callback)
{
  const Query *query = g_task_get_task_data (task);

  g_dbus_connection_call (query->bus, name, path, PROPERTIES, "Get",
                          g_variant_new ("(ss)", interface, property), G_VARIANT_TYPE ("(v)"),
                          G_DBUS_CALL_FLAGS_NO_AUTO_START, CALL_TIMEOUT_MS,
                          g_task_get_cancellable (task), callback, g_object_ref (task));
}

static void
nm_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  const Query *query = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) entries = finish_get (source, result, "aa{sv}", &error);
  g_autoptr (GArray) servers = new_servers ();

  if (ends_with_cancelled (task, error))
    return;
  for (gsize i = 0; entries != NULL && i < g_variant_n_children (entries); i++)
    {
      g_autoptr (GVariant) entry = g_variant_get_child_value (entries, i);

      take_nm_entry (query, entry, servers);
    }
  if (servers->len == 0)
    ask_resolv_conf (task);
  else
    end (task, g_steal_pointer (&servers));
}

/* --- systemd-resolved */

static void
resolved_domains_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  const Query *query = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) entries = finish_get (source, result, "a(isb)", &error);

  if (ends_with_cancelled (task, error))
    return;
  for (gsize i = 0; entries != NULL && i < g_variant_n_children (entries); i++)
    {
      const char *domain;
      int ifindex;

      g_variant_get_child (entries, i, "(i&sb)", &ifindex, &domain, NULL);
      if (!is_own_link (query, ifindex))
        t2pn_search_domains_add (query->domains, domain);
    }
  g_task_return_boolean (task, TRUE);
}

static void
take_resolved_entry (const Query *query, GVariant *entry, GArray *servers)
{
  g_autoptr (GVariant) bytes = NULL;
  const guint8 *data;
  gsize length;
  int ifindex, family;
  T2pIpAddress address;

  g_variant_get (entry, "(ii@ay)", &ifindex, &family, &bytes);
  data = g_variant_get_fixed_array (bytes, &length, 1);
  if (is_own_link (query, ifindex) ||
      !((family == AF_INET && length == 4) || (family == AF_INET6 && length == 16)))
    return;
  address = t2p_ip_address_from_bytes (family, data);
  add_server (servers, &address, TRUE);
}

static void
resolved_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Query *query = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) entries = finish_get (source, result, "a(iiay)", &error);
  g_autoptr (GArray) servers = new_servers ();

  if (ends_with_cancelled (task, error))
    return;
  for (gsize i = 0; entries != NULL && i < g_variant_n_children (entries); i++)
    {
      g_autoptr (GVariant) entry = g_variant_get_child_value (entries, i);

      take_resolved_entry (query, entry, servers);
    }
  if (servers->len == 0)
    {
      get_property (task, "org.freedesktop.NetworkManager",
                    "/org/freedesktop/NetworkManager/DnsManager",
                    "org.freedesktop.NetworkManager.DnsManager", "Configuration", nm_cb);
      return;
    }
  query->servers = g_steal_pointer (&servers);
  get_property (task, "org.freedesktop.resolve1", "/org/freedesktop/resolve1",
                "org.freedesktop.resolve1.Manager", "Domains", resolved_domains_cb);
}

void
t2pn_uplink_dns_async (GDBusConnection *bus,
                       const GArray *own_ifindexes,
                       const char *resolv_conf,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  Query *query = g_new0 (Query, 1);

  g_task_set_source_tag (task, t2pn_uplink_dns_async);
  g_task_set_task_data (task, query, (GDestroyNotify) query_free);
  g_set_object (&query->bus, bus);
  query->domains = t2pn_search_domains_new ();
  query->resolv_conf = g_strdup (resolv_conf != NULL ? resolv_conf : DEFAULT_RESOLV_CONF);
  if (own_ifindexes != NULL)
    query->own = g_array_copy ((GArray *) own_ifindexes);
  if (bus == NULL)
    ask_resolv_conf (task);
  else
    get_property (task, "org.freedesktop.resolve1", "/org/freedesktop/resolve1",
                  "org.freedesktop.resolve1.Manager", "DNS", resolved_cb);
}

GArray *
t2pn_uplink_dns_finish (GAsyncResult *result, char ***out_domains, GError **error)
{
  Query *query = g_task_get_task_data (G_TASK (result));

  if (!g_task_propagate_boolean (G_TASK (result), error))
    return NULL;
  if (out_domains != NULL)
    *out_domains = t2pn_search_domains_to_strv (query->domains);
  return g_steal_pointer (&query->servers);
}
