/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One epoll set behind one GSource: thousands of sockets cost GLib's poll a single descriptor.
 *
 * A turn is: wait, read the clock once, run due timers, call the watches that are ready, run
 * the deferred tasks (a bounded number; what is left makes the next turn start at once), then
 * the turn-end hooks. Everything happens on the thread of the main context; nothing here
 * allocates per event: watches, timers and tasks are embedded in their owners. */
typedef struct _T2pReactor T2pReactor;

/* The owner of an embedded watch, timer or task. */
#define T2P_OWNER_OF(member_pointer, Type, member)                                             \
  ((Type *) (gpointer) ((char *) (member_pointer) -G_STRUCT_OFFSET (Type, member)))

typedef struct _T2pWatch T2pWatch;
typedef void (*T2pWatchFunc) (T2pWatch *watch, guint32 events);
struct _T2pWatch
{
  int fd; /* -1 while not watched */
  guint32 events;
  T2pWatchFunc ready;
};

typedef struct _T2pTimer T2pTimer;
typedef void (*T2pTimerFunc) (T2pTimer *timer);
struct _T2pTimer
{
  T2pTimerFunc expired;
  gint64 deadline_us; /* monotonic; 0 while not armed */
  T2pTimer *next, **pprev;
};

typedef struct _T2pTask T2pTask;
typedef void (*T2pTaskFunc) (T2pTask *task);
struct _T2pTask
{
  T2pTaskFunc run;
  T2pTask *next, **pprev; /* pprev is NULL while not queued */
};

T2pReactor *t2p_reactor_new (GMainContext *context, GError **error);
void t2p_reactor_free (T2pReactor *reactor); /* every watch, timer and task is gone by then */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pReactor, t2p_reactor_free)

/* Monotonic time of this turn in microseconds. */
gint64 t2p_reactor_get_now_us (const T2pReactor *reactor);

/* @events are EPOLL* bits, EPOLLET as the caller likes. The watch must be removed before its fd
 * is closed. A watch that is removed during a turn is not called any more in that turn. Errors:
 * G_IO_ERROR. */
gboolean t2p_reactor_add (T2pReactor *reactor,
                          T2pWatch *watch,
                          int fd,
                          guint32 events,
                          T2pWatchFunc ready,
                          GError **error);
void t2p_reactor_modify (T2pReactor *reactor, T2pWatch *watch, guint32 events);
void t2p_reactor_remove (T2pReactor *reactor, T2pWatch *watch);

/* Removes @watch and closes its descriptor, which nobody else may have: one system call. */
void t2p_reactor_close (T2pReactor *reactor, T2pWatch *watch);

/* From now on @to watches the descriptor of @from, which is not watched any more. */
gboolean t2p_reactor_hand_over (T2pReactor *reactor,
                                T2pWatch *from,
                                T2pWatch *to,
                                guint32 events,
                                T2pWatchFunc ready,
                                GError **error);

/* Deadlines live in a wheel with a grain of a few milliseconds: arming, re-arming and disarming
 * are O(1), an idle flow's timer costs nothing until it is due. Never early. */
void
t2p_reactor_arm (T2pReactor *reactor, T2pTimer *timer, guint delay_ms, T2pTimerFunc expired);
void t2p_reactor_disarm (T2pReactor *reactor, T2pTimer *timer);

/* Runs @task once, later in this turn; queueing it again before it ran changes nothing. A task
 * that queues itself while it runs is run in the next turn, after the descriptors were looked
 * at: that is how the work per flow and turn stays bounded. */
void t2p_reactor_defer (T2pReactor *reactor, T2pTask *task, T2pTaskFunc run);
void t2p_reactor_cancel (T2pReactor *reactor, T2pTask *task);

/* Called at the end of each turn in which anything ran, in the order of adding. */
typedef void (*T2pTurnEndFunc) (gpointer user_data);
void t2p_reactor_add_turn_end (T2pReactor *reactor, T2pTurnEndFunc func, gpointer user_data);
void t2p_reactor_remove_turn_end (T2pReactor *reactor, T2pTurnEndFunc func, gpointer user_data);

G_END_DECLS
