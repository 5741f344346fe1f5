/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Private to the library: how it speaks to the service. Every call may show a password dialog
 * and has no time-out (a dialog takes as long as a person does); a GCancellable ends it. Errors
 * come out in T2P_ERROR wherever that domain has a code for them, without the prefix of the
 * bus. */

typedef struct
{
  GDBusConnection *connection;
  const char *path;
  const char *interface;
} T2pBusTarget;

/* @arguments: floating tuple. The GTask that @callback gets belongs to @source and @tag. */
void t2p_bus_call_async (const T2pBusTarget *target,
                         const char *method,
                         GVariant *arguments,
                         const char *reply_type,
                         gpointer source,
                         gpointer tag,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data);
GVariant *
t2p_bus_call_finish (gpointer source, gpointer tag, GAsyncResult *result, GError **error);
GVariant *t2p_bus_call_sync (const T2pBusTarget *target,
                             const char *method,
                             GVariant *arguments,
                             const char *reply_type,
                             GCancellable *cancellable,
                             GError **error);

/* Of a method that takes a descriptor, which stays the caller's, and @options (nullable), and
 * answers nothing. t2p_bus_call_finish() is its end, too. */
void t2p_bus_call_descriptor_async (const T2pBusTarget *target,
                                    const char *method,
                                    int descriptor,
                                    GVariant *options,
                                    gpointer source,
                                    gpointer tag,
                                    GCancellable *cancellable,
                                    GAsyncReadyCallback callback,
                                    gpointer user_data);
gboolean t2p_bus_call_descriptor_sync (const T2pBusTarget *target,
                                       const char *method,
                                       int descriptor,
                                       GVariant *options,
                                       GCancellable *cancellable,
                                       GError **error);

/* Take a reply, NULL for a call that has failed: whether there is one, and its first member. */
gboolean t2p_bus_reply_is_there (GVariant *reply);
GVariant *t2p_bus_reply_value (GVariant *reply);

/* @vardict itself, or an empty one for NULL (floating as it came). */
GVariant *t2p_bus_vardict (GVariant *vardict);

/* Changes @error in place as said above. */
void t2p_bus_error_translate (GError *error);
/* Whether @error says that nobody owns the service's name. */
gboolean t2p_bus_error_is_absence (const GError *error);

G_END_DECLS
