/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A rtnetlink socket that has joined the groups of interest, read by one source. Messages only
 * say what to look at; what is told comes from a new look where the state matters (default
 * routes), so that a lost message costs a dump and no truth. Changes of addresses, rules and
 * routes are told together a short time after the first of a burst; a removed link at once. */
#include "config.h"

#include "t2pn-link-monitor.h"

#include "t2pn-claims.h"
#include "t2pn-netlink-dump.h"
#include "t2pn-netlink-message.h"

#include <glib-unix.h>

#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <string.h>

#define BURST_MS 50
#define SHORT_BURST_MS 5 /* what may lead out of a tunnel waits no longer */
#define RECEIVE_BUFFER_BYTES (1024 * 1024)
#define MAX_CHANGED_LINKS 64 /* beyond it one signal with index 0 stands for all */

struct _T2pnLinkMonitor
{
  GObject parent;

  struct nl_sock *socket;
  GSource *source;
  GSource *burst;
  GSource *route_burst;
  GHashTable *ignored; /* set of ifindexes */
  GHashTable *changed; /* set of ifindexes whose addresses changed */
  gboolean is_rule_removed;
  gboolean is_own_removed;
  gboolean is_default_changed;
  GArray *defaults; /* of T2pnRoute: the default routes that count */
};

G_DEFINE_TYPE (T2pnLinkMonitor, t2pn_link_monitor, G_TYPE_OBJECT)

enum
{
  SIGNAL_LINK_REMOVED,
  SIGNAL_UPLINK_CHANGED,
  SIGNAL_ADDRESS_CHANGED,
  SIGNAL_RULE_REMOVED,
  SIGNAL_OWN_REMOVED,
  SIGNAL_ROUTES_CHANGED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

/* --- default routes */

static gboolean
is_default_of_main (const T2pnRoute *route)
{
  return route->destination.length == 0 && route->table == RT_TABLE_MAIN &&
         route->type == RTN_UNICAST;
}

static gboolean
is_ignored (T2pnLinkMonitor *self, int ifindex)
{
  return g_hash_table_contains (self->ignored, GINT_TO_POINTER (ifindex));
}

static GArray *
find_defaults (T2pnLinkMonitor *self, GError **error)
{
  g_autoptr (T2pnNetlinkDump) dump = t2pn_netlink_dump_new (error);
  g_autoptr (GArray) routes = g_array_new (FALSE, FALSE, sizeof (T2pnRoute));
  g_autoptr (GArray) defaults = g_array_new (FALSE, FALSE, sizeof (T2pnRoute));

  if (dump == NULL || !t2pn_netlink_dump_table (dump, AF_INET, RT_TABLE_MAIN, routes, error))
    return NULL;
  /* A kernel without IPv6 has no such routes. */
  if (g_file_test ("/proc/net/if_inet6", G_FILE_TEST_EXISTS) &&
      !t2pn_netlink_dump_table (dump, AF_INET6, RT_TABLE_MAIN, routes, error))
    return NULL;
  for (guint i = 0; i < routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (routes, T2pnRoute, i);

      if (is_default_of_main (route) && !is_ignored (self, route->ifindex))
        g_array_append_vals (defaults, route, 1);
    }
  return g_steal_pointer (&defaults);
}

static gboolean
are_same_defaults (const GArray *a, const GArray *b)
{
  if (a->len != b->len)
    return FALSE;
  for (guint i = 0; i < a->len; i++)
    if (!t2pn_route_equal (&g_array_index (a, T2pnRoute, i), &g_array_index (b, T2pnRoute, i)))
      return FALSE;
  return TRUE;
}

gboolean
t2pn_link_monitor_has_default (T2pnLinkMonitor *self, int family)
{
  for (guint i = 0; i < self->defaults->len; i++)
    if (g_array_index (self->defaults, T2pnRoute, i).destination.address.family == family)
      return TRUE;
  return FALSE;
}

gboolean
t2pn_link_monitor_look (T2pnLinkMonitor *self)
{
  g_autoptr (GError) error = NULL;
  GArray *defaults = find_defaults (self, &error);

  if (defaults == NULL)
    {
      g_debug ("%s, ignoring", error->message);
      return FALSE;
    }
  if (are_same_defaults (defaults, self->defaults))
    {
      g_array_unref (defaults);
      return FALSE;
    }
  g_array_unref (self->defaults);
  self->defaults = defaults;
  g_signal_emit (self, signals[SIGNAL_UPLINK_CHANGED], 0,
                 t2pn_link_monitor_has_default (self, AF_INET),
                 t2pn_link_monitor_has_default (self, AF_INET6));
  return TRUE;
}

/* --- bursts */

static void
tell_addresses (T2pnLinkMonitor *self)
{
  g_autoptr (GHashTable) changed = g_steal_pointer (&self->changed);
  GHashTableIter iter;
  gpointer ifindex;

  self->changed = g_hash_table_new (NULL, NULL);
  if (g_hash_table_size (changed) > MAX_CHANGED_LINKS)
    {
      g_signal_emit (self, signals[SIGNAL_ADDRESS_CHANGED], 0, 0);
      return;
    }
  g_hash_table_iter_init (&iter, changed);
  while (g_hash_table_iter_next (&iter, &ifindex, NULL))
    g_signal_emit (self, signals[SIGNAL_ADDRESS_CHANGED], 0, GPOINTER_TO_INT (ifindex));
}

static gboolean
burst_cb (gpointer user_data)
{
  g_autoptr (T2pnLinkMonitor) self = g_object_ref (user_data);
  gboolean is_rule_removed = self->is_rule_removed;
  gboolean is_own_removed = self->is_own_removed;

  g_source_destroy (self->burst);
  g_clear_pointer (&self->burst, g_source_unref);
  self->is_rule_removed = self->is_own_removed = FALSE;
  if (self->is_default_changed)
    {
      self->is_default_changed = FALSE;
      t2pn_link_monitor_look (self);
    }
  tell_addresses (self);
  if (is_rule_removed)
    g_signal_emit (self, signals[SIGNAL_RULE_REMOVED], 0);
  if (is_own_removed)
    g_signal_emit (self, signals[SIGNAL_OWN_REMOVED], 0);
  return G_SOURCE_REMOVE;
}

static GSource *
start_timer (T2pnLinkMonitor *self, guint ms, GSourceFunc callback)
{
  GSource *timer = g_timeout_source_new (ms);

  g_source_set_callback (timer, callback, self, NULL);
  g_source_attach (timer, g_source_get_context (self->source));
  return timer;
}

static void
start_burst (T2pnLinkMonitor *self)
{
  if (self->burst == NULL)
    self->burst = start_timer (self, BURST_MS, burst_cb);
}

static gboolean
route_burst_cb (gpointer user_data)
{
  g_autoptr (T2pnLinkMonitor) self = g_object_ref (user_data);

  g_source_destroy (self->route_burst);
  g_clear_pointer (&self->route_burst, g_source_unref);
  g_signal_emit (self, signals[SIGNAL_ROUTES_CHANGED], 0);
  return G_SOURCE_REMOVE;
}

static void
start_route_burst (T2pnLinkMonitor *self)
{
  if (self->route_burst == NULL)
    self->route_burst = start_timer (self, SHORT_BURST_MS, route_burst_cb);
}

/* --- messages */

static void
note_own_removed (T2pnLinkMonitor *self)
{
  self->is_own_removed = TRUE;
  start_burst (self);
}

/* IPv4 routes go silently when a link goes down: ours, and default routes. */
static void
take_new_link (T2pnLinkMonitor *self, struct nlmsghdr *header)
{
  T2pnLink link;

  self->is_default_changed = TRUE;
  start_burst (self);
  if (t2pn_netlink_parse_link (header, &link) && is_ignored (self, link.ifindex) &&
      (link.flags & IFF_UP) == 0)
    note_own_removed (self);
}

static void
take_link (T2pnLinkMonitor *self, struct nlmsghdr *header)
{
  T2pnLink link;

  if (!t2pn_netlink_parse_link (header, &link))
    return;
  g_hash_table_remove (self->ignored, GINT_TO_POINTER (link.ifindex));
  g_signal_emit (self, signals[SIGNAL_LINK_REMOVED], 0, link.ifindex);
}

static void
take_address (T2pnLinkMonitor *self, struct nlmsghdr *header)
{
  T2pnAddress address;

  if (!t2pn_netlink_parse_address (header, &address))
    return;
  if (g_hash_table_size (self->changed) <= MAX_CHANGED_LINKS)
    g_hash_table_add (self->changed, GINT_TO_POINTER (address.ifindex));
  start_burst (self);
  if (header->nlmsg_type == RTM_DELADDR && is_ignored (self, address.ifindex))
    note_own_removed (self);
}

/* A routing daemon changes thousands of them, and asks nobody on the link. */
static gboolean
is_of_routing_daemon (const T2pnRoute *route)
{
  return route->protocol > RTPROT_STATIC && route->protocol != RTPROT_RA &&
         route->protocol != RTPROT_DHCP;
}

static void
take_route (T2pnLinkMonitor *self, struct nlmsghdr *header)
{
  T2pnRoute route;

  if (!t2pn_netlink_parse_route (header, &route))
    return;
  t2pn_claims_tag_route (&route);
  if (header->nlmsg_type == RTM_DELROUTE && route.protocol == T2PN_PROTOCOL)
    note_own_removed (self);
  if (route.table != RT_TABLE_MAIN)
    return;
  if (is_default_of_main (&route))
    {
      self->is_default_changed = TRUE;
      start_burst (self);
    }
  if (!is_of_routing_daemon (&route))
    start_route_burst (self);
}

static void
take_rule (T2pnLinkMonitor *self, struct nlmsghdr *header)
{
  T2pnRule rule;

  if (!t2pn_netlink_parse_rule (header, &rule))
    return;
  t2pn_claims_tag_rule (&rule);
  if (rule.protocol != T2PN_PROTOCOL)
    return;
  self->is_rule_removed = TRUE;
  start_burst (self);
}

static int
message_cb (struct nl_msg *message, void *user_data)
{
  T2pnLinkMonitor *self = user_data;
  struct nlmsghdr *header = nlmsg_hdr (message);

  switch (header->nlmsg_type)
    {
    case RTM_DELLINK:
      take_link (self, header);
      break;
    case RTM_NEWLINK:
      take_new_link (self, header);
      break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
      take_address (self, header);
      break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      take_route (self, header);
      break;
    case RTM_DELRULE:
      take_rule (self, header);
      break;
    default:
      break;
    }
  return NL_OK;
}

/* Messages were lost: anything may have happened. */
static void
look_at_everything (T2pnLinkMonitor *self)
{
  self->is_default_changed = TRUE;
  self->is_rule_removed = TRUE;
  self->is_own_removed = TRUE;
  g_hash_table_add (self->changed, GINT_TO_POINTER (0));
  start_burst (self);
  start_route_burst (self);
}

static gboolean
readable_cb (int fd, GIOCondition condition, gpointer user_data)
{
  g_autoptr (T2pnLinkMonitor) self = g_object_ref (user_data);
  int result = nl_recvmsgs_default (self->socket);

  if (result == -NLE_NOMEM) /* ENOBUFS */
    look_at_everything (self);
  return self->source != NULL ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* --- the object */

static void
t2pn_link_monitor_dispose (GObject *object)
{
  T2pnLinkMonitor *self = T2PN_LINK_MONITOR (object);

  if (self->source != NULL)
    g_source_destroy (self->source);
  if (self->burst != NULL)
    g_source_destroy (self->burst);
  if (self->route_burst != NULL)
    g_source_destroy (self->route_burst);
  g_clear_pointer (&self->source, g_source_unref);
  g_clear_pointer (&self->burst, g_source_unref);
  g_clear_pointer (&self->route_burst, g_source_unref);
  G_OBJECT_CLASS (t2pn_link_monitor_parent_class)->dispose (object);
}

static void
t2pn_link_monitor_finalize (GObject *object)
{
  T2pnLinkMonitor *self = T2PN_LINK_MONITOR (object);

  nl_socket_free (self->socket);
  g_hash_table_unref (self->ignored);
  g_hash_table_unref (self->changed);
  g_array_unref (self->defaults);
  G_OBJECT_CLASS (t2pn_link_monitor_parent_class)->finalize (object);
}

static void
t2pn_link_monitor_class_init (T2pnLinkMonitorClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GType type = G_TYPE_FROM_CLASS (class);

  object_class->dispose = t2pn_link_monitor_dispose;
  object_class->finalize = t2pn_link_monitor_finalize;
  signals[SIGNAL_LINK_REMOVED] = g_signal_new ("link-removed", type, G_SIGNAL_RUN_LAST, 0, NULL,
                                               NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
  signals[SIGNAL_UPLINK_CHANGED] =
      g_signal_new ("uplink-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                    2, G_TYPE_BOOLEAN, G_TYPE_BOOLEAN);
  signals[SIGNAL_ADDRESS_CHANGED] = g_signal_new ("address-changed", type, G_SIGNAL_RUN_LAST, 0,
                                                  NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
  signals[SIGNAL_RULE_REMOVED] = g_signal_new ("rule-removed", type, G_SIGNAL_RUN_LAST, 0, NULL,
                                               NULL, NULL, G_TYPE_NONE, 0);
  signals[SIGNAL_OWN_REMOVED] = g_signal_new ("own-removed", type, G_SIGNAL_RUN_LAST, 0, NULL,
                                              NULL, NULL, G_TYPE_NONE, 0);
  signals[SIGNAL_ROUTES_CHANGED] = g_signal_new ("routes-changed", type, G_SIGNAL_RUN_LAST, 0,
                                                 NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
t2pn_link_monitor_init (T2pnLinkMonitor *self)
{
  self->socket = nl_socket_alloc ();
  g_assert (self->socket != NULL); /* lint: out of memory, as GLib would */
  self->ignored = g_hash_table_new (NULL, NULL);
  self->changed = g_hash_table_new (NULL, NULL);
  self->defaults = g_array_new (FALSE, FALSE, sizeof (T2pnRoute));
}

static int
join_groups (struct nl_sock *socket)
{
  int result = nl_socket_add_memberships (
      socket, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
      RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, 0);

  if (result >= 0)
    result = nl_socket_set_nonblocking (socket);
  if (result >= 0)
    result = nl_socket_set_buffer_size (socket, RECEIVE_BUFFER_BYTES, 0);
  return result;
}

T2pnLinkMonitor *
t2pn_link_monitor_new (GError **error)
{
  g_autoptr (T2pnLinkMonitor) self = g_object_new (T2PN_TYPE_LINK_MONITOR, NULL);
  GArray *defaults;
  int result;

  nl_socket_disable_seq_check (self->socket);
  nl_socket_modify_cb (self->socket, NL_CB_VALID, NL_CB_CUSTOM, message_cb, self);
  result = nl_connect (self->socket, NETLINK_ROUTE);
  if (result >= 0)
    result = join_groups (self->socket);
  if (result < 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   "could not watch the machine's links: %s", nl_geterror (result));
      return NULL;
    }
  defaults = find_defaults (self, error);
  if (defaults == NULL)
    return NULL;
  g_array_unref (self->defaults);
  self->defaults = defaults;
  self->source = g_unix_fd_source_new (nl_socket_get_fd (self->socket), G_IO_IN);
  g_source_set_callback (self->source, G_SOURCE_FUNC (readable_cb), self, NULL);
  g_source_attach (self->source, g_main_context_get_thread_default ());
  return g_steal_pointer (&self);
}

void
t2pn_link_monitor_ignore (T2pnLinkMonitor *self, int ifindex)
{
  g_hash_table_add (self->ignored, GINT_TO_POINTER (ifindex));
}

void
t2pn_link_monitor_unignore (T2pnLinkMonitor *self, int ifindex)
{
  g_hash_table_remove (self->ignored, GINT_TO_POINTER (ifindex));
}
