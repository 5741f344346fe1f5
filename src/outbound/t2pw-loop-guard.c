/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Routes and rules keep our own connections out of the tunnel. Should they fail, a connection
 * to the upstream comes out of the tunnel, is carried to the upstream by another one, which
 * comes out of the tunnel: as many as there is memory for. So each new flow is looked at, three
 * look-ups in tables of a few entries, and nothing for each packet.
 *
 * Our sockets are known by where they send from, streams while they connect: that is when a
 * flow of theirs would be new. What goes to an upstream goes round whoever sent it. The
 * connections of a proxy on this machine look like anybody's to a worker, which sees no
 * processes; it shows the daemon some of the new flows, and is told which destinations go
 * round: they are closed for a while. */
#include "config.h"

#include "t2pw-loop-guard.h"

#include "t2p-limits.h"
#include "t2pw-own-address.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define TELL_EVERY_US G_USEC_PER_SEC
#define SILENT_EVERY_US (10 * G_USEC_PER_SEC) /* what is sent again is refused */
#define SUSPECT_EVERY_US (G_USEC_PER_SEC / 10)
#define BLOCKED_US (5 * G_USEC_PER_SEC)

typedef struct
{
  T2pIpEndpoint destination;
  gint64 until_us;
} Block;

struct _T2pwLoopGuard
{
  T2pReactor *reactor;
  T2pwLoopFunc func;
  gpointer user_data;
  GHashTable *sockets;   /* T2pwOwnSocket → how many of them */
  GHashTable *upstreams; /* set of T2pIpEndpoint */
  Block blocks[T2P_MAX_BLOCKED_LOOPS];
  guint n_blocks;
  guint next_block; /* the oldest, once all are used */
  gboolean is_suspicious;
  gint64 told_us;
  gint64 silent_us;
  gint64 suspected_us;
  guint64 n_caught;
};

const char *
t2pw_loop_kind_to_string (T2pwLoopKind kind)
{
  switch (kind)
    {
    case T2PW_LOOP_OWN_SOCKET:
      return "own-socket";
    case T2PW_LOOP_UPSTREAM:
      return "upstream";
    case T2PW_LOOP_LOCAL_PROXY:
      return "local-proxy";
    case T2PW_LOOP_SUSPECT:
      return "suspect";
    }
  return "suspect";
}

/* --- tables */

static guint
hash_endpoint (gconstpointer key)
{
  const T2pIpEndpoint *endpoint = key;
  guint64 words[2];

  memcpy (words, endpoint->address.bytes, sizeof words);
  words[0] ^= words[1] ^ ((guint64) endpoint->port << 16);
  words[0] *= G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  return (guint) (words[0] >> 32);
}

static gboolean
is_same_endpoint (gconstpointer a, gconstpointer b)
{
  const T2pIpEndpoint *one = a;
  const T2pIpEndpoint *other = b;

  return one->port == other->port && t2p_ip_address_equal (&one->address, &other->address);
}

static guint
hash_socket (gconstpointer key)
{
  return hash_endpoint (&((const T2pwOwnSocket *) key)->source);
}

static gboolean
is_same_socket (gconstpointer a, gconstpointer b)
{
  const T2pwOwnSocket *one = a;
  const T2pwOwnSocket *other = b;

  return one->protocol == other->protocol && is_same_endpoint (&one->source, &other->source);
}

T2pwLoopGuard *
t2pw_loop_guard_new (T2pReactor *reactor, T2pwLoopFunc func, gpointer user_data)
{
  T2pwLoopGuard *guard = g_new0 (T2pwLoopGuard, 1);

  guard->reactor = reactor;
  guard->func = func;
  guard->user_data = user_data;
  guard->sockets = g_hash_table_new_full (hash_socket, is_same_socket, g_free, NULL);
  guard->upstreams = g_hash_table_new_full (hash_endpoint, is_same_endpoint, g_free, NULL);
  return guard;
}

void
t2pw_loop_guard_free (T2pwLoopGuard *guard)
{
  g_hash_table_unref (guard->sockets);
  g_hash_table_unref (guard->upstreams);
  g_free (guard);
}

void
t2pw_loop_guard_add_upstream (T2pwLoopGuard *guard, const T2pIpEndpoint *upstream)
{
  if (g_hash_table_size (guard->upstreams) < T2P_MAX_LOOP_UPSTREAMS)
    g_hash_table_add (guard->upstreams, g_memdup2 (upstream, sizeof *upstream));
}

/* --- our sockets */

static guint
count_of (const T2pwLoopGuard *guard, const T2pwOwnSocket *own)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (guard->sockets, own));
}

static void
set_count (T2pwLoopGuard *guard, const T2pwOwnSocket *own, guint n)
{
  if (n > 0)
    g_hash_table_insert (guard->sockets, g_memdup2 (own, sizeof *own), GUINT_TO_POINTER (n));
  else
    g_hash_table_remove (guard->sockets, own);
}

void
t2pw_loop_guard_watch (T2pwLoopGuard *guard, T2pwOwnSocket *own, guint8 protocol, int fd)
{
  struct sockaddr_storage name;
  socklen_t length = sizeof name;

  memset (own, 0, sizeof *own);
  if (guard == NULL || getsockname (fd, (struct sockaddr *) &name, &length) < 0 ||
      !t2p_ip_endpoint_from_sockaddr ((struct sockaddr *) &name, length, &own->source) ||
      own->source.port == 0)
    return;
  own->protocol = protocol;
  set_count (guard, own, count_of (guard, own) + 1);
}

void
t2pw_loop_guard_forget (T2pwLoopGuard *guard, T2pwOwnSocket *own)
{
  if (guard == NULL || own->protocol == 0)
    return;
  set_count (guard, own, count_of (guard, own) - 1);
  own->protocol = 0;
}

/* One that is not connected sends from whatever address of this machine suits. Others, in a
 * container or behind a gateway, may have the same port, and are none of ours. */
static gboolean
is_own (const T2pwLoopGuard *guard, guint8 protocol, const T2pIpEndpoint *source)
{
  T2pwOwnSocket key;

  if (g_hash_table_size (guard->sockets) == 0)
    return FALSE;
  memset (&key, 0, sizeof key);
  key.protocol = protocol;
  key.source = *source;
  if (count_of (guard, &key) > 0)
    return TRUE;
  memset (key.source.address.bytes, 0, sizeof key.source.address.bytes);
  return count_of (guard, &key) > 0 && t2pw_is_own_address (&source->address);
}

/* --- flows */

static gboolean
is_blocked (const T2pwLoopGuard *guard, const T2pIpEndpoint *destination)
{
  for (guint i = 0; i < guard->n_blocks; i++)
    if (is_same_endpoint (&guard->blocks[i].destination, destination) &&
        t2p_reactor_get_now_us (guard->reactor) < guard->blocks[i].until_us)
      return TRUE;
  return FALSE;
}

static void
tell_suspect (T2pwLoopGuard *guard,
              guint8 protocol,
              const T2pIpEndpoint *source,
              const T2pIpEndpoint *destination)
{
  gint64 now_us = t2p_reactor_get_now_us (guard->reactor);

  if (!guard->is_suspicious || now_us - guard->suspected_us < SUSPECT_EVERY_US)
    return;
  guard->suspected_us = now_us;
  guard->func (T2PW_LOOP_SUSPECT, protocol, source, destination, guard->user_data);
}

static T2pwLoopVerdict
take (T2pwLoopGuard *guard,
      T2pwLoopKind kind,
      guint8 protocol,
      const T2pIpEndpoint *source,
      const T2pIpEndpoint *destination)
{
  gint64 now_us = t2p_reactor_get_now_us (guard->reactor);

  guard->n_caught++;
  if (guard->told_us != 0 && now_us - guard->told_us < TELL_EVERY_US)
    return T2PW_LOOP_REFUSE;
  guard->told_us = now_us;
  guard->func (kind, protocol, source, destination, guard->user_data);
  if (guard->silent_us != 0 && now_us - guard->silent_us < SILENT_EVERY_US)
    return T2PW_LOOP_REFUSE;
  guard->silent_us = now_us;
  return T2PW_LOOP_SILENCE;
}

T2pwLoopVerdict
t2pw_loop_guard_judge (T2pwLoopGuard *guard,
                       guint8 protocol,
                       const T2pIpEndpoint *source,
                       const T2pIpEndpoint *destination)
{
  if (guard == NULL)
    return T2PW_LOOP_PASS;
  if (is_own (guard, protocol, source))
    return take (guard, T2PW_LOOP_OWN_SOCKET, protocol, source, destination);
  if (protocol == IPPROTO_TCP && g_hash_table_contains (guard->upstreams, destination))
    return take (guard, T2PW_LOOP_UPSTREAM, protocol, source, destination);
  if (is_blocked (guard, destination))
    return take (guard, T2PW_LOOP_LOCAL_PROXY, protocol, source, destination);
  tell_suspect (guard, protocol, source, destination);
  return T2PW_LOOP_PASS;
}

static Block *
find_block (T2pwLoopGuard *guard, const T2pIpEndpoint *destination)
{
  Block *block;

  for (guint i = 0; i < guard->n_blocks; i++)
    if (is_same_endpoint (&guard->blocks[i].destination, destination))
      return &guard->blocks[i];
  block = &guard->blocks[guard->next_block];
  guard->next_block = (guard->next_block + 1) % T2P_MAX_BLOCKED_LOOPS;
  guard->n_blocks = MIN (guard->n_blocks + 1, T2P_MAX_BLOCKED_LOOPS);
  return block;
}

void
t2pw_loop_guard_block (T2pwLoopGuard *guard, const T2pIpEndpoint *destination)
{
  Block *block = find_block (guard, destination);

  block->destination = *destination;
  block->until_us = t2p_reactor_get_now_us (guard->reactor) + BLOCKED_US;
}

void
t2pw_loop_guard_suspect (T2pwLoopGuard *guard, gboolean is_suspicious)
{
  guard->is_suspicious = is_suspicious;
}

guint64
t2pw_loop_guard_get_n_caught (const T2pwLoopGuard *guard)
{
  return guard->n_caught;
}
