/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-udp-in-tcp.h"

#include "t2p-error.h"
#include "t2p-udp-in-tcp.h"
#include "t2pw-frame-stream.h"
#include "t2pw-socks5.h"

#include <string.h>

typedef struct
{
  T2pwAssociation base;
  const T2pwOutboundContext *context;
  T2pwCarrier *asking; /* NULL: open */
  T2pwFrameStream stream;
} Association;

static void
association_clear (Association *association)
{
  if (association->asking != NULL)
    t2pw_carrier_close (g_steal_pointer (&association->asking), FALSE);
  t2pw_frame_stream_clear (&association->stream);
}

static void
association_close (T2pwAssociation *base)
{
  association_clear ((Association *) base);
  g_free (base);
}

static void
association_fail (Association *association, T2pRefusal refusal, const GError *error)
{
  T2pwAssociation base = association->base;

  association_clear (association);
  base.handler->failed (&association->base, refusal, error, base.user_data);
  g_free (association);
}

/* --- datagrams */

static gboolean
send_one (Association *association,
          const T2pSocks5Address *peer,
          const guint8 *data,
          gsize length)
{
  guint8 header[T2P_UDP_IN_TCP_MAX_HEADER_BYTES];
  T2pWriter writer;

  t2p_writer_init (&writer, header, sizeof header);
  return t2p_udp_in_tcp_write_header (&writer, peer, length) &&
         t2pw_frame_stream_send (&association->stream, header, t2p_writer_length (&writer),
                                 data, length);
}

static gboolean
association_send (T2pwAssociation *base,
                  const T2pwDestination *to,
                  const guint8 *data,
                  gsize length,
                  gsize datagram_bytes)
{
  T2pSocks5Address peer = { .name = to->name, .address = to->address, .port = to->port };
  gsize most = datagram_bytes > 0 ? datagram_bytes : length;
  gboolean was_sent = TRUE;

  if (most > T2P_UDP_IN_TCP_MAX_PAYLOAD_BYTES)
    {
      base->handler->too_big (base, to, T2P_UDP_IN_TCP_MAX_PAYLOAD_BYTES, base->user_data);
      return FALSE;
    }
  if (to->name != NULL)
    peer.name_bytes = strlen (to->name);
  do
    {
      gsize piece = MIN (length, most);

      was_sent = send_one ((Association *) base, &peer, data, piece) && was_sent;
      length -= piece;
      if (length > 0) /* C has no sum of NULL and 0 */
        data += piece;
    }
  while (length > 0);
  return was_sent;
}

static const T2pwAssociationClass association_class = {
  .send = association_send,
  .close = association_close,
};

static T2pDecode
frame_cb (T2pwFrameStream *stream, const guint8 *bytes, gsize length, gsize *out_used)
{
  Association *association = T2P_OWNER_OF (stream, Association, stream);
  char name[T2P_SOCKS5_MAX_TEXT_BYTES + 1] = "";
  T2pUdpInTcpFrame frame;
  T2pwDestination from;
  T2pDecode result = t2p_udp_in_tcp_decode (bytes, length, &frame, out_used);

  if (result != T2P_DECODE_DONE)
    return result;
  from = (T2pwDestination){ .address = frame.peer.address, .port = frame.peer.port };
  if (frame.peer.name != NULL)
    {
      memcpy (name, frame.peer.name, MIN (frame.peer.name_bytes, sizeof name - 1));
      from.name = name;
    }
  association->base.handler->received (&association->base, &from, frame.payload,
                                       frame.payload_bytes, association->base.user_data);
  return T2P_DECODE_DONE;
}

static void
ended_cb (T2pwFrameStream *stream, const char *how)
{
  Association *association = T2P_OWNER_OF (stream, Association, stream);
  g_autoptr (GError) error =
      g_error_new (T2P_ERROR, T2P_ERROR_FAILED, "%s %s", association->base.label, how);

  association_fail (association, T2P_REFUSAL_PORT_UNREACHABLE, error);
}

static const T2pwFrameStreamHandler stream_handler = { frame_cb, ended_cb };

/* --- asking */

static void
asking_opened_cb (T2pwCarrier *carrier, gpointer user_data)
{
  Association *association = user_data;

  association->asking = NULL;
  association->base.label = carrier->label;
  t2pw_frame_stream_init (&association->stream, association->context, carrier, &stream_handler);
  association->base.handler->opened (&association->base, association->base.user_data);
}

static void
asking_failed_cb (T2pwCarrier *carrier,
                  T2pRefusal refusal,
                  const GError *error,
                  gpointer user_data)
{
  Association *association = user_data;

  association->asking = NULL;
  association_fail (association, refusal, error);
}

static void
asking_edge_cb (T2pwCarrier *carrier, gpointer user_data)
{
}

static const T2pwCarrierHandler asking_handler = {
  .opened = asking_opened_cb,
  .failed = asking_failed_cb,
  .readable = asking_edge_cb,
  .writable = asking_edge_cb,
};

T2pwAssociation *
t2pw_udp_in_tcp_open (const T2pwOutboundContext *context,
                      T2pwOutbound *socks5,
                      const T2pwAssociationHandler *handler,
                      gpointer user_data)
{
  T2pwDestination unknown = { .address = t2p_ip_address_from_v4 (0),
                              .answer_timeout_ms = T2PW_CHECK_ANSWER_MS };
  Association *association = g_new0 (Association, 1);

  association->base = (T2pwAssociation){ &association_class, handler, user_data, "" };
  association->context = context;
  association->asking = t2pw_socks5_open_command (socks5, T2P_SOCKS5_UDP_IN_TCP, &unknown, NULL,
                                                  &asking_handler, association);
  return &association->base;
}
