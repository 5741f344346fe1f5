/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-outbound.h"

#include "t2p-error.h"

typedef struct
{
  T2pwCarrier base;
  FakeOutbound *fake;
  GQueue *queue; /* NULL once it was answered */
} FakeCarrier;

static void
fake_carrier_close (T2pwCarrier *base, gboolean reset)
{
  FakeCarrier *carrier = (FakeCarrier *) base;

  if (carrier->queue != NULL)
    {
      g_queue_remove (carrier->queue, carrier);
      carrier->fake->n_closed++;
    }
  g_free (carrier);
}

static const T2pwCarrierClass fake_carrier_class = {
  .send = t2pw_unopened_transfer,
  .receive = t2pw_unopened_transfer,
  .unread = t2pw_unopened_unread,
  .shutdown = t2pw_unopened_shutdown,
  .close = fake_carrier_close,
  .is_stalled = t2pw_unopened_is_stalled,
};

static T2pwCarrier *
fake_open (T2pwOutbound *base,
           const T2pwDestination *destination,
           const T2pwCarrierHandler *handler,
           gpointer user_data)
{
  FakeOutbound *fake = (FakeOutbound *) base;
  FakeCarrier *carrier = g_new0 (FakeCarrier, 1);
  gboolean is_check = destination->answer_timeout_ms > 0;

  carrier->base = (T2pwCarrier){ &fake_carrier_class, handler, user_data, "" };
  carrier->fake = fake;
  carrier->queue = is_check ? &fake->checks : &fake->pending;
  g_queue_push_tail (carrier->queue, carrier);
  *(is_check ? &fake->n_checks : &fake->n_flows) += 1;
  return &carrier->base;
}

static void
fake_free (T2pwOutbound *base)
{
  FakeOutbound *fake = (FakeOutbound *) base;

  g_assert_cmpuint (fake->pending.length, ==, 0);
  g_assert_cmpuint (fake->checks.length, ==, 0);
  g_free (fake);
}

static const T2pwOutboundClass fake_class = {
  .kind = "fake",
  .open = fake_open,
  .free = fake_free,
};

FakeOutbound *
fake_outbound_new (void)
{
  FakeOutbound *fake = g_new0 (FakeOutbound, 1);

  fake->base.klass = &fake_class;
  return fake;
}

void
fake_outbound_ask (GQueue *queue, gboolean has_spoken)
{
  FakeCarrier *carrier = g_queue_peek_head (queue);

  g_assert_nonnull (carrier);
  carrier->base.handler->asked (&carrier->base, has_spoken, carrier->base.user_data);
}

void
fake_outbound_answer (FakeOutbound *fake, GQueue *queue)
{
  FakeCarrier *carrier = g_queue_pop_head (queue);

  g_assert_nonnull (carrier);
  carrier->queue = NULL;
  carrier->base.handler->opened (&carrier->base, carrier->base.user_data);
}

void
fake_outbound_fail (FakeOutbound *fake, GQueue *queue, int code)
{
  FakeCarrier *carrier = g_queue_pop_head (queue);
  g_autoptr (GError) error = g_error_new_literal (T2P_ERROR, code, "as the test wants it");

  g_assert_nonnull (carrier);
  carrier->queue = NULL;
  carrier->base.handler->failed (&carrier->base, t2pw_refusal_of_fault (error), error,
                                 carrier->base.user_data);
  g_free (carrier);
}
