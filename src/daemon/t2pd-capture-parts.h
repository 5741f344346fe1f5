/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-bring-up.h"

G_BEGIN_DECLS

/**
 * T2pdCapturePart: something that belongs to the capture and is no route or rule
 * @run: makes it, or finds that this tunnel needs none; leaves nothing when it fails. What it
 *   makes is in the journal first
 * @undo: (nullable): takes it away, and succeeds when there is nothing; NULL when what the
 *   journal does is enough
 * @update: (nullable): the plan was computed anew, for links, addresses, rules or a proxy that
 *   changed
 * @restore: (nullable): makes again what it had in the tunnel's table of nftables, which
 *   somebody has removed
 *
 * All of them ask the kernel only, and wait for nobody.
 */
typedef struct
{
  const char *name;
  gboolean (*run) (T2pdBringUp *self, GError **error);
  gboolean (*undo) (T2pdBringUp *self, GError **error);
  gboolean (*update) (T2pdBringUp *self, GError **error);
  gboolean (*restore) (T2pdBringUp *self, GError **error);
} T2pdCapturePart;

/* The rows in their order; when one fails, those before it are undone. */
gboolean t2pd_capture_parts_run (T2pdBringUp *self, GError **error);
/* Backwards. This one and those below go on after a failure and return the first; those below
 * do something between t2pd_capture_parts_run() and this one only. */
gboolean t2pd_capture_parts_undo (T2pdBringUp *self, GError **error);
gboolean t2pd_capture_parts_update (T2pdBringUp *self, GError **error);
gboolean t2pd_capture_parts_restore (T2pdBringUp *self, GError **error);

/* What those four do with their table, for tests. */
gboolean t2pd_capture_parts_run_table (const T2pdCapturePart *parts,
                                       gsize n_parts,
                                       T2pdBringUp *self,
                                       GError **error);
gboolean t2pd_capture_parts_undo_table (const T2pdCapturePart *parts,
                                        gsize n_parts,
                                        T2pdBringUp *self,
                                        GError **error);
gboolean t2pd_capture_parts_update_table (const T2pdCapturePart *parts,
                                          gsize n_parts,
                                          T2pdBringUp *self,
                                          GError **error);
gboolean t2pd_capture_parts_restore_table (const T2pdCapturePart *parts,
                                           gsize n_parts,
                                           T2pdBringUp *self,
                                           GError **error);

G_END_DECLS
