/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Datagrams by a group. */
#include "config.h"

#include "group-fixture.h"
#include "t2p-error.h"

#define MANY 1000

typedef struct
{
  GroupFixture group;
  T2pwAssociation *association; /* the last */
  guint n_opened, n_failed, n_too_big;
  GError *error;
  char *received;
} Fixture;

static void
opened_cb (T2pwAssociation *association, gpointer data)
{
  Fixture *f = data;

  f->association = association;
  f->n_opened++;
}

static void
failed_cb (T2pwAssociation *association, T2pRefusal refusal, const GError *error, gpointer data)
{
  Fixture *f = data;

  f->association = NULL;
  f->n_failed++;
  g_clear_error (&f->error);
  f->error = g_error_copy (error);
}

static void
received_cb (T2pwAssociation *association,
             const T2pwDestination *from,
             const guint8 *bytes,
             gsize length,
             gpointer data)
{
  Fixture *f = data;

  g_assert_true (association == f->association);
  g_assert_cmpuint (from->port, ==, 53);
  g_free (f->received);
  f->received = g_strndup ((const char *) bytes, length);
}

static void
too_big_cb (T2pwAssociation *association,
            const T2pwDestination *to,
            gsize most_bytes,
            gpointer data)
{
  ((Fixture *) data)->n_too_big++;
}

static const T2pwAssociationHandler handler = { opened_cb, failed_cb, received_cb, too_big_cb };

static void
set_up (Fixture *f, gconstpointer data)
{
  group_fixture_set_up (&f->group, data);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  if (f->association != NULL)
    t2pw_association_close (f->association);
  group_fixture_tear_down (&f->group, data);
  g_clear_error (&f->error);
  g_free (f->received);
}

static void
associate (Fixture *f)
{
  f->association = t2pw_outbound_associate (f->group.group, &handler, f);
}

static gboolean
send_text (Fixture *f, const char *text)
{
  T2pwDestination to = { .name = "example.org", .port = 53 };

  return t2pw_association_send (f->association, &to, (const guint8 *) text, strlen (text), 0);
}

static void
test_both_ways (Fixture *f, gconstpointer data)
{
  group_fixture_add (&f->group, 1);
  f->group.fakes[0]->udp_mode = T2PW_UDP_ASSOCIATE;
  g_assert_cmpint (t2pw_outbound_get_udp_mode (f->group.group), ==, T2PW_UDP_ASSOCIATE);
  associate (f);
  g_assert_false (send_text (f, "early"));
  fake_outbound_open_association (f->group.fakes[0]);
  g_assert_cmpuint (f->n_opened, ==, 1);
  g_assert_cmpstr (f->association->label, ==, "a");
  g_assert_cmpint (group_fixture_get_state (&f->group, 0), ==, T2PW_MEMBER_UP);
  g_assert_true (send_text (f, "hello"));
  g_assert_cmpstr (fake_outbound_get_sent (), ==, "hello by a");
  fake_outbound_receive (f->group.fakes[0], "world");
  g_assert_cmpstr (f->received, ==, "world");
}

static void
test_who_carries_them (Fixture *f, gconstpointer data)
{
  group_fixture_add (&f->group, 3);
  f->group.fakes[0]->udp_mode = T2PW_UDP_NONE; /* that is known */
  f->group.fakes[2]->udp_mode = T2PW_UDP_ASSOCIATE;
  g_assert_cmpint (t2pw_outbound_get_udp_mode (f->group.group), ==, T2PW_UDP_UNKNOWN);
  f->group.fakes[1]->udp_mode = T2PW_UDP_NONE;
  g_assert_cmpint (t2pw_outbound_get_udp_mode (f->group.group), ==, T2PW_UDP_ASSOCIATE);
  f->group.fakes[1]->udp_mode = T2PW_UDP_UNKNOWN;
  associate (f);
  g_assert_cmpuint (f->group.fakes[0]->n_associations, ==, 0);
  fake_outbound_end_association (f->group.fakes[1], T2P_ERROR_NOT_SUPPORTED);
  fake_outbound_open_association (f->group.fakes[2]);
  g_assert_cmpuint (f->n_opened, ==, 1);
  g_assert_cmpstr (f->association->label, ==, "c");
  g_assert_cmpint (group_fixture_get_state (&f->group, 1), ==, T2PW_MEMBER_UP);
}

static void
test_nobody_does (Fixture *f, gconstpointer data)
{
  group_fixture_add (&f->group, 2);
  associate (f);
  fake_outbound_end_association (f->group.fakes[0], T2P_ERROR_NOT_SUPPORTED);
  fake_outbound_end_association (f->group.fakes[1], T2P_ERROR_NOT_SUPPORTED);
  g_assert_cmpuint (f->n_failed, ==, 1);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED);
  f->group.fakes[0]->udp_mode = f->group.fakes[1]->udp_mode = T2PW_UDP_NONE;
  g_assert_cmpint (t2pw_outbound_get_udp_mode (f->group.group), ==, T2PW_UDP_NONE);
  associate (f);
  g_assert_null (f->association); /* it is known by now */
  g_assert_null (
      t2pw_outbound_associate (t2pw_group_get_member (f->group.group, 1), &handler, f));
}

static void
test_member_goes_down (Fixture *f, gconstpointer data)
{
  group_fixture_add (&f->group, 2);
  associate (f);
  fake_outbound_open_association (f->group.fakes[0]);
  group_fixture_run_ms (&f->group, 5); /* what begins in the same turn would be no news */
  group_fixture_open (&f->group, 1, 1);
  fake_outbound_fail (f->group.fakes[0], &f->group.fakes[0]->pending,
                      T2P_ERROR_PROXY_UNREACHABLE);
  group_fixture_settle (&f->group);
  g_assert_cmpuint (f->n_failed, ==, 1);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_cmpuint (f->group.fakes[0]->n_closed, ==, 1);
  associate (f);
  fake_outbound_open_association (f->group.fakes[1]);
  g_assert_cmpstr (f->association->label, ==, "b");
}

/* A control connection that is closed may have its reasons: the proxy is asked. */
static void
test_its_own_end (Fixture *f, gconstpointer data)
{
  group_fixture_add (&f->group, 2);
  associate (f);
  fake_outbound_open_association (f->group.fakes[0]);
  fake_outbound_end_association (f->group.fakes[0], T2P_ERROR_FAILED);
  g_assert_cmpuint (f->n_failed, ==, 1);
  g_assert_cmpint (group_fixture_get_state (&f->group, 0), ==, T2PW_MEMBER_UP);
  group_fixture_settle (&f->group);
  g_assert_cmpuint (f->group.fakes[0]->n_checks, ==, 1);
}

/* Each application socket would like one, and the proxy is dead. */
static void
test_storm (Fixture *f, gconstpointer data)
{
  group_fixture_add (&f->group, 1);
  for (guint i = 0; i < MANY; i++)
    associate (f);
  group_fixture_settle (&f->group);
  g_assert_cmpuint (f->group.fakes[0]->n_associations, ==, 4);
  fake_outbound_fail (f->group.fakes[0], &f->group.fakes[0]->checks,
                      T2P_ERROR_PROXY_UNREACHABLE);
  group_fixture_run_ms (&f->group, 100);
  g_assert_cmpuint (f->n_failed, ==, MANY);
  g_assert_cmpuint (f->group.fakes[0]->n_associations, ==, 4);
  associate (f);
  g_assert_nonnull (f->association);
  group_fixture_settle (&f->group);
  g_assert_cmpuint (f->n_failed, ==, MANY + 1);
}

/* Each would like one, and those that went first find that the proxy has no UDP. */
static void
test_who_waits_is_told_why (Fixture *f, gconstpointer data)
{
  group_fixture_add (&f->group, 1);
  for (guint i = 0; i < MANY; i++)
    associate (f);
  group_fixture_settle (&f->group);
  f->group.fakes[0]->udp_mode = T2PW_UDP_NONE;
  fake_outbound_end_association (f->group.fakes[0], T2P_ERROR_NOT_SUPPORTED);
  group_fixture_run_ms (&f->group, 100);
  g_assert_cmpuint (f->group.fakes[0]->n_associations, ==, 4);
  g_assert_cmpuint (f->n_failed, ==, MANY - 3);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED);
  for (guint i = 0; i < 3; i++)
    fake_outbound_end_association (f->group.fakes[0], T2P_ERROR_NOT_SUPPORTED);
  g_assert_cmpuint (f->n_failed, ==, MANY);
}

static void
test_one_member (Fixture *f, gconstpointer data)
{
  T2pwOutbound *second;

  group_fixture_add (&f->group, 2);
  second = t2pw_group_get_member (f->group.group, 1);
  f->group.fakes[1]->udp_mode = T2PW_UDP_IN_TCP;
  g_assert_cmpint (t2pw_outbound_get_udp_mode (second), ==, T2PW_UDP_IN_TCP);
  f->association = t2pw_outbound_associate (second, &handler, f);
  fake_outbound_end_association (f->group.fakes[1], T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_cmpuint (f->n_failed, ==, 1);
  g_assert_cmpuint (f->group.fakes[0]->n_associations, ==, 0);
}

static void
test_turns (Fixture *f, gconstpointer data)
{
  T2pwAssociation *associations[6];

  f->group.config.policy = T2PW_GROUP_ROUND_ROBIN;
  group_fixture_add (&f->group, 3);
  for (guint i = 0; i < G_N_ELEMENTS (associations); i++)
    associations[i] = t2pw_outbound_associate (f->group.group, &handler, f);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (f->group.fakes[i]->n_associations, ==, 2);
  for (guint i = 0; i < G_N_ELEMENTS (associations); i++)
    t2pw_association_close (associations[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function)                                                                    \
  g_test_add ("/group-association/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("goes-both-ways", test_both_ways);
  ADD ("by-one-that-carries-datagrams", test_who_carries_them);
  ADD ("nobody-carries-datagrams", test_nobody_does);
  ADD ("ends-with-its-member", test_member_goes_down);
  ADD ("its-own-end-has-the-member-checked", test_its_own_end);
  ADD ("a-thousand-on-a-dead-proxy-make-four-attempts", test_storm);
  ADD ("who-waits-is-told-why", test_who_waits_is_told_why);
  ADD ("one-member-and-no-other", test_one_member);
  ADD ("take-turns", test_turns);
  return g_test_run ();
}
