/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Who is at the other end: asked from the bus, and from nobody else. Kept for each sender until
 * it leaves, because a uid belongs to a connection for its whole life. */

#define T2PD_TYPE_CALLERS (t2pd_callers_get_type ())
G_DECLARE_FINAL_TYPE (T2pdCallers, t2pd_callers, T2PD, CALLERS, GObject)

T2pdCallers *t2pd_callers_new (GDBusConnection *bus);

void t2pd_callers_identify_async (T2pdCallers *self,
                                  const char *sender,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);
gboolean t2pd_callers_identify_finish (T2pdCallers *self,
                                       GAsyncResult *result,
                                       guint32 *out_uid,
                                       GError **error);
gboolean t2pd_callers_is_known (T2pdCallers *self, const char *sender);
gboolean t2pd_callers_is_root (T2pdCallers *self, const char *sender);

/* Signal "vanished" (string sender): it left the bus. Not detailed: a quark for each name that
 * ever was would never be freed. */

G_END_DECLS
