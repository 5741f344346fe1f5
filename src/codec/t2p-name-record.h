/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"
#include "t2p-limits.h"

#include <glib.h>

G_BEGIN_DECLS

/* Names kept at once, however large the pool is: a /18 has 16,384 addresses. */
#define T2P_NAME_MAP_MAX_NAMES 65536
/* The start of the pool is the link's own: network, tunnel, responder. */
#define T2P_NAME_MAP_RESERVED 4
#define T2P_NAME_RECORD_BYTES 272 /* 16, a name, NUL */

/** T2pNameRecord: which name a virtual address stands for. */
typedef struct
{
  char name[T2P_DNS_MAX_NAME_BYTES + 1];
  gint64 used_us;
  gboolean is_pinned;  /* by a flow, when it was written */
  gboolean was_pinned; /* at some time */
} T2pNameRecord;

/** T2pNameRecordState: what a place of the map holds. */
typedef enum
{
  T2P_NAME_RECORD_EMPTY,
  T2P_NAME_RECORD_GOOD,
  T2P_NAME_RECORD_BAD, /* half written, or not by us: it stands for nothing */
} T2pNameRecordState;

guint32 t2p_name_map_end (const T2pIpPrefix *pool4);
gsize t2p_name_map_bytes (const T2pIpPrefix *pool4);
void
t2p_name_map_write_header (guint8 *slot, const T2pIpPrefix *pool4, const T2pIpPrefix *pool6);

void t2p_name_record_write (guint8 *slot, guint32 index, const T2pNameRecord *record);
void t2p_name_record_touch (guint8 *slot, const T2pNameRecord *record);
T2pNameRecordState
t2p_name_record_read (const guint8 *slot, guint32 index, T2pNameRecord *out_record);

G_END_DECLS
