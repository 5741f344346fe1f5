/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-host-port.h"
#include "t2pd-service.h"

G_BEGIN_DECLS

/**
 * T2pdQuestion: a connection that could be made
 * @destination: port 0: not known
 * @uid: whose it would be
 * @cgroup: (nullable): of the process, below the root of cgroup v2; %NULL: not known
 * @caller_uid: who asks
 * @is_inspector: who asks may know of everybody's tunnels
 */
typedef struct
{
  T2pHostPort destination;
  guint32 uid;
  const char *cgroup;
  guint32 caller_uid;
  gboolean is_inspector;
} T2pdQuestion;

/* "example.org", "192.0.2.1", "2001:db8::1", each also with a port (IPv6 in brackets then):
 * T2P_ERROR_INVALID_ARGUMENT. */
gboolean t2pd_explain_parse (const char *text, T2pHostPort *out_destination, GError **error);
/* What would become of it, now: asks the kernel, and the worker of the tunnel that it would
 * enter. */
void t2pd_explain_async (T2pdService *service,
                         const T2pdQuestion *question,
                         GAsyncReadyCallback callback,
                         gpointer user_data);
/* `a{sv}` as Explain answers. (transfer full) */
GVariant *t2pd_explain_finish (GAsyncResult *result, GError **error);

G_END_DECLS
