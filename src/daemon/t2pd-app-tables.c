/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Two tables (t2pn-app-rules.c says how they work). The first is in the journal and outlives us
 * as all of the tunnel does. The second belongs to the descriptor that made it: were it to stay
 * when this process is killed, nobody would look at new cgroups any more, and new programs of
 * the whole machine would be cut off. Hence also the order: first the rules that capture, then
 * those are let go that were looked at.
 *
 * What is let go never becomes less: a socket may outlive its cgroup. */
#include "config.h"

#include "t2pd-app-tables.h"

#include "t2pd-bring-up-private.h"
#include "t2pd-tunnel-table.h"
#include "t2pn-app-rules.h"
#include "t2pn-nft.h"

struct _T2pdAppTables
{
  T2pdBringUp *bring_up; /* unowned */
  char *name;
  T2pnUidRange owner;
  T2pnNftOwner *hold; /* (nullable): without `apps` nobody is held */
  T2pnAppNewest newest;
  guint64 released;
  GArray *folders; /* of T2pnAppGroup: as they are loaded */
};

static const char *const *
get_apps (T2pdAppTables *self)
{
  return t2p_settings_get_strv (self->bring_up->settings, "apps");
}

static gboolean
prepare_hold (T2pdAppTables *self, GError **error)
{
  if (get_apps (self)[0] == NULL)
    return TRUE;
  self->hold = t2pn_nft_owner_new (error);
  return self->hold != NULL && t2pn_app_newest_init (&self->newest, T2PN_CGROUP_ROOT, error);
}

T2pdAppTables *
t2pd_app_tables_new (T2pdBringUp *bring_up, GError **error)
{
  T2pdAppTables *self = g_new0 (T2pdAppTables, 1);
  guint32 owner = t2pd_tunnel_get_owner (bring_up->tunnel);

  self->bring_up = bring_up;
  self->name = t2pd_tunnel_table_make_name (bring_up);
  self->owner = (T2pnUidRange){ owner, owner };
  self->newest.fd = -1;
  if (prepare_hold (self, error))
    return self;
  t2pd_app_tables_free (self);
  return NULL;
}

void
t2pd_app_tables_free (T2pdAppTables *self)
{
  if (self == NULL)
    return;
  t2pn_nft_owner_free (self->hold);
  t2pn_app_newest_clear (&self->newest);
  g_clear_pointer (&self->folders, g_array_unref);
  g_free (self->name);
  g_free (self);
}

static T2pnAppRules
make_rules (T2pdAppTables *self)
{
  T2pdBringUp *bring_up = self->bring_up;
  gboolean is_user = t2p_settings_get_scope (bring_up->settings) == T2P_SCOPE_USER;

  return (T2pnAppRules){
    .table = self->name,
    .mark = bring_up->ids.app_mark,
    .users = is_user ? &self->owner : (gconstpointer) bring_up->users->data,
    .n_users = is_user ? 1 : bring_up->users->len,
    .worker_uid = t2pd_bring_up_get_worker_uid (bring_up),
  };
}

gboolean
t2pd_app_tables_load (
    T2pdAppTables *self, GArray *attached, GArray *apps, GArray *excluded, GError **error)
{
  T2pnAppRules rules = make_rules (self);
  GArray *const opened[] = { attached, apps, excluded };
  g_autofree char *script = NULL;
  gboolean is_loaded = TRUE;

  rules.attached = attached;
  rules.apps = get_apps (self)[0] != NULL ? apps : NULL;
  rules.excluded = excluded;
  for (guint i = 0; is_loaded && i < G_N_ELEMENTS (opened); i++)
    is_loaded = t2pn_app_groups_open (opened[i], T2PN_CGROUP_ROOT, error);
  if (is_loaded)
    {
      script = t2pn_app_rules_make_script (&rules);
      is_loaded = t2pd_tunnel_table_load (self->bring_up, script, error);
    }
  for (guint i = 0; i < G_N_ELEMENTS (opened); i++)
    t2pn_app_groups_close (opened[i]);
  return is_loaded;
}

void
t2pd_app_tables_prepare (T2pdAppTables *self, const T2pnAppPlace *place, int inotify_fd)
{
  T2pnAppWatch watch = { .inotify_fd = inotify_fd, .newest = &self->newest };
  gboolean is_cut;

  if (self->hold != NULL)
    g_array_unref (t2pn_app_search (place, get_apps (self), &watch, &is_cut));
}

gboolean
t2pd_app_tables_release (T2pdAppTables *self, GArray *folders, GError **error)
{
  T2pnAppRules rules = make_rules (self);
  g_autofree char *script = NULL;
  gboolean is_loaded;

  if (self->hold == NULL ||
      (self->released == self->newest.id && t2pn_app_groups_equal (self->folders, folders)))
    return TRUE;
  if (!t2pn_app_groups_open (folders, T2PN_CGROUP_ROOT, error))
    return FALSE;
  script = t2pn_app_rules_make_hold_script (&rules, folders, self->newest.fd);
  is_loaded = t2pn_nft_owner_run (self->hold, script, error);
  t2pn_app_groups_close (folders);
  if (!is_loaded)
    return FALSE;
  self->released = self->newest.id;
  g_clear_pointer (&self->folders, g_array_unref);
  self->folders = g_array_ref (folders);
  return TRUE;
}
