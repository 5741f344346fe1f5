/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"

G_BEGIN_DECLS

/* Remembers for a while which member an application's flows to a host went by. */
typedef struct _T2pwGroupTurns T2pwGroupTurns;

/* How long after the last flow. */
#define T2PW_GROUP_TURN_MS (10 * 60 * 1000)

T2pwGroupTurns *t2pw_group_turns_new (void);
void t2pw_group_turns_free (T2pwGroupTurns *turns);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwGroupTurns, t2pw_group_turns_free)

guint64 t2pw_group_turns_key (const T2pwDestination *destination);
gboolean t2pw_group_turns_recall (const T2pwGroupTurns *turns,
                                  guint64 key,
                                  gint64 now_us,
                                  guint *out_member);
void
t2pw_group_turns_remember (T2pwGroupTurns *turns, guint64 key, gint64 now_us, guint member);

G_END_DECLS
