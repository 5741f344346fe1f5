/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/** T2pdCallOption: an option that a method knows, and its GVariant type. */
typedef struct
{
  const char *name;
  const char *type;
} T2pdCallOption;

gboolean
t2pd_call_options_check (GVariant *options, const T2pdCallOption *known, GError **error);
gboolean t2pd_call_options_get_bool (GVariant *options, const char *name, gboolean fallback);
guint32 t2pd_call_options_get_u32 (GVariant *options, const char *name, guint32 fallback);
const char *
t2pd_call_options_get_string (GVariant *options, const char *name, const char *fallback);

G_END_DECLS
