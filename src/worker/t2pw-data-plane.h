/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-endpoint.h"
#include "t2p-enums.h"
#include "t2pw-dialer.h"
#include "t2pw-group.h"
#include "t2pw-probe.h"
#include "t2pw-relay.h"

G_BEGIN_DECLS

/** T2pwPlaneProxy: an upstream and where it is, when that is known. */
typedef struct
{
  T2pEndpoint *endpoint;
  T2pIpAddress addresses[T2PW_DIAL_MAX_ADDRESSES];
  guint n_addresses;
} T2pwPlaneProxy;

/**
 * T2pwPlaneConfig:
 * @files: (nullable): name → GBytes, what the settings name
 * @proxies: T2pwPlaneProxy, in the order of the settings
 * @policy: which of them gets a flow
 * @uplink_dns: (nullable): servers for our own queries; %NULL: those of /etc/resolv.conf
 * @dns_exclude: (nullable): names that keep their real addresses
 * @rules: (nullable): `MATCH -> ACTION`, in their order
 * @rule_uids: (nullable): user name → uid, of the names in @rules
 * @hop4: of no family: none; who is the tunnel, for traceroute
 * @hop6: the same
 * @has_pool6: whether @pool6 is set
 * @socket_helper: (nullable): connects unix sockets; outlives the plane
 * @names_fd: of the memory that the virtual names are kept in; -1: in our own
 * @udp: (nullable): the setting of that name; %NULL: `auto`
 * @udpgw: of no port: none
 * @dns_servers: that are asked through the upstream
 * @sockets: (nullable): a{sv}: how sockets are made, see t2pw_socket_settings_take()
 */
typedef struct
{
  GPtrArray *proxies;
  T2pwGroupPolicy policy;
  GHashTable *files;
  const T2pwSocketHelper *socket_helper;
  char **uplink_dns;
  char **dns_exclude;
  char **rules;
  char *udp;
  T2pHostPort udpgw;
  GHashTable *rule_uids;
  T2pIpPrefix pool4;
  T2pIpPrefix pool6;
  gboolean has_pool6;
  int names_fd;
  T2pDnsMode dns;
  T2pIpEndpoint dns_servers[T2PW_DNS_MAX_SERVERS];
  guint n_dns_servers;
  gboolean has_ipv6;
  gboolean early_accept;
  T2pwIcmpMode icmp;
  T2pIpAddress hop4, hop6;
  guint32 mark;
  GVariant *sockets;
  gboolean may_be_foreign; /* direct connections to addresses that `advanced` guards */
  guint mtu;
  gboolean has_vnet_header;
  guint32 offloads;
  gsize memory_limit_bytes;
  guint max_connections;
  guint worker_index;
  guint connect_timeout_ms;
  guint idle_timeout_ms;
  guint half_close_timeout_ms;
  guint udp_idle_timeout_ms;
} T2pwPlaneConfig;

T2pwPlaneConfig *t2pw_plane_config_new (void);
gsize t2pw_plane_config_memory_share (guint64 machine_bytes);
void t2pw_plane_config_free (T2pwPlaneConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwPlaneConfig, t2pw_plane_config_free)
gboolean t2pw_plane_config_set_dns_servers (T2pwPlaneConfig *config,
                                            const char *const *servers,
                                            GError **error);
void t2pw_plane_config_add_proxy (T2pwPlaneConfig *config,
                                  T2pEndpoint *endpoint,
                                  const T2pIpAddress *addresses,
                                  guint n_addresses);

/** T2pwPlaneHandler: what the owner is told. */
typedef struct
{
  T2pwGroupHandler upstreams;
  /* (nullable): whose flow it is; t2pw_data_plane_take_owner() is for the answer */
  void (*owner_wanted) (guint64 id,
                        guint8 protocol,
                        const T2pwFlowKey *key,
                        gpointer user_data);
  /* (nullable): we have run out of descriptors or the like; now and then, while that lasts */
  void (*ran_short) (const char *message, gpointer user_data);
  /* (nullable): how an upstream carries datagrams, when that is news; @error (nullable) why it
   * does not */
  void (*udp_mode_learnt) (const char *label,
                           T2pwUdpMode mode,
                           const GError *error,
                           gpointer user_data);
  /* (nullable): a flow of the tunnel goes round, or might; now and then */
  T2pwLoopFunc loop_seen;
  void (*device_lost) (const GError *error, gpointer user_data);
} T2pwPlaneHandler;

/* Stack, relay, resolver and outbounds of one TUN queue. */
typedef struct _T2pwDataPlane T2pwDataPlane;

T2pwDataPlane *t2pw_data_plane_new (T2pReactor *reactor,
                                    int tun_fd,
                                    const T2pwPlaneConfig *config,
                                    const T2pwPlaneHandler *handler,
                                    gpointer user_data,
                                    GError **error);
void t2pw_data_plane_free (T2pwDataPlane *plane);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwDataPlane, t2pw_data_plane_free)

void t2pw_data_plane_take_probe (T2pwDataPlane *plane,
                                 T2pEndpoint *endpoint,
                                 const T2pwProbeResult *result);
gboolean t2pw_data_plane_mark_works (T2pwDataPlane *plane);
/* (nullable): why pings cannot be sent directly, although they should be */
const GError *t2pw_data_plane_get_ping_error (const T2pwDataPlane *plane);
gboolean t2pw_data_plane_set_uplink (T2pwDataPlane *plane,
                                     const char *const *servers,
                                     const char *const *dns_exclude,
                                     GVariant *sockets,
                                     GError **error);
void
t2pw_data_plane_take_owner (T2pwDataPlane *plane, guint64 id, gboolean is_known, guint32 uid);
/* Flows to @destination go round. */
void t2pw_data_plane_block_loop (T2pwDataPlane *plane, const T2pIpEndpoint *destination);
void t2pw_data_plane_set_ipv6 (T2pwDataPlane *plane, gboolean has_ipv6);
T2pwRelay *t2pw_data_plane_get_relay (T2pwDataPlane *plane);
T2pwOutbound *t2pw_data_plane_get_group (T2pwDataPlane *plane);
char *t2pw_data_plane_describe (T2pwDataPlane *plane);
GVariant *t2pw_data_plane_get_statistics (T2pwDataPlane *plane);

G_END_DECLS
