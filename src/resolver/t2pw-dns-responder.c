/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Bytes of a query in, bytes of an answer out. A and AAAA are answered from the pools, with a
 * time to live of a second: what a cache keeps outlives the tunnel. Single labels and excluded
 * names go to the uplink's servers: that takes time, so the caller hands such a query to
 * t2pw_dns_responder_forward(). Everything else is empty: a "no such name" would deny the
 * addresses too (RFC 8020), and HTTPS records would carry addresses past the map. */
#include "config.h"

#include "t2pw-dns-responder.h"

#include "t2p-dns.h"
#include "t2p-error.h"

#include <string.h>

#define TTL_S 1
#define FORWARD_TIMEOUT_MS 5000 /* what stub resolvers wait */
/* Browsers that ask for it leave DNS over HTTPS off when it does not exist. */
#define CANARY_NAME "use-application-dns.net"

struct _T2pwDnsResponder
{
  T2pwDnsResponderConfig config;
  T2pwDnsCounters counters;
  guint n_forwards;
};

struct _T2pwDnsForward
{
  T2pwDnsResponder *responder;
  T2pwLookup *lookup;
  T2pwDnsTransport transport;
  T2pwDnsForwardDone done;
  gpointer user_data;
  gsize length;
  guint8 query[];
};

T2pwDnsResponder *
t2pw_dns_responder_new (const T2pwDnsResponderConfig *config)
{
  T2pwDnsResponder *responder = g_new0 (T2pwDnsResponder, 1);

  responder->config = *config;
  return responder;
}

/* Forwards are cancelled before. */
void
t2pw_dns_responder_free (T2pwDnsResponder *responder)
{
  g_warn_if_fail (responder->n_forwards == 0);
  g_free (responder);
}

void
t2pw_dns_responder_set_ipv6 (T2pwDnsResponder *responder, gboolean has_ipv6)
{
  responder->config.has_ipv6 = has_ipv6;
}

void
t2pw_dns_responder_set_exclude (T2pwDnsResponder *responder, const T2pwNameSet *exclude)
{
  responder->config.exclude = exclude;
}

const T2pwDnsCounters *
t2pw_dns_responder_get_counters (const T2pwDnsResponder *responder)
{
  return &responder->counters;
}

static gsize
max_bytes (const T2pDnsQuery *query, T2pwDnsTransport transport)
{
  return transport == T2PW_DNS_OVER_UDP ? t2p_dns_query_udp_limit (query)
                                        : T2P_DNS_MAX_MESSAGE_BYTES;
}

static T2pwDnsVerdict
answer_status (T2pwDnsResponder *responder,
               const T2pDnsQuery *query,
               T2pDnsRcode rcode,
               gsize limit,
               T2pWriter *writer)
{
  if (rcode != T2P_DNS_NOERROR && rcode != T2P_DNS_NXDOMAIN)
    responder->counters.failures++;
  return t2p_dns_write_status (writer, query, rcode, limit) ? T2PW_DNS_ANSWERED : T2PW_DNS_DROP;
}

/* "No": the name does not exist, or has no such record; with an SOA so that it is not kept. */
static T2pwDnsVerdict
answer_negative (const T2pDnsQuery *query, T2pDnsRcode rcode, gsize limit, T2pWriter *writer)
{
  T2pDnsReply reply;

  t2p_dns_reply_begin (&reply, writer, query, rcode, limit);
  t2p_dns_reply_add_soa (&reply, TTL_S);
  return t2p_dns_reply_end (&reply) ? T2PW_DNS_ANSWERED : T2PW_DNS_DROP;
}

static T2pwDnsVerdict
answer_address (T2pwDnsResponder *responder,
                const T2pDnsQuery *query,
                gsize limit,
                T2pWriter *writer)
{
  const T2pwDnsResponderConfig *config = &responder->config;
  int family = query->type == T2P_DNS_TYPE_A ? AF_INET : AF_INET6;
  guint32 index;
  T2pIpAddress address;
  T2pDnsReply reply;

  if (family == AF_INET6 && !config->has_ipv6)
    return answer_negative (query, T2P_DNS_NOERROR, limit, writer);
  index = t2pw_virtual_names_assign (config->virtual_names, query->name.text,
                                     t2p_reactor_get_now_us (config->reactor));
  if (index == T2PW_VIRTUAL_NONE)
    return answer_status (responder, query, T2P_DNS_SERVFAIL, limit, writer);
  if (!t2pw_virtual_names_get_address (config->virtual_names, index, family, &address))
    return answer_negative (query, T2P_DNS_NOERROR, limit, writer);
  t2p_dns_reply_begin (&reply, writer, query, T2P_DNS_NOERROR, limit);
  t2p_dns_reply_add_address (&reply, &address, TTL_S);
  return t2p_dns_reply_end (&reply) ? T2PW_DNS_ANSWERED : T2PW_DNS_DROP;
}

static T2pwDnsVerdict
answer_ptr (T2pwDnsResponder *responder,
            const T2pDnsQuery *query,
            gsize limit,
            T2pWriter *writer)
{
  const T2pwVirtualNames *names = responder->config.virtual_names;
  T2pIpAddress address;
  const char *name;
  T2pDnsReply reply;

  if (!t2p_dns_reverse_address (query->name.text, &address) ||
      !t2pw_virtual_names_covers (names, &address))
    return answer_negative (query, T2P_DNS_NOERROR, limit, writer);
  name = t2pw_virtual_names_get_name (names, t2pw_virtual_names_find (names, &address));
  if (name == NULL)
    return answer_negative (query, T2P_DNS_NXDOMAIN, limit, writer);
  t2p_dns_reply_begin (&reply, writer, query, T2P_DNS_NOERROR, limit);
  t2p_dns_reply_add_ptr (&reply, name, TTL_S);
  return t2p_dns_reply_end (&reply) ? T2PW_DNS_ANSWERED : T2PW_DNS_DROP;
}

static gboolean
is_address_type (guint16 type)
{
  return type == T2P_DNS_TYPE_A || type == T2P_DNS_TYPE_AAAA;
}

/* A name that a proxy can be given as it is. */
static gboolean
can_be_virtual (const T2pDnsName *name)
{
  T2pIpAddress ignored;

  return name->is_plain && name->length <= T2P_DNS_MAX_NAME_BYTES &&
         !t2p_ip_address_parse (name->text, &ignored);
}

static gboolean
is_for_uplink (const T2pwDnsResponder *responder, const T2pDnsQuery *query)
{
  if (responder->config.names == NULL || strcmp (query->name.text, ".") == 0)
    return FALSE;
  return strchr (query->name.text, '.') == NULL ||
         (responder->config.exclude != NULL &&
          t2pw_name_set_contains (responder->config.exclude, query->name.text));
}

static T2pwDnsVerdict
answer_question (T2pwDnsResponder *responder,
                 const T2pDnsQuery *query,
                 gsize limit,
                 T2pWriter *writer)
{
  if (query->klass != T2P_DNS_CLASS_IN && query->klass != T2P_DNS_CLASS_ANY)
    return answer_status (responder, query, T2P_DNS_REFUSED, limit, writer);
  if (strcmp (query->name.text, CANARY_NAME) == 0)
    return answer_negative (query, T2P_DNS_NXDOMAIN, limit, writer);
  if (query->type == T2P_DNS_TYPE_PTR)
    return answer_ptr (responder, query, limit, writer);
  if (!is_address_type (query->type) || strcmp (query->name.text, ".") == 0)
    return answer_negative (query, T2P_DNS_NOERROR, limit, writer);
  if (!can_be_virtual (&query->name))
    return answer_negative (query, T2P_DNS_NXDOMAIN, limit, writer);
  if (!is_for_uplink (responder, query))
    return answer_address (responder, query, limit, writer);
  if (responder->n_forwards < T2PW_DNS_MAX_FORWARDS)
    return T2PW_DNS_FORWARD;
  return answer_status (responder, query, T2P_DNS_SERVFAIL, limit, writer);
}

/**
 * t2pw_dns_responder_answer:
 * @query: hostile bytes, without the length bytes of TCP
 * @writer: gets the answer; nothing is written unless the result is ANSWERED
 *
 * Answers what can be answered at once.
 */
T2pwDnsVerdict
t2pw_dns_responder_answer (T2pwDnsResponder *responder,
                           const guint8 *query,
                           gsize length,
                           T2pwDnsTransport transport,
                           T2pWriter *writer)
{
  T2pDnsQuery parsed;

  if (length > T2PW_DNS_MAX_QUERY_BYTES)
    return T2PW_DNS_DROP;
  switch (t2p_dns_query_decode (query, length, &parsed))
    {
    case T2P_DNS_PARSE_DROP:
      return T2PW_DNS_DROP;
    case T2P_DNS_PARSE_REFUSE:
      responder->counters.queries++;
      return answer_status (responder, &parsed, parsed.rcode, max_bytes (&parsed, transport),
                            writer);
    case T2P_DNS_PARSE_OK:
      break;
    }
  responder->counters.queries++;
  return answer_question (responder, &parsed, max_bytes (&parsed, transport), writer);
}

/* --- what goes to the uplink's servers */

static gboolean
forward_write (T2pwDnsForward *forward,
               const T2pIpAddress *addresses,
               guint n,
               guint32 ttl_s,
               const GError *error,
               T2pWriter *writer)
{
  T2pDnsQuery query;
  T2pDnsReply reply;
  int family;
  gsize limit;

  if (t2p_dns_query_decode (forward->query, forward->length, &query) != T2P_DNS_PARSE_OK)
    return FALSE;
  family = query.type == T2P_DNS_TYPE_A ? AF_INET : AF_INET6;
  limit = max_bytes (&query, forward->transport);
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_NOT_FOUND))
    return answer_negative (&query, T2P_DNS_NXDOMAIN, limit, writer) == T2PW_DNS_ANSWERED;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_FAILED))
    return answer_negative (&query, T2P_DNS_NOERROR, limit, writer) == T2PW_DNS_ANSWERED;
  if (error != NULL)
    return answer_status (forward->responder, &query, T2P_DNS_SERVFAIL, limit, writer) ==
           T2PW_DNS_ANSWERED;
  t2p_dns_reply_begin (&reply, writer, &query, T2P_DNS_NOERROR, limit);
  for (guint i = 0; i < n; i++)
    if (addresses[i].family == family)
      t2p_dns_reply_add_address (&reply, &addresses[i], ttl_s);
  if (reply.n_answers == 0)
    t2p_dns_reply_add_soa (&reply, TTL_S);
  return t2p_dns_reply_end (&reply);
}

static void
forward_done_cb (const T2pIpAddress *addresses,
                 guint n,
                 guint32 ttl_s,
                 const GError *error,
                 gpointer user_data)
{
  g_autofree T2pwDnsForward *forward = user_data;
  guint8 answer[T2P_DNS_MAX_UDP_BYTES];
  T2pWriter writer;

  t2p_writer_init (&writer, answer, sizeof answer);
  forward->responder->n_forwards--;
  if (!forward_write (forward, addresses, n, ttl_s, error, &writer))
    t2p_writer_rewind (&writer, 0);
  forward->done (answer, t2p_writer_length (&writer), forward->user_data);
}

/**
 * t2pw_dns_responder_forward:
 * @query: for which t2pw_dns_responder_answer() has just said FORWARD; copied
 * @done: gets the answer, of no bytes when none can be given; the forward is gone then
 *
 * Asks the uplink's servers.
 *
 * Returns: what can be cancelled
 */
T2pwDnsForward *
t2pw_dns_responder_forward (T2pwDnsResponder *responder,
                            const guint8 *query,
                            gsize length,
                            T2pwDnsTransport transport,
                            T2pwDnsForwardDone done,
                            gpointer user_data)
{
  T2pwDnsForward *forward = g_malloc0 (sizeof *forward + length);
  T2pDnsQuery parsed;

  forward->responder = responder;
  forward->transport = transport;
  forward->done = done;
  forward->user_data = user_data;
  forward->length = length;
  memcpy (forward->query, query, length);
  responder->n_forwards++;
  if (t2p_dns_query_decode (forward->query, length, &parsed) == T2P_DNS_PARSE_DROP)
    parsed.name.text[0] = '\0';
  forward->lookup = t2pw_names_lookup (responder->config.names, parsed.name.text,
                                       FORWARD_TIMEOUT_MS, forward_done_cb, forward);
  return forward;
}

/* Its callback is not called. */
void
t2pw_dns_forward_cancel (T2pwDnsForward *forward)
{
  forward->responder->n_forwards--;
  t2pw_lookup_cancel (forward->lookup);
  g_free (forward);
}
