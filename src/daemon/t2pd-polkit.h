/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Asks polkit, over the very bus that the caller is on: his name means nothing on another. */

#define T2PD_TYPE_POLKIT (t2pd_polkit_get_type ())
G_DECLARE_FINAL_TYPE (T2pdPolkit, t2pd_polkit, T2PD, POLKIT, GObject)

T2pdPolkit *t2pd_polkit_new (GDBusConnection *bus);

void t2pd_polkit_check_async (T2pdPolkit *self,
                              const char *sender,
                              guint actions,
                              GVariant *details,
                              gboolean is_interactive,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean t2pd_polkit_check_finish (T2pdPolkit *self, GAsyncResult *result, GError **error);

G_END_DECLS
