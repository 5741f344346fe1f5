/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Our record is added, the file that programs read is looked at, and the record goes when the
 * tunnel does; resolvconf writes the file anew each time, so that nothing has to be saved. What
 * counts is that file, not resolvconf's exit status, to which every service that it restarts
 * contributes.
 *
 * openresolv is asked to leave the other records out as long as ours is there. Debian's cannot:
 * the uplink's servers stay in the list, behind ours. */
#include "config.h"

#include "t2p-error.h"
#include "t2pn-command.h"
#include "t2pn-resolvconf-program.h"
#include "t2pn-resolver-backends.h"
#include "t2pn-uplink-dns.h"

#include <string.h>

#define T2PN_TYPE_RESOLVER_RESOLVCONF (t2pn_resolver_resolvconf_get_type ())
G_DECLARE_FINAL_TYPE (
    T2pnResolverResolvconf, t2pn_resolver_resolvconf, T2PN, RESOLVER_RESOLVCONF, GObject)

struct _T2pnResolverResolvconf
{
  GObject parent;

  char *program;
  char *resolv_conf;
  char *record; /* its name; NULL while there is none */
  T2pIpAddress server;
};

static void t2pn_resolver_resolvconf_iface_init (T2pnResolverInterface *iface);

G_DEFINE_TYPE_WITH_CODE (T2pnResolverResolvconf,
                         t2pn_resolver_resolvconf,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (T2PN_TYPE_RESOLVER,
                                                t2pn_resolver_resolvconf_iface_init))

/* --- what programs read */

/* The first server of resolv.conf; FALSE when there is none. */
static gboolean
read_first_server (T2pnResolverResolvconf *self, T2pIpAddress *out_server)
{
  g_autofree char *text = NULL;
  g_autoptr (GArray) servers = NULL;

  if (!g_file_get_contents (self->resolv_conf, &text, NULL, NULL))
    return FALSE;
  servers = t2pn_uplink_dns_parse (text, FALSE);
  if (servers->len == 0)
    return FALSE;
  *out_server = g_array_index (servers, T2pIpEndpoint, 0).address;
  return TRUE;
}

static gboolean
names_our_server (T2pnResolverResolvconf *self)
{
  T2pIpAddress first;

  return read_first_server (self, &first) && t2p_ip_address_equal (&first, &self->server);
}

/* Takes @failure (nullable). A name server on this machine has the others from resolvconf. */
static gboolean
check_applied (T2pnResolverResolvconf *self, GError *failure, GError **error)
{
  g_autoptr (GError) owned = failure;
  char seen[T2P_IP_STRLEN] = "none";
  char expected[T2P_IP_STRLEN];
  T2pIpAddress first;

  if (read_first_server (self, &first))
    {
      if (t2p_ip_address_equal (&first, &self->server) || t2p_ip_address_is_loopback (&first))
        return TRUE;
      t2p_ip_address_format (&first, seen);
    }
  t2p_ip_address_format (&self->server, expected);
  g_set_error (error, T2P_ERROR, T2P_ERROR_DNS_SETUP_FAILED,
               "%s: first name server %s seen, %s expected from resolvconf%s%s",
               self->resolv_conf, seen, expected, owned != NULL ? "; " : "",
               owned != NULL ? owned->message : "");
  return FALSE;
}

/* --- apply */

typedef struct
{
  char *name;
  char *record;
  T2pnJournal *journal;
  GError *failure; /* what is told when the record has been withdrawn */
} Apply;

static void
apply_free (Apply *apply)
{
  g_free (apply->name);
  g_free (apply->record);
  g_clear_error (&apply->failure);
  g_free (apply);
}

static void
withdrawn_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Apply *apply = g_task_get_task_data (task);

  g_free (t2pn_command_run_finish (result, NULL)); /* the journal has it, too */
  g_task_return_error (task, g_steal_pointer (&apply->failure));
}

/* Takes @failure and @task. */
static void
withdraw (GTask *task, GError *failure)
{
  T2pnResolverResolvconf *self = g_task_get_source_object (task);
  Apply *apply = g_task_get_task_data (task);
  const char *const argv[] = { self->program, "-d", apply->name, NULL };

  apply->failure = failure;
  g_clear_pointer (&self->record, g_free);
  t2pn_command_run_async (argv, "", T2PN_RESOLVCONF_TIMEOUT_MS, NULL, withdrawn_cb, task);
}

static void
added_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *failure = NULL;
  GError *error = NULL;

  g_free (t2pn_command_run_finish (result, &failure));
  if (check_applied (g_task_get_source_object (task), failure, &error))
    g_task_return_boolean (task, TRUE);
  else
    withdraw (g_steal_pointer (&task), error);
}

/* The record is there or not, whoever has lost interest meanwhile: it is not cancelled. */
static void
add_record (GTask *task, gboolean is_openresolv)
{
  T2pnResolverResolvconf *self = g_task_get_source_object (task);
  Apply *apply = g_task_get_task_data (task);
  const char *const plain[] = { self->program, "-a", apply->name, NULL };
  const char *const exclusive[] = { self->program, "-x", "-a", apply->name, NULL };
  GError *error = NULL;

  if (g_task_return_error_if_cancelled (task))
    return;
  if (!t2pn_journal_add_resolvconf (apply->journal, apply->name, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  self->record = g_strdup (apply->name);
  g_task_set_check_cancellable (task, FALSE);
  t2pn_command_run_async (is_openresolv ? exclusive : plain, apply->record,
                          T2PN_RESOLVCONF_TIMEOUT_MS, NULL, added_cb, g_object_ref (task));
}

static void
version_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  /* One that is too old to tell is used without what only the other knows. */
  g_autofree char *said = t2pn_command_run_finish (result, NULL);

  add_record (task, said != NULL && g_str_has_prefix (said, "openresolv "));
}

static Apply *
apply_new (T2pnResolverResolvconf *self, const T2pnResolverConfig *config, T2pnJournal *journal)
{
  Apply *apply = g_new0 (Apply, 1);
  g_autofree char *old = NULL;

  g_file_get_contents (self->resolv_conf, &old, NULL, NULL);
  apply->name = t2pn_resolvconf_make_name (config->ifindex);
  apply->record = t2pn_resolvconf_compose (config->servers, config->n_servers, old);
  apply->journal = journal;
  return apply;
}

static void
apply_async (T2pnResolver *resolver,
             const T2pnResolverConfig *config,
             T2pnJournal *journal,
             GCancellable *cancellable,
             GAsyncReadyCallback callback,
             gpointer user_data)
{
  T2pnResolverResolvconf *self = T2PN_RESOLVER_RESOLVCONF (resolver);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  const char *const argv[] = { self->program, "--version", NULL };
  GError *error = NULL;

  g_task_set_source_tag (task, apply_async);
  if (!t2pn_resolver_check_all_names (config, self->resolv_conf, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  self->server = config->servers[0];
  g_task_set_task_data (task, apply_new (self, config, journal), (GDestroyNotify) apply_free);
  t2pn_command_run_async (argv, "", T2PN_RESOLVCONF_TIMEOUT_MS, cancellable, version_cb,
                          g_object_ref (task));
}

/* --- revert */

static void
removed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  T2pnResolverResolvconf *self = g_task_get_source_object (task);
  g_autoptr (GError) error = NULL;
  g_autofree char *said = t2pn_command_run_finish (result, &error);

  if (said == NULL && names_our_server (self))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  g_clear_pointer (&self->record, g_free);
  g_task_return_boolean (task, TRUE);
}

static void
revert_async (T2pnResolver *resolver,
              GCancellable *cancellable,
              GAsyncReadyCallback callback,
              gpointer user_data)
{
  T2pnResolverResolvconf *self = T2PN_RESOLVER_RESOLVCONF (resolver);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  const char *const argv[] = { self->program, "-d", self->record, NULL };

  g_task_set_source_tag (task, revert_async);
  if (self->record == NULL)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  t2pn_command_run_async (argv, "", T2PN_RESOLVCONF_TIMEOUT_MS, cancellable, removed_cb,
                          g_object_ref (task));
}

/* --- the interface */

static void
t2pn_resolver_resolvconf_iface_init (T2pnResolverInterface *iface)
{
  iface->name = "resolvconf";
  iface->apply_async = apply_async;
  iface->revert_async = revert_async;
}

static void
t2pn_resolver_resolvconf_finalize (GObject *object)
{
  T2pnResolverResolvconf *self = T2PN_RESOLVER_RESOLVCONF (object);

  g_free (self->program);
  g_free (self->resolv_conf);
  g_free (self->record);
  G_OBJECT_CLASS (t2pn_resolver_resolvconf_parent_class)->finalize (object);
}

static void
t2pn_resolver_resolvconf_class_init (T2pnResolverResolvconfClass *class)
{
  G_OBJECT_CLASS (class)->finalize = t2pn_resolver_resolvconf_finalize;
}

static void
t2pn_resolver_resolvconf_init (T2pnResolverResolvconf *self)
{
}

T2pnResolver *
t2pn_resolver_resolvconf_new (const char *program, const char *resolv_conf)
{
  T2pnResolverResolvconf *self = g_object_new (T2PN_TYPE_RESOLVER_RESOLVCONF, NULL);

  self->program = g_strdup (program);
  self->resolv_conf = g_strdup (resolv_conf);
  return T2PN_RESOLVER (self);
}
