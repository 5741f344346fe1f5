/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A compressed name is a run of labels that ends in zero or in a pointer to another run. A
 * pointer must point before the beginning of the run that it ends, so each jump goes strictly
 * backwards and a loop cannot be written; and the bytes of all labels are counted against the
 * 255 of RFC 1035, so that many pointers to the same long run end soon.
 */
#include "config.h"

#include "t2p-dns-name.h"

#define POINTER_BITS 0xc0

static inline gboolean
is_plain_byte (guint8 byte)
{
  return g_ascii_isalnum (byte) || byte == '-' || byte == '_';
}

static void
append_escaped (T2pDnsName *name, guint8 byte)
{
  if (g_ascii_isgraph (byte) && strchr ("\".;\\()@$", byte) == NULL)
    {
      name->text[name->length++] = (char) byte;
      return;
    }
  name->text[name->length++] = '\\';
  if (!g_ascii_isgraph (byte))
    {
      name->text[name->length++] = (char) ('0' + byte / 100);
      name->text[name->length++] = (char) ('0' + byte / 10 % 10);
      byte = (guint8) ('0' + byte % 10);
    }
  name->text[name->length++] = (char) byte;
}

/* At most four characters a byte and a dot a label: T2P_DNS_NAME_STRLEN holds any 255 bytes. */
static void
append_label (T2pDnsName *name, const guint8 *label, gsize length)
{
  if (name->length > 0)
    name->text[name->length++] = '.';
  for (gsize i = 0; i < length; i++)
    {
      guint8 byte = (guint8) g_ascii_tolower ((char) label[i]);

      if (G_LIKELY (is_plain_byte (byte)))
        {
          name->text[name->length++] = (char) byte;
          continue;
        }
      name->is_plain = FALSE;
      append_escaped (name, byte);
    }
}

static gboolean
follow_pointer (T2pCursor *walk, guint8 high, gsize *lowest)
{
  guint8 low;
  gsize target;

  if (!t2p_cursor_read_u8 (walk, &low))
    return FALSE;
  target = (gsize) (high & ~POINTER_BITS & 0xff) << 8 | low;
  if (target < T2P_DNS_HEADER_BYTES || target >= *lowest)
    return FALSE;
  *lowest = target;
  return TRUE;
}

/* @name may be NULL. */
static gboolean
read_runs (T2pCursor *message, T2pDnsName *name)
{
  T2pCursor walk = *message;
  const guint8 *behind = NULL; /* where the name ends in place, once we have jumped */
  gsize lowest = t2p_cursor_position (message);
  gsize wire_bytes = 1;
  const guint8 *label;
  guint8 length;

  while (t2p_cursor_read_u8 (&walk, &length))
    {
      if (length == 0)
        {
          message->at = behind != NULL ? behind : walk.at;
          return TRUE;
        }
      if ((length & POINTER_BITS) == POINTER_BITS)
        {
          if (!follow_pointer (&walk, length, &lowest))
            return FALSE;
          behind = behind != NULL ? behind : walk.at;
          t2p_cursor_seek (&walk, lowest);
          continue;
        }
      wire_bytes += length + 1u;
      if ((length & POINTER_BITS) != 0 || wire_bytes > T2P_DNS_MAX_NAME_BYTES ||
          !t2p_cursor_read_bytes (&walk, length, &label))
        return FALSE;
      if (name != NULL)
        append_label (name, label, length);
    }
  return FALSE;
}

/**
 * t2p_dns_read_name:
 * @message: a cursor that began at the message's first byte
 * @out_name: (out caller-allocates): undefined on failure
 *
 * RFC 1035 sections 3.1 and 4.1.4. Moves behind the name on success only.
 *
 * Returns: %FALSE when it is malformed or not whole
 */
gboolean
t2p_dns_read_name (T2pCursor *message, T2pDnsName *out_name)
{
  out_name->length = 0;
  out_name->is_plain = TRUE;
  if (!read_runs (message, out_name))
    return FALSE;
  if (out_name->length == 0)
    out_name->text[out_name->length++] = '.';
  out_name->text[out_name->length] = '\0';
  return TRUE;
}

/**
 * t2p_dns_skip_name:
 * @message: a cursor that began at the message's first byte
 *
 * Like t2p_dns_read_name(), for those who do not want to know.
 *
 * Returns: %FALSE when it is malformed or not whole
 */
gboolean
t2p_dns_skip_name (T2pCursor *message)
{
  return read_runs (message, NULL);
}

/* One character or escape; @text is moved behind it. */
static gboolean
take_byte (const char **text, guint8 *out_byte)
{
  const char *at = *text;
  guint value = 0;

  if (*at != '\\')
    {
      *out_byte = (guint8) *at;
      *text = at + 1;
      return TRUE;
    }
  at++;
  if (!g_ascii_isdigit (*at))
    {
      *out_byte = (guint8) *at;
      *text = at + 1;
      return *at != '\0';
    }
  for (guint i = 0; i < 3; i++, at++)
    {
      if (!g_ascii_isdigit (*at))
        return FALSE;
      value = value * 10 + (guint) (*at - '0');
    }
  *out_byte = (guint8) value;
  *text = at;
  return value <= G_MAXUINT8;
}

/* Up to a dot or the end. An empty label is none. */
static gboolean
take_label (const char **text, guint8 label[T2P_DNS_MAX_LABEL_BYTES], guint8 *out_length)
{
  guint8 length = 0;

  while (**text != '.' && **text != '\0')
    {
      guint8 byte;

      if (length == T2P_DNS_MAX_LABEL_BYTES || !take_byte (text, &byte))
        return FALSE;
      label[length++] = byte;
    }
  *out_length = length;
  return length > 0;
}

/**
 * t2p_dns_write_name:
 * @writer: where to
 * @text: a name, with or without a dot at its end; escapes as in #T2pDnsName
 *
 * Never compresses.
 *
 * Returns: %FALSE when it does not fit or is no name: the writer must then be rewound
 */
gboolean
t2p_dns_write_name (T2pWriter *writer, const char *text)
{
  gsize wire_bytes = 1;

  if (strcmp (text, ".") == 0)
    return t2p_writer_u8 (writer, 0);
  while (*text != '\0')
    {
      guint8 label[T2P_DNS_MAX_LABEL_BYTES];
      guint8 length;

      if (!take_label (&text, label, &length))
        return FALSE;
      wire_bytes += length + 1u;
      if (wire_bytes > T2P_DNS_MAX_NAME_BYTES || !t2p_writer_u8 (writer, length) ||
          !t2p_writer_bytes (writer, label, length))
        return FALSE;
      if (*text == '.')
        text++;
    }
  return wire_bytes > 1 && t2p_writer_u8 (writer, 0);
}

/**
 * t2p_dns_reverse_name:
 * @address: IPv4 or IPv6
 * @out_text: (out caller-allocates): "1.2.0.192.in-addr.arpa", or nibbles under ip6.arpa
 */
void
t2p_dns_reverse_name (const T2pIpAddress *address, char out_text[T2P_DNS_REVERSE_STRLEN])
{
  static const char digits[] = "0123456789abcdef";
  const guint8 *bytes = address->bytes;
  char *at = out_text;

  if (address->family == AF_INET)
    {
      g_snprintf (out_text, T2P_DNS_REVERSE_STRLEN, "%u.%u.%u.%u.in-addr.arpa", bytes[3],
                  bytes[2], bytes[1], bytes[0]);
      return;
    }
  for (guint i = 16; i-- > 0;)
    {
      *at++ = digits[bytes[i] & 0x0f];
      *at++ = '.';
      *at++ = digits[bytes[i] >> 4];
      *at++ = '.';
    }
  memcpy (at, "ip6.arpa", sizeof "ip6.arpa");
}

/* A decimal label without leading zeros and its dot. */
static gboolean
take_octet (const char **text, guint8 *out_octet)
{
  const char *at = *text;
  guint value = 0;

  if (!g_ascii_isdigit (*at) || (*at == '0' && g_ascii_isdigit (at[1])))
    return FALSE;
  for (; g_ascii_isdigit (*at) && value <= G_MAXUINT8; at++)
    value = value * 10 + (guint) (*at - '0');
  if (value > G_MAXUINT8 || *at != '.')
    return FALSE;
  *out_octet = (guint8) value;
  *text = at + 1;
  return TRUE;
}

static gboolean
take_nibble (const char **text, guint8 *out_nibble)
{
  const char *at = *text;
  int value = g_ascii_xdigit_value (*at);

  if (value < 0 || at[1] != '.')
    return FALSE;
  *out_nibble = (guint8) value;
  *text = at + 2;
  return TRUE;
}

static gboolean
read_nibbles (const char *text, guint8 bytes[16])
{
  for (guint i = 16; i-- > 0;)
    {
      guint8 low;
      guint8 high;

      if (!take_nibble (&text, &low) || !take_nibble (&text, &high))
        return FALSE;
      bytes[i] = (guint8) (high << 4 | low);
    }
  return strcmp (text, "ip6.arpa") == 0;
}

static gboolean
read_octets (const char *text, guint8 bytes[16])
{
  for (guint i = 4; i-- > 0;)
    if (!take_octet (&text, &bytes[i]))
      return FALSE;
  return strcmp (text, "in-addr.arpa") == 0;
}

/**
 * t2p_dns_reverse_address:
 * @name: lower case, as in #T2pDnsName
 * @out_address: (out caller-allocates): the address that it stands for; left alone on failure
 *
 * Returns: %FALSE when it is not the reverse name of one whole address
 */
gboolean
t2p_dns_reverse_address (const char *name, T2pIpAddress *out_address)
{
  T2pIpAddress address = { 0 };

  if (g_str_has_suffix (name, ".ip6.arpa") && read_nibbles (name, address.bytes))
    address.family = AF_INET6;
  else if (g_str_has_suffix (name, ".in-addr.arpa") && read_octets (name, address.bytes))
    address.family = AF_INET;
  else
    return FALSE;
  *out_address = address;
  return TRUE;
}
