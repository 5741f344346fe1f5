/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-enums.h"
#include "t2pn-journal.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * T2pnResolverConfig: what the machine's resolver is to be told.
 * @servers: (array length=n_servers): the tunnel's responder, or `dns-servers`
 * @domains: (array zero-terminated=1): routing domains; "." is every name
 *
 * Copied by t2pn_resolver_apply_async().
 */
typedef struct
{
  int ifindex;
  const T2pIpAddress *servers;
  guint n_servers;
  const char *const *domains;
} T2pnResolverConfig;

#define T2PN_TYPE_RESOLVER (t2pn_resolver_get_type ())
/* A way of telling the machine's resolver; one object for a tunnel. `none` tells nobody
 * (`scope=user`), `resolved`, `resolvconf` and `file` exist. Reverting what was not applied
 * succeeds. A resolver that loses our settings (resolved was restarted) gets them again until
 * they are reverted. */
G_DECLARE_INTERFACE (T2pnResolver, t2pn_resolver, T2PN, RESOLVER, GObject)

struct _T2pnResolverInterface
{
  GTypeInterface parent;

  const char *name;
  /* A GTask of @self that returns a boolean, here and there. */
  void (*apply_async) (T2pnResolver *self,
                       const T2pnResolverConfig *config,
                       T2pnJournal *journal,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data);
  void (*revert_async) (T2pnResolver *self,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data);
};

/**
 * t2pn_resolver_choose_async:
 * @bus: (nullable): the system bus; without it there is no resolved
 * @scope: nothing system-wide is changed for T2P_SCOPE_USER
 * @resolv_conf: (nullable): "/etc/resolv.conf" when NULL
 *
 * `resolved` when it owns its name or can be started, and resolv.conf sends names to it or
 * nobody else's; else `resolvconf` where that writes resolv.conf; else `file`.
 */
void t2pn_resolver_choose_async (GDBusConnection *bus,
                                 T2pScope scope,
                                 const char *resolv_conf,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);
T2pnResolver *t2pn_resolver_choose_finish (GAsyncResult *result, GError **error);

/* "none", "networkmanager", "resolved", "resolvconf", "file": the property ResolverBackend. */
const char *t2pn_resolver_get_name (T2pnResolver *self);
/* @journal must outlive the operation. T2P_ERROR_DNS_SETUP_FAILED. */
void t2pn_resolver_apply_async (T2pnResolver *self,
                                const T2pnResolverConfig *config,
                                T2pnJournal *journal,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data);
gboolean t2pn_resolver_apply_finish (T2pnResolver *self, GAsyncResult *result, GError **error);
void t2pn_resolver_revert_async (T2pnResolver *self,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);
gboolean t2pn_resolver_revert_finish (T2pnResolver *self, GAsyncResult *result, GError **error);

G_END_DECLS
