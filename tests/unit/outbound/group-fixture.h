/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fake-outbound.h"
#include "t2pw-group.h"

/* A group over outbounds without sockets, and the flows that go by it. */
#define GROUP_FIXTURE_MEMBERS 3

typedef struct
{
  T2pReactor *reactor;
  T2pwOutboundContext context;
  T2pwGroupConfig config;
  T2pwOutbound *group; /* NULL until the first member was added */
  FakeOutbound *fakes[GROUP_FIXTURE_MEMBERS];
  guint n_fakes;
  GHashTable *flows; /* set of Flow: that have a carrier */
  guint n_opened, n_failed;
  const char *opened_by; /* label of the last */
  GError *error;         /* of the last */
  guint n_told_up, n_told_down, n_told_active;
  T2pStateReason active_reason;
} GroupFixture;

void group_fixture_set_up (GroupFixture *f, gconstpointer data);
void group_fixture_tear_down (GroupFixture *f, gconstpointer data);
/* Labels are "a", "b", "c". */
void group_fixture_add (GroupFixture *f, guint n);
/* To host number @host, for application number @source. */
gpointer group_fixture_open (GroupFixture *f, guint source, guint host);
void group_fixture_open_many (GroupFixture *f, guint n);
void group_fixture_close (GroupFixture *f, gpointer flow);
void group_fixture_run_ms (GroupFixture *f, guint ms);
/* Runs what is due now: tasks, and timers of no time. */
void group_fixture_settle (GroupFixture *f);
T2pwMemberState group_fixture_get_state (GroupFixture *f, guint index);
guint group_fixture_get_active (GroupFixture *f);
