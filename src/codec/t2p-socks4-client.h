/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2p-ip.h"
#include "t2p-limits.h"
#include "t2p-refusal.h"

G_BEGIN_DECLS

#define T2P_SOCKS4_MAX_TEXT_BYTES 255 /* names and user names: our own bound */
#define T2P_SOCKS4_MAX_OUTPUT_BYTES (8 + 2 * (T2P_SOCKS4_MAX_TEXT_BYTES + 1))

/** T2pSocks4Failure: how a handshake ended that did not succeed. */
typedef enum
{
  T2P_SOCKS4_FAILURE_NONE,
  T2P_SOCKS4_FAILURE_VERSION, /* the upstream does not speak SOCKS 4 */
  T2P_SOCKS4_FAILURE_REPLY,   /* the request was refused: see the reply code */
  T2P_SOCKS4_FAILURE_CLOSED,  /* the upstream closed in the middle */
} T2pSocks4Failure;

/**
 * T2pSocks4Request:
 * @says_names: SOCKS 4a
 * @name: (nullable): a host name, for SOCKS 4a only; %NULL: by @address
 * @address: IPv4, when @name is %NULL
 * @port: host order
 * @user: (nullable): who we say we are
 */
typedef struct
{
  gboolean says_names;
  const char *name;
  gsize name_bytes;
  T2pIpAddress address;
  guint16 port;
  const char *user;
} T2pSocks4Request;

typedef enum
{
  T2P_SOCKS4_STAGE_REPLY,
  T2P_SOCKS4_STAGE_DONE,
  T2P_SOCKS4_STAGE_FAILED,
} T2pSocks4Stage;

/** T2pSocks4Client: a plain value; all fields are private. */
typedef struct
{
  const T2pSocks4Request *request;
  T2pSocks4Stage stage;
  T2pSocks4Failure failure;
  gboolean is_unsent;
  guint8 seen;
  guint8 n_held;
  guint8 held[T2P_SOCKS4_REPLY_BYTES];
} T2pSocks4Client;

gboolean t2p_socks4_client_init (T2pSocks4Client *client,
                                 const T2pSocks4Request *request,
                                 GError **error);
gboolean t2p_socks4_client_has_output (const T2pSocks4Client *client);
gboolean t2p_socks4_client_write (T2pSocks4Client *client, T2pWriter *writer);
T2pDecode t2p_socks4_client_feed (T2pSocks4Client *client,
                                  const guint8 *bytes,
                                  gsize length,
                                  gsize *out_used);
T2pDecode t2p_socks4_client_end (T2pSocks4Client *client);
T2pSocks4Failure t2p_socks4_client_get_failure (const T2pSocks4Client *client);
guint8 t2p_socks4_client_get_reply_code (const T2pSocks4Client *client);
T2pRefusal t2p_socks4_client_get_refusal (const T2pSocks4Client *client);
void t2p_socks4_client_set_error (const T2pSocks4Client *client, GError **error);
const char *t2p_socks4_reply_to_string (guint8 code);

G_END_DECLS
