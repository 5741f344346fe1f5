/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-upstreams.h"

#include "t2p-foreign-address.h"
#include "t2pd-authority.h"
#include "t2pd-reason.h"
#include "t2pd-worker-row.h"

#include <linux/rtnetlink.h>

#define MAX_ADDRESSES 16 /* of one name */
#define RESOLVE_TIMEOUT_MS 10000

/** Upstream: one proxy of the list. */
typedef struct
{
  T2pEndpoint *endpoint;
  GArray *addresses; /* T2pIpAddress */
  GError *error;     /* why it cannot be used */
} Upstream;

struct _T2pdUpstreams
{
  GObject parent;
  GPtrArray *list;  /* Upstream */
  T2pdFiles *files; /* NULL: none */
  gboolean may_be_foreign;
  guint probe_timeout_ms;
  gboolean has_ipv6;
};

G_DEFINE_FINAL_TYPE (T2pdUpstreams, t2pd_upstreams, G_TYPE_OBJECT)

/* One walk over the list: to look up, or to probe. */
typedef struct
{
  T2pdCarrier *carrier;
  GVariant *ask;
  guint index;
} Walk;

static void
upstream_free (Upstream *upstream)
{
  t2p_endpoint_unref (upstream->endpoint);
  g_array_unref (upstream->addresses);
  g_clear_error (&upstream->error);
  g_free (upstream);
}

static void
walk_free (Walk *walk)
{
  g_object_unref (walk->carrier);
  g_variant_unref (walk->ask);
  g_free (walk);
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
  self->files = files != NULL ? t2pd_files_ref (files) : NULL;
  self->probe_timeout_ms = t2p_settings_get_u32 (settings, "connect-timeout") * 1000;
  for (guint i = 0; i < t2p_settings_get_n_proxies (settings); i++)
    {
      Upstream *upstream = g_new0 (Upstream, 1);

      upstream->endpoint = t2p_endpoint_ref (t2p_settings_get_proxy (settings, i));
      upstream->addresses = g_array_new (FALSE, FALSE, sizeof (T2pIpAddress));
      g_ptr_array_add (self->list, upstream);
    }
  return self;
}

static gboolean
is_name (const Upstream *upstream)
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

static Upstream *
current (GTask *task)
{
  T2pdUpstreams *self = g_task_get_source_object (task);
  Walk *walk = g_task_get_task_data (task);

  return walk->index < self->list->len ? self->list->pdata[walk->index] : NULL;
}

static GTask *
walk_begin (T2pdUpstreams *self,
            T2pdCarrier *carrier,
            GVariant *ask,
            GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  Walk *walk = g_new0 (Walk, 1);

  walk->carrier = g_object_ref (carrier);
  walk->ask = g_variant_ref_sink (ask);
  g_task_set_task_data (task, walk, (GDestroyNotify) walk_free);
  return task;
}

/* The first upstream's error is the one that its user can act on. */
static void
walk_fail (GTask *task)
{
  T2pdUpstreams *self = g_task_get_source_object (task);

  for (guint i = 0; i < self->list->len; i++)
    {
      Upstream *upstream = self->list->pdata[i];

      if (upstream->error != NULL)
        {
          g_task_return_error (task, g_error_copy (upstream->error));
          return;
        }
    }
  g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE,
                           "no proxy can be used");
}

static GVariantBuilder *
extend_ask (const Walk *walk, guint timeout_ms)
{
  GVariantBuilder *builder = g_variant_builder_new (G_VARIANT_TYPE_VARDICT);
  GVariantIter iter;
  GVariant *entry;

  g_variant_iter_init (&iter, walk->ask);
  while ((entry = g_variant_iter_next_value (&iter)) != NULL)
    {
      g_variant_builder_add_value (builder, entry);
      g_variant_unref (entry);
    }
  g_variant_builder_add (builder, "{sv}", "timeout-ms", g_variant_new_uint32 (timeout_ms));
  return builder;
}

/* --- looking up */

static void
set_unusable (Upstream *upstream, T2pError code, const char *what)
{
  g_clear_error (&upstream->error);
  upstream->error = g_error_new (T2P_ERROR, code, "%s: %s",
                                 t2p_endpoint_get_display (upstream->endpoint), what);
}

static void
add_address (T2pdUpstreams *self, Upstream *upstream, const T2pIpAddress *address)
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
take_addresses (T2pdUpstreams *self, Upstream *upstream, GVariant *reply)
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
  Walk *walk = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, &error);

  if (reply != NULL)
    take_addresses (g_task_get_source_object (task), current (task), reply);
  else
    set_unusable (current (task), T2P_ERROR_RESOLVE_FAILED, error->message);
  walk->index++;
  resolve_next (task);
}

static void
ask_name (GTask *task, Upstream *upstream)
{
  Walk *walk = g_task_get_task_data (task);
  T2pdWorker *worker = t2pd_carrier_get_worker (walk->carrier);
  g_autoptr (GVariantBuilder) options = extend_ask (walk, RESOLVE_TIMEOUT_MS);

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
      Upstream *upstream = self->list->pdata[i];

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
    walk_fail (task);
}

/* Literals on the way; stops at a name, whose answer goes on. */
static void
resolve_next (GTask *task)
{
  T2pdUpstreams *self = g_task_get_source_object (task);
  Walk *walk = g_task_get_task_data (task);
  Upstream *upstream;

  for (; (upstream = current (task)) != NULL; walk->index++)
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
      Upstream *upstream = self->list->pdata[i];

      g_array_set_size (upstream->addresses, 0);
      g_clear_error (&upstream->error);
    }
  resolve_next (walk_begin (self, carrier, ask, cancellable, callback, user_data));
}

/* --- probing */

static void probe_next (GTask *task);

static gboolean
take_probe (T2pdUpstreams *self, Upstream *upstream, GVariant *reply)
{
  g_autoptr (GVariant) raw = g_variant_get_child_value (reply, 0);
  g_autoptr (GVariant) row = NULL;
  guint64 dropped = 0;
  gboolean is_reachable = FALSE;
  const char *nick = "", *message = "";
  g_autofree char *clean = NULL;

  row = g_variant_ref_sink (t2pd_worker_row_copy_probe (raw, &dropped));
  g_variant_lookup (row, "reachable", "b", &is_reachable);
  g_variant_lookup (row, "ipv6", "b", &self->has_ipv6);
  g_variant_lookup (row, "error", "&s", &nick);
  g_variant_lookup (row, "message", "&s", &message);
  if (is_reachable && nick[0] == '\0')
    return TRUE;
  g_clear_error (&upstream->error);
  clean = t2pd_worker_row_clean_text (message[0] != '\0' ? message : "it does not answer");
  upstream->error = t2pd_error_from_nick (nick[0] != '\0' ? nick : "ProxyUnreachable", clean);
  g_prefix_error (&upstream->error, "%s: ", t2p_endpoint_get_display (upstream->endpoint));
  return FALSE;
}

static void
probed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pdUpstreams *self = g_task_get_source_object (task);
  Walk *walk = g_task_get_task_data (task);
  Upstream *upstream = current (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, &error);

  if (reply != NULL && take_probe (self, upstream, reply))
    {
      g_task_return_boolean (task, TRUE);
      g_object_unref (task);
      return;
    }
  if (reply == NULL)
    {
      g_clear_error (&upstream->error);
      upstream->error = g_steal_pointer (&error);
    }
  walk->index++;
  probe_next (task);
}

static GVariant *
addresses_of (const Upstream *upstream)
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

static GUnixFDList *
pass_files (const T2pdUpstreams *self, const Upstream *upstream, GVariantBuilder *options)
{
  GUnixFDList *fds = g_unix_fd_list_new ();
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  GVariant *handles;

  t2p_endpoint_list_files (upstream->endpoint, names);
  handles = self->files != NULL ? t2pd_files_pass (self->files, names, fds, NULL) : NULL;
  if (handles != NULL) /* or else the worker says what it misses */
    g_variant_builder_add (options, "{sv}", "files", handles);
  return fds;
}

static void
probe_one (GTask *task, Upstream *upstream)
{
  T2pdUpstreams *self = g_task_get_source_object (task);
  Walk *walk = g_task_get_task_data (task);
  T2pdWorker *worker = t2pd_carrier_get_worker (walk->carrier);
  g_autoptr (GVariantBuilder) options = extend_ask (walk, self->probe_timeout_ms);
  g_autoptr (GUnixFDList) fds = NULL;
  g_autofree char *uri = t2p_endpoint_to_private_uri (upstream->endpoint);

  if (worker == NULL)
    {
      g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_FAILED, "the worker ended");
      g_object_unref (task);
      return;
    }
  g_variant_builder_add (options, "{sv}", "addresses", addresses_of (upstream));
  fds = pass_files (self, upstream, options);
  t2pd_worker_call_async (worker, "Probe", g_variant_new ("(sa{sv})", uri, options),
                          G_VARIANT_TYPE ("(a{sv})"), fds, self->probe_timeout_ms + 2000,
                          g_task_get_cancellable (task), probed_cb, task);
}

static void
probe_next (GTask *task)
{
  Walk *walk = g_task_get_task_data (task);
  Upstream *upstream = current (task);

  while (upstream != NULL && upstream->addresses->len == 0 &&
         t2p_endpoint_get_host (upstream->endpoint) != NULL)
    {
      walk->index++;
      upstream = current (task);
    }
  if (upstream == NULL)
    {
      walk_fail (task);
      g_object_unref (task);
    }
  else
    probe_one (task, upstream);
}

void
t2pd_upstreams_probe_async (T2pdUpstreams *self,
                            T2pdCarrier *carrier,
                            GVariant *ask,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  probe_next (walk_begin (self, carrier, ask, cancellable, callback, user_data));
}

gboolean
t2pd_upstreams_finish (T2pdUpstreams *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* --- what is known */

GVariant *
t2pd_upstreams_to_uris (T2pdUpstreams *self)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
  for (guint i = 0; i < self->list->len; i++)
    {
      Upstream *upstream = self->list->pdata[i];
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
    g_variant_builder_add_value (&builder, addresses_of (self->list->pdata[i]));
  return g_variant_builder_end (&builder);
}

gboolean
t2pd_upstreams_have_ipv6 (T2pdUpstreams *self)
{
  return self->has_ipv6;
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
      Upstream *upstream = self->list->pdata[i];

      if (t2p_endpoint_get_unix_path (upstream->endpoint) != NULL)
        return FALSE;
      for (guint j = 0; j < upstream->addresses->len; j++)
        if (has_own_route (snapshot, &g_array_index (upstream->addresses, T2pIpAddress, j)))
          return FALSE;
    }
  return TRUE;
}
