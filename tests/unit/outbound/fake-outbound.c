/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-outbound.h"

#include "t2p-error.h"

#include <string.h>

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

static char last_sent[64];

typedef struct
{
  T2pwAssociation base;
  FakeOutbound *fake;
} FakeAssociation;

static gboolean
fake_association_send (T2pwAssociation *base,
                       const T2pwDestination *to,
                       const guint8 *data,
                       gsize length,
                       gsize datagram_bytes)
{
  FakeAssociation *association = (FakeAssociation *) base;

  g_snprintf (last_sent, sizeof last_sent, "%.*s by %s", (int) length, (const char *) data,
              association->fake->name);
  return TRUE;
}

static void
fake_association_close (T2pwAssociation *base)
{
  FakeAssociation *association = (FakeAssociation *) base;

  g_assert_true (g_queue_remove (&association->fake->associations, association));
  association->fake->n_closed++;
  g_free (association);
}

static const T2pwAssociationClass fake_association_class = {
  .send = fake_association_send,
  .close = fake_association_close,
};

static T2pwAssociation *
fake_associate (T2pwOutbound *base, const T2pwAssociationHandler *handler, gpointer user_data)
{
  FakeOutbound *fake = (FakeOutbound *) base;
  FakeAssociation *association;

  if (fake->udp_mode == T2PW_UDP_NONE)
    return NULL;
  association = g_new0 (FakeAssociation, 1);
  association->base = (T2pwAssociation){ &fake_association_class, handler, user_data, "" };
  association->fake = fake;
  g_queue_push_tail (&fake->associations, association);
  fake->n_associations++;
  return &association->base;
}

static T2pwUdpMode
fake_get_udp_mode (T2pwOutbound *base)
{
  return ((FakeOutbound *) base)->udp_mode;
}

static void
fake_free (T2pwOutbound *base)
{
  FakeOutbound *fake = (FakeOutbound *) base;

  g_assert_cmpuint (fake->pending.length, ==, 0);
  g_assert_cmpuint (fake->checks.length, ==, 0);
  g_assert_cmpuint (fake->associations.length, ==, 0);
  g_free (fake);
}

static const T2pwOutboundClass fake_class = {
  .kind = "fake",
  .open = fake_open,
  .associate = fake_associate,
  .get_udp_mode = fake_get_udp_mode,
  .free = fake_free,
};

FakeOutbound *
fake_outbound_new (const char *name)
{
  FakeOutbound *fake = g_new0 (FakeOutbound, 1);

  fake->name = name;
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

void
fake_outbound_open_association (FakeOutbound *fake)
{
  FakeAssociation *returned = g_queue_pop_tail (&fake->associations);
  T2pwAssociation *association;

  /* a layer whose work is done steps aside: the way out is another one */
  g_assert_nonnull (returned);
  association = g_memdup2 (returned, sizeof *returned);
  memset (returned, 0, sizeof *returned);
  g_free (returned);
  g_queue_push_tail (&fake->associations, association);
  association->handler->opened (association, association->user_data);
}

void
fake_outbound_receive (FakeOutbound *fake, const char *text)
{
  T2pwAssociation *association = g_queue_peek_tail (&fake->associations);
  T2pwDestination from = { .address = t2p_ip_address_from_v4 (0xc0000201), .port = 53 };

  g_assert_nonnull (association);
  association->handler->received (association, &from, (const guint8 *) text, strlen (text),
                                  association->user_data);
}

void
fake_outbound_end_association (FakeOutbound *fake, int code)
{
  T2pwAssociation *association = g_queue_pop_tail (&fake->associations);
  g_autoptr (GError) error = g_error_new_literal (T2P_ERROR, code, "as the test wants it");

  g_assert_nonnull (association);
  association->handler->failed (association, t2pw_refusal_of_fault (error), error,
                                association->user_data);
  g_free (association);
}

const char *
fake_outbound_get_sent (void)
{
  return last_sent;
}
