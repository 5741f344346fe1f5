/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

#define T2P_HOST_NAME_STRLEN 255 /* 253 characters, a final dot, NUL */

/**
 * T2pHostPort:
 * @name: "" when the host is an address
 * @port: 1 to 65535; 0 in one that was never set
 *
 * A plain value.
 */
typedef struct
{
  char name[T2P_HOST_NAME_STRLEN];
  T2pIpAddress address;
  guint16 port;
} T2pHostPort;

/* "example.org:7300", "192.0.2.1:7300", "[2001:db8::1]:7300" */
gboolean t2p_host_port_parse (const char *text, T2pHostPort *out_host_port);

G_END_DECLS
