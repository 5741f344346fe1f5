/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-reactor.h"
#include "t2pw-upstream-socket.h"

#include <ares.h>
#include <netdb.h>

G_BEGIN_DECLS

/* c-ares driven by the reactor, its sockets marked. For t2pw-names.c, which knows what was
 * asked and answered. */
typedef struct _T2pwAresChannel T2pwAresChannel;

T2pwAresChannel *t2pw_ares_channel_new (T2pReactor *reactor,
                                        T2pwSocketPolicy *policy,
                                        gboolean of_the_system,
                                        gboolean has_servers,
                                        GError **error);
void t2pw_ares_channel_free (T2pwAresChannel *channel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwAresChannel, t2pw_ares_channel_free)

gboolean t2pw_ares_channel_set_servers (T2pwAresChannel *channel, const char *csv);
gboolean t2pw_ares_channel_has_servers (const T2pwAresChannel *channel);
void t2pw_ares_channel_look_up (T2pwAresChannel *channel,
                                const char *name,
                                ares_addrinfo_callback done,
                                gpointer user_data);
void t2pw_ares_channel_send (T2pwAresChannel *channel,
                             const guint8 *message,
                             gsize length,
                             ares_callback done,
                             gpointer user_data);

G_END_DECLS
