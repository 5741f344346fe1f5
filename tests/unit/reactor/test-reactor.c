/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-reactor.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct
{
  GMainContext *context;
  T2pReactor *reactor;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  f->context = g_main_context_new ();
  f->reactor = t2p_reactor_new (f->context, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  t2p_reactor_free (f->reactor);
  g_main_context_unref (f->context);
}

typedef struct
{
  T2pWatch watch;
  T2pReactor *reactor;
  guint ran;
  T2pWatch *victim;
} Probe;

static void
probe_cb (T2pWatch *watch, guint32 events)
{
  Probe *probe = (Probe *) watch;
  guint64 value;

  g_assert_cmpuint (events & EPOLLIN, ==, EPOLLIN);
  g_assert_cmpint (read (watch->fd, &value, sizeof value), ==, sizeof value);
  probe->ran++;
  if (probe->victim != NULL)
    t2p_reactor_remove (probe->reactor, probe->victim);
}

static int
new_ready_fd (void)
{
  int fd = eventfd (1, EFD_CLOEXEC | EFD_NONBLOCK);

  g_assert_cmpint (fd, >=, 0);
  return fd;
}

/* What was ready for the old watch is told to the new one, once; closing ends it. */
static void
test_handed_over_watch (Fixture *f, gconstpointer data)
{
  Probe old = { 0 }, new = { 0 };
  int fd = new_ready_fd ();

  g_assert_true (t2p_reactor_add (f->reactor, &old.watch, fd, EPOLLIN, probe_cb, NULL));
  g_assert_true (t2p_reactor_hand_over (f->reactor, &old.watch, &new.watch, EPOLLIN | EPOLLET,
                                        probe_cb, NULL));
  g_assert_cmpint (old.watch.fd, ==, -1);
  g_assert_cmpint (new.watch.fd, ==, fd);
  while (new.ran == 0)
    g_main_context_iteration (f->context, TRUE);
  g_assert_cmpuint (old.ran, ==, 0);
  t2p_reactor_close (f->reactor, &new.watch);
  g_assert_cmpint (new.watch.fd, ==, -1);
  g_assert_cmpint (close (fd), ==, -1);
  t2p_reactor_close (f->reactor, &new.watch); /* nothing is watched: nothing happens */
}

/* The source may recurse for GLib's sake; a turn never runs inside of a turn. */
static void
nesting_cb (T2pWatch *watch, guint32 events)
{
  Probe *probe = (Probe *) watch;

  probe->ran++;
  for (guint i = 0; i < 3; i++)
    g_main_context_iteration (g_main_context_get_thread_default (), FALSE);
  t2p_reactor_close (probe->reactor, watch);
}

static void
test_nested_loop (Fixture *f, gconstpointer data)
{
  Probe probe = { .reactor = f->reactor };

  g_main_context_push_thread_default (f->context);
  g_assert_true (
      t2p_reactor_add (f->reactor, &probe.watch, new_ready_fd (), EPOLLIN, nesting_cb, NULL));
  while (probe.ran == 0)
    g_main_context_iteration (f->context, TRUE);
  g_assert_cmpuint (probe.ran, ==, 1);
  g_main_context_pop_thread_default (f->context);
}

static void
test_removed_watch (Fixture *f, gconstpointer data)
{
  Probe probes[2] = { 0 };

  for (guint i = 0; i < 2; i++)
    {
      probes[i].reactor = f->reactor;
      probes[i].victim = &probes[1 - i].watch;
      g_assert_true (t2p_reactor_add (f->reactor, &probes[i].watch, new_ready_fd (), EPOLLIN,
                                      probe_cb, NULL));
    }
  int fds[2] = { probes[0].watch.fd, probes[1].watch.fd };
  while (probes[0].ran + probes[1].ran == 0)
    g_main_context_iteration (f->context, TRUE);
  g_assert_cmpuint (probes[0].ran + probes[1].ran, ==, 1);
  g_main_context_iteration (f->context, FALSE);
  g_assert_cmpuint (probes[0].ran + probes[1].ran, ==, 1);
  for (guint i = 0; i < 2; i++)
    {
      t2p_reactor_remove (f->reactor, &probes[i].watch);
      g_assert_cmpint (probes[i].watch.fd, ==, -1);
      close (fds[i]);
    }
}

static void
test_bad_descriptor (Fixture *f, gconstpointer data)
{
  T2pWatch watch = { .fd = -1 };
  g_autoptr (GError) error = NULL;

  g_assert_false (t2p_reactor_add (f->reactor, &watch, -1, EPOLLIN, probe_cb, &error));
  g_assert_nonnull (error);
  g_assert_cmpint (watch.fd, ==, -1);
}

typedef struct
{
  T2pTimer timer;
  T2pReactor *reactor;
  gint64 ran_us;
} TimerProbe;

static void
timer_cb (T2pTimer *timer)
{
  TimerProbe *probe = (TimerProbe *) timer;

  probe->ran_us = t2p_reactor_get_now_us (probe->reactor);
}

static void
test_timer (Fixture *f, gconstpointer data)
{
  TimerProbe probe = { .reactor = f->reactor }, disarmed = { .reactor = f->reactor };
  gint64 start_us = g_get_monotonic_time ();

  t2p_reactor_arm (f->reactor, &probe.timer, 20, timer_cb);
  t2p_reactor_arm (f->reactor, &disarmed.timer, 5, timer_cb);
  t2p_reactor_disarm (f->reactor, &disarmed.timer);
  while (probe.ran_us == 0)
    g_main_context_iteration (f->context, TRUE);
  g_assert_cmpint (probe.ran_us, >=, start_us + 20000);
  g_assert_cmpint (disarmed.ran_us, ==, 0);
}

typedef struct
{
  T2pTask task;
  T2pReactor *reactor;
  guint ran, left;
  GString *log;
  char name;
  T2pTask *victim;
} TaskProbe;

static void
task_cb (T2pTask *task)
{
  TaskProbe *probe = (TaskProbe *) task;

  probe->ran++;
  g_string_append_c (probe->log, probe->name);
  if (probe->left > 0)
    {
      probe->left--;
      t2p_reactor_defer (probe->reactor, task, task_cb);
      t2p_reactor_defer (probe->reactor, task, task_cb);
    }
  if (probe->victim != NULL)
    t2p_reactor_cancel (probe->reactor, probe->victim);
}

static void
turn_end_cb (gpointer user_data)
{
  g_string_append_c (user_data, '|');
}

static void
test_tasks (Fixture *f, gconstpointer data)
{
  g_autoptr (GString) log = g_string_new (NULL);
  TaskProbe a = { .reactor = f->reactor, .log = log, .name = 'a', .left = 2 };
  TaskProbe b = { .reactor = f->reactor, .log = log, .name = 'b' };
  TaskProbe c = { .reactor = f->reactor, .log = log, .name = 'c' };
  TaskProbe d = { .reactor = f->reactor, .log = log, .name = 'd' };

  b.victim = &c.task;
  t2p_reactor_add_turn_end (f->reactor, turn_end_cb, log);
  t2p_reactor_defer (f->reactor, &a.task, task_cb);
  t2p_reactor_defer (f->reactor, &a.task, task_cb);
  t2p_reactor_defer (f->reactor, &b.task, task_cb);
  t2p_reactor_defer (f->reactor, &c.task, task_cb);
  t2p_reactor_defer (f->reactor, &d.task, task_cb);
  t2p_reactor_cancel (f->reactor, &d.task);
  while (g_main_context_iteration (f->context, FALSE))
    ;
  g_assert_cmpstr (log->str, ==, "ab|a|a|");
  t2p_reactor_remove_turn_end (f->reactor, turn_end_cb, log);
  t2p_reactor_defer (f->reactor, &b.task, task_cb);
  while (g_main_context_iteration (f->context, FALSE))
    ;
  g_assert_cmpstr (log->str, ==, "ab|a|a|b");
}

static void
test_task_bound (Fixture *f, gconstpointer data)
{
  enum
  {
    N = 5000
  };
  g_autoptr (GString) log = g_string_new (NULL);
  g_autofree TaskProbe *probes = g_new0 (TaskProbe, N);
  Probe probe = { .reactor = f->reactor };
  int fd = new_ready_fd ();

  for (guint i = 0; i < N; i++)
    {
      probes[i] = (TaskProbe){ .reactor = f->reactor, .log = log, .name = '.' };
      t2p_reactor_defer (f->reactor, &probes[i].task, task_cb);
    }
  t2p_reactor_add_turn_end (f->reactor, turn_end_cb, log);
  g_assert_true (t2p_reactor_add (f->reactor, &probe.watch, fd, EPOLLIN, probe_cb, NULL));
  while (g_main_context_iteration (f->context, FALSE))
    ;
  g_assert_cmpuint (probe.ran, ==, 1);
  g_assert_cmpuint (log->len, >, N + 1); /* more than one turn */
  for (guint i = 0; i < N; i++)
    g_assert_cmpuint (probes[i].ran, ==, 1);
  t2p_reactor_remove (f->reactor, &probe.watch);
  close (fd);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/reactor/" name, Fixture, NULL, set_up, func, tear_down)
  ADD ("a-watch-removed-in-a-turn-is-not-called", test_removed_watch);
  ADD ("a-watch-is-handed-over-and-closed", test_handed_over_watch);
  ADD ("no-turn-runs-inside-of-a-turn", test_nested_loop);
  ADD ("a-bad-descriptor-is-an-error", test_bad_descriptor);
  ADD ("a-timer-is-not-early-and-can-be-disarmed", test_timer);
  ADD ("tasks-run-once-in-order-and-repeat-next-turn", test_tasks);
  ADD ("tasks-of-one-turn-are-bounded", test_task_bound);
  return g_test_run ();
}
