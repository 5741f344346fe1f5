/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-flow.h"

#include "t2pw-datagram-relay.h"

#define MAY(state) (1u << T2PW_FLOW_##state)

gboolean
t2pw_flow_state_may_follow (T2pwFlowState from, T2pwFlowState to)
{
  static const guint followers[] = {
    [T2PW_FLOW_CONNECTING] = MAY (EARLY) | MAY (OPEN) | MAY (CLOSED),
    [T2PW_FLOW_EARLY] = MAY (OPEN) | MAY (CLOSED),
    [T2PW_FLOW_OPEN] = MAY (APP_ENDED) | MAY (UPSTREAM_ENDED) | MAY (CLOSED),
    [T2PW_FLOW_APP_ENDED] = MAY (CLOSING) | MAY (CLOSED),
    [T2PW_FLOW_UPSTREAM_ENDED] = MAY (CLOSING) | MAY (CLOSED),
    [T2PW_FLOW_CLOSING] = MAY (CLOSED),
    [T2PW_FLOW_CLOSED] = 0,
  };

  return (followers[from] & (1u << to)) != 0;
}

/* As ListConnections shows it. */
const char *
t2pw_flow_state_to_string (T2pwFlowState state)
{
  switch (state)
    {
    case T2PW_FLOW_CONNECTING:
    case T2PW_FLOW_EARLY:
      return "connecting";
    case T2PW_FLOW_OPEN:
      return "established";
    case T2PW_FLOW_APP_ENDED:
    case T2PW_FLOW_UPSTREAM_ENDED:
      return "half-closed";
    case T2PW_FLOW_CLOSING:
    case T2PW_FLOW_CLOSED:
      return "closing";
    }
  return "unknown";
}

void
t2pw_flow_set_state (T2pwFlow *flow, T2pwFlowState state)
{
  g_return_if_fail (t2pw_flow_state_may_follow (flow->state, state));

  flow->state = state;
}

const char *
t2pw_flow_get_protocol (const T2pwFlow *flow)
{
  return flow->datagrams != NULL ? "udp" : "tcp";
}

const char *
t2pw_flow_get_proxy (const T2pwFlow *flow)
{
  if (flow->datagrams != NULL)
    return t2pw_datagram_socket_get_label (flow->datagrams);
  return flow->carrier != NULL ? flow->carrier->label : "";
}
