/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2p-limits.h"

G_BEGIN_DECLS

typedef enum
{
  T2P_HTTP_BODY_DATA, /* @left bytes, also of a chunk */
  T2P_HTTP_BODY_SIZE, /* hex digits */
  T2P_HTTP_BODY_EXTENSION,
  T2P_HTTP_BODY_AFTER_DATA, /* the line end behind a chunk */
  T2P_HTTP_BODY_TRAILER,
  T2P_HTTP_BODY_END,
} T2pHttpBodyStage;

/** T2pHttpBody: a page that nobody wants to read, on its way out; a plain value. */
typedef struct
{
  T2pHttpBodyStage stage;
  gboolean is_chunked;
  gboolean has_digits;
  guint line_bytes; /* of a trailer */
  guint64 left;
  gsize n_bytes; /* skipped so far, the framing included */
} T2pHttpBody;

void t2p_http_body_init (T2pHttpBody *body, gboolean is_chunked, gint64 length);
T2pDecode
t2p_http_body_feed (T2pHttpBody *body, const guint8 *bytes, gsize length, gsize *out_used);

G_END_DECLS
