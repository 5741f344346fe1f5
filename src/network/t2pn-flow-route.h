/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-explain.h"

G_BEGIN_DECLS

/**
 * T2pnRouteAnswer: what the kernel would do with a flow
 * @errsv: 0, or what a connect would end with: ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL
 * @type: RTN_UNICAST, RTN_LOCAL, …
 * @table: in which the route was found
 * @ifindex: by which link it goes out
 * @source: the address that it would be sent from
 */
typedef struct
{
  int errsv;
  guint8 type;
  guint32 table;
  int ifindex;
  T2pIpAddress source;
} T2pnRouteAnswer;

/* Asks the kernel (RTM_GETROUTE; local, synchronous). FALSE when it could not be asked:
 * G_IO_ERROR. */
gboolean
t2pn_flow_route_ask (const T2pnFlow *flow, T2pnRouteAnswer *out_answer, GError **error);

G_END_DECLS
