/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

char *t2pw_kerberos_token_new (const char *cache, const char *service, GError **error);

G_END_DECLS
