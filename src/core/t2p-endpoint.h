/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"
#include "t2p-scheme.h"
#include "t2p-secret.h"

G_BEGIN_DECLS

/* An upstream as its URI says it: immutable, reference counted.
 * `SCHEME://[USER[:PASSWORD]@]HOST[:PORT][?OPTION=VALUE&…]`, userinfo percent-encoded (any byte
 * but NUL after decoding, 1 to 255 bytes each: RFC 1929 section 2), HOST a name, an IPv4
 * address, a bracketed IPv6 address, or `unix:/absolute/path` without a port. Ports default to
 * 1080 (SOCKS), 8080 (http), 443 (https, TLS). The options are those of t2p-endpoint-options.c.
 *
 * `URI | URI | …` is a chain, at most T2P_MAX_CHAIN_HOPS long: the first hop is connected to,
 * each of the others is reached through the one before. A chain is an endpoint, that of its
 * first hop, and t2p_endpoint_get_next() leads on; each hop is an endpoint, too. */
typedef struct _T2pEndpoint T2pEndpoint;

/* Errors: T2P_ERROR_INVALID_ARGUMENT with what was seen and what is expected, and never with
 * the userinfo. */
T2pEndpoint *t2p_endpoint_parse (const char *uri, GError **error);
T2pEndpoint *t2p_endpoint_ref (T2pEndpoint *endpoint);
void t2p_endpoint_unref (T2pEndpoint *endpoint);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pEndpoint, t2p_endpoint_unref)

T2pScheme t2p_endpoint_get_scheme (const T2pEndpoint *endpoint);
/* NULL for direct, reject and the socket of a path. */
const char *t2p_endpoint_get_host (const T2pEndpoint *endpoint);
guint16 t2p_endpoint_get_port (const T2pEndpoint *endpoint);
/* Whether the host is a literal; then *out_address is set. */
gboolean t2p_endpoint_get_address (const T2pEndpoint *endpoint, T2pIpAddress *out_address);
/* Path of a unix socket, which fits sockaddr_un; NULL for every other upstream. */
const char *t2p_endpoint_get_unix_path (const T2pEndpoint *endpoint);
/* NULL when the URI has no userinfo. */
const char *t2p_endpoint_get_user (const T2pEndpoint *endpoint);
T2pSecret *t2p_endpoint_get_password (const T2pEndpoint *endpoint);
/* Whether this hop's options have the login that they need: T2P_ERROR_INVALID_ARGUMENT. */
gboolean t2p_endpoint_check_login (const T2pEndpoint *endpoint, GError **error);
/* Value of a query option, or NULL. */
const char *t2p_endpoint_get_option (const T2pEndpoint *endpoint, const char *name);
/* The hop that is reached through this one, or NULL (transfer none). */
T2pEndpoint *t2p_endpoint_get_next (const T2pEndpoint *endpoint);
/* Number of this hop and those behind it. */
guint t2p_endpoint_get_n_hops (const T2pEndpoint *endpoint);
/* Whether this hop or one behind it has userinfo. */
gboolean t2p_endpoint_has_credentials (const T2pEndpoint *endpoint);
/* Adds the names of the files that the options of all hops name ("/etc/ca.pem", "fd:ca"),
 * owned by the endpoint. */
void t2p_endpoint_list_files (const T2pEndpoint *endpoint, GPtrArray *names);

/* The URI of the chain from here on without userinfo: what may be shown. Owned by the endpoint.
 */
const char *t2p_endpoint_get_display (const T2pEndpoint *endpoint);
/* The same of this hop alone. */
const char *t2p_endpoint_get_hop_display (const T2pEndpoint *endpoint);
/* The whole URI with userinfo, for the worker's private connection only. (transfer full) */
char *t2p_endpoint_to_private_uri (const T2pEndpoint *endpoint);
/* The same upstream with these credentials of hop @hop, from 0 (transfer full). */
T2pEndpoint *t2p_endpoint_with_credentials (const T2pEndpoint *endpoint,
                                            guint hop,
                                            const char *user,
                                            T2pSecret *password);

G_END_DECLS
