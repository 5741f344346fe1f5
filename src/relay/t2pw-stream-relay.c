/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Nothing is buffered here. Up: what the stack holds goes to the carrier as it lies there, and
 * only what the carrier took is consumed, which opens the application's window. Down: the
 * carrier is read right into the stack's send buffer, and not at all while that is full, which
 * closes the upstream's window. So back-pressure reaches both ends, and a flow that waits costs
 * nothing.
 *
 * Each direction remembers what it waits for: @app_ready and @upstream_ready are set by edges
 * and cleared when a side said "no more for now"; @upstream_full and @app_full likewise for
 * room. */
#include "config.h"

#include "t2pw-stream-relay.h"

#include <errno.h>

#define MAX_IOVECS 16

static gsize
iov_cap (struct iovec *iov, guint *n, gsize max)
{
  gsize sum = 0;

  for (guint i = 0; i < *n; i++)
    {
      if (sum + iov[i].iov_len >= max)
        {
          iov[i].iov_len = max - sum;
          *n = i + 1;
          return max;
        }
      sum += iov[i].iov_len;
    }
  return sum;
}

static gboolean
app_has_ended (const T2pwFlow *flow)
{
  return flow->state == T2PW_FLOW_APP_ENDED || flow->state == T2PW_FLOW_CLOSING;
}

static gboolean
upstream_has_ended (const T2pwFlow *flow)
{
  return flow->state == T2PW_FLOW_UPSTREAM_ENDED || flow->state == T2PW_FLOW_CLOSING;
}

static void
app_ended (T2pwFlow *flow)
{
  t2pw_carrier_shutdown (flow->carrier);
  t2pw_flow_set_state (flow,
                       upstream_has_ended (flow) ? T2PW_FLOW_CLOSING : T2PW_FLOW_APP_ENDED);
}

static void
upstream_ended (T2pwFlow *flow)
{
  t2pw_stream_shutdown (flow->stream);
  t2pw_flow_set_state (flow,
                       app_has_ended (flow) ? T2PW_FLOW_CLOSING : T2PW_FLOW_UPSTREAM_ENDED);
}

/* FALSE when the upstream is broken. */
static gboolean
pump_up (T2pwFlow *flow)
{
  struct iovec iov[MAX_IOVECS];
  gsize budget = T2PW_STREAM_BURST_BYTES;

  while (flow->app_ready && !flow->upstream_full && budget > 0)
    {
      gboolean at_end = FALSE;
      guint n = t2pw_stream_peek (flow->stream, iov, MAX_IOVECS, &at_end);
      gsize wanted = iov_cap (iov, &n, budget);
      gssize sent;

      if (wanted == 0)
        {
          flow->app_ready = FALSE;
          if (at_end)
            app_ended (flow);
          return TRUE;
        }
      sent = t2pw_carrier_send (flow->carrier, iov, n);
      if (sent < 0 && errno != EAGAIN)
        return FALSE;
      flow->upstream_full = sent < 0 || (gsize) sent < wanted;
      if (sent <= 0)
        return TRUE;
      t2pw_stream_consume (flow->stream, (gsize) sent);
      flow->rx_bytes += (guint64) sent;
      budget -= (gsize) sent;
    }
  return TRUE;
}

/* FALSE when the upstream is broken. */
static gboolean
pump_down (T2pwFlow *flow)
{
  struct iovec iov[MAX_IOVECS];
  gsize budget = T2PW_STREAM_BURST_BYTES;

  while (flow->upstream_ready && !flow->app_full && budget > T2PW_STREAM_BURST_BYTES / 8)
    {
      guint n = t2pw_stream_reserve (flow->stream, budget, iov, MAX_IOVECS);
      gssize got;
      int saved_errno;

      if (n == 0)
        {
          flow->app_full = TRUE;
          return TRUE;
        }
      got = t2pw_carrier_receive (flow->carrier, iov, n);
      saved_errno = errno;
      t2pw_stream_commit (flow->stream, got > 0 ? (gsize) got : 0);
      if (got < 0 && saved_errno != EAGAIN)
        return FALSE;
      if (got <= 0)
        flow->upstream_ready = FALSE;
      if (got == 0)
        upstream_ended (flow);
      if (got <= 0)
        return TRUE;
      flow->tx_bytes += (guint64) got;
      budget -= MIN (budget, (gsize) got);
    }
  return TRUE;
}

/**
 * t2pw_stream_relay_pump:
 * @flow: open, with stream and carrier
 *
 * Moves what can be moved both ways, in bounded bursts.
 */
T2pwPumpResult
t2pw_stream_relay_pump (T2pwFlow *flow)
{
  if (!app_has_ended (flow) && !pump_up (flow))
    return T2PW_PUMP_BROKEN;
  if (!upstream_has_ended (flow) && !pump_down (flow))
    return T2PW_PUMP_BROKEN;
  if (flow->state == T2PW_FLOW_CLOSING)
    return T2PW_PUMP_ENDED;
  if ((flow->app_ready && !flow->upstream_full && !app_has_ended (flow)) ||
      (flow->upstream_ready && !flow->app_full && !upstream_has_ended (flow)))
    return T2PW_PUMP_HAS_MORE;
  return T2PW_PUMP_WAITS;
}
