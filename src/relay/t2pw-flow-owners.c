/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The process that has the packets may not see whose sockets they come from; the one that may
 * is asked, with the flow waiting meanwhile. A question ends with its answer, with the time it
 * has, or with the flow. Bounded: questions under way, questions a second, answers that are
 * remembered. Beyond the bounds nobody is asked, and the flow is refused by whoever wanted to
 * know.
 *
 * A UDP socket sends to many destinations, so its owner is remembered for a moment, by its
 * address and port. A TCP connection has these for itself, and after its end they may be
 * another user's: nothing is remembered. */
#include "config.h"

#include "t2pw-flow-owners.h"

#include "t2p-limits.h"

#include <netinet/in.h>
#include <string.h>

#define REMEMBERED_MS 2000
#define MAX_REMEMBERED 4096

struct _T2pwFlowOwners
{
  T2pReactor *reactor;
  T2pwOwnerAskFunc ask;
  gpointer user_data;
  GHashTable *questions; /* id → T2pwOwnerQuestion */
  GHashTable *known;     /* T2pIpEndpoint of a UDP socket → Known */
  guint64 next_id;
  gint64 second;
  guint asked_in_second;
};

struct _T2pwOwnerQuestion
{
  T2pwFlowOwners *owners;
  guint64 id;
  guint8 protocol;
  T2pIpEndpoint source;
  T2pTimer timer;
  T2pwOwnerFunc func;
  gpointer user_data;
};

typedef struct
{
  T2pIpEndpoint source;
  guint32 uid;
  gint64 until_us;
} Known;

/**
 * t2pw_flow_owners_new:
 * @ask: called with each question
 *
 * Returns: (transfer full): nobody is known yet
 */
T2pwFlowOwners *
t2pw_flow_owners_new (T2pReactor *reactor, T2pwOwnerAskFunc ask, gpointer user_data)
{
  T2pwFlowOwners *owners = g_new0 (T2pwFlowOwners, 1);

  owners->reactor = reactor;
  owners->ask = ask;
  owners->user_data = user_data;
  owners->next_id = 1;
  owners->questions = g_hash_table_new (g_int64_hash, g_int64_equal);
  owners->known =
      g_hash_table_new_full (t2p_ip_endpoint_hash, t2p_ip_endpoint_equal_func, NULL, g_free);
  return owners;
}

/* Every question was cancelled or answered before. */
void
t2pw_flow_owners_free (T2pwFlowOwners *owners)
{
  g_hash_table_unref (owners->questions);
  g_hash_table_unref (owners->known);
  g_free (owners);
}

/* --- what is remembered */

static gboolean
is_stale_cb (gpointer key, gpointer value, gpointer user_data)
{
  return ((Known *) value)->until_us <= *(const gint64 *) user_data;
}

static void
remember (T2pwFlowOwners *owners, const T2pIpEndpoint *source, guint32 uid)
{
  gint64 now_us = t2p_reactor_get_now_us (owners->reactor);
  Known *known;

  if (g_hash_table_size (owners->known) >= MAX_REMEMBERED)
    g_hash_table_foreach_remove (owners->known, is_stale_cb, &now_us);
  if (g_hash_table_size (owners->known) >= MAX_REMEMBERED)
    return;
  known = g_new0 (Known, 1);
  *known = (Known){ *source, uid, now_us + REMEMBERED_MS * 1000 };
  g_hash_table_replace (owners->known, &known->source, known);
}

/**
 * t2pw_flow_owners_recall:
 * @out_uid: (out): who it was a moment ago
 *
 * Returns: whether that is known without a question
 */
gboolean
t2pw_flow_owners_recall (T2pwFlowOwners *owners,
                         guint8 protocol,
                         const T2pIpEndpoint *source,
                         guint32 *out_uid)
{
  const Known *known;

  if (protocol != IPPROTO_UDP)
    return FALSE;
  known = g_hash_table_lookup (owners->known, source);
  if (known == NULL || known->until_us <= t2p_reactor_get_now_us (owners->reactor))
    return FALSE;
  *out_uid = known->uid;
  return TRUE;
}

/* --- questions */

static void
question_free (T2pwOwnerQuestion *question)
{
  t2p_reactor_disarm (question->owners->reactor, &question->timer);
  g_hash_table_remove (question->owners->questions, &question->id);
  g_free (question);
}

static void
question_end (T2pwOwnerQuestion *question, gboolean is_known, guint32 uid)
{
  T2pwOwnerFunc func = question->func;
  gpointer user_data = question->user_data;

  question_free (question);
  func (is_known, uid, user_data);
}

static void
unanswered_cb (T2pTimer *timer)
{
  question_end (T2P_OWNER_OF (timer, T2pwOwnerQuestion, timer), FALSE, 0);
}

static gboolean
is_within_rate (T2pwFlowOwners *owners)
{
  gint64 second = t2p_reactor_get_now_us (owners->reactor) / G_USEC_PER_SEC;

  if (second != owners->second)
    {
      owners->second = second;
      owners->asked_in_second = 0;
    }
  return ++owners->asked_in_second <= T2P_MAX_OWNERS_PER_SECOND;
}

/**
 * t2pw_flow_owners_ask:
 * @func: called once, later, unless the question is cancelled
 *
 * Returns: (transfer none) (nullable): the question; %NULL when too many were asked: @func is
 *   not called then
 */
T2pwOwnerQuestion *
t2pw_flow_owners_ask (T2pwFlowOwners *owners,
                      guint8 protocol,
                      const T2pwFlowKey *key,
                      T2pwOwnerFunc func,
                      gpointer user_data)
{
  T2pwOwnerQuestion *question;

  if (g_hash_table_size (owners->questions) >= T2PW_OWNER_MAX_QUESTIONS ||
      !is_within_rate (owners))
    return NULL;
  question = g_new0 (T2pwOwnerQuestion, 1);
  question->owners = owners;
  question->id = owners->next_id++;
  question->protocol = protocol;
  question->source = key->source;
  question->func = func;
  question->user_data = user_data;
  g_hash_table_add (owners->questions, &question->id);
  t2p_reactor_arm (owners->reactor, &question->timer, T2PW_OWNER_ANSWER_MS, unanswered_cb);
  owners->ask (question->id, protocol, key, owners->user_data);
  return question;
}

void
t2pw_owner_question_cancel (T2pwOwnerQuestion *question)
{
  question_free (question);
}

/**
 * t2pw_flow_owners_answer:
 * @id: of a question; one that is not under way (any more) is ignored
 * @is_known: whether @uid is the answer; else there is none
 */
void
t2pw_flow_owners_answer (T2pwFlowOwners *owners, guint64 id, gboolean is_known, guint32 uid)
{
  const guint64 *key = g_hash_table_lookup (owners->questions, &id);
  T2pwOwnerQuestion *question;

  if (key == NULL)
    return;
  question = (gpointer) ((char *) key - G_STRUCT_OFFSET (T2pwOwnerQuestion, id));
  if (is_known && question->protocol == IPPROTO_UDP)
    remember (owners, &question->source, uid);
  question_end (question, is_known, uid);
}
