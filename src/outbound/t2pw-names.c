/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An entry is a name: pending (one c-ares query runs, everybody who asks waits on it) or known
 * (an answer or a failure with the time until which it holds). A look-up is one waiter; it is
 * told by a task of its own, never from within the call that asked, and may be cancelled at any
 * time without disturbing the query. Who asks is t2pw-ares-channel.c.
 *
 * Bounded: entries by T2PW_NAMES_MAX_CACHED, waiters by T2PW_NAMES_MAX_WAITING. Deliberately
 * missing: search domains (the application's resolver has applied them already). */
#include "config.h"

#include "t2pw-names.h"

#include "t2p-error.h"
#include "t2p-quote.h"
#include "t2pw-ares-channel.h"
#include "t2pw-local-names.h"

#include <string.h>

#define MAX_TTL_S 300 /* a proxy that moved is found again soon */
#define MIN_TTL_S 1
#define FAILURE_TTL_S 3 /* long enough that a busy flow table does not storm the server */

typedef struct
{
  T2pwNames *names;
  char *name;
  gboolean is_pending;
  gint64 expires_us;
  GError *error;
  guint n_addresses;
  T2pIpAddress addresses[T2PW_NAMES_MAX_ADDRESSES];
  GQueue waiters; /* T2pwLookup, while pending */
} Entry;

struct _T2pwLookup
{
  T2pwNames *names;
  Entry *entry; /* NULL: the answer was copied below */
  GList link;
  T2pTimer timer;
  T2pTask task;
  T2pwLookupDone done;
  gpointer user_data;
  GError *error;
  guint32 ttl_s;
  guint n_addresses;
  T2pIpAddress addresses[T2PW_NAMES_MAX_ADDRESSES];
};

struct _T2pwNames
{
  T2pReactor *reactor;
  T2pwSocketPolicy *policy;
  T2pwAresChannel *channel; /* NULL when c-ares has none to give */
  T2pwRawQueries *raw;      /* by the same channel */
  gboolean has_library;
  gboolean is_closing;
  GHashTable *entries; /* name → Entry */
  GHashTable *lookups; /* set of T2pwLookup: all that were not told yet */
};

typedef struct
{
  T2pwNames *names;
  char *name;
} Query;

/* --- look-ups */

static void
lookup_free (T2pwLookup *lookup)
{
  T2pwNames *names = lookup->names;

  if (lookup->entry != NULL)
    g_queue_unlink (&lookup->entry->waiters, &lookup->link);
  t2p_reactor_disarm (names->reactor, &lookup->timer);
  t2p_reactor_cancel (names->reactor, &lookup->task);
  g_hash_table_remove (names->lookups, lookup);
  g_clear_error (&lookup->error);
  g_free (lookup);
}

/**
 * t2pw_lookup_cancel:
 *
 * Frees the look-up; its callback is not called.
 */
void
t2pw_lookup_cancel (T2pwLookup *lookup)
{
  lookup_free (lookup);
}

static void
lookup_tell_cb (T2pTask *task)
{
  T2pwLookup *lookup = T2P_OWNER_OF (task, T2pwLookup, task);
  T2pwLookupDone done = lookup->done;
  gpointer user_data = lookup->user_data;
  g_autoptr (GError) error = g_steal_pointer (&lookup->error);
  T2pIpAddress addresses[T2PW_NAMES_MAX_ADDRESSES];
  guint n_addresses = lookup->n_addresses;
  guint32 ttl_s = lookup->ttl_s;

  memcpy (addresses, lookup->addresses, n_addresses * sizeof *addresses);
  lookup_free (lookup);
  done (addresses, n_addresses, ttl_s, error, user_data);
}

static void
lookup_complete (T2pwLookup *lookup, const Entry *entry)
{
  gint64 left_us = entry->expires_us - g_get_monotonic_time ();

  lookup->n_addresses = entry->n_addresses;
  memcpy (lookup->addresses, entry->addresses, entry->n_addresses * sizeof *entry->addresses);
  lookup->ttl_s = left_us > 0 ? (guint32) (left_us / G_USEC_PER_SEC) : 0;
  if (entry->error != NULL)
    lookup->error = g_error_copy (entry->error);
  t2p_reactor_defer (lookup->names->reactor, &lookup->task, lookup_tell_cb);
}

static void
lookup_fail (T2pwLookup *lookup, int code, const char *reason, const char *name)
{
  g_autofree char *quoted = t2p_quote (name);

  lookup->error = g_error_new (T2P_ERROR, code, "no address for %s: %s", quoted, reason);
  t2p_reactor_defer (lookup->names->reactor, &lookup->task, lookup_tell_cb);
}

static void
lookup_timeout_cb (T2pTimer *timer)
{
  T2pwLookup *lookup = T2P_OWNER_OF (timer, T2pwLookup, timer);
  Entry *entry = g_steal_pointer (&lookup->entry);

  if (entry == NULL)
    return;
  g_queue_unlink (&entry->waiters, &lookup->link);
  lookup_fail (lookup, T2P_ERROR_RESOLVE_FAILED, "no answer in time", entry->name);
}

/* --- entries */

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  g_clear_error (&entry->error);
  g_free (entry->name);
  g_free (entry);
}

static void
entry_tell_waiters (Entry *entry)
{
  for (GList *link; (link = g_queue_peek_head_link (&entry->waiters)) != NULL;)
    {
      T2pwLookup *lookup = link->data;

      g_queue_unlink (&entry->waiters, link);
      lookup->entry = NULL;
      t2p_reactor_disarm (lookup->names->reactor, &lookup->timer);
      lookup_complete (lookup, entry);
    }
}

static void
entry_fail (Entry *entry, int code, const char *reason)
{
  g_autofree char *quoted = t2p_quote (entry->name);

  entry->n_addresses = 0;
  entry->expires_us = g_get_monotonic_time () + FAILURE_TTL_S * G_USEC_PER_SEC;
  entry->error = g_error_new (T2P_ERROR, code, "no address for %s: %s", quoted, reason);
}

static void
entry_take_answer (Entry *entry, const struct ares_addrinfo *answer)
{
  guint32 ttl_s = MAX_TTL_S;

  entry->n_addresses = 0;
  for (const struct ares_addrinfo_node *node = answer->nodes;
       node != NULL && entry->n_addresses < T2PW_NAMES_MAX_ADDRESSES; node = node->ai_next)
    {
      T2pIpEndpoint endpoint;

      if (!t2p_ip_endpoint_from_sockaddr (node->ai_addr, node->ai_addrlen, &endpoint))
        continue;
      entry->addresses[entry->n_addresses++] = endpoint.address;
      /* /etc/hosts has no time to live: 0 */
      ttl_s = MIN (ttl_s, (guint32) MAX (node->ai_ttl, MIN_TTL_S));
    }
  entry->expires_us = g_get_monotonic_time () + ttl_s * G_USEC_PER_SEC;
  if (entry->n_addresses == 0)
    entry_fail (entry, T2P_ERROR_FAILED, "the answer holds none");
}

static int
error_of_status (int status)
{
  if (status == ARES_ENOTFOUND)
    return T2P_ERROR_NOT_FOUND;
  return status == ARES_ENODATA ? T2P_ERROR_FAILED : T2P_ERROR_RESOLVE_FAILED;
}

static void
answer_cb (void *data, int status, int timeouts, struct ares_addrinfo *answer)
{
  g_autofree Query *query = data;
  g_autofree char *name = query->name;
  T2pwNames *names = query->names;
  Entry *entry = names->is_closing ? NULL : g_hash_table_lookup (names->entries, name);

  if (entry == NULL || !entry->is_pending)
    {
      g_clear_pointer (&answer, ares_freeaddrinfo);
      return;
    }
  if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED)
    return; /* the servers are being exchanged: channel_replace() asks again */
  entry->is_pending = FALSE;
  if (status == ARES_SUCCESS && answer != NULL)
    entry_take_answer (entry, answer);
  else if (!t2pw_ares_channel_has_servers (names->channel))
    entry_fail (entry, T2P_ERROR_RESOLVE_FAILED, "no name server is known");
  else
    entry_fail (entry, error_of_status (status), ares_strerror (status));
  g_clear_pointer (&answer, ares_freeaddrinfo);
  entry_tell_waiters (entry);
}

static void
entry_ask (Entry *entry)
{
  T2pwNames *names = entry->names;
  Query *query = g_new0 (Query, 1);

  query->names = names;
  query->name = g_strdup (entry->name);
  g_clear_error (&entry->error);
  entry->is_pending = TRUE;
  t2pw_ares_channel_look_up (names->channel, entry->name, answer_cb, query);
}

static gboolean
entry_may_go (gpointer key, gpointer value, gpointer user_data)
{
  const Entry *entry = value;

  return !entry->is_pending && entry->expires_us <= *(const gint64 *) user_data;
}

/* FALSE when every place is taken by a name that is being asked for. */
static gboolean
names_make_room (T2pwNames *names)
{
  gint64 now_us = g_get_monotonic_time ();
  GHashTableIter iter;
  gpointer value;

  if (g_hash_table_size (names->entries) < T2PW_NAMES_MAX_CACHED)
    return TRUE;
  if (g_hash_table_foreach_remove (names->entries, entry_may_go, &now_us) > 0)
    return TRUE;
  g_hash_table_iter_init (&iter, names->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (!((Entry *) value)->is_pending)
      {
        g_hash_table_iter_remove (&iter);
        return TRUE;
      }
  return FALSE;
}

static Entry *
names_get_entry (T2pwNames *names, const char *name)
{
  Entry *entry = g_hash_table_lookup (names->entries, name);

  if (entry != NULL && !entry->is_pending && entry->expires_us <= g_get_monotonic_time ())
    {
      g_hash_table_remove (names->entries, name);
      entry = NULL;
    }
  if (entry != NULL || !names_make_room (names))
    return entry;
  entry = g_new0 (Entry, 1);
  entry->names = names;
  entry->name = g_strdup (name);
  g_hash_table_insert (names->entries, entry->name, entry);
  entry_ask (entry);
  return entry;
}

/**
 * t2pw_names_lookup:
 * @name: a host name; a literal address is answered as itself, localhost by the loopback
 * @timeout_ms: after which the waiter is told, whatever the query does
 *
 * Returns: (transfer none): the look-up, valid until @done is called or it is cancelled. @done
 * gets T2P_ERROR: NOT_FOUND (there is no such name), RESOLVE_FAILED, LIMIT_EXCEEDED.
 */
T2pwLookup *
t2pw_names_lookup (T2pwNames *names,
                   const char *name,
                   guint timeout_ms,
                   T2pwLookupDone done,
                   gpointer user_data)
{
  T2pwLookup *lookup = g_new0 (T2pwLookup, 1);
  g_autofree char *folded = g_ascii_strdown (name, -1);
  gboolean is_full = g_hash_table_size (names->lookups) >= T2PW_NAMES_MAX_WAITING;
  Entry *entry;

  lookup->names = names;
  lookup->done = done;
  lookup->user_data = user_data;
  lookup->link.data = lookup;
  g_hash_table_add (names->lookups, lookup);
  lookup->n_addresses = t2pw_local_names_answer (folded, lookup->addresses);
  if (lookup->n_addresses > 0)
    {
      lookup->ttl_s = MAX_TTL_S;
      t2p_reactor_defer (names->reactor, &lookup->task, lookup_tell_cb);
      return lookup;
    }
  entry = is_full || names->channel == NULL ? NULL : names_get_entry (names, folded);
  if (entry == NULL)
    lookup_fail (lookup, T2P_ERROR_LIMIT_EXCEEDED, "too many names are being looked up", name);
  else if (!entry->is_pending)
    lookup_complete (lookup, entry);
  else
    {
      lookup->entry = entry;
      g_queue_push_tail_link (&entry->waiters, &lookup->link);
      t2p_reactor_arm (names->reactor, &lookup->timer, timeout_ms, lookup_timeout_cb);
    }
  return lookup;
}

/* --- servers */

static void
names_ask_again (T2pwNames *names)
{
  g_autoptr (GPtrArray) pending = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, names->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((Entry *) value)->is_pending)
      g_ptr_array_add (pending, value);
  for (guint i = 0; i < pending->len; i++)
    entry_ask (g_ptr_array_index (pending, i));
}

/**
 * t2pw_names_flush:
 *
 * Forgets every answer; what is being asked goes on.
 */
void
t2pw_names_flush (T2pwNames *names)
{
  gint64 forever = G_MAXINT64;

  g_hash_table_foreach_remove (names->entries, entry_may_go, &forever);
}

/* What is being asked comes back with ARES_EDESTRUCTION and is asked again. */
static gboolean
channel_replace (T2pwNames *names, gboolean of_the_system, const char *csv, GError **error)
{
  gboolean has_servers = of_the_system || csv[0] != '\0';
  gboolean is_understood = TRUE;

  g_clear_pointer (&names->channel, t2pw_ares_channel_free);
  t2pw_raw_queries_set_channel (names->raw, NULL);
  names->channel =
      t2pw_ares_channel_new (names->reactor, names->policy, of_the_system, has_servers, error);
  if (names->channel == NULL)
    return FALSE;
  if (has_servers && !of_the_system)
    is_understood = t2pw_ares_channel_set_servers (names->channel, csv);
  t2pw_names_flush (names);
  names_ask_again (names);
  t2pw_raw_queries_set_channel (names->raw, names->channel);
  if (!is_understood)
    g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                 "name servers: saw '%s', expected addresses", csv);
  return is_understood;
}

/**
 * t2pw_names_set_servers:
 * @servers: addresses, or address and port ("192.0.2.1:5353", "[2001:db8::1]:53"); none: only
 *   /etc/hosts is asked
 *
 * The servers from now on. What was known is forgotten, what is being asked is asked again.
 * Errors: T2P_ERROR_INVALID_ARGUMENT; then no server is known.
 */
gboolean
t2pw_names_set_servers (T2pwNames *names, const char *const *servers, GError **error)
{
  g_autoptr (GString) csv = g_string_new (NULL);

  for (gsize i = 0; servers[i] != NULL; i++)
    {
      T2pIpAddress address;
      T2pIpEndpoint endpoint;
      char text[T2P_ENDPOINT_STRLEN];

      if (t2p_ip_address_parse (servers[i], &address))
        endpoint = (T2pIpEndpoint){ .address = address, .port = 53 };
      else if (!t2p_ip_endpoint_parse (servers[i], &endpoint))
        {
          g_autofree char *quoted = t2p_quote (servers[i]);

          g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                       "name server: saw %s, expected an address", quoted);
          return FALSE;
        }
      t2p_ip_endpoint_format (&endpoint, text);
      g_string_append_printf (csv, "%s%s", csv->len > 0 ? "," : "", text);
    }
  return channel_replace (names, FALSE, csv->str, error);
}

/**
 * t2pw_names_use_system_servers:
 *
 * The servers of /etc/resolv.conf as it is now: for a foreground program without a daemon.
 */
gboolean
t2pw_names_use_system_servers (T2pwNames *names, GError **error)
{
  return channel_replace (names, TRUE, NULL, error);
}

/**
 * t2pw_names_new:
 * @policy: not owned, outlives the names
 *
 * Knows no server to begin with.
 */
T2pwNames *
t2pw_names_new (T2pReactor *reactor, T2pwSocketPolicy *policy)
{
  T2pwNames *names = g_new0 (T2pwNames, 1);

  names->reactor = reactor;
  names->policy = policy;
  names->entries = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, entry_free);
  names->lookups = g_hash_table_new (NULL, NULL);
  names->raw = t2pw_raw_queries_new (reactor);
  names->has_library = ares_library_init (ARES_LIB_INIT_ALL) == ARES_SUCCESS;
  if (names->has_library)
    names->channel = t2pw_ares_channel_new (reactor, policy, FALSE, FALSE, NULL);
  return names;
}

T2pwRawQueries *
t2pw_names_get_raw (T2pwNames *names)
{
  return names->raw;
}

/**
 * t2pw_names_free:
 *
 * Look-ups that wait are dropped without a call.
 */
void
t2pw_names_free (T2pwNames *names)
{
  GHashTableIter iter;
  gpointer lookup;

  names->is_closing = TRUE;
  g_clear_pointer (&names->channel, t2pw_ares_channel_free);
  t2pw_raw_queries_free (names->raw);
  for (g_hash_table_iter_init (&iter, names->lookups);
       g_hash_table_iter_next (&iter, &lookup, NULL);
       g_hash_table_iter_init (&iter, names->lookups))
    lookup_free (lookup);
  g_hash_table_unref (names->lookups);
  g_hash_table_unref (names->entries);
  if (names->has_library)
    ares_library_cleanup ();
  g_free (names);
}
