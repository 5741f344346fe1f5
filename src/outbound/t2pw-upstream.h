/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-endpoint.h"
#include "t2p-host-port.h"
#include "t2p-reactor.h"
#include "t2pw-dialer.h"
#include "t2pw-names.h"
#include "t2pw-outbound.h"
#include "t2pw-socket-helper.h"
#include "t2pw-udp-io.h"

G_BEGIN_DECLS

/**
 * T2pwOutboundContext:
 * @names: (nullable): without it, upstreams are literals or have known addresses
 * @files: (nullable) (element-type utf8 GBytes): what is in the files that options name, as
 *   they stand there; only while outbounds are made
 * @socket_helper: (nullable): connects unix sockets; without it, they are connected directly
 * @udp: (nullable): without it, nothing carries datagrams
 * @udp_wish: (nullable): the setting `udp`; %NULL: `auto`
 * @udpgw: of no port: there is no gateway for datagrams behind the upstreams
 * @udpgw_resolver: of no port: names cannot be sent to through the gateway
 * @udp_mode_learnt: (nullable): how an upstream carries datagrams, when that is news; @error
 *   (nullable) why it does not
 * @uplink: another number for each uplink that the machine has had
 * @connect_timeout_ms: for the connection and the handshake together
 *
 * What all outbounds of a worker share. Outlives them.
 */
typedef struct
{
  T2pReactor *reactor;
  T2pwSocketPolicy *policy;
  T2pwNames *names;
  GHashTable *files;
  const T2pwSocketHelper *socket_helper;
  T2pwUdpIo *udp;
  const char *udp_wish;
  T2pHostPort udpgw;
  T2pIpEndpoint udpgw_resolver;
  void (*udp_mode_learnt) (const char *label,
                           T2pwUdpMode mode,
                           const GError *error,
                           gpointer user_data);
  gpointer user_data;
  guint uplink;
  guint connect_timeout_ms;
} T2pwOutboundContext;

/* One proxy: its endpoint and where it is. */
typedef struct _T2pwUpstream T2pwUpstream;
typedef struct _T2pwUpstreamDial T2pwUpstreamDial;

T2pwUpstream *t2pw_upstream_new (const T2pwOutboundContext *context, T2pEndpoint *endpoint);
void t2pw_upstream_free (T2pwUpstream *upstream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwUpstream, t2pw_upstream_free)

void
t2pw_upstream_set_addresses (T2pwUpstream *upstream, const T2pIpAddress *addresses, guint n);
gint64 t2pw_upstream_get_rtt_us (const T2pwUpstream *upstream);

/* As t2pw_dial_start(); a name is looked up first when its addresses are not known or did not
 * answer the last time; and meanwhile when the uplink is another than it was. */
T2pwUpstreamDial *
t2pw_upstream_dial (T2pwUpstream *upstream, T2pwDialDone done, gpointer user_data);
void t2pw_upstream_dial_cancel (T2pwUpstreamDial *dial);

G_END_DECLS
