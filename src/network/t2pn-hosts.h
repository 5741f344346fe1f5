/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

#define T2PN_HOSTS_PATH "/etc/hosts"

/* Pure: the first address of @family (AF_UNSPEC: of any) that a file as hosts(5) gives @name,
 * which is compared without case. FALSE when there is none. */
gboolean
t2pn_hosts_find (const char *content, const char *name, int family, T2pIpAddress *out_address);

G_END_DECLS
