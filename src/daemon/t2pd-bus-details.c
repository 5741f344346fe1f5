/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-bus-details.h"

#include "t2p-limits.h"
#include "t2p-log.h"
#include "t2p-quote.h"
#include "t2pd-bring-up.h"
#include "t2pd-worker-row.h"

#define ASK_TIMEOUT_MS 5000

static T2pdWorker *
worker_of (T2pdCall *call)
{
  return t2pd_bring_up_get_worker (t2pd_bring_up_of (call->tunnel));
}

static void
log_dropped (T2pdCall *call, guint64 dropped)
{
  if (dropped > 0)
    t2p_log_warning (t2pd_tunnel_get_name (call->tunnel), NULL,
                     "the worker's answer to %s had %" G_GUINT64_FORMAT
                     " things that are not in the contract, ignoring",
                     call->method->name, dropped);
}

/* --- GetSettings */

void
t2pd_bus_details_get_settings (T2pdCall *call)
{
  T2pSettings *settings = t2pd_tunnel_get_settings (call->tunnel);
  g_autoptr (GVariant) set = g_variant_ref_sink (t2p_settings_to_public (settings));
  GVariantDict dict;

  g_variant_dict_init (&dict, set);
  g_variant_dict_insert_value (&dict, "proxies-with-credentials",
                               t2p_settings_get_with_credentials (settings));
  t2pd_call_return (call, g_variant_new ("(@a{sv}t)", g_variant_dict_end (&dict), (guint64) 1));
}

/* --- GetDetails */

static void
add_pool_address (GVariantBuilder *builder, const T2pIpAddress *address, guint8 length)
{
  char text[T2P_IP_STRLEN];
  g_autofree char *line = NULL;

  if (address->family == AF_UNSPEC)
    return;
  t2p_ip_address_format (address, text);
  line = g_strdup_printf ("%s/%u", text, length);
  g_variant_builder_add (builder, "s", line);
}

static GVariant *
make_addresses (T2pdCall *call)
{
  const T2pnAddressPool *pool = t2pd_bring_up_get_pool (t2pd_bring_up_of (call->tunnel));
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
  if (pool != NULL)
    {
      add_pool_address (&builder, &pool->address4, pool->link_length4);
      add_pool_address (&builder, &pool->address6, pool->link_length6);
    }
  return g_variant_builder_end (&builder);
}

/* Without a worker the list is what the settings say. */
static GVariant *
make_upstreams (T2pdCall *call)
{
  T2pSettings *settings = t2pd_tunnel_get_settings (call->tunnel);
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < t2p_settings_get_n_proxies (settings); i++)
    {
      T2pEndpoint *endpoint = t2p_settings_get_proxy (settings, i);

      g_variant_builder_open (&builder, G_VARIANT_TYPE_VARDICT);
      g_variant_builder_add (&builder, "{sv}", "uri",
                             g_variant_new_string (t2p_endpoint_get_display (endpoint)));
      g_variant_builder_add (&builder, "{sv}", "state", g_variant_new_string ("unknown"));
      g_variant_builder_add (&builder, "{sv}", "rtt-us", g_variant_new_uint64 (0));
      g_variant_builder_add (&builder, "{sv}", "udp", g_variant_new_string ("unknown"));
      g_variant_builder_close (&builder);
    }
  return g_variant_builder_end (&builder);
}

/* (transfer full) (nullable) */
static GVariant *
find_active_row (GVariant *upstreams)
{
  for (gsize i = 0; i < g_variant_n_children (upstreams); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (upstreams, i);
      gboolean is_active = FALSE;

      if (g_variant_lookup (row, "active", "b", &is_active) && is_active)
        return g_steal_pointer (&row);
    }
  return NULL;
}

static char *
find_active (GVariant *upstreams)
{
  g_autoptr (GVariant) row = find_active_row (upstreams);
  char *uri = NULL;

  if (row == NULL || !g_variant_lookup (row, "uri", "s", &uri))
    return g_strdup ("");
  return uri;
}

static const char *
ipv6_mode_of (T2pdCall *call)
{
  T2pIpv6Mode mode = t2p_settings_get_ipv6 (t2pd_tunnel_get_settings (call->tunnel));

  if (mode == T2P_IPV6_MODE_AUTO && t2pd_tunnel_is_engaged (call->tunnel))
    mode = t2pd_bring_up_has_ipv6 (t2pd_bring_up_of (call->tunnel)) ? T2P_IPV6_MODE_ON
                                                                    : T2P_IPV6_MODE_REJECT;
  return t2p_ipv6_mode_to_string (mode);
}

/* By the active proxy, as far as it was tried. */
static char *
find_udp_mode (T2pdCall *call, GVariant *upstreams)
{
  const char *setting =
      t2p_settings_get_string (t2pd_tunnel_get_settings (call->tunnel), "udp");
  const char *probed = t2pd_bring_up_get_udp (t2pd_bring_up_of (call->tunnel));
  g_autoptr (GVariant) row = find_active_row (upstreams);
  g_autofree char *mode = NULL;

  if (g_str_equal (setting, "reject"))
    return g_strdup ("none");
  if (row == NULL || !g_variant_lookup (row, "udp", "s", &mode) ||
      g_str_equal (mode, "unknown"))
    return g_strdup (probed);
  return g_steal_pointer (&mode);
}

static void
return_details (T2pdCall *call, GVariant *floating_upstreams)
{
  T2pSettings *settings = t2pd_tunnel_get_settings (call->tunnel);
  g_autoptr (GVariant) upstreams = g_variant_ref_sink (floating_upstreams);
  g_autofree char *active = find_active (upstreams);
  g_autofree char *udp_mode = find_udp_mode (call, upstreams);
  GVariantBuilder details;

  g_variant_builder_init (&details, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&details, "{sv}", "active-proxy", g_variant_new_string (active));
  g_variant_builder_add (&details, "{sv}", "proxies", upstreams);
  g_variant_builder_add (&details, "{sv}", "udp-mode", g_variant_new_string (udp_mode));
  g_variant_builder_add (&details, "{sv}", "ipv6-mode",
                         g_variant_new_string (ipv6_mode_of (call)));
  g_variant_builder_add (
      &details, "{sv}", "dns-mode",
      g_variant_new_string (t2p_dns_mode_to_string (t2p_settings_get_dns (settings))));
  g_variant_builder_add (&details, "{sv}", "addresses", make_addresses (call));
  g_variant_builder_add (&details, "{sv}", "message",
                         g_variant_new_string (t2pd_tunnel_get_message (call->tunnel)));
  t2pd_call_return (call, g_variant_new ("(a{sv})", &details));
}

static void
upstreams_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, NULL);
  g_autoptr (GVariant) rows = NULL;
  GVariant *copy;
  guint64 dropped = 0;

  if (reply == NULL)
    {
      return_details (call, make_upstreams (call));
      return;
    }
  rows = g_variant_get_child_value (reply, 0);
  copy = t2pd_worker_row_copy_upstreams (rows, &dropped);
  log_dropped (call, dropped);
  return_details (call, copy);
}

void
t2pd_bus_details_get_details (T2pdCall *call)
{
  T2pdWorker *worker = worker_of (call);

  if (worker == NULL)
    return_details (call, make_upstreams (call));
  else
    t2pd_worker_call_async (worker, "GetUpstreams", NULL, G_VARIANT_TYPE ("(aa{sv})"), NULL,
                            ASK_TIMEOUT_MS, NULL, upstreams_cb, t2pd_call_ref (call));
}

/* --- GetStatistics */

static void
return_statistics (T2pdCall *call, GVariant *counters)
{
  guint64 dropped = 0;
  GVariant *copy = t2pd_worker_row_copy_statistics (counters, &dropped);

  log_dropped (call, dropped);
  t2pd_call_return (call, g_variant_new ("(@a{st})", copy));
}

static void
statistics_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, &error);
  g_autoptr (GVariant) counters = NULL;

  if (reply == NULL)
    {
      t2pd_call_fail (call, error);
      return;
    }
  counters = g_variant_get_child_value (reply, 0);
  return_statistics (call, counters);
}

void
t2pd_bus_details_get_statistics (T2pdCall *call)
{
  T2pdWorker *worker = worker_of (call);

  if (worker == NULL)
    return_statistics (call, NULL);
  else
    t2pd_worker_call_async (worker, "GetStatistics", NULL, G_VARIANT_TYPE ("(a{st})"), NULL,
                            ASK_TIMEOUT_MS, NULL, statistics_cb, t2pd_call_ref (call));
}

/* --- ListConnections, CloseConnections */

static const T2pdCallOption filter_keys[] = {
  { "id", "t" },     { "protocol", "s" }, { "host", "s" },  { "destination", "s" },
  { "source", "s" }, { "proxy", "s" },    { "state", "s" }, { NULL, NULL },
};

static const T2pdCallOption *
find_key (const char *name)
{
  for (const T2pdCallOption *key = filter_keys; key->name != NULL; key++)
    if (g_str_equal (key->name, name))
      return key;
  return NULL;
}

static gboolean
check_filter_entry (const char *name, GVariant *value, GError **error)
{
  const T2pdCallOption *key = find_key (name);
  g_autofree char *quoted = t2p_quote (name);

  if (key == NULL)
    g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                 "filter %s: unknown, one of id, protocol, host, destination, source, proxy, "
                 "state expected",
                 quoted);
  else if (!g_variant_is_of_type (value, G_VARIANT_TYPE (key->type)))
    g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                 "filter %s: type '%.32s' seen, '%s' expected", quoted,
                 g_variant_get_type_string (value), key->type);
  else if (g_variant_get_size (value) > T2P_MAX_STRING_BYTES)
    g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED, "filter %s: longer than %d bytes",
                 quoted, T2P_MAX_STRING_BYTES);
  else
    return TRUE;
  return FALSE;
}

static gboolean
check_max (GVariant *parameters, GError **error)
{
  guint32 max;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(a{sv}tua{sv})")))
    return TRUE;
  g_variant_get_child (parameters, 2, "u", &max);
  if (max <= T2P_MAX_CONNECTIONS_PER_PAGE)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "argument 'max': %u seen, 0 to %d expected", max, T2P_MAX_CONNECTIONS_PER_PAGE);
  return FALSE;
}

gboolean
t2pd_bus_details_check_filter (GVariant *parameters, GError **error)
{
  g_autoptr (GVariant) filter = g_variant_get_child_value (parameters, 0);
  GVariantIter iter;
  const char *name;
  GVariant *value;

  g_variant_iter_init (&iter, filter);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &value))
    {
      g_autoptr (GVariant) owned = value;

      if (!check_filter_entry (name, owned, error))
        return FALSE;
    }
  return check_max (parameters, error);
}

static guint32
page_rows (T2pdCall *call)
{
  guint32 max;

  g_variant_get_child (call->parameters, 2, "u", &max);
  return max == 0 ? T2P_MAX_CONNECTIONS_PER_PAGE : max;
}

static void
connections_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, &error);
  g_autoptr (GVariant) rows = NULL;
  GVariant *copy;
  guint64 next_id, dropped = 0;

  if (reply == NULL)
    {
      t2pd_call_fail (call, error);
      return;
    }
  g_variant_get (reply, "(@aa{sv}t)", &rows, &next_id);
  copy = t2pd_worker_row_copy_connections (rows, page_rows (call), &dropped);
  log_dropped (call, dropped);
  t2pd_call_return (call, g_variant_new ("(@aa{sv}t)", copy, next_id));
}

void
t2pd_bus_details_list_connections (T2pdCall *call)
{
  T2pdWorker *worker = worker_of (call);
  g_autoptr (GVariant) filter = g_variant_get_child_value (call->parameters, 0);
  guint64 after_id;

  if (worker == NULL)
    {
      t2pd_call_return (call, g_variant_new ("(aa{sv}t)", NULL, (guint64) 0));
      return;
    }
  g_variant_get_child (call->parameters, 1, "t", &after_id);
  t2pd_worker_call_async (worker, "ListConnections",
                          g_variant_new ("(@a{sv}tu)", filter, after_id, page_rows (call)),
                          G_VARIANT_TYPE ("(aa{sv}t)"), NULL, ASK_TIMEOUT_MS, NULL,
                          connections_cb, t2pd_call_ref (call));
}

static void
closed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, &error);

  if (reply != NULL)
    t2pd_call_return (call, reply);
  else
    t2pd_call_fail (call, error);
}

void
t2pd_bus_details_close_connections (T2pdCall *call)
{
  T2pdWorker *worker = worker_of (call);
  g_autoptr (GVariant) filter = g_variant_get_child_value (call->parameters, 0);

  if (worker == NULL)
    t2pd_call_return (call, g_variant_new ("(u)", 0u));
  else
    t2pd_worker_call_async (worker, "CloseConnections", g_variant_new ("(@a{sv})", filter),
                            G_VARIANT_TYPE ("(u)"), NULL, ASK_TIMEOUT_MS, NULL, closed_cb,
                            t2pd_call_ref (call));
}
