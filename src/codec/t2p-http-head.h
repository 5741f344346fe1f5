/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-http-challenge.h"
#include "t2p-http-offer.h"

G_BEGIN_DECLS

#define T2P_HTTP_MAX_REASON_BYTES 64

/** T2pHttpHeadFault: why bytes are no head of an answer. */
typedef enum
{
  T2P_HTTP_HEAD_OK,
  T2P_HTTP_HEAD_STRANGER,  /* no HTTP/1: see @seen */
  T2P_HTTP_HEAD_MALFORMED, /* a status line that is none, a NUL, a CR without LF */
  T2P_HTTP_HEAD_TOO_LONG,
} T2pHttpHeadFault;

/**
 * T2pHttpHead:
 * @status: 100 to 999
 * @reason: what the proxy says about it, as bytes; cut
 * @offer: how we may log in, by its Proxy-Authenticate fields
 * @keeps_alive: the connection may be used again, behind the body
 * @is_chunked: so is the body
 * @body_bytes: its length, when it is not chunked; -1: until the connection closes
 * @seen: the first byte
 *
 * Of one answer, while it is read; the other fields are private. A value that has to be
 * cleared.
 */
typedef struct
{
  T2pHttpHeadFault fault;
  guint status;
  char reason[T2P_HTTP_MAX_REASON_BYTES + 1];
  T2pHttpOffer offer;
  gboolean keeps_alive;
  gboolean is_chunked;
  gint64 body_bytes;
  guint8 seen;

  gsize n_bytes;       /* of this head and those 1xx before it */
  GString *line;       /* with the lines that were folded into it */
  gboolean is_pending; /* the line is whole, unless the next is its continuation */
  gboolean is_torn;    /* how long the body is cannot be told for sure */
} T2pHttpHead;

void t2p_http_head_clear (T2pHttpHead *head);
T2pDecode
t2p_http_head_feed (T2pHttpHead *head, const guint8 *bytes, gsize length, gsize *out_used);
void t2p_http_head_next (T2pHttpHead *head, gboolean was_interim);

G_END_DECLS
