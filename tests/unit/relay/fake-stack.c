/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-stack.h"

#include <string.h>

#define PIECE_BYTES 1000 /* of what is peeked at: never all in one */

static GByteArray *datagrams;
static FakeIcmpError icmp_error;
static FakeEcho last_echo;

FakeSyn *
fake_syn_new (gsize room)
{
  FakeSyn *syn = g_new0 (FakeSyn, 1);

  syn->stream.from_app = g_byte_array_new ();
  syn->stream.to_app = g_byte_array_new ();
  syn->stream.room = room;
  return syn;
}

void
fake_syn_free (FakeSyn *syn)
{
  g_byte_array_unref (syn->stream.from_app);
  g_byte_array_unref (syn->stream.to_app);
  g_free (syn);
}

void
fake_stream_send (FakeStream *stream, const char *bytes, gsize length)
{
  g_byte_array_append (stream->from_app, (const guint8 *) bytes, (guint) length);
  stream->handler.readable ((T2pwStream *) stream, stream->user_data);
}

void
fake_stream_end (FakeStream *stream)
{
  stream->app_ended = TRUE;
  stream->handler.readable ((T2pwStream *) stream, stream->user_data);
}

void
fake_stream_close (FakeStream *stream, gboolean reset)
{
  stream->handler.closed ((T2pwStream *) stream, reset, stream->user_data);
}

void
fake_stream_make_room (FakeStream *stream, gsize room)
{
  stream->room += room;
  stream->handler.writable ((T2pwStream *) stream, stream->user_data);
}

GByteArray *
fake_stack_get_datagrams (void)
{
  if (datagrams == NULL)
    datagrams = g_byte_array_new ();
  return datagrams;
}

FakeIcmpError *
fake_stack_get_icmp_error (void)
{
  return &icmp_error;
}

FakeEcho *
fake_stack_get_echo (void)
{
  if (last_echo.data == NULL)
    last_echo.data = g_byte_array_new ();
  return &last_echo;
}

T2pwStream *
t2pw_held_syn_accept (T2pwHeldSyn *held, const T2pwStreamHandler *handler, gpointer user_data)
{
  FakeSyn *syn = (FakeSyn *) held;

  g_assert_false (syn->is_accepted || syn->is_refused);
  syn->is_accepted = TRUE;
  syn->stream.handler = *handler;
  syn->stream.user_data = user_data;
  return (T2pwStream *) &syn->stream;
}

void
t2pw_held_syn_refuse (T2pwHeldSyn *held, T2pRefusal refusal)
{
  FakeSyn *syn = (FakeSyn *) held;

  g_assert_false (syn->is_accepted || syn->is_refused);
  syn->is_refused = TRUE;
  syn->refusal = refusal;
}

guint
t2pw_stream_peek (T2pwStream *opaque, struct iovec *iov, guint max, gboolean *out_at_end)
{
  FakeStream *stream = (FakeStream *) opaque;
  gsize at = 0;
  guint n = 0;

  for (; n < max && at < stream->from_app->len; n++)
    {
      iov[n].iov_base = stream->from_app->data + at;
      iov[n].iov_len = MIN (PIECE_BYTES, stream->from_app->len - at);
      at += iov[n].iov_len;
    }
  *out_at_end = stream->app_ended;
  return n;
}

void
t2pw_stream_consume (T2pwStream *opaque, gsize length)
{
  FakeStream *stream = (FakeStream *) opaque;

  g_assert_cmpuint (length, <=, stream->from_app->len);
  g_byte_array_remove_range (stream->from_app, 0, (guint) length);
}

guint
t2pw_stream_reserve (T2pwStream *opaque, gsize want, struct iovec *iov, guint max)
{
  FakeStream *stream = (FakeStream *) opaque;
  gsize length = MIN (MIN (want, stream->room), sizeof stream->reserved);

  g_assert_cmpuint (stream->n_reserved, ==, 0);
  g_assert_false (stream->is_shut);
  if (length == 0)
    return 0;
  stream->n_reserved = length;
  iov[0].iov_base = stream->reserved;
  iov[0].iov_len = length;
  return 1;
}

void
t2pw_stream_commit (T2pwStream *opaque, gsize length)
{
  FakeStream *stream = (FakeStream *) opaque;

  g_assert_cmpuint (length, <=, stream->n_reserved);
  g_byte_array_append (stream->to_app, stream->reserved, (guint) length);
  stream->room -= length;
  stream->n_reserved = 0;
}

void
t2pw_stream_shutdown (T2pwStream *opaque)
{
  FakeStream *stream = (FakeStream *) opaque;

  g_assert_false (stream->is_shut);
  stream->is_shut = TRUE;
}

void
t2pw_stream_abort (T2pwStream *opaque)
{
  ((FakeStream *) opaque)->is_aborted = TRUE;
}

gsize
t2pw_stream_get_unacked (const T2pwStream *opaque, gint64 *out_progress_us)
{
  const FakeStream *stream = (const FakeStream *) opaque;

  *out_progress_us = stream->progress_us;
  return stream->unacked;
}

gboolean
t2pw_stack_send_datagram (T2pwStack *stack,
                          const T2pwFlowKey *key,
                          const guint8 *data,
                          gsize length)
{
  g_byte_array_append (fake_stack_get_datagrams (), data, (guint) length);
  *fake_stack_get_datagram_key () = *key;
  return TRUE;
}

gsize *
fake_stack_get_room (void)
{
  static gsize room = G_MAXSIZE;

  return &room;
}

gboolean
t2pw_stack_hold_memory (T2pwStack *stack, gsize bytes)
{
  if (bytes > *fake_stack_get_room ())
    return FALSE;
  *fake_stack_get_room () -= bytes;
  return TRUE;
}

void
t2pw_stack_release_memory (T2pwStack *stack, gsize bytes)
{
  *fake_stack_get_room () += bytes;
}

T2pwFlowKey *
fake_stack_get_datagram_key (void)
{
  static T2pwFlowKey key;

  return &key;
}

void
t2pw_stack_refuse_datagram (T2pwStack *stack,
                            const T2pwFlowKey *key,
                            const guint8 *data,
                            gsize length,
                            T2pRefusal refusal)
{
  icmp_error.n_refusals++;
  icmp_error.key = *key;
  icmp_error.length = length;
  icmp_error.refusal = refusal;
}

void
t2pw_stack_tell_too_big (T2pwStack *stack,
                         const T2pwFlowKey *key,
                         const guint8 *data,
                         gsize length,
                         gsize most_payload_bytes)
{
  icmp_error.n_too_big++;
  icmp_error.key = *key;
  icmp_error.length = length;
  icmp_error.most_payload_bytes = most_payload_bytes;
}

gboolean
t2pw_stack_send_echo_reply (T2pwStack *stack, const T2pwEcho *echo)
{
  FakeEcho *fake = fake_stack_get_echo ();

  fake->n_replies++;
  fake->echo = *echo;
  g_byte_array_set_size (fake->data, 0);
  g_byte_array_append (fake->data, echo->message.data, (guint) echo->message.length);
  return TRUE;
}

void
t2pw_stack_send_echo_error (T2pwStack *stack,
                            const T2pwEcho *echo,
                            const T2pIpAddress *from,
                            const T2pIcmpError *error)
{
  FakeEcho *fake = fake_stack_get_echo ();

  fake->n_errors++;
  fake->echo = *echo;
  fake->from = *from;
  fake->error = *error;
}
