/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-reactor.h"

G_BEGIN_DECLS

#define T2P_TIMER_WHEEL_GRAIN_US 4000
#define T2P_TIMER_WHEEL_LEVELS 4 /* 256^4 grains: 198 days, more than 2^32 ms */
#define T2P_TIMER_WHEEL_SLOTS 256
#define T2P_TIMER_WHEEL_WORDS (T2P_TIMER_WHEEL_SLOTS / 64)

/** T2pTimerWheel: the deadlines of one reactor; embedded, no allocation. */
typedef struct
{
  T2pTimer *slots[T2P_TIMER_WHEEL_LEVELS][T2P_TIMER_WHEEL_SLOTS];
  guint64 occupied[T2P_TIMER_WHEEL_LEVELS][T2P_TIMER_WHEEL_WORDS];
  guint64 now_tick; /* every slot up to and including this one was emptied */
} T2pTimerWheel;

void t2p_timer_wheel_init (T2pTimerWheel *wheel, gint64 now_us);
/* Arms @timer (again) for @deadline_us: it is run by the first advance to that time or later.
 */
void t2p_timer_wheel_arm (T2pTimerWheel *wheel, T2pTimer *timer, gint64 deadline_us);
void t2p_timer_wheel_disarm (T2pTimer *timer);
/* When something has to be looked at next, or G_MAXINT64. May be before the earliest deadline
 * (a slot of a coarse level has to be spread out), never behind it. */
gint64 t2p_timer_wheel_get_next_us (T2pTimerWheel *wheel);
/* Runs what is due; returns how many timers ran. */
guint t2p_timer_wheel_advance (T2pTimerWheel *wheel, gint64 now_us);

G_END_DECLS
