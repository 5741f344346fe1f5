/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-setting-files.h"
#include "t2pd-descriptors.h"

#include <gio/gunixfdlist.h>

G_BEGIN_DECLS

/* The files that settings name, open, to be passed to workers: reference counted, immutable. A
 * worker that replaces another reads what the first one read. */
typedef struct _T2pdFiles T2pdFiles;

/* Pure: whether @owner may have files of these names opened at all, or has @passed (nullable)
 * them. Errors: T2P_ERROR_INVALID_SETTINGS with the key and the entry. */
gboolean t2pd_files_check (const GArray *wanted,
                           guint32 owner,
                           const T2pdDescriptors *passed,
                           GError **error);
/* Opens them: T2P_ERROR_INVALID_SETTINGS, T2P_ERROR_LIMIT_EXCEEDED, T2P_ERROR_INVALID_FD. */
T2pdFiles *t2pd_files_open (const GArray *wanted,
                            guint32 owner,
                            const T2pdDescriptors *passed,
                            GError **error);
T2pdFiles *t2pd_files_ref (T2pdFiles *files);
void t2pd_files_unref (T2pdFiles *files);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pdFiles, t2pd_files_unref)

guint t2pd_files_get_n (const T2pdFiles *files);
/* Adds those of @names (NULL: all) to @list, and says which is which: a floating `a{sh}`. */
GVariant *t2pd_files_pass (const T2pdFiles *files,
                           const GPtrArray *names,
                           GUnixFDList *list,
                           GError **error);

G_END_DECLS
