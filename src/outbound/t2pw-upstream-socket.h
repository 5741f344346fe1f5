/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-socket-policy.h"

#include <sys/socket.h>

G_BEGIN_DECLS

int t2pw_upstream_socket_new (T2pwSocketPolicy *policy, const T2pIpAddress *destination);
gboolean t2pw_upstream_socket_is_shortage (int saved_errno,
                                           const struct sockaddr *peer,
                                           socklen_t length);
void t2pw_upstream_socket_open_fast (int fd);
void t2pw_upstream_socket_guard (int fd);
void t2pw_upstream_socket_hurry (int fd);
gboolean t2pw_upstream_socket_is_stranded (int fd);
gboolean t2pw_upstream_socket_has_route (int fd);

G_END_DECLS
