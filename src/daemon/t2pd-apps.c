/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * nftables looks up a cgroup's path when a rule is loaded, and keeps the cgroup that it found.
 * So the rules are loaded anew whenever a folder that could make a difference comes or goes:
 * at once, and during a flood of changes, which every user can make in his own folders, after
 * a pause that is RESTS times as long as the last time took. A program that is started into a
 * cgroup of its own cannot open connections for so long, be it an app or not: the tables hold
 * what we have not looked at (t2pd-app-tables.c).
 *
 * A load that fails leaves the rules as they were, and is tried again. */

#include "t2pd-apps.h"

#include "t2p-app-name.h"
#include "t2p-log.h"
#include "t2pd-app-tables.h"
#include "t2pd-bring-up-private.h"
#include "t2pn-cgroup.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define STEP "install-capture"
#define RESTS 4
#define RELOAD_MS 1
#define LAST_RELOAD_MS 10000 /* after failures, each of which doubles it */
#define TRIES 3              /* of the first load: a unit that ends meanwhile is no failure */

struct _T2pdApps
{
  T2pdBringUp *bring_up; /* unowned: it owns us */
  T2pdAppTables *tables;
  int inotify_fd;
  GSource *changes;
  GSource *again; /* while it is there, changes wait for it */
  guint delay_ms;
  gboolean is_stale;
  gboolean is_loaded;
  GArray *apps; /* of T2pnAppGroup: what the rules say */
  GArray *excluded;
  GArray *attached;    /* likewise: what somebody has been started in */
  gboolean has_cgroup; /* of our own, for the same */
  gboolean is_failing; /* and that was told */
  gboolean is_cut;     /* likewise */
};

static void
drop_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
stop_watching (T2pdApps *self)
{
  drop_source (&self->changes);
  if (self->inotify_fd >= 0)
    close (self->inotify_fd);
  self->inotify_fd = -1;
}

void
t2pd_apps_free (T2pdApps *self)
{
  if (self == NULL)
    return;
  stop_watching (self);
  drop_source (&self->again);
  g_clear_pointer (&self->apps, g_array_unref);
  g_clear_pointer (&self->excluded, g_array_unref);
  g_clear_pointer (&self->attached, g_array_unref);
  t2pd_app_tables_free (self->tables);
  g_free (self);
}

/* --- looking */

static T2pnAppPlace
place_of (T2pdApps *self)
{
  T2pdBringUp *bring_up = self->bring_up;

  return (T2pnAppPlace){
    .root = T2PN_CGROUP_ROOT,
    .is_user = t2p_settings_get_scope (bring_up->settings) == T2P_SCOPE_USER,
    .uid = t2pd_tunnel_get_owner (bring_up->tunnel),
  };
}

static const char *
name_of (T2pdApps *self)
{
  return t2pd_tunnel_get_name (self->bring_up->tunnel);
}

static void
tell_cut (T2pdApps *self, gboolean is_cut)
{
  if (is_cut && !self->is_cut)
    t2p_log_warning (name_of (self), NULL,
                     "there are more units than are looked at, some apps may be missed");
  self->is_cut = is_cut;
}

/* With the proxies on this machine that the tunnel uses. (transfer container) */
static const char **
list_excluded (T2pdApps *self)
{
  const char *const *lists[] = {
    t2p_settings_get_strv (self->bring_up->settings, "exclude-apps"),
    t2pd_second_hop_get_units (self->bring_up->second_hop),
  };
  GPtrArray *names = g_ptr_array_new ();

  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    for (guint j = 0; lists[i][j] != NULL; j++)
      g_ptr_array_add (names, (gpointer) lists[i][j]);
  g_ptr_array_add (names, NULL);
  return (const char **) g_ptr_array_free (names, FALSE);
}

/* An excluded app is one that gets past the tunnel: a user's unit of the same name is none. */
static void
look (T2pdApps *self, GArray **out_apps, GArray **out_excluded, GArray *folders)
{
  const T2pSettings *settings = self->bring_up->settings;
  T2pnAppPlace place = place_of (self);
  T2pnAppWatch watch = { .inotify_fd = self->inotify_fd };
  g_autofree const char **excluded = list_excluded (self);
  gboolean is_cut = FALSE;
  gboolean is_excluded_cut = FALSE;

  place.with_managers = !place.is_user;
  t2pd_app_tables_prepare (self->tables, &place, self->inotify_fd);
  place.with_managers = FALSE;
  *out_excluded = t2pn_app_search (&place, excluded, &watch, &is_excluded_cut);
  place.with_managers = !place.is_user;
  watch.folders = folders;
  *out_apps =
      t2pn_app_search (&place, t2p_settings_get_strv (settings, "apps"), &watch, &is_cut);
  tell_cut (self, is_cut || is_excluded_cut);
}

/* --- loading */

static gboolean changed_cb (int fd, GIOCondition condition, gpointer user_data);

static gboolean
watch_anew (T2pdApps *self, GError **error)
{
  int errsv;

  stop_watching (self);
  self->inotify_fd = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
  errsv = errno;
  if (self->inotify_fd < 0)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED, "could not watch cgroups: %s",
                   g_strerror (errsv));
      return FALSE;
    }
  self->changes = g_unix_fd_source_new (self->inotify_fd, G_IO_IN);
  g_source_set_callback (self->changes, G_SOURCE_FUNC (changed_cb), self, NULL);
  g_source_attach (self->changes, NULL);
  return TRUE;
}

static void
take (GArray **old, GArray **new)
{
  g_clear_pointer (old, g_array_unref);
  *old = g_steal_pointer (new);
}

/* Watches first and looks then, so that no change is missed. */
static gboolean
reload (T2pdApps *self, const T2pnAppGroup *another, GError **error)
{
  g_autoptr (GArray) apps = NULL;
  g_autoptr (GArray) excluded = NULL;
  g_autoptr (GArray) attached = NULL;
  g_autoptr (GArray) folders = t2pn_app_groups_new ();

  if (!watch_anew (self, error))
    return FALSE;
  look (self, &apps, &excluded, folders);
  attached = t2pn_app_groups_keep (self->attached, T2PN_CGROUP_ROOT);
  if (another != NULL && !t2pn_app_groups_add (attached, another, error))
    return FALSE;
  if (self->is_loaded && t2pn_app_groups_equal (self->apps, apps) &&
      t2pn_app_groups_equal (self->excluded, excluded) &&
      t2pn_app_groups_equal (self->attached, attached))
    return t2pd_app_tables_release (self->tables, folders, error);
  if (!t2pd_app_tables_load (self->tables, attached, apps, excluded, error))
    return FALSE;
  self->is_loaded = TRUE;
  take (&self->apps, &apps);
  take (&self->excluded, &excluded);
  take (&self->attached, &attached);
  return t2pd_app_tables_release (self->tables, folders, error);
}

static void renew (T2pdApps *self);

static gboolean
again_cb (gpointer user_data)
{
  T2pdApps *self = user_data;

  drop_source (&self->again);
  if (self->is_stale)
    renew (self);
  return G_SOURCE_REMOVE;
}

static void
renew (T2pdApps *self)
{
  g_autoptr (GError) error = NULL;
  gint64 began_us = g_get_monotonic_time ();
  guint pause_ms;

  self->is_stale = !reload (self, NULL, &error);
  pause_ms = (guint) (RESTS * (g_get_monotonic_time () - began_us) / 1000);
  if (self->is_stale && !self->is_failing)
    t2p_log_info (name_of (self), error, "apps could not be followed, trying again");
  self->delay_ms = self->is_failing && self->is_stale ? MIN (self->delay_ms * 2, LAST_RELOAD_MS)
                                                      : MAX (pause_ms, RELOAD_MS);
  self->is_failing = self->is_stale;
  self->again = g_timeout_source_new (self->delay_ms);
  g_source_set_callback (self->again, again_cb, self, NULL);
  g_source_attach (self->again, NULL);
}

/* Closing the descriptor forgets what it had to say. */
static gboolean
changed_cb (int fd, GIOCondition condition, gpointer user_data)
{
  T2pdApps *self = user_data;

  self->is_stale = TRUE;
  stop_watching (self);
  if (self->again == NULL)
    renew (self);
  return G_SOURCE_REMOVE;
}

/* --- the part */

static gboolean
load_first (T2pdApps *self, GError **error)
{
  for (guint i = 1; i < TRIES; i++)
    if (reload (self, NULL, NULL))
      return TRUE;
  return reload (self, NULL, error);
}

gboolean
t2pd_apps_run (T2pdBringUp *bring_up, GError **error)
{
  T2pdApps *self;

  if (bring_up->ids.app_mark == 0)
    return TRUE;
  if (!t2pn_app_search_check (T2PN_CGROUP_ROOT, error))
    return FALSE;
  self = g_new0 (T2pdApps, 1);
  self->bring_up = bring_up;
  self->inotify_fd = -1;
  self->attached = t2pn_app_groups_new ();
  self->tables = t2pd_app_tables_new (bring_up, error);
  if (self->tables == NULL || !load_first (self, error))
    {
      t2pd_apps_free (self);
      return FALSE;
    }
  bring_up->apps = self;
  return TRUE;
}

/* The table goes with the step's journal. */
gboolean
t2pd_apps_undo (T2pdBringUp *bring_up, GError **error)
{
  g_clear_pointer (&bring_up->apps, t2pd_apps_free);
  return TRUE;
}

gboolean
t2pd_apps_restore (T2pdBringUp *bring_up, GError **error)
{
  T2pdApps *self = bring_up->apps;

  if (self == NULL)
    return TRUE;
  self->is_loaded = FALSE;
  drop_source (&self->again);
  renew (self);
  return TRUE;
}

/* --- programs that are started inside */

static gboolean
refuse (T2pdBringUp *bring_up, GError **error, const char *text)
{
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT, "tunnel '%s' %s",
               t2pd_tunnel_get_name (bring_up->tunnel), text);
  return FALSE;
}

gboolean
t2pd_apps_captures_user (T2pdBringUp *bring_up, guint32 uid)
{
  if (t2p_settings_get_scope (bring_up->settings) == T2P_SCOPE_USER)
    return uid == t2pd_tunnel_get_owner (bring_up->tunnel);
  for (guint i = 0; i < bring_up->users->len; i++)
    {
      const T2pnUidRange *range = &g_array_index (bring_up->users, T2pnUidRange, i);

      if (uid >= range->first && uid <= range->last)
        return TRUE;
    }
  return bring_up->users->len == 0;
}

static gboolean
check_attach (T2pdBringUp *bring_up, guint32 uid, GError **error)
{
  if (!t2pd_tunnel_is_up (bring_up->tunnel))
    return refuse (bring_up, error, "is not active");
  if (t2pd_bring_up_get_netns (bring_up) >= 0)
    return refuse (bring_up, error, "is in another network namespace: start the program there");
  if (t2p_settings_get_capture (bring_up->settings) == T2P_CAPTURE_NONE)
    return refuse (bring_up, error, "captures nothing, expected capture=routes or default");
  if (!t2pd_apps_captures_user (bring_up, uid))
    return refuse (bring_up, error, "does not capture programs of this user");
  return TRUE;
}

/* A scope of its own, which systemd has made for it. */
static gboolean
has_scope (const char *path)
{
  const char *name = path != NULL ? strrchr (path, '/') : NULL;

  return name != NULL && g_str_has_prefix (name, "/tun2proxy-") &&
         t2p_app_component_is_valid (name + 1) && g_str_has_suffix (name, ".scope");
}

/* (transfer full): path of our own cgroup, with the process in it; NULL with an error */
static char *
move_into_own (T2pdApps *self, pid_t pid, GError **error)
{
  g_autofree char *id =
      g_strdup_printf ("%" G_GUINT64_FORMAT, t2pd_tunnel_get_id (self->bring_up->tunnel));
  g_autofree char *path = t2pn_cgroup_make_path (id);

  if (!self->has_cgroup &&
      !t2pn_journal_add_cgroup (self->bring_up->journal, STEP, path, error))
    return NULL;
  self->has_cgroup = TRUE;
  return t2pn_cgroup_make (T2PN_CGROUP_ROOT, path, error) &&
                 t2pn_cgroup_move (T2PN_CGROUP_ROOT, path, pid, error)
             ? g_steal_pointer (&path)
             : NULL;
}

static gboolean
attach_path (T2pdApps *self, const char *path, GError **error)
{
  T2pnAppGroup group;
  gboolean is_loaded;

  if (!t2pn_app_group_find (T2PN_CGROUP_ROOT, path, &group, error))
    return FALSE;
  is_loaded = reload (self, &group, error);
  g_free (group.path);
  return is_loaded;
}

gboolean
t2pd_apps_attach (T2pdBringUp *bring_up, pid_t pid, guint32 uid, GError **error)
{
  g_autofree char *path = t2pn_cgroup_of_process (pid);

  if (!check_attach (bring_up, uid, error))
    return FALSE;
  if (bring_up->apps == NULL) /* all of his programs are inside */
    return TRUE;
  if (!has_scope (path))
    {
      g_free (path);
      path = move_into_own (bring_up->apps, pid, error);
    }
  return path != NULL && attach_path (bring_up->apps, path, error);
}

/* --- cgroups, with what is in them */

static GHashTable *
list_below (const GArray *groups)
{
  GHashTable *ids = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);

  for (guint i = 0; i < groups->len; i++)
    t2pn_app_group_list_ids (T2PN_CGROUP_ROOT, g_array_index (groups, T2pnAppGroup, i).path,
                             ids);
  return ids;
}

void
t2pd_apps_list_cgroups (T2pdBringUp *bring_up,
                        GHashTable **out_inside,
                        GHashTable **out_outside)
{
  T2pdApps *self = bring_up->apps;

  if (self == NULL)
    return;
  *out_outside = list_below (self->excluded);
  if (t2p_settings_get_strv (bring_up->settings, "apps")[0] != NULL)
    *out_inside = list_below (self->apps);
}

/* --- what a person should know */

static void
add_missing (T2pdApps *self, const char *key, const GArray *found, GVariantBuilder *warnings)
{
  if (found->len > 0 || t2p_settings_get_strv (self->bring_up->settings, key)[0] == NULL)
    return;
  g_variant_builder_add_value (
      warnings, g_variant_new_printf (
                    "%s: no such unit is running now; one is found when it is started", key));
}

void
t2pd_apps_add_warnings (T2pdBringUp *bring_up, GVariantBuilder *warnings)
{
  if (bring_up->apps == NULL)
    return;
  add_missing (bring_up->apps, "apps", bring_up->apps->apps, warnings);
  add_missing (bring_up->apps, "exclude-apps", bring_up->apps->excluded, warnings);
}

static gboolean
is_in_group (const GArray *groups, const char *path)
{
  for (guint i = 0; groups != NULL && path != NULL && i < groups->len; i++)
    {
      const char *group = g_array_index (groups, T2pnAppGroup, i).path;
      gsize length = strlen (group);

      if (strncmp (path, group, length) == 0 && (path[length] == '\0' || path[length] == '/'))
        return TRUE;
    }
  return FALSE;
}

gboolean
t2pd_apps_captures (const T2pdApps *self, const char *path)
{
  const T2pSettings *settings = self->bring_up->settings;

  if (is_in_group (self->attached, path))
    return TRUE;
  if (is_in_group (self->excluded, path))
    return FALSE;
  return t2p_settings_get_strv (settings, "apps")[0] == NULL || is_in_group (self->apps, path);
}
