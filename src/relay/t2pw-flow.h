/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-flow-decision.h"

G_BEGIN_DECLS

/**
 * T2pwFlowState:
 * @T2PW_FLOW_CONNECTING: the SYN is held while the upstream is asked
 * @T2PW_FLOW_EARLY: the application was answered already (early-accept), the upstream is asked
 * @T2PW_FLOW_OPEN: bytes go both ways
 * @T2PW_FLOW_APP_ENDED: the application has shut down its side
 * @T2PW_FLOW_UPSTREAM_ENDED: the upstream has
 * @T2PW_FLOW_CLOSING: both have; the stack delivers what is left
 * @T2PW_FLOW_CLOSED: about to be freed
 */
typedef enum
{
  T2PW_FLOW_CONNECTING,
  T2PW_FLOW_EARLY,
  T2PW_FLOW_OPEN,
  T2PW_FLOW_APP_ENDED,
  T2PW_FLOW_UPSTREAM_ENDED,
  T2PW_FLOW_CLOSING,
  T2PW_FLOW_CLOSED,
} T2pwFlowState;

typedef struct _T2pwFlow T2pwFlow;
typedef struct _T2pwRelay T2pwRelay;
typedef struct _T2pwDatagramSocket T2pwDatagramSocket;

/**
 * T2pwFlow: one connection through the tunnel; a plain struct, thousands of them.
 * @datagrams: of an application's UDP socket, which is one flow whatever it sends to: then
 *   @key's destination is the last one, and there is neither stream nor carrier
 */
struct _T2pwFlow
{
  T2pwRelay *owner;
  T2pwFlow *next, *previous; /* in the table, by id */
  guint64 id;
  T2pwFlowKey key;
  T2pwFlowState state;
  guint32 name_index; /* of the virtual names, pinned; 0: by address */
  const char *rule;   /* that decided; NULL: none did */
  T2pwFlowInquiry *inquiry;
  T2pwHeldSyn *syn;
  T2pwStream *stream;
  T2pwCarrier *carrier;
  T2pwDatagramSocket *datagrams;
  guint64 rx_bytes; /* from the application */
  guint64 tx_bytes; /* to it */
  gint64 opened_us;
  gint64 active_us;
  T2pTimer timer;
  T2pTask task;
  guint app_ready : 1;      /* the stream may have bytes */
  guint upstream_ready : 1; /* the carrier may have bytes */
  guint upstream_full : 1;  /* wait for the carrier's edge */
  guint app_full : 1;       /* wait for the stream's edge */
};

gboolean t2pw_flow_state_may_follow (T2pwFlowState from, T2pwFlowState to);
const char *t2pw_flow_state_to_string (T2pwFlowState state);
/* "tcp" or "udp"; the upstream in use, "" while there is none: as ListConnections shows them.
 */
const char *t2pw_flow_get_protocol (const T2pwFlow *flow);
const char *t2pw_flow_get_proxy (const T2pwFlow *flow);
void t2pw_flow_set_state (T2pwFlow *flow, T2pwFlowState state);

G_END_DECLS
