/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Cgroups, in arrays. */

/**
 * T2pnAppGroup:
 * @path: below the root, "app.slice/foo.scope"
 * @level: how many names that has
 * @id: the kernel's; one that was removed and made again has another
 * @fd: that very cgroup, while it is open; or -1
 */
typedef struct
{
  char *path;
  guint level;
  guint64 id;
  int fd;
} T2pnAppGroup;

/* The cgroup with the highest number: it stays open (@fd), whether it is still there or not. */
typedef struct
{
  guint64 id;
  int fd;
} T2pnAppNewest;

/* (transfer full) */
T2pnAppGroup t2pn_app_group_make (const char *path, guint64 id);
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

/* The root itself: all others are newer. */
gboolean t2pn_app_newest_init (T2pnAppNewest *newest, const char *root, GError **error);
void t2pn_app_newest_clear (T2pnAppNewest *newest);

/* Opens each of @groups, for nftables to find that one and no other of the same name; who is
 * gone is taken out. */
gboolean t2pn_app_groups_open (GArray *groups, const char *root, GError **error);
void t2pn_app_groups_close (GArray *groups);

/* Adds the numbers of the cgroup at @path and of those in it to @ids, a set of guint64, of
 * which it has T2P_MAX_APP_IDS at most. */
void t2pn_app_group_list_ids (const char *root, const char *path, GHashTable *ids);

G_END_DECLS
