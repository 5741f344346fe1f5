/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The association is opened with the first question and closed when there was none for IDLE_MS.
 * An answer counts when it comes from the server that was asked, with the id and the question.
 * When the association fails, so do the questions: TCP is tried for them. An upstream without
 * UDP, one that fails, or one from which nothing comes back for SILENT_QUESTIONS questions in a
 * row makes the datagrams rest for REST_US; then one is tried again.
 *
 * Bounded: questions under way by who asks. */
#include "config.h"

#include "t2pw-dns-datagrams.h"

#include "t2p-limits.h"
#include "t2pw-dns-forwarder.h"

#define IDLE_MS 30000
#define REST_US (60 * G_USEC_PER_SEC)
#define SILENT_QUESTIONS 3

typedef struct
{
  T2pIpEndpoint endpoint;
  T2pwDnsPending *pending;
} Server;

struct _T2pwDnsDatagrams
{
  T2pReactor *reactor;
  T2pwOutbound *outbound;
  Server servers[T2PW_DNS_MAX_SERVERS];
  guint n_servers;
  T2pwAssociation *association; /* NULL: none */
  gboolean is_open;
  gint64 heard_us; /* when a datagram last came */
  gint64 rests_until_us;
  guint n_silent; /* questions in a row */
  T2pTimer idle_timer;
};

static void
close_association (T2pwDnsDatagrams *datagrams)
{
  t2p_reactor_disarm (datagrams->reactor, &datagrams->idle_timer);
  if (datagrams->association != NULL)
    t2pw_association_close (g_steal_pointer (&datagrams->association));
  datagrams->is_open = FALSE;
}

static void
rest (T2pwDnsDatagrams *datagrams)
{
  datagrams->rests_until_us = t2p_reactor_get_now_us (datagrams->reactor) + REST_US;
  datagrams->n_silent = 0;
}

/* All that are there now; those who are told may ask another server by the next association. */
static void
fail_questions (T2pwDnsDatagrams *datagrams)
{
  guint marks[T2PW_DNS_MAX_SERVERS];

  for (guint i = 0; i < datagrams->n_servers; i++)
    marks[i] = t2pw_dns_pending_mark (datagrams->servers[i].pending);
  for (guint i = 0; i < datagrams->n_servers; i++)
    t2pw_dns_pending_fail (datagrams->servers[i].pending, marks[i]);
}

static gboolean
is_idle (const T2pwDnsDatagrams *datagrams)
{
  for (guint i = 0; i < datagrams->n_servers; i++)
    if (t2pw_dns_pending_get_n (datagrams->servers[i].pending) > 0)
      return FALSE;
  return TRUE;
}

static void
idle_cb (T2pTimer *timer)
{
  T2pwDnsDatagrams *datagrams = T2P_OWNER_OF (timer, T2pwDnsDatagrams, idle_timer);

  if (is_idle (datagrams))
    close_association (datagrams);
  else
    t2p_reactor_arm (datagrams->reactor, timer, IDLE_MS, idle_cb);
}

static void
send_question (T2pwDnsDatagrams *datagrams, const Server *server, T2pwDnsAsked *asked)
{
  T2pwDestination to = { .address = server->endpoint.address, .port = server->endpoint.port };
  gsize length;
  const guint8 *message = t2pw_dns_asked_get_message (asked, &length);

  /* what is dropped here is asked again by whoever waits */
  t2pw_association_send (datagrams->association, &to, message, length, 0);
}

/* --- what the association tells */

typedef struct
{
  T2pwDnsDatagrams *datagrams;
  const Server *server;
} Sending;

static void
send_held_cb (T2pwDnsAsked *asked, gpointer user_data)
{
  const Sending *sending = user_data;

  if (sending->datagrams->is_open)
    send_question (sending->datagrams, sending->server, asked);
}

static void
opened_cb (T2pwAssociation *association, gpointer user_data)
{
  T2pwDnsDatagrams *datagrams = user_data;

  datagrams->association = association;
  datagrams->is_open = TRUE;
  for (guint i = 0; i < datagrams->n_servers; i++)
    {
      Sending sending = { datagrams, &datagrams->servers[i] };

      t2pw_dns_pending_foreach (datagrams->servers[i].pending, send_held_cb, &sending);
    }
}

static void
failed_cb (T2pwAssociation *association,
           T2pRefusal refusal,
           const GError *error,
           gpointer user_data)
{
  T2pwDnsDatagrams *datagrams = user_data;
  gboolean was_open = datagrams->is_open;

  datagrams->association = NULL;
  close_association (datagrams);
  if (!was_open)
    rest (datagrams);
  fail_questions (datagrams);
}

static void
received_cb (T2pwAssociation *association,
             const T2pwDestination *from,
             const guint8 *data,
             gsize length,
             gpointer user_data)
{
  T2pwDnsDatagrams *datagrams = user_data;
  T2pIpEndpoint source = { .address = from->address, .port = from->port };

  for (guint i = 0; from->name == NULL && i < datagrams->n_servers; i++)
    if (t2p_ip_endpoint_equal (&datagrams->servers[i].endpoint, &source))
      {
        datagrams->heard_us = t2p_reactor_get_now_us (datagrams->reactor);
        datagrams->n_silent = 0;
        t2pw_dns_pending_take (datagrams->servers[i].pending, data, length);
        return;
      }
}

static void
too_big_cb (T2pwAssociation *association,
            const T2pwDestination *to,
            gsize most_bytes,
            gpointer user_data)
{
  /* a question fits everywhere; TCP comes next */
}

static const T2pwAssociationHandler association_handler = {
  .opened = opened_cb,
  .failed = failed_cb,
  .received = received_cb,
  .too_big = too_big_cb,
};

/* --- who asks */

/* Whether there is any use in asking. */
gboolean
t2pw_dns_datagrams_work (const T2pwDnsDatagrams *datagrams)
{
  return datagrams->rests_until_us <= t2p_reactor_get_now_us (datagrams->reactor);
}

/**
 * t2pw_dns_datagrams_ask:
 * @server: its index
 * @query: whole, with a question
 * @done: never called from within
 *
 * Returns: (transfer none) (nullable): what can be cancelled; %NULL when the upstream carries
 * no datagrams
 */
T2pwDnsAsked *
t2pw_dns_datagrams_ask (T2pwDnsDatagrams *datagrams,
                        guint server,
                        const T2pDnsQuery *query,
                        T2pwDnsAskedDone done,
                        gpointer user_data)
{
  T2pwDnsAsked *asked;

  if (datagrams->association == NULL)
    datagrams->association =
        t2pw_outbound_associate (datagrams->outbound, &association_handler, datagrams);
  if (datagrams->association == NULL)
    {
      rest (datagrams);
      return NULL;
    }
  asked = t2pw_dns_pending_add (datagrams->servers[server].pending, query, done, user_data);
  if (datagrams->is_open)
    send_question (datagrams, &datagrams->servers[server], asked);
  t2p_reactor_arm (datagrams->reactor, &datagrams->idle_timer, IDLE_MS, idle_cb);
  return asked;
}

/**
 * t2pw_dns_datagrams_are_silent:
 * @since_us: when a question was asked that has no answer yet
 */
void
t2pw_dns_datagrams_are_silent (T2pwDnsDatagrams *datagrams, gint64 since_us)
{
  if (datagrams->heard_us < since_us && ++datagrams->n_silent >= SILENT_QUESTIONS)
    rest (datagrams);
}

/* The way there has changed. */
void
t2pw_dns_datagrams_reset (T2pwDnsDatagrams *datagrams)
{
  close_association (datagrams);
  datagrams->rests_until_us = 0;
  datagrams->n_silent = 0;
  fail_questions (datagrams);
}

/* --- all of them */

T2pwDnsDatagrams *
t2pw_dns_datagrams_new (T2pReactor *reactor,
                        T2pwOutbound *outbound,
                        const T2pIpEndpoint *servers,
                        guint n_servers)
{
  T2pwDnsDatagrams *datagrams = g_new0 (T2pwDnsDatagrams, 1);

  datagrams->reactor = reactor;
  datagrams->outbound = outbound;
  datagrams->n_servers = MIN (n_servers, T2PW_DNS_MAX_SERVERS);
  for (guint i = 0; i < datagrams->n_servers; i++)
    datagrams->servers[i] =
        (Server){ .endpoint = servers[i], .pending = t2pw_dns_pending_new () };
  return datagrams;
}

/* Nobody who waits is told. */
void
t2pw_dns_datagrams_free (T2pwDnsDatagrams *datagrams)
{
  close_association (datagrams);
  for (guint i = 0; i < datagrams->n_servers; i++)
    t2pw_dns_pending_free (datagrams->servers[i].pending);
  g_free (datagrams);
}
