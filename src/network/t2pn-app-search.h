/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-app-groups.h"

G_BEGIN_DECLS

/* Where cgroup v2 is mounted, for nftables too. */
#define T2PN_CGROUP_ROOT "/sys/fs/cgroup"

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

/**
 * T2pnAppWatch:
 * @inotify_fd: tells from now on when the answer may have become another one; -1: nobody asks
 * @folders: (nullable) (element-type T2pnAppGroup): gets those that were looked through, the
 * root included, but none that cannot be watched
 * @newest: (nullable): becomes what was seen in folders that were looked through, if it is
 * newer
 *
 * What a search tells beside what it found.
 */
typedef struct
{
  int inotify_fd;
  GArray *folders;
  T2pnAppNewest *newest;
} T2pnAppWatch;

/* Whether this machine has cgroup v2 where it is looked for: T2P_ERROR_NOT_SUPPORTED. */
gboolean t2pn_app_search_check (const char *root, GError **error);

/**
 * t2pn_app_search:
 * @names: as t2p_app_name_check() likes them
 * @watch: (nullable): is told more
 * @out_is_cut: (out): there is more than this looks at
 *
 * Returns: (transfer full) (element-type T2pnAppGroup): the cgroups that are there, by path
 */
GArray *t2pn_app_search (const T2pnAppPlace *place,
                         const char *const *names,
                         T2pnAppWatch *watch,
                         gboolean *out_is_cut);

G_END_DECLS
