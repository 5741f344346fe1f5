/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"
#include "t2pn-udp-servers.h"

#include <net/if.h>

G_BEGIN_DECLS

/* Tags every route and rule of ours (rtm_protocol, FRA_PROTOCOL): what has another number is
 * somebody else's and is never deleted. */
#define T2PN_PROTOCOL 142

/** T2pnLink: a network interface. */
typedef struct
{
  int ifindex;
  char name[IFNAMSIZ];
  guint32 flags; /* IFF_* */
  guint32 mtu;
} T2pnLink;

/** T2pnAddress: an address of an interface and the length of its prefix. */
typedef struct
{
  int ifindex;
  T2pIpAddress address;
  guint8 length;
  gboolean without_prefix_route; /* IFA_F_NOPREFIXROUTE */
} T2pnAddress;

/** T2pnRoute: one route, as the kernel has it or as it should be. */
typedef struct
{
  T2pIpPrefix destination;
  guint32 table;        /* RT_TABLE_* */
  guint8 type;          /* RTN_UNICAST, RTN_THROW, RTN_UNREACHABLE, … */
  guint8 protocol;      /* RTPROT_* */
  guint8 scope;         /* RT_SCOPE_* */
  guint32 metric;       /* 0: the kernel's choice */
  int ifindex;          /* 0: none (throw, unreachable); of several next hops the first */
  T2pIpAddress gateway; /* family 0: on-link */
} T2pnRoute;

/** T2pnRule: one policy routing rule. What is zero does not select, but for
 * @suppress_prefix_length, where -1 means "none": begin with t2pn_rule_make(). */
typedef struct
{
  guint8 family;
  guint8 action;        /* FR_ACT_TO_TBL, FR_ACT_UNREACHABLE, … */
  guint8 protocol;      /* RTPROT_* */
  gboolean is_inverted; /* `not` */
  guint32 priority;
  guint32 table;
  T2pIpPrefix source;      /* family 0: any */
  T2pIpPrefix destination; /* family 0: any */
  char input[IFNAMSIZ];    /* `iif` */
  char output[IFNAMSIZ];   /* `oif` */
  guint32 mark, mask;
  gboolean has_uid_range;
  guint32 uid_first, uid_last;
  int suppress_prefix_length; /* -1: none */
  guint8 ip_protocol;         /* IPPROTO_* */
  guint16 source_port_first, source_port_last;
  guint16 destination_port_first, destination_port_last;
} T2pnRule;

/** T2pnSnapshot: what this network namespace has at one moment. Filled from the kernel by
 * t2pn_snapshot_take(), or by hand (t2pn_snapshot_new() and g_array_append_val()). */
typedef struct
{
  GArray *links;           /* of T2pnLink */
  GArray *addresses;       /* of T2pnAddress */
  GArray *routes;          /* of T2pnRoute, all tables, no cached ones */
  GArray *rules;           /* of T2pnRule, per family in the kernel's order */
  GArray *udp_servers;     /* of T2pnUdpServer, by family and port */
  gboolean has_ipv6;       /* the kernel knows IPv6 at all */
  gboolean links_get_ipv6; /* a link that is made now may have IPv6 addresses */
} T2pnSnapshot;

T2pnSnapshot *t2pn_snapshot_new (void);
void t2pn_snapshot_free (T2pnSnapshot *snapshot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnSnapshot, t2pn_snapshot_free)

/* Synchronous dumps of the calling thread's network namespace (local, about a millisecond).
 * (transfer full). G_IO_ERROR. */
T2pnSnapshot *t2pn_snapshot_take (GError **error);

/* The same without routes of tables that only rules of ours look up: tunnels may have many
 * thousands, which say nothing about the machine. @table: one such table to have all the same;
 * 0: none. */
T2pnSnapshot *t2pn_snapshot_take_around_tunnels (guint32 table, GError **error);
/* Adds the routes of one more such table. */
gboolean t2pn_snapshot_add_table (T2pnSnapshot *snapshot, guint32 table, GError **error);

/* NULL when there is none. */
const T2pnLink *t2pn_snapshot_find_link (const T2pnSnapshot *snapshot, int ifindex);
/* Whether main has a default route of @family (AF_INET, AF_INET6) that goes out of a link other
 * than @ignored_ifindex. */
gboolean
t2pn_snapshot_has_default (const T2pnSnapshot *snapshot, int family, int ignored_ifindex);
/* The set (GINT_TO_POINTER) of links that main has a default route by. (transfer container) */
GHashTable *t2pn_snapshot_list_uplinks (const T2pnSnapshot *snapshot);
/* Whether a link of this machine has @address. */
gboolean t2pn_snapshot_has_address (const T2pnSnapshot *snapshot, const T2pIpAddress *address);
/* Whether @address is one of this machine's own (never SO_BINDTODEVICE towards it). */
gboolean t2pn_snapshot_is_local (const T2pnSnapshot *snapshot, const T2pIpAddress *address);

/* A rule of @family that selects everything, tagged as ours, looking up nothing yet. */
T2pnRule t2pn_rule_make (int family, guint32 priority);
gboolean t2pn_rule_equal (const T2pnRule *a, const T2pnRule *b);
gboolean t2pn_route_equal (const T2pnRoute *a, const T2pnRoute *b);
/* The arguments of `ip rule add`, as in "priority 5400 fwmark 0x2370 lookup main". (transfer
 * full) */
char *t2pn_rule_to_text (const T2pnRule *rule);
/* The arguments of `ip route add`; @ifname stands for the link's name. (transfer full) */
char *t2pn_route_to_text (const T2pnRoute *route, const char *ifname);

G_END_DECLS
