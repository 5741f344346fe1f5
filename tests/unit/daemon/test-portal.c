/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-portal.h"

/* One letter for each event, "P" PORTAL, "F" FULL, "L" LIMITED, "N" NONE, "U" unknown; "b" the
 * kill switch blocks, "a" it does not; "t" time is over. What holds afterwards: "+" open. */
typedef struct
{
  T2pdPortalMemory memory;
  T2pnConnectivity connectivity;
  gboolean is_blocking;
} Story;

static void
tell (Story *story, char event)
{
  static const char letters[] = "UNPLF";
  const char *letter = strchr (letters, event);

  if (letter != NULL)
    story->connectivity = (T2pnConnectivity) (letter - letters);
  else if (event != 't')
    story->is_blocking = event == 'b';
  t2pd_portal_judge (&story->memory, story->connectivity, story->is_blocking, event == 't');
}

static void
assert_story (const char *events, const char *expected)
{
  Story story = { 0 };
  GString *seen = g_string_new (NULL);

  for (gsize i = 0; events[i] != '\0'; i++)
    {
      tell (&story, events[i]);
      g_string_append_c (seen, story.memory.is_open ? '+' : '-');
    }
  g_assert_cmpstr (seen->str, ==, expected);
  g_string_free (seen, TRUE);
}

static void
test_login (void)
{
  assert_story ("bPF", "-+-");
  assert_story ("PbLF", "-++-");
}

static void
test_only_while_blocking (void)
{
  assert_story ("aP", "--");
  assert_story ("bPa", "-+-");
}

static void
test_once_for_a_network (void)
{
  assert_story ("bPtPLP", "-+----");
  assert_story ("bPabP", "-+---");
  assert_story ("bPtFP", "-+--+");
  assert_story ("bPtNP", "-+--+");
}

static void
test_nobody_to_tell (void)
{
  assert_story ("bUL", "---");
  assert_story ("bPUt", "-++-"); /* NetworkManager is restarted meanwhile */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/portal/open-until-the-login", test_login);
  g_test_add_func ("/portal/only-while-blocking", test_only_while_blocking);
  g_test_add_func ("/portal/once-for-a-network", test_once_for_a_network);
  g_test_add_func ("/portal/networkmanager-is-away", test_nobody_to_tell);
  return g_test_run ();
}
