/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-stack.h"

G_BEGIN_DECLS

#define T2PW_OWNER_ANSWER_MS 2000
/* Under way; how many are asked in a second is bounded, too: T2P_MAX_OWNERS_PER_SECOND. */
#define T2PW_OWNER_MAX_QUESTIONS 1024

/* Whose flow it is: asked of somebody who may see that, and answered later. */
typedef struct _T2pwFlowOwners T2pwFlowOwners;
typedef struct _T2pwOwnerQuestion T2pwOwnerQuestion;

/* Sends the question; t2pw_flow_owners_answer() is for the answer. */
typedef void (*T2pwOwnerAskFunc) (guint64 id,
                                  guint8 protocol,
                                  const T2pwFlowKey *key,
                                  gpointer user_data);
/* @uid: T2PW_RULE_NOBODY when no user of this machine sends that. @is_known is FALSE when there
 * was no answer, or one that says nothing: the question is gone. */
typedef void (*T2pwOwnerFunc) (gboolean is_known, guint32 uid, gpointer user_data);

T2pwFlowOwners *
t2pw_flow_owners_new (T2pReactor *reactor, T2pwOwnerAskFunc ask, gpointer user_data);
void t2pw_flow_owners_free (T2pwFlowOwners *owners);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwFlowOwners, t2pw_flow_owners_free)

gboolean t2pw_flow_owners_recall (T2pwFlowOwners *owners,
                                  guint8 protocol,
                                  const T2pIpEndpoint *source,
                                  guint32 *out_uid);
T2pwOwnerQuestion *t2pw_flow_owners_ask (T2pwFlowOwners *owners,
                                         guint8 protocol,
                                         const T2pwFlowKey *key,
                                         T2pwOwnerFunc func,
                                         gpointer user_data);
void t2pw_owner_question_cancel (T2pwOwnerQuestion *question);
void
t2pw_flow_owners_answer (T2pwFlowOwners *owners, guint64 id, gboolean is_known, guint32 uid);

G_END_DECLS
