/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-stack.h"
#include "t2p-limits.h"
#include "t2pw-ping-relay.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Real sockets of both kinds in a namespace of the test's own: a link to another namespace,
 * where a kernel answers, and behind it a router and nothing. */

#define PATIENCE_US (5 * G_USEC_PER_SEC)

typedef struct
{
  GMainContext *context;
  T2pReactor *reactor;
  T2pwSocketPolicy policy;
  T2pwPingRelay *relay;
  T2pwVirtualNames *names;
  FakeEcho *seen;
  int peer; /* holds the other namespace */
} Fixture;

static void
run (const char *command)
{
  const char *argv[] = { "/bin/sh", "-c", command, NULL };
  g_autoptr (GError) error = NULL;
  int status = -1;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status,
                &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
}

/* The peer's namespace lives as long as a process in it, which ends when its input does. */
static int
make_machines (void)
{
  const char *argv[] = { "unshare", "-n", "cat", NULL };
  g_autoptr (GError) error = NULL;
  g_autofree char *command = NULL;
  GPid pid;
  int input;

  g_spawn_async_with_pipes (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &pid,
                            &input, NULL, NULL, &error);
  g_assert_no_error (error);
  command = g_strdup_printf (
      "while [ \"$(readlink /proc/%d/ns/net)\" = \"$(readlink /proc/self/ns/net)\" ]; do "
      "sleep 0.01; done; ip link set lo up; ip link add a0 type veth peer name b0; "
      "ip link set b0 netns %d; ip address add 192.0.2.1/24 dev a0; "
      "ip address add 2001:db8::1/64 dev a0 nodad; ip link set a0 up; "
      "nsenter -t %d -n sh -c 'ip link set lo up; ip address add 192.0.2.2/24 dev b0; "
      "ip address add 2001:db8::2/64 dev b0 nodad; ip link set b0 up; "
      "for i in all b0; do echo 0 >/proc/sys/net/ipv4/conf/$i/send_redirects; done; "
      "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding; "
      ""
      "ip route add unreachable 198.51.100.0/24; ip -6 route add unreachable 2001:db8:1::/48; "
      "ip route add 203.0.113.0/24 via 192.0.2.1; "
      "ip -6 route add 2001:db8:2::/48 via 2001:db8::1'; "
      "ip route add default via 192.0.2.2; ip -6 route add default via 2001:db8::2; "
      "ip route add prohibit 100.64.0.0/10; ip -6 route add unreachable 2001:db8:3::/48",
      pid, pid, pid);
  run (command);
  return input;
}

static void
set_ping_group_range (const char *range)
{
  int fd = open ("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, range, strlen (range)), ==, strlen (range));
  close (fd);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  T2pIpPrefix pool;

  g_assert_no_errno (unshare (CLONE_NEWNET)); /* kernels count their errors for each peer */
  f->peer = make_machines ();
  set_ping_group_range (data);
  f->context = g_main_context_new ();
  f->reactor = t2p_reactor_new (f->context, &error);
  g_assert_no_error (error);
  g_assert_true (t2p_ip_prefix_parse ("198.18.0.0/18", &pool, NULL));
  f->names = t2pw_virtual_names_new (&pool, NULL);
  f->relay = t2pw_ping_relay_new (f->reactor, &f->policy, f->names, &error);
  g_assert_no_error (error);
  t2pw_ping_relay_set_stack (f->relay, (T2pwStack *) f->names); /* not looked at */
  f->seen = fake_stack_get_echo ();
  f->seen->n_replies = f->seen->n_errors = 0;
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  t2pw_ping_relay_free (f->relay);
  t2pw_virtual_names_free (f->names);
  t2p_reactor_free (f->reactor);
  g_main_context_unref (f->context);
  close (f->peer);
}

static void
wait_for (Fixture *f, const guint *counter, guint least)
{
  gint64 until_us = g_get_monotonic_time () + PATIENCE_US;

  while (*counter < least && g_get_monotonic_time () < until_us)
    if (!g_main_context_iteration (f->context, FALSE))
      g_usleep (1000);
  g_assert_cmpuint (*counter, >=, least);
}

static gboolean
ping (Fixture *f, const char *to, guint8 ttl, guint16 sequence, gsize length, T2pRefusal *why)
{
  static guint8 data[60000];
  T2pwEcho echo = { .ttl = ttl, .message = { 0xbeef, sequence, data, length } };

  for (gsize i = 0; i < length; i++)
    data[i] = (guint8) (i * 7);
  g_assert_true (t2p_ip_address_parse (to, &echo.destination));
  g_assert_true (t2p_ip_address_parse (
      echo.destination.family == AF_INET ? "10.9.0.2" : "fd00:9::2", &echo.source));
  return t2pw_ping_relay_take (f->relay, &echo, why);
}

static void
assert_last (Fixture *f, const char *destination, guint16 sequence)
{
  T2pIpAddress expected;

  g_assert_true (t2p_ip_address_parse (destination, &expected));
  g_assert_true (t2p_ip_address_equal (&f->seen->echo.destination, &expected));
  g_assert_cmphex (f->seen->echo.message.id, ==, 0xbeef);
  g_assert_cmpuint (f->seen->echo.message.sequence, ==, sequence);
  g_assert_cmpuint (t2pw_ping_relay_get_n_waiting (f->relay), ==, 0);
}

static void
test_answers (Fixture *f, gconstpointer data)
{
  static const char *const peers[] = { "192.0.2.2", "2001:db8::2" };
  static const gsize lengths[] = { 0, 1, 56, 1400, 5000 };
  guint n = 0;

  for (guint p = 0; p < G_N_ELEMENTS (peers); p++)
    for (guint l = 0; l < G_N_ELEMENTS (lengths); l++)
      {
        guint16 sequence = (guint16) (60000 + n);
        T2pRefusal why;

        g_assert_true (ping (f, peers[p], 64, sequence, lengths[l], &why));
        wait_for (f, &f->seen->n_replies, ++n);
        assert_last (f, peers[p], sequence);
        g_assert_cmpuint (f->seen->echo.ttl, ==, 63); /* 64 of the peer's, and we are a hop */
        g_assert_cmpuint (f->seen->data->len, ==, lengths[l]);
        for (gsize i = 0; i < lengths[l]; i++)
          g_assert_cmpuint (f->seen->data->data[i], ==, (guint8) (i * 7));
      }
  g_assert_cmpuint (f->seen->n_errors, ==, 0);
}

/* A router's word comes back in its name. */
static void
test_errors (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *to, *router;
    guint8 ttl, type, code;
  } cases[] = {
    { "203.0.113.5", "192.0.2.2", 1, 11, 0 },
    { "198.51.100.5", "192.0.2.2", 64, 3, 1 },
    { "2001:db8:2::5", "2001:db8::2", 1, 3, 0 },
    { "2001:db8:1::5", "2001:db8::2", 64, 1, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint again = 0; again < 2; again++)
      {
        T2pIpAddress router;
        T2pRefusal why;

        f->seen->n_errors = 0;
        g_assert_true (ping (f, cases[i].to, cases[i].ttl, 3, 56, &why));
        wait_for (f, &f->seen->n_errors, 1);
        assert_last (f, cases[i].to, 3);
        t2p_ip_address_parse (cases[i].router, &router);
        g_assert_true (t2p_ip_address_equal (&f->seen->from, &router));
        g_assert_cmpuint (f->seen->error.type, ==, cases[i].type);
        g_assert_cmpuint (f->seen->error.code, ==, cases[i].code);
      }
  /* an error does not stick to the socket */
  T2pRefusal why;
  g_assert_true (ping (f, "192.0.2.2", 64, 4, 56, &why));
  wait_for (f, &f->seen->n_replies, 1);
}

static void
test_refused (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *to;
    T2pRefusal expected;
  } cases[] = {
    { "198.18.0.7", T2P_REFUSAL_HOST_UNREACHABLE }, /* stands for a name */
    { "100.64.0.1", T2P_REFUSAL_ADMIN_PROHIBITED },
    { "2001:db8:3::1", T2P_REFUSAL_HOST_UNREACHABLE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      T2pRefusal why = T2P_REFUSAL_SILENCE;

      g_assert_false (ping (f, cases[i].to, 64, 1, 56, &why));
      g_assert_cmpint (why, ==, cases[i].expected);
    }
  g_assert_cmpuint (t2pw_ping_relay_get_n_waiting (f->relay), ==, 0);
  g_assert_cmpuint (t2pw_ping_relay_get_n_dropped (f->relay), ==, 0);
}

/* Pings that nobody answers take so many places and no more; what is answered takes none. */
static void
test_flood (Fixture *f, gconstpointer data)
{
  T2pRefusal why;

  for (guint i = 0; i < 5000; i++)
    {
      g_assert_true (ping (f, "192.0.2.77", 64, (guint16) i, 8, &why)); /* nobody is there */
      g_assert_cmpuint (t2pw_ping_relay_get_n_waiting (f->relay), <=, T2P_MAX_PINGS);
    }
  g_assert_cmpuint (t2pw_ping_relay_get_n_dropped (f->relay), >=, 5000 - T2P_MAX_PINGS);
}

static void
test_many (Fixture *f, gconstpointer data)
{
  T2pRefusal why;

  for (guint i = 0; i < 3000; i++)
    {
      g_assert_true (ping (f, "192.0.2.2", 64, (guint16) (i * 17), 8, &why));
      if (i % 50 == 49)
        wait_for (f, &f->seen->n_replies, i + 1);
    }
  assert_last (f, "192.0.2.2", (guint16) (2999 * 17));
  g_assert_cmpuint (f->seen->n_replies, ==, 3000);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*func) (Fixture *f, gconstpointer data);
  } tests[] = {
    { "answers-come-back", test_answers },   { "errors-come-back", test_errors },
    { "refused-at-once", test_refused },     { "a-flood-is-bounded", test_flood },
    { "many-one-after-another", test_many },
  };
  static const struct
  {
    const char *name, *range;
  } kinds[] = { { "ping-socket", "0 2147483647" }, { "raw-socket", "1 0" } };

  g_test_init (&argc, &argv, NULL);
  if (unshare (CLONE_NEWNET) != 0)
    {
      printf ("1..0 # SKIP needs root for a network namespace of its own\n");
      return 0;
    }
  for (guint k = 0; k < G_N_ELEMENTS (kinds); k++)
    for (guint t = 0; t < G_N_ELEMENTS (tests); t++)
      {
        g_autofree char *path = g_strdup_printf ("/ping/%s/%s", kinds[k].name, tests[t].name);

        g_test_add (path, Fixture, kinds[k].range, set_up, tests[t].func, tear_down);
      }
  return g_test_run ();
}
