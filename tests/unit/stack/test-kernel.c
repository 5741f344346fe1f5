/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "kernel-fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

typedef struct
{
  const char *name;
  int family;
  gboolean has_vnet;
} Mode;

static const Mode modes[] = {
  { "plain-v4", AF_INET, FALSE },
  { "plain-v6", AF_INET6, FALSE },
  { "vnet-v4", AF_INET, TRUE },
  { "vnet-v6", AF_INET6, TRUE },
};

static void
set_option (int fd, int level, int name, int value)
{
  g_assert_no_errno (setsockopt (fd, level, name, &value, sizeof value));
}

static int
get_option (int fd, int level, int name)
{
  socklen_t length = sizeof (int);
  int value = -1;

  g_assert_no_errno (getsockopt (fd, level, name, &value, &length));
  return value;
}

static void
send_datagram (Kernel *kernel, int fd, gsize length)
{
  static guint8 bytes[70000] = { 1, 2, 3 };
  guint before = kernel->n_datagrams;

  g_assert_cmpint (send (fd, bytes, length, 0), ==, length);
  kernel_wait (kernel, &kernel->n_datagrams, before + 1);
  g_assert_cmpuint (kernel->datagram->len, ==, length);
}

/* Long after the packet is gone, and whatever its payload was, the socket hears of it. */
static void
test_refused_later (gconstpointer data)
{
  static const struct
  {
    T2pRefusal refusal;
    int v4, v6;
  } cases[] = {
    { T2P_REFUSAL_PORT_UNREACHABLE, ECONNREFUSED, ECONNREFUSED },
    { T2P_REFUSAL_RESET, ECONNREFUSED, ECONNREFUSED },
    { T2P_REFUSAL_HOST_UNREACHABLE, EHOSTUNREACH, EHOSTUNREACH },
    { T2P_REFUSAL_NET_UNREACHABLE, ENETUNREACH, ENETUNREACH },
    { T2P_REFUSAL_ADMIN_PROHIBITED, EHOSTUNREACH, EACCES },
  };
  static const gsize lengths[] = { 0, 1, 600, 1400 };
  const Mode *mode = data;
  g_autoptr (Kernel) kernel = kernel_new (mode->has_vnet, NULL);
  gboolean is_v4 = mode->family == AF_INET;
  int fd = kernel_connect_udp (mode->family);

  set_option (fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_RECVERR : IPV6_RECVERR, 1);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint l = 0; l < G_N_ELEMENTS (lengths); l++)
      {
        send_datagram (kernel, fd, lengths[l]);
        t2pw_stack_refuse_datagram (kernel->stack, &kernel->key, kernel->datagram->data,
                                    kernel->datagram->len, cases[i].refusal);
        kernel_wait_for_socket (kernel, fd);
        g_assert_cmpint (get_option (fd, SOL_SOCKET, SO_ERROR), ==,
                         is_v4 ? cases[i].v4 : cases[i].v6);
      }
  close (fd);
}

/* The kernel's own path MTU of the destination goes down, and longer datagrams are refused by
 * it. */
static void
test_too_big (gconstpointer data)
{
  const Mode *mode = data;
  g_autoptr (Kernel) kernel = kernel_new (mode->has_vnet, NULL);
  gboolean is_v4 = mode->family == AF_INET;
  int level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
  int headers = is_v4 ? 28 : 48;
  int fd = kernel_connect_udp (mode->family);
  guint8 bytes[1400] = { 0 };

  set_option (fd, level, is_v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
              is_v4 ? IP_PMTUDISC_DO : IPV6_PMTUDISC_DO);
  send_datagram (kernel, fd, 1400);
  g_assert_cmpint (get_option (fd, level, is_v4 ? IP_MTU : IPV6_MTU), ==, KERNEL_MTU);
  t2pw_stack_tell_too_big (kernel->stack, &kernel->key, kernel->datagram->data, 1400, 1300);
  kernel_wait_for_socket (kernel, fd);
  g_assert_cmpint (get_option (fd, SOL_SOCKET, SO_ERROR), ==, EMSGSIZE);
  g_assert_cmpint (get_option (fd, level, is_v4 ? IP_MTU : IPV6_MTU), ==, 1300 + headers);
  g_assert_cmpint (send (fd, bytes, sizeof bytes, 0), ==, -1);
  g_assert_cmpint (errno, ==, EMSGSIZE);
  send_datagram (kernel, fd, 1300);
  close (fd);
}

/* What an application sends with UDP_SEGMENT comes in one piece where the device allows it. */
static void
test_super_packet (gconstpointer data)
{
  const Mode *mode = data;
  g_autoptr (Kernel) kernel = kernel_new (mode->has_vnet, NULL);
  g_autofree char *accelerators = t2pw_stack_describe (kernel->stack);
  gboolean has_uso = strstr (accelerators, "uso") != NULL;
  int fd = kernel_connect_udp (mode->family);
  guint8 bytes[5000] = { 0 };

  set_option (fd, SOL_UDP, UDP_SEGMENT, 1200);
  g_assert_cmpint (send (fd, bytes, sizeof bytes, 0), ==, sizeof bytes);
  kernel_wait (kernel, &kernel->n_datagrams, has_uso ? 1 : 5);
  g_assert_cmpuint (kernel->datagram->len, ==, has_uso ? sizeof bytes : 200);
  g_assert_cmpuint (kernel->datagram_bytes, ==, has_uso ? 1200 : 0);
  close (fd);
}

/* An application's kernel cuts a long datagram into fragments; it comes whole. So does the
 * answer. */
static void
test_long_datagrams (gconstpointer data)
{
  static const gsize lengths[] = { 1472, 1473, 1480, 4000, 30000, 65507 };
  const Mode *mode = data;
  g_autoptr (Kernel) kernel = kernel_new (mode->has_vnet, NULL);
  g_autofree guint8 *answer = g_malloc (70000), *got = g_malloc (70000);
  int fd = kernel_connect_udp (mode->family);
  const T2pwStackCounters *counters;

  for (gsize i = 0; i < 70000; i++)
    answer[i] = (guint8) (i * 7 + i / 251);
  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      send_datagram (kernel, fd, lengths[i]);
      g_assert_true (
          t2pw_stack_send_datagram (kernel->stack, &kernel->key, answer, lengths[i]));
      kernel_wait_for_socket (kernel, fd);
      g_assert_cmpint (recv (fd, got, 70000, 0), ==, lengths[i]);
      g_assert_cmpmem (got, lengths[i], answer, lengths[i]);
    }
  g_assert_false (t2pw_stack_send_datagram (kernel->stack, &kernel->key, answer, 65528));
  counters = t2pw_stack_get_counters (kernel->stack);
  g_assert_cmpuint (counters->reassembled, ==, mode->family == AF_INET ? 5 : 6);
  g_assert_cmpuint (counters->dropped_fragment, ==, 0);
  close (fd);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    GTestDataFunc func;
  } tests[] = {
    { "a-datagram-is-refused-later", test_refused_later },
    { "too-big-lowers-the-path-mtu", test_too_big },
    { "a-super-packet-comes-in-one-call", test_super_packet },
    { "long-datagrams-both-ways", test_long_datagrams },
  };

  g_test_init (&argc, &argv, NULL);
  if (!kernel_make_namespace ())
    {
      printf ("1..0 # SKIP needs root for a network namespace of its own\n");
      return 0;
    }
  for (guint m = 0; m < G_N_ELEMENTS (modes); m++)
    for (guint t = 0; t < G_N_ELEMENTS (tests); t++)
      {
        g_autofree char *path = g_strdup_printf ("/kernel/%s/%s", modes[m].name, tests[t].name);

        g_test_add_data_func (path, &modes[m], tests[t].func);
      }
  return g_test_run ();
}
