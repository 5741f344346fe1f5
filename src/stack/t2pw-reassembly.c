/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Fragments wait here until the packet that they are parts of is whole; then it goes on as if
 * it had come so. RFC 791 section 3.2, RFC 8200 section 4.5; both families alike.
 *
 * Whoever sends fragments wants one of two things by tricks: memory, or that two readers of the
 * same packets read different things. Against the second, a packet whose fragments overlap is
 * dropped with all that follows of it (RFC 5722, here for IPv4 as well); a fragment that comes
 * twice, byte for byte, is no harm. The first fragment has to hold every header up to the
 * transport's (RFC 7112, RFC 1858), or a filter on the way could not have known what it let
 * through. What is put together is parsed and verified from the start, and is no fragment
 * again.
 *
 * Against the first: T2P_MAX_REASSEMBLY_BYTES for everything, descriptors included, so many
 * tiny fragments cost no more than few long ones; T2P_MAX_FRAGMENTS_PER_PACKET; and
 * T2P_REASSEMBLY_TIMEOUT_S after its first fragment a packet is given up. When room is short,
 * the oldest packet of that group of sources which holds the most goes: sources fall into
 * groups by a keyed hash, so a flood from few of them costs the others nothing.
 *
 * Deliberately missing: "reassembly time exceeded" (RFC 1122 section 3.3.2): between the
 * application's kernel and us nothing is lost but by its own overload. */
#include "config.h"

#include "t2pw-reassembly.h"

#include "t2p-checksum.h"
#include "t2p-limits.h"
#include "t2pw-stack-private.h"

#include <netinet/in.h>
#include <string.h>

#define MALLOC_BYTES 16 /* what an allocation costs beside itself */

/** Fragment: a part of the payload. */
typedef struct _Fragment Fragment;
struct _Fragment
{
  Fragment *next;
  gsize offset, length;
  guint8 bytes[];
};

/** Assembly: a packet that is not whole yet. */
typedef struct
{
  T2pwFlowNode node; /* first */
  GList age_link, source_link;
  guint source; /* group */
  gint64 deadline_us;
  Fragment *first, *last; /* by offset */
  guint n_fragments;
  gsize held_bytes;
  gsize payload_bytes; /* that came */
  gsize end;           /* of the payload; 0 while the last fragment has not come */
  guint8 *head;        /* what stands before the payload, of the first fragment */
  gsize head_bytes;
  gboolean is_poisoned; /* only remembers that nothing of this packet is wanted */
} Assembly;

typedef enum
{
  PLACE_FREE,
  PLACE_TAKEN_ALIKE, /* by the same bytes */
  PLACE_OVERLAPS,
} Place;

/* --- memory */

static void
charge (T2pwReassembly *reassembly, Assembly *assembly, gssize bytes)
{
  assembly->held_bytes += (gsize) bytes;
  reassembly->source_bytes[assembly->source] += (gsize) bytes;
  reassembly->held_bytes += (gsize) bytes;
  t2pw_buffer_pool_charge (reassembly->pool, bytes);
}

/* What came of it so far counts as dropped, unless it was put together. */
static void
drop_payload (T2pwReassembly *reassembly, Assembly *assembly)
{
  for (Fragment *fragment = assembly->first, *next; fragment != NULL; fragment = next)
    {
      next = fragment->next;
      g_free (fragment);
    }
  g_clear_pointer (&assembly->head, g_free);
  assembly->first = assembly->last = NULL;
  assembly->n_fragments = 0;
  charge (reassembly, assembly,
          (gssize) (sizeof *assembly + MALLOC_BYTES) - (gssize) assembly->held_bytes);
}

static void
forget (T2pwReassembly *reassembly, Assembly *assembly)
{
  drop_payload (reassembly, assembly);
  charge (reassembly, assembly, -(gssize) assembly->held_bytes);
  t2pw_flow_hash_remove (&reassembly->table, &assembly->node);
  g_queue_unlink (&reassembly->by_age, &assembly->age_link);
  g_queue_unlink (&reassembly->by_source[assembly->source], &assembly->source_link);
  g_free (assembly);
}

static void
give_up (T2pwReassembly *reassembly, Assembly *assembly)
{
  reassembly->dropped += assembly->n_fragments;
  forget (reassembly, assembly);
}

static void
poison (T2pwReassembly *reassembly, Assembly *assembly)
{
  reassembly->dropped += assembly->n_fragments;
  drop_payload (reassembly, assembly);
  assembly->is_poisoned = TRUE;
}

static Assembly *
find_victim (T2pwReassembly *reassembly)
{
  guint most = 0;

  for (guint i = 1; i < T2PW_REASSEMBLY_SOURCES; i++)
    if (reassembly->source_bytes[i] > reassembly->source_bytes[most])
      most = i;
  return g_queue_peek_head (&reassembly->by_source[most]);
}

/* FALSE when there is no room, or only at the cost of @keep, for which it is wanted. */
static gboolean
make_room (T2pwReassembly *reassembly, const Assembly *keep, gsize bytes)
{
  if (!t2pw_buffer_pool_has_room (reassembly->pool, bytes, T2PW_HOLD_BELOW))
    {
      reassembly->dropped_memory++;
      return FALSE;
    }
  while (reassembly->held_bytes + bytes > T2P_MAX_REASSEMBLY_BYTES)
    {
      Assembly *victim = find_victim (reassembly);

      if (victim == NULL || victim == keep)
        return FALSE;
      give_up (reassembly, victim);
    }
  return TRUE;
}

/* --- assemblies */

/* IPv6 ids count for both addresses, IPv4 ids for the protocol, too. */
static T2pwFlowId
id_of (const T2pIpHeader *ip)
{
  T2pwFlowId id = t2pw_flow_id (&ip->source, 0, &ip->destination, 0);

  id.words[4] = (guint64) ip->version << 40 | ip->fragment_id;
  if (ip->version == 4)
    id.words[4] |= (guint64) ip->protocol << 32;
  return id;
}

static Assembly *
begin (T2pwReassembly *reassembly, const T2pwFlowId *id, gint64 now_us)
{
  guint64 hash = t2pw_flow_hash_words (&reassembly->table, id->words, 2);
  Assembly *assembly;

  if (!make_room (reassembly, NULL, sizeof *assembly + MALLOC_BYTES))
    return NULL;
  assembly = g_new0 (Assembly, 1);
  assembly->node.id = *id;
  assembly->age_link.data = assembly->source_link.data = assembly;
  assembly->source = (guint) (hash % T2PW_REASSEMBLY_SOURCES);
  assembly->deadline_us = now_us + T2P_REASSEMBLY_TIMEOUT_S * G_USEC_PER_SEC;
  t2pw_flow_hash_insert (&reassembly->table, &assembly->node);
  g_queue_push_tail_link (&reassembly->by_age, &assembly->age_link);
  g_queue_push_tail_link (&reassembly->by_source[assembly->source], &assembly->source_link);
  charge (reassembly, assembly, sizeof *assembly + MALLOC_BYTES);
  return assembly;
}

/* --- their parts */

/* *@out_behind: the fragment that comes before that place, or NULL. */
static Place
find_place (const Assembly *assembly,
            gsize offset,
            gsize length,
            const guint8 *bytes,
            Fragment **out_behind)
{
  Fragment *behind = assembly->last;
  Fragment *next = NULL;

  /* most come in order */
  if (behind != NULL && behind->offset + behind->length > offset)
    {
      behind = NULL;
      for (next = assembly->first; next != NULL && next->offset + next->length <= offset;
           next = next->next)
        behind = next;
    }
  *out_behind = behind;
  if (next == NULL || offset + length <= next->offset)
    return PLACE_FREE;
  return next->offset == offset && next->length == length &&
                 memcmp (next->bytes, bytes, length) == 0
             ? PLACE_TAKEN_ALIKE
             : PLACE_OVERLAPS;
}

static void
insert (Assembly *assembly, Fragment *behind, Fragment *fragment)
{
  Fragment **at = behind != NULL ? &behind->next : &assembly->first;

  fragment->next = *at;
  *at = fragment;
  if (fragment->next == NULL)
    assembly->last = fragment;
  assembly->n_fragments++;
  assembly->payload_bytes += fragment->length;
}

/* Where the payload ends has to be the same for all that is known of it. */
static gboolean
agrees_on_end (const Assembly *assembly, const T2pIpHeader *ip, gsize end)
{
  if (ip->more_fragments)
    return assembly->end == 0 || end < assembly->end;
  return (assembly->end == 0 || assembly->end == end) &&
         (assembly->last == NULL || assembly->last->offset + assembly->last->length <= end);
}

static void
keep_head (T2pwReassembly *reassembly, Assembly *assembly, const T2pwPacket *packet)
{
  const T2pIpHeader *ip = &packet->ip;

  assembly->head_bytes = ip->version == 4 ? ip->header_bytes : ip->unfragmentable_bytes;
  assembly->head = g_memdup2 (packet->bytes, assembly->head_bytes);
  if (ip->version == 6)
    assembly->head[ip->fragment_named_at] = ip->protocol;
  charge (reassembly, assembly, (gssize) (assembly->head_bytes + MALLOC_BYTES));
}

/* FALSE: there is no room. */
static gboolean
keep (T2pwReassembly *reassembly,
      Assembly *assembly,
      const T2pwPacket *packet,
      Fragment *behind)
{
  gsize length = t2p_ip_header_payload_bytes (&packet->ip);
  gsize bytes = sizeof (Fragment) + length + MALLOC_BYTES;
  Fragment *fragment;

  if (assembly->n_fragments >= T2P_MAX_FRAGMENTS_PER_PACKET ||
      !make_room (reassembly, assembly, bytes + packet->ip.header_bytes + MALLOC_BYTES))
    return FALSE;
  fragment = g_malloc (sizeof *fragment + length);
  fragment->offset = packet->ip.fragment_offset;
  fragment->length = length;
  memcpy (fragment->bytes, t2pw_packet_transport (packet), length);
  insert (assembly, behind, fragment);
  charge (reassembly, assembly, (gssize) bytes);
  if (fragment->offset == 0)
    keep_head (reassembly, assembly, packet);
  if (!packet->ip.more_fragments)
    assembly->end = fragment->offset + length;
  return TRUE;
}

/* --- the whole */

static void
finish_header (guint8 *bytes, gsize head_bytes, gsize total_bytes)
{
  if (bytes[0] >> 4 == 6)
    {
      t2p_store_be16 (bytes + 4, (guint16) (total_bytes - T2P_IPV6_HEADER_BYTES));
      return;
    }
  t2p_store_be16 (bytes + 2, (guint16) total_bytes);
  t2p_store_be16 (bytes + 6, 0);
  t2p_store_be16 (bytes + 10, 0);
  t2p_store_be16 (bytes + 10, t2p_checksum (bytes, head_bytes));
}

static gsize
transport_header_bytes (const guint8 *packet, const T2pIpHeader *ip)
{
  T2pTcpHeader tcp;

  switch (ip->protocol)
    {
    case IPPROTO_TCP:
      if (t2p_tcp_header_parse (packet + ip->header_bytes, t2p_ip_header_payload_bytes (ip),
                                &tcp) == T2P_TCP_PARSE_OK)
        return tcp.header_bytes;
      return T2P_TCP_HEADER_BYTES;
    case IPPROTO_UDP:
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return T2P_UDP_HEADER_BYTES; /* of all three */
    default:
      return 0;
    }
}

/* RFC 7112 section 5; and nothing is taken apart twice. */
static gboolean
first_holds_headers (const Assembly *assembly, const guint8 *packet, gsize length)
{
  T2pIpHeader ip;

  return t2p_ip_header_parse (packet, length, &ip) == T2P_IP_PARSE_OK && !ip.is_fragment &&
         ip.header_bytes + transport_header_bytes (packet, &ip) <=
             assembly->head_bytes + assembly->first->length;
}

static gboolean
is_whole (const Assembly *assembly)
{
  return assembly->end > 0 && assembly->payload_bytes == assembly->end;
}

/* The longest that the length fields of both families can say. */
static gboolean
has_possible_length (const Assembly *assembly)
{
  gsize counted = assembly->head_bytes + assembly->end;

  if (assembly->head[0] >> 4 == 6)
    counted -= T2P_IPV6_HEADER_BYTES;
  return counted <= T2P_IP_MAX_PACKET_BYTES;
}

static T2pwBuffer *
put_together (T2pwReassembly *reassembly, const Assembly *assembly, gsize *out_length)
{
  gsize length = assembly->head_bytes;
  T2pwBuffer *buffer;

  if (!has_possible_length (assembly))
    return NULL;
  buffer = t2pw_buffer_pool_take (reassembly->pool);
  if (buffer == NULL)
    {
      reassembly->dropped_memory++;
      return NULL;
    }
  memcpy (buffer->data, assembly->head, length);
  for (const Fragment *fragment = assembly->first; fragment != NULL; fragment = fragment->next)
    {
      memcpy (buffer->data + length, fragment->bytes, fragment->length);
      length += fragment->length;
    }
  finish_header (buffer->data, assembly->head_bytes, length);
  if (first_holds_headers (assembly, buffer->data, length))
    {
      *out_length = length;
      return buffer;
    }
  t2pw_buffer_give (buffer);
  return NULL;
}

static T2pwBuffer *
finish (T2pwReassembly *reassembly, Assembly *assembly, gsize *out_length)
{
  T2pwBuffer *buffer = put_together (reassembly, assembly, out_length);

  if (buffer == NULL)
    {
      give_up (reassembly, assembly);
      return NULL;
    }
  reassembly->reassembled++;
  forget (reassembly, assembly);
  return buffer;
}

static T2pwBuffer *
add (T2pwReassembly *reassembly,
     Assembly *assembly,
     const T2pwPacket *packet,
     gsize *out_length)
{
  gsize offset = packet->ip.fragment_offset;
  gsize length = t2p_ip_header_payload_bytes (&packet->ip);
  Fragment *behind = NULL;
  Place place = find_place (assembly, offset, length, t2pw_packet_transport (packet), &behind);

  if (place == PLACE_TAKEN_ALIKE && agrees_on_end (assembly, &packet->ip, offset + length))
    return NULL;
  if (place != PLACE_FREE || !agrees_on_end (assembly, &packet->ip, offset + length))
    {
      reassembly->dropped++;
      poison (reassembly, assembly);
      return NULL;
    }
  if (!keep (reassembly, assembly, packet, behind))
    {
      reassembly->dropped++;
      poison (reassembly, assembly); /* it cannot become whole any more */
      return NULL;
    }
  return is_whole (assembly) ? finish (reassembly, assembly, out_length) : NULL;
}

T2pwBuffer *
t2pw_reassembly_take (T2pwReassembly *reassembly,
                      const T2pwPacket *fragment,
                      gint64 now_us,
                      gsize *out_length)
{
  T2pwFlowId id = id_of (&fragment->ip);
  Assembly *assembly;

  t2pw_reassembly_expire (reassembly, now_us);
  assembly = (Assembly *) t2pw_flow_hash_find (&reassembly->table, &id);
  if (assembly == NULL && t2p_ip_header_payload_bytes (&fragment->ip) > 0)
    assembly = begin (reassembly, &id, now_us);
  if (assembly == NULL || assembly->is_poisoned ||
      t2p_ip_header_payload_bytes (&fragment->ip) == 0)
    {
      reassembly->dropped++;
      return NULL;
    }
  return add (reassembly, assembly, fragment, out_length);
}

gint64
t2pw_reassembly_expire (T2pwReassembly *reassembly, gint64 now_us)
{
  Assembly *oldest;

  while ((oldest = g_queue_peek_head (&reassembly->by_age)) != NULL)
    {
      if (oldest->deadline_us > now_us)
        return oldest->deadline_us;
      give_up (reassembly, oldest);
    }
  return 0;
}

void
t2pw_reassembly_init (T2pwReassembly *reassembly, T2pwBufferPool *pool)
{
  *reassembly = (T2pwReassembly){ .pool = pool };
  t2pw_flow_hash_init (&reassembly->table);
  g_queue_init (&reassembly->by_age);
  for (guint i = 0; i < T2PW_REASSEMBLY_SOURCES; i++)
    g_queue_init (&reassembly->by_source[i]);
}

void
t2pw_reassembly_clear (T2pwReassembly *reassembly)
{
  Assembly *assembly;

  while ((assembly = g_queue_peek_head (&reassembly->by_age)) != NULL)
    forget (reassembly, assembly);
  t2pw_flow_hash_clear (&reassembly->table);
}
