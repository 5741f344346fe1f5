/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-data-plane-private.h"

#include "t2p-error.h"
#include "t2pw-direct.h"
#include "t2pw-dns-relay.h"
#include "t2pw-outbound-factory.h"
#include "t2pw-socket-settings.h"
#include "t2pw-udp-ways.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TELL_SHORTAGE_EVERY_US (60 * G_USEC_PER_SEC)

static void
state_changed_cb (gboolean is_up,
                  T2pStateReason reason,
                  const char *message,
                  gpointer user_data)
{
  T2pwDataPlane *plane = user_data;

  plane->handler.upstreams.state_changed (is_up, reason, message, plane->user_data);
}

static void
active_changed_cb (const char *old_label,
                   const char *new_label,
                   T2pStateReason reason,
                   gpointer user_data)
{
  T2pwDataPlane *plane = user_data;

  plane->handler.upstreams.active_changed (old_label, new_label, reason, plane->user_data);
}

static const T2pwGroupHandler group_handler = {
  .state_changed = state_changed_cb,
  .active_changed = active_changed_cb,
};

static void
udp_mode_learnt_cb (const char *label,
                    T2pwUdpMode mode,
                    const GError *error,
                    gpointer user_data)
{
  T2pwDataPlane *plane = user_data;

  if (plane->handler.udp_mode_learnt != NULL)
    plane->handler.udp_mode_learnt (label, mode, error, plane->user_data);
}

static gboolean
plane_make_names (T2pwDataPlane *plane, const T2pwPlaneConfig *config, GError **error)
{
  plane->names = t2pw_names_new (plane->context.reactor, &plane->policy);
  plane->context.names = plane->names;
  if (config->uplink_dns == NULL)
    return t2pw_names_use_system_servers (plane->names, error);
  return t2pw_names_set_servers (plane->names, (const char *const *) config->uplink_dns, error);
}

static gboolean
plane_make_outbounds (T2pwDataPlane *plane, const T2pwPlaneConfig *config, GError **error)
{
  T2pwGroupConfig group = { .policy = config->policy };

  plane->group = t2pw_group_new (&plane->context, &group, &group_handler, plane);
  for (guint i = 0; i < config->proxies->len; i++)
    {
      const T2pwPlaneProxy *proxy = g_ptr_array_index (config->proxies, i);
      T2pwOutbound *outbound = t2pw_outbound_new_for_endpoint (
          &plane->context, proxy->endpoint, proxy->addresses, proxy->n_addresses, error);
      T2pwDestination harmless;

      if (outbound == NULL)
        return FALSE;
      g_ptr_array_add (plane->endpoints, t2p_endpoint_ref (proxy->endpoint));
      t2pw_harmless_destination (proxy->endpoint, proxy->addresses, proxy->n_addresses,
                                 &harmless);
      t2pw_group_add (plane->group, outbound, t2p_endpoint_get_display (proxy->endpoint),
                      &harmless);
    }
  return TRUE;
}

static void
ask_owner_cb (guint64 id, guint8 protocol, const T2pwFlowKey *key, gpointer user_data)
{
  T2pwDataPlane *plane = user_data;

  plane->handler.owner_wanted (id, protocol, key, plane->user_data);
}

static gboolean
plane_make_rules (T2pwDataPlane *plane, const T2pwPlaneConfig *config, GError **error)
{
  guint last_proxy;

  if (config->rules == NULL || config->rules[0] == NULL)
    return TRUE;
  plane->rules = t2pw_rule_set_new ((const char *const *) config->rules, config->files,
                                    config->rule_uids, error);
  if (plane->rules == NULL)
    return FALSE;
  last_proxy = t2pw_rule_set_get_last_proxy (plane->rules);
  if (last_proxy > config->proxies->len)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
                   "rules: proxy:%u is none of the %u proxies", last_proxy,
                   config->proxies->len);
      return FALSE;
    }
  plane->direct = t2pw_direct_new (&plane->context);
  if (plane->handler.owner_wanted != NULL)
    plane->owners = t2pw_flow_owners_new (plane->context.reactor, ask_owner_cb, plane);
  return TRUE;
}

static void
plane_make_forwarder (T2pwDataPlane *plane, const T2pwPlaneConfig *config)
{
  T2pwDnsForwarderConfig forwarder = { .reactor = plane->context.reactor,
                                       .outbound = plane->group,
                                       .servers = config->dns_servers,
                                       .n_servers = config->n_dns_servers,
                                       .by_datagrams = config->dns == T2P_DNS_MODE_UDP };

  plane->forwarder = t2pw_dns_forwarder_new (&forwarder);
}

/* Goes on from what a worker before us has left, or begins. */
static gboolean
plane_make_virtual_names (T2pwDataPlane *plane, const T2pwPlaneConfig *config, GError **error)
{
  const T2pIpPrefix *pool6 = config->has_pool6 ? &config->pool6 : NULL;
  T2pwNameMap *map;
  int fd;

  plane->virtual_names = t2pw_virtual_names_new (&config->pool4, pool6);
  t2pw_virtual_names_shuffle (plane->virtual_names);
  if (config->names_fd < 0)
    return TRUE;
  fd = fcntl (config->names_fd, F_DUPFD_CLOEXEC, 0);
  map = t2pw_name_map_open (fd, &config->pool4, pool6, error);
  if (map == NULL)
    return FALSE;
  t2pw_virtual_names_adopt (plane->virtual_names, map, g_get_monotonic_time ());
  return TRUE;
}

static gboolean
plane_make_resolver (T2pwDataPlane *plane, const T2pwPlaneConfig *config, GError **error)
{
  T2pwDnsResponderConfig responder;

  if (config->dns == T2P_DNS_MODE_OFF)
    return TRUE;
  if (config->dns == T2P_DNS_MODE_VIRTUAL && !plane_make_virtual_names (plane, config, error))
    return FALSE;
  plane_make_forwarder (plane, config);
  plane->exclude = t2pw_name_set_new ((const char *const *) config->dns_exclude);
  responder = (T2pwDnsResponderConfig){ .reactor = plane->context.reactor,
                                        .virtual_names = plane->virtual_names,
                                        .forwarder = plane->forwarder,
                                        .names = plane->names,
                                        .exclude = plane->exclude,
                                        .has_ipv6 = config->has_ipv6 };
  plane->responder = t2pw_dns_responder_new (&responder);
  return TRUE;
}

static void
ran_short_cb (const char *message, gpointer user_data)
{
  T2pwDataPlane *plane = user_data;
  gint64 now_us = t2p_reactor_get_now_us (plane->context.reactor);

  if (plane->handler.ran_short == NULL ||
      (plane->told_shortage_us > 0 &&
       now_us - plane->told_shortage_us < TELL_SHORTAGE_EVERY_US))
    return;
  plane->told_shortage_us = now_us;
  plane->handler.ran_short (message, plane->user_data);
}

static void
loop_seen_cb (T2pwLoopKind kind,
              guint8 protocol,
              const T2pIpEndpoint *source,
              const T2pIpEndpoint *destination,
              gpointer user_data)
{
  T2pwDataPlane *plane = user_data;

  if (plane->handler.loop_seen != NULL)
    plane->handler.loop_seen (kind, protocol, source, destination, plane->user_data);
}

static void
device_lost_cb (const GError *error, gpointer user_data)
{
  T2pwDataPlane *plane = user_data;

  plane->handler.device_lost (error, plane->user_data);
}

static void
plane_make_relay (T2pwDataPlane *plane, const T2pwPlaneConfig *config)
{
  T2pwRelayConfig relay = { .reactor = plane->context.reactor,
                            .policy = { .rules = plane->rules,
                                        .group = plane->group,
                                        .direct = plane->direct,
                                        .owners = plane->owners,
                                        .has_ipv6 = config->has_ipv6,
                                        .guard = plane->policy.guard },
                            .virtual_names = plane->virtual_names,
                            .responder = plane->responder,
                            .pings = plane->pings,
                            .worker_index = config->worker_index,
                            .max_flows = config->max_connections,
                            .early_accept = config->early_accept,
                            .idle_timeout_ms = config->idle_timeout_ms,
                            .half_close_timeout_ms = config->half_close_timeout_ms,
                            .udp_idle_timeout_ms = config->udp_idle_timeout_ms,
                            .device_lost = device_lost_cb,
                            .user_data = plane };

  plane->relay = t2pw_relay_new (&relay);
}

static gboolean
plane_make_stack (T2pwDataPlane *plane,
                  int tun_fd,
                  const T2pwPlaneConfig *config,
                  GError **error)
{
  T2pwStackConfig stack = { .mtu = config->mtu,
                            .has_vnet_header = config->has_vnet_header,
                            .offloads = config->offloads,
                            .memory_limit_bytes = config->memory_limit_bytes,
                            .max_streams = config->max_connections + T2PW_DNS_RELAY_MAX_STREAMS,
                            .icmp = config->icmp,
                            .hop4 = config->hop4,
                            .hop6 = config->hop6 };

  plane->stack = t2pw_stack_new (plane->context.reactor, tun_fd, &stack,
                                 t2pw_relay_get_stack_handler (), plane->relay, error);
  if (plane->stack == NULL)
    return FALSE;
  t2pw_relay_set_stack (plane->relay, plane->stack);
  return TRUE;
}

/**
 * t2pw_data_plane_new:
 * @tun_fd: (transfer full): a TUN queue, non-blocking, offloads set; also taken on failure
 * @config: copied
 *
 * Begins to carry packets. One per process. Errors: T2P_ERROR, G_IO_ERROR.
 */
T2pwDataPlane *
t2pw_data_plane_new (T2pReactor *reactor,
                     int tun_fd,
                     const T2pwPlaneConfig *config,
                     const T2pwPlaneHandler *handler,
                     gpointer user_data,
                     GError **error)
{
  g_autoptr (T2pwDataPlane) plane = g_new0 (T2pwDataPlane, 1);

  plane->policy.mark = config->mark;
  plane->policy.ran_short = ran_short_cb;
  plane->policy.user_data = plane;
  plane->policy.refuses_foreign = !config->may_be_foreign;
  plane->policy.guard = t2pw_loop_guard_new (reactor, loop_seen_cb, plane);
  plane->context = (T2pwOutboundContext){ .reactor = reactor,
                                          .policy = &plane->policy,
                                          .files = config->files,
                                          .socket_helper = config->socket_helper,
                                          .udp = t2pw_udp_io_new (reactor, &plane->policy),
                                          .udp_wish = config->udp,
                                          .udpgw = config->udpgw,
                                          .udp_mode_learnt = udp_mode_learnt_cb,
                                          .user_data = plane,
                                          .connect_timeout_ms = config->connect_timeout_ms };
  if (config->n_dns_servers > 0)
    plane->context.udpgw_resolver = config->dns_servers[0];
  plane->endpoints = g_ptr_array_new_with_free_func ((GDestroyNotify) t2p_endpoint_unref);
  plane->handler = *handler;
  plane->user_data = user_data;
  if ((config->sockets != NULL &&
       !t2pw_socket_settings_take (config->sockets, &plane->policy, error)) ||
      !plane_make_names (plane, config, error) ||
      !plane_make_outbounds (plane, config, error) ||
      !plane_make_rules (plane, config, error) || !plane_make_resolver (plane, config, error))
    {
      close (tun_fd);
      return NULL;
    }
  plane->context.files = NULL; /* the config's, and read by now */
  plane->context.udp_wish = NULL;
  if (config->icmp == T2PW_ICMP_DIRECT)
    plane->pings =
        t2pw_ping_relay_new (reactor, &plane->policy, plane->virtual_names, &plane->ping_error);
  plane_make_relay (plane, config);
  if (!plane_make_stack (plane, tun_fd, config, error))
    return NULL;
  return g_steal_pointer (&plane);
}

/**
 * t2pw_data_plane_free:
 *
 * Every flow is reset.
 */
void
t2pw_data_plane_free (T2pwDataPlane *plane)
{
  g_clear_pointer (&plane->relay, t2pw_relay_free);
  g_clear_pointer (&plane->stack, t2pw_stack_free);
  g_clear_pointer (&plane->pings, t2pw_ping_relay_free);
  g_clear_error (&plane->ping_error);
  g_clear_pointer (&plane->responder, t2pw_dns_responder_free);
  g_clear_pointer (&plane->forwarder, t2pw_dns_forwarder_free);
  g_clear_pointer (&plane->exclude, t2pw_name_set_free);
  g_clear_pointer (&plane->virtual_names, t2pw_virtual_names_free);
  g_clear_pointer (&plane->owners, t2pw_flow_owners_free);
  g_clear_pointer (&plane->direct, t2pw_outbound_free);
  g_clear_pointer (&plane->rules, t2pw_rule_set_free);
  g_clear_pointer (&plane->group, t2pw_outbound_free);
  g_clear_pointer (&plane->names, t2pw_names_free);
  g_clear_pointer (&plane->context.udp, t2pw_udp_io_free);
  t2pw_socket_policy_clear (&plane->policy);
  t2pw_loop_guard_free (plane->policy.guard);
  g_ptr_array_unref (plane->endpoints);
  g_free (plane);
}

static gboolean
is_same_upstream (gconstpointer a, gconstpointer b)
{
  g_autofree char *uri_a = t2p_endpoint_to_private_uri ((T2pEndpoint *) a);
  g_autofree char *uri_b = t2p_endpoint_to_private_uri ((T2pEndpoint *) b);

  return g_str_equal (uri_a, uri_b);
}

static T2pwOutbound *
plane_get_outbound (T2pwDataPlane *plane, guint index)
{
  T2pwMemberStatus status;

  t2pw_group_get_status (plane->group, index, &status);
  return status.outbound;
}

/* One that was not reached has shown nothing. The probe does not know of our gateway. */
static void
plane_take_udp_mode (T2pwDataPlane *plane, guint index, const T2pwProbeResult *result)
{
  if (result->error == NULL && g_strcmp0 (result->udp, "associate") == 0)
    t2pw_udp_ways_learn (plane_get_outbound (plane, index), T2PW_UDP_ASSOCIATE);
}

/**
 * t2pw_data_plane_take_probe:
 *
 * Somebody has probed @endpoint: if it is one of ours, its state is known now, and a dead one
 * is not what the first flow begins with.
 */
void
t2pw_data_plane_take_probe (T2pwDataPlane *plane,
                            T2pEndpoint *endpoint,
                            const T2pwProbeResult *result)
{
  guint index;

  if (g_ptr_array_find_with_equal_func (plane->endpoints, endpoint, is_same_upstream, &index))
    {
      t2pw_group_take_probe (plane->group, index, result->rtt_us, result->error);
      plane_take_udp_mode (plane, index, result);
    }
}

static void
plane_set_exclude (T2pwDataPlane *plane, const char *const *names)
{
  T2pwNameSet *exclude = t2pw_name_set_new (names);

  t2pw_dns_responder_set_exclude (plane->responder, exclude);
  g_clear_pointer (&plane->exclude, t2pw_name_set_free);
  plane->exclude = exclude;
}

/* Whether the kernel lets us mark sockets: tried with one. */
gboolean
t2pw_data_plane_mark_works (T2pwDataPlane *plane)
{
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  if (fd >= 0)
    {
      t2pw_socket_policy_apply (&plane->policy, fd, NULL);
      close (fd);
    }
  return !plane->policy.mark_was_refused;
}

const GError *
t2pw_data_plane_get_ping_error (const T2pwDataPlane *plane)
{
  return plane->ping_error;
}

/**
 * t2pw_data_plane_set_uplink:
 * @servers: for our own queries from now on
 * @dns_exclude: names that keep their real addresses from now on
 * @sockets: a{sv}: how sockets are made from now on
 *
 * The uplink changed: stalled connections are reset, names and upstreams looked at again.
 */
gboolean
t2pw_data_plane_set_uplink (T2pwDataPlane *plane,
                            const char *const *servers,
                            const char *const *dns_exclude,
                            GVariant *sockets,
                            GError **error)
{
  if (!t2pw_socket_settings_take (sockets, &plane->policy, error) ||
      !t2pw_names_set_servers (plane->names, servers, error))
    return FALSE;
  if (plane->responder != NULL)
    plane_set_exclude (plane, dns_exclude);
  plane->context.uplink++;
  t2pw_relay_uplink_changed (plane->relay);
  for (guint i = 0; i < t2pw_group_get_n_members (plane->group); i++)
    t2pw_udp_ways_forget (plane_get_outbound (plane, i));
  t2pw_group_uplink_changed (plane->group);
  if (plane->forwarder != NULL)
    t2pw_dns_forwarder_uplink_changed (plane->forwarder);
  return TRUE;
}

void
t2pw_data_plane_block_loop (T2pwDataPlane *plane, const T2pIpEndpoint *destination)
{
  t2pw_loop_guard_block (plane->policy.guard, destination);
}

/**
 * t2pw_data_plane_set_ipv6:
 *
 * Whether upstreams are asked for IPv6 from now on; flows that are open stay.
 */
void
t2pw_data_plane_set_ipv6 (T2pwDataPlane *plane, gboolean has_ipv6)
{
  t2pw_relay_set_ipv6 (plane->relay, has_ipv6);
  if (plane->responder != NULL)
    t2pw_dns_responder_set_ipv6 (plane->responder, has_ipv6);
}

T2pwRelay *
t2pw_data_plane_get_relay (T2pwDataPlane *plane)
{
  return plane->relay;
}

T2pwOutbound *
t2pw_data_plane_get_group (T2pwDataPlane *plane)
{
  return plane->group;
}

/* (transfer full): which accelerators are on */
char *
t2pw_data_plane_describe (T2pwDataPlane *plane)
{
  return t2pw_stack_describe (plane->stack);
}

/**
 * t2pw_data_plane_take_owner:
 * @id: of an earlier `owner_wanted`; others are ignored
 * @is_known: whether @uid is the answer
 */
void
t2pw_data_plane_take_owner (T2pwDataPlane *plane, guint64 id, gboolean is_known, guint32 uid)
{
  if (plane->owners != NULL)
    t2pw_flow_owners_answer (plane->owners, id, is_known, uid);
}
