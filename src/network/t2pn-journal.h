/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-snapshot.h"

#include <sys/types.h>

G_BEGIN_DECLS

/* What one tunnel has done to the machine, written down *before* it is done:
 * RUNTIME_DIR/journal/ TUNNEL-ID.json, 0600, replaced atomically. Whoever finds the journal of
 * a dead instance can undo it: t2pn_repair(). Entries are undone backwards, each compared with
 * what is there first: what no longer is ours is left alone. */
typedef struct _T2pnJournal T2pnJournal;

/**
 * T2pnResolvConf: what stood in place of the file that we replaced.
 * @path: "/etc/resolv.conf"
 * @link_target: what the symlink said; NULL when it was a file
 * @content: what was in the file; NULL when it was a symlink or absent
 * @mode, @uid, @gid: of the file
 * @ours: what we put there; anything else found later is somebody else's and stays
 * @temporary: beside it, where a new content is written first
 */
typedef struct
{
  char *path;
  char *link_target;
  char *content;
  guint32 mode, uid, gid;
  char *ours;
  char *temporary;
} T2pnResolvConf;

/* An empty journal for a tunnel, owned by this process. @tunnel_id: [A-Za-z0-9._-]+, the number
 * in the tunnel's object path. An old file of that name is replaced with the first write. */
T2pnJournal *t2pn_journal_new (const char *runtime_dir, const char *tunnel_id, GError **error);
/* The journal that another instance left: for adoption, after which this process owns it. */
T2pnJournal *t2pn_journal_load (const char *runtime_dir, const char *tunnel_id, GError **error);
void t2pn_journal_free (T2pnJournal *journal); /* leaves the file alone */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnJournal, t2pn_journal_free)

/* Tunnel ids of the journals whose owner is dead: what may be adopted, else repaired. (transfer
 * full), empty when there is no runtime directory. */
char **t2pn_journal_list_abandoned (const char *runtime_dir);
/* Path of the worker's control socket as it was written down, or NULL. */
const char *t2pn_journal_get_socket (const T2pnJournal *journal);
/* The device as it was written down; FALSE when it was not. */
gboolean
t2pn_journal_get_device (const T2pnJournal *journal, const char **out_ifname, int *out_ifindex);

/* Writes that the step @name of the bring-up table is about to run. */
gboolean t2pn_journal_begin_step (T2pnJournal *journal, const char *name, GError **error);
/* The step that was begun last, or NULL. */
const char *t2pn_journal_get_step (const T2pnJournal *journal);

/* Each of these writes the file before it returns. */
gboolean
t2pn_journal_add_device (T2pnJournal *journal, const char *ifname, int ifindex, GError **error);
gboolean t2pn_journal_add_socket (T2pnJournal *journal, const char *path, GError **error);
/* The worker's process; its start time is read here, so that a reused pid is never killed. */
gboolean t2pn_journal_add_worker (T2pnJournal *journal, pid_t pid, GError **error);
/* @addresses, @routes, @rules: (nullable): arrays as in a T2pnRoutePlan. */
gboolean t2pn_journal_add_network (T2pnJournal *journal,
                                   const GArray *addresses,
                                   const GArray *routes,
                                   const GArray *rules,
                                   GError **error);
/* The same for a step that was begun before: adds to what it has done to the network, or says
 * what is left of it. */
gboolean t2pn_journal_add_step_network (T2pnJournal *journal,
                                        const char *step,
                                        const GArray *addresses,
                                        const GArray *routes,
                                        const GArray *rules,
                                        GError **error);
gboolean t2pn_journal_set_step_network (T2pnJournal *journal,
                                        const char *step,
                                        const GArray *addresses,
                                        const GArray *routes,
                                        const GArray *rules,
                                        GError **error);
/* The name of a record of resolvconf(8). */
gboolean t2pn_journal_add_resolvconf (T2pnJournal *journal, const char *record, GError **error);
gboolean t2pn_journal_add_resolv_conf (T2pnJournal *journal,
                                       const T2pnResolvConf *saved,
                                       GError **error);
/* @name: from t2pn_nft_make_table_name(): the tunnel's own table, made or changed at any time
 * between @step and its undoing, which deletes it whole. Once is enough. */
gboolean t2pn_journal_add_nft_table (T2pnJournal *journal,
                                     const char *step,
                                     const char *name,
                                     GError **error);

/* @path: from t2pn_cgroup_make_path(), about to be made while @step is there. */
gboolean t2pn_journal_add_cgroup (T2pnJournal *journal,
                                  const char *step,
                                  const char *path,
                                  GError **error);

/**
 * t2pn_journal_undo_step:
 *
 * Undoes what was written down since the step @name was begun, backwards, and forgets it. Going
 * on after a failure, it returns the first one. Does nothing when the step is not there.
 */
gboolean t2pn_journal_undo_step (T2pnJournal *journal, const char *name, GError **error);
/* Undoes everything, and removes the file when all of it worked. Idempotent. */
gboolean t2pn_journal_undo (T2pnJournal *journal, GError **error);

/**
 * t2pn_repair:
 * @out_lines: (element-type utf8) (nullable): gets one line for each thing that was (or with
 *   @dry_run would be) undone
 *
 * Undoes every journal in @runtime_dir whose owner is dead. One that is damaged is undone as
 * far as it can be understood, told and set aside, and what it may have known about is looked
 * for: rules of ours that lead into a table which nobody uses any more. Adopt workers first:
 * one that is still alive is ended here. Goes on after failures and returns the first.
 */
gboolean
t2pn_repair (const char *runtime_dir, gboolean dry_run, GPtrArray *out_lines, GError **error);

G_END_DECLS
