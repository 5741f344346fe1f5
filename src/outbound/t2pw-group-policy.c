/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Pure functions on what is known of the members. All policies agree on who may get a flow at
 * all: a member that is down never; one on probation only when no trusted one is left, so that
 * an upstream that comes and goes does not take flows with it each time. One that nobody has
 * tried yet is trusted. Among those,
 *
 *   failover       takes the first of the list;
 *   round-robin    each in its turn;
 *   least-latency  the nearest; it leaves the one in use only for another that is nearer by a
 *                  share and by an amount that somebody may notice. Measures are noisy. */
#include "config.h"

#include "t2pw-group-policy.h"

/* Another one is nearer when it takes less than 4/5, and by 2 ms less. */
#define NEARER_BY_SHARE 5
#define NEARER_BY_US 2000

static const char *const policy_names[] = {
  [T2PW_GROUP_FAILOVER] = "failover",
  [T2PW_GROUP_ROUND_ROBIN] = "round-robin",
  [T2PW_GROUP_LEAST_LATENCY] = "least-latency",
};

gboolean
t2pw_group_policy_from_string (const char *text, T2pwGroupPolicy *out_policy)
{
  for (guint i = 0; i < G_N_ELEMENTS (policy_names); i++)
    if (g_strcmp0 (text, policy_names[i]) == 0)
      {
        *out_policy = i;
        return TRUE;
      }
  return FALSE;
}

/* Who may get a flow: all of the better rank before any of the next. */
typedef enum
{
  RANK_TRUSTED,
  RANK_PROBATION,
  RANK_NEVER,
} Rank;

static Rank
rank_of (const T2pwMemberView *view)
{
  if (view->state == T2PW_MEMBER_DOWN)
    return RANK_NEVER;
  return view->on_probation ? RANK_PROBATION : RANK_TRUSTED;
}

/* The best rank among those that were not tried. */
static Rank
best_rank (const T2pwMemberView *views, guint n, guint32 tried)
{
  Rank best = RANK_NEVER;

  for (guint i = 0; i < n; i++)
    if ((tried & (1u << i)) == 0)
      best = MIN (best, rank_of (&views[i]));
  return best;
}

static gboolean
has_rank (const T2pwMemberView *views, guint index, guint32 tried, Rank rank)
{
  return (tried & (1u << index)) == 0 && rank_of (&views[index]) == rank;
}

/* The first of that rank from @begin on, and then round again. */
static guint
first_from (const T2pwMemberView *views, guint n, guint begin, guint32 tried, Rank rank)
{
  for (guint i = 0; i < n; i++)
    if (has_rank (views, (begin + i) % n, tried, rank))
      return (begin + i) % n;
  return T2PW_NO_MEMBER;
}

/* Those that were not measured come behind all others. */
static gboolean
is_less (const T2pwMemberView *a, const T2pwMemberView *b)
{
  return a->latency_us > 0 && (b->latency_us == 0 || a->latency_us < b->latency_us);
}

static guint
nearest (const T2pwMemberView *views, guint n, guint32 tried, Rank rank)
{
  guint best = T2PW_NO_MEMBER;

  for (guint i = 0; i < n; i++)
    if (has_rank (views, i, tried, rank) &&
        (best == T2PW_NO_MEMBER || is_less (&views[i], &views[best])))
      best = i;
  return best;
}

/* One that was not measured yet will be soon: it is not left for that. */
static gboolean
is_clearly_nearer (const T2pwMemberView *other, const T2pwMemberView *current)
{
  gint64 margin_us = MAX (current->latency_us / NEARER_BY_SHARE, NEARER_BY_US);

  return other->latency_us > 0 && other->latency_us < current->latency_us - margin_us;
}

static guint
least_latency_active (const T2pwMemberView *views, guint n, guint active, Rank rank)
{
  guint best = nearest (views, n, 0, rank);

  if (has_rank (views, active, 0, rank) && !is_clearly_nearer (&views[best], &views[active]))
    return active;
  return best;
}

/**
 * t2pw_group_policy_get_active:
 * @active: which it was
 *
 * Returns: the member that stands for the group. For round-robin, where each has its turn, it
 * is the first that takes part. While all are down, it stays the same.
 */
guint
t2pw_group_policy_get_active (T2pwGroupPolicy policy,
                              const T2pwMemberView *views,
                              guint n_views,
                              guint active)
{
  Rank rank = best_rank (views, n_views, 0);

  if (rank == RANK_NEVER)
    return active;
  switch (policy)
    {
    case T2PW_GROUP_FAILOVER:
    case T2PW_GROUP_ROUND_ROBIN:
      return first_from (views, n_views, 0, 0, rank);
    case T2PW_GROUP_LEAST_LATENCY:
      return least_latency_active (views, n_views, active, rank);
    }
  return active;
}

/**
 * t2pw_group_policy_get_next:
 * @begin: whose turn it is, or the active one
 * @tried: bits of members that this flow has tried
 *
 * Returns: the member that a flow is to try next; %T2PW_NO_MEMBER when none is left
 */
guint
t2pw_group_policy_get_next (T2pwGroupPolicy policy,
                            const T2pwMemberView *views,
                            guint n_views,
                            guint begin,
                            guint32 tried)
{
  Rank rank = best_rank (views, n_views, tried);

  if (rank == RANK_NEVER)
    return T2PW_NO_MEMBER;
  if (has_rank (views, begin, tried, rank))
    return begin;
  switch (policy)
    {
    case T2PW_GROUP_FAILOVER:
      return first_from (views, n_views, 0, tried, rank);
    case T2PW_GROUP_ROUND_ROBIN:
      return first_from (views, n_views, begin, tried, rank);
    case T2PW_GROUP_LEAST_LATENCY:
      return nearest (views, n_views, tried, rank);
    }
  return T2PW_NO_MEMBER;
}
