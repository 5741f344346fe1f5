/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-upstreams-private.h"

static void
walk_free (T2pdUpstreamsWalk *walk)
{
  g_object_unref (walk->carrier);
  g_variant_unref (walk->ask);
  g_free (walk);
}

T2pdUpstream *
t2pd_upstreams_walk_current (GTask *task)
{
  T2pdUpstreams *self = g_task_get_source_object (task);
  T2pdUpstreamsWalk *walk = g_task_get_task_data (task);

  return walk->index < self->list->len ? self->list->pdata[walk->index] : NULL;
}

GTask *
t2pd_upstreams_walk_begin (T2pdUpstreams *self,
                           T2pdCarrier *carrier,
                           GVariant *ask,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  T2pdUpstreamsWalk *walk = g_new0 (T2pdUpstreamsWalk, 1);

  walk->carrier = g_object_ref (carrier);
  walk->ask = g_variant_ref_sink (ask);
  g_task_set_task_data (task, walk, (GDestroyNotify) walk_free);
  return task;
}

void
t2pd_upstreams_walk_fail (GTask *task)
{
  T2pdUpstreams *self = g_task_get_source_object (task);

  for (guint i = 0; i < self->list->len; i++)
    {
      T2pdUpstream *upstream = self->list->pdata[i];

      if (upstream->error != NULL)
        {
          g_task_return_error (task, g_error_copy (upstream->error));
          return;
        }
    }
  g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE,
                           "no proxy can be used");
}

GVariantBuilder *
t2pd_upstreams_walk_ask (const T2pdUpstreamsWalk *walk, guint timeout_ms)
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
