/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-icmp.h"
#include "t2p-ip.h"
#include "t2p-reactor.h"
#include "t2p-refusal.h"

#include <sys/uio.h>

G_BEGIN_DECLS

/* The wall around lwIP: packets of one TUN queue on one side, streams and datagrams on the
 * other. lwIP's state is global, so there is one stack per process. Nothing above this folder
 * knows of a pcb or a pbuf; memory is handed over as iovecs. Everything runs on the reactor's
 * thread. */

typedef struct _T2pwStack T2pwStack;
typedef struct _T2pwStream T2pwStream;
typedef struct _T2pwHeldSyn T2pwHeldSyn;

/** T2pwFlowKey: as the application sees it: @source is the application. */
typedef struct
{
  T2pIpEndpoint source;
  T2pIpEndpoint destination;
} T2pwFlowKey;

/** T2pwIcmpMode: what becomes of pings (setting `icmp`). */
typedef enum
{
  T2PW_ICMP_UNREACHABLE, /* an honest error */
  T2PW_ICMP_REPLY,       /* we answer */
  T2PW_ICMP_DROP,        /* nothing, and no other ICMP is ever sent either */
  T2PW_ICMP_DIRECT,      /* the `echo` handler decides */
} T2pwIcmpMode;

/**
 * T2pwEcho:
 * @source: who pings: the application
 * @destination: who is pinged
 * @ttl: how many more hops it may go, behind us
 * @message: what it says; the data is borrowed
 */
typedef struct
{
  T2pIpAddress source;
  T2pIpAddress destination;
  guint8 ttl;
  T2pIcmpEcho message;
} T2pwEcho;

/* hop4, hop6: who says that the time of a packet is up; of no family: its destination. No
 * address of this machine: its kernel takes packets from one of its own for forged. */
typedef struct
{
  guint mtu;
  gboolean has_vnet_header; /* the queue was opened with IFF_VNET_HDR */
  guint32 offloads;         /* TUN_F_* that the kernel took; 0: plain packets */
  gsize memory_limit_bytes; /* of everything the stack holds */
  guint max_streams;        /* held SYNs do not count; beyond it a SYN is refused */
  T2pwIcmpMode icmp;
  T2pIpAddress hop4, hop6;
} T2pwStackConfig;

/** T2pwStackHandler: what the stack tells the floor above. No function may free the stack. */
typedef struct
{
  /* An application wants a connection. Answer now or later with t2pw_held_syn_accept() or
   * t2pw_held_syn_refuse(); retransmissions in between are swallowed. */
  void (*connecting) (T2pwHeldSyn *syn, const T2pwFlowKey *key, gpointer user_data);
  /* The application gave up (RST, new sequence number) before an answer: @syn is gone after
   * this call. */
  void (*abandoned) (T2pwHeldSyn *syn, gpointer user_data);
  /* A UDP datagram; @data is valid during the call only. @datagram_bytes is not 0 for a
   * super-packet: then @data is several datagrams of that length, of which the last may be
   * shorter. Return FALSE to have it answered with one ICMP port unreachable. */
  gboolean (*datagram) (const T2pwFlowKey *key,
                        const guint8 *data,
                        gsize length,
                        gsize datagram_bytes,
                        gpointer user_data);
  /* (nullable): A ping, with T2PW_ICMP_DIRECT. Answer with t2pw_stack_send_echo_reply() or
   * t2pw_stack_send_echo_error(). FALSE: it cannot be sent; then *@io_refusal is what its
   * sender learns. */
  gboolean (*echo) (const T2pwEcho *echo, T2pRefusal *io_refusal, gpointer user_data);
  /* The queue is gone (device deleted) or unusable; the stack stops reading it. */
  void (*device_lost) (const GError *error, gpointer user_data);
} T2pwStackHandler;

/** T2pwStackCounters: since the stack was made. */
typedef struct
{
  guint64 rx_packets, rx_bytes; /* from applications */
  guint64 tx_packets, tx_bytes; /* to applications */
  guint64 dropped_malformed, dropped_checksum, dropped_fragment, dropped_multicast;
  guint64 reassembled;      /* packets, of fragments */
  guint64 dropped_protocol; /* neither TCP, UDP nor ICMP */
  guint64 dropped_echo;     /* pings that nobody carries */
  guint64 dropped_route;    /* source routed */
  guint64 dropped_ttl;      /* their time was up */
  guint64 dropped_memory, dropped_out_of_order, dropped_syn, dropped_no_flow;
  guint64 tun_write_errors;
  guint64 streams_opened, syns_refused;
  gsize memory_bytes; /* held now */
  guint streams, held_syns;
} T2pwStackCounters;

/* Takes @tun_fd (non-blocking). Errors: T2P_ERROR_FAILED, G_IO_ERROR. */
T2pwStack *t2pw_stack_new (T2pReactor *reactor,
                           int tun_fd,
                           const T2pwStackConfig *config,
                           const T2pwStackHandler *handler,
                           gpointer user_data,
                           GError **error);
/* Every stream is reset and gone. */
void t2pw_stack_free (T2pwStack *stack);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwStack, t2pw_stack_free)
const T2pwStackCounters *t2pw_stack_get_counters (T2pwStack *stack);
/* Which accelerators are on: "tso", "uso", "checksum", "handover" (for logs, benches and
 * tests). */
char *t2pw_stack_describe (T2pwStack *stack);

/* Sends a datagram to an application: @key->source is the application, @key->destination the
 * address it talks to. In fragments when it is longer than the MTU. FALSE when it was dropped:
 * longer than IP allows, or the queue is full. */
gboolean t2pw_stack_send_datagram (T2pwStack *stack,
                                   const T2pwFlowKey *key,
                                   const guint8 *data,
                                   gsize length);

/* Memory above that an application can make grow counts as the stack's own. FALSE: there is no
 * room. */
gboolean t2pw_stack_hold_memory (T2pwStack *stack, gsize bytes);
void t2pw_stack_release_memory (T2pwStack *stack, gsize bytes);

/* ICMP errors about a datagram that came some time ago, as the handler was given it. */
void t2pw_stack_refuse_datagram (T2pwStack *stack,
                                 const T2pwFlowKey *key,
                                 const guint8 *data,
                                 gsize length,
                                 T2pRefusal refusal);
void t2pw_stack_tell_too_big (T2pwStack *stack,
                              const T2pwFlowKey *key,
                              const guint8 *data,
                              gsize length,
                              gsize most_payload_bytes);

gboolean t2pw_stack_send_echo_reply (T2pwStack *stack, const T2pwEcho *echo);
void t2pw_stack_send_echo_error (T2pwStack *stack,
                                 const T2pwEcho *echo,
                                 const T2pIpAddress *from,
                                 const T2pIcmpError *error);

/* --- held SYNs */

typedef struct
{
  /* Bytes have arrived, or the end of them: look with t2pw_stream_peek(). */
  void (*readable) (T2pwStream *stream, gpointer user_data);
  /* Room in the send buffer again after t2pw_stream_reserve() had none. */
  void (*writable) (T2pwStream *stream, gpointer user_data);
  /* Everything that was written, and the FIN, was acknowledged and the application's FIN came;
   * or a reset came (@was_reset), or lwIP gave up. The stream is gone after this call. Without
   * a reset it comes only after t2pw_stream_peek() has told of the end and everything before it
   * was consumed. */
  void (*closed) (T2pwStream *stream, gboolean was_reset, gpointer user_data);
} T2pwStreamHandler;

/* The handshake goes on; the stream may be used at once: t2pw_stream_reserve() has nothing to
 * give until it is established, then `writable` comes. NULL when the SYN could not be accepted
 * (memory): it was refused. */
T2pwStream *
t2pw_held_syn_accept (T2pwHeldSyn *syn, const T2pwStreamHandler *handler, gpointer user_data);
void t2pw_held_syn_refuse (T2pwHeldSyn *syn, T2pRefusal refusal);

/* --- streams: bytes from the application */

/* Fills up to @max iovecs with what waits, in order; returns how many. They stay valid until
 * t2pw_stream_consume(). *out_at_end: the application has shut down its side behind them. */
guint t2pw_stream_peek (T2pwStream *stream, struct iovec *iov, guint max, gboolean *out_at_end);
/* The first @length bytes were passed on: frees them and opens the window by as much. */
void t2pw_stream_consume (T2pwStream *stream, gsize length);

/* --- streams: bytes to the application */

/* Buffers to read up to @want bytes into; returns the number of iovecs, 0 when the send buffer
 * is full (then `writable` follows). What is not committed is given back by the commit. */
guint t2pw_stream_reserve (T2pwStream *stream, gsize want, struct iovec *iov, guint max);
/* The first @length bytes of the reserved iovecs are to be sent (0: none). */
void t2pw_stream_commit (T2pwStream *stream, gsize length);
/* FIN after what was committed. */
void t2pw_stream_shutdown (T2pwStream *stream);
/* RST; the stream is gone after this call and `closed` is not called. */
void t2pw_stream_abort (T2pwStream *stream);
/* Committed bytes that the application has not acknowledged yet; *out_progress_us: reactor's
 * time of the last acknowledgement of any, 0: none came. */
gsize t2pw_stream_get_unacked (const T2pwStream *stream, gint64 *out_progress_us);
void t2pw_stream_get_key (const T2pwStream *stream, T2pwFlowKey *out_key);

G_END_DECLS
