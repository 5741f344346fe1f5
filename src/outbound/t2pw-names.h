/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"
#include "t2p-reactor.h"
#include "t2pw-raw-query.h"
#include "t2pw-upstream-socket.h"

G_BEGIN_DECLS

/* Answers kept; a name more pushes out one that nobody waits for. */
#define T2PW_NAMES_MAX_CACHED 1024
/* Look-ups that wait at once, all names together. */
#define T2PW_NAMES_MAX_WAITING 1024
/* Addresses kept of one answer. */
#define T2PW_NAMES_MAX_ADDRESSES 16

/* Real addresses of names (upstreams, names that are excluded from virtual DNS): our own
 * queries to the uplink's servers from sockets that carry the mark, /etc/hosts first. */
typedef struct _T2pwNames T2pwNames;
typedef struct _T2pwLookup T2pwLookup;

/**
 * T2pwLookupDone:
 * @addresses: in the order to try; empty with @error set
 * @error: (nullable): T2P_ERROR: NOT_FOUND (there is no such name), FAILED (the name is there
 * and has no address), RESOLVE_FAILED (nobody could say)
 * @ttl_s: how long the answer holds
 *
 * The look-up is gone when this is called. Never called from within t2pw_names_lookup().
 */
typedef void (*T2pwLookupDone) (const T2pIpAddress *addresses,
                                guint n_addresses,
                                guint32 ttl_s,
                                const GError *error,
                                gpointer user_data);

T2pwNames *t2pw_names_new (T2pReactor *reactor, T2pwSocketPolicy *policy);
void t2pw_names_free (T2pwNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwNames, t2pw_names_free)

gboolean t2pw_names_set_servers (T2pwNames *names, const char *const *servers, GError **error);
gboolean t2pw_names_use_system_servers (T2pwNames *names, GError **error);
void t2pw_names_flush (T2pwNames *names);
/* Whatever else the uplink's servers are to be asked. */
T2pwRawQueries *t2pw_names_get_raw (T2pwNames *names);

T2pwLookup *t2pw_names_lookup (T2pwNames *names,
                               const char *name,
                               guint timeout_ms,
                               T2pwLookupDone done,
                               gpointer user_data);
void t2pw_lookup_cancel (T2pwLookup *lookup);

G_END_DECLS
