/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * The map of virtual addresses as it lies in memory that outlives a worker: a table with a
 * place of fixed size for each address of the pool. The first place is the header; a reader
 * compares it with the one that it would write, and begins anew when it differs. A name is
 * written once and sealed with a checksum over it and its index, so that a writer that was
 * killed half-way leaves a place that says so. What changes often, the time of the last use and
 * the pins, is no part of the checksum: any value of it does no more harm than to shorten or
 * prolong a quarantine.
 *
 *   0  checksum   4  flags   5  length of the name   6  zero   8  last use   16  name, NUL
 */
#include "config.h"

#include "t2p-name-record.h"

#include "t2p-cursor.h"

#include <string.h>

#define MAGIC "t2pnames"
#define VERSION 1
#define FLAG_NAMED 0x01
#define FLAG_PINNED 0x02
#define FLAG_WAS_PINNED 0x04
#define FIXED_BYTES 16

/* Indexes end before this: the last address of the prefix is its broadcast address. */
guint32
t2p_name_map_end (const T2pIpPrefix *pool4)
{
  guint64 size = G_GUINT64_CONSTANT (1) << (32 - pool4->length);

  return (guint32) MIN (size - 1, T2P_NAME_MAP_RESERVED + T2P_NAME_MAP_MAX_NAMES);
}

gsize
t2p_name_map_bytes (const T2pIpPrefix *pool4)
{
  return (gsize) t2p_name_map_end (pool4) * T2P_NAME_RECORD_BYTES;
}

static void
write_prefix (T2pWriter *writer, const T2pIpPrefix *prefix)
{
  t2p_writer_u8 (writer, prefix->address.family == AF_INET ? 4 : 6);
  t2p_writer_u8 (writer, prefix->length);
  t2p_writer_bytes (writer, prefix->address.bytes, sizeof prefix->address.bytes);
}

/**
 * t2p_name_map_write_header:
 * @slot: (array fixed-size=272): the first place
 * @pool6: (nullable): none
 *
 * What the map is for: another pool, another version, and it means nothing.
 */
void
t2p_name_map_write_header (guint8 *slot, const T2pIpPrefix *pool4, const T2pIpPrefix *pool6)
{
  T2pWriter writer;

  memset (slot, 0, T2P_NAME_RECORD_BYTES);
  t2p_writer_init (&writer, slot, T2P_NAME_RECORD_BYTES);
  t2p_writer_bytes (&writer, (const guint8 *) MAGIC, strlen (MAGIC));
  t2p_writer_be32 (&writer, VERSION);
  t2p_writer_be32 (&writer, T2P_NAME_RECORD_BYTES);
  t2p_writer_be32 (&writer, t2p_name_map_end (pool4));
  write_prefix (&writer, pool4);
  if (pool6 != NULL)
    write_prefix (&writer, pool6);
}

/* FNV-1a: against half-written places, not against forgers, who could do the sum. */
static guint32
checksum_of (guint32 index, const char *name, gsize length)
{
  guint32 sum = 2166136261u;

  for (guint i = 0; i < 4; i++)
    sum = (sum ^ (index >> (8 * i) & 0xff)) * 16777619u;
  for (gsize i = 0; i < length; i++)
    sum = (sum ^ (guint8) name[i]) * 16777619u;
  return sum;
}

static guint8
flags_of (const T2pNameRecord *record)
{
  return (guint8) (FLAG_NAMED | (record->is_pinned ? FLAG_PINNED : 0) |
                   (record->was_pinned ? FLAG_WAS_PINNED : 0));
}

static void
write_time (guint8 *slot, gint64 used_us)
{
  t2p_store_be32 (slot + 8, (guint32) ((guint64) used_us >> 32));
  t2p_store_be32 (slot + 12, (guint32) used_us);
}

/**
 * t2p_name_record_write:
 * @slot: (array fixed-size=272): the place of @index
 * @record: its name is at least a byte long
 */
void
t2p_name_record_write (guint8 *slot, guint32 index, const T2pNameRecord *record)
{
  gsize length = strlen (record->name);

  memset (slot + FIXED_BYTES, 0, T2P_NAME_RECORD_BYTES - FIXED_BYTES);
  memcpy (slot + FIXED_BYTES, record->name, length);
  slot[4] = flags_of (record);
  slot[5] = (guint8) length;
  write_time (slot, record->used_us);
  t2p_store_be32 (slot, checksum_of (index, record->name, length));
}

/**
 * t2p_name_record_touch:
 * @slot: a place that t2p_name_record_write() wrote, for the same name
 *
 * Times and pins only: cheap.
 */
void
t2p_name_record_touch (guint8 *slot, const T2pNameRecord *record)
{
  slot[4] = flags_of (record);
  write_time (slot, record->used_us);
}

/* Only what an address is ever given to: plain labels. */
static gboolean
is_plain_name (const char *name, gsize length)
{
  gsize label = 0;

  for (gsize i = 0; i < length; i++)
    {
      if (name[i] == '.' && label == 0)
        return FALSE;
      label = name[i] == '.' ? 0 : label + 1;
      if (label > 63 || !(g_ascii_islower (name[i]) || g_ascii_isdigit (name[i]) ||
                          name[i] == '-' || name[i] == '_' || name[i] == '.'))
        return FALSE;
    }
  return label > 0;
}

/**
 * t2p_name_record_read:
 * @slot: (array fixed-size=272): hostile bytes that nobody changes any more
 * @out_record: (out caller-allocates): set when the result is %T2P_NAME_RECORD_GOOD
 */
T2pNameRecordState
t2p_name_record_read (const guint8 *slot, guint32 index, T2pNameRecord *out_record)
{
  T2pCursor cursor;
  guint32 checksum, high, low;
  guint8 flags, length;
  const guint8 *name;

  t2p_cursor_init (&cursor, slot, T2P_NAME_RECORD_BYTES);
  if (!t2p_cursor_read_be32 (&cursor, &checksum) || !t2p_cursor_read_u8 (&cursor, &flags) ||
      !t2p_cursor_read_u8 (&cursor, &length) || !t2p_cursor_skip (&cursor, 2) ||
      !t2p_cursor_read_be32 (&cursor, &high) || !t2p_cursor_read_be32 (&cursor, &low) ||
      !t2p_cursor_read_bytes (&cursor, T2P_DNS_MAX_NAME_BYTES + 1, &name))
    return T2P_NAME_RECORD_BAD;
  if (checksum == 0 && flags == 0 && length == 0 && *name == 0)
    return T2P_NAME_RECORD_EMPTY;
  if ((flags & FLAG_NAMED) == 0 ||
      checksum != checksum_of (index, (const char *) name, length) ||
      !is_plain_name ((const char *) name, length))
    return T2P_NAME_RECORD_BAD;
  memset (out_record, 0, sizeof *out_record);
  memcpy (out_record->name, name, length);
  out_record->used_us = (gint64) ((guint64) high << 32 | low);
  out_record->is_pinned = (flags & FLAG_PINNED) != 0;
  out_record->was_pinned = (flags & FLAG_WAS_PINNED) != 0;
  return T2P_NAME_RECORD_GOOD;
}
