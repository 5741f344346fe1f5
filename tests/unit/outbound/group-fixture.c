/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "group-fixture.h"

typedef struct
{
  GroupFixture *f;
  T2pwCarrier *carrier;
} Flow;

static void
state_changed_cb (gboolean is_up, T2pStateReason reason, const char *message, gpointer data)
{
  GroupFixture *f = data;

  *(is_up ? &f->n_told_up : &f->n_told_down) += 1;
}

static void
active_changed_cb (const char *old, const char *new, T2pStateReason reason, gpointer data)
{
  GroupFixture *f = data;

  g_assert_cmpstr (old, !=, new);
  f->n_told_active++;
  f->active_reason = reason;
}

static const T2pwGroupHandler group_handler = { state_changed_cb, active_changed_cb };

static void
flow_opened_cb (T2pwCarrier *carrier, gpointer data)
{
  Flow *flow = data;

  flow->carrier = carrier;
  flow->f->n_opened++;
  flow->f->opened_by = carrier->label;
}

static void
flow_failed_cb (T2pwCarrier *carrier, T2pRefusal refusal, const GError *error, gpointer data)
{
  Flow *flow = data;
  GroupFixture *f = flow->f;

  g_assert_true (carrier == flow->carrier);
  f->n_failed++;
  g_clear_error (&f->error);
  f->error = g_error_copy (error);
  flow->carrier = NULL;
  g_hash_table_remove (f->flows, flow);
}

static void
flow_edge_cb (T2pwCarrier *carrier, gpointer data)
{
}

static const T2pwCarrierHandler flow_handler = { flow_opened_cb, flow_failed_cb, flow_edge_cb,
                                                 flow_edge_cb };

static void
flow_free (gpointer data)
{
  Flow *flow = data;

  if (flow->carrier != NULL)
    t2pw_carrier_close (flow->carrier, TRUE);
  g_free (flow);
}

void
group_fixture_set_up (GroupFixture *f, gconstpointer data)
{
  f->reactor = t2p_reactor_new (NULL, NULL);
  f->context = (T2pwOutboundContext){ .reactor = f->reactor, .connect_timeout_ms = 10000 };
  f->flows = g_hash_table_new_full (NULL, NULL, flow_free, NULL);
}

void
group_fixture_tear_down (GroupFixture *f, gconstpointer data)
{
  g_hash_table_unref (f->flows);
  t2pw_outbound_free (f->group);
  g_clear_error (&f->error);
  t2p_reactor_free (f->reactor);
}

void
group_fixture_add (GroupFixture *f, guint n)
{
  const T2pwDestination harmless = { .name = "proxy.example",
                                     .port = 1080,
                                     .answer_timeout_ms = T2PW_CHECK_ANSWER_MS };

  if (f->group == NULL)
    f->group = t2pw_group_new (&f->context, &f->config, &group_handler, f);
  for (guint i = 0; i < n; i++)
    {
      static const char *const labels[GROUP_FIXTURE_MEMBERS] = { "a", "b", "c" };
      const char *label = labels[f->n_fakes];

      f->fakes[f->n_fakes] = fake_outbound_new (label);
      t2pw_group_add (f->group, &f->fakes[f->n_fakes]->base, label, &harmless);
      f->n_fakes++;
    }
}

gpointer
group_fixture_open (GroupFixture *f, guint source, guint host)
{
  T2pwDestination destination = { .address = t2p_ip_address_from_v4 (0xc0000200 + host),
                                  .source = t2p_ip_address_from_v4 (0x0a000000 + source),
                                  .port = 80 };
  Flow *flow = g_new0 (Flow, 1);

  flow->f = f;
  g_hash_table_add (f->flows, flow);
  flow->carrier = t2pw_outbound_open (f->group, &destination, &flow_handler, flow);
  return flow;
}

void
group_fixture_open_many (GroupFixture *f, guint n)
{
  for (guint i = 0; i < n; i++)
    group_fixture_open (f, 1, i);
}

void
group_fixture_close (GroupFixture *f, gpointer flow)
{
  g_assert_true (g_hash_table_remove (f->flows, flow));
}

static gboolean
time_is_over_cb (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

void
group_fixture_run_ms (GroupFixture *f, guint ms)
{
  gboolean is_over = FALSE;

  g_timeout_add (ms, time_is_over_cb, &is_over);
  while (!is_over)
    g_main_context_iteration (NULL, TRUE);
}

void
group_fixture_settle (GroupFixture *f)
{
  group_fixture_run_ms (f, 20);
}

T2pwMemberState
group_fixture_get_state (GroupFixture *f, guint index)
{
  T2pwMemberStatus status;

  t2pw_group_get_status (f->group, index, &status);
  return status.state;
}

guint
group_fixture_get_active (GroupFixture *f)
{
  for (guint i = 0; i < t2pw_group_get_n_members (f->group); i++)
    {
      T2pwMemberStatus status;

      t2pw_group_get_status (f->group, i, &status);
      if (status.is_active)
        return i;
    }
  g_assert_not_reached ();
}
