/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An application that asks its own name server by UDP, through a proxy without UDP, would learn
 * that nobody listens there, and many resolvers know no TCP of their own accord. So its
 * question goes to the same server over TCP, and the answer comes back as the datagram that it
 * waits for, cut where it is too long for one, so that it asks by TCP. Each server has a
 * forwarder of its own, which bounds the time and keeps the connection. */
#include "config.h"

#include "t2pw-dns-over-tcp.h"

#include "t2p-dns-answer.h"
#include "t2pw-dns-forwarder.h"

#include <string.h>

typedef struct
{
  T2pIpEndpoint endpoint;
  T2pwOutbound *outbound;
  T2pwDnsForwarder *forwarder;
  guint n_questions;
} Server;

typedef struct
{
  T2pwDnsOverTcp *self;
  Server *server;
  T2pwDnsWaiter *waiter; /* NULL: answered */
  T2pwFlowKey key;
  gsize length;
  guint8 query[];
} Question;

struct _T2pwDnsOverTcp
{
  T2pReactor *reactor;
  T2pwStack *stack;
  GHashTable *servers;   /* T2pIpEndpoint → Server */
  GHashTable *questions; /* set of Question */
};

static void
server_free (gpointer data)
{
  Server *server = data;

  t2pw_dns_forwarder_free (server->forwarder);
  g_free (server);
}

static void
question_free (gpointer data)
{
  Question *question = data;

  if (question->waiter != NULL)
    t2pw_dns_waiter_cancel (question->waiter);
  question->server->n_questions--;
  g_free (question);
}

T2pwDnsOverTcp *
t2pw_dns_over_tcp_new (T2pReactor *reactor)
{
  T2pwDnsOverTcp *self = g_new0 (T2pwDnsOverTcp, 1);

  self->reactor = reactor;
  self->servers = g_hash_table_new_full (t2p_ip_endpoint_hash, t2p_ip_endpoint_equal_func, NULL,
                                         server_free);
  self->questions = g_hash_table_new_full (NULL, NULL, question_free, NULL);
  return self;
}

/**
 * t2pw_dns_over_tcp_flush:
 *
 * Forgets servers and questions: the way there has changed.
 */
void
t2pw_dns_over_tcp_flush (T2pwDnsOverTcp *self)
{
  g_hash_table_remove_all (self->questions);
  g_hash_table_remove_all (self->servers);
}

void
t2pw_dns_over_tcp_free (T2pwDnsOverTcp *self)
{
  t2pw_dns_over_tcp_flush (self);
  g_hash_table_unref (self->questions);
  g_hash_table_unref (self->servers);
  g_free (self);
}

void
t2pw_dns_over_tcp_set_stack (T2pwDnsOverTcp *self, T2pwStack *stack)
{
  self->stack = stack;
}

/* --- servers */

static gboolean
is_unused_cb (gpointer key, gpointer value, gpointer user_data)
{
  return ((const Server *) value)->n_questions == 0;
}

static Server *
server_new (T2pwDnsOverTcp *self, T2pwOutbound *outbound, const T2pIpEndpoint *endpoint)
{
  T2pwDnsForwarderConfig config = {
    .reactor = self->reactor, .outbound = outbound, .servers = endpoint, .n_servers = 1
  };
  Server *server = g_new0 (Server, 1);

  server->endpoint = *endpoint;
  server->outbound = outbound;
  server->forwarder = t2pw_dns_forwarder_new (&config);
  g_hash_table_insert (self->servers, &server->endpoint, server);
  return server;
}

/* NULL when there is no room. */
static Server *
find_server (T2pwDnsOverTcp *self, T2pwOutbound *outbound, const T2pIpEndpoint *endpoint)
{
  Server *server = g_hash_table_lookup (self->servers, endpoint);

  if (server != NULL && server->outbound == outbound)
    return server;
  if (server != NULL && server->n_questions > 0)
    return NULL; /* the rules have sent it two ways; soon it has none */
  if (server != NULL)
    g_hash_table_remove (self->servers, endpoint);
  if (g_hash_table_size (self->servers) >= T2PW_DNS_OVER_TCP_MAX_SERVERS)
    g_hash_table_foreach_remove (self->servers, is_unused_cb, NULL);
  if (g_hash_table_size (self->servers) >= T2PW_DNS_OVER_TCP_MAX_SERVERS)
    return NULL;
  return server_new (self, outbound, endpoint);
}

/* --- questions */

static void
answered_cb (const guint8 *message, const T2pDnsAnswer *answer, gpointer user_data)
{
  Question *question = user_data;
  T2pwDnsOverTcp *self = question->self;
  guint8 bytes[T2P_DNS_MAX_UDP_BYTES];
  T2pDnsQuery query;
  T2pWriter writer;
  gboolean is_written = FALSE;

  question->waiter = NULL;
  t2p_writer_init (&writer, bytes, sizeof bytes);
  if (t2p_dns_query_decode (question->query, question->length, &query) == T2P_DNS_PARSE_OK)
    {
      gsize most = t2p_dns_query_udp_limit (&query);

      is_written = answer != NULL
                       ? t2p_dns_answer_write (&writer, &query, message, answer, 0, most)
                       : t2p_dns_write_status (&writer, &query, T2P_DNS_SERVFAIL, most);
    }
  if (is_written)
    t2pw_stack_send_datagram (self->stack, &question->key, bytes, t2p_writer_length (&writer));
  g_hash_table_remove (self->questions, question);
}

/**
 * t2pw_dns_over_tcp_take:
 * @outbound: by which the server is reached
 * @key: from the application to its server
 * @data: (array length=length): hostile; copied
 *
 * Returns: %FALSE when this is no question, or too many are under way
 */
gboolean
t2pw_dns_over_tcp_take (T2pwDnsOverTcp *self,
                        T2pwOutbound *outbound,
                        const T2pwFlowKey *key,
                        const guint8 *data,
                        gsize length)
{
  T2pDnsQuery query;
  Question *question;
  Server *server;

  if (g_hash_table_size (self->questions) >= T2PW_DNS_OVER_TCP_MAX_QUESTIONS ||
      t2p_dns_query_decode (data, length, &query) != T2P_DNS_PARSE_OK ||
      (server = find_server (self, outbound, &key->destination)) == NULL)
    return FALSE;
  question = g_malloc (sizeof *question + length);
  *question = (Question){ .self = self, .server = server, .key = *key, .length = length };
  memcpy (question->query, data, length);
  server->n_questions++;
  g_hash_table_add (self->questions, question);
  question->waiter = t2pw_dns_forwarder_ask (server->forwarder, &query, answered_cb, question);
  if (question->waiter != NULL)
    return TRUE;
  g_hash_table_remove (self->questions, question);
  return FALSE;
}
