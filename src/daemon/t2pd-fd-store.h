/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Descriptors that outlive this process, under names of ours: the service manager holds them
 * for the next one (FDSTORE of sd_notify(3)). Without a service manager nothing is kept, which
 * is no error. */
typedef struct _T2pdFdStore T2pdFdStore;

/* Takes what the process before us has left; once, before anything is spawned. What nobody has
 * taken within an hour is given up. */
T2pdFdStore *t2pd_fd_store_new (void);
/* What is kept stays kept. */
void t2pd_fd_store_free (T2pdFdStore *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pdFdStore, t2pd_fd_store_free)

/* @name: no colon in it, 255 bytes at most. Returns (transfer full) what was left under it,
 * which stays kept for the next process; -1: nothing. */
int t2pd_fd_store_take (T2pdFdStore *self, const char *name);
/* Has @fd kept, which stays the caller's. In vain where that cannot be had. */
void t2pd_fd_store_keep (T2pdFdStore *self, const char *name, int fd);
/* What is under @name is kept no longer. */
void t2pd_fd_store_forget (T2pdFdStore *self, const char *name);

G_END_DECLS
