/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * One table: method → function that says which polkit actions the request needs. A method that
 * the table lacks is refused. The functions are pure: they see the frozen settings, the caller,
 * the owner and the addresses in use, and nothing else, so that the answer can be tested and
 * does not change while somebody types a password. Root is never asked (t2pd-polkit.c).
 *
 * Upstreams on loopback, and on other addresses of this machine, are everybody's. Whoever can
 * create a tunnel can open a TCP connection to them himself: a listener there cannot tell local
 * users apart by the address, and one that wants to must ask for a password, as for any other
 * connection. Looking up whose socket it is (sock_diag) would not make it tighter: the listener
 * of that moment need not be the one that the worker meets, at the first flow or after days.
 * Firewall rules that go by the uid of the sender see the worker's, which nobody has reason to
 * allow anything. What is not everybody's are the addresses of t2p-foreign-address.c, which
 * answer with secrets because a connection comes from this machine, or from one of its
 * privileged users. */

#include "t2pd-authority.h"

#include "t2p-cidr-set.h"
#include "t2p-foreign-address.h"
#include "t2p-names.h"

/* A capture of more than one of these, in one route or in the sum of many, is a default route
 * in disguise. It is counted in the routes that networks are announced in; many small holes in
 * what is captured do not make it small. */
#define WIDEST_ROUTE4 8
#define WIDEST_ROUTE6 16
#define COUNTED_ROUTE4 24
#define COUNTED_ROUTE6 48

static const char *const action_names[T2PD_N_ACTIONS] = {
  [T2PD_ACTION_MANAGE_OTHERS] = T2P_ACTION_MANAGE_OTHERS,
  [T2PD_ACTION_ADVANCED] = T2P_ACTION_ADVANCED,
  [T2PD_ACTION_KILL_SWITCH] = T2P_ACTION_KILL_SWITCH,
  [T2PD_ACTION_CAPTURE_DEFAULT] = T2P_ACTION_CAPTURE_DEFAULT,
  [T2PD_ACTION_CAPTURE_ROUTES] = T2P_ACTION_CAPTURE_ROUTES,
  [T2PD_ACTION_PERSIST] = T2P_ACTION_PERSIST,
  [T2PD_ACTION_BYPASS] = T2P_ACTION_BYPASS,
  [T2PD_ACTION_INSPECT] = T2P_ACTION_INSPECT,
  [T2PD_ACTION_TEST_PROXY] = T2P_ACTION_TEST_PROXY,
  [T2PD_ACTION_CREATE_TUNNEL] = T2P_ACTION_CREATE_TUNNEL,
};

#define BELOW_CAPTURE_ROUTES T2PD_ACTION_BIT (T2PD_ACTION_CREATE_TUNNEL)
#define BELOW_CAPTURE_DEFAULT                                                                  \
  (BELOW_CAPTURE_ROUTES | T2PD_ACTION_BIT (T2PD_ACTION_CAPTURE_ROUTES))
#define BELOW_ADVANCED (BELOW_CAPTURE_DEFAULT | T2PD_ACTION_BIT (T2PD_ACTION_CAPTURE_DEFAULT))
#define BELOW_MANAGE_OTHERS (BELOW_ADVANCED | T2PD_ACTION_BIT (T2PD_ACTION_ADVANCED))

static const guint implied_actions[T2PD_N_ACTIONS] = {
  [T2PD_ACTION_MANAGE_OTHERS] = BELOW_MANAGE_OTHERS,
  [T2PD_ACTION_ADVANCED] = BELOW_ADVANCED,
  [T2PD_ACTION_CAPTURE_DEFAULT] = BELOW_CAPTURE_DEFAULT,
  [T2PD_ACTION_CAPTURE_ROUTES] = BELOW_CAPTURE_ROUTES,
};

guint
t2pd_action_get_implied (T2pdAction action)
{
  return implied_actions[action];
}

static gboolean
is_foreign_endpoint (const T2pEndpoint *endpoint)
{
  T2pIpAddress address;

  return t2p_endpoint_get_address (endpoint, &address) && t2p_ip_address_is_foreign (&address);
}

static gboolean
has_foreign_upstream (const T2pSettings *settings)
{
  for (guint i = 0; i < t2p_settings_get_n_proxies (settings); i++)
    if (is_foreign_endpoint (t2p_settings_get_proxy (settings, i)))
      return TRUE;
  return FALSE;
}

static T2pCidrSet *
captured_routes (const T2pSettings *settings)
{
  g_autoptr (T2pCidrSet) set = t2p_cidr_set_new ();
  const T2pIpPrefix *routes;
  guint n;

  routes = t2p_settings_get_prefixes (settings, "routes", &n);
  for (guint i = 0; i < n; i++)
    t2p_cidr_set_add (set, &routes[i]);
  return g_steal_pointer (&set);
}

static gboolean
is_wide (const T2pCidrSet *routes)
{
  const guint64 most4 = 1 << (COUNTED_ROUTE4 - WIDEST_ROUTE4);
  const guint64 most6 = G_GUINT64_CONSTANT (1) << (COUNTED_ROUTE6 - WIDEST_ROUTE6);

  return t2p_cidr_set_size (routes, AF_INET, COUNTED_ROUTE4) > most4 ||
         t2p_cidr_set_size (routes, AF_INET6, COUNTED_ROUTE6) > most6;
}

/* Routes that are wide, add up to something wide, or take away what the machine stands on. The
 * tunnel's own pool never counts: it is no route of the settings. */
static gboolean
is_disguised_default (const T2pSettings *settings, const GArray *in_use)
{
  g_autoptr (T2pCidrSet) set = captured_routes (settings);

  if (is_wide (set))
    return TRUE;
  for (guint i = 0; in_use != NULL && i < in_use->len; i++)
    if (t2p_cidr_set_contains (set, &g_array_index (in_use, T2pIpAddress, i)))
      return TRUE;
  return FALSE;
}

static T2pdAction
capture_action (const T2pSettings *settings, const GArray *in_use)
{
  T2pCapture capture = t2p_settings_get_capture (settings);
  gboolean is_system = t2p_settings_get_scope (settings) == T2P_SCOPE_SYSTEM;

  if (t2p_settings_get_bool (settings, "forwarded"))
    return T2PD_ACTION_CAPTURE_DEFAULT;
  if (is_system &&
      (capture == T2P_CAPTURE_DEFAULT || t2p_settings_get_dns (settings) != T2P_DNS_MODE_OFF))
    return T2PD_ACTION_CAPTURE_DEFAULT;
  if (is_system && capture == T2P_CAPTURE_ROUTES)
    return is_disguised_default (settings, in_use) ? T2PD_ACTION_CAPTURE_DEFAULT
                                                   : T2PD_ACTION_CAPTURE_ROUTES;
  /* With the scope of a user, apps are his own. */
  if (t2p_settings_has (settings, "users") ||
      (is_system &&
       (t2p_settings_has (settings, "apps") || t2p_settings_has (settings, "exclude-apps"))))
    return T2PD_ACTION_CAPTURE_ROUTES;
  return T2PD_ACTION_CREATE_TUNNEL;
}

/* What bringing up a tunnel with these settings needs. */
static guint
settings_needs (const T2pdFacts *facts)
{
  const T2pSettings *settings = facts->settings;
  g_autofree const char **privileged = t2p_settings_get_privileged_keys (settings);
  guint actions = T2PD_ACTION_BIT (capture_action (settings, facts->in_use));

  if (privileged[0] != NULL || has_foreign_upstream (settings))
    actions |= T2PD_ACTION_BIT (T2PD_ACTION_ADVANCED);
  if (t2p_settings_has (settings, "kill-switch") &&
      !g_str_equal (t2p_settings_get_string (settings, "kill-switch"), "off"))
    actions |= T2PD_ACTION_BIT (T2PD_ACTION_KILL_SWITCH);
  if (t2p_settings_has (settings, "autostart") || t2p_settings_has (settings, "permissions"))
    actions |= T2PD_ACTION_BIT (T2PD_ACTION_PERSIST);
  return actions;
}

static gboolean
is_others (const T2pdFacts *facts)
{
  return facts->has_owner && facts->owner_uid != facts->caller_uid;
}

static guint
nothing_needed (const T2pdFacts *facts)
{
  return 0;
}

static guint
manage_needs (const T2pdFacts *facts)
{
  return is_others (facts) ? T2PD_ACTION_BIT (T2PD_ACTION_MANAGE_OTHERS) : 0;
}

static guint
inspect_needs (const T2pdFacts *facts)
{
  return is_others (facts) ? T2PD_ACTION_BIT (T2PD_ACTION_INSPECT) : 0;
}

static guint
activate_needs (const T2pdFacts *facts)
{
  return manage_needs (facts) | settings_needs (facts);
}

static guint
kill_switch_needs (const T2pdFacts *facts)
{
  return T2PD_ACTION_BIT (T2PD_ACTION_KILL_SWITCH);
}

static guint
test_needs (const T2pdFacts *facts)
{
  guint actions = T2PD_ACTION_BIT (T2PD_ACTION_TEST_PROXY);

  if (is_foreign_endpoint (facts->endpoint))
    actions |= T2PD_ACTION_BIT (T2PD_ACTION_ADVANCED);
  return actions;
}

static guint
bypass_needs (const T2pdFacts *facts)
{
  return T2PD_ACTION_BIT (T2PD_ACTION_BYPASS);
}

static guint
repair_needs (const T2pdFacts *facts)
{
  return T2PD_ACTION_BIT (T2PD_ACTION_MANAGE_OTHERS);
}

static const struct
{
  const char *method;
  guint (*needs) (const T2pdFacts *facts);
} table[] = {
  { "CreateTunnel", settings_needs },
  { "CreateTunnelFd", settings_needs }, /* a namespace is looked at in the check: one's own */
  { "GetTunnel", nothing_needed },      /* sees the caller's own and root's only */
  { "ListTunnels", nothing_needed },    /* the same */
  { "TestProxy", test_needs },
  { "Explain", inspect_needs },
  { "BypassSocket", bypass_needs },
  { "Repair", repair_needs },
  { "SetKillSwitch", kill_switch_needs },
  { "Activate", activate_needs },
  { "Deactivate", manage_needs },
  { "Delete", manage_needs },
  { "Confirm", manage_needs },
  { "GetSettings", inspect_needs },
  { "GetDetails", inspect_needs },
  { "GetStatistics", inspect_needs },
  { "ListConnections", inspect_needs },
  { "CloseConnections", manage_needs },
  { "AttachProcess", manage_needs }, /* whose process it is, is looked at in the check */
};

/**
 * t2pd_authority_needs:
 * @method: name of a public method
 * @facts: what the request is about
 * @out_actions: (out): the polkit actions that are needed all together, as %T2PD_ACTION_BIT;
 *   0: anybody may
 *
 * Returns: %FALSE for a method that the table does not have: nobody may call it
 *
 * Since: 0.1
 */
gboolean
t2pd_authority_needs (const char *method, const T2pdFacts *facts, guint *out_actions)
{
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    if (g_str_equal (table[i].method, method))
      {
        *out_actions = table[i].needs (facts);
        return TRUE;
      }
  return FALSE;
}

const char *
t2pd_action_get_name (T2pdAction action)
{
  g_return_val_if_fail ((guint) action < T2PD_N_ACTIONS, NULL);
  return action_names[action];
}
