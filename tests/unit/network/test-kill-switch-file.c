/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "kill-switch-fixture.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

#define DEFAULT_SYSTEM "'capture': <'default'>"

typedef struct
{
  char *dir;
  char *path;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->dir = g_dir_make_tmp ("t2pn-kill-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->path = g_build_filename (fixture->dir, "kill-switch.json", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_unlink (fixture->path);
  g_assert_cmpint (g_rmdir (fixture->dir), ==, 0);
  g_free (fixture->dir);
  g_free (fixture->path);
}

static T2pnKillSwitch *
load (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  T2pnKillSwitch *self = t2pn_kill_switch_load (fixture->path, &error);

  g_assert_no_error (error);
  return self;
}

static void
test_round_trip (Fixture *fixture, gconstpointer data)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  g_autoptr (T2pnKillSwitch) self = t2pn_kill_switch_new ();
  g_autoptr (T2pnKillSwitch) loaded = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  T2pnBypassPeer peer = { .uid = 1000 };
  T2pnKillSwitchArm *arm;
  struct stat status;

  add_arm (self, DEFAULT_SYSTEM ", 'exclude-routes': <['203.0.113.7/32']>", FALSE, snapshot)
      ->is_always = TRUE;
  t2pn_kill_switch_add_mark (self, 0x2370);
  t2pn_kill_switch_add_worker_uid (self, 998);
  arm = self->arms->pdata[0];
  g_array_append_val (arm->passing_uids, peer.uid);
  t2p_ip_address_parse ("2001:db8:9::5", &peer.address);
  g_array_append_val (arm->passing_peers, peer);
  g_assert_true (t2pn_kill_switch_save (self, fixture->path, TRUE, &error));
  g_assert_no_error (error);
  g_assert_cmpint (stat (fixture->path, &status), ==, 0);
  g_assert_cmpuint (status.st_mode & 07777, ==, 0600);
  loaded = load (fixture);
  before = t2pn_kill_switch_to_script (self);
  after = t2pn_kill_switch_to_script (loaded);
  g_assert_cmpstr (after, ==, before);
  g_assert_true (((T2pnKillSwitchArm *) loaded->arms->pdata[0])->is_always);
  g_assert_nonnull (t2pn_kill_switch_find_arm (loaded, 1000, "home"));
  g_assert_null (t2pn_kill_switch_find_arm (loaded, 1001, "home"));
}

static ino_t
get_inode (Fixture *fixture)
{
  struct stat status;

  g_assert_cmpint (stat (fixture->path, &status), ==, 0);
  return status.st_ino;
}

/* A disk is slow; but what somebody else could have written is written anew. */
static void
test_written_when_it_changed (Fixture *fixture, gconstpointer data)
{
  g_autoptr (T2pnKillSwitch) self = make_switch (DEFAULT_SYSTEM, TRUE);
  struct stat status;
  ino_t first;

  g_assert_true (t2pn_kill_switch_save (self, fixture->path, FALSE, NULL));
  first = get_inode (fixture);
  g_assert_true (t2pn_kill_switch_save (self, fixture->path, FALSE, NULL));
  g_assert_cmpuint (get_inode (fixture), ==, first);
  g_chmod (fixture->path, 0666);
  g_assert_true (t2pn_kill_switch_save (self, fixture->path, FALSE, NULL));
  g_assert_cmpint (stat (fixture->path, &status), ==, 0);
  g_assert_cmpuint (status.st_mode & 07777, ==, 0600);
  first = get_inode (fixture);
  t2pn_kill_switch_add_mark (self, 0x2371);
  g_assert_true (t2pn_kill_switch_save (self, fixture->path, FALSE, NULL));
  g_assert_cmpuint (get_inode (fixture), !=, first);
}

static void
test_only_always_is_kept (Fixture *fixture, gconstpointer data)
{
  g_autoptr (T2pnKillSwitch) self = make_switch (DEFAULT_SYSTEM, TRUE);
  g_autoptr (T2pnKillSwitch) loaded = NULL;
  g_autoptr (T2pnKillSwitch) absent = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (t2pn_kill_switch_save (self, fixture->path, FALSE, &error));
  loaded = load (fixture);
  g_assert_cmpuint (loaded->arms->len, ==, 1);
  g_assert_true (t2pn_kill_switch_save (self, fixture->path, TRUE, &error));
  g_assert_true (t2pn_kill_switch_save (self, fixture->path, TRUE, &error));
  g_assert_no_error (error);
  g_assert_false (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
  absent = load (fixture);
  g_assert_cmpuint (absent->arms->len, ==, 0);
}

#define ARM(name, interface, users)                                                            \
  "{\"marks\": [1, -5, \"x\"], \"arms\": [{\"owner\": 1000, \"name\": \"" name                 \
  "\", \"interface\": \"" interface "\", \"captures-all\": true, \"users\": " users            \
  ", \"lan\": [\"192.0.2.0/24\", \"; flush ruleset\", 7]}]}"

static void
test_nothing_slips_into_the_script (Fixture *fixture, gconstpointer data)
{
  static const char *const refused[] = {
    ARM ("home", "t2p0\\\" } accept", "[]"),
    ARM ("home", "", "[]"),
    ARM ("a; flush ruleset", "t2p0", "[]"),
    ARM ("home", "t2p0", "[1000]"),
    ARM ("home", "t2p0", "[1000, 999]"),
    ARM ("home", "t2p0", "[\"0\", 5]"),
    ARM ("home", "t2p0", "7"),
    "{\"arms\": [7, [], {}]}",
    "{\"arms\": 7}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (T2pnKillSwitch) self = NULL;

      g_assert_true (g_file_set_contents (fixture->path, refused[i], -1, NULL));
      self = load (fixture);
      g_assert_cmpuint (self->arms->len, ==, 0);
    }
}

static void
test_what_is_malformed_is_left_out (Fixture *fixture, gconstpointer data)
{
  g_autoptr (T2pnKillSwitch) self = NULL;

  g_assert_true (
      g_file_set_contents (fixture->path, ARM ("home", "t2p0", "[1000, 1000]"), -1, NULL));
  self = load (fixture);
  g_assert_cmpuint (self->arms->len, ==, 1);
  assert_has (self, "elements = { 192.0.2.0/24 }");
  assert_has (self, "meta mark { 1 } accept");
  assert_lacks (self, "flush");
}

static void
test_file_of_others (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (fixture->path, "{}", -1, NULL));
  g_chmod (fixture->path, 0666);
  g_assert_null (t2pn_kill_switch_load (fixture->path, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
}

static void
add_file_test (const char *name, void (*test) (Fixture *fixture, gconstpointer data))
{
  g_test_add (name, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_file_test ("/kill-switch/file/round-trip", test_round_trip);
  add_file_test ("/kill-switch/file/written-when-it-changed", test_written_when_it_changed);
  add_file_test ("/kill-switch/file/only-always-is-kept", test_only_always_is_kept);
  add_file_test ("/kill-switch/file/nothing-slips-into-the-script",
                 test_nothing_slips_into_the_script);
  add_file_test ("/kill-switch/file/malformed-is-left-out", test_what_is_malformed_is_left_out);
  add_file_test ("/kill-switch/file/of-others-is-refused", test_file_of_others);
  return g_test_run ();
}
