/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-upstreams-private.h"

#include "t2pd-worker-row.h"

#include "t2p-foreign-address.h"
#include "t2pd-authority.h"

#include <linux/rtnetlink.h>

#define MAX_ADDRESSES 16 /* of one name */
#define RESOLVE_TIMEOUT_MS 10000

G_DEFINE_FINAL_TYPE (T2pdUpstreams, t2pd_upstreams, G_TYPE_OBJECT)

static void
upstream_free (T2pdUpstream *upstream)
{
  t2p_endpoint_unref (upstream->endpoint);
  g_array_unref (upstream->addresses);
  g_clear_error (&upstream->error);
  g_free (upstream);
}

static void
t2pd_upstreams_finalize (GObject *object)
{
  T2pdUpstreams *self = T2PD_UPSTREAMS (object);

  g_ptr_array_unref (self->list);
  g_clear_pointer (&self->files, t2pd_files_unref);
  G_OBJECT_CLASS (t2pd_upstreams_parent_class)->finalize (object);
}

static void
t2pd_upstreams_class_init (T2pdUpstreamsClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = t2pd_upstreams_finalize;
}

static void
t2pd_upstreams_init (T2pdUpstreams *self)
{
  self->list = g_ptr_array_new_with_free_func ((GDestroyNotify) upstream_free);
}

/**
 * t2pd_upstreams_new:
 * @may_be_foreign: whether addresses that `advanced` guards may be used
 *
 * Since: 0.1
 */
T2pdUpstreams *
t2pd_upstreams_new (T2pSettings *settings, gboolean may_be_foreign, T2pdFiles *files)
{
  T2pdUpstreams *self = g_object_new (T2PD_TYPE_UPSTREAMS, NULL);

  self->may_be_foreign = may_be_foreign;
  self->are_all_used = !g_str_equal (t2p_settings_get_string (settings, "policy"), "failover");
  self->files = files != NULL ? t2pd_files_ref (files) : NULL;
  self->probe_timeout_ms = t2p_settings_get_u32 (settings, "connect-timeout") * 1000;
  for (guint i = 0; i < t2p_settings_get_n_proxies (settings); i++)
    {
      T2pdUpstream *upstream = g_new0 (T2pdUpstream, 1);

      upstream->endpoint = t2p_endpoint_ref (t2p_settings_get_proxy (settings, i));
      upstream->addresses = g_array_new (FALSE, FALSE, sizeof (T2pIpAddress));
      upstream->udp = "unknown";
      g_ptr_array_add (self->list, upstream);
    }
  return self;
}

static gboolean
is_name (const T2pdUpstream *upstream)
{
  T2pIpAddress address;

  return t2p_endpoint_get_host (upstream->endpoint) != NULL &&
         !t2p_endpoint_get_address (upstream->endpoint, &address);
}

gboolean
t2pd_upstreams_have_names (T2pdUpstreams *self)
{
  for (guint i = 0; i < self->list->len; i++)
    if (is_name (self->list->pdata[i]))
      return TRUE;
  return FALSE;
}

/* --- looking up */

static void
set_unusable (T2pdUpstream *upstream, T2pError code, const char *what)
{
  g_clear_error (&upstream->error);
  upstream->error = g_error_new (T2P_ERROR, code, "%s: %s",
                                 t2p_endpoint_get_display (upstream->endpoint), what);
}

static void
add_address (T2pdUpstreams *self, T2pdUpstream *upstream, const T2pIpAddress *address)
{
  if (!self->may_be_foreign && t2p_ip_address_is_foreign (address))
    set_unusable (upstream, T2P_ERROR_NOT_AUTHORIZED,
                  "its address is one that only the machine itself may use, which needs the "
                  "authorisation 'advanced'");
  else if (upstream->addresses->len < MAX_ADDRESSES)
    g_array_append_val (upstream->addresses, *address);
}

static void resolve_next (GTask *task);

static void
take_addresses (T2pdUpstreams *self, T2pdUpstream *upstream, GVariant *reply)
{
  g_autofree const char **texts = NULL;
  g_autoptr (GVariant) list = g_variant_get_child_value (reply, 0);
  T2pIpAddress address;

  texts = g_variant_get_strv (list, NULL);
  for (guint i = 0; texts[i] != NULL && i < MAX_ADDRESSES; i++)
    if (t2p_ip_address_parse (texts[i], &address))
      add_address (self, upstream, &address);
  if (upstream->addresses->len == 0 && upstream->error == NULL)
    set_unusable (upstream, T2P_ERROR_RESOLVE_FAILED, "its name has no address");
}

static void
resolved_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pdUpstreamsWalk *walk = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, &error);

  if (reply != NULL)
    take_addresses (g_task_get_source_object (task), t2pd_upstreams_walk_current (task), reply);
  else
    set_unusable (t2pd_upstreams_walk_current (task), T2P_ERROR_RESOLVE_FAILED, error->message);
  walk->index++;
  resolve_next (task);
}

static void
ask_name (GTask *task, T2pdUpstream *upstream)
{
  T2pdUpstreamsWalk *walk = g_task_get_task_data (task);
  T2pdWorker *worker = t2pd_carrier_get_worker (walk->carrier);
  g_autoptr (GVariantBuilder) options = t2pd_upstreams_walk_ask (walk, RESOLVE_TIMEOUT_MS);

  if (worker == NULL)
    {
      g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_FAILED,
                               "the worker that looks up names ended");
      g_object_unref (task);
      return;
    }
  t2pd_worker_call_async (
      worker, "Resolve",
      g_variant_new ("(sa{sv})", t2p_endpoint_get_host (upstream->endpoint), options),
      G_VARIANT_TYPE ("(as)"), NULL, RESOLVE_TIMEOUT_MS + 1000, g_task_get_cancellable (task),
      resolved_cb, task);
}

static gboolean
have_any_usable (T2pdUpstreams *self)
{
  for (guint i = 0; i < self->list->len; i++)
    {
      T2pdUpstream *upstream = self->list->pdata[i];

      if (upstream->addresses->len > 0 || t2p_endpoint_get_host (upstream->endpoint) == NULL)
        return TRUE;
    }
  return FALSE;
}

static void
resolve_end (GTask *owned)
{
  g_autoptr (GTask) task = owned;

  if (have_any_usable (g_task_get_source_object (task)))
    g_task_return_boolean (task, TRUE);
  else
    t2pd_upstreams_walk_fail (task);
}

/* Literals on the way; stops at a name, whose answer goes on. */
static void
resolve_next (GTask *task)
{
  T2pdUpstreams *self = g_task_get_source_object (task);
  T2pdUpstreamsWalk *walk = g_task_get_task_data (task);
  T2pdUpstream *upstream;

  for (; (upstream = t2pd_upstreams_walk_current (task)) != NULL; walk->index++)
    {
      T2pIpAddress address;

      if (is_name (upstream))
        {
          ask_name (task, upstream);
          return;
        }
      if (t2p_endpoint_get_address (upstream->endpoint, &address))
        add_address (self, upstream, &address);
    }
  resolve_end (task);
}

void
t2pd_upstreams_resolve_async (T2pdUpstreams *self,
                              T2pdCarrier *carrier,
                              GVariant *ask,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  for (guint i = 0; i < self->list->len; i++)
    {
      T2pdUpstream *upstream = self->list->pdata[i];

      g_array_set_size (upstream->addresses, 0);
      g_clear_error (&upstream->error);
    }
  resolve_next (
      t2pd_upstreams_walk_begin (self, carrier, ask, cancellable, callback, user_data));
}

gboolean
t2pd_upstreams_finish (T2pdUpstreams *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* --- what is known */

GVariant *
t2pd_upstream_list_addresses (const T2pdUpstream *upstream)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
  for (guint i = 0; i < upstream->addresses->len; i++)
    {
      char text[T2P_IP_STRLEN];

      t2p_ip_address_format (&g_array_index (upstream->addresses, T2pIpAddress, i), text);
      g_variant_builder_add (&builder, "s", text);
    }
  return g_variant_builder_end (&builder);
}

GVariant *
t2pd_upstreams_to_uris (T2pdUpstreams *self)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
  for (guint i = 0; i < self->list->len; i++)
    {
      T2pdUpstream *upstream = self->list->pdata[i];
      g_autofree char *uri = t2p_endpoint_to_private_uri (upstream->endpoint);

      g_variant_builder_add (&builder, "s", uri);
    }
  return g_variant_builder_end (&builder);
}

GVariant *
t2pd_upstreams_to_addresses (T2pdUpstreams *self)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("aas"));
  for (guint i = 0; i < self->list->len; i++)
    g_variant_builder_add_value (&builder, t2pd_upstream_list_addresses (self->list->pdata[i]));
  return g_variant_builder_end (&builder);
}

const char *
t2pd_upstreams_get_udp (T2pdUpstreams *self)
{
  return ((const T2pdUpstream *) self->list->pdata[self->active])->udp;
}

/* Who is not known to refuse it is asked for it. */
gboolean
t2pd_upstreams_have_ipv6 (T2pdUpstreams *self)
{
  for (guint i = 0; i < self->list->len; i++)
    if ((i == self->active || self->are_all_used) &&
        ((const T2pdUpstream *) self->list->pdata[i])->ipv6 == T2PD_IPV6_CANNOT)
      return FALSE;
  return TRUE;
}

void
t2pd_upstreams_set_active (T2pdUpstreams *self, const char *display)
{
  for (guint i = 0; i < self->list->len; i++)
    {
      const T2pdUpstream *upstream = self->list->pdata[i];
      g_autofree char *shown =
          t2pd_worker_row_clean_uri (t2p_endpoint_get_display (upstream->endpoint));

      if (g_str_equal (shown, display))
        {
          self->active = i;
          return;
        }
    }
}

void
t2pd_upstreams_forget_active (T2pdUpstreams *self)
{
  ((T2pdUpstream *) self->list->pdata[self->active])->ipv6 = T2PD_IPV6_UNKNOWN;
}

const T2pEndpoint *
t2pd_upstreams_get_endpoint (T2pdUpstreams *self, guint index)
{
  return index < self->list->len ? ((const T2pdUpstream *) self->list->pdata[index])->endpoint
                                 : NULL;
}

const GArray *
t2pd_upstreams_get_addresses (T2pdUpstreams *self, guint index)
{
  return ((const T2pdUpstream *) self->list->pdata[index])->addresses;
}

GArray *
t2pd_upstreams_list_addresses (T2pdUpstreams *self)
{
  GArray *addresses = g_array_new (FALSE, FALSE, sizeof (T2pIpAddress));

  for (guint i = 0; i < self->list->len; i++)
    {
      const T2pdUpstream *upstream = self->list->pdata[i];

      g_array_append_vals (addresses, upstream->addresses->data, upstream->addresses->len);
    }
  return addresses;
}

static gboolean
has_own_route (const T2pnSnapshot *snapshot, const T2pIpAddress *address)
{
  if (t2p_ip_address_is_loopback (address) || t2pn_snapshot_is_local (snapshot, address))
    return TRUE;
  for (guint i = 0; i < snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (snapshot->routes, T2pnRoute, i);

      if (route->table == RT_TABLE_MAIN && route->type == RTN_UNICAST &&
          route->destination.length > 0 &&
          t2p_ip_prefix_contains (&route->destination, address))
        return TRUE;
    }
  return FALSE;
}

gboolean
t2pd_upstreams_need_default (T2pdUpstreams *self, const T2pnSnapshot *snapshot)
{
  for (guint i = 0; i < self->list->len; i++)
    {
      T2pdUpstream *upstream = self->list->pdata[i];

      if (t2p_endpoint_get_unix_path (upstream->endpoint) != NULL)
        return FALSE;
      for (guint j = 0; j < upstream->addresses->len; j++)
        if (has_own_route (snapshot, &g_array_index (upstream->addresses, T2pIpAddress, j)))
          return FALSE;
    }
  return TRUE;
}
