/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real kernel, in a network namespace of this process's own: needs root, touches nothing of
 * the machine. */
#include "config.h"

#include "netns-fixture.h"
#include "t2pn-nft.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOREIGN_TABLE                                                                          \
  "table inet filter { chain input { type filter hook input priority 0; accept; }; }"

static void
must_run (const char *script)
{
  g_autoptr (GError) error = NULL;

  t2pn_nft_run (script, &error);
  g_assert_no_error (error);
}

static char *
list_ruleset (void)
{
  g_autoptr (GError) error = NULL;
  char *output = t2pn_nft_ask ("list ruleset", &error);

  g_assert_no_error (error);
  return output;
}

static gboolean
has_table (const char *name)
{
  g_autoptr (GError) error = NULL;
  gboolean is_there = FALSE;

  g_assert_true (t2pn_nft_has_table (name, &is_there, &error));
  g_assert_no_error (error);
  return is_there;
}

static void
test_all_or_nothing (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *before = list_ruleset ();
  g_autofree char *after = NULL;

  g_assert_false (t2pn_nft_run ("add table inet tun2proxy-1\n"
                                "add chain inet tun2proxy-1 c\n"
                                "add rule inet tun2proxy-1 c jump nowhere\n",
                                &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_assert_true (g_str_has_prefix (error->message, "nftables refused: Error: "));
  g_assert_null (strchr (error->message, '\n'));
  after = list_ruleset ();
  g_assert_cmpstr (after, ==, before);
}

static void
test_check_changes_nothing (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (t2pn_nft_check ("add table inet tun2proxy-1\n", &error));
  g_assert_no_error (error);
  g_assert_false (has_table ("tun2proxy-1"));
  g_assert_false (t2pn_nft_check ("add rubbish inet tun2proxy-1\n", &error));
}

static void
test_delete (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *before = list_ruleset ();
  g_autofree char *after = NULL;

  must_run ("add table inet tun2proxy-1\nadd table inet tun2proxy-12\n");
  g_assert_true (has_table ("tun2proxy-1"));
  g_assert_true (t2pn_nft_delete_table ("tun2proxy-1", &error));
  g_assert_false (has_table ("tun2proxy-1"));
  g_assert_true (has_table ("tun2proxy-12")); /* its name only begins the same */
  g_assert_true (t2pn_nft_delete_table ("tun2proxy-12", &error));
  g_assert_true (t2pn_nft_delete_table ("tun2proxy-12", &error));
  g_assert_no_error (error);
  after = list_ruleset ();
  g_assert_cmpstr (after, ==, before);
}

/* Dies without a word once its table is there, as a killed daemon does. */
static void
make_table_and_die (const char *dir)
{
  int status;
  pid_t pid = fork ();

  if (pid == 0)
    {
      T2pnJournal *journal = t2pn_journal_new (dir, "1", NULL);

      t2pn_journal_begin_step (journal, "install-capture", NULL);
      t2pn_journal_add_nft_table (journal, "install-capture", "tun2proxy-1", NULL);
      t2pn_journal_add_nft_table (journal, "install-capture", "tun2proxy-1", NULL);
      t2pn_nft_run ("table inet tun2proxy-1 { chain c { counter; }; }", NULL);
      kill (getpid (), SIGKILL);
    }
  waitpid (pid, &status, 0);
  g_assert_true (WIFSIGNALED (status));
}

static guint
repair (const char *dir, gboolean is_dry_run)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;

  g_assert_true (t2pn_repair (dir, is_dry_run, lines, &error));
  g_assert_no_error (error);
  if (lines->len > 0)
    g_assert_cmpstr (lines->pdata[0], ==, "tunnel 1: nftables table inet tun2proxy-1");
  return lines->len;
}

static void
test_repair (void)
{
  char *dir = make_runtime_dir ();
  g_autofree char *before = list_ruleset ();
  g_autofree char *after = NULL;

  make_table_and_die (dir);
  g_assert_true (has_table ("tun2proxy-1"));
  g_assert_cmpuint (repair (dir, TRUE), ==, 1);
  g_assert_true (has_table ("tun2proxy-1"));
  g_assert_cmpuint (repair (dir, FALSE), ==, 1);
  g_assert_cmpuint (repair (dir, FALSE), ==, 0);
  after = list_ruleset ();
  g_assert_cmpstr (after, ==, before);
  remove_runtime_dir (dir);
}

static void
test_undo_of_the_step (void)
{
  char *dir = make_runtime_dir ();
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnJournal) journal = t2pn_journal_new (dir, "1", &error);

  t2pn_journal_begin_step (journal, "install-capture", &error);
  t2pn_journal_begin_step (journal, "apply-dns", &error);
  t2pn_journal_add_nft_table (journal, "install-capture", "tun2proxy-1", &error);
  must_run ("add table inet tun2proxy-1\n");
  g_assert_true (t2pn_journal_undo_step (journal, "apply-dns", &error));
  g_assert_true (has_table ("tun2proxy-1"));
  g_assert_true (t2pn_journal_undo_step (journal, "install-capture", &error));
  g_assert_false (has_table ("tun2proxy-1"));
  g_assert_true (t2pn_journal_undo (journal, &error));
  g_assert_no_error (error);
  remove_runtime_dir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (unshare (CLONE_NEWNET) != 0)
    {
      printf ("1..0 # SKIP needs root for a network namespace of its own\n");
      return 0;
    }
  must_run (FOREIGN_TABLE);
  g_test_add_func ("/netns/nft/all-or-nothing", test_all_or_nothing);
  g_test_add_func ("/netns/nft/check-changes-nothing", test_check_changes_nothing);
  g_test_add_func ("/netns/nft/delete-hits-one-table", test_delete);
  g_test_add_func ("/netns/nft/repair-after-sigkill", test_repair);
  g_test_add_func ("/netns/nft/undone-with-its-step", test_undo_of_the_step);
  return g_test_run ();
}
