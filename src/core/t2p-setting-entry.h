/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-setting-value.h"

G_BEGIN_DECLS

/* Judges one entry of a list, or a single text, by the format of its row, and adds what it was
 * parsed into to @value. The message is without the key. */
gboolean t2p_setting_entry_take (T2pSettingValue *value,
                                 const T2pSettingKey *key,
                                 const char *text,
                                 GError **error);

G_END_DECLS
