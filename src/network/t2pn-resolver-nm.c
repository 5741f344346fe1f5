/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Servers and domains are in the profile that NetworkManager owns, and come and go with it.
 * What a profile cannot say is said here, where NetworkManager tells systemd-resolved: nobody
 * signs virtual addresses, so that DNSSEC is off for our link. */
#include "config.h"

#include "t2pn-resolved-calls.h"
#include "t2pn-resolver-backends.h"

#define T2PN_TYPE_RESOLVER_NM (t2pn_resolver_nm_get_type ())
G_DECLARE_FINAL_TYPE (T2pnResolverNm, t2pn_resolver_nm, T2PN, RESOLVER_NM, GObject)

struct _T2pnResolverNm
{
  GObject parent;

  GDBusConnection *bus;
  gboolean tells_resolved;
  T2pnResolvedCalls *calls; /* NULL while nothing is applied */
};

static void t2pn_resolver_nm_iface_init (T2pnResolverInterface *iface);

G_DEFINE_TYPE_WITH_CODE (T2pnResolverNm,
                         t2pn_resolver_nm,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (T2PN_TYPE_RESOLVER,
                                                t2pn_resolver_nm_iface_init))

static void
apply_async (T2pnResolver *resolver,
             const T2pnResolverConfig *config,
             T2pnJournal *journal,
             GCancellable *cancellable,
             GAsyncReadyCallback callback,
             gpointer user_data)
{
  T2pnResolverNm *self = T2PN_RESOLVER_NM (resolver);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, apply_async);
  g_clear_pointer (&self->calls, t2pn_resolved_calls_drop);
  if (!self->tells_resolved)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  self->calls = t2pn_resolved_calls_new (self->bus);
  t2pn_resolved_calls_add (self->calls, "SetLinkDNSSEC",
                           g_variant_new ("(is)", config->ifindex, "no"), FALSE);
  /* What was learned before comes from elsewhere, and would go there. */
  t2pn_resolved_calls_add (self->calls, "FlushCaches", g_variant_new ("()"), FALSE);
  t2pn_resolved_calls_keep (self->calls, g_steal_pointer (&task));
}

static void
revert_async (T2pnResolver *resolver,
              GCancellable *cancellable,
              GAsyncReadyCallback callback,
              gpointer user_data)
{
  T2pnResolverNm *self = T2PN_RESOLVER_NM (resolver);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, revert_async);
  /* The profile takes the rest with it. */
  g_clear_pointer (&self->calls, t2pn_resolved_calls_drop);
  g_task_return_boolean (task, TRUE);
}

static void
t2pn_resolver_nm_iface_init (T2pnResolverInterface *iface)
{
  iface->name = "networkmanager";
  iface->apply_async = apply_async;
  iface->revert_async = revert_async;
}

static void
t2pn_resolver_nm_dispose (GObject *object)
{
  T2pnResolverNm *self = T2PN_RESOLVER_NM (object);

  g_clear_pointer (&self->calls, t2pn_resolved_calls_drop);
  g_clear_object (&self->bus);
  G_OBJECT_CLASS (t2pn_resolver_nm_parent_class)->dispose (object);
}

static void
t2pn_resolver_nm_class_init (T2pnResolverNmClass *class)
{
  G_OBJECT_CLASS (class)->dispose = t2pn_resolver_nm_dispose;
}

static void
t2pn_resolver_nm_init (T2pnResolverNm *self)
{
}

T2pnResolver *
t2pn_resolver_nm_new (GDBusConnection *bus, gboolean tells_resolved)
{
  T2pnResolverNm *self = g_object_new (T2PN_TYPE_RESOLVER_NM, NULL);

  self->bus = g_object_ref (bus);
  self->tells_resolved = tells_resolved;
  return T2PN_RESOLVER (self);
}
