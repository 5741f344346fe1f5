/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gunixfdlist.h>

G_BEGIN_DECLS

/* What a caller passed with CreateTunnelFd, by name: reference counted, immutable, its own. */
typedef struct _T2pdDescriptors T2pdDescriptors;

/**
 * t2pd_descriptors_new:
 * @names: an `a{sh}`
 * @list: (nullable): as it came with the message
 * @uid: of the caller
 *
 * T2P_ERROR_INVALID_FD for a number that does not fit, and what is none of its kind;
 * T2P_ERROR_NAMESPACE_NOT_OWNED; T2P_ERROR_NOT_SUPPORTED for `tun`.
 */
T2pdDescriptors *
t2pd_descriptors_new (GVariant *names, GUnixFDList *list, guint32 uid, GError **error);
T2pdDescriptors *t2pd_descriptors_ref (T2pdDescriptors *self);
void t2pd_descriptors_unref (T2pdDescriptors *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pdDescriptors, t2pd_descriptors_unref)

/* The network namespace, or -1; @self: (nullable). */
int t2pd_descriptors_get_netns (const T2pdDescriptors *self);
/* That of a setting's "fd:NAME", or -1; @self: (nullable). */
int t2pd_descriptors_find_file (const T2pdDescriptors *self, const char *setting);
/* A name that stands for a file, @index counts from 0, or NULL after the last. */
const char *t2pd_descriptors_get_file_name (const T2pdDescriptors *self, guint index);

G_END_DECLS
