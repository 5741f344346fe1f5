/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-uplink.h"

#include "t2p-log.h"
#include "t2pn-connectivity-host.h"
#include "t2pn-udp-servers.h"
#include "t2pn-uplink-dns.h"
#include "t2pn-uplink-watch.h"

#include <string.h>

#define POOLS_PER_LINK 2

typedef struct
{
  int ifindex;
  T2pIpPrefix pools[POOLS_PER_LINK];
} OwnLink;

/** Following: bursts of news cost one look more at most. */
typedef enum
{
  FOLLOWING_IDLE,
  FOLLOWING_LOOKS,
  FOLLOWING_LOOKS_STALE,
} Following;

struct _T2pdUplink
{
  GObject parent;
  GDBusConnection *bus;
  T2pnLinkMonitor *monitor;
  GArray *own_links; /* OwnLink */
  GArray *servers;   /* T2pIpEndpoint */
  char **domains;    /* search domains of the uplink */
  char *check_host;  /* NetworkManager asks it for connectivity; NULL: none */
  T2pnUplinkWatch *watch;
  T2pnUdpWatch *udp_watch; /* while there are links of ours */
  Following following;
  GCancellable *cancellable;
};

G_DEFINE_FINAL_TYPE (T2pdUplink, t2pd_uplink, G_TYPE_OBJECT)

enum
{
  CHANGED,
  ADDRESS_CHANGED,
  RULE_REMOVED,
  OWN_REMOVED,
  ROUTES_CHANGED,
  UDP_SERVERS_CHANGED,
  LINK_REMOVED,
  N_SIGNALS,
};
static guint signals[N_SIGNALS];

static void
t2pd_uplink_dispose (GObject *object)
{
  T2pdUplink *self = T2PD_UPLINK (object);

  g_cancellable_cancel (self->cancellable);
  g_clear_pointer (&self->watch, t2pn_uplink_watch_free);
  g_clear_pointer (&self->udp_watch, t2pn_udp_watch_free);
  g_clear_object (&self->monitor);
  g_clear_object (&self->bus);
  G_OBJECT_CLASS (t2pd_uplink_parent_class)->dispose (object);
}

static void
t2pd_uplink_finalize (GObject *object)
{
  T2pdUplink *self = T2PD_UPLINK (object);

  g_clear_object (&self->cancellable);
  g_array_unref (self->own_links);
  g_array_unref (self->servers);
  g_strfreev (self->domains);
  g_free (self->check_host);
  G_OBJECT_CLASS (t2pd_uplink_parent_class)->finalize (object);
}

static void
t2pd_uplink_class_init (T2pdUplinkClass *klass)
{
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = t2pd_uplink_dispose;
  G_OBJECT_CLASS (klass)->finalize = t2pd_uplink_finalize;
  signals[CHANGED] =
      g_signal_new ("changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[ADDRESS_CHANGED] = g_signal_new ("address-changed", type, G_SIGNAL_RUN_LAST, 0, NULL,
                                           NULL, NULL, G_TYPE_NONE, 0);
  signals[RULE_REMOVED] = g_signal_new ("rule-removed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                        NULL, G_TYPE_NONE, 0);
  signals[OWN_REMOVED] = g_signal_new ("own-removed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                       NULL, G_TYPE_NONE, 0);
  signals[ROUTES_CHANGED] = g_signal_new ("routes-changed", type, G_SIGNAL_RUN_LAST, 0, NULL,
                                          NULL, NULL, G_TYPE_NONE, 0);
  signals[UDP_SERVERS_CHANGED] = g_signal_new ("udp-servers-changed", type, G_SIGNAL_RUN_LAST,
                                               0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[LINK_REMOVED] = g_signal_new ("link-removed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                        NULL, G_TYPE_NONE, 1, G_TYPE_INT);
}

static void
t2pd_uplink_init (T2pdUplink *self)
{
  self->own_links = g_array_new (FALSE, FALSE, sizeof (OwnLink));
  self->servers = g_array_new (FALSE, FALSE, sizeof (T2pIpEndpoint));
  self->domains = g_new0 (char *, 1);
  self->cancellable = g_cancellable_new ();
}

static gboolean
is_own (T2pdUplink *self, int ifindex, guint *out_index)
{
  for (guint i = 0; i < self->own_links->len; i++)
    if (g_array_index (self->own_links, OwnLink, i).ifindex == ifindex)
      {
        *out_index = i;
        return TRUE;
      }
  return FALSE;
}

static void
refreshed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  if (t2pd_uplink_refresh_finish (T2PD_UPLINK (source), result, &error))
    g_signal_emit (source, signals[CHANGED], 0);
}

static void
tell_and_refresh (T2pdUplink *self)
{
  g_signal_emit (self, signals[CHANGED], 0);
  t2pd_uplink_refresh_async (self, self->cancellable, refreshed_cb, NULL);
}

static void
uplink_changed_cb (T2pnLinkMonitor *monitor, gboolean has4, gboolean has6, gpointer user_data)
{
  t2p_log_info (NULL, NULL, "uplink changed: IPv4 %s, IPv6 %s", has4 ? "yes" : "no",
                has6 ? "yes" : "no");
  tell_and_refresh (user_data);
}

void
t2pd_uplink_look_again (T2pdUplink *self)
{
  if (!t2pn_link_monitor_look (self->monitor))
    tell_and_refresh (self);
}

/* What a tunnel is told, as one text. */
static char *
summarize (T2pdUplink *self)
{
  g_auto (GStrv) servers = t2pd_uplink_get_server_texts (self);
  g_autofree char *server_list = g_strjoinv (" ", servers);
  g_autofree char *domain_list = g_strjoinv (" ", self->domains);

  return g_strdup_printf ("%s, domains: %s, connectivity check: %s", server_list, domain_list,
                          self->check_host != NULL ? self->check_host : "none");
}

static void news_cb (gpointer user_data);

static void
looked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  T2pdUplink *self = T2PD_UPLINK (source);
  g_autofree char *before = user_data;
  g_autofree char *after = summarize (self);
  gboolean is_stale = self->following == FOLLOWING_LOOKS_STALE;

  self->following = FOLLOWING_IDLE;
  if (!t2pd_uplink_refresh_finish (self, result, NULL))
    return;
  if (strcmp (before, after) != 0)
    {
      t2p_log_info (NULL, NULL, "name servers of the uplink: %s", after);
      g_signal_emit (self, signals[CHANGED], 0);
    }
  if (is_stale)
    news_cb (self);
}

/* Our own changes of the resolver come by here too, and change nothing. */
static void
news_cb (gpointer user_data)
{
  T2pdUplink *self = T2PD_UPLINK (user_data);

  if (self->following != FOLLOWING_IDLE)
    {
      self->following = FOLLOWING_LOOKS_STALE;
      return;
    }
  self->following = FOLLOWING_LOOKS;
  t2pd_uplink_refresh_async (self, self->cancellable, looked_cb, summarize (self));
}

static void
address_changed_cb (T2pnLinkMonitor *monitor, int ifindex, gpointer user_data)
{
  T2pdUplink *self = T2PD_UPLINK (user_data);
  guint index;

  if (!is_own (self, ifindex, &index))
    g_signal_emit (self, signals[ADDRESS_CHANGED], 0);
}

static void
rule_removed_cb (T2pnLinkMonitor *monitor, gpointer user_data)
{
  g_signal_emit (user_data, signals[RULE_REMOVED], 0);
}

static void
own_removed_cb (T2pnLinkMonitor *monitor, gpointer user_data)
{
  g_signal_emit (user_data, signals[OWN_REMOVED], 0);
}

static void
routes_changed_cb (T2pnLinkMonitor *monitor, gpointer user_data)
{
  g_signal_emit (user_data, signals[ROUTES_CHANGED], 0);
}

static void
link_removed_cb (T2pnLinkMonitor *monitor, int ifindex, gpointer user_data)
{
  g_signal_emit (user_data, signals[LINK_REMOVED], 0, ifindex);
}

/**
 * t2pd_uplink_new:
 * @bus: (nullable): where systemd-resolved and NetworkManager are asked
 *
 * Since: 0.1
 */
T2pdUplink *
t2pd_uplink_new (GDBusConnection *bus, GError **error)
{
  g_autoptr (T2pdUplink) self = g_object_new (T2PD_TYPE_UPLINK, NULL);

  self->bus = bus != NULL ? g_object_ref (bus) : NULL;
  self->monitor = t2pn_link_monitor_new (error);
  if (self->monitor == NULL)
    return NULL;
  g_signal_connect_object (self->monitor, "uplink-changed", G_CALLBACK (uplink_changed_cb),
                           self, 0);
  g_signal_connect_object (self->monitor, "address-changed", G_CALLBACK (address_changed_cb),
                           self, 0);
  g_signal_connect_object (self->monitor, "rule-removed", G_CALLBACK (rule_removed_cb), self,
                           0);
  g_signal_connect_object (self->monitor, "own-removed", G_CALLBACK (own_removed_cb), self, 0);
  g_signal_connect_object (self->monitor, "routes-changed", G_CALLBACK (routes_changed_cb),
                           self, 0);
  g_signal_connect_object (self->monitor, "link-removed", G_CALLBACK (link_removed_cb), self,
                           0);
  if (bus != NULL)
    self->watch = t2pn_uplink_watch_new (bus, news_cb, self);
  return g_steal_pointer (&self);
}

const GArray *
t2pd_uplink_get_servers (T2pdUplink *self)
{
  return self->servers;
}

char **
t2pd_uplink_get_server_texts (T2pdUplink *self)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (guint i = 0; i < self->servers->len; i++)
    {
      char text[T2P_ENDPOINT_STRLEN];

      t2p_ip_endpoint_format (&g_array_index (self->servers, T2pIpEndpoint, i), text);
      g_strv_builder_add (builder, text);
    }
  return g_strv_builder_end (builder);
}

static void
add_name (GPtrArray *names, const char *name)
{
  if (!g_ptr_array_find_with_equal_func (names, name, g_str_equal, NULL))
    g_ptr_array_add (names, g_strdup (name));
}

char **
t2pd_uplink_make_dns_exclude (T2pdUplink *self, const T2pSettings *settings)
{
  GPtrArray *names = g_ptr_array_new ();
  const char *const *chosen = t2p_settings_get_strv (settings, "dns-exclude");

  if (self->check_host != NULL)
    add_name (names, self->check_host);
  for (guint i = 0; self->domains[i] != NULL; i++)
    add_name (names, self->domains[i]);
  for (guint i = 0; chosen[i] != NULL; i++)
    add_name (names, chosen[i]);
  g_ptr_array_add (names, NULL);
  return (char **) g_ptr_array_free (names, FALSE);
}

const char *
t2pd_uplink_get_check_host (T2pdUplink *self)
{
  return self->check_host;
}

gboolean
t2pd_uplink_has_default (T2pdUplink *self)
{
  return t2pn_link_monitor_has_default (self->monitor, AF_INET) ||
         t2pn_link_monitor_has_default (self->monitor, AF_INET6);
}

static void
add_if_used (GArray *in_use, const T2pIpAddress *address)
{
  if (address->family != AF_UNSPEC && !t2p_ip_address_is_unspecified (address))
    g_array_append_val (in_use, *address);
}

static void
add_from_snapshot (T2pdUplink *self, const T2pnSnapshot *snapshot, GArray *in_use)
{
  guint index;

  for (guint i = 0; i < snapshot->addresses->len; i++)
    {
      const T2pnAddress *address = &g_array_index (snapshot->addresses, T2pnAddress, i);

      if (!is_own (self, address->ifindex, &index))
        add_if_used (in_use, &address->address);
    }
  for (guint i = 0; i < snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (snapshot->routes, T2pnRoute, i);

      if (!is_own (self, route->ifindex, &index))
        add_if_used (in_use, &route->gateway);
    }
}

GArray *
t2pd_uplink_list_addresses_in_use (T2pdUplink *self)
{
  g_autoptr (GArray) in_use = g_array_new (FALSE, FALSE, sizeof (T2pIpAddress));
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take_around_tunnels (0, &error);

  if (snapshot != NULL)
    add_from_snapshot (self, snapshot, in_use);
  else
    t2p_log_warning (NULL, error, "could not list this machine's addresses, ignoring");
  for (guint i = 0; i < self->servers->len; i++)
    add_if_used (in_use, &g_array_index (self->servers, T2pIpEndpoint, i).address);
  return g_steal_pointer (&in_use);
}

static void
udp_servers_changed_cb (gpointer user_data)
{
  g_signal_emit (user_data, signals[UDP_SERVERS_CHANGED], 0);
}

void
t2pd_uplink_add_own_link (T2pdUplink *self,
                          int ifindex,
                          const T2pIpPrefix *pools,
                          guint n_pools)
{
  OwnLink link = { .ifindex = ifindex };

  for (guint i = 0; i < MIN (n_pools, POOLS_PER_LINK); i++)
    link.pools[i] = pools[i];
  g_array_append_val (self->own_links, link);
  t2pn_link_monitor_ignore (self->monitor, ifindex);
  if (self->udp_watch == NULL)
    self->udp_watch = t2pn_udp_watch_new (udp_servers_changed_cb, self);
}

void
t2pd_uplink_note_udp_servers (T2pdUplink *self, const T2pnSnapshot *snapshot)
{
  if (self->udp_watch != NULL)
    t2pn_udp_watch_note (self->udp_watch, snapshot->udp_servers);
}

void
t2pd_uplink_remove_own_link (T2pdUplink *self, int ifindex)
{
  guint index;

  if (is_own (self, ifindex, &index))
    g_array_remove_index_fast (self->own_links, index);
  t2pn_link_monitor_unignore (self->monitor, ifindex);
  if (self->own_links->len == 0)
    g_clear_pointer (&self->udp_watch, t2pn_udp_watch_free);
}

static gboolean
is_in_own_pool (T2pdUplink *self, const T2pIpAddress *address)
{
  for (guint i = 0; i < self->own_links->len; i++)
    for (guint j = 0; j < POOLS_PER_LINK; j++)
      {
        const T2pIpPrefix *pool = &g_array_index (self->own_links, OwnLink, i).pools[j];

        if (pool->address.family != AF_UNSPEC && t2p_ip_prefix_contains (pool, address))
          return TRUE;
      }
  return FALSE;
}

/* When resolv.conf, which names us now, was the only source, what was known before stays. */
static void
take_servers (T2pdUplink *self, GArray *servers)
{
  guint n_found = servers->len;

  for (guint i = servers->len; i > 0; i--)
    if (is_in_own_pool (self, &g_array_index (servers, T2pIpEndpoint, i - 1).address))
      g_array_remove_index (servers, i - 1);
  if (n_found > 0 && servers->len == 0)
    {
      g_array_unref (servers);
      return;
    }
  g_array_unref (self->servers);
  self->servers = servers;
}

static void
check_host_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  T2pdUplink *self = g_task_get_source_object (task);
  GError *error = NULL;
  char *host = t2pn_connectivity_host_finish (result, &error);

  if (error != NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  g_free (self->check_host);
  self->check_host = host;
  g_task_return_boolean (task, TRUE);
}

static void
servers_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pdUplink *self = g_task_get_source_object (task);
  GError *error = NULL;
  g_auto (GStrv) domains = NULL;
  GArray *servers = t2pn_uplink_dns_finish (result, &domains, &error);

  if (servers == NULL)
    {
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }
  take_servers (self, servers);
  g_strfreev (self->domains);
  self->domains = g_steal_pointer (&domains);
  t2pn_connectivity_host_async (self->bus, g_task_get_cancellable (task), check_host_cb, task);
}

void
t2pd_uplink_refresh_async (T2pdUplink *self,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  g_autoptr (GArray) ifindexes = g_array_new (FALSE, FALSE, sizeof (int));

  for (guint i = 0; i < self->own_links->len; i++)
    g_array_append_val (ifindexes, g_array_index (self->own_links, OwnLink, i).ifindex);
  t2pn_uplink_dns_async (self->bus, ifindexes, NULL, cancellable, servers_cb, task);
}

gboolean
t2pd_uplink_refresh_finish (T2pdUplink *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
