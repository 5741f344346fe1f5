/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-explain-tunnels.h"

#include "t2pd-apps.h"
#include "t2pd-dns-redirect.h"

#include <string.h>

/* A tunnel's rules are at P and a little after; the next P is farther away. */
#define RULES_AFTER_P 16
#define RULES_BEFORE_P 8

typedef gboolean (*Match) (T2pdBringUp *bring_up, gconstpointer data);

/* One in another network namespace has no link and no rule here. */
static gboolean
is_up (T2pdTunnel *tunnel)
{
  T2pTunnelState state = t2pd_tunnel_get_state (tunnel);

  return (state == T2P_TUNNEL_STATE_ACTIVE || state == T2P_TUNNEL_STATE_DEGRADED) &&
         t2pd_bring_up_get_netns (t2pd_bring_up_of (tunnel)) < 0;
}

static T2pdTunnel *
find (T2pdService *service, Match match, gconstpointer data)
{
  g_autoptr (GPtrArray) tunnels = t2pd_manager_list (service->manager);

  for (guint i = 0; i < tunnels->len; i++)
    if (is_up (tunnels->pdata[i]) && match (t2pd_bring_up_of (tunnels->pdata[i]), data))
      return tunnels->pdata[i];
  return NULL;
}

static gboolean
is_of_user (T2pdBringUp *bring_up, guint32 uid)
{
  if (t2p_settings_get_scope (bring_up->settings) == T2P_SCOPE_USER)
    return t2pd_tunnel_get_owner (bring_up->tunnel) == uid;
  for (guint i = 0; i < bring_up->users->len; i++)
    {
      const T2pnUidRange *range = &g_array_index (bring_up->users, T2pnUidRange, i);

      if (uid >= range->first && uid <= range->last)
        return TRUE;
    }
  return bring_up->users->len == 0;
}

/* --- names */

typedef struct
{
  guint32 uid;
  const char *name;
} Name;

/* Length of the domain of @settings that @name is in; -1: in none. */
static int
domain_length (const T2pSettings *settings, const char *name)
{
  const char *const *domains = t2p_settings_get_strv (settings, "dns-domains");
  gsize length = strlen (name);
  int best = domains[0] == NULL ? 0 : -1; /* the default: every name */

  for (guint i = 0; domains[i] != NULL; i++)
    {
      const char *domain = g_str_equal (domains[i], ".") ? "" : domains[i];
      gsize size = strlen (domain);

      if (size == 0 ||
          (length >= size && g_ascii_strcasecmp (name + length - size, domain) == 0 &&
           (length == size || name[length - size - 1] == '.')))
        best = MAX (best, (int) size);
    }
  return best;
}

/* What programs of the user send to name servers is redirected, whatever the name. */
static gboolean
redirects (T2pdBringUp *bring_up, gconstpointer data)
{
  const Name *name = data;

  return bring_up->dns_redirect != T2PD_DNS_REDIRECT_NONE && bring_up->ids.app_mark == 0 &&
         is_of_user (bring_up, name->uid);
}

static gboolean
is_told_to_resolver (T2pdBringUp *bring_up)
{
  const char *backend = t2pd_tunnel_get_facts (bring_up->tunnel)->resolver_backend;

  return backend != NULL && backend[0] != '\0' &&
         t2p_settings_get_dns (bring_up->settings) != T2P_DNS_MODE_OFF;
}

T2pdTunnel *
t2pd_explain_find_names (T2pdService *service, guint32 uid, const char *name)
{
  g_autoptr (GPtrArray) tunnels = t2pd_manager_list (service->manager);
  const Name asked = { uid, name };
  T2pdTunnel *best = find (service, redirects, &asked);
  int best_length = best != NULL ? G_MAXINT : -1;

  for (guint i = 0; i < tunnels->len; i++)
    {
      T2pdBringUp *bring_up = t2pd_bring_up_of (tunnels->pdata[i]);
      int length = domain_length (bring_up->settings, name);

      if (length <= best_length || !is_up (tunnels->pdata[i]) ||
          !is_told_to_resolver (bring_up))
        continue;
      best_length = length;
      best = tunnels->pdata[i];
    }
  return best;
}

/* --- links and rules */

static gboolean
has_link (T2pdBringUp *bring_up, gconstpointer data)
{
  return t2pd_tunnel_get_facts (bring_up->tunnel)->ifindex == *(const int *) data;
}

T2pdTunnel *
t2pd_explain_find_link (T2pdService *service, int ifindex)
{
  return ifindex != 0 ? find (service, has_link, &ifindex) : NULL;
}

static gboolean
has_table (T2pdBringUp *bring_up, gconstpointer data)
{
  const T2pnRule *rule = data;

  return rule->table != 0 &&
         (rule->table == bring_up->ids.table || rule->table == bring_up->ids.override_table);
}

static gboolean
has_priority (T2pdBringUp *bring_up, gconstpointer data)
{
  const T2pnRule *rule = data;
  guint32 first = bring_up->ids.rule_priority;

  return first != 0 && rule->priority + RULES_BEFORE_P >= first &&
         rule->priority < first + RULES_AFTER_P;
}

T2pdTunnel *
t2pd_explain_find_rule (T2pdService *service, const T2pnRule *rule)
{
  T2pdTunnel *tunnel = NULL;

  if (rule != NULL)
    tunnel = find (service, has_table, rule);
  if (tunnel == NULL && rule != NULL && rule->priority != 0 && rule->protocol == T2PN_PROTOCOL)
    tunnel = find (service, has_priority, rule);
  return tunnel;
}

static gboolean
has_worker (T2pdBringUp *bring_up, gconstpointer data)
{
  return t2pd_carrier_get_worker (bring_up->carrier) != NULL;
}

T2pdTunnel *
t2pd_explain_find_worker (T2pdService *service)
{
  return find (service, has_worker, NULL);
}

/* --- programs */

typedef struct
{
  guint32 uid;
  const char *cgroup;
} Program;

static gboolean
has_apps (T2pdBringUp *bring_up, gconstpointer data)
{
  return bring_up->ids.app_mark != 0 && is_of_user (bring_up, *(const guint32 *) data);
}

gboolean
t2pd_explain_has_apps (T2pdService *service, guint32 uid)
{
  return find (service, has_apps, &uid) != NULL;
}

static gboolean
captures_program (T2pdBringUp *bring_up, gconstpointer data)
{
  const Program *program = data;

  return has_apps (bring_up, &program->uid) && bring_up->apps != NULL &&
         t2pd_apps_captures (bring_up->apps, program->cgroup);
}

guint32
t2pd_explain_find_mark (T2pdService *service, guint32 uid, const char *cgroup)
{
  const Program program = { uid, cgroup };
  T2pdTunnel *tunnel = find (service, captures_program, &program);

  return tunnel != NULL ? t2pd_bring_up_of (tunnel)->ids.app_mark : 0;
}
