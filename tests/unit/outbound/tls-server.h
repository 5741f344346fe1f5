/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A TLS server on loopback, in a thread of its own, with certificates made on the spot. */

/**
 * TlsScript:
 * @name: the certificate is for this DNS name, or for this address
 * @is_expired: its certificate is of the last century
 * @max_version: 0: the newest
 * @wants_client: refuses clients without a certificate of the same authority
 * @piece: bytes that it sends at once; 0: all
 * @stall_at: sends so many bytes and no more; 0: never
 * @says: what it sends when the handshake is over
 * @echoes: what comes goes back until the client ends its direction
 * @hears_after_ms: ends its direction at once, and reads only when so long has passed; 0: no
 * @cuts: ends the connection without a close_notify
 */
typedef struct
{
  const char *name;
  gboolean is_expired;
  int max_version;
  gboolean wants_client;
  gsize piece;
  gsize stall_at;
  const char *says;
  gboolean echoes;
  guint hears_after_ms;
  gboolean cuts;
} TlsScript;

typedef struct _TlsServer TlsServer;

TlsServer *tls_server_new (const TlsScript *script);
void tls_server_free (TlsServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TlsServer, tls_server_free)
guint16 tls_server_get_port (TlsServer *server);
/* PEM: its authority; a certificate of it with key for a client. */
GBytes *tls_server_get_authority (TlsServer *server);
GBytes *tls_server_get_client (TlsServer *server);
/* How many handshakes were shortened by an earlier session. */
guint tls_server_get_n_resumed (TlsServer *server);
/* Bytes that it has heard, and whether the client then ended its direction by a close_notify.
 */
gsize tls_server_get_n_heard (TlsServer *server, gboolean *out_has_ended);
/* Bytes that it has sent to all clients. */
gsize tls_server_get_n_sent (TlsServer *server);
