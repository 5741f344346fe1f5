/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-refusal.h"
#include "t2p-socks5.h"

G_BEGIN_DECLS

/* Greeting with two methods, the longest credentials, the longest request. */
#define T2P_SOCKS5_MAX_OUTPUT_BYTES (4 + 513 + T2P_SOCKS5_MAX_HEADER_BYTES)

/** T2pSocks5Failure: how a handshake ended that did not succeed. */
typedef enum
{
  T2P_SOCKS5_FAILURE_NONE,
  T2P_SOCKS5_FAILURE_VERSION,             /* the upstream does not speak SOCKS 5 */
  T2P_SOCKS5_FAILURE_NO_METHOD,           /* it wants another way of authentication */
  T2P_SOCKS5_FAILURE_UNOFFERED_METHOD,    /* it chose what we had not offered */
  T2P_SOCKS5_FAILURE_CREDENTIALS_VERSION, /* RFC 1929 answer of another version */
  T2P_SOCKS5_FAILURE_CREDENTIALS,         /* user name or password refused */
  T2P_SOCKS5_FAILURE_REPLY,               /* the request was refused: see the reply code */
  T2P_SOCKS5_FAILURE_ADDRESS_TYPE,        /* a reply with an address of no known type */
  T2P_SOCKS5_FAILURE_CLOSED,              /* the upstream closed in the middle */
} T2pSocks5Failure;

/**
 * T2pSocks5Request:
 * @command: what we want
 * @destination: where to
 * @username: (nullable): %NULL: only "no authentication" is offered
 * @password: (nullable): with @username
 * @is_pipelined: send everything at once and save round trips. With a user name only that
 *   method is offered then. Some small servers lose bytes that come too early.
 */
typedef struct
{
  T2pSocks5Command command;
  T2pSocks5Address destination;
  const char *username;
  gsize username_bytes;
  const char *password;
  gsize password_bytes;
  gboolean is_pipelined;
} T2pSocks5Request;

typedef enum
{
  T2P_SOCKS5_STAGE_METHOD,
  T2P_SOCKS5_STAGE_CREDENTIALS,
  T2P_SOCKS5_STAGE_REPLY,
  T2P_SOCKS5_STAGE_DONE,
  T2P_SOCKS5_STAGE_FAILED,
} T2pSocks5Stage;

/** T2pSocks5Client: a plain value; all fields are private. */
typedef struct
{
  const T2pSocks5Request *request;
  T2pSocks5Stage stage;
  T2pSocks5Stage failed_stage;
  T2pSocks5Failure failure;
  T2pSocks5Reply reply;
  guint unsent;
  guint8 seen;
  guint16 n_held;
  guint8 held[T2P_SOCKS5_MAX_REPLY_BYTES];
} T2pSocks5Client;

gboolean t2p_socks5_client_init (T2pSocks5Client *client,
                                 const T2pSocks5Request *request,
                                 GError **error);
gboolean t2p_socks5_client_has_output (const T2pSocks5Client *client);
gboolean t2p_socks5_client_write (T2pSocks5Client *client, T2pWriter *writer);
T2pDecode t2p_socks5_client_feed (T2pSocks5Client *client,
                                  const guint8 *bytes,
                                  gsize length,
                                  gsize *out_used);
T2pDecode t2p_socks5_client_end (T2pSocks5Client *client);
const T2pSocks5Address *t2p_socks5_client_get_bound (const T2pSocks5Client *client);
T2pSocks5Failure t2p_socks5_client_get_failure (const T2pSocks5Client *client);
guint8 t2p_socks5_client_get_reply_code (const T2pSocks5Client *client);
T2pRefusal t2p_socks5_client_get_refusal (const T2pSocks5Client *client);
void t2p_socks5_client_set_error (const T2pSocks5Client *client, GError **error);

G_END_DECLS
