/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-settings.h"
#include "t2pn-route-plan.h"

G_BEGIN_DECLS

/**
 * t2pd_users_look_up:
 *
 * The setting `users` as uid ranges, names looked up in the system's user database. (transfer
 * full) (element-type T2pnUidRange), empty when it is not set. T2P_ERROR_INVALID_SETTINGS for a
 * name that nobody has.
 *
 * Since: 0.1
 */
GArray *t2pd_users_look_up (const T2pSettings *settings, GError **error);

/**
 * t2pd_users_look_up_rules:
 *
 * The user names in the setting `rules` and their uids, `a{su}` (transfer full).
 * T2P_ERROR_INVALID_SETTINGS for a name that nobody has.
 *
 * Since: 0.1
 */
GVariant *t2pd_users_look_up_rules (const T2pSettings *settings, GError **error);

/* Who runs as the machine's resolver, or 0. */
guint32 t2pd_users_find_resolver (void);

G_END_DECLS
