/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-reject.h"

#include "t2p-error.h"

typedef struct
{
  T2pwOutbound base;
  T2pReactor *reactor;
} RejectOutbound;

typedef struct
{
  T2pwCarrier base;
  T2pReactor *reactor;
  T2pTask task;
} RejectCarrier;

static void
reject_close (T2pwCarrier *base, gboolean reset)
{
  RejectCarrier *carrier = (RejectCarrier *) base;

  t2p_reactor_cancel (carrier->reactor, &carrier->task);
  g_free (carrier);
}

static const T2pwCarrierClass reject_carrier_class = {
  .send = t2pw_unopened_transfer,
  .receive = t2pw_unopened_transfer,
  .unread = t2pw_unopened_unread,
  .shutdown = t2pw_unopened_shutdown,
  .close = reject_close,
  .is_stalled = t2pw_unopened_is_stalled,
};

static void
reject_tell_cb (T2pTask *task)
{
  RejectCarrier *carrier = T2P_OWNER_OF (task, RejectCarrier, task);
  g_autoptr (GError) error =
      g_error_new_literal (T2P_ERROR, T2P_ERROR_FAILED, "rejected by the settings");
  T2pwCarrier base = carrier->base;

  base.handler->failed (&carrier->base, T2P_REFUSAL_ADMIN_PROHIBITED, error, base.user_data);
  g_free (carrier);
}

static T2pwCarrier *
reject_open (T2pwOutbound *base,
             const T2pwDestination *destination,
             const T2pwCarrierHandler *handler,
             gpointer user_data)
{
  RejectOutbound *outbound = (RejectOutbound *) base;
  RejectCarrier *carrier = g_new0 (RejectCarrier, 1);

  carrier->base = (T2pwCarrier){ &reject_carrier_class, handler, user_data, "reject" };
  carrier->reactor = outbound->reactor;
  t2p_reactor_defer (outbound->reactor, &carrier->task, reject_tell_cb);
  return &carrier->base;
}

static void
reject_free (T2pwOutbound *base)
{
  g_free (base);
}

static const T2pwOutboundClass reject_class = {
  .kind = "reject",
  .open = reject_open,
  .free = reject_free,
};

T2pwOutbound *
t2pw_reject_new (T2pReactor *reactor)
{
  RejectOutbound *outbound = g_new0 (RejectOutbound, 1);

  outbound->base.klass = &reject_class;
  outbound->reactor = reactor;
  return &outbound->base;
}
