/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-backend.h"

G_DEFINE_INTERFACE (T2pnBackend, t2pn_backend, G_TYPE_OBJECT)

static void
t2pn_backend_default_init (T2pnBackendInterface *iface)
{
  g_signal_new ("lost", T2PN_TYPE_BACKEND, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                1, G_TYPE_ERROR);
}

const char *
t2pn_backend_get_name (T2pnBackend *self)
{
  return T2PN_BACKEND_GET_IFACE (self)->name;
}

void
t2pn_backend_run_async (T2pnBackend *self,
                        T2pnStage stage,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  T2PN_BACKEND_GET_IFACE (self)->run_async (self, stage, cancellable, callback, user_data);
}

gboolean
t2pn_backend_run_finish (T2pnBackend *self, GAsyncResult *result, GError **error)
{
  return T2PN_BACKEND_GET_IFACE (self)->finish (self, result, error);
}

void
t2pn_backend_undo_async (T2pnBackend *self,
                         T2pnStage stage,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  T2PN_BACKEND_GET_IFACE (self)->undo_async (self, stage, cancellable, callback, user_data);
}

gboolean
t2pn_backend_undo_finish (T2pnBackend *self, GAsyncResult *result, GError **error)
{
  return T2PN_BACKEND_GET_IFACE (self)->finish (self, result, error);
}

void
t2pn_backend_update_async (T2pnBackend *self,
                           T2pnRoutePlan *plan,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  T2PN_BACKEND_GET_IFACE (self)->update_async (self, plan, cancellable, callback, user_data);
}

gboolean
t2pn_backend_update_finish (T2pnBackend *self, GAsyncResult *result, GError **error)
{
  return T2PN_BACKEND_GET_IFACE (self)->finish (self, result, error);
}

void
t2pn_backend_doubt (T2pnBackend *self)
{
  if (T2PN_BACKEND_GET_IFACE (self)->doubt != NULL)
    T2PN_BACKEND_GET_IFACE (self)->doubt (self);
}
