/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-flow.h"

G_BEGIN_DECLS

/* Bytes of one flow and direction in one turn: others are served in between. */
#define T2PW_STREAM_BURST_BYTES (256 * 1024)

/**
 * T2pwPumpResult:
 * @T2PW_PUMP_WAITS: for an edge
 * @T2PW_PUMP_HAS_MORE: the burst is used up: pump again in the next turn
 * @T2PW_PUMP_ENDED: both sides have ended
 * @T2PW_PUMP_BROKEN: the upstream broke: reset the application
 */
typedef enum
{
  T2PW_PUMP_WAITS,
  T2PW_PUMP_HAS_MORE,
  T2PW_PUMP_ENDED,
  T2PW_PUMP_BROKEN,
} T2pwPumpResult;

T2pwPumpResult t2pw_stream_relay_pump (T2pwFlow *flow);

G_END_DECLS
