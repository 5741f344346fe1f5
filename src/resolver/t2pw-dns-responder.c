/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Bytes of a query in, bytes of an answer out. Each question has one who answers it:
 *
 * we, at once: names of the machine itself, the canary, private addresses, and with virtual
 * names A, AAAA, the addresses' reverse, and HTTPS and SVCB, which would carry real addresses
 * past the map and are therefore empty;
 * the uplink's servers: single labels and excluded names, of every type;
 * servers that are asked through the upstream: everything else. What they have said is kept,
 * and answered at once, too.
 *
 * The second and third take time, so the caller hands such a query to
 * t2pw_dns_responder_forward(). With virtual names nobody but us says that a name does not
 * exist: that would deny its addresses, too (RFC 8020), and the upstream may know a name that
 * the servers do not. So "no such name" becomes "no such record", and so does no answer at all.
 */
#include "config.h"

#include "t2pw-dns-responder.h"

#include "t2p-limits.h"
#include "t2pw-dns-responder-private.h"
#include "t2pw-local-names.h"

#include <string.h>

/* Browsers that ask for it leave DNS over HTTPS off when it does not exist. */
#define CANARY_NAME "use-application-dns.net"

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

gsize
t2pw_dns_max_bytes (const T2pDnsQuery *query, T2pwDnsTransport transport)
{
  return transport == T2PW_DNS_OVER_UDP ? t2p_dns_query_udp_limit (query)
                                        : T2P_DNS_MAX_MESSAGE_BYTES;
}

T2pwDnsVerdict
t2pw_dns_answer_status (T2pwDnsResponder *responder,
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
T2pwDnsVerdict
t2pw_dns_answer_negative (const T2pDnsQuery *query,
                          T2pDnsRcode rcode,
                          gsize limit,
                          T2pWriter *writer)
{
  T2pDnsReply reply;

  t2p_dns_reply_begin (&reply, writer, query, rcode, limit);
  t2p_dns_reply_add_soa (&reply, T2PW_DNS_TTL_S);
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
    return t2pw_dns_answer_negative (query, T2P_DNS_NOERROR, limit, writer);
  index = t2pw_virtual_names_assign (config->virtual_names, query->name.text,
                                     t2p_reactor_get_now_us (config->reactor));
  if (index == T2PW_VIRTUAL_NONE)
    return t2pw_dns_answer_status (responder, query, T2P_DNS_SERVFAIL, limit, writer);
  if (!t2pw_virtual_names_get_address (config->virtual_names, index, family, &address))
    return t2pw_dns_answer_negative (query, T2P_DNS_NOERROR, limit, writer);
  t2p_dns_reply_begin (&reply, writer, query, T2P_DNS_NOERROR, limit);
  t2p_dns_reply_add_address (&reply, &address, T2PW_DNS_TTL_S);
  return t2p_dns_reply_end (&reply) ? T2PW_DNS_ANSWERED : T2PW_DNS_DROP;
}

/* @address lies in a pool. */
static T2pwDnsVerdict
answer_pointer (T2pwDnsResponder *responder,
                const T2pDnsQuery *query,
                const T2pIpAddress *address,
                gsize limit,
                T2pWriter *writer)
{
  const T2pwVirtualNames *names = responder->config.virtual_names;
  const char *name =
      t2pw_virtual_names_get_name (names, t2pw_virtual_names_find (names, address));
  T2pDnsReply reply;

  if (name == NULL)
    return t2pw_dns_answer_negative (query, T2P_DNS_NXDOMAIN, limit, writer);
  t2p_dns_reply_begin (&reply, writer, query, T2P_DNS_NOERROR, limit);
  t2p_dns_reply_add_ptr (&reply, name, T2PW_DNS_TTL_S);
  return t2p_dns_reply_end (&reply) ? T2PW_DNS_ANSWERED : T2PW_DNS_DROP;
}

/* "localhost" and what is below it, at both loopback addresses (RFC 6761 section 6.3). */
static T2pwDnsVerdict
answer_localhost (const T2pDnsQuery *query, gsize limit, T2pWriter *writer)
{
  T2pIpAddress addresses[T2PW_LOCAL_NAMES_MAX_ADDRESSES];
  guint n = t2pw_local_names_answer (query->name.text, addresses);
  int family = query->type == T2P_DNS_TYPE_A ? AF_INET : AF_INET6;
  T2pDnsReply reply;

  if (query->type != T2P_DNS_TYPE_A && query->type != T2P_DNS_TYPE_AAAA)
    return t2pw_dns_answer_negative (query, T2P_DNS_NOERROR, limit, writer);
  t2p_dns_reply_begin (&reply, writer, query, T2P_DNS_NOERROR, limit);
  for (guint i = 0; i < n; i++)
    if (addresses[i].family == family)
      t2p_dns_reply_add_address (&reply, &addresses[i], T2PW_DNS_TTL_S);
  return t2p_dns_reply_end (&reply) ? T2PW_DNS_ANSWERED : T2PW_DNS_DROP;
}

/* --- who answers */

static gboolean
is_localhost (const T2pDnsQuery *query)
{
  T2pIpAddress ignored[T2PW_LOCAL_NAMES_MAX_ADDRESSES];

  return t2pw_local_names_answer (query->name.text, ignored) == T2PW_LOCAL_NAMES_MAX_ADDRESSES;
}

static gboolean
is_root (const T2pDnsQuery *query)
{
  return strcmp (query->name.text, ".") == 0;
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
  const T2pwDnsResponderConfig *config = &responder->config;

  if (config->names == NULL || is_root (query))
    return FALSE;
  return strchr (query->name.text, '.') == NULL ||
         (config->exclude != NULL &&
          t2pw_name_set_contains (config->exclude, query->name.text));
}

static gboolean
is_in_pool (const T2pwDnsResponder *responder, const T2pIpAddress *address)
{
  return responder->config.virtual_names != NULL &&
         t2pw_virtual_names_covers (responder->config.virtual_names, address);
}

/* RFC 6303: nobody outside can know what it is called. */
static gboolean
is_of_this_place (const T2pIpAddress *address)
{
  return t2p_ip_address_is_private (address) || t2p_ip_address_is_loopback (address) ||
         t2p_ip_address_is_link_local (address) || t2p_ip_address_is_unspecified (address);
}

static gboolean
is_our_type (guint16 type)
{
  return type == T2P_DNS_TYPE_A || type == T2P_DNS_TYPE_AAAA || type == T2P_DNS_TYPE_SVCB ||
         type == T2P_DNS_TYPE_HTTPS;
}

T2pwDnsRoute
t2pw_dns_route_of (const T2pwDnsResponder *responder, const T2pDnsQuery *query)
{
  T2pIpAddress address;
  gboolean is_reverse = t2p_dns_reverse_address (query->name.text, &address);

  if ((query->klass != T2P_DNS_CLASS_IN && query->klass != T2P_DNS_CLASS_ANY) ||
      strcmp (query->name.text, CANARY_NAME) == 0 || is_localhost (query) ||
      (is_reverse && is_in_pool (responder, &address)))
    return T2PW_DNS_ROUTE_OWN;
  if (is_for_uplink (responder, query))
    return T2PW_DNS_ROUTE_UPLINK;
  if (is_reverse && is_of_this_place (&address))
    return T2PW_DNS_ROUTE_OWN;
  if (responder->config.virtual_names != NULL && is_our_type (query->type))
    return T2PW_DNS_ROUTE_OWN;
  return T2PW_DNS_ROUTE_UPSTREAM;
}

/* --- answers */

static T2pwDnsVerdict
answer_own (T2pwDnsResponder *responder,
            const T2pDnsQuery *query,
            gsize limit,
            T2pWriter *writer)
{
  T2pIpAddress address;

  if (query->klass != T2P_DNS_CLASS_IN && query->klass != T2P_DNS_CLASS_ANY)
    return t2pw_dns_answer_status (responder, query, T2P_DNS_REFUSED, limit, writer);
  if (strcmp (query->name.text, CANARY_NAME) == 0)
    return t2pw_dns_answer_negative (query, T2P_DNS_NXDOMAIN, limit, writer);
  if (is_localhost (query))
    return answer_localhost (query, limit, writer);
  if (query->type == T2P_DNS_TYPE_PTR && t2p_dns_reverse_address (query->name.text, &address) &&
      is_in_pool (responder, &address))
    return answer_pointer (responder, query, &address, limit, writer);
  if ((query->type != T2P_DNS_TYPE_A && query->type != T2P_DNS_TYPE_AAAA) || is_root (query) ||
      responder->config.virtual_names == NULL)
    return t2pw_dns_answer_negative (query, T2P_DNS_NOERROR, limit, writer);
  if (!can_be_virtual (&query->name))
    return t2pw_dns_answer_negative (query, T2P_DNS_NXDOMAIN, limit, writer);
  return answer_address (responder, query, limit, writer);
}

const char *
t2pw_dns_responder_explain (const T2pwDnsResponder *responder, const char *name)
{
  T2pDnsQuery query = { .type = T2P_DNS_TYPE_A, .klass = T2P_DNS_CLASS_IN };

  g_strlcpy (query.name.text, name, sizeof query.name.text);
  query.name.length = strlen (query.name.text);
  query.name.is_plain = TRUE;
  switch (t2pw_dns_route_of (responder, &query))
    {
    case T2PW_DNS_ROUTE_UPLINK:
      return "uplink";
    case T2PW_DNS_ROUTE_UPSTREAM:
      return "upstream";
    case T2PW_DNS_ROUTE_OWN:
      break;
    }
  return responder->config.virtual_names != NULL && strcmp (name, CANARY_NAME) != 0 &&
                 !is_localhost (&query) && can_be_virtual (&query.name)
             ? "virtual"
             : "own";
}

/* What is said when no server has said anything. */
T2pwDnsVerdict
t2pw_dns_answer_nothing (T2pwDnsResponder *responder,
                         const T2pDnsQuery *query,
                         gsize limit,
                         T2pWriter *writer)
{
  if (responder->config.virtual_names != NULL &&
      t2pw_dns_route_of (responder, query) == T2PW_DNS_ROUTE_UPSTREAM)
    return t2pw_dns_answer_negative (query, T2P_DNS_NOERROR, limit, writer);
  return t2pw_dns_answer_status (responder, query, T2P_DNS_SERVFAIL, limit, writer);
}

/* What a server has said. */
T2pwDnsVerdict
t2pw_dns_pass_on (T2pwDnsResponder *responder,
                  const T2pDnsQuery *query,
                  const T2pwDnsKept *kept,
                  gsize limit,
                  T2pWriter *writer)
{
  T2pIpAddress ignored;
  gsize start = t2p_writer_length (writer);

  if (!t2p_dns_answer_write (writer, query, kept->message, kept->answer, kept->age_s, limit))
    return T2PW_DNS_DROP;
  if (kept->answer->rcode != T2P_DNS_NOERROR && kept->answer->rcode != T2P_DNS_NXDOMAIN)
    responder->counters.failures++;
  if (kept->answer->rcode == T2P_DNS_NXDOMAIN && responder->config.virtual_names != NULL &&
      t2pw_dns_route_of (responder, query) == T2PW_DNS_ROUTE_UPSTREAM &&
      !t2p_dns_reverse_address (query->name.text, &ignored))
    t2p_dns_answer_hide_absence (writer, start);
  return T2PW_DNS_ANSWERED;
}

static T2pwDnsVerdict
answer_from_upstream (T2pwDnsResponder *responder,
                      const T2pDnsQuery *query,
                      gsize limit,
                      T2pWriter *writer)
{
  T2pwDnsForwarder *forwarder = responder->config.forwarder;
  T2pwDnsKept kept;

  if (forwarder != NULL && t2pw_dns_forwarder_find (forwarder, query, &kept))
    {
      responder->counters.cache_hits++;
      return t2pw_dns_pass_on (responder, query, &kept, limit, writer);
    }
  if (forwarder == NULL ||
      (responder->config.virtual_names != NULL && t2pw_dns_forwarder_is_down (forwarder)))
    return t2pw_dns_answer_nothing (responder, query, limit, writer);
  return T2PW_DNS_FORWARD;
}

static T2pwDnsVerdict
answer_question (T2pwDnsResponder *responder,
                 const T2pDnsQuery *query,
                 gsize limit,
                 T2pWriter *writer)
{
  T2pwDnsVerdict verdict = T2PW_DNS_FORWARD;

  switch (t2pw_dns_route_of (responder, query))
    {
    case T2PW_DNS_ROUTE_OWN:
      return answer_own (responder, query, limit, writer);
    case T2PW_DNS_ROUTE_UPLINK:
      break;
    case T2PW_DNS_ROUTE_UPSTREAM:
      verdict = answer_from_upstream (responder, query, limit, writer);
    }
  if (verdict == T2PW_DNS_FORWARD && responder->n_forwards >= T2P_DNS_MAX_WAITING)
    return t2pw_dns_answer_status (responder, query, T2P_DNS_SERVFAIL, limit, writer);
  return verdict;
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
      return t2pw_dns_answer_status (responder, &parsed, parsed.rcode,
                                     t2pw_dns_max_bytes (&parsed, transport), writer);
    case T2P_DNS_PARSE_OK:
      break;
    }
  responder->counters.queries++;
  return answer_question (responder, &parsed, t2pw_dns_max_bytes (&parsed, transport), writer);
}
