/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-stack.h"

G_BEGIN_DECLS

/* The stack behind a real TUN device in a network namespace of the test's own: the applications
 * are sockets of the kernel. Everything has a route into the device; its addresses are 10.9.0.1
 * and fd00:9::1. */

#define KERNEL_MTU 1500

typedef struct
{
  GMainContext *context;
  T2pReactor *reactor;
  T2pwStack *stack;
  int ifindex;
  /* what the stack told */
  guint n_datagrams;
  T2pwFlowKey key; /* of the last datagram */
  GByteArray *datagram;
  gsize datagram_bytes;
  guint n_connecting;
} Kernel;

/* Enters a namespace; FALSE when that may not be done. */
gboolean kernel_make_namespace (void);
Kernel *kernel_new (gboolean has_vnet, const T2pwStackConfig *overrides);
void kernel_free (Kernel *kernel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Kernel, kernel_free)
/* Turns the loop until *@counter is at least @least; fails the test after a while. */
void kernel_wait (Kernel *kernel, const guint *counter, guint least);
/* Turns it for a time. */
void kernel_turn (Kernel *kernel, guint ms);
/* Turns it until a socket has something, an error included. */
void kernel_wait_for_socket (Kernel *kernel, int fd);
/* A UDP socket that is connected to 198.51.100.7 or 2001:db8::7, port 4444. */
int kernel_connect_udp (int family);
void kernel_run (const char *command);

G_END_DECLS
