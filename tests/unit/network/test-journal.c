/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2pn-journal.h"
#include "t2pn-resolv-conf.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct
{
  char *dir;
  char *conf;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->dir = g_dir_make_tmp ("t2pn-journal-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->conf = g_build_filename (fixture->dir, "resolv.conf", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autofree char *journal = g_build_filename (fixture->dir, "journal", NULL);

  g_unlink (fixture->conf);
  g_rmdir (journal);
  g_assert_cmpint (g_rmdir (fixture->dir), ==, 0); /* no temporary file was left */
  g_free (fixture->dir);
  g_free (fixture->conf);
}

static void
put (const char *path, const char *text)
{
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
assert_content (const char *path, const char *expected)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, expected);
}

/* Runs @body in a child that dies without a word, as a killed daemon does. */
static void
in_dead_process (void (*body) (Fixture *fixture), Fixture *fixture)
{
  int status;
  pid_t pid = fork ();

  if (pid == 0)
    {
      body (fixture);
      kill (getpid (), SIGKILL);
    }
  waitpid (pid, &status, 0);
  g_assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
}

static T2pnJournal *
new_journal (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  T2pnJournal *journal = t2pn_journal_new (fixture->dir, "7", &error);

  g_assert_no_error (error);
  return journal;
}

static void
replace (Fixture *fixture, const char *ours)
{
  g_autoptr (T2pnJournal) journal = new_journal (fixture);
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnResolvConf) saved = NULL;

  t2pn_journal_begin_step (journal, "apply-dns", &error);
  g_assert_no_error (error);
  saved = t2pn_resolv_conf_save (fixture->conf, ours, &error);
  g_assert_no_error (error);
  t2pn_journal_add_resolv_conf (journal, saved, &error);
  g_assert_no_error (error);
  t2pn_resolv_conf_replace (saved, &error);
  g_assert_no_error (error);
}

static void
replace_body (Fixture *fixture)
{
  replace (fixture, "nameserver 198.18.0.2\n");
}

static guint
repair (Fixture *fixture, gboolean is_dry_run)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;

  t2pn_repair (fixture->dir, is_dry_run, lines, &error);
  g_assert_no_error (error);
  return lines->len;
}

static void
test_file_comes_back (Fixture *fixture, gconstpointer data)
{
  struct stat status;

  put (fixture->conf, "nameserver 192.0.2.53\n# caf\xe9\n");
  g_chmod (fixture->conf, 0640);
  in_dead_process (replace_body, fixture);
  assert_content (fixture->conf, "nameserver 198.18.0.2\n");
  g_assert_cmpuint (repair (fixture, TRUE), ==, 1);
  assert_content (fixture->conf, "nameserver 198.18.0.2\n");
  g_assert_cmpuint (repair (fixture, FALSE), ==, 1);
  assert_content (fixture->conf, "nameserver 192.0.2.53\n# caf\xe9\n");
  g_assert_cmpint (stat (fixture->conf, &status), ==, 0);
  g_assert_cmpuint (status.st_mode & 07777, ==, 0640);
  g_assert_cmpuint (repair (fixture, FALSE), ==, 0);
}

static void
test_link_comes_back (Fixture *fixture, gconstpointer data)
{
  g_autofree char *target = NULL;

  g_assert_cmpint (symlink ("../run/nowhere/resolv.conf", fixture->conf), ==, 0);
  in_dead_process (replace_body, fixture);
  g_assert_false (g_file_test (fixture->conf, G_FILE_TEST_IS_SYMLINK));
  repair (fixture, FALSE);
  target = g_file_read_link (fixture->conf, NULL);
  g_assert_cmpstr (target, ==, "../run/nowhere/resolv.conf");
}

static void
test_absence_comes_back (Fixture *fixture, gconstpointer data)
{
  in_dead_process (replace_body, fixture);
  g_assert_true (g_file_test (fixture->conf, G_FILE_TEST_EXISTS));
  repair (fixture, FALSE);
  g_assert_false (g_file_test (fixture->conf, G_FILE_TEST_EXISTS));
}

static void
test_others_change_stays (Fixture *fixture, gconstpointer data)
{
  put (fixture->conf, "nameserver 192.0.2.53\n");
  in_dead_process (replace_body, fixture);
  put (fixture->conf, "nameserver 192.0.2.99\n");
  g_assert_cmpuint (repair (fixture, FALSE), ==, 0);
  assert_content (fixture->conf, "nameserver 192.0.2.99\n");
}

static void
test_living_owner_is_left_alone (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnJournal) journal = NULL;
  g_auto (GStrv) abandoned = NULL;

  put (fixture->conf, "nameserver 192.0.2.53\n");
  replace_body (fixture);
  abandoned = t2pn_journal_list_abandoned (fixture->dir);
  g_assert_cmpuint (g_strv_length (abandoned), ==, 0);
  g_assert_cmpuint (repair (fixture, FALSE), ==, 0);
  assert_content (fixture->conf, "nameserver 198.18.0.2\n");
  journal = t2pn_journal_load (fixture->dir, "7", &error);
  g_assert_no_error (error);
  g_assert_true (t2pn_journal_undo (journal, &error));
  g_assert_true (t2pn_journal_undo (journal, &error));
  assert_content (fixture->conf, "nameserver 192.0.2.53\n");
}

static void
abandon_body (Fixture *fixture)
{
  g_autoptr (T2pnJournal) journal = new_journal (fixture);

  t2pn_journal_begin_step (journal, "create-device", NULL);
  t2pn_journal_add_device (journal, "t2p9", 1234567, NULL);
  t2pn_journal_begin_step (journal, "start-worker", NULL);
  t2pn_journal_add_socket (journal, "/run/none/worker-7", NULL);
}

static void
test_adoption (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnJournal) journal = NULL;
  g_auto (GStrv) abandoned = NULL;
  const char *ifname = NULL;
  int ifindex = 0;

  in_dead_process (abandon_body, fixture);
  abandoned = t2pn_journal_list_abandoned (fixture->dir);
  g_assert_cmpuint (g_strv_length (abandoned), ==, 1);
  g_assert_cmpstr (abandoned[0], ==, "7");
  journal = t2pn_journal_load (fixture->dir, "7", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (t2pn_journal_get_step (journal), ==, "start-worker");
  g_assert_cmpstr (t2pn_journal_get_socket (journal), ==, "/run/none/worker-7");
  g_assert_true (t2pn_journal_get_device (journal, &ifname, &ifindex));
  g_assert_cmpstr (ifname, ==, "t2p9");
  g_assert_cmpint (ifindex, ==, 1234567);
  g_strfreev (g_steal_pointer (&abandoned));
  abandoned = t2pn_journal_list_abandoned (fixture->dir);
  g_assert_cmpuint (g_strv_length (abandoned), ==, 0); /* it is ours now */
  g_assert_true (t2pn_journal_undo (journal, &error));
}

/* The worker is ended with its socket, and nothing that merely has a pid we once knew. */
static void
test_worker_is_ended (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->dir, "socket", NULL);
  g_autoptr (T2pnJournal) journal = new_journal (fixture);
  g_autoptr (GError) error = NULL;
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int status;
  pid_t worker;

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  close (fd);
  worker = fork ();
  if (worker == 0)
    for (;;)
      pause ();
  t2pn_journal_begin_step (journal, "start-worker", &error);
  t2pn_journal_add_socket (journal, path, &error);
  t2pn_journal_add_worker (journal, worker, &error);
  g_assert_no_error (error);
  t2pn_journal_undo_step (journal, "no-such-step", &error);
  g_assert_cmpint (waitpid (worker, &status, WNOHANG), ==, 0);
  t2pn_journal_undo_step (journal, "start-worker", &error);
  g_assert_no_error (error);
  g_assert_cmpint (waitpid (worker, &status, 0), ==, worker);
  g_assert_true (WIFSIGNALED (status));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_true (t2pn_journal_undo (journal, &error));
}

static void
test_reused_pid_survives (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->dir, "journal", "7.json", NULL);
  g_autofree char *text = g_strdup_printf (
      "{\"owner-pid\": %d, \"owner-start-time\": 1, \"network-namespace\": \"%s\", \"steps\": "
      "[{"
      "\"step\": \"start-worker\", \"entries\": [{\"kind\": \"worker\", \"pid\": %d, "
      "\"start-time\": 1}]}]}",
      getpid (), "%s", getpid ());
  g_autofree char *netns = g_file_read_link ("/proc/self/ns/net", NULL);
  g_auto (GStrv) parts = g_strsplit (text, "%s", 2);
  g_autofree char *whole = g_strconcat (parts[0], netns, parts[1], NULL);
  g_autoptr (T2pnJournal) journal = new_journal (fixture);

  put (path, whole);
  g_chmod (path, 0600);
  g_assert_cmpuint (repair (fixture, FALSE), ==, 0); /* and we are still here to tell */
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

static void
test_refuses_strangers_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->dir, "journal", "7.json", NULL);
  g_autoptr (T2pnJournal) journal = new_journal (fixture);
  g_autoptr (GError) error = NULL;

  put (path, "{}");
  g_chmod (path, 0666);
  g_assert_false (t2pn_repair (fixture->dir, FALSE, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
  g_unlink (path);
}

static void
assert_set_aside (Fixture *fixture, const char *text)
{
  g_autofree char *path = g_build_filename (fixture->dir, "journal", "7.json", NULL);
  g_autofree char *aside = g_strconcat (path, ".bad", NULL);
  g_autoptr (GPtrArray) planned = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;

  put (path, text);
  g_chmod (path, 0600);
  t2pn_repair (fixture->dir, TRUE, planned, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (planned->len, ==, 1);
  assert_content (path, text);
  t2pn_repair (fixture->dir, FALSE, lines, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (lines->len, ==, 1); /* told, not hidden */
  g_assert_nonnull (strstr (lines->pdata[0], "7.json.bad"));
  assert_content (aside, text);
  g_assert_cmpuint (repair (fixture, FALSE), ==, 0); /* and once only */
  g_unlink (aside);
}

/* Whatever a file holds, nothing but our own objects is touched, and nothing crashes. */
static void
test_garbage (Fixture *fixture, gconstpointer data)
{
  const char *const texts[] = {
    "",
    "[]",
    "{",
    "\xff\xfe",
    "{\"network-namespace\": 5}",
    "{\"steps\": 7}",
    "{\"steps\": [7, {\"entries\": 3}, {\"step\": \"x\", \"entries\": [1, {}, {\"kind\": "
    "5}]}]}",
    "{\"steps\": [{\"step\": 7, \"entries\": [{\"kind\": \"rule\", \"family\": 2}, "
    "{\"kind\": \"worker\"}, {\"kind\": \"resolv-conf\"}, {\"kind\": \"route\", "
    "\"destination\": \"nonsense\"}, {\"kind\": \"table\", \"table\": 254}]}]}",
  };
  g_autofree char *brackets = g_strnfill (100000, '[');
  g_autoptr (T2pnJournal) journal = new_journal (fixture);

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    assert_set_aside (fixture, texts[i]);
  assert_set_aside (fixture, brackets);
}

static void
test_too_big (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->dir, "journal", "7.json", NULL);
  g_autofree char *aside = g_strconcat (path, ".bad", NULL);
  g_autoptr (T2pnJournal) journal = new_journal (fixture);

  put (path, "{}");
  g_chmod (path, 0600);
  g_assert_cmpint (truncate (path, T2P_MAX_JOURNAL_BYTES + 1), ==, 0);
  g_assert_cmpuint (repair (fixture, FALSE), ==, 1);
  g_assert_cmpint (g_unlink (aside), ==, 0);
}

/* What can be understood of a damaged journal is undone. */
static void
test_damaged_is_undone_as_far_as_possible (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->dir, "journal", "7.json", NULL);
  g_autofree char *aside = g_strconcat (path, ".bad", NULL);
  g_autofree char *text = NULL;
  GString *changed;

  put (fixture->conf, "nameserver 192.0.2.53\n");
  in_dead_process (replace_body, fixture);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  changed = g_string_new (text);
  g_assert_cmpuint (g_string_replace (changed, "\"entries\" : [", "\"entries\" : [ 5,", 1), ==,
                    1);
  put (path, changed->str);
  g_chmod (path, 0600);
  g_string_free (changed, TRUE);
  g_assert_cmpuint (repair (fixture, FALSE), ==, 2);
  assert_content (fixture->conf, "nameserver 192.0.2.53\n");
  g_assert_cmpint (g_unlink (aside), ==, 0);
}

/* Killed between the new file's making and its move into place. */
static void
temporary_body (Fixture *fixture)
{
  g_autoptr (T2pnJournal) journal = new_journal (fixture);
  g_autoptr (T2pnResolvConf) saved = NULL;

  t2pn_journal_begin_step (journal, "apply-dns", NULL);
  saved = t2pn_resolv_conf_save (fixture->conf, "nameserver 198.18.0.2\n", NULL);
  t2pn_journal_add_resolv_conf (journal, saved, NULL);
  put (saved->temporary, "nameserver 198.1");
}

static void
test_temporary_goes (Fixture *fixture, gconstpointer data)
{
  put (fixture->conf, "nameserver 192.0.2.53\n");
  in_dead_process (temporary_body, fixture);
  g_assert_cmpuint (repair (fixture, FALSE), ==, 1); /* tear_down() finds nothing else left */
  assert_content (fixture->conf, "nameserver 192.0.2.53\n");
}

static void
test_permissions_and_ids (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->dir, "journal", "7.json", NULL);
  g_autoptr (T2pnJournal) journal = new_journal (fixture);
  g_autoptr (GError) error = NULL;
  struct stat status;

  t2pn_journal_begin_step (journal, "create-device", &error);
  g_assert_no_error (error);
  g_assert_cmpint (stat (path, &status), ==, 0);
  g_assert_cmpuint (status.st_mode & 07777, ==, 0600);
  g_assert_null (t2pn_journal_new (fixture->dir, "../7", &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
  g_assert_true (t2pn_journal_undo (journal, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add (name, Fixture, NULL, set_up, function, tear_down)
  ADD ("/journal/resolv-conf/file-comes-back", test_file_comes_back);
  ADD ("/journal/resolv-conf/link-comes-back", test_link_comes_back);
  ADD ("/journal/resolv-conf/absence-comes-back", test_absence_comes_back);
  ADD ("/journal/resolv-conf/somebody-elses-change-stays", test_others_change_stays);
  ADD ("/journal/living-owner-is-left-alone", test_living_owner_is_left_alone);
  ADD ("/journal/adoption", test_adoption);
  ADD ("/journal/worker-is-ended", test_worker_is_ended);
  ADD ("/journal/reused-pid-survives", test_reused_pid_survives);
  ADD ("/journal/refuses-a-file-others-can-write", test_refuses_strangers_file);
  ADD ("/journal/garbage-is-set-aside", test_garbage);
  ADD ("/journal/too-big-is-set-aside", test_too_big);
  ADD ("/journal/damaged-is-undone-as-far-as-possible",
       test_damaged_is_undone_as_far_as_possible);
  ADD ("/journal/resolv-conf/temporary-goes", test_temporary_goes);
  ADD ("/journal/permissions-and-ids", test_permissions_and_ids);
  return g_test_run ();
}
