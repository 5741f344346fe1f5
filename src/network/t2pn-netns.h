/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Network namespaces other than this process's own, by descriptor. */

/**
 * t2pn_netns_check:
 * @uid: on whose behalf
 *
 * Whether @fd is a network namespace that @uid may have something made in: root any, everybody
 * else one of a user namespace that he has made. T2P_ERROR_INVALID_FD for something else, and
 * for our own namespace; T2P_ERROR_NAMESPACE_NOT_OWNED.
 */
gboolean t2pn_netns_check (int fd, guint32 uid, GError **error);
gboolean t2pn_netns_equal (int a, int b);

typedef gboolean (*T2pnNetnsFunc) (gpointer data, GError **error);
/* Calls @function in the namespace @fd, and waits for it. What it opens stays there. */
gboolean t2pn_netns_run (int fd, T2pnNetnsFunc function, gpointer data, GError **error);

G_END_DECLS
