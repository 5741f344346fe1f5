/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-reactor.h"
#include "t2pw-ares-channel.h"

G_BEGIN_DECLS

/* Queries that go to the uplink's servers as they are, and their answers: whatever the type.
 * From the same marked sockets as the look-ups of t2pw-names.c, which owns this. */
typedef struct _T2pwRawQueries T2pwRawQueries;
typedef struct _T2pwRawQuery T2pwRawQuery;

/**
 * T2pwRawQueryDone:
 * @message: (nullable): what a server said, hostile bytes; %NULL when none said anything in
 * time
 *
 * The query is gone when this is called.
 */
typedef void (*T2pwRawQueryDone) (const guint8 *message, gsize length, gpointer user_data);

T2pwRawQueries *t2pw_raw_queries_new (T2pReactor *reactor);
void t2pw_raw_queries_free (T2pwRawQueries *queries);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwRawQueries, t2pw_raw_queries_free)
void t2pw_raw_queries_set_channel (T2pwRawQueries *queries, T2pwAresChannel *channel);

T2pwRawQuery *t2pw_raw_queries_ask (T2pwRawQueries *queries,
                                    const guint8 *message,
                                    gsize length,
                                    guint timeout_ms,
                                    T2pwRawQueryDone done,
                                    gpointer user_data);
void t2pw_raw_query_cancel (T2pwRawQuery *query);

G_END_DECLS
