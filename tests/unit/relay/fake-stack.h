/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-stack.h"

/* The stack's interface over plain buffers: what an application sends is put in, what it would
 * receive is taken out, and the send buffer is as small as a test likes. */
typedef struct
{
  T2pwStreamHandler handler;
  gpointer user_data;
  GByteArray *from_app;
  gboolean app_ended;
  gsize room; /* of the send buffer */
  GByteArray *to_app;
  gsize unacked; /* of that */
  gint64 progress_us;
  gboolean is_shut;
  gboolean is_aborted;
  guint8 reserved[70000];
  gsize n_reserved;
} FakeStream;

typedef struct
{
  gboolean is_refused;
  T2pRefusal refusal;
  gboolean is_accepted;
  FakeStream stream;
} FakeSyn;

FakeSyn *fake_syn_new (gsize room);
void fake_syn_free (FakeSyn *syn);
void fake_stream_send (FakeStream *stream, const char *bytes, gsize length);
void fake_stream_end (FakeStream *stream);
void fake_stream_close (FakeStream *stream, gboolean reset);
void fake_stream_make_room (FakeStream *stream, gsize room);
GByteArray *fake_stack_get_datagrams (void);
/* Of the last datagram that was sent to an application. */
T2pwFlowKey *fake_stack_get_datagram_key (void);

/* What relays may hold still; as much as they like at first. */
gsize *fake_stack_get_room (void);

/** FakeIcmpError: the last that the stack was asked to send. */
typedef struct
{
  guint n_refusals, n_too_big; /* so far */
  T2pwFlowKey key;
  T2pRefusal refusal;
  gsize length, most_payload_bytes;
} FakeIcmpError;

FakeIcmpError *fake_stack_get_icmp_error (void);

/** FakeEcho: what became of pings. */
typedef struct
{
  guint n_replies, n_errors; /* so far */
  T2pwEcho echo;             /* the last, without its data */
  GByteArray *data;          /* of the last reply */
  T2pIpAddress from;         /* of the last error */
  T2pIcmpError error;
} FakeEcho;

FakeEcho *fake_stack_get_echo (void);
