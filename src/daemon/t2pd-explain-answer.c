/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of an explanation. */
#include "config.h"

#include "t2pd-explain-private.h"

#include "t2pn-nft.h"

#include <errno.h>
#include <linux/rtnetlink.h>

typedef enum
{
  PATH_TUNNEL,
  PATH_DIRECT,
  PATH_BLOCKED,
} Path;

/* Others' tunnels are not told; root's are everybody's. */
static gboolean
may_know (const T2pdExplain *explain, T2pdTunnel *tunnel)
{
  guint32 owner = t2pd_tunnel_get_owner (tunnel);

  return explain->question.is_inspector || owner == explain->question.caller_uid || owner == 0;
}

/* What a tunnel's settings say. */
static gboolean
may_see (const T2pdExplain *explain, T2pdTunnel *tunnel)
{
  return explain->question.is_inspector ||
         t2pd_tunnel_get_owner (tunnel) == explain->question.caller_uid;
}

/* (transfer full) */
static char *
name_of (const T2pdExplain *explain, T2pdTunnel *tunnel)
{
  if (tunnel == NULL || !may_know (explain, tunnel))
    return g_strdup ("a tunnel");
  return g_strdup_printf ("tunnel '%s'", t2pd_tunnel_get_name (tunnel));
}

static Path
path_of (const T2pdExplain *explain)
{
  if (explain->answer.errsv != 0)
    return PATH_BLOCKED;
  if (explain->tunnel == NULL || g_strcmp0 (explain->action, "direct") == 0)
    return PATH_DIRECT;
  return explain->action == NULL || g_str_equal (explain->action, "proxy") ? PATH_TUNNEL
                                                                           : PATH_BLOCKED;
}

static const char *
path_name (Path path)
{
  static const char *const names[] = {
    [PATH_TUNNEL] = "tunnel",
    [PATH_DIRECT] = "direct",
    [PATH_BLOCKED] = "blocked",
  };

  return names[path];
}

/* What leaves past all tunnels has the kill switch before it; what stays here has not. */
static const T2pnKillSwitchArm *
find_refusal (const T2pdExplain *explain)
{
  const T2pnLink *link = t2pn_snapshot_find_link (explain->snapshot, explain->answer.ifindex);

  if (explain->answer.errsv != 0 || explain->tunnel != NULL ||
      explain->answer.type == RTN_LOCAL || (link != NULL && (link->flags & IFF_LOOPBACK) != 0))
    return NULL;
  return t2pd_kill_switch_find_refusal (explain->service->kill_switch, &explain->flow);
}

/* --- rule */

/* Ours and the kernel's walk may differ (t2pn-explain.c): then what is not known is not said.
 */
static const T2pnRule *
deciding_rule (const T2pdExplain *explain)
{
  const T2pnWalk *walk = &explain->walk;

  if ((walk->end == T2PN_WALK_ROUTED) != (explain->answer.errsv == 0))
    return NULL;
  if (walk->route != NULL && explain->answer.errsv == 0 && explain->answer.table != 0 &&
      walk->route->table != explain->answer.table)
    return NULL;
  return walk->rule;
}

/* A tunnel's rule when one has decided, else the kernel's. (transfer full) */
static char *
make_rule (const T2pdExplain *explain, const T2pnKillSwitchArm *refusal)
{
  const T2pnRule *rule = deciding_rule (explain);

  if (refusal != NULL)
    return g_strdup ("nftables table inet " T2PN_NFT_TABLE);

  if (explain->tunnel_rule != NULL && explain->tunnel != NULL &&
      may_see (explain, explain->tunnel))
    return g_strdup (explain->tunnel_rule);
  return rule != NULL ? t2pn_rule_to_text (rule) : g_strdup ("");
}

/* --- interface */

/* Where a tunnel's own sockets go: its mark leads past all tunnels. */
static int
find_uplink (const T2pdExplain *explain)
{
  T2pnFlow flow = explain->flow;
  T2pnRouteAnswer answer;

  if (explain->is_virtual)
    flow.destination = t2p_ip_address_from_v4 (0xc0000201); /* any that is out there */
  flow.mark = t2pd_bring_up_of (explain->tunnel)->ids.mark;
  return t2pn_flow_route_ask (&flow, &answer, NULL) && answer.errsv == 0 ? answer.ifindex : 0;
}

static const char *
find_interface (const T2pdExplain *explain, Path path)
{
  int ifindex = path == PATH_DIRECT && explain->tunnel != NULL ? find_uplink (explain)
                                                               : explain->answer.ifindex;
  const T2pnLink *link =
      ifindex != 0 ? t2pn_snapshot_find_link (explain->snapshot, ifindex) : NULL;

  return link != NULL ? link->name : "";
}

/* --- reason */

static void add (GString *reason, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
add (GString *reason, const char *format, ...)
{
  va_list arguments;

  if (reason->len > 0)
    g_string_append (reason, "; ");
  va_start (arguments, format);
  g_string_append_vprintf (reason, format, arguments);
  va_end (arguments);
}

static void
add_refused (const T2pdExplain *explain, GString *reason)
{
  T2pdTunnel *tunnel = t2pd_explain_find_rule (explain->service, deciding_rule (explain));
  g_autofree char *name = name_of (explain, tunnel);

  if (tunnel == NULL)
    add (reason, explain->walk.end == T2PN_WALK_NOWHERE
                     ? "this machine has no route to it"
                     : "a route or a rule of this machine refuses it");
  else if (t2pd_bring_up_of (tunnel)->is_unattended)
    add (reason, "captured by %s, which nobody serves at the moment", name);
  else if (explain->flow.destination.family == AF_INET6)
    add (reason,
         "captured by %s, which refuses IPv6: the proxy does not carry it, or the "
         "setting ipv6 says so",
         name);
  else
    add (reason, "captured by %s, which refuses it", name);
}

static void
add_tunnel (const T2pdExplain *explain, Path path, GString *reason)
{
  g_autofree char *name = name_of (explain, explain->tunnel);

  add (reason, "captured by %s", name);
  if (explain->is_virtual)
    add (reason, path == PATH_TUNNEL ? "the name goes to the proxy as it is"
                                     : "the name is known to the tunnel");
  if (path == PATH_DIRECT)
    add (reason, "a rule of the tunnel sends it directly");
  else if (path == PATH_BLOCKED)
    add (reason, g_str_equal (explain->action, "drop")
                     ? "a rule of the tunnel says that it is not answered"
                     : "a rule of the tunnel refuses it");
  else if (t2pd_tunnel_get_state (explain->tunnel) == T2P_TUNNEL_STATE_DEGRADED)
    add (reason, "the tunnel is degraded");
}

static void
add_thrown (const T2pdExplain *explain, T2pdTunnel *tunnel, GString *reason)
{
  char prefix[T2P_PREFIX_STRLEN];
  g_autofree char *name = name_of (explain, tunnel);

  t2p_ip_prefix_format (&explain->walk.throw_route->destination, prefix);
  add (reason, "%s stays outside of %s", prefix, name);
}

static void
add_direct (const T2pdExplain *explain, GString *reason)
{
  const T2pnRule *rule = deciding_rule (explain);
  T2pdTunnel *of_throw = t2pd_explain_find_rule (explain->service, explain->walk.throw_rule);
  T2pdTunnel *of_rule = t2pd_explain_find_rule (explain->service, rule);
  g_autofree char *name = name_of (explain, of_rule);

  if (explain->answer.type == RTN_LOCAL)
    add (reason, "it is an address of this machine");
  else if (of_throw != NULL)
    add_thrown (explain, of_throw, reason);
  else if (of_rule != NULL && rule->suppress_prefix_length >= 0)
    add (reason, "it is on a network of this machine, which stays outside of %s", name);
  else if (of_rule != NULL)
    add (reason, "a rule keeps it outside of %s", name);
  else
    add (reason, "no tunnel captures it");
}

/* What may make a difference and is not known here. */
static void
add_provisos (const T2pdExplain *explain, Path path, GString *reason)
{
  if (path == PATH_TUNNEL)
    add (reason, "a socket that is bound to another address or interface of this machine goes "
                 "there instead");
  if (explain->question.cgroup == NULL && explain->answer.type != RTN_LOCAL &&
      t2pd_explain_has_apps (explain->service, explain->question.uid))
    add (reason, "a tunnel captures only some programs: give a process to know about it");
  if (!explain->is_known && explain->about_name != NULL && path != PATH_BLOCKED)
    add (reason, "said of addresses out there, its own was not looked at");
}

static void
add_kill_switch (const T2pdExplain *explain, const T2pnKillSwitchArm *arm, GString *reason)
{
  if (explain->question.is_inspector || arm->owner_uid == explain->question.caller_uid ||
      arm->owner_uid == 0)
    add (reason, "the kill switch of tunnel '%s' refuses what does not go through it",
         arm->name);
  else
    add (reason, "the kill switch of a tunnel refuses what does not go through it");
}

static char *
make_reason (const T2pdExplain *explain, Path path, const T2pnKillSwitchArm *refusal)
{
  GString *reason = g_string_new (explain->about_name);

  if (refusal != NULL)
    add_kill_switch (explain, refusal, reason);
  else if (explain->answer.errsv != 0)
    add_refused (explain, reason);
  else if (explain->tunnel != NULL)
    add_tunnel (explain, path, reason);
  else
    add_direct (explain, reason);
  add_provisos (explain, path, reason);
  return g_string_free (reason, FALSE);
}

GVariant *
t2pd_explain_make_answer (const T2pdExplain *explain)
{
  const T2pnKillSwitchArm *refusal = find_refusal (explain);
  Path path = refusal != NULL ? PATH_BLOCKED : path_of (explain);
  g_autofree char *rule = make_rule (explain, refusal);
  g_autofree char *reason = make_reason (explain, path, refusal);
  GVariantDict answer = G_VARIANT_DICT_INIT (NULL);

  g_variant_dict_insert (&answer, "path", "s", path_name (path));
  if (explain->tunnel != NULL && may_know (explain, explain->tunnel))
    g_variant_dict_insert (&answer, "tunnel", "o", t2pd_tunnel_get_path (explain->tunnel));
  g_variant_dict_insert (&answer, "rule", "s", rule);
  g_variant_dict_insert (&answer, "interface", "s", find_interface (explain, path));
  g_variant_dict_insert (&answer, "reason", "s", reason);
  return g_variant_dict_end (&answer);
}
