/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-journal.h"

G_BEGIN_DECLS

/* How a file of ours begins, and what stands before each server that it took the place of, so
 * that the uplink's servers can still be read from it (t2pn_uplink_dns_parse()). */
#define T2PN_RESOLV_CONF_HEADER "# tun2proxy has put this file here"
#define T2PN_RESOLV_CONF_WAS "# was: "

void t2pn_resolv_conf_free (T2pnResolvConf *saved);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnResolvConf, t2pn_resolv_conf_free)

/* What stands at @path now, to be given back later, and @ours, which is to take its place.
 * (transfer full). T2P_ERROR_DNS_SETUP_FAILED. */
T2pnResolvConf *t2pn_resolv_conf_save (const char *path, const char *ours, GError **error);
/* Puts @saved->ours in place atomically; the type of what stood there does not matter. Refuses
 * with T2P_ERROR_DNS_SETUP_FAILED when the file cannot be exchanged (mount point, immutable).
 */
gboolean t2pn_resolv_conf_replace (const T2pnResolvConf *saved, GError **error);
/* Whether what is there is still ours. */
gboolean t2pn_resolv_conf_is_ours (const T2pnResolvConf *saved);
/* Gives back what was saved: link, file with its mode and owner, or nothing. Leaves alone what
 * is no longer ours, which is a success. */
gboolean t2pn_resolv_conf_restore (const T2pnResolvConf *saved, GError **error);

/* The file beside it under which the new one is written first: left by a death in between. */
gboolean t2pn_resolv_conf_has_temporary (const T2pnResolvConf *saved);
gboolean t2pn_resolv_conf_clean (const T2pnResolvConf *saved, GError **error);

G_END_DECLS
