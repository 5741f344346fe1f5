/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

/* Longer answers are refused: a ticket with all groups of a large domain has some 50 KiB. */
#define T2PW_KDC_MAX_REPLY_BYTES (256 * 1024)

typedef struct _T2pwKdcExchange T2pwKdcExchange;

/**
 * T2pwKdcExchangeDone:
 * @reply: (nullable): valid during the call; %NULL with @error set
 * @error: (nullable): T2P_ERROR_PROXY_UNREACHABLE, _PROXY_PROTOCOL, _LIMIT_EXCEEDED
 *
 * The exchange is gone when this is called. Never called from within
 * t2pw_kdc_exchange_start().
 */
typedef void (*T2pwKdcExchangeDone) (const guint8 *reply,
                                     gsize length,
                                     const GError *error,
                                     gpointer user_data);

T2pwKdcExchange *t2pw_kdc_exchange_start (const T2pwOutboundContext *context,
                                          T2pwOutbound *way,
                                          const T2pwDestination *kdc,
                                          const guint8 *request,
                                          gsize length,
                                          T2pwKdcExchangeDone done,
                                          gpointer user_data);
void t2pw_kdc_exchange_cancel (T2pwKdcExchange *exchange);

G_END_DECLS
