/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "kernel-fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PATIENCE_US (5 * G_USEC_PER_SEC)
#define DEVICE "t2ptest"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

void
kernel_run (const char *command)
{
  const char *argv[] = { "/bin/sh", "-c", command, NULL };
  g_autoptr (GError) error = NULL;
  g_autofree char *errors = NULL;
  int status = -1;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &errors, &status,
                &error);
  g_assert_no_error (error);
  g_assert_cmpstr (errors, ==, "");
  g_assert_cmpint (status, ==, 0);
}

gboolean
kernel_make_namespace (void)
{
  if (unshare (CLONE_NEWNET) != 0)
    return FALSE;
  kernel_run ("ip link set lo up");
  return access ("/dev/net/tun", R_OK | W_OK) == 0;
}

/* --- what the stack tells */

static void
connecting_cb (T2pwHeldSyn *syn, const T2pwFlowKey *key, gpointer user_data)
{
  Kernel *kernel = user_data;

  kernel->n_connecting++;
  t2pw_held_syn_refuse (syn, T2P_REFUSAL_RESET);
}

static void
abandoned_cb (T2pwHeldSyn *syn, gpointer user_data)
{
}

static gboolean
datagram_cb (const T2pwFlowKey *key,
             const guint8 *data,
             gsize length,
             gsize datagram_bytes,
             gpointer user_data)
{
  Kernel *kernel = user_data;

  kernel->n_datagrams++;
  kernel->key = *key;
  kernel->datagram_bytes = datagram_bytes;
  g_byte_array_set_size (kernel->datagram, 0);
  g_byte_array_append (kernel->datagram, data, (guint) length);
  return TRUE;
}

static void
lost_cb (const GError *error, gpointer user_data)
{
  g_error ("the device is gone: %s", error->message);
}

static const T2pwStackHandler handler = { .connecting = connecting_cb,
                                          .abandoned = abandoned_cb,
                                          .datagram = datagram_cb,
                                          .device_lost = lost_cb };

/* --- the device */

static int
open_tun (gboolean has_vnet, guint32 *out_offloads)
{
  static const guint32 offers[] = { TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 |
                                        TUN_F_USO6,
                                    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 };
  int fd = open ("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };

  g_assert_cmpint (fd, >=, 0);
  g_strlcpy (request.ifr_name, DEVICE, sizeof request.ifr_name);
  if (has_vnet)
    request.ifr_flags |= IFF_VNET_HDR;
  g_assert_no_errno (ioctl (fd, TUNSETIFF, &request));
  for (guint i = 0; has_vnet && i < G_N_ELEMENTS (offers) && *out_offloads == 0; i++)
    if (ioctl (fd, TUNSETOFFLOAD, (unsigned long) offers[i]) == 0)
      *out_offloads = offers[i];
  kernel_run ("ip link set " DEVICE " mtu 1500 up && "
              "ip address add 10.9.0.1/24 dev " DEVICE " && "
              "ip address add fd00:9::1/64 dev " DEVICE " nodad && "
              "ip route add default dev " DEVICE " && "
              "ip -6 route add default dev " DEVICE);
  return fd;
}

Kernel *
kernel_new (gboolean has_vnet, const T2pwStackConfig *overrides)
{
  Kernel *kernel = g_new0 (Kernel, 1);
  T2pwStackConfig config = { 0 };
  g_autoptr (GError) error = NULL;
  int fd;

  if (overrides != NULL)
    config = *overrides;
  config.mtu = KERNEL_MTU;
  config.has_vnet_header = has_vnet;
  config.memory_limit_bytes = 64 * 1024 * 1024;
  config.max_streams = 100;
  fd = open_tun (has_vnet, &config.offloads);
  kernel->ifindex = (int) if_nametoindex (DEVICE);
  kernel->datagram = g_byte_array_new ();
  kernel->context = g_main_context_new ();
  kernel->reactor = t2p_reactor_new (kernel->context, &error);
  g_assert_no_error (error);
  kernel->stack = t2pw_stack_new (kernel->reactor, fd, &config, &handler, kernel, &error);
  g_assert_no_error (error);
  return kernel;
}

void
kernel_free (Kernel *kernel)
{
  t2pw_stack_free (kernel->stack);
  t2p_reactor_free (kernel->reactor);
  g_main_context_unref (kernel->context);
  g_byte_array_unref (kernel->datagram);
  g_free (kernel);
}

/* --- the loop */

static void
turn_once (Kernel *kernel)
{
  if (!g_main_context_iteration (kernel->context, FALSE))
    g_usleep (1000);
}

void
kernel_turn (Kernel *kernel, guint ms)
{
  gint64 until_us = g_get_monotonic_time () + (gint64) ms * 1000;

  while (g_get_monotonic_time () < until_us)
    turn_once (kernel);
}

void
kernel_wait (Kernel *kernel, const guint *counter, guint least)
{
  gint64 until_us = g_get_monotonic_time () + PATIENCE_US;

  while (*counter < least && g_get_monotonic_time () < until_us)
    turn_once (kernel);
  g_assert_cmpuint (*counter, >=, least);
}

void
kernel_wait_for_socket (Kernel *kernel, int fd)
{
  gint64 until_us = g_get_monotonic_time () + PATIENCE_US;
  struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

  while (poll (&poll_fd, 1, 0) == 0 && g_get_monotonic_time () < until_us)
    turn_once (kernel);
  g_assert_cmpint (poll_fd.revents, !=, 0);
}

int
kernel_connect_udp (int family)
{
  struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons (4444) };
  struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons (4444) };
  int fd = socket (family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  inet_pton (AF_INET, "198.51.100.7", &v4.sin_addr);
  inet_pton (AF_INET6, "2001:db8::7", &v6.sin6_addr);
  if (family == AF_INET)
    g_assert_no_errno (connect (fd, (struct sockaddr *) &v4, sizeof v4));
  else
    g_assert_no_errno (connect (fd, (struct sockaddr *) &v6, sizeof v6));
  return fd;
}
