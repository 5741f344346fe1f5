/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * After a change of the uplink connections to upstreams are of three kinds. Those whose own
 * address is gone, and those that send and get no acknowledgement, are reset at once: their
 * applications connect again and go on, instead of waiting for the kernel to give up. Those
 * that only listen may be dead without a sign of it. They are in doubt for a few seconds: the
 * kernel asks their peers, and who is not answered breaks by itself; who sends is looked at
 * twice more. What still works, because the way there has not changed or because both ways are
 * there, goes on.
 *
 * Datagrams have no connections: they get new ways. */
#include "config.h"

#include "t2pw-relay-private.h"

/* Behind a change, and again behind that: an upload is seen to stall after some
 * retransmissions, a silent peer after the kernel's probes. */
#define LOOK_AGAIN_MS 2000
#define MAX_LOOKS 3

static guint
close_stalled (T2pwRelay *relay)
{
  guint n = 0;

  for (T2pwFlow *flow = relay->table.first, *next; flow != NULL; flow = next)
    {
      next = flow->next;
      if (flow->carrier == NULL || !t2pw_carrier_is_stalled (flow->carrier))
        continue;
      t2pw_relay_abort_flow (flow);
      n++;
    }
  return n;
}

static void
doubt_all (T2pwRelay *relay, gboolean is_doubtful)
{
  for (T2pwFlow *flow = relay->table.first; flow != NULL; flow = flow->next)
    if (flow->carrier != NULL)
      t2pw_carrier_doubt (flow->carrier, is_doubtful);
}

static void look_again_cb (T2pTimer *timer);

static void
look_again_later (T2pwRelay *relay)
{
  guint delay_ms =
      relay->config.look_again_ms > 0 ? relay->config.look_again_ms : LOOK_AGAIN_MS;

  t2p_reactor_arm (relay->config.reactor, &relay->doubt_timer, delay_ms, look_again_cb);
}

static void
look_again_cb (T2pTimer *timer)
{
  T2pwRelay *relay = T2P_OWNER_OF (timer, T2pwRelay, doubt_timer);

  close_stalled (relay);
  if (++relay->n_looks < MAX_LOOKS)
    look_again_later (relay);
  else
    doubt_all (relay, FALSE);
}

/**
 * t2pw_relay_uplink_changed:
 *
 * Returns: how many flows were reset at once
 */
guint
t2pw_relay_uplink_changed (T2pwRelay *relay)
{
  guint n;

  t2pw_datagram_relay_flush (relay->datagrams);
  n = close_stalled (relay);
  doubt_all (relay, TRUE);
  relay->n_looks = 0;
  look_again_later (relay);
  return n;
}
