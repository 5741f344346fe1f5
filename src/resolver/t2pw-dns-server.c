/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-dns-server.h"

#define FIRST_REST_US G_USEC_PER_SEC
#define MAX_REST_DOUBLINGS 6 /* 64 seconds */

void
t2pw_dns_server_init (T2pwDnsServer *server,
                      T2pReactor *reactor,
                      T2pwOutbound *outbound,
                      const T2pIpEndpoint *endpoint)
{
  *server = (T2pwDnsServer){ .reactor = reactor };
  server->stream = t2pw_dns_stream_server_new (reactor, outbound, endpoint);
}

void
t2pw_dns_server_clear (T2pwDnsServer *server)
{
  g_clear_pointer (&server->stream, t2pw_dns_stream_server_free);
}

void
t2pw_dns_server_answered (T2pwDnsServer *server)
{
  server->heard_us = t2p_reactor_get_now_us (server->reactor);
  server->n_failures = 0;
  server->rests_until_us = 0;
}

/* Those who asked at the same time fail at the same time: that is one failure. */
void
t2pw_dns_server_failed (T2pwDnsServer *server)
{
  if (t2pw_dns_server_is_resting (server))
    return;
  server->rests_until_us = t2p_reactor_get_now_us (server->reactor) +
                           (FIRST_REST_US << MIN (server->n_failures, MAX_REST_DOUBLINGS));
  server->n_failures++;
}

/* A question from @since_us has no answer yet: perhaps only that name takes its time. */
void
t2pw_dns_server_is_silent (T2pwDnsServer *server, gint64 since_us)
{
  if (server->heard_us >= since_us)
    return;
  t2pw_dns_server_failed (server);
  t2pw_dns_stream_server_suspect (server->stream);
}

gboolean
t2pw_dns_server_is_resting (const T2pwDnsServer *server)
{
  return server->rests_until_us > t2p_reactor_get_now_us (server->reactor);
}

/* The way there has changed. */
void
t2pw_dns_server_forgive (T2pwDnsServer *server)
{
  server->n_failures = 0;
  server->rests_until_us = 0;
  t2pw_dns_stream_server_reset (server->stream);
}

/**
 * t2pw_dns_servers_sort:
 * @out_order: (array length=n): in which to ask: as they were given, those that rest behind,
 *   the one that is to be tried again first before the others
 */
void
t2pw_dns_servers_sort (const T2pwDnsServer *servers, guint n, guint8 *out_order)
{
  for (guint i = 0; i < n; i++)
    {
      gint64 until_us =
          t2pw_dns_server_is_resting (&servers[i]) ? servers[i].rests_until_us : 0;
      guint at = i;

      for (; at > 0; at--)
        {
          const T2pwDnsServer *before = &servers[out_order[at - 1]];

          if ((t2pw_dns_server_is_resting (before) ? before->rests_until_us : 0) <= until_us)
            break;
          out_order[at] = out_order[at - 1];
        }
      out_order[at] = (guint8) i;
    }
}
