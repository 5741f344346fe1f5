/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * A worker may not see whose sockets its flows come from; with a `user:` rule it asks. It is
 * believed nothing: it may ask for flows that never came. So it learns no more than a uid, of a
 * socket of which it names both ends, and nothing of the loopback, at most
 * T2P_MAX_OWNERS_PER_SECOND times a second (t2pd-worker-filter.c): what /proc/net/tcp shows to
 * every user of the machine, and nothing at all to the worker of a tunnel without such a rule.
 */

#include "t2pd-worker-owners.h"

#include "t2p-log.h"
#include "t2pn-socket-owner.h"

#include <netinet/in.h>

#define ANSWER_TIMEOUT_MS 10000
#define NOBODY G_MAXUINT32

/** Answers: for one worker. */
typedef struct
{
  T2pnSocketOwner *owner; /* NULL: the kernel does not tell */
  int ifindex;
} Answers;

gboolean
t2pd_worker_owners_are_wanted (const T2pSettings *settings)
{
  guint n;
  const T2pRule *const *rules = t2p_settings_get_rules (settings, &n);

  for (guint i = 0; i < n; i++)
    if ((rules[i]->matches & T2P_RULE_MATCH_USER) != 0)
      return TRUE;
  return FALSE;
}

static gboolean
may_be_told (const T2pIpEndpoint *source, const T2pIpEndpoint *destination)
{
  return !t2p_ip_address_is_loopback (&source->address) &&
         !t2p_ip_address_is_loopback (&destination->address);
}

static T2pnOwnership
find (const Answers *answers,
      guint8 protocol,
      const char *source_text,
      const char *destination_text,
      guint32 *out_uid)
{
  T2pIpEndpoint source, destination;

  if (answers->owner == NULL || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) ||
      !t2p_ip_endpoint_parse (source_text, &source) ||
      !t2p_ip_endpoint_parse (destination_text, &destination) ||
      !may_be_told (&source, &destination))
    return T2PN_OWNERSHIP_UNKNOWN;
  return t2pn_socket_owner_find (answers->owner, protocol, &source, &destination,
                                 answers->ifindex, out_uid);
}

static void
wanted_cb (T2pdWorker *worker,
           guint64 id,
           guint protocol,
           const char *source,
           const char *destination,
           gpointer user_data)
{
  guint32 uid = NOBODY;
  T2pnOwnership ownership = find (user_data, (guint8) protocol, source, destination, &uid);

  t2pd_worker_call_async (worker, "Owner",
                          g_variant_new ("(tbu)", id, ownership != T2PN_OWNERSHIP_UNKNOWN, uid),
                          NULL, NULL, ANSWER_TIMEOUT_MS, NULL, NULL, NULL);
}

static void
answers_free (gpointer data, GClosure *closure)
{
  Answers *answers = data;

  g_clear_pointer (&answers->owner, t2pn_socket_owner_free);
  g_free (answers);
}

void
t2pd_worker_owners_attach (T2pdWorker *worker, int ifindex)
{
  Answers *answers = g_new0 (Answers, 1);
  g_autoptr (GError) error = NULL;

  answers->ifindex = ifindex;
  answers->owner = t2pn_socket_owner_new (&error);
  if (answers->owner == NULL)
    t2p_log_warning (NULL, error, "flows that depend on a user are refused");
  g_signal_connect_data (worker, "owner-wanted", G_CALLBACK (wanted_cb), answers, answers_free,
                         0);
}
