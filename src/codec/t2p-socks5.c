/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-socks5.h"

#define ADDRESS_TYPE_IPV4 1
#define ADDRESS_TYPE_NAME 3
#define ADDRESS_TYPE_IPV6 4
#define CREDENTIALS_VERSION 1 /* RFC 1929 section 2 */

/**
 * t2p_socks5_write_greeting:
 * @writer: where to
 * @methods: (array length=n_methods): what we can do, best first
 * @n_methods: 1 to 255
 *
 * RFC 1928 section 3.
 *
 * Returns: %FALSE when it does not fit
 */
gboolean
t2p_socks5_write_greeting (T2pWriter *writer, const guint8 *methods, guint n_methods)
{
  if (n_methods == 0 || n_methods > G_MAXUINT8)
    return FALSE;
  t2p_writer_u8 (writer, T2P_SOCKS5_VERSION);
  t2p_writer_u8 (writer, (guint8) n_methods);
  return t2p_writer_bytes (writer, methods, n_methods);
}

static gboolean
write_text (T2pWriter *writer, const char *text, gsize length)
{
  t2p_writer_u8 (writer, (guint8) length);
  return t2p_writer_bytes (writer, (const guint8 *) text, length);
}

/**
 * t2p_socks5_write_credentials:
 * @writer: where to
 * @username: (array length=username_bytes): user name
 * @username_bytes: 1 to 255
 * @password: (array length=password_bytes): password
 * @password_bytes: 0 to 255; RFC 1929 wants 1, servers take 0
 *
 * RFC 1929 section 2.
 *
 * Returns: %FALSE when it does not fit, or a length is out of range
 */
gboolean
t2p_socks5_write_credentials (T2pWriter *writer,
                              const char *username,
                              gsize username_bytes,
                              const char *password,
                              gsize password_bytes)
{
  if (username_bytes == 0 || username_bytes > T2P_SOCKS5_MAX_TEXT_BYTES ||
      password_bytes > T2P_SOCKS5_MAX_TEXT_BYTES)
    return FALSE;
  t2p_writer_u8 (writer, CREDENTIALS_VERSION);
  write_text (writer, username, username_bytes);
  return write_text (writer, password, password_bytes);
}

/**
 * t2p_socks5_write_address:
 * @writer: where to
 * @address: a name or an address, and a port
 *
 * ATYP, address and port of RFC 1928 section 5.
 *
 * Returns: %FALSE when it does not fit, or the address cannot be said
 */
gboolean
t2p_socks5_write_address (T2pWriter *writer, const T2pSocks5Address *address)
{
  if (address->name != NULL)
    {
      if (address->name_bytes == 0 || address->name_bytes > T2P_SOCKS5_MAX_TEXT_BYTES)
        return FALSE;
      t2p_writer_u8 (writer, ADDRESS_TYPE_NAME);
      write_text (writer, address->name, address->name_bytes);
    }
  else if (address->address.family == AF_INET)
    {
      t2p_writer_u8 (writer, ADDRESS_TYPE_IPV4);
      t2p_writer_bytes (writer, address->address.bytes, 4);
    }
  else if (address->address.family == AF_INET6)
    {
      t2p_writer_u8 (writer, ADDRESS_TYPE_IPV6);
      t2p_writer_bytes (writer, address->address.bytes, 16);
    }
  else
    return FALSE;
  return t2p_writer_be16 (writer, address->port);
}

/**
 * t2p_socks5_write_request:
 * @writer: where to
 * @command: what we want
 * @destination: where to; for %T2P_SOCKS5_UDP_ASSOCIATE where our datagrams will come from, all
 *   zeros when that is not known
 *
 * RFC 1928 section 4.
 *
 * Returns: %FALSE when it does not fit, or the destination cannot be said; the writer must then
 * be rewound
 */
gboolean
t2p_socks5_write_request (T2pWriter *writer,
                          T2pSocks5Command command,
                          const T2pSocks5Address *destination)
{
  t2p_writer_u8 (writer, T2P_SOCKS5_VERSION);
  t2p_writer_u8 (writer, (guint8) command);
  t2p_writer_u8 (writer, 0);
  return t2p_socks5_write_address (writer, destination);
}

static T2pDecode
read_name (T2pCursor *cursor, T2pSocks5Address *address)
{
  const guint8 *name;
  guint8 length;

  if (!t2p_cursor_read_u8 (cursor, &length))
    return T2P_DECODE_MORE;
  if (!t2p_cursor_read_bytes (cursor, length, &name))
    return T2P_DECODE_MORE;
  address->name = (const char *) name;
  address->name_bytes = length;
  return T2P_DECODE_DONE;
}

static T2pDecode
read_ip (T2pCursor *cursor, T2pSocks5Address *address, guint8 family, gsize length)
{
  if (!t2p_cursor_copy (cursor, length, address->address.bytes))
    return T2P_DECODE_MORE;
  address->address.family = family;
  return T2P_DECODE_DONE;
}

/* An empty name is taken: servers answer with one when they have nothing to say. */
static T2pDecode
read_address (T2pCursor *cursor, guint8 type, T2pSocks5Address *out_address)
{
  T2pSocks5Address address = { 0 };
  T2pDecode result;

  switch (type)
    {
    case ADDRESS_TYPE_IPV4:
      result = read_ip (cursor, &address, AF_INET, 4);
      break;
    case ADDRESS_TYPE_IPV6:
      result = read_ip (cursor, &address, AF_INET6, 16);
      break;
    case ADDRESS_TYPE_NAME:
      result = read_name (cursor, &address);
      break;
    default:
      return T2P_DECODE_BAD;
    }
  if (result != T2P_DECODE_DONE)
    return result;
  if (!t2p_cursor_read_be16 (cursor, &address.port))
    return T2P_DECODE_MORE;
  *out_address = address;
  return T2P_DECODE_DONE;
}

/**
 * t2p_socks5_read_address:
 * @cursor: before an ATYP
 * @out_address: (out caller-allocates): borrows its name from what @cursor reads
 *
 * The reverse of t2p_socks5_write_address(), which also takes an empty name.
 *
 * Returns: whether it is there, is not yet there, or is of no known type; with
 * %T2P_DECODE_MORE the cursor may have moved
 */
T2pDecode
t2p_socks5_read_address (T2pCursor *cursor, T2pSocks5Address *out_address)
{
  guint8 type;

  if (!t2p_cursor_read_u8 (cursor, &type))
    return T2P_DECODE_MORE;
  return read_address (cursor, type, out_address);
}

/**
 * t2p_socks5_decode_reply:
 * @bytes: (array length=length): everything that came since the request was answered
 * @length: how much
 * @out_reply: (out caller-allocates): what it says, as far as it could be read
 * @out_used: (out): with %T2P_DECODE_DONE: the reply's length; what follows is the stream
 *
 * RFC 1928 section 6. A refusal (version 5, code not 0) is %T2P_DECODE_DONE as soon as the code
 * is there: servers close early, and the rest means nothing.
 *
 * Returns: %T2P_DECODE_BAD when the version or the address type is a stranger, see @out_reply
 */
T2pDecode
t2p_socks5_decode_reply (const guint8 *bytes,
                         gsize length,
                         T2pSocks5Reply *out_reply,
                         gsize *out_used)
{
  T2pCursor cursor;
  T2pDecode result;

  memset (out_reply, 0, sizeof *out_reply);
  t2p_cursor_init (&cursor, bytes, length);
  if (!t2p_cursor_read_u8 (&cursor, &out_reply->version))
    return T2P_DECODE_MORE;
  if (out_reply->version != T2P_SOCKS5_VERSION)
    return T2P_DECODE_BAD;
  if (!t2p_cursor_read_u8 (&cursor, &out_reply->code))
    return T2P_DECODE_MORE;
  if (out_reply->code != 0)
    {
      *out_used = t2p_cursor_position (&cursor);
      return T2P_DECODE_DONE;
    }
  if (!t2p_cursor_skip (&cursor, 1) || !t2p_cursor_read_u8 (&cursor, &out_reply->address_type))
    return T2P_DECODE_MORE;
  result = read_address (&cursor, out_reply->address_type, &out_reply->bound);
  if (result == T2P_DECODE_DONE)
    *out_used = t2p_cursor_position (&cursor);
  return result;
}

/**
 * t2p_socks5_reply_to_string:
 * @code: REP of RFC 1928 section 6
 *
 * Returns: (transfer none): what it means, for messages
 */
const char *
t2p_socks5_reply_to_string (guint8 code)
{
  static const char *const texts[] = {
    "succeeded",
    "general failure",
    "not allowed by its rules",
    "network unreachable",
    "host unreachable",
    "connection refused",
    "time to live expired",
    "command not supported",
    "address type not supported",
  };

  return code < G_N_ELEMENTS (texts) ? texts[code] : "unassigned code";
}

/**
 * t2p_socks5_write_udp_header:
 * @writer: where to
 * @peer: whom the datagram is for
 *
 * RFC 1928 section 7; the payload follows.
 *
 * Returns: %FALSE when it does not fit, or the address cannot be said
 */
gboolean
t2p_socks5_write_udp_header (T2pWriter *writer, const T2pSocks5Address *peer)
{
  t2p_writer_be16 (writer, 0);
  t2p_writer_u8 (writer, 0);
  return t2p_socks5_write_address (writer, peer);
}

/**
 * t2p_socks5_decode_udp_header:
 * @datagram: (array length=length): a whole datagram from the relay
 * @length: its length
 * @out_peer: (out caller-allocates): whom it comes from
 * @out_header_bytes: (out): where the payload begins
 *
 * Fragments are refused: RFC 1928 section 7 lets us, and nobody sends them.
 *
 * Returns: %T2P_DECODE_DONE or %T2P_DECODE_BAD; a datagram does not get longer
 */
T2pDecode
t2p_socks5_decode_udp_header (const guint8 *datagram,
                              gsize length,
                              T2pSocks5Address *out_peer,
                              gsize *out_header_bytes)
{
  T2pCursor cursor;
  guint8 fragment;

  t2p_cursor_init (&cursor, datagram, length);
  if (!t2p_cursor_skip (&cursor, 2) || !t2p_cursor_read_u8 (&cursor, &fragment) ||
      fragment != 0 || t2p_socks5_read_address (&cursor, out_peer) != T2P_DECODE_DONE)
    return T2P_DECODE_BAD;
  *out_header_bytes = t2p_cursor_position (&cursor);
  return T2P_DECODE_DONE;
}
