/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-bus-worker.h"
#include "t2pw-socket-helper.h"

#include <gio/gunixfdlist.h>

G_BEGIN_DECLS

/* Has the daemon connect unix sockets: the signal SocketWanted, the method Socket. */
typedef struct _T2pwSocketBroker T2pwSocketBroker;

T2pwSocketBroker *t2pw_socket_broker_new (T2pBusWorker *skeleton);
/* Nobody may have a request any more. */
void t2pw_socket_broker_free (T2pwSocketBroker *broker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwSocketBroker, t2pw_socket_broker_free)

const T2pwSocketHelper *t2pw_socket_broker_get_helper (T2pwSocketBroker *broker);
/* The arguments of Socket. */
void t2pw_socket_broker_take (T2pwSocketBroker *broker,
                              guint64 id,
                              GVariant *handles,
                              GUnixFDList *fds,
                              const char *reason);

G_END_DECLS
