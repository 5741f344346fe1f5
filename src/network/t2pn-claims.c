/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-claims.h"

#include <linux/rtnetlink.h>

/** Claim: of one owner. A private table is claimed as a whole. */
typedef struct
{
  GArray *rules;  /* of T2pnRule */
  GArray *tables; /* of guint32 */
} Claim;

static GMutex mutex;
static GHashTable *claims; /* owner: Claim; NULL while there is none */

static void
claim_free (Claim *claim)
{
  g_array_unref (claim->rules);
  g_array_unref (claim->tables);
  g_free (claim);
}

static gboolean
has_table (const Claim *claim, guint32 table)
{
  for (guint i = 0; i < claim->tables->len; i++)
    if (g_array_index (claim->tables, guint32, i) == table)
      return TRUE;
  return FALSE;
}

static void
add_plan (Claim *claim, const T2pnRoutePlan *plan)
{
  g_array_append_vals (claim->rules, plan->bypass_rules->data, plan->bypass_rules->len);
  g_array_append_vals (claim->rules, plan->capture_rules->data, plan->capture_rules->len);
  for (guint i = 0; i < plan->routes->len; i++)
    {
      guint32 table = g_array_index (plan->routes, T2pnRoute, i).table;

      if (table != RT_TABLE_MAIN && !has_table (claim, table))
        g_array_append_val (claim->tables, table);
    }
}

void
t2pn_claims_set (gconstpointer owner, const T2pnRoutePlan *installed, const T2pnRoutePlan *next)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&mutex);
  Claim *claim = g_new (Claim, 1);

  claim->rules = g_array_new (FALSE, FALSE, sizeof (T2pnRule));
  claim->tables = g_array_new (FALSE, FALSE, sizeof (guint32));
  add_plan (claim, installed);
  if (next != NULL)
    add_plan (claim, next);
  if (claims == NULL)
    claims = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) claim_free);
  g_hash_table_insert (claims, (gpointer) owner, claim);
}

void
t2pn_claims_drop (gconstpointer owner)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&mutex);

  if (claims == NULL)
    return;
  g_hash_table_remove (claims, owner);
  if (g_hash_table_size (claims) == 0)
    g_clear_pointer (&claims, g_hash_table_unref);
}

static gboolean
has_rule (const Claim *claim, const T2pnRule *rule)
{
  for (guint i = 0; i < claim->rules->len; i++)
    if (t2pn_rule_equal (&g_array_index (claim->rules, T2pnRule, i), rule))
      return TRUE;
  return FALSE;
}

void
t2pn_claims_tag_rule (T2pnRule *rule)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&mutex);
  GHashTableIter iter;
  gpointer claim;

  if (claims == NULL || rule->protocol != RTPROT_STATIC)
    return;
  g_hash_table_iter_init (&iter, claims);
  while (g_hash_table_iter_next (&iter, NULL, &claim))
    if (has_rule (claim, rule))
      {
        rule->protocol = T2PN_PROTOCOL;
        return;
      }
}

void
t2pn_claims_tag_route (T2pnRoute *route)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&mutex);
  GHashTableIter iter;
  gpointer claim;

  if (claims == NULL || route->protocol != RTPROT_STATIC)
    return;
  g_hash_table_iter_init (&iter, claims);
  while (g_hash_table_iter_next (&iter, NULL, &claim))
    if (has_table (claim, route->table))
      {
        route->protocol = T2PN_PROTOCOL;
        return;
      }
}
