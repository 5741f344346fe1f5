/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-upstreams.h"

G_BEGIN_DECLS

/* What the files of the upstreams share. Nothing else includes this. */

/** T2pdIpv6: whether a proxy connects to IPv6 addresses. */
typedef enum
{
  T2PD_IPV6_UNKNOWN,
  T2PD_IPV6_CAN,
  T2PD_IPV6_CANNOT,
} T2pdIpv6;

/** T2pdUpstream: one proxy of the list. */
typedef struct
{
  T2pEndpoint *endpoint;
  GArray *addresses; /* T2pIpAddress */
  GError *error;     /* why it cannot be used */
  T2pdIpv6 ipv6;
  const char *udp; /* one of the known words */
} T2pdUpstream;

struct _T2pdUpstreams
{
  GObject parent;
  GPtrArray *list;  /* T2pdUpstream */
  T2pdFiles *files; /* NULL: none */
  gboolean may_be_foreign;
  gboolean are_all_used; /* by the policy; or else the active one is */
  guint active;
  guint probe_timeout_ms;
};

/* One walk over the list: to look up, or to probe. */
typedef struct
{
  T2pdCarrier *carrier;
  GVariant *ask;
  guint index;
  gboolean is_single; /* ends with the one that it began with */
} T2pdUpstreamsWalk;

/* (transfer full) */
GTask *t2pd_upstreams_walk_begin (T2pdUpstreams *self,
                                  T2pdCarrier *carrier,
                                  GVariant *ask,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);
/* NULL behind the last. */
T2pdUpstream *t2pd_upstreams_walk_current (GTask *task);
/* Ends it with the error of the first upstream: the one that its user can act on. */
void t2pd_upstreams_walk_fail (GTask *task);
/* What goes with each question. (transfer full) */
GVariantBuilder *t2pd_upstreams_walk_ask (const T2pdUpstreamsWalk *walk, guint timeout_ms);
/* `as`, floating */
GVariant *t2pd_upstream_list_addresses (const T2pdUpstream *upstream);

G_END_DECLS
