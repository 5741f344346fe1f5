/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-route-plan.h"

G_BEGIN_DECLS

/**
 * T2pnDnsRedirect: whose questions to name servers a tunnel's responder answers
 * @table: from t2pn_nft_make_table_name()
 * @ifname: the tunnel's link
 * @mark: of our own sockets, whose questions go where they were sent
 * @worker_uid: not 0: stands in place of the mark
 * @who: (array zero-terminated=1): expressions of nft(8), each selecting packets of its own
 * @pool: the tunnel's addresses and responders
 * @has_ipv6: whether the link has its IPv6 address; else questions to IPv6 servers are refused,
 *   so that programs ask the next one
 */
typedef struct
{
  const char *table;
  const char *ifname;
  guint32 mark;
  guint32 worker_uid;
  const char *const *who;
  T2pnAddressPool pool;
  gboolean has_ipv6;
} T2pnDnsRedirect;

/* Pure: what selects the packets of these users' sockets. (transfer full) */
char *t2pn_dns_redirect_match_users (const T2pnUidRange *users, guint n_users);

/* Pure: by which answers from an IPv6 responder reach a program that has asked ::1. What
 * programs send to ::1 takes the kernel's own route, which is looked up first. */
T2pnRoute t2pn_dns_redirect_make_loopback_route (int ifindex);

/* Pure: the script for t2pn_nft_run(). It makes the chains of the redirect in @table, which may
 * have others, or gives those that are there the rules of now. (transfer full) */
char *t2pn_dns_redirect_to_script (const T2pnDnsRedirect *redirect);
/* Pure: the script that takes those chains away, and leaves the table. (transfer full) */
char *t2pn_dns_redirect_to_undo_script (const char *table);

G_END_DECLS
