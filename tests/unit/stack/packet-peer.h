/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-tcp-header.h"
#include "t2pw-stack.h"

G_BEGIN_DECLS

/* A scripted application on the other side of the stack: packets over a socket pair instead of
 * a TUN device, an owner that records what it is told, and a loop that is turned by hand. */

typedef struct
{
  const char *name;
  int family;
  gboolean has_vnet;
  gboolean is_accelerated;
} PeerMode;

extern const PeerMode peer_modes[];
extern const guint n_peer_modes;

typedef enum
{
  OWNER_ACCEPTS,
  OWNER_HOLDS,
  OWNER_REFUSES,
} OwnerPolicy;

/** What the owner knows of the one stream that a test looks at. */
typedef struct
{
  T2pwStream *stream;
  GByteArray *received;
  gboolean is_at_end, is_closed, was_reset;
  gboolean holds_back; /* does not read */
  gboolean echoes;
  gsize to_send, sent; /* bytes of the pattern */
  gboolean shuts_down; /* behind to_send */
} Owner;

/** A segment as it came from the stack. */
typedef struct
{
  T2pTcpHeader tcp;
  T2pIpHeader ip;
  guint16 gso_size;
  const guint8 *payload; /* valid until the next one is taken */
} Segment;

typedef struct
{
  const PeerMode *mode;
  GMainContext *context;
  T2pReactor *reactor;
  T2pwStack *stack;
  int fd;
  OwnerPolicy policy;
  T2pRefusal refusal;
  T2pwHeldSyn *held;
  const T2pwStackHandler *upper; /* (nullable): is told of connections in place of the owner */
  gpointer upper_data;
  guint n_connecting, n_abandoned, n_lost;
  Owner owner;
  GByteArray *datagram;
  guint n_datagrams;
  gsize told_datagram_bytes; /* with the last one */
  T2pwFlowKey datagram_key;
  gboolean refuses_datagrams; /* and pings */
  guint n_echoes;
  T2pwEcho echo; /* the last one, without its data */
  /* the application's side of TCP */
  T2pIpEndpoint local, remote;
  guint32 next, acknowledged; /* sequence numbers */
  guint16 window, mss;
  int scale;                 /* -1: none offered */
  gboolean has_fin, has_rst; /* came */
  guint16 datagram_bytes; /* the next packets are USO super-packets of datagrams of this size */
  gboolean is_hostile;    /* packets claim a verified checksum; what does not fit is not sent */
  guint8 bytes[66000];
} Peer;

Peer *peer_new (const PeerMode *mode, const T2pwStackConfig *overrides);
void peer_free (Peer *peer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Peer, peer_free)

/* Turns the loop until nothing is left to do at once. */
void peer_pump (Peer *peer);
/* Turns it for @ms, or until *@condition. */
void peer_wait (Peer *peer, guint ms, const gboolean *condition);

/* Builds a segment from the peer's state; @flags without ACK leaves the field zero. */
void
peer_send (Peer *peer, guint8 flags, guint32 sequence, const guint8 *payload, gsize length);
void peer_send_raw (Peer *peer, const guint8 *packet, gsize length);
/* The same segment, into @out (room for 66000 bytes); returns its length. */
gsize peer_build (Peer *peer,
                  guint8 flags,
                  guint32 sequence,
                  const guint8 *payload,
                  gsize length,
                  guint8 *out);
/* FALSE when nothing came. Fails the test on a wrong checksum. Non-TCP packets give
 * ip.protocol only. */
gboolean peer_take (Peer *peer, Segment *out);
/* Takes all that waits; returns how many. */
guint peer_drain (Peer *peer);
/* SYN, SYN-ACK, ACK; the owner has the stream then. */
void peer_connect (Peer *peer);
/* Takes what came in order, acknowledging all of it, until @length bytes are there. */
void peer_receive (Peer *peer, GByteArray *into, gsize length);

guint8 pattern_at (gsize position);
GBytes *pattern_new (gsize length);

G_END_DECLS
