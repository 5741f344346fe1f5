/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Time is cut into ticks of 4 ms. Level 0 has a slot for each of the next 255 ticks, level 1
 * one for each of the next 256 spans of 256 ticks, and so on. When the time reaches the first
 * tick of a span, its timers are spread over the level below; so each timer moves at most three
 * times, arming and disarming are O(1), and a timer that is hours away costs nothing until
 * then.
 *
 * A bit map for each level says which slots may hold timers, so that the next event is found
 * without walking empty slots, and the time jumps from event to event. Disarming leaves the bit
 * set; the next search that meets the empty slot clears it. */
#include "config.h"

#include "t2p-timer-wheel.h"

#define SLOT_BITS 8
#define SLOT_MASK (T2P_TIMER_WHEEL_SLOTS - 1)

static guint64
tick_of_deadline (gint64 deadline_us)
{
  /* Rounded up: never early. */
  return ((guint64) deadline_us + T2P_TIMER_WHEEL_GRAIN_US - 1) / T2P_TIMER_WHEEL_GRAIN_US;
}

void
t2p_timer_wheel_init (T2pTimerWheel *wheel, gint64 now_us)
{
  *wheel = (T2pTimerWheel){ .now_tick = (guint64) now_us / T2P_TIMER_WHEEL_GRAIN_US };
}

static void
link_timer (T2pTimerWheel *wheel, T2pTimer *timer, guint level, guint64 tick)
{
  guint slot = (guint) (tick >> (SLOT_BITS * level)) & SLOT_MASK;
  T2pTimer **head = &wheel->slots[level][slot];

  timer->next = *head;
  timer->pprev = head;
  if (timer->next != NULL)
    timer->next->pprev = &timer->next;
  *head = timer;
  wheel->occupied[level][slot / 64] |= G_GUINT64_CONSTANT (1) << (slot % 64);
}

static void
unlink_timer (T2pTimer *timer)
{
  *timer->pprev = timer->next;
  if (timer->next != NULL)
    timer->next->pprev = timer->pprev;
  timer->next = NULL;
  timer->pprev = NULL;
}

/* @earliest: the first tick whose slot is still to be emptied. */
static void
place (T2pTimerWheel *wheel, T2pTimer *timer, guint64 earliest)
{
  guint64 tick = MAX (tick_of_deadline (timer->deadline_us), earliest);
  guint64 distance = tick - wheel->now_tick;
  guint level = 0;

  while (level + 1 < T2P_TIMER_WHEEL_LEVELS && distance >> (SLOT_BITS * (level + 1)) != 0)
    level++;
  link_timer (wheel, timer, level, tick);
}

void
t2p_timer_wheel_arm (T2pTimerWheel *wheel, T2pTimer *timer, gint64 deadline_us)
{
  t2p_timer_wheel_disarm (timer);
  timer->deadline_us = MAX (deadline_us, 1);
  place (wheel, timer, wheel->now_tick + 1);
}

void
t2p_timer_wheel_disarm (T2pTimer *timer)
{
  if (timer->deadline_us == 0)
    return;
  timer->deadline_us = 0;
  unlink_timer (timer);
}

/* Distance (1 to 256) from the slot @from to the next one whose bit is set, round the ring; 0
 * when there is none. */
static guint
next_occupied (const guint64 *words, guint from)
{
  for (guint distance = 1; distance <= T2P_TIMER_WHEEL_SLOTS;)
    {
      guint slot = (from + distance) & SLOT_MASK;
      guint64 rest = words[slot / 64] >> (slot % 64);

      if (rest != 0)
        {
          guint found = distance + (guint) __builtin_ctzll (rest);
          return found <= T2P_TIMER_WHEEL_SLOTS ? found : 0;
        }
      distance += 64 - slot % 64;
    }
  return 0;
}

/* First tick of the next slot of @level that holds a timer, or G_MAXUINT64. */
static guint64
next_tick_of_level (T2pTimerWheel *wheel, guint level)
{
  guint64 base = wheel->now_tick >> (SLOT_BITS * level);
  guint distance;

  while ((distance = next_occupied (wheel->occupied[level], base & SLOT_MASK)) != 0)
    {
      guint slot = (base + distance) & SLOT_MASK;

      if (wheel->slots[level][slot] != NULL)
        return (base + distance) << (SLOT_BITS * level);
      wheel->occupied[level][slot / 64] &= ~(G_GUINT64_CONSTANT (1) << (slot % 64));
    }
  return G_MAXUINT64;
}

static guint64
next_tick (T2pTimerWheel *wheel)
{
  guint64 tick = G_MAXUINT64;

  for (guint level = 0; level < T2P_TIMER_WHEEL_LEVELS; level++)
    tick = MIN (tick, next_tick_of_level (wheel, level));
  return tick;
}

gint64
t2p_timer_wheel_get_next_us (T2pTimerWheel *wheel)
{
  guint64 tick = next_tick (wheel);

  return tick == G_MAXUINT64 ? G_MAXINT64 : (gint64) (tick * T2P_TIMER_WHEEL_GRAIN_US);
}

/* Moves the timers of the spans that begin at the present tick to the levels below. */
static void
spread (T2pTimerWheel *wheel)
{
  for (guint level = T2P_TIMER_WHEEL_LEVELS - 1; level > 0; level--)
    {
      guint64 span = G_GUINT64_CONSTANT (1) << (SLOT_BITS * level);
      guint slot = (guint) (wheel->now_tick >> (SLOT_BITS * level)) & SLOT_MASK;
      T2pTimer *timer;

      if ((wheel->now_tick & (span - 1)) != 0)
        continue;
      while ((timer = wheel->slots[level][slot]) != NULL)
        {
          unlink_timer (timer);
          place (wheel, timer, wheel->now_tick);
        }
    }
}

static guint
run_slot (T2pTimerWheel *wheel)
{
  T2pTimer **head = &wheel->slots[0][wheel->now_tick & SLOT_MASK];
  guint ran = 0;

  while (*head != NULL)
    {
      T2pTimer *timer = *head;

      t2p_timer_wheel_disarm (timer);
      timer->expired (timer);
      ran++;
    }
  return ran;
}

guint
t2p_timer_wheel_advance (T2pTimerWheel *wheel, gint64 now_us)
{
  guint64 target = (guint64) now_us / T2P_TIMER_WHEEL_GRAIN_US;
  guint64 tick;
  guint ran = 0;

  while ((tick = next_tick (wheel)) <= target)
    {
      wheel->now_tick = tick;
      spread (wheel);
      ran += run_slot (wheel);
    }
  wheel->now_tick = MAX (wheel->now_tick, target);
  return ran;
}
