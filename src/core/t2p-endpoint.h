/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"
#include "t2p-secret.h"

G_BEGIN_DECLS

/**
 * T2pScheme:
 *
 * The kinds of upstream that a proxy URI can name (docs: settings key `proxies`).
 */
typedef enum
{
  T2P_SCHEME_SOCKS5,
  T2P_SCHEME_SOCKS5H,
  T2P_SCHEME_SOCKS4,
  T2P_SCHEME_SOCKS4A,
  T2P_SCHEME_HTTP,
  T2P_SCHEME_HTTPS,
  T2P_SCHEME_SOCKS5_TLS,
  T2P_SCHEME_DIRECT,
  T2P_SCHEME_REJECT,
} T2pScheme;

const char *t2p_scheme_to_string (T2pScheme scheme);

/* An upstream as its URI says it: immutable, reference counted.
 * `SCHEME://[USER[:PASSWORD]@]HOST[:PORT][?OPTION=VALUE&…]`, userinfo percent-encoded (any byte
 * but NUL after decoding, 1 to 255 bytes each: RFC 1929 section 2), HOST a name, an IPv4
 * address or a bracketed IPv6 address. Ports default to 1080 (SOCKS), 8080 (http), 443 (https,
 * TLS). */
typedef struct _T2pEndpoint T2pEndpoint;

/* Errors: T2P_ERROR_INVALID_ARGUMENT with what was seen and what is expected, and never with
 * the userinfo. */
T2pEndpoint *t2p_endpoint_parse (const char *uri, GError **error);
T2pEndpoint *t2p_endpoint_ref (T2pEndpoint *endpoint);
void t2p_endpoint_unref (T2pEndpoint *endpoint);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pEndpoint, t2p_endpoint_unref)

T2pScheme t2p_endpoint_get_scheme (const T2pEndpoint *endpoint);
/* NULL for direct and reject. */
const char *t2p_endpoint_get_host (const T2pEndpoint *endpoint);
guint16 t2p_endpoint_get_port (const T2pEndpoint *endpoint);
/* Whether the host is a literal; then *out_address is set. */
gboolean t2p_endpoint_get_address (const T2pEndpoint *endpoint, T2pIpAddress *out_address);
/* NULL when the URI has no userinfo. */
const char *t2p_endpoint_get_user (const T2pEndpoint *endpoint);
T2pSecret *t2p_endpoint_get_password (const T2pEndpoint *endpoint);
/* Value of a query option, or NULL. */
const char *t2p_endpoint_get_option (const T2pEndpoint *endpoint, const char *name);
/* The URI without userinfo: what may be shown. Owned by the endpoint. */
const char *t2p_endpoint_get_display (const T2pEndpoint *endpoint);
/* The whole URI with userinfo, for the worker's private connection only. (transfer full) */
char *t2p_endpoint_to_private_uri (const T2pEndpoint *endpoint);
/* The same upstream with these credentials (transfer full). */
T2pEndpoint *t2p_endpoint_with_credentials (const T2pEndpoint *endpoint,
                                            const char *user,
                                            T2pSecret *password);

G_END_DECLS
