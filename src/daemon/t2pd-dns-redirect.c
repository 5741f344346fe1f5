/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-dns-redirect.h"

#include "t2p-error.h"
#include "t2p-log.h"
#include "t2pd-bring-up-private.h"
#include "t2pd-tunnel-table.h"
#include "t2pn-conntrack.h"
#include "t2pn-dns-redirect.h"
#include "t2pn-netlink-objects.h"
#include "t2pn-netlink.h"
#include "t2pn-nft.h"

#define STEP "install-capture"

gboolean
t2pd_dns_redirect_is_for_some (const T2pSettings *settings)
{
  static const char *const keys[] = { "users", "apps", "exclude-apps" };

  if (t2p_settings_get_scope (settings) == T2P_SCOPE_USER)
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (t2p_settings_get_strv (settings, keys[i])[0] != NULL)
      return TRUE;
  return FALSE;
}

static gboolean
is_for_some_names (const T2pSettings *settings)
{
  return t2pd_dns_redirect_is_for_some (settings) &&
         t2p_settings_get_dns (settings) != T2P_DNS_MODE_OFF;
}

/* Where nothing is captured, questions are not captured either. */
static gboolean
is_wanted (const T2pSettings *settings)
{
  return is_for_some_names (settings) &&
         t2p_settings_get_capture (settings) != T2P_CAPTURE_NONE;
}

void
t2pd_dns_redirect_add_warnings (const T2pSettings *settings, GVariantBuilder *warnings)
{
  if (!is_for_some_names (settings))
    return;
  if (!is_wanted (settings))
    {
      g_variant_builder_add (warnings, "s",
                             "a tunnel for some users or apps changes no resolver, and one "
                             "that captures nothing redirects no questions: only names that "
                             "programs send into the tunnel themselves are resolved there");
      return;
    }
  g_variant_builder_add (warnings, "s",
                         "a tunnel for some users or apps changes no resolver: their questions "
                         "to name servers are redirected into it, but not those that the "
                         "system's resolver asks for them (nss-resolve, or its own interface)");
  if (t2p_settings_get_strv (settings, "exclude-apps")[0] != NULL)
    g_variant_builder_add (warnings, "s",
                           "what excluded apps ask a resolver of this machine is answered as "
                           "for everybody else: exclude that one, too");
}

/* --- what the kernel is told */

/* By then packets of the apps that the tunnel captures are marked. */
static char *
make_who (T2pdBringUp *self)
{
  guint32 owner = t2pd_tunnel_get_owner (self->tunnel);
  const T2pnUidRange range = { owner, owner };

  if (self->ids.app_mark != 0)
    return g_strdup_printf ("meta mark %u", self->ids.app_mark);
  if (t2p_settings_get_scope (self->settings) == T2P_SCOPE_USER)
    return t2pn_dns_redirect_match_users (&range, 1);
  return t2pn_dns_redirect_match_users ((gconstpointer) self->users->data, self->users->len);
}

static gboolean
load (T2pdBringUp *self, gboolean has_ipv6, GError **error)
{
  g_autofree char *table = t2pd_tunnel_table_make_name (self);
  g_autofree char *users = make_who (self);
  const char *const who[] = { users, NULL };
  T2pnDnsRedirect redirect = {
    .table = table,
    .ifname = t2pn_tun_device_get_name (self->device),
    .mark = self->ids.mark,
    .worker_uid = t2pd_bring_up_get_worker_uid (self),
    .who = who,
    .pool = self->pool,
    .has_ipv6 = has_ipv6,
  };
  g_autofree char *script = t2pn_dns_redirect_to_script (&redirect);

  return t2pd_tunnel_table_load (self, script, error);
}

/* --- the link: both settings of it go with it, and are taken back on one that stays */

static gboolean
set_localnet (T2pdBringUp *self, gboolean is_allowed, GError **error)
{
  T2pnNetlink *netlink = t2pn_netlink_new (error);
  int ifindex = t2pn_tun_device_get_ifindex (self->device);
  gboolean is_set =
      netlink != NULL && t2pn_netlink_route_localnet (netlink, ifindex, is_allowed, error);

  t2pn_netlink_free (netlink);
  return is_set;
}

static gboolean
add_loopback_route (T2pdBringUp *self, const T2pnRoute *route, GError **error)
{
  g_autoptr (GArray) routes = g_array_new (FALSE, FALSE, sizeof (T2pnRoute));
  T2pnNetlink *netlink;
  gboolean is_added;

  g_array_append_val (routes, *route);
  if (!t2pn_journal_add_step_network (self->journal, STEP, NULL, routes, NULL, error))
    return FALSE;
  netlink = t2pn_netlink_new (error);
  is_added = netlink != NULL && t2pn_netlink_add_route (netlink, route, error);
  t2pn_netlink_free (netlink);
  return is_added;
}

static gboolean
delete_loopback_route (T2pdBringUp *self, GError **error)
{
  T2pnRoute route =
      t2pn_dns_redirect_make_loopback_route (t2pn_tun_device_get_ifindex (self->device));
  T2pnNetlink *netlink = t2pn_netlink_new (error);
  gboolean is_gone = netlink != NULL && t2pn_netlink_delete_route (netlink, &route, error);

  t2pn_netlink_free (netlink);
  return is_gone;
}

/* --- connections that began before */

/* Where a program that keeps its socket has most likely asked so far. */
static GArray *
list_asked (T2pdBringUp *self)
{
  static const char *const local[] = { "127.0.0.53", "127.0.0.1", "::1" };
  const GArray *uplink = t2pd_uplink_get_servers (self->service->uplink);
  GArray *asked = g_array_new (FALSE, FALSE, sizeof (T2pIpAddress));

  for (guint i = 0; i < G_N_ELEMENTS (local); i++)
    {
      T2pIpAddress address;

      if (t2p_ip_address_parse (local[i], &address))
        g_array_append_val (asked, address);
    }
  for (guint i = 0; i < uplink->len; i++)
    g_array_append_val (asked, g_array_index (uplink, T2pIpEndpoint, i).address);
  return asked;
}

static void
forget_questions (T2pdBringUp *self)
{
  g_autoptr (GArray) asked = list_asked (self);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < asked->len; i++)
    if (!t2pn_conntrack_forget_questions (&g_array_index (asked, T2pIpAddress, i), &error))
      {
        t2p_log_debug (t2pd_tunnel_get_name (self->tunnel), error, "old questions, ignoring");
        return;
      }
}

static void
forget_answers (T2pdBringUp *self)
{
  g_autoptr (GError) error = NULL;

  if (!t2pn_conntrack_forget_answered_by (&self->pool.responder4, &error) ||
      !t2pn_conntrack_forget_answered_by (&self->pool.responder6, &error))
    t2p_log_debug (t2pd_tunnel_get_name (self->tunnel), error, "old questions, ignoring");
}

/* --- the part */

static gboolean
make_true (T2pdBringUp *self, GError **error)
{
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take_around_tunnels (0, error);
  T2pnRoute route =
      t2pn_dns_redirect_make_loopback_route (t2pn_tun_device_get_ifindex (self->device));
  T2pdDnsRedirectState wanted;

  if (snapshot == NULL)
    return FALSE;
  /* The responder answers by IPv6 when the link has its address, as the plan says. */
  wanted = t2pn_snapshot_has_address (snapshot, &self->pool.address6) ? T2PD_DNS_REDIRECT_BOTH
                                                                      : T2PD_DNS_REDIRECT_IPV4;
  if (wanted == T2PD_DNS_REDIRECT_BOTH &&
      !t2pn_netlink_objects_has_route (snapshot->routes, &route) &&
      !add_loopback_route (self, &route, error))
    return FALSE;
  if (self->dns_redirect == wanted)
    return TRUE;
  if (!load (self, wanted == T2PD_DNS_REDIRECT_BOTH, error))
    return FALSE;
  self->dns_redirect = wanted;
  forget_questions (self);
  return TRUE;
}

static gboolean
check_domains (const T2pSettings *settings, GError **error)
{
  const char *const *domains = t2p_settings_get_strv (settings, "dns-domains");

  if (g_strv_contains (domains, "."))
    return TRUE;
  g_set_error (
      error, T2P_ERROR, T2P_ERROR_DNS_SETUP_FAILED,
      "dns-domains: '%s' seen, '.' expected: questions of some users or apps are redirected "
      "whatever name they ask for",
      domains[0] != NULL ? domains[0] : "");
  return FALSE;
}

gboolean
t2pd_dns_redirect_run (T2pdBringUp *self, GError **error)
{
  g_autoptr (GError) failure = NULL;

  if (!is_wanted (self->settings))
    return TRUE;
  if (!check_domains (self->settings, error))
    return FALSE;
  if (set_localnet (self, TRUE, &failure) && make_true (self, &failure))
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_DNS_SETUP_FAILED,
               "could not redirect questions to name servers: %s", failure->message);
  return FALSE;
}

/* The table goes with the step, by the journal; what is not undone here goes with it. */
gboolean
t2pd_dns_redirect_undo (T2pdBringUp *self, GError **error)
{
  g_autofree char *table = t2pd_tunnel_table_make_name (self);
  g_autofree char *script = t2pn_dns_redirect_to_undo_script (table);

  if (self->dns_redirect == T2PD_DNS_REDIRECT_NONE)
    return TRUE;
  self->dns_redirect = T2PD_DNS_REDIRECT_NONE;
  t2pn_nft_run (script, NULL);
  forget_answers (self);
  return set_localnet (self, FALSE, error) && delete_loopback_route (self, error);
}

gboolean
t2pd_dns_redirect_update (T2pdBringUp *self, GError **error)
{
  return self->dns_redirect == T2PD_DNS_REDIRECT_NONE || make_true (self, error);
}

gboolean
t2pd_dns_redirect_restore (T2pdBringUp *self, GError **error)
{
  if (self->dns_redirect == T2PD_DNS_REDIRECT_NONE)
    return TRUE;
  self->dns_redirect = T2PD_DNS_REDIRECT_LOST;
  return make_true (self, error);
}
