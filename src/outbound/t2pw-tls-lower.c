/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-tls-lower.h"

#include "t2pw-tls-carrier.h"

typedef struct
{
  T2pwOutbound base;
  const T2pwOutboundContext *context;
  T2pwTlsContext *tls;
  T2pwOutbound *lower;
  GQueue lingering; /* carriers that nobody owns any more */
} TlsLower;

static T2pwCarrier *
tls_lower_open (T2pwOutbound *base,
                const T2pwDestination *destination,
                const T2pwCarrierHandler *handler,
                gpointer user_data)
{
  TlsLower *tls = (TlsLower *) base;

  return t2pw_tls_carrier_new (tls->context, tls->tls, &tls->lingering, tls->lower, destination,
                               handler, user_data);
}

static gint64
tls_lower_get_rtt_us (T2pwOutbound *base)
{
  return t2pw_outbound_get_rtt_us (((TlsLower *) base)->lower);
}

static void
tls_lower_free (T2pwOutbound *base)
{
  TlsLower *tls = (TlsLower *) base;

  t2pw_tls_carriers_abandon (&tls->lingering);
  t2pw_outbound_free (tls->lower);
  t2pw_tls_context_free (tls->tls);
  g_free (tls);
}

static const T2pwOutboundClass tls_lower_class = {
  .kind = "tls",
  .open = tls_lower_open,
  .get_rtt_us = tls_lower_get_rtt_us,
  .free = tls_lower_free,
};

/**
 * t2pw_tls_lower_new:
 * @context: outlives the outbound
 * @endpoint: the proxy, with its TLS options
 * @lower: (transfer full): connects to the proxy; also taken on failure
 *
 * TLS to the proxy, over whatever connects to it. Errors: T2P_ERROR_INVALID_SETTINGS.
 */
T2pwOutbound *
t2pw_tls_lower_new (const T2pwOutboundContext *context,
                    const T2pEndpoint *endpoint,
                    T2pwOutbound *lower,
                    GError **error)
{
  g_autoptr (T2pwOutbound) owned = lower;
  T2pwTlsContext *tls = t2pw_tls_context_new (endpoint, context->files, error);
  TlsLower *self;

  if (tls == NULL)
    return NULL;
  self = g_new0 (TlsLower, 1);
  self->base.klass = &tls_lower_class;
  self->context = context;
  self->tls = tls;
  self->lower = g_steal_pointer (&owned);
  return &self->base;
}
