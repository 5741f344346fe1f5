/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* (transfer full): "ProxyUnreachable": the public error's name without its prefix, "" for none
 */
char *t2pw_error_name (const GError *error);

G_END_DECLS
