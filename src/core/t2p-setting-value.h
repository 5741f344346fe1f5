/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-settings.h"

G_BEGIN_DECLS

/* One setting: its value and what it was parsed into, by its format. All zero is a fine start.
 */
typedef struct
{
  GVariant *variant;    /* of the declared type; URIs without userinfo */
  const char **strv;    /* of "as": container only */
  GArray *prefixes;     /* T2pIpPrefix: CIDR, INTERFACE, ADDRESS */
  GArray *users;        /* T2pUserRange: USER */
  GPtrArray *endpoints; /* T2pEndpoint: URI */
  GPtrArray *rules;     /* T2pRule: RULE */
  gboolean is_set;      /* by the caller */
} T2pSettingValue;

/* Judges @variant by its row of the table, and takes it in. */
gboolean t2p_setting_value_fill (T2pSettingValue *value,
                                 const T2pSettingKey *key,
                                 GVariant *variant,
                                 GError **error);
void t2p_setting_value_clear (T2pSettingValue *value);

G_END_DECLS
