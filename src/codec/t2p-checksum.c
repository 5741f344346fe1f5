/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * One's complement addition does not care in which order a word's bytes are taken, as long as
 * the result is swapped back at the end (RFC 1071 section 2 (B)), nor how wide the words are,
 * as long as carries come back in at the bottom. So we add 64-bit words as they lie in memory
 * and fold at the end. A running sum holds such a native-order sum in 32 bits.
 */
#include "config.h"

#include "t2p-checksum.h"
#include "t2p-cursor.h"

static inline guint64
load_native64 (const guint8 *at)
{
  guint64 word;

  memcpy (&word, at, sizeof word);
  return word;
}

static inline guint64
add_carry (guint64 sum, guint64 word)
{
  sum += word;
  return sum + (sum < word);
}

/* The last 0 to 7 bytes, as if a zero followed. Fixed sizes, since a memcpy() of any length is
 * a call, which an IPv4 header of 20 bytes would pay for each packet. */
static guint64
sum_tail (const guint8 *at, gsize length)
{
  guint64 sum = 0;
  guint32 four;
  guint16 two;

  if (length & 4)
    {
      memcpy (&four, at, sizeof four);
      sum += four;
      at += 4;
    }
  if (length & 2)
    {
      memcpy (&two, at, sizeof two);
      sum += two;
      at += 2;
    }
  if (length & 1)
    sum += GUINT16_TO_BE ((guint16) (*at << 8));
  return sum;
}

static guint32
fold_to_32 (guint64 sum)
{
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  return (guint32) sum;
}

/* Halves of words go into accumulators that cannot overflow below 2^32 words, so that no carry
 * has to be looked at inside the loop, and the four chains run side by side. */
static guint64
sum_blocks (const guint8 **at, gsize *length)
{
  guint64 low[2] = { 0, 0 };
  guint64 high[2] = { 0, 0 };
  const guint8 *from = *at;
  gsize left = *length;

  for (; left >= 32; from += 32, left -= 32)
    {
      guint64 a = load_native64 (from);
      guint64 b = load_native64 (from + 8);
      guint64 c = load_native64 (from + 16);
      guint64 d = load_native64 (from + 24);

      low[0] += (a & 0xffffffff) + (c & 0xffffffff);
      low[1] += (b & 0xffffffff) + (d & 0xffffffff);
      high[0] += (a >> 32) + (c >> 32);
      high[1] += (b >> 32) + (d >> 32);
    }
  *at = from;
  *length = left;
  return add_carry (add_carry (low[0], low[1]), add_carry (high[0], high[1]));
}

/**
 * t2p_checksum_add:
 * @sum: a running sum
 * @bytes: (array length=length): any alignment
 * @length: any length; only the last part may be odd (else see t2p_checksum_join())
 *
 * Returns: the new running sum
 */
guint32
t2p_checksum_add (guint32 sum, const guint8 *bytes, gsize length)
{
  guint64 total = sum;

  if (length >= 32)
    total = add_carry (total, sum_blocks (&bytes, &length));
  for (; length >= 8; bytes += 8, length -= 8)
    total = add_carry (total, load_native64 (bytes));
  total = add_carry (total, sum_tail (bytes, length));
  return fold_to_32 (total);
}

/**
 * t2p_checksum_join:
 * @sum: a running sum
 * @next: another one, which began from 0
 * @next_offset: where the bytes of @next begin in the whole
 *
 * Adds a part that begins at any offset, an odd one too.
 *
 * Returns: the running sum of both
 */
guint32
t2p_checksum_join (guint32 sum, guint32 next, gsize next_offset)
{
  if (next_offset & 1)
    next = ((next & 0x00ff00ff) << 8) | ((next >> 8) & 0x00ff00ff);
  return fold_to_32 ((guint64) sum + next);
}

/**
 * t2p_checksum_add_be16:
 * @sum: a running sum
 * @value: a field, host order
 *
 * Returns: the new running sum
 */
guint32
t2p_checksum_add_be16 (guint32 sum, guint16 value)
{
  return fold_to_32 ((guint64) sum + GUINT16_TO_BE (value));
}

/**
 * t2p_checksum_pseudo:
 * @source: source address
 * @destination: destination address, of the same family
 * @protocol: upper layer protocol
 * @length: upper layer length in bytes, header included
 *
 * The pseudo-header of RFC 9293 section 3.1 (IPv4) and RFC 8200 section 8.1 (IPv6). Its fold is
 * what a virtio NEEDS_CSUM packet carries in its checksum field.
 *
 * Returns: a running sum
 */
guint32
t2p_checksum_pseudo (const T2pIpAddress *source,
                     const T2pIpAddress *destination,
                     guint8 protocol,
                     gsize length)
{
  gsize address_bytes = source->family == AF_INET6 ? 16 : 4;
  guint64 sum = GUINT32_TO_BE ((guint32) length);

  sum += GUINT16_TO_BE ((guint16) protocol);
  sum += t2p_checksum_add (0, source->bytes, address_bytes);
  sum += t2p_checksum_add (0, destination->bytes, address_bytes);
  return fold_to_32 (sum);
}

/**
 * t2p_checksum_fold:
 * @sum: a running sum
 *
 * Returns: the sum in 16 bits, not complemented, host order
 */
guint16
t2p_checksum_fold (guint32 sum)
{
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return GUINT16_FROM_BE ((guint16) sum);
}

/**
 * t2p_checksum_finish:
 * @sum: a running sum
 *
 * Over bytes that contain a right checksum the result is 0.
 *
 * Returns: the checksum, host order
 */
guint16
t2p_checksum_finish (guint32 sum)
{
  return (guint16) ~t2p_checksum_fold (sum);
}

/**
 * t2p_checksum:
 * @bytes: (array length=length): any alignment
 * @length: any length
 *
 * Returns: the checksum of @bytes alone, host order
 */
guint16
t2p_checksum (const guint8 *bytes, gsize length)
{
  return t2p_checksum_finish (t2p_checksum_add (0, bytes, length));
}
