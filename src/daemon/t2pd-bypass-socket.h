/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-service.h"

G_BEGIN_DECLS

/* A caller's own socket that is to stay out of every tunnel. */

/* Whether @fd is a socket that may be marked for @uid: T2P_ERROR_INVALID_FD. */
gboolean t2pd_bypass_socket_check (int fd, guint32 uid, GError **error);
/* The mark that every tunnel that is up lets pass, which is chosen now if there was none yet:
 * T2P_ERROR_NOT_SUPPORTED when there is no such mark. */
gboolean t2pd_bypass_socket_find_mark (T2pdService *service, guint32 *out_mark, GError **error);
gboolean t2pd_bypass_socket_mark (int fd, guint32 mark, GError **error);

G_END_DECLS
