/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-upstreams-private.h"

#include "t2pd-reason.h"
#include "t2pd-worker-row.h"

#include <string.h>

static void probe_next (GTask *task);

static T2pdIpv6
ipv6_of (GVariant *row)
{
  gboolean is_refused = FALSE;

  g_variant_lookup (row, "ipv6-refused", "b", &is_refused);
  return is_refused ? T2PD_IPV6_CANNOT : T2PD_IPV6_CAN;
}

static const char *
udp_of (GVariant *row)
{
  static const char *const modes[] = { "none", "associate", "udpgw", "udp-in-tcp" };
  const char *seen = "";

  g_variant_lookup (row, "udp", "&s", &seen);
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    if (g_str_equal (modes[i], seen))
      return modes[i];
  return "unknown";
}

static gboolean
take_probe (T2pdUpstream *upstream, GVariant *reply)
{
  g_autoptr (GVariant) raw = g_variant_get_child_value (reply, 0);
  g_autoptr (GVariant) row = NULL;
  guint64 dropped = 0;
  gboolean is_reachable = FALSE;
  const char *nick = "", *message = "";
  g_autofree char *clean = NULL;

  row = g_variant_ref_sink (t2pd_worker_row_copy_probe (raw, &dropped));
  g_variant_lookup (row, "reachable", "b", &is_reachable);
  g_variant_lookup (row, "error", "&s", &nick);
  g_variant_lookup (row, "message", "&s", &message);
  if (is_reachable && nick[0] == '\0')
    {
      upstream->ipv6 = ipv6_of (row);
      upstream->udp = udp_of (row);
      return TRUE;
    }
  g_clear_error (&upstream->error);
  clean = t2pd_worker_row_clean_text (message[0] != '\0' ? message : "it does not answer");
  upstream->error = t2pd_error_from_nick (nick[0] != '\0' ? nick : "ProxyUnreachable", clean);
  if (strstr (clean, t2p_endpoint_get_display (upstream->endpoint)) == NULL)
    g_prefix_error (&upstream->error, "%s: ", t2p_endpoint_get_display (upstream->endpoint));
  return FALSE;
}

static void
probe_end (GTask *owned)
{
  g_autoptr (GTask) task = owned;

  g_task_return_boolean (task, TRUE);
}

static void
probed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pdUpstreams *self = g_task_get_source_object (task);
  T2pdUpstreamsWalk *walk = g_task_get_task_data (task);
  T2pdUpstream *upstream = t2pd_upstreams_walk_current (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, &error);

  if (reply != NULL && take_probe (upstream, reply))
    {
      if (!walk->is_single)
        self->active = walk->index;
      probe_end (task);
      return;
    }
  if (reply == NULL)
    {
      g_clear_error (&upstream->error);
      upstream->error = g_steal_pointer (&error);
    }
  if (walk->is_single)
    {
      upstream->ipv6 = T2PD_IPV6_CAN; /* until it is in use again, and has answered */
      probe_end (task);
      return;
    }
  walk->index++;
  probe_next (task);
}

static GUnixFDList *
pass_files (const T2pdUpstreams *self, const T2pdUpstream *upstream, GVariantBuilder *options)
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
probe_one (GTask *task, T2pdUpstream *upstream)
{
  T2pdUpstreams *self = g_task_get_source_object (task);
  T2pdUpstreamsWalk *walk = g_task_get_task_data (task);
  T2pdWorker *worker = t2pd_carrier_get_worker (walk->carrier);
  g_autoptr (GVariantBuilder) options = t2pd_upstreams_walk_ask (walk, self->probe_timeout_ms);
  g_autoptr (GUnixFDList) fds = NULL;
  g_autofree char *uri = t2p_endpoint_to_private_uri (upstream->endpoint);

  if (worker == NULL)
    {
      g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_FAILED, "the worker ended");
      g_object_unref (task);
      return;
    }
  g_variant_builder_add (options, "{sv}", "addresses", t2pd_upstream_list_addresses (upstream));
  fds = pass_files (self, upstream, options);
  t2pd_worker_call_async (worker, "Probe", g_variant_new ("(sa{sv})", uri, options),
                          G_VARIANT_TYPE ("(a{sv})"), fds, self->probe_timeout_ms + 2000,
                          g_task_get_cancellable (task), probed_cb, task);
}

/* One without a host has none to be looked up. */
static gboolean
can_be_reached (const T2pdUpstream *upstream)
{
  return upstream->addresses->len > 0 || t2p_endpoint_get_host (upstream->endpoint) == NULL;
}

/* No proxy: there is nobody to be tried. */
static gboolean
is_proxy (const T2pdUpstream *upstream)
{
  return t2p_scheme_get_traits (t2p_endpoint_get_scheme (upstream->endpoint))->has_host;
}

static void
probe_next (GTask *task)
{
  T2pdUpstreams *self = g_task_get_source_object (task);
  T2pdUpstreamsWalk *walk = g_task_get_task_data (task);
  T2pdUpstream *upstream = t2pd_upstreams_walk_current (task);

  while (upstream != NULL && !can_be_reached (upstream))
    {
      walk->index++;
      upstream = t2pd_upstreams_walk_current (task);
    }
  if (upstream == NULL)
    {
      t2pd_upstreams_walk_fail (task);
      g_object_unref (task);
    }
  else if (is_proxy (upstream))
    probe_one (task, upstream);
  else
    {
      self->active = walk->index;
      probe_end (task);
    }
}

void
t2pd_upstreams_probe_async (T2pdUpstreams *self,
                            T2pdCarrier *carrier,
                            GVariant *ask,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  probe_next (t2pd_upstreams_walk_begin (self, carrier, ask, cancellable, callback, user_data));
}

/* --- what is not known yet */

static gboolean
is_unknown (const T2pdUpstreams *self, guint index)
{
  const T2pdUpstream *upstream = self->list->pdata[index];

  return (index == self->active || self->are_all_used) && upstream->ipv6 == T2PD_IPV6_UNKNOWN &&
         is_proxy (upstream) && can_be_reached (upstream);
}

static guint
find_unknown (const T2pdUpstreams *self)
{
  guint i = 0;

  while (i < self->list->len && !is_unknown (self, i))
    i++;
  return i;
}

gboolean
t2pd_upstreams_has_more_to_learn (T2pdUpstreams *self)
{
  return find_unknown (self) < self->list->len;
}

void
t2pd_upstreams_learn_async (T2pdUpstreams *self,
                            T2pdCarrier *carrier,
                            GVariant *ask,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  GTask *task = t2pd_upstreams_walk_begin (self, carrier, ask, NULL, callback, user_data);
  T2pdUpstreamsWalk *walk = g_task_get_task_data (task);

  walk->is_single = TRUE;
  walk->index = find_unknown (self);
  probe_next (task);
}
