/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-call.h"

G_BEGIN_DECLS

/* The methods of a tunnel that only look, and CloseConnections: what the worker says, checked
 * and put into the public form. Each answers @call, now or later. */
void t2pd_bus_details_get_settings (T2pdCall *call);
void t2pd_bus_details_get_details (T2pdCall *call);
void t2pd_bus_details_get_statistics (T2pdCall *call);
void t2pd_bus_details_list_connections (T2pdCall *call);
void t2pd_bus_details_close_connections (T2pdCall *call);

/* The filter that is the first of @parameters: T2P_ERROR_INVALID_ARGUMENT names the key. Pure.
 */
gboolean t2pd_bus_details_check_filter (GVariant *parameters, GError **error);

G_END_DECLS
