/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * GLib polls one descriptor, the epoll set. When it is ready, or a timer is due, or tasks wait,
 * the source is dispatched and runs turns; while each turn found work it looks at the
 * descriptors again without going back through the main loop, for a bounded number of turns, so
 * that other sources (the bus) get their share.
 *
 * What a turn still has to call may be taken away by what it calls: removing a watch clears it
 * from the batch of events, disarming and cancelling unlink. Hooks are only marked and swept
 * afterwards. */
#include "config.h"

#include "t2p-reactor.h"
#include "t2p-timer-wheel.h"

#include <errno.h>
#include <gio/gio.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_PER_TURN 128
#define TASKS_PER_TURN 1024   /* what is more waits until the descriptors were looked at */
#define TURNS_PER_DISPATCH 16 /* then the main context's other sources */

typedef struct
{
  T2pTask *head;
  T2pTask **tail;
} TaskList;

typedef struct
{
  T2pTurnEndFunc func; /* NULL: removed, to be swept */
  gpointer user_data;
} TurnEnd;

typedef struct
{
  GSource source;
  T2pReactor *reactor;
} ReactorSource;

struct _T2pReactor
{
  ReactorSource *source;
  gpointer epoll_tag;
  int epoll_fd;
  gboolean in_turn;
  gint64 now_us;
  T2pTimerWheel wheel;
  TaskList tasks;       /* to be run in this turn */
  TaskList later_tasks; /* queued by themselves: next turn */
  T2pTask *running;
  GArray *turn_ends; /* of TurnEnd */
  struct epoll_event events[EVENTS_PER_TURN];
  int next_event, n_events; /* what is left of the batch */
};

gint64
t2p_reactor_get_now_us (const T2pReactor *reactor)
{
  /* Between turns the last reading may be minutes old. */
  return reactor->in_turn ? reactor->now_us : g_get_monotonic_time ();
}

/* --- watches */

static gboolean
watch_descriptor (T2pReactor *reactor,
                  int operation,
                  T2pWatch *watch,
                  int fd,
                  guint32 events,
                  T2pWatchFunc ready,
                  GError **error)
{
  struct epoll_event event = { .events = events, .data.ptr = watch };

  if (epoll_ctl (reactor->epoll_fd, operation, fd, &event) < 0)
    {
      int saved_errno = errno;
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
                   "watching descriptor %d failed: %s", fd, g_strerror (saved_errno));
      return FALSE;
    }
  watch->fd = fd;
  watch->events = events;
  watch->ready = ready;
  return TRUE;
}

gboolean
t2p_reactor_add (T2pReactor *reactor,
                 T2pWatch *watch,
                 int fd,
                 guint32 events,
                 T2pWatchFunc ready,
                 GError **error)
{
  return watch_descriptor (reactor, EPOLL_CTL_ADD, watch, fd, events, ready, error);
}

void
t2p_reactor_modify (T2pReactor *reactor, T2pWatch *watch, guint32 events)
{
  struct epoll_event event = { .events = events, .data.ptr = watch };

  g_return_if_fail (watch->fd >= 0);
  watch->events = events;
  if (epoll_ctl (reactor->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0)
    g_critical ("modifying the watch of descriptor %d failed: %s", watch->fd,
                g_strerror (errno));
}

static void
forget (T2pReactor *reactor, T2pWatch *watch)
{
  watch->fd = -1;
  for (int i = reactor->next_event; i < reactor->n_events; i++)
    if (reactor->events[i].data.ptr == watch)
      reactor->events[i].data.ptr = NULL;
}

void
t2p_reactor_remove (T2pReactor *reactor, T2pWatch *watch)
{
  if (watch->fd < 0)
    return;
  (void) epoll_ctl (reactor->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
  forget (reactor, watch);
}

void
t2p_reactor_close (T2pReactor *reactor, T2pWatch *watch)
{
  if (watch->fd < 0)
    return;
  close (watch->fd); /* which takes it out of the set */
  forget (reactor, watch);
}

gboolean
t2p_reactor_hand_over (T2pReactor *reactor,
                       T2pWatch *from,
                       T2pWatch *to,
                       guint32 events,
                       T2pWatchFunc ready,
                       GError **error)
{
  int fd = from->fd;

  g_return_val_if_fail (fd >= 0, FALSE);
  forget (reactor, from);
  return watch_descriptor (reactor, EPOLL_CTL_MOD, to, fd, events, ready, error);
}

/* --- timers */

void
t2p_reactor_arm (T2pReactor *reactor, T2pTimer *timer, guint delay_ms, T2pTimerFunc expired)
{
  timer->expired = expired;
  t2p_timer_wheel_arm (&reactor->wheel, timer,
                       t2p_reactor_get_now_us (reactor) + (gint64) delay_ms * 1000);
}

void
t2p_reactor_disarm (T2pReactor *reactor, T2pTimer *timer)
{
  t2p_timer_wheel_disarm (timer);
}

/* --- tasks */

static void
task_list_init (TaskList *list)
{
  list->head = NULL;
  list->tail = &list->head;
}

static void
task_list_append (TaskList *list, T2pTask *task)
{
  task->next = NULL;
  task->pprev = list->tail;
  *list->tail = task;
  list->tail = &task->next;
}

/* Moves all of @from to the end of @list. */
static void
task_list_take (TaskList *list, TaskList *from)
{
  if (from->head == NULL)
    return;
  *list->tail = from->head;
  from->head->pprev = list->tail;
  list->tail = from->tail;
  task_list_init (from);
}

static void
task_list_fix_tail (TaskList *list, T2pTask *removed)
{
  if (list->tail == &removed->next)
    list->tail = removed->pprev;
}

void
t2p_reactor_defer (T2pReactor *reactor, T2pTask *task, T2pTaskFunc run)
{
  task->run = run;
  if (task->pprev == NULL)
    task_list_append (task == reactor->running ? &reactor->later_tasks : &reactor->tasks, task);
}

void
t2p_reactor_cancel (T2pReactor *reactor, T2pTask *task)
{
  /* Whoever takes this address next is another task. */
  if (reactor->running == task)
    reactor->running = NULL;
  if (task->pprev == NULL)
    return;
  task_list_fix_tail (&reactor->tasks, task);
  task_list_fix_tail (&reactor->later_tasks, task);
  *task->pprev = task->next;
  if (task->next != NULL)
    task->next->pprev = task->pprev;
  task->next = NULL;
  task->pprev = NULL;
}

static guint
run_tasks (T2pReactor *reactor)
{
  guint ran = 0;

  while (reactor->tasks.head != NULL && ran < TASKS_PER_TURN)
    {
      T2pTask *task = reactor->tasks.head;

      t2p_reactor_cancel (reactor, task);
      reactor->running = task;
      task->run (task);
      ran++;
    }
  reactor->running = NULL;
  task_list_take (&reactor->tasks, &reactor->later_tasks);
  return ran;
}

/* --- hooks */

void
t2p_reactor_add_turn_end (T2pReactor *reactor, T2pTurnEndFunc func, gpointer user_data)
{
  TurnEnd turn_end = { func, user_data };

  g_array_append_val (reactor->turn_ends, turn_end);
}

void
t2p_reactor_remove_turn_end (T2pReactor *reactor, T2pTurnEndFunc func, gpointer user_data)
{
  for (guint i = 0; i < reactor->turn_ends->len; i++)
    {
      TurnEnd *turn_end = &g_array_index (reactor->turn_ends, TurnEnd, i);

      if (turn_end->func == func && turn_end->user_data == user_data)
        turn_end->func = NULL;
    }
}

static void
run_turn_ends (T2pReactor *reactor)
{
  gboolean has_removed = FALSE;

  for (guint i = 0; i < reactor->turn_ends->len; i++)
    {
      TurnEnd turn_end = g_array_index (reactor->turn_ends, TurnEnd, i);

      if (turn_end.func != NULL)
        turn_end.func (turn_end.user_data);
      has_removed = has_removed || g_array_index (reactor->turn_ends, TurnEnd, i).func == NULL;
    }
  for (guint i = reactor->turn_ends->len; has_removed && i > 0; i--)
    if (g_array_index (reactor->turn_ends, TurnEnd, i - 1).func == NULL)
      g_array_remove_index (reactor->turn_ends, i - 1);
}

/* --- turns */

static guint
run_watches (T2pReactor *reactor)
{
  guint ran = 0;

  reactor->next_event = 0;
  reactor->n_events = epoll_wait (reactor->epoll_fd, reactor->events, EVENTS_PER_TURN, 0);
  while (reactor->next_event < reactor->n_events)
    {
      struct epoll_event *event = &reactor->events[reactor->next_event++];
      T2pWatch *watch = event->data.ptr;

      if (watch == NULL)
        continue;
      watch->ready (watch, event->events);
      ran++;
    }
  return ran;
}

/* Whether anything ran. */
static gboolean
run_turn (T2pReactor *reactor)
{
  guint ran;

  reactor->now_us = g_get_monotonic_time ();
  reactor->in_turn = TRUE;
  ran = t2p_timer_wheel_advance (&reactor->wheel, reactor->now_us);
  ran += run_watches (reactor);
  ran += run_tasks (reactor);
  if (ran > 0)
    run_turn_ends (reactor);
  reactor->in_turn = FALSE;
  return ran > 0;
}

static gboolean
source_prepare_cb (GSource *source, int *timeout_ms)
{
  T2pReactor *reactor = ((ReactorSource *) source)->reactor;
  gint64 next_us;

  *timeout_ms = 0;
  if (reactor->tasks.head != NULL)
    return TRUE;
  next_us = t2p_timer_wheel_get_next_us (&reactor->wheel);
  if (next_us == G_MAXINT64)
    *timeout_ms = -1;
  else
    *timeout_ms = (int) CLAMP ((next_us - g_get_monotonic_time () + 999) / 1000, 0, G_MAXINT);
  return *timeout_ms == 0;
}

static gboolean
source_check_cb (GSource *source)
{
  T2pReactor *reactor = ((ReactorSource *) source)->reactor;

  return reactor->tasks.head != NULL ||
         g_source_query_unix_fd (source, reactor->epoll_tag) != 0 ||
         t2p_timer_wheel_get_next_us (&reactor->wheel) <= g_get_monotonic_time ();
}

static gboolean
source_dispatch_cb (GSource *source, GSourceFunc callback, gpointer user_data)
{
  T2pReactor *reactor = ((ReactorSource *) source)->reactor;

  if (reactor->in_turn)
    return G_SOURCE_CONTINUE;
  for (guint turn = 0; turn < TURNS_PER_DISPATCH && run_turn (reactor); turn++)
    ;
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {
  .prepare = source_prepare_cb,
  .check = source_check_cb,
  .dispatch = source_dispatch_cb,
};

/**
 * t2p_reactor_new:
 * @context: (nullable): the main context that runs the turns; %NULL for the default one
 * @error: G_IO_ERROR when the epoll set cannot be made
 *
 * Returns: (transfer full) (nullable): a reactor that runs with @context
 */
T2pReactor *
t2p_reactor_new (GMainContext *context, GError **error)
{
  T2pReactor *reactor;
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);

  if (epoll_fd < 0)
    {
      int saved_errno = errno;
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
                   "creating an epoll set failed: %s", g_strerror (saved_errno));
      return NULL;
    }
  reactor = g_new0 (T2pReactor, 1);
  reactor->epoll_fd = epoll_fd;
  task_list_init (&reactor->tasks);
  task_list_init (&reactor->later_tasks);
  reactor->turn_ends = g_array_new (FALSE, FALSE, sizeof (TurnEnd));
  t2p_timer_wheel_init (&reactor->wheel, g_get_monotonic_time ());
  reactor->source = (ReactorSource *) g_source_new (&source_funcs, sizeof (ReactorSource));
  reactor->source->reactor = reactor;
  /* For a source that must not recurse GLib takes the descriptor away and puts it back, and
   * wakes itself up for both: three system calls for each dispatch. */
  g_source_set_can_recurse (&reactor->source->source, TRUE);
  g_source_set_static_name (&reactor->source->source, "t2p-reactor");
  reactor->epoll_tag = g_source_add_unix_fd (&reactor->source->source, epoll_fd, G_IO_IN);
  g_source_attach (&reactor->source->source, context);
  return reactor;
}

void
t2p_reactor_free (T2pReactor *reactor)
{
  g_source_destroy (&reactor->source->source);
  g_source_unref (&reactor->source->source);
  g_array_unref (reactor->turn_ends);
  close (reactor->epoll_fd);
  g_free (reactor);
}
