/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Our link gets servers and routing domains; everything resolved knows of a link goes with the
 * link, so that nothing is left when we are killed. A resolved that was restarted has forgotten
 * it: the calls, kept in a list, are made again when its name gets a new owner. */
#include "config.h"

#include "t2p-error.h"
#include "t2pn-resolver-backends.h"

#include <string.h>

#define NAME "org.freedesktop.resolve1"
#define PATH "/org/freedesktop/resolve1"
#define MANAGER "org.freedesktop.resolve1.Manager"

typedef struct
{
  const char *method;
  GVariant *arguments;
  gboolean is_optional; /* younger than the oldest resolved that we work with */
} Call;

#define T2PN_TYPE_RESOLVER_RESOLVED (t2pn_resolver_resolved_get_type ())
G_DECLARE_FINAL_TYPE (
    T2pnResolverResolved, t2pn_resolver_resolved, T2PN, RESOLVER_RESOLVED, GObject)

struct _T2pnResolverResolved
{
  GObject parent;

  GDBusConnection *bus;
  int ifindex;      /* 0 while nothing is applied */
  GPtrArray *calls; /* of Call: what applies our settings */
  guint watch;
  char *owner; /* of resolved's name, when our settings were given to it */
};

static void t2pn_resolver_resolved_iface_init (T2pnResolverInterface *iface);

G_DEFINE_TYPE_WITH_CODE (T2pnResolverResolved,
                         t2pn_resolver_resolved,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (T2PN_TYPE_RESOLVER,
                                                t2pn_resolver_resolved_iface_init))

static void
call_free (Call *call)
{
  g_variant_unref (call->arguments);
  g_free (call);
}

static GPtrArray *
new_calls (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) call_free);
}

static void
add_call (GPtrArray *calls, const char *method, GVariant *arguments, gboolean is_optional)
{
  Call *call = g_new0 (Call, 1);

  call->method = method;
  call->arguments = g_variant_ref_sink (arguments);
  call->is_optional = is_optional;
  g_ptr_array_add (calls, call);
}

/* --- one call after the other */

typedef struct
{
  GPtrArray *calls;
  guint next;
  gboolean is_revert;
} Sequence;

static void
sequence_free (Sequence *sequence)
{
  g_ptr_array_unref (sequence->calls);
  g_free (sequence);
}

static gboolean
is_remote_error (const GError *error, const char *name)
{
  g_autofree char *remote = g_dbus_error_get_remote_error (error);

  return g_strcmp0 (remote, name) == 0;
}

/* What makes a failure none: nobody there or no such link means nothing to revert. */
static gboolean
is_ignored (const Sequence *sequence, const Call *call, const GError *error)
{
  if (call->is_optional &&
      (g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD) ||
       g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NOT_SUPPORTED)))
    return TRUE;
  return sequence->is_revert &&
         (g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER) ||
          g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
          g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY) ||
          g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED) ||
          is_remote_error (error, NAME ".NoSuchLink"));
}

static void make_next_call (GTask *task);

static void
called_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Sequence *sequence = g_task_get_task_data (task);
  const Call *call = g_ptr_array_index (sequence->calls, sequence->next);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (reply == NULL && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  if (reply == NULL && !is_ignored (sequence, call, error))
    {
      g_dbus_error_strip_remote_error (error);
      g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_DNS_SETUP_FAILED,
                               "systemd-resolved does not take %s: %s", call->method,
                               error->message);
      return;
    }
  sequence->next++;
  make_next_call (task);
}

static void
make_next_call (GTask *task)
{
  T2pnResolverResolved *self = g_task_get_source_object (task);
  Sequence *sequence = g_task_get_task_data (task);
  const Call *call;

  if (sequence->next == sequence->calls->len)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  if (!sequence->is_revert && self->calls != sequence->calls)
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                               "the link's DNS was reverted meanwhile");
      return;
    }
  call = g_ptr_array_index (sequence->calls, sequence->next);
  g_dbus_connection_call (self->bus, NAME, PATH, MANAGER, call->method, call->arguments, NULL,
                          sequence->is_revert ? G_DBUS_CALL_FLAGS_NO_AUTO_START
                                              : G_DBUS_CALL_FLAGS_NONE,
                          -1, g_task_get_cancellable (task), called_cb, g_object_ref (task));
}

/* Takes @task. */
static void
run_calls (GTask *task, GPtrArray *calls, gboolean is_revert)
{
  Sequence *sequence = g_new0 (Sequence, 1);

  sequence->calls = g_ptr_array_ref (calls);
  sequence->is_revert = is_revert;
  g_task_set_task_data (task, sequence, (GDestroyNotify) sequence_free);
  make_next_call (task);
  g_object_unref (task);
}

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

static GPtrArray *
compose_calls (const T2pnResolverConfig *config)
{
  GPtrArray *calls = new_calls ();
  int ifindex = config->ifindex;
  gboolean takes_all = g_strv_contains (config->domains, ".");

  add_call (calls, "SetLinkDNSSEC", g_variant_new ("(is)", ifindex, "no"), FALSE);
  add_call (calls, "SetLinkDNSOverTLS", g_variant_new ("(is)", ifindex, "no"), TRUE);
  add_call (calls, "SetLinkLLMNR", g_variant_new ("(is)", ifindex, "no"), TRUE);
  add_call (calls, "SetLinkMulticastDNS", g_variant_new ("(is)", ifindex, "no"), TRUE);
  add_call (calls, "SetLinkDNS", servers_argument (config), FALSE);
  add_call (calls, "SetLinkDomains", domains_argument (config), FALSE);
  add_call (calls, "SetLinkDefaultRoute", g_variant_new ("(ib)", ifindex, takes_all), TRUE);
  /* What was learned before comes from elsewhere, and would go there. */
  add_call (calls, "FlushCaches", g_variant_new ("()"), FALSE);
  return calls;
}

/* --- resolved restarts */

static void
reapplied_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  if (!g_task_propagate_boolean (G_TASK (result), &error))
    g_debug ("%s, ignoring", error->message);
}

static void
appeared_cb (GDBusConnection *bus, const char *name, const char *owner, gpointer user_data)
{
  T2pnResolverResolved *self = user_data;
  gboolean is_first = self->owner == NULL;

  if (g_strcmp0 (self->owner, owner) == 0)
    return;
  g_free (self->owner);
  self->owner = g_strdup (owner);
  if (!is_first && self->calls != NULL)
    run_calls (g_task_new (self, NULL, reapplied_cb, NULL), self->calls, FALSE);
}

static void
forget (T2pnResolverResolved *self)
{
  if (self->watch != 0)
    g_bus_unwatch_name (self->watch);
  self->watch = 0;
  self->ifindex = 0;
  g_clear_pointer (&self->owner, g_free);
  g_clear_pointer (&self->calls, g_ptr_array_unref);
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
  self->calls = compose_calls (config);
  self->watch = g_bus_watch_name_on_connection (self->bus, NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                                appeared_cb, NULL, self, NULL);
  run_calls (task, self->calls, FALSE);
}

static void
revert_async (T2pnResolver *resolver,
              GCancellable *cancellable,
              GAsyncReadyCallback callback,
              gpointer user_data)
{
  T2pnResolverResolved *self = T2PN_RESOLVER_RESOLVED (resolver);
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  g_autoptr (GPtrArray) calls = new_calls ();

  g_task_set_source_tag (task, revert_async);
  if (self->ifindex != 0)
    {
      add_call (calls, "RevertLink", g_variant_new ("(i)", self->ifindex), FALSE);
      add_call (calls, "FlushCaches", g_variant_new ("()"), FALSE);
    }
  forget (self);
  run_calls (task, calls, TRUE);
}

static gboolean
finish (T2pnResolver *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
t2pn_resolver_resolved_iface_init (T2pnResolverInterface *iface)
{
  iface->name = "resolved";
  iface->apply_async = apply_async;
  iface->apply_finish = finish;
  iface->revert_async = revert_async;
  iface->revert_finish = finish;
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
