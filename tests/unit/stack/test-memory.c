/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "packet-peer.h"

#include "t2p-limits.h"
#include "t2pw-stack-private.h"

#include <malloc.h>

/* What connections cost while nothing happens on them, and whether that is what the stack says.
 * docs/benchmarks.md states the figure for a whole worker. */

#define N_FLOWS 10000
#define MOST_BYTES 1024 /* for each: the stack's part, allocator included */

static gsize
heap_bytes (void)
{
  struct mallinfo2 info = mallinfo2 ();

  return info.uordblks + info.hblkhd;
}

/* One connection from a port of its own, a byte each way, acknowledged. */
static void
open_idle (Peer *peer, guint i)
{
  guint8 byte = 'x';
  struct iovec iov[1];

  peer->local.port = (guint16) (1024 + i % 60000);
  peer->next = i * 1000;
  peer_connect (peer);
  peer_send (peer, T2P_TCP_ACK, peer->next++, &byte, 1);
  peer_drain (peer);
  g_assert_cmpuint (peer->owner.received->len, ==, 1);
  g_byte_array_set_size (peer->owner.received, 0);
  g_assert_cmpuint (t2pw_stream_reserve (peer->owner.stream, 1, iov, 1), ==, 1);
  t2pw_stream_commit (peer->owner.stream, 1);
  peer_drain (peer);
  peer->acknowledged++;
  peer_send (peer, T2P_TCP_ACK, peer->next, NULL, 0);
  peer_drain (peer);
}

static void
test_idle (gconstpointer mode)
{
  T2pwStackConfig limits = { .memory_limit_bytes = 128 * 1024 * 1024,
                             .max_streams = N_FLOWS + 100 };
  g_autoptr (Peer) peer = peer_new (mode, &limits);
  gsize heap, counted, heap_each, counted_each;

  for (guint i = 0; i < 50; i++)
    open_idle (peer, i); /* buffers that are kept, tables */
  heap = heap_bytes ();
  counted = t2pw_stack_get_counters (peer->stack)->memory_bytes;
  for (guint i = 50; i < N_FLOWS + 50; i++)
    open_idle (peer, i);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->streams, ==, N_FLOWS + 50);
  heap_each = (heap_bytes () - heap) / N_FLOWS;
  counted_each = (t2pw_stack_get_counters (peer->stack)->memory_bytes - counted) / N_FLOWS;
  g_test_message ("an idle connection: %zu bytes of heap, %zu counted", heap_each,
                  counted_each);
  g_assert_cmpuint (counted_each, >, 0);
  g_assert_cmpuint (counted_each, <=, MOST_BYTES);
  if (heap == 0)
    return; /* a sanitizer's allocator tells nothing */
  g_assert_cmpuint (heap_each, <=, MOST_BYTES);
  /* what is counted is what is used, give or take the allocator's rounding */
  g_assert_cmpuint (counted_each, >=, heap_each * 3 / 4);
}

/* What is not a stream counts, too: held SYNs, fragments, datagrams that wait. */
static void
test_everything_counts (gconstpointer mode)
{
  T2pwStackConfig limits = { .memory_limit_bytes = 16 * 1024 * 1024, .max_streams = 100 };
  g_autoptr (Peer) peer = peer_new (mode, &limits);
  const T2pwStackCounters *counters;

  /* all but an eighth is in use by somebody else */
  t2pw_buffer_pool_charge (&peer->stack->pool, 15 * 1024 * 1024);
  peer_send (peer, T2P_TCP_SYN, peer->next, NULL, 0);
  g_assert_cmpuint (peer_drain (peer), ==, 1); /* a reset */
  g_assert_true (peer->has_rst);
  counters = t2pw_stack_get_counters (peer->stack);
  g_assert_cmpuint (counters->dropped_memory, ==, 1);
  g_assert_cmpuint (counters->syns_refused, ==, 1);
  t2pw_buffer_pool_charge (&peer->stack->pool, -15 * 1024 * 1024);
  peer_connect (peer); /* and then all is well again */
  peer_drain (peer);
}

/* What the floor above keeps for applications is half of it at most. */
static void
test_held_above (gconstpointer mode)
{
  const gsize part = 1024 * 1024;
  T2pwStackConfig limits = { .memory_limit_bytes = 16 * part, .max_streams = 100 };
  g_autoptr (Peer) peer = peer_new (mode, &limits);
  const gsize before = t2pw_stack_get_counters (peer->stack)->memory_bytes;
  guint n = 0;

  while (n < 100 && t2pw_stack_hold_memory (peer->stack, part))
    n++;
  g_assert_cmpuint (n, >=, 7);
  g_assert_cmpuint (n, <=, 8);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->dropped_memory, ==, 1);
  t2pw_stack_release_memory (peer->stack, n * part);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->memory_bytes, ==, before);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint m = 0; m < n_peer_modes; m++)
    {
      g_autofree char *idle =
          g_strdup_printf ("/memory/%s/idle-connections-are-cheap", peer_modes[m].name);
      g_autofree char *all =
          g_strdup_printf ("/memory/%s/at-the-limit-new-flows-are-refused", peer_modes[m].name);
      g_autofree char *above =
          g_strdup_printf ("/memory/%s/what-is-held-above-is-bounded", peer_modes[m].name);

      if (peer_modes[m].is_accelerated)
        g_test_add_data_func (idle, &peer_modes[m], test_idle);
      g_test_add_data_func (all, &peer_modes[m], test_everything_counts);
      g_test_add_data_func (above, &peer_modes[m], test_held_above);
    }
  return g_test_run ();
}
