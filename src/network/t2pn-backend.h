/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-journal.h"
#include "t2pn-route-plan.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/** T2pnStage: the steps of the bring-up table that a backend carries out, in their order. */
typedef enum
{
  T2PN_STAGE_CONFIGURE_LINK,  /* MTU, addresses, up */
  T2PN_STAGE_INSTALL_BYPASS,  /* what stays outside; before capture, else a loop */
  T2PN_STAGE_INSTALL_CAPTURE, /* routes of table T, then the rules that look it up */
} T2pnStage;

#define T2PN_TYPE_BACKEND (t2pn_backend_get_type ())
/* Who gives a tunnel's link its addresses, routes and rules; one object for a tunnel. Signal
 * `lost (GError error)`: somebody has taken all of it away, and it will not come back. */
G_DECLARE_INTERFACE (T2pnBackend, t2pn_backend, T2PN, BACKEND, GObject)

struct _T2pnBackendInterface
{
  GTypeInterface parent;

  const char *name;
  void (*run_async) (T2pnBackend *self,
                     T2pnStage stage,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     gpointer user_data);
  void (*undo_async) (T2pnBackend *self,
                      T2pnStage stage,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data);
  void (*update_async) (T2pnBackend *self,
                        T2pnRoutePlan *plan,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data);
  void (*doubt) (T2pnBackend *self); /* (nullable) */
  gboolean (*finish) (T2pnBackend *self, GAsyncResult *result, GError **error);
};

/* "netlink", "networkmanager": the property NetworkBackend. */
const char *t2pn_backend_get_name (T2pnBackend *self);

/* Runs one stage. What it does is written to the journal first. When it fails half-way, it has
 * undone what it did. */
void t2pn_backend_run_async (T2pnBackend *self,
                             T2pnStage stage,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
gboolean t2pn_backend_run_finish (T2pnBackend *self, GAsyncResult *result, GError **error);
/* Undoes one stage; succeeds when there is nothing (left) to undo, the link included. */
void t2pn_backend_undo_async (T2pnBackend *self,
                              T2pnStage stage,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean t2pn_backend_undo_finish (T2pnBackend *self, GAsyncResult *result, GError **error);
/* Makes the installed stages what @plan (transfer full) says: adds what is new, puts back what
 * somebody removed, deletes what is no more. For address-changed and rule-removed. */
void t2pn_backend_update_async (T2pnBackend *self,
                                T2pnRoutePlan *plan,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data);
/* Somebody has taken away what was installed: the next update looks at all of it. */
void t2pn_backend_doubt (T2pnBackend *self);
gboolean t2pn_backend_update_finish (T2pnBackend *self, GAsyncResult *result, GError **error);

/**
 * t2pn_netlink_backend_new:
 * @plan: (transfer full)
 * @journal: (transfer none): must outlive the backend
 * @bus: (nullable): the system bus, to have a running NetworkManager leave the link alone
 */
T2pnBackend *
t2pn_netlink_backend_new (T2pnRoutePlan *plan, T2pnJournal *journal, GDBusConnection *bus);

G_END_DECLS
