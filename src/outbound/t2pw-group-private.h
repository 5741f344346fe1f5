/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-association.h"
#include "t2pw-group-turns.h"
#include "t2pw-group.h"

G_BEGIN_DECLS

/* What the files of the group share. Nothing else includes this. */

typedef struct _T2pwGroup T2pwGroup;
typedef struct _T2pwMember T2pwMember;
typedef struct _T2pwAttempts T2pwAttempts;

struct _T2pwMember
{
  T2pwOutbound view; /* by this member and no other */
  T2pwGroup *group;
  guint index; /* in the group */
  T2pwOutbound *outbound;
  char *label;
  char *harmless_name;
  T2pwDestination harmless;
  T2pwMemberState state;
  guint checks_to_pass; /* until it is off probation */
  GError *error;
  gint64 last_success_us;
  gint64 probe_rtt_us; /* until a connection of its own has shown one */
  gint64 latency_us;   /* smoothed; 0: not measured */
  gint64 measured_us;  /* when, the last time */

  guint backoff_ms;
  T2pTimer timer;     /* the next check */
  T2pwCarrier *check; /* that runs */
  gint64 check_began_us;

  gboolean is_proven; /* it gave a sign of life by the uplink of today */
  guint n_unanswered; /* attempts since the last sign of life */
  GQueue waiting;     /* T2pwAttempts, for such a sign; linked by themselves */
  GQueue under_way;   /* T2pwAttempts that had none */
  GQueue settled;     /* T2pwAttempts that came about and last as long as it is up */
  T2pTask queue_task;
};

struct _T2pwGroup
{
  T2pwOutbound base;
  const T2pwOutboundContext *context;
  T2pReactor *reactor;
  T2pwGroupConfig config;
  const T2pwGroupHandler *handler;
  gpointer user_data;
  GPtrArray *members;
  guint active;
  guint turn;            /* whose it is next */
  T2pwGroupTurns *turns; /* (nullable): of a rotation */
  T2pTask task;
  gboolean told_up;
  T2pStateReason told_reason;
  guint told_active;
  T2pStateReason switch_reason;
};

/* t2pw-group.c */
T2pwMember *t2pw_group_member_at (T2pwGroup *group, guint index);
guint t2pw_group_get_next (T2pwGroup *group, guint begin, guint32 tried);
guint t2pw_group_take_turn (T2pwGroup *group);
void t2pw_group_members_changed (T2pwGroup *group);

/* t2pw-group-member.c */
T2pwMember *t2pw_member_new (T2pwGroup *group,
                             T2pwOutbound *outbound,
                             const char *label,
                             const T2pwDestination *harmless);
void t2pw_member_free (T2pwMember *member);
void t2pw_member_schedule (T2pwMember *member);
void t2pw_member_check_now (T2pwMember *member);
void t2pw_member_forget (T2pwMember *member);
gboolean t2pw_member_admit (T2pwMember *member);
void t2pw_member_take_back (T2pwMember *member);
gboolean t2pw_member_has_room (const T2pwMember *member);
void t2pw_member_is_up (T2pwMember *member);
void t2pw_member_lives (T2pwMember *member);
void t2pw_member_take_latency (T2pwMember *member, gint64 latency_us);
void t2pw_member_take_failure (T2pwMember *member, gint64 began_us, const GError *error);
void t2pw_member_doubt (T2pwMember *member);
void t2pw_member_take_silence (T2pwMember *member, gint64 began_us);

/* t2pw-group-attempts.c */

/**
 * T2pwAttemptsClass:
 * @may_use: (nullable): whether the member can do at all what is wanted
 * @inability: what is said when no member can
 * @may_go_on: behind this error, to another member
 * @begin: asks the member; FALSE when it cannot do it after all
 * @cancel: what @begin has begun, if it is under way
 * @fail: no member is left, or the one that it had settled with is down
 */
typedef struct
{
  gboolean (*may_use) (const T2pwMember *member);
  const char *inability;
  gboolean (*may_go_on) (const GError *error);
  gboolean (*begin) (T2pwAttempts *attempts, T2pwMember *member);
  void (*cancel) (T2pwAttempts *attempts);
  void (*fail) (T2pwAttempts *attempts, T2pRefusal refusal, const GError *error);
} T2pwAttemptsClass;

/** T2pwAttempts: of one flow or association; embedded in it. */
struct _T2pwAttempts
{
  const T2pwAttemptsClass *klass;
  T2pwGroup *group;
  guint begin;      /* where the policy begins */
  guint member;     /* that it tries, or that it would have tried first */
  guint32 excluded; /* bits of members: none of its business */
  guint32 tried;
  guint n_members; /* that it turned to */
  gint64 began_us;
  gboolean has_spoken; /* the member, to this one */
  GList link;          /* in one of the member's queues */
  GQueue *queue;       /* (nullable): which */
  T2pTimer timer;      /* while it waits */
  T2pTask task;        /* when no member could be tried */
};

void t2pw_attempts_init (T2pwAttempts *attempts,
                         const T2pwAttemptsClass *klass,
                         T2pwGroup *group,
                         guint begin,
                         guint32 excluded);
void t2pw_attempts_clear (T2pwAttempts *attempts);
T2pwMember *t2pw_attempts_get_member (const T2pwAttempts *attempts);
void t2pw_attempts_start (T2pwAttempts *attempts);
void t2pw_attempts_asked (T2pwAttempts *attempts, gboolean has_spoken);
void t2pw_attempts_succeeded (T2pwAttempts *attempts);
void t2pw_attempts_settle (T2pwAttempts *attempts);
void t2pw_attempts_failed (T2pwAttempts *attempts, T2pRefusal refusal, const GError *error);
void t2pw_attempts_given_up (T2pwAttempts *attempts);
/* By the member's queue. */
void t2pw_attempts_let_through (T2pwAttempts *attempts);
void t2pw_attempts_move_on (T2pwAttempts *attempts);

/* t2pw-group-carrier.c */
T2pwCarrier *t2pw_group_open (T2pwOutbound *base,
                              const T2pwDestination *destination,
                              const T2pwCarrierHandler *handler,
                              gpointer user_data);
T2pwCarrier *t2pw_member_open (T2pwMember *member,
                               const T2pwDestination *destination,
                               const T2pwCarrierHandler *handler,
                               gpointer user_data);

/* t2pw-group-association.c */
T2pwAssociation *t2pw_group_associate (T2pwOutbound *base,
                                       const T2pwAssociationHandler *handler,
                                       gpointer user_data);
T2pwAssociation *t2pw_member_associate (T2pwMember *member,
                                        const T2pwAssociationHandler *handler,
                                        gpointer user_data);

/* t2pw-group-evidence.c */
typedef enum
{
  T2PW_EVIDENCE_NONE,
  T2PW_EVIDENCE_UP,      /* it answered, if only to say no */
  T2PW_EVIDENCE_GREETED, /* it took the request and then said nothing */
  T2PW_EVIDENCE_DOWN,
  T2PW_EVIDENCE_DOUBTFUL, /* some proxies hang up instead of answering */
} T2pwEvidence;

T2pwEvidence t2pw_evidence_of (const GError *error);

/* t2pw-group-view.c */
void t2pw_member_init_view (T2pwMember *member);

G_END_DECLS
