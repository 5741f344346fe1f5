/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-buffer-pool.h"
#include "t2pw-datagram-out.h"
#include "t2pw-flow-hash.h"
#include "t2pw-packet.h"
#include "t2pw-reassembly.h"
#include "t2pw-rx-queue.h"
#include "t2pw-stack.h"
#include "t2pw-tun-queue.h"

G_BEGIN_DECLS

/* What the files of this folder share, and nobody else sees. */

#define T2PW_MAX_RESERVED_BUFFERS 8
#define T2PW_HELD_SYN_MAX_BYTES 120 /* IPv4 and TCP headers, both with all options */
#define T2PW_DESTINATION_COUNTERS 8192

/* The window scale that we offer: 64 KiB << 4 is more than the largest receive window. */
#define T2PW_RECEIVE_SCALE 4

/* About what a connection takes: ours, lwIP's, and the flow and carrier of the floors above, so
 * that the memory limit is one of the process. test-memory and the benchmark measure it. */
#define T2PW_LWIP_BYTES 320
#define T2PW_OWNER_BYTES 384
#define T2PW_CONNECTION_BYTES (sizeof (T2pwStream) + T2PW_LWIP_BYTES + T2PW_OWNER_BYTES)

/* What may be done below how many eighths of the memory limit. Flows that hold much (unread, or
 * not acknowledged) stop first, then new ones, and last those that only pass bytes on: these
 * always have a small window each way, so that one peer which takes nothing cannot stop the
 * others. */
#define T2PW_GROW_BELOW 4 /* windows above the first size, datagrams that wait */
#define T2PW_HOLD_BELOW 5 /* take more for a flow that holds much; open whole windows */
#define T2PW_OPEN_BELOW 6 /* new SYNs */
#define T2PW_PASS_BELOW 7 /* anything else that carries data */
#define T2PW_SMALL_WINDOW_BYTES 16384

struct tcp_pcb;

/** T2pwStreamLink: a stream's place in one of the stack's lists. */
typedef struct
{
  T2pwStream *next;
  T2pwStream **pprev; /* NULL while in no list */
} T2pwStreamLink;

typedef enum
{
  T2PW_LIST_TIMED,   /* lwIP's timers have something to do */
  T2PW_LIST_ACK,     /* an ACK is owed: at the end of the turn, or within 20 ms */
  T2PW_LIST_GROWN,   /* windows above the first size */
  T2PW_LIST_STARVED, /* waits for memory to open its window or to send */
  T2PW_LIST_ENDED,   /* lwIP's side has ended, ours not yet */
  T2PW_N_LISTS,
} T2pwStreamList;

typedef enum
{
  T2PW_EVENT_READABLE = 1 << 0,
  T2PW_EVENT_WRITABLE = 1 << 1,
  T2PW_EVENT_GONE = 1 << 2, /* lwIP's side has ended */
} T2pwStreamEvent;

struct _T2pwStream
{
  T2pwFlowNode node;
  T2pwStack *stack;
  struct tcp_pcb *pcb; /* NULL when lwIP's side has ended */
  const T2pwStreamHandler *handler;
  gpointer user_data;
  T2pTask task; /* runs what `events` says */
  T2pwStreamLink links[T2PW_N_LISTS];
  T2pwRxQueue rx;
  guint32 receive_limit, send_limit; /* bytes: the windows that the flow may have */
  guint32 window_debt; /* consumed, but the window was not opened for want of memory */
  guint32 out_of_order_bytes;
  guint32 tx_charged_bytes;
  gint64 progress_us;   /* when bytes of ours were last acknowledged */
  guint32 acknowledged; /* up to where */
  guint32 last_ack;     /* sent */
  guint16 peer_mss;     /* what goes into one packet on the wire */
  guint16 send_bytes;   /* of one of lwIP's segments: many packets' worth with TSO */
  guint8 events;
  guint8 is_in_table : 1;
  guint8 is_established : 1;
  guint8 was_reset : 1;
  guint8 has_end : 1;      /* the application's FIN came */
  guint8 end_was_seen : 1; /* and peek told of it */
  guint8 wants_room : 1;
  guint8 wants_shutdown : 1;
  guint8 is_shut_down : 1;
  guint8 ack_is_due : 1;   /* at the end of this turn */
  guint8 ack_was_held : 1; /* lwIP believes that it was sent */
  guint8 was_active : 1;   /* since the last look for idle windows */
};

struct _T2pwHeldSyn
{
  T2pwFlowNode node;
  T2pwStack *stack;
  guint32 sequence;
  guint16 *destination_counter;
  gsize length;
  guint8 bytes[T2PW_HELD_SYN_MAX_BYTES];
};

struct _T2pwStack
{
  T2pReactor *reactor;
  const T2pwStackHandler *handler;
  gpointer user_data;
  T2pwStackConfig config;
  T2pwStackCounters counters;
  T2pwStackCounters published; /* the same with those of the parts */
  T2pwTunQueue queue;
  T2pwDatagramOut datagrams;
  T2pwBufferPool pool;
  T2pwReassembly reassembly;
  T2pwFlowHash flows;
  T2pwStream *lists[T2PW_N_LISTS];
  T2pTimer tcp_timer, ack_timer, idle_timer, reassembly_timer;
  T2pTask end_turn;                    /* does nothing, so that a turn comes and has an end */
  gboolean has_checksum, has_handover; /* accelerators */
  gboolean coalesces_acks;
  T2pwStream *entered; /* whose packets lwIP is making */
  T2pwStream *running; /* whose handler is being called; NULL again when it was freed in it */
  gsize out_of_order_bytes; /* kept by lwIP, over all streams */
  gsize granted_bytes;      /* windows above the first size, over all streams */
  T2pwStream *reserving;
  T2pwBuffer *reserved[T2PW_MAX_RESERVED_BUFFERS];
  gsize reserved_chunk;
  guint n_reserved;
  guint16 held_by_destination[T2PW_DESTINATION_COUNTERS];
};

/* --- t2pw-stack.c */

/* Makes a turn come, and so an end of one. */
void t2pw_stack_need_turn_end (T2pwStack *stack);

/* Sends a whole packet with full checksums. */
void t2pw_stack_send_reply (T2pwStack *stack, const guint8 *bytes, gsize length);
gboolean t2pw_stack_sends_super_packets (const T2pwStack *stack, guint8 family);

/* --- t2pw-stream.c */

T2pwStream *t2pw_stream_new (T2pwStack *stack,
                             const T2pwFlowId *id,
                             const T2pwStreamHandler *handler,
                             gpointer user_data);
void t2pw_stream_free (T2pwStream *stream);
void t2pw_stream_link (T2pwStream *stream, T2pwStreamList list);
void t2pw_stream_unlink (T2pwStream *stream, T2pwStreamList list);
void t2pw_stream_notify (T2pwStream *stream, guint events);
/* lwIP's side has ended: no packet finds this stream any more. */
void t2pw_stream_lost_pcb (T2pwStream *stream, gboolean was_reset);
/* Memory came free: streams that waited for it go on. */
void t2pw_stream_feed_starved (T2pwStack *stack);
/* Takes back windows above the first size. */
void t2pw_stream_shrink (T2pwStream *stream);
void t2pw_stream_give_back_reserved (T2pwStack *stack);

/* --- t2pw-held-syn.c */

/* @packet is a SYN of no known flow. */
void t2pw_held_syn_take (T2pwStack *stack, const T2pwPacket *packet, const T2pwFlowId *id);
/* @packet belongs to the flow of @syn. */
void t2pw_held_syn_input (T2pwHeldSyn *syn, const T2pwPacket *packet);
void t2pw_held_syn_free (T2pwHeldSyn *syn);

G_END_DECLS
