/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-settings.h"

G_BEGIN_DECLS

/* How the settings complain: "key: what was seen, what is expected". All return FALSE. */

gboolean t2p_setting_refuse (const char *key, GError **error, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
gboolean t2p_setting_refuse_code (const char *key,
                                  T2pError code,
                                  GError **error,
                                  const char *format,
                                  ...) G_GNUC_PRINTF (4, 5);
/* For entry @index (from 0) of a list, with the message of @cause, which is consumed. */
gboolean t2p_setting_refuse_entry (const char *key, guint index, GError *cause, GError **error);
gboolean t2p_setting_refuse_unknown (const char *name, GError **error);
/* "none|routes|default" as "none, routes or default". (transfer full) */
char *t2p_setting_choices_to_words (const char *choices);

G_END_DECLS
