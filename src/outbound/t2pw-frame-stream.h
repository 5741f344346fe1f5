/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2pw-outbound.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

/* What waits to be sent; beyond it the newest frames are dropped. */
#define T2PW_FRAME_STREAM_MAX_BYTES (256 * 1024)

typedef struct _T2pwFrameStream T2pwFrameStream;

/** T2pwFrameStreamHandler: the stream may be cleared inside each of them. */
typedef struct
{
  /* Takes one frame off the front of @bytes: as the codecs. */
  T2pDecode (*frame) (T2pwFrameStream *stream,
                      const guint8 *bytes,
                      gsize length,
                      gsize *out_used);
  /* The other side has ended, broke or talks nonsense; @how for people. */
  void (*ended) (T2pwFrameStream *stream, const char *how);
} T2pwFrameStreamHandler;

/** T2pwFrameStream: datagrams as frames in a carrier; embedded, fields are private. */
struct _T2pwFrameStream
{
  const T2pwOutboundContext *context;
  const T2pwFrameStreamHandler *handler;
  T2pwCarrier *carrier;
  T2pTask out_task, in_task;
  guint8 *out;
  gsize out_at, out_length, out_capacity;
  guint8 *partial; /* the beginning of a frame */
  gsize n_partial;
  gboolean is_full;  /* wait for the carrier's edge */
  gboolean *is_gone; /* of a caller that looks behind a handler's call */
};

void t2pw_frame_stream_init (T2pwFrameStream *stream,
                             const T2pwOutboundContext *context,
                             T2pwCarrier *carrier,
                             const T2pwFrameStreamHandler *handler);
void t2pw_frame_stream_clear (T2pwFrameStream *stream);
gboolean t2pw_frame_stream_is_open (const T2pwFrameStream *stream);
/* FALSE: dropped, no room. */
gboolean t2pw_frame_stream_send (T2pwFrameStream *stream,
                                 const guint8 *header,
                                 gsize header_bytes,
                                 const guint8 *data,
                                 gsize length);

G_END_DECLS
