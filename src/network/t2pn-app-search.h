/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Where cgroup v2 is mounted, for nftables too. */
#define T2PN_CGROUP_ROOT "/sys/fs/cgroup"

/**
 * T2pnAppGroup:
 * @path: below the root, "app.slice/foo.scope"
 * @level: how many names that has
 * @id: the kernel's; one that was removed and made again has another
 */
typedef struct
{
  char *path;
  guint level;
  guint64 id;
} T2pnAppGroup;

/**
 * T2pnAppPlace:
 * @root: T2PN_CGROUP_ROOT
 * @is_user: only units of the user @uid, of his manager or of his sessions
 * @uid: with @is_user
 * @with_managers: otherwise: also units of all users' managers
 *
 * Whose units names stand for.
 */
typedef struct
{
  const char *root;
  gboolean is_user;
  guint32 uid;
  gboolean with_managers;
} T2pnAppPlace;

/* Whether this machine has cgroup v2 where it is looked for: T2P_ERROR_NOT_SUPPORTED. */
gboolean t2pn_app_search_check (const char *root, GError **error);

/**
 * t2pn_app_search:
 * @names: as t2p_app_name_check() likes them
 * @inotify_fd: tells from now on when the answer may have become another one; -1: nobody asks
 * @out_is_cut: (out): there is more than this looks at
 *
 * Returns: (transfer full) (element-type T2pnAppGroup): the cgroups that are there, by path
 */
GArray *t2pn_app_search (const T2pnAppPlace *place,
                         const char *const *names,
                         int inotify_fd,
                         gboolean *out_is_cut);
gboolean t2pn_app_groups_equal (const GArray *a, const GArray *b);
/* Empty. (transfer full) */
GArray *t2pn_app_groups_new (void);
/* Those of @groups that are still there. (transfer full) */
GArray *t2pn_app_groups_keep (const GArray *groups, const char *root);
/* A copy of @group, unless it is there; T2P_ERROR_LIMIT_EXCEEDED. */
gboolean t2pn_app_groups_add (GArray *groups, const T2pnAppGroup *group, GError **error);
/* The cgroup at @path; its path is to be freed. */
gboolean t2pn_app_group_find (const char *root,
                              const char *path,
                              T2pnAppGroup *out_group,
                              GError **error);

/* Adds the numbers of the cgroup at @path and of those in it to @ids, a set of guint64, of
 * which it has T2P_MAX_APP_IDS at most. */
void t2pn_app_group_list_ids (const char *root, const char *path, GHashTable *ids);

G_END_DECLS
