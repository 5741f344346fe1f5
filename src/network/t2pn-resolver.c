/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-resolvconf-program.h"
#include "t2pn-resolved-calls.h"
#include "t2pn-resolver-backends.h"
#include "t2pn-uplink-dns.h"

#include <string.h>

#define DEFAULT_RESOLV_CONF "/etc/resolv.conf"
#define NSSWITCH "/etc/nsswitch.conf"

G_DEFINE_INTERFACE (T2pnResolver, t2pn_resolver, G_TYPE_OBJECT)

static void
t2pn_resolver_default_init (T2pnResolverInterface *iface)
{
}

const char *
t2pn_resolver_get_name (T2pnResolver *self)
{
  return T2PN_RESOLVER_GET_IFACE (self)->name;
}

void
t2pn_resolver_apply_async (T2pnResolver *self,
                           const T2pnResolverConfig *config,
                           T2pnJournal *journal,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  T2PN_RESOLVER_GET_IFACE (self)->apply_async (self, config, journal, cancellable, callback,
                                               user_data);
}

gboolean
t2pn_resolver_apply_finish (T2pnResolver *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

void
t2pn_resolver_revert_async (T2pnResolver *self,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  T2PN_RESOLVER_GET_IFACE (self)->revert_async (self, cancellable, callback, user_data);
}

gboolean
t2pn_resolver_revert_finish (T2pnResolver *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* --- nobody */

#define T2PN_TYPE_RESOLVER_NONE (t2pn_resolver_none_get_type ())
G_DECLARE_FINAL_TYPE (T2pnResolverNone, t2pn_resolver_none, T2PN, RESOLVER_NONE, GObject)

struct _T2pnResolverNone
{
  GObject parent;
};

static void t2pn_resolver_none_iface_init (T2pnResolverInterface *iface);

G_DEFINE_TYPE_WITH_CODE (T2pnResolverNone,
                         t2pn_resolver_none,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (T2PN_TYPE_RESOLVER,
                                                t2pn_resolver_none_iface_init))

static void
none_revert_async (T2pnResolver *self,
                   GCancellable *cancellable,
                   GAsyncReadyCallback callback,
                   gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_return_boolean (task, TRUE);
}

static void
none_apply_async (T2pnResolver *self,
                  const T2pnResolverConfig *config,
                  T2pnJournal *journal,
                  GCancellable *cancellable,
                  GAsyncReadyCallback callback,
                  gpointer user_data)
{
  none_revert_async (self, cancellable, callback, user_data);
}

static void
t2pn_resolver_none_iface_init (T2pnResolverInterface *iface)
{
  iface->name = "none";
  iface->apply_async = none_apply_async;
  iface->revert_async = none_revert_async;
}

static void
t2pn_resolver_none_class_init (T2pnResolverNoneClass *class)
{
}

static void
t2pn_resolver_none_init (T2pnResolverNone *self)
{
}

T2pnResolver *
t2pn_resolver_none_new (void)
{
  return g_object_new (T2PN_TYPE_RESOLVER_NONE, NULL);
}

/* --- which one */

typedef struct
{
  GDBusConnection *bus;
  char *resolv_conf;
} Choice;

static void
choice_free (Choice *choice)
{
  g_clear_object (&choice->bus);
  g_free (choice->resolv_conf);
  g_free (choice);
}

/* nss-resolve asks resolved whatever resolv.conf says. */
static gboolean
nsswitch_names_resolve (void)
{
  g_autofree char *text = NULL;

  return g_file_get_contents (NSSWITCH, &text, NULL, NULL) &&
         g_regex_match_simple ("^\\s*hosts:.*\\bresolve\\b", text, G_REGEX_MULTILINE, 0);
}

/* Whether names that programs look up come to resolved at all. */
static gboolean
leads_to_resolved (const char *resolv_conf)
{
  g_autofree char *text = NULL;
  g_autoptr (GArray) servers = NULL;

  if (!g_file_get_contents (resolv_conf, &text, NULL, NULL))
    return TRUE; /* nobody else's */
  servers = t2pn_uplink_dns_parse (text, FALSE);
  for (guint i = 0; i < servers->len; i++)
    {
      const T2pIpAddress *server = &g_array_index (servers, T2pIpEndpoint, i).address;

      if (server->family == AF_INET && (t2p_ip_address_to_v4 (server) == 0x7f000035 ||
                                        t2p_ip_address_to_v4 (server) == 0x7f000036))
        return TRUE;
    }
  return servers->len == 0 ||
         (strcmp (resolv_conf, DEFAULT_RESOLV_CONF) == 0 && nsswitch_names_resolve ());
}

static void
return_choice (GTask *task, gboolean has_resolved)
{
  const Choice *choice = g_task_get_task_data (task);
  g_autofree char *program = t2pn_resolvconf_find ();
  T2pnResolver *resolver;

  if (has_resolved && leads_to_resolved (choice->resolv_conf))
    resolver = t2pn_resolver_resolved_new (choice->bus);
  else if (program != NULL && t2pn_resolvconf_owns (choice->resolv_conf))
    resolver = t2pn_resolver_resolvconf_new (program, choice->resolv_conf);
  else
    resolver = t2pn_resolver_file_new (choice->resolv_conf);
  g_task_return_pointer (task, resolver, g_object_unref);
}

static void
call_bus (GTask *task,
          const char *method,
          GVariant *arguments,
          const char *reply_type,
          GAsyncReadyCallback callback)
{
  const Choice *choice = g_task_get_task_data (task);

  g_dbus_connection_call (choice->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                          "org.freedesktop.DBus", method, arguments,
                          G_VARIANT_TYPE (reply_type), G_DBUS_CALL_FLAGS_NONE, -1,
                          g_task_get_cancellable (task), callback, g_object_ref (task));
}

static void
started_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_task_return_error (task, g_steal_pointer (&error));
  else
    return_choice (task, reply != NULL);
}

static void
has_owner_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  const Choice *choice = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  gboolean has_owner = FALSE;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  if (reply != NULL)
    g_variant_get (reply, "(b)", &has_owner);
  /* Installed is not yet enabled: whether it can be started is known when it was. */
  if (has_owner || !leads_to_resolved (choice->resolv_conf))
    return_choice (task, has_owner);
  else
    call_bus (task, "StartServiceByName", g_variant_new ("(su)", T2PN_RESOLVED_NAME, 0), "(u)",
              started_cb);
}

void
t2pn_resolver_choose_async (GDBusConnection *bus,
                            T2pScope scope,
                            const char *resolv_conf,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  Choice *choice = g_new0 (Choice, 1);

  g_task_set_source_tag (task, t2pn_resolver_choose_async);
  g_task_set_task_data (task, choice, (GDestroyNotify) choice_free);
  g_set_object (&choice->bus, bus);
  choice->resolv_conf = g_strdup (resolv_conf != NULL ? resolv_conf : DEFAULT_RESOLV_CONF);
  if (scope == T2P_SCOPE_USER)
    g_task_return_pointer (task, t2pn_resolver_none_new (), g_object_unref);
  else if (bus == NULL)
    return_choice (task, FALSE);
  else
    call_bus (task, "NameHasOwner", g_variant_new ("(s)", T2PN_RESOLVED_NAME), "(b)",
              has_owner_cb);
}

T2pnResolver *
t2pn_resolver_choose_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
