/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2pn-resolv-conf.h"
#include "t2pn-resolver-backends.h"

#include <string.h>

#define T2PN_TYPE_RESOLVER_FILE (t2pn_resolver_file_get_type ())
G_DECLARE_FINAL_TYPE (T2pnResolverFile, t2pn_resolver_file, T2PN, RESOLVER_FILE, GObject)

struct _T2pnResolverFile
{
  GObject parent;

  char *path;
  T2pnResolvConf *saved; /* NULL while nothing of ours is in place */
};

static void t2pn_resolver_file_iface_init (T2pnResolverInterface *iface);

G_DEFINE_TYPE_WITH_CODE (T2pnResolverFile,
                         t2pn_resolver_file,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (T2PN_TYPE_RESOLVER,
                                                t2pn_resolver_file_iface_init))

static gboolean
is_kept (const char *line)
{
  return g_str_has_prefix (line, "search ") || g_str_has_prefix (line, "search\t") ||
         g_str_has_prefix (line, "domain ") || g_str_has_prefix (line, "domain\t") ||
         g_str_has_prefix (line, T2PN_RESOLV_CONF_WAS) || g_str_has_prefix (line, "options ") ||
         g_str_has_prefix (line, "options\t");
}

/* Of another tunnel's file only what it keeps of the original. */
static gboolean
is_replaced_server (const char *line, gboolean is_old_ours)
{
  return !is_old_ours &&
         (g_str_has_prefix (line, "nameserver ") || g_str_has_prefix (line, "nameserver\t"));
}

char *
t2pn_resolver_file_compose (const T2pIpAddress *servers, guint n_servers, const char *old)
{
  GString *text = g_string_new (T2PN_RESOLV_CONF_HEADER
                                " while a tunnel is up; the one\n"
                                "# that was here comes back when the tunnel goes down.\n");
  g_auto (GStrv) lines = g_strsplit (old != NULL ? old : "", "\n", -1);

  gboolean is_old_ours = old != NULL && g_str_has_prefix (old, T2PN_RESOLV_CONF_HEADER);

  for (guint i = 0; i < n_servers; i++)
    {
      char formatted[T2P_IP_STRLEN];

      t2p_ip_address_format (&servers[i], formatted);
      g_string_append_printf (text, "nameserver %s\n", formatted);
    }
  for (guint i = 0; lines[i] != NULL; i++)
    if (is_replaced_server (lines[i], is_old_ours))
      g_string_append_printf (text, T2PN_RESOLV_CONF_WAS "%s\n", lines[i]);
    else if (is_kept (lines[i]))
      g_string_append_printf (text, "%s\n", lines[i]);
  return g_string_free (text, FALSE);
}

gboolean
t2pn_resolver_check_all_names (const T2pnResolverConfig *config,
                               const char *path,
                               GError **error)
{
  if (g_strv_contains (config->domains, "."))
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_DNS_SETUP_FAILED,
               "dns-domains: %s cannot send only some domains to the tunnel, expected '.' (or "
               "systemd-resolved on this machine)",
               path);
  return FALSE;
}

static gboolean
apply (T2pnResolverFile *self,
       const T2pnResolverConfig *config,
       T2pnJournal *journal,
       GError **error)
{
  g_autofree char *old = NULL;
  g_autofree char *ours = NULL;
  g_autoptr (T2pnResolvConf) saved = NULL;

  if (self->saved != NULL && t2pn_resolv_conf_is_ours (self->saved))
    return TRUE;
  if (!t2pn_resolver_check_all_names (config, self->path, error))
    return FALSE;
  g_file_get_contents (self->path, &old, NULL, NULL); /* there may be none */
  ours = t2pn_resolver_file_compose (config->servers, config->n_servers, old);
  saved = t2pn_resolv_conf_save (self->path, ours, error);
  if (saved == NULL || !t2pn_journal_add_resolv_conf (journal, saved, error) ||
      !t2pn_resolv_conf_replace (saved, error))
    return FALSE;
  g_clear_pointer (&self->saved, t2pn_resolv_conf_free);
  self->saved = g_steal_pointer (&saved);
  return TRUE;
}

static void
return_result (GTask *task, gboolean is_done, GError *error)
{
  g_task_set_check_cancellable (task, FALSE); /* the file is as it is now */
  if (is_done)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
apply_async (T2pnResolver *resolver,
             const T2pnResolverConfig *config,
             T2pnJournal *journal,
             GCancellable *cancellable,
             GAsyncReadyCallback callback,
             gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (resolver, cancellable, callback, user_data);
  GError *error = NULL;
  gboolean is_done = apply (T2PN_RESOLVER_FILE (resolver), config, journal, &error);

  g_task_set_source_tag (task, apply_async);
  return_result (task, is_done, error);
}

static void
revert_async (T2pnResolver *resolver,
              GCancellable *cancellable,
              GAsyncReadyCallback callback,
              gpointer user_data)
{
  T2pnResolverFile *self = T2PN_RESOLVER_FILE (resolver);
  g_autoptr (GTask) task = g_task_new (resolver, cancellable, callback, user_data);
  GError *error = NULL;
  gboolean is_done = self->saved == NULL || t2pn_resolv_conf_restore (self->saved, &error);

  g_task_set_source_tag (task, revert_async);
  if (is_done)
    g_clear_pointer (&self->saved, t2pn_resolv_conf_free);
  return_result (task, is_done, error);
}

static void
t2pn_resolver_file_iface_init (T2pnResolverInterface *iface)
{
  iface->name = "file";
  iface->apply_async = apply_async;
  iface->revert_async = revert_async;
}

static void
t2pn_resolver_file_finalize (GObject *object)
{
  T2pnResolverFile *self = T2PN_RESOLVER_FILE (object);

  g_free (self->path);
  t2pn_resolv_conf_free (self->saved);
  G_OBJECT_CLASS (t2pn_resolver_file_parent_class)->finalize (object);
}

static void
t2pn_resolver_file_class_init (T2pnResolverFileClass *class)
{
  G_OBJECT_CLASS (class)->finalize = t2pn_resolver_file_finalize;
}

static void
t2pn_resolver_file_init (T2pnResolverFile *self)
{
}

T2pnResolver *
t2pn_resolver_file_new (const char *path)
{
  T2pnResolverFile *self = g_object_new (T2PN_TYPE_RESOLVER_FILE, NULL);

  self->path = g_strdup (path);
  return T2PN_RESOLVER (self);
}
