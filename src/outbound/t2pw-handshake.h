/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2pw-outbound.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

/**
 * T2pwHandshakeClass:
 * @state_bytes: of one handshake; zeroed before @begin
 * @max_output_bytes: the most that @write writes at once
 * @begin: FALSE when the protocol cannot say @destination: @error is set and nothing is owned.
 *   The name in @destination lives as long as the handshake.
 * @end: (nullable): frees what the state owns
 * @write: what is to be sent now; nothing when the proxy has to speak first
 * @feed: as the codecs: what the proxy sent; look with @write afterwards, whatever the result
 * @hang_up: the proxy closed the connection; DONE when the handshake was over already
 * @restart: (nullable): behind BAD: whether the same state is worth another connection (it was
 *   told how to log in). It begins again from @write.
 * @was_asked: the request was sent and all before it went well: silence may be the
 * destination's
 * @explain: behind BAD: what the application sees, and what people are told. What the proxy
 * says about the destination is no fault of the proxy: FAILED or NOT_SUPPORTED.
 *
 * How one protocol talks to the proxy; pure: bytes in, bytes out.
 */
typedef struct
{
  gsize state_bytes;
  gsize max_output_bytes;
  gboolean (*begin) (gpointer state,
                     gpointer closure,
                     const T2pwDestination *destination,
                     GError **error);
  void (*end) (gpointer state);
  void (*write) (gpointer state, T2pWriter *writer);
  T2pDecode (*feed) (gpointer state, const guint8 *bytes, gsize length, gsize *out_used);
  T2pDecode (*hang_up) (gpointer state);
  gboolean (*restart) (gpointer state);
  gboolean (*was_asked) (gconstpointer state);
  void (*explain) (gconstpointer state,
                   const char *label,
                   T2pRefusal *out_refusal,
                   GError **error);
} T2pwHandshakeClass;

/**
 * T2pwHandshakeConfig:
 * @lower: connects to the proxy, within the time-out of @context or less
 * @label: of the proxy, for people; outlives the carriers
 */
typedef struct
{
  const T2pwHandshakeClass *klass;
  const T2pwOutboundContext *context;
  T2pwOutbound *lower;
  const char *label;
} T2pwHandshakeConfig;

T2pwCarrier *t2pw_handshake_open (const T2pwHandshakeConfig *config,
                                  gpointer closure,
                                  const T2pwDestination *destination,
                                  const T2pwCarrierHandler *handler,
                                  gpointer user_data);

G_END_DECLS
