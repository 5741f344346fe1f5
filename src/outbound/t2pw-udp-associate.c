/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 *   ASKING ──▶ LOOKING UP ──▶ OPEN          any may end in `failed`
 *      └──────────────────────▲
 *
 * RFC 1928 section 7: datagrams travel beside the connection on which the association was asked
 * for (the control connection), and as long as that one lives. The socket is connected to the
 * relay's address, so nobody else is heard. Where the relay is the proxy says; "anywhere" means
 * where the proxy is, and so does an address that only the proxy's own network could reach. An
 * address which would have us send to this very machine is never believed a proxy that is not
 * here. */
#include "config.h"

#include "t2pw-udp-associate.h"

#include "t2p-error.h"
#include "t2pw-socks5.h"
#include "t2pw-tcp-carrier.h"

#include <errno.h>
#include <string.h>

typedef struct
{
  T2pwAssociation base;
  const T2pwOutboundContext *context;
  T2pwSocks5Bound bound;
  T2pwCarrier *control;
  T2pIpEndpoint proxy;
  T2pwLookup *lookup;
  T2pwUdpSocket socket;
  T2pTask task; /* looks at the control connection */
} Association;

static void
association_clear (Association *association)
{
  t2p_reactor_cancel (association->context->reactor, &association->task);
  t2pw_udp_socket_close (&association->socket);
  g_clear_pointer (&association->lookup, t2pw_lookup_cancel);
  if (association->control != NULL)
    t2pw_carrier_close (g_steal_pointer (&association->control), FALSE);
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

static void
association_ended (Association *association, const char *how)
{
  g_autoptr (GError) error =
      g_error_new (T2P_ERROR, T2P_ERROR_FAILED, "%s %s", association->base.label, how);

  association_fail (association, T2P_REFUSAL_PORT_UNREACHABLE, error);
}

/* --- datagrams */

/* @name: has T2P_SOCKS5_MAX_TEXT_BYTES + 1 */
static gboolean
take_apart (
    const guint8 *data, gsize length, char *name, T2pwDestination *out_peer, gsize *out_header)
{
  T2pSocks5Address peer;

  if (t2p_socks5_decode_udp_header (data, length, &peer, out_header) != T2P_DECODE_DONE)
    return FALSE;
  *out_peer = (T2pwDestination){ .address = peer.address, .port = peer.port };
  if (peer.name != NULL)
    {
      memcpy (name, peer.name, MIN (peer.name_bytes, T2P_SOCKS5_MAX_TEXT_BYTES));
      name[MIN (peer.name_bytes, T2P_SOCKS5_MAX_TEXT_BYTES)] = '\0';
      out_peer->name = name;
    }
  return TRUE;
}

static Association *
owner_of (T2pwUdpSocket *socket)
{
  return T2P_OWNER_OF (socket, Association, socket);
}

static void
received_cb (T2pwUdpSocket *socket,
             const T2pIpEndpoint *relay,
             const guint8 *data,
             gsize length)
{
  Association *association = owner_of (socket);
  char name[T2P_SOCKS5_MAX_TEXT_BYTES + 1];
  T2pwDestination from;
  gsize header;

  if (take_apart (data, length, name, &from, &header))
    association->base.handler->received (&association->base, &from, data + header,
                                         length - header, association->base.user_data);
}

static void
too_big_cb (T2pwUdpSocket *socket,
            const T2pIpEndpoint *relay,
            const guint8 *data,
            gsize length,
            gsize most_bytes)
{
  Association *association = owner_of (socket);
  char name[T2P_SOCKS5_MAX_TEXT_BYTES + 1];
  T2pwDestination to;
  gsize header;

  if (take_apart (data, length, name, &to, &header) && most_bytes > header)
    association->base.handler->too_big (&association->base, &to, most_bytes - header,
                                        association->base.user_data);
}

static void
refused_cb (T2pwUdpSocket *socket)
{
  association_ended (owner_of (socket), "does not listen where it said it would");
}

static const T2pwUdpSocketHandler socket_handler = { received_cb, too_big_cb, refused_cb };

static gboolean
association_send (T2pwAssociation *base,
                  const T2pwDestination *to,
                  const guint8 *data,
                  gsize length,
                  gsize datagram_bytes)
{
  Association *association = (Association *) base;
  T2pSocks5Address peer = { .address = to->address, .port = to->port };
  guint8 header[T2P_SOCKS5_MAX_HEADER_BYTES];
  T2pWriter writer;

  if (to->name != NULL)
    {
      peer.name = to->name;
      peer.name_bytes = strlen (to->name);
    }
  t2p_writer_init (&writer, header, sizeof header);
  return t2pw_udp_socket_is_open (&association->socket) &&
         t2p_socks5_write_udp_header (&writer, &peer) &&
         t2pw_udp_socket_send (&association->socket, NULL, header, t2p_writer_length (&writer),
                               data, length, datagram_bytes);
}

static const T2pwAssociationClass association_class = {
  .send = association_send,
  .close = association_close,
};

/* --- where the relay is */

static gboolean
is_within (const T2pIpAddress *address, const char *const *prefixes)
{
  for (; *prefixes != NULL; prefixes++)
    {
      T2pIpPrefix prefix;

      if (t2p_ip_prefix_parse (*prefixes, &prefix, NULL) &&
          t2p_ip_prefix_contains (&prefix, address))
        return TRUE;
    }
  return FALSE;
}

/* Of some private network: it means another machine there than here. */
static gboolean
is_private (const T2pIpAddress *address)
{
  static const char *const prefixes[] = { "10.0.0.0/8",    "172.16.0.0/12", "192.168.0.0/16",
                                          "100.64.0.0/10", "fc00::/7",      NULL };

  return t2p_ip_address_is_link_local (address) || is_within (address, prefixes);
}

static gboolean
is_nowhere (const T2pIpAddress *address)
{
  static const char *const prefixes[] = { "0.0.0.0/8", "240.0.0.0/4", NULL };

  return address->family == AF_UNSPEC || t2p_ip_address_is_unspecified (address) ||
         t2p_ip_address_is_multicast (address) || is_within (address, prefixes);
}

/* Whether we go where the proxy told us to. */
static gboolean
is_credible (const T2pIpAddress *relay, const T2pIpAddress *proxy)
{
  if (is_nowhere (relay))
    return FALSE;
  if (t2p_ip_address_is_loopback (relay))
    return t2p_ip_address_is_loopback (proxy);
  return !is_private (relay) || is_private (proxy) || t2p_ip_address_is_loopback (proxy);
}

/* IPv4 in IPv6's clothes, as dual-stack servers say it. */
static void
unmap (T2pIpAddress *address)
{
  static const guint8 mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

  if (address->family == AF_INET6 && memcmp (address->bytes, mapped, sizeof mapped) == 0)
    *address = t2p_ip_address_from_bytes (AF_INET, address->bytes + sizeof mapped);
}

static void
association_go (Association *association, T2pIpAddress relay)
{
  T2pIpEndpoint peer = { relay, association->bound.port };
  g_autoptr (GError) error = NULL;

  unmap (&peer.address);
  if (!is_credible (&peer.address, &association->proxy.address))
    peer.address = association->proxy.address;
  if (peer.port == 0)
    association_ended (association, "told no port for its relay");
  else if (!t2pw_udp_socket_open (&association->socket, association->context->udp,
                                  peer.address.family, &peer, &socket_handler, &error))
    association_fail (association, T2P_REFUSAL_NET_UNREACHABLE, error);
  else
    association->base.handler->opened (&association->base, association->base.user_data);
}

static void
looked_up_cb (const T2pIpAddress *addresses,
              guint n,
              guint32 ttl_s,
              const GError *error,
              gpointer user_data)
{
  Association *association = user_data;
  T2pIpAddress unknown = { 0 };

  association->lookup = NULL;
  association_go (association, n > 0 ? addresses[0] : unknown);
}

/* --- the control connection */

/* The proxy has nothing to say but that it is over: FALSE. */
static gboolean
control_is_quiet (T2pwCarrier *control)
{
  guint8 ignored[512];
  struct iovec iov = { ignored, sizeof ignored };
  gssize got;

  do
    got = t2pw_carrier_receive (control, &iov, 1);
  while (got > 0 && got < (gssize) sizeof ignored);
  return got < 0 && errno == EAGAIN;
}

static void
control_cb (T2pTask *task)
{
  Association *association = T2P_OWNER_OF (task, Association, task);

  if (!control_is_quiet (association->control))
    association_ended (association, "ended the association");
}

static void
control_look (Association *association)
{
  t2p_reactor_defer (association->context->reactor, &association->task, control_cb);
}

static void
control_opened_cb (T2pwCarrier *control, gpointer user_data)
{
  Association *association = user_data;
  const T2pwOutboundContext *context = association->context;
  T2pIpAddress relay = association->bound.address;

  association->control = control;
  control_look (association); /* its end may have come with the reply */
  association->base.label = control->label;
  if (!t2pw_tcp_carrier_get_peer (control, &association->proxy))
    association_ended (association, "hung up");
  else if (*association->bound.name == '\0' ||
           t2p_ip_address_parse (association->bound.name, &relay) || context->names == NULL)
    association_go (association, relay);
  else
    association->lookup =
        t2pw_names_lookup (context->names, association->bound.name, context->connect_timeout_ms,
                           looked_up_cb, association);
}

static void
control_failed_cb (T2pwCarrier *control,
                   T2pRefusal refusal,
                   const GError *error,
                   gpointer user_data)
{
  Association *association = user_data;

  association->control = NULL;
  association_fail (association, refusal, error);
}

static void
control_readable_cb (T2pwCarrier *control, gpointer user_data)
{
  control_look (user_data);
}

static void
control_writable_cb (T2pwCarrier *control, gpointer user_data)
{
}

static const T2pwCarrierHandler control_handler = {
  .opened = control_opened_cb,
  .failed = control_failed_cb,
  .readable = control_readable_cb,
  .writable = control_writable_cb,
};

T2pwAssociation *
t2pw_udp_associate_open (const T2pwOutboundContext *context,
                         T2pwOutbound *socks5,
                         const T2pwAssociationHandler *handler,
                         gpointer user_data)
{
  T2pwDestination unknown = { .address = t2p_ip_address_from_v4 (0),
                              .answer_timeout_ms = T2PW_CHECK_ANSWER_MS };
  Association *association = g_new0 (Association, 1);

  association->base = (T2pwAssociation){ &association_class, handler, user_data, "" };
  association->context = context;
  association->socket.watch.fd = -1;
  association->control =
      t2pw_socks5_open_command (socks5, T2P_SOCKS5_UDP_ASSOCIATE, &unknown, &association->bound,
                                &control_handler, association);
  return &association->base;
}
