/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Our link gets servers and routing domains; everything resolved knows of a link goes with the
 * link, so that nothing is left when we are killed. */
#include "config.h"

#include "t2pn-resolved-calls.h"
#include "t2pn-resolver-backends.h"

#define T2PN_TYPE_RESOLVER_RESOLVED (t2pn_resolver_resolved_get_type ())
G_DECLARE_FINAL_TYPE (
    T2pnResolverResolved, t2pn_resolver_resolved, T2PN, RESOLVER_RESOLVED, GObject)

struct _T2pnResolverResolved
{
  GObject parent;

  GDBusConnection *bus;
  int ifindex;              /* 0 while nothing is applied */
  T2pnResolvedCalls *calls; /* what applies our settings */
};

static void t2pn_resolver_resolved_iface_init (T2pnResolverInterface *iface);

G_DEFINE_TYPE_WITH_CODE (T2pnResolverResolved,
                         t2pn_resolver_resolved,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (T2PN_TYPE_RESOLVER,
                                                t2pn_resolver_resolved_iface_init))

/* --- what to tell */

static GVariant *
servers_argument (const T2pnResolverConfig *config)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(iay)"));
  for (guint i = 0; i < config->n_servers; i++)
    {
      const T2pIpAddress *server = &config->servers[i];
      GVariant *bytes = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, server->bytes,
                                                   t2p_ip_address_bits (server) / 8, 1);

      g_variant_builder_add (&builder, "(i@ay)", (int) server->family, bytes);
    }
  return g_variant_new ("(i@a(iay))", config->ifindex, g_variant_builder_end (&builder));
}

/* Routing only: none of them is a search domain. */
static GVariant *
domains_argument (const T2pnResolverConfig *config)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(sb)"));
  for (guint i = 0; config->domains[i] != NULL; i++)
    {
      const char *domain = config->domains[i];

      g_variant_builder_add (&builder, "(sb)",
                             g_str_has_prefix (domain, "*.") ? domain + 2 : domain, TRUE);
    }
  return g_variant_new ("(i@a(sb))", config->ifindex, g_variant_builder_end (&builder));
}

static T2pnResolvedCalls *
compose_calls (T2pnResolverResolved *self, const T2pnResolverConfig *config)
{
  T2pnResolvedCalls *calls = t2pn_resolved_calls_new (self->bus);
  int ifindex = config->ifindex;
  gboolean takes_all = g_strv_contains (config->domains, ".");

  t2pn_resolved_calls_add (calls, "SetLinkDNSSEC", g_variant_new ("(is)", ifindex, "no"),
                           FALSE);
  t2pn_resolved_calls_add (calls, "SetLinkDNSOverTLS", g_variant_new ("(is)", ifindex, "no"),
                           TRUE);
  t2pn_resolved_calls_add (calls, "SetLinkLLMNR", g_variant_new ("(is)", ifindex, "no"), TRUE);
  t2pn_resolved_calls_add (calls, "SetLinkMulticastDNS", g_variant_new ("(is)", ifindex, "no"),
                           TRUE);
  t2pn_resolved_calls_add (calls, "SetLinkDNS", servers_argument (config), FALSE);
  t2pn_resolved_calls_add (calls, "SetLinkDomains", domains_argument (config), FALSE);
  t2pn_resolved_calls_add (calls, "SetLinkDefaultRoute",
                           g_variant_new ("(ib)", ifindex, takes_all), TRUE);
  /* What was learned before comes from elsewhere, and would go there. */
  t2pn_resolved_calls_add (calls, "FlushCaches", g_variant_new ("()"), FALSE);
  return calls;
}

static void
forget (T2pnResolverResolved *self)
{
  self->ifindex = 0;
  g_clear_pointer (&self->calls, t2pn_resolved_calls_drop);
}

/* --- the interface */

static void
apply_async (T2pnResolver *resolver,
             const T2pnResolverConfig *config,
             T2pnJournal *journal,
             GCancellable *cancellable,
             GAsyncReadyCallback callback,
             gpointer user_data)
{
  T2pnResolverResolved *self = T2PN_RESOLVER_RESOLVED (resolver);
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, apply_async);
  forget (self);
  self->ifindex = config->ifindex; /* from here on there is something to revert */
  self->calls = compose_calls (self, config);
  t2pn_resolved_calls_keep (self->calls, task);
}

static void
revert_async (T2pnResolver *resolver,
              GCancellable *cancellable,
              GAsyncReadyCallback callback,
              gpointer user_data)
{
  T2pnResolverResolved *self = T2PN_RESOLVER_RESOLVED (resolver);
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  g_autoptr (T2pnResolvedCalls) calls = t2pn_resolved_calls_new (self->bus);

  g_task_set_source_tag (task, revert_async);
  if (self->ifindex != 0)
    {
      t2pn_resolved_calls_add (calls, "RevertLink", g_variant_new ("(i)", self->ifindex),
                               FALSE);
      t2pn_resolved_calls_add (calls, "FlushCaches", g_variant_new ("()"), FALSE);
    }
  forget (self);
  t2pn_resolved_calls_revert (calls, task);
}

static void
t2pn_resolver_resolved_iface_init (T2pnResolverInterface *iface)
{
  iface->name = "resolved";
  iface->apply_async = apply_async;
  iface->revert_async = revert_async;
}

static void
t2pn_resolver_resolved_dispose (GObject *object)
{
  T2pnResolverResolved *self = T2PN_RESOLVER_RESOLVED (object);

  forget (self);
  g_clear_object (&self->bus);
  G_OBJECT_CLASS (t2pn_resolver_resolved_parent_class)->dispose (object);
}

static void
t2pn_resolver_resolved_class_init (T2pnResolverResolvedClass *class)
{
  G_OBJECT_CLASS (class)->dispose = t2pn_resolver_resolved_dispose;
}

static void
t2pn_resolver_resolved_init (T2pnResolverResolved *self)
{
}

T2pnResolver *
t2pn_resolver_resolved_new (GDBusConnection *bus)
{
  T2pnResolverResolved *self = g_object_new (T2PN_TYPE_RESOLVER_RESOLVED, NULL);

  self->bus = g_object_ref (bus);
  return T2PN_RESOLVER (self);
}
