/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Units are looked for in folders of the test's own, which look like the cgroup file system. */
#include "config.h"

#include "plan-fixture.h"
#include "t2p-limits.h"
#include "t2pn-app-rules.h"
#include "t2pn-cgroup.h"
#include "t2pn-nft.h"

#include <glib/gstdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER "user.slice/user-1000.slice"
#define MANAGER USER "/user@1000.service"

typedef struct
{
  char *root;
} Tree;

static void
make (const Tree *tree, const char *path)
{
  g_autofree char *whole = g_build_filename (tree->root, path, NULL);

  g_assert_cmpint (g_mkdir_with_parents (whole, 0755), ==, 0);
}

static void
set_up (Tree *tree, gconstpointer data)
{
  tree->root = g_dir_make_tmp ("t2p-apps-XXXXXX", NULL);
  g_assert_nonnull (tree->root);
  make (tree, "system.slice/fetch.service");
  make (tree, "system.slice/system-getty.slice/getty@tty1.service");
  make (tree, "init.scope/hidden.service");
  make (tree, MANAGER "/app.slice/fetch.service");
  make (tree, MANAGER "/app.slice/app-firefox-12.scope/inner.scope");
  make (tree, USER "/session-3.scope");
  make (tree, "user.slice/user-1001.slice/user@1001.service/app.slice/fetch.service");
}

static void
tear_down (Tree *tree, gconstpointer data)
{
  const char *argv[] = { "rm", "-rf", tree->root, NULL };

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                NULL);
  g_free (tree->root);
}

static char *
find (const Tree *tree, T2pnAppPlace place, const char *name)
{
  const char *names[] = { name, NULL };
  gboolean is_cut = FALSE;
  g_autoptr (GArray) groups = NULL;
  GString *text = g_string_new (NULL);

  place.root = tree->root;
  groups = t2pn_app_search (&place, names, NULL, &is_cut);
  g_assert_false (is_cut);
  for (guint i = 0; i < groups->len; i++)
    g_string_append_printf (text, "%s%u:%s", i > 0 ? " " : "",
                            g_array_index (groups, T2pnAppGroup, i).level,
                            g_array_index (groups, T2pnAppGroup, i).path);
  return g_string_free (text, FALSE);
}

static void
assert_found (const Tree *tree, T2pnAppPlace place, const char *name, const char *expected)
{
  g_autofree char *found = find (tree, place, name);

  g_assert_cmpstr (found, ==, expected);
}

static const T2pnAppPlace of_system = { NULL, FALSE, 0, FALSE };
static const T2pnAppPlace of_everybody = { NULL, FALSE, 0, TRUE };
static const T2pnAppPlace of_user = { NULL, TRUE, 1000, FALSE };

static void
test_system (Tree *tree, gconstpointer data)
{
  assert_found (tree, of_system, "fetch.service", "2:system.slice/fetch.service");
  assert_found (tree, of_system, "getty@*.service",
                "3:system.slice/system-getty.slice/getty@tty1.service");
  assert_found (tree, of_system, "system.slice", "1:system.slice");
  assert_found (tree, of_system, "hidden.service", "");
  assert_found (tree, of_system, "init.scope/hidden.service", "2:init.scope/hidden.service");
  assert_found (tree, of_system, MANAGER "/app.slice/fetch.service",
                "5:" MANAGER "/app.slice/fetch.service");
  assert_found (tree, of_system, "app.slice/fetch.service", "");
}

static void
test_everybody (Tree *tree, gconstpointer data)
{
  assert_found (tree, of_everybody, "fetch.service",
                "2:system.slice/fetch.service 5:" MANAGER "/app.slice/fetch.service "
                "5:user.slice/user-1001.slice/user@1001.service/app.slice/fetch.service");
}

static void
test_user (Tree *tree, gconstpointer data)
{
  assert_found (tree, of_user, "fetch.service", "5:" MANAGER "/app.slice/fetch.service");
  assert_found (tree, of_user, "app.slice/fetch.service",
                "5:" MANAGER "/app.slice/fetch.service");
  assert_found (tree, of_user, "app-firefox-*.scope",
                "5:" MANAGER "/app.slice/app-firefox-12.scope");
  assert_found (tree, of_user, "session-3.scope", "3:" USER "/session-3.scope");
  assert_found (tree, of_user, "system.slice/fetch.service", "");
  assert_found (tree, of_user, "user.slice", "");
  assert_found (tree, of_user, "user-1001.slice", "");
  assert_found (tree, of_user,
                "user.slice/user-1001.slice/user@1001.service/app.slice/fetch.service", "");
}

static void
test_strange_names (Tree *tree, gconstpointer data)
{
  g_autofree char *link = g_build_filename (tree->root, "system.slice", "link.service", NULL);

  make (tree, "system.slice/x\"; flush ruleset; \".service");
  g_assert_cmpint (symlink ("fetch.service", link), ==, 0);
  assert_found (tree, of_system, "x*.service", "");
  assert_found (tree, of_system, "link.service", "");
}

static void
test_one_user_is_not_all (Tree *tree, gconstpointer data)
{
  const char *names[] = { "app-*.scope", "fetch.service", NULL };
  T2pnAppPlace place = of_everybody;
  gboolean is_cut = FALSE;
  g_autoptr (GArray) groups = NULL;
  gboolean has_other = FALSE;

  for (guint i = 0; i < T2P_MAX_APP_CGROUPS; i++)
    {
      g_autofree char *path = g_strdup_printf (MANAGER "/app.slice/app-%u.scope", i);

      make (tree, path);
    }
  place.root = tree->root;
  groups = t2pn_app_search (&place, names, NULL, &is_cut);
  g_assert_true (is_cut);
  g_assert_cmpuint (groups->len, <=, T2P_MAX_APP_CGROUPS / 4);
  for (guint i = 0; i < groups->len; i++)
    has_other |= strstr (g_array_index (groups, T2pnAppGroup, i).path, "1001") != NULL;
  g_assert_true (has_other);
}

static void
test_told_of_changes (Tree *tree, gconstpointer data)
{
  const char *names[] = { "new.service", NULL };
  T2pnAppPlace place = of_user;
  gboolean is_cut = FALSE;
  int fd = inotify_init1 (IN_NONBLOCK);
  T2pnAppWatch watch = { .inotify_fd = fd };
  char buffer[4096];
  g_autoptr (GArray) before = NULL;
  g_autoptr (GArray) after = NULL;

  place.root = tree->root;
  before = t2pn_app_search (&place, names, &watch, &is_cut);
  g_assert_cmpint (read (fd, buffer, sizeof buffer), <, 0);
  make (tree, MANAGER "/app.slice/new.service");
  g_assert_cmpint (read (fd, buffer, sizeof buffer), >, 0);
  after = t2pn_app_search (&place, names, &watch, &is_cut);
  g_assert_cmpuint (before->len, ==, 0);
  g_assert_cmpuint (after->len, ==, 1);
  g_assert_false (t2pn_app_groups_equal (before, after));
  close (fd);
}

static void
test_attached (Tree *tree, gconstpointer data)
{
  g_autoptr (GArray) groups = t2pn_app_groups_new ();
  g_autoptr (GArray) kept = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *gone = g_build_filename (tree->root, USER, "session-3.scope", NULL);
  T2pnAppGroup group;

  g_assert_false (t2pn_app_group_find (tree->root, "none.scope", &group, NULL));
  for (guint i = 0; i < 2; i++) /* once is enough */
    {
      g_assert_true (
          t2pn_app_group_find (tree->root, "system.slice/fetch.service", &group, &error));
      g_assert_true (t2pn_app_groups_add (groups, &group, &error));
      g_free (group.path);
    }
  g_assert_true (t2pn_app_group_find (tree->root, USER "/session-3.scope", &group, &error));
  g_assert_cmpuint (group.level, ==, 3);
  g_assert_true (t2pn_app_groups_add (groups, &group, &error));
  g_free (group.path);
  g_assert_cmpuint (groups->len, ==, 2);
  g_assert_cmpint (g_rmdir (gone), ==, 0);
  kept = t2pn_app_groups_keep (groups, tree->root);
  g_assert_cmpuint (kept->len, ==, 1);
}

static void
test_own_cgroup (Tree *tree, gconstpointer data)
{
  g_autofree char *path = t2pn_cgroup_make_path ("3");
  g_autofree char *folder = g_build_filename (tree->root, "tun2proxy", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (t2pn_cgroup_is_of_tunnel (path));
  g_assert_false (t2pn_cgroup_is_of_tunnel ("tun2proxy/"));
  g_assert_false (t2pn_cgroup_is_of_tunnel ("tun2proxy/../system.slice"));
  g_assert_false (t2pn_cgroup_is_of_tunnel ("system.slice"));
  for (guint i = 0; i < 2; i++)
    g_assert_true (t2pn_cgroup_make (tree->root, path, &error));
  g_assert_true (g_file_test (folder, G_FILE_TEST_IS_DIR));
  for (guint i = 0; i < 2; i++)
    g_assert_true (t2pn_cgroup_remove (tree->root, path, &error));
  g_assert_false (g_file_test (folder, G_FILE_TEST_EXISTS));
  g_assert_no_error (error);
}

/* --- rules */

#define CHAINS                                                                                 \
  "add table inet tun2proxy-3\n"                                                               \
  "add chain inet tun2proxy-3 apps { type route hook output priority -150; policy accept; }\n" \
  "flush chain inet tun2proxy-3 apps\n"                                                        \
  "add chain inet tun2proxy-3 apps-decide\n"                                                   \
  "flush chain inet tun2proxy-3 apps-decide\n"                                                 \
  "add chain inet tun2proxy-3 apps-capture\n"                                                  \
  "flush chain inet tun2proxy-3 apps-capture\n"                                                \
  "add rule inet tun2proxy-3 apps meta mark != 0 return\n"
#define PACKETS                                                                                \
  "add rule inet tun2proxy-3 apps oifname \"lo\" meta l4proto { tcp, udp } th dport != 53 "    \
  "return\n"                                                                                   \
  "add rule inet tun2proxy-3 apps ct direction reply return\n"                                 \
  "add rule inet tun2proxy-3 apps ct mark and 0xffff == 0x23ff meta mark set 0x23ff return\n"  \
  "add rule inet tun2proxy-3 apps ct state new jump apps-decide\n"                             \
  "add rule inet tun2proxy-3 apps-decide tcp flags & (fin | syn | rst | ack) != syn return\n"
#define CAPTURE                                                                                \
  "add rule inet tun2proxy-3 apps-capture ct mark set ct mark and 0xffff0000 or 0x23ff\n"      \
  "add rule inet tun2proxy-3 apps-capture meta mark set 0x23ff\n"

static void
test_rules_apps (Tree *tree, gconstpointer data)
{
  const char *names[] = { "fetch.service", NULL };
  const T2pnUidRange users[] = { { 1000, 1000 }, { 2000, 2999 } };
  T2pnAppPlace place = of_system;
  gboolean is_cut;
  g_autoptr (GArray) none = g_array_new (FALSE, FALSE, sizeof (T2pnAppGroup));
  g_autoptr (GArray) apps = NULL;
  T2pnAppRules rules = {
    .table = "tun2proxy-3", .mark = 0x23ff, .attached = none, .excluded = none
  };
  g_autofree char *script = NULL;

  place.root = tree->root;
  rules.apps = apps = t2pn_app_search (&place, names, NULL, &is_cut);
  rules.users = users;
  rules.n_users = G_N_ELEMENTS (users);
  script = t2pn_app_rules_make_script (&rules);
  g_assert_cmpstr (script, ==,
                   CHAINS PACKETS
                   "add rule inet tun2proxy-3 apps-decide meta skuid != { 1000, 2000-2999 } "
                   "return\n"
                   "add rule inet tun2proxy-3 apps-decide socket cgroupv2 level 2 "
                   "\"system.slice/fetch.service\" goto apps-capture\n" CAPTURE);
}

static void
test_rules_excluded (Tree *tree, gconstpointer data)
{
  const char *names[] = { "fetch.service", NULL };
  T2pnAppPlace place = of_system;
  gboolean is_cut;
  g_autoptr (GArray) excluded = NULL;
  T2pnAppRules rules = { .table = "tun2proxy-3", .mark = 0x23ff, .worker_uid = 977 };
  const char *run[] = { "getty@tty1.service", NULL };
  g_autoptr (GArray) attached = NULL;
  g_autofree char *script = NULL;

  place.root = tree->root;
  rules.excluded = excluded = t2pn_app_search (&place, names, NULL, &is_cut);
  rules.attached = attached = t2pn_app_search (&place, run, NULL, &is_cut);
  script = t2pn_app_rules_make_script (&rules);
  g_assert_cmpstr (script, ==,
                   CHAINS "add rule inet tun2proxy-3 apps meta skuid 977 return\n" PACKETS
                          "add rule inet tun2proxy-3 apps-decide socket cgroupv2 level 3 "
                          "\"system.slice/system-getty.slice/getty@tty1.service\" goto "
                          "apps-capture\n"
                          "add rule inet tun2proxy-3 apps-decide socket cgroupv2 level 2 "
                          "\"system.slice/fetch.service\" return\n"
                          "add rule inet tun2proxy-3 apps-decide goto apps-capture\n" CAPTURE);
}

/* Folders of the tests are no cgroups, and numbered in another order. */
static void
test_newest (Tree *tree, gconstpointer data)
{
  const char *names[] = { "fetch.service", NULL };
  T2pnAppPlace place = of_system;
  T2pnAppNewest newest;
  T2pnAppWatch watch = { .inotify_fd = -1, .newest = &newest };
  gboolean is_cut;
  g_autoptr (GArray) found = NULL;
  g_autoptr (GError) error = NULL;
  struct stat status;
  guint64 first;

  make (tree, "strange folder");
  g_assert_true (t2pn_app_newest_init (&newest, tree->root, &error));
  first = newest.id;
  newest.id = 0;
  place.root = tree->root;
  found = t2pn_app_search (&place, names, &watch, &is_cut);
  g_assert_cmpuint (newest.id, !=, first);
  g_assert_cmpint (fstat (newest.fd, &status), ==, 0);
  g_assert_cmpuint (status.st_ino, ==, newest.id);
  t2pn_app_newest_clear (&newest);
  t2pn_app_newest_clear (&newest);
  g_assert_false (t2pn_app_newest_init (&newest, "/nonexistent", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
}

static void
test_opened (Tree *tree, gconstpointer data)
{
  const char *names[] = { "system.slice/fetch.service", "getty*.service", NULL };
  T2pnAppPlace place = of_system;
  gboolean is_cut;
  g_autoptr (GArray) groups = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *gone = g_build_filename (tree->root, "system.slice/fetch.service", NULL);
  T2pnAppRules rules = { .table = "tun2proxy-3", .mark = 0x23ff };
  g_autofree char *script = NULL;
  g_autofree char *expected = NULL;

  place.root = tree->root;
  groups = t2pn_app_search (&place, names, NULL, &is_cut);
  g_assert_cmpuint (groups->len, ==, 2);
  g_assert_cmpint (g_rmdir (gone), ==, 0);
  g_assert_true (t2pn_app_groups_open (groups, tree->root, &error));
  g_assert_cmpuint (groups->len, ==, 1);
  g_assert_cmpint (g_array_index (groups, T2pnAppGroup, 0).fd, >=, 0);
  rules.attached = rules.excluded = rules.apps = groups;
  script = t2pn_app_rules_make_script (&rules);
  expected = g_strdup_printf ("level 3 \"../../../proc/self/fd/%d\" return\n",
                              g_array_index (groups, T2pnAppGroup, 0).fd);
  g_assert_nonnull (strstr (script, expected));
  t2pn_app_groups_close (groups);
  g_assert_cmpint (g_array_index (groups, T2pnAppGroup, 0).fd, ==, -1);
}

/* Whoever bears the name now is another one. */
static void
test_opened_another (Tree *tree, gconstpointer data)
{
  g_autoptr (GArray) groups = t2pn_app_groups_new ();
  T2pnAppGroup group = t2pn_app_group_make ("system.slice/fetch.service", 1);
  g_autoptr (GError) error = NULL;

  g_array_append_val (groups, group);
  g_assert_true (t2pn_app_groups_open (groups, tree->root, &error));
  g_assert_cmpuint (groups->len, ==, 0);
}

#define HOLD "add rule inet tun2proxy-3-hold hold "

static void
test_rules_hold (Tree *tree, gconstpointer data)
{
  const char *names[] = { "fetch.service", NULL };
  const T2pnUidRange users[] = { { 1000, 1000 } };
  T2pnAppPlace place = of_system;
  g_autoptr (GArray) folders = t2pn_app_groups_new ();
  T2pnAppWatch watch = { .inotify_fd = -1, .folders = folders };
  gboolean is_cut;
  g_autoptr (GArray) found = NULL;
  T2pnAppRules rules = {
    .table = "tun2proxy-3", .mark = 0x23ff, .worker_uid = 977, .users = users, .n_users = 1
  };
  g_autofree char *script = NULL;

  place.root = tree->root;
  found = t2pn_app_search (&place, names, &watch, &is_cut);
  script = t2pn_app_rules_make_hold_script (&rules, folders, 17);
  g_assert_cmpstr (
      script, ==,
      "add table inet tun2proxy-3-hold { flags owner; }\n"
      "add set inet tun2proxy-3-hold folders { type cgroupsv2; }\n"
      "add chain inet tun2proxy-3-hold hold { type filter hook output priority -149; "
      "policy accept; }\n"
      "flush chain inet tun2proxy-3-hold hold\n"
      "flush set inet tun2proxy-3-hold folders\n"
      "add element inet tun2proxy-3-hold folders { \"\", \"system.slice\", "
      "\"system.slice/system-getty.slice\", \"user.slice\", "
      "\"user.slice/user-1000.slice\", \"user.slice/user-1001.slice\" }\n" HOLD
      "meta mark != 0 return\n" HOLD "meta skuid 977 return\n" HOLD
      "oifname \"lo\" meta l4proto { tcp, udp } th dport != 53 return\n" HOLD
      "ct direction reply return\n" HOLD "ct state != new return\n" HOLD
      "tcp flags & (fin | syn | rst | ack) != syn return\n" HOLD
      "meta skuid != { 1000 } return\n" HOLD
      "socket cgroupv2 level 1 > \"../../../proc/self/fd/17\" drop\n" HOLD
      "socket cgroupv2 level 1 @folders socket cgroupv2 level 2 > "
      "\"../../../proc/self/fd/17\" drop\n" HOLD
      "socket cgroupv2 level 2 @folders socket cgroupv2 level 3 > "
      "\"../../../proc/self/fd/17\" drop\n");
}

/* --- routes */

static char *
plan_text (const char *settings_text, guint32 app_mark, gboolean has_ipv6)
{
  g_autoptr (T2pSettings) settings = make_settings (settings_text, TRUE);
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  g_autoptr (T2pnRoutePlan) plan = NULL;
  T2pnRoutePlanInput input = {
    .settings = settings,
    .ifindex = 7,
    .ifname = "t2p0",
    .ids = { .mark = 0x2370,
             .table = 23700,
             .override_table = 23701,
             .rule_priority = 5404,
             .app_mark = app_mark },
    .proxy_has_ipv4 = TRUE,
    .proxy_has_ipv6 = has_ipv6,
  };
  g_autoptr (GError) error = NULL;

  t2pn_address_pool_choose (settings, snapshot, NULL, "seed", &input.pool, &error);
  g_assert_no_error (error);
  plan = t2pn_route_plan_new (&input, snapshot, &error);
  g_assert_no_error (error);
  return t2pn_route_plan_to_text (plan);
}

/* Every rule but those of our own sockets selects the apps' mark, and no source address. */
static void
test_plan (void)
{
  g_autofree char *text =
      plan_text ("'capture': <'default'>, 'apps': <['a.service']>", 0x23ff, TRUE);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  guint n_rules = 0;

  for (guint i = 0; lines[i] != NULL; i++)
    if (strstr (lines[i], " rule add ") != NULL)
      {
        n_rules++;
        g_assert_true (strstr (lines[i], "fwmark 0x2370 ") != NULL ||
                       strstr (lines[i], "fwmark 0x23ff ") != NULL);
        g_assert_null (strstr (lines[i], " from "));
      }
  g_assert_cmpuint (n_rules, ==, 16);
  g_assert_nonnull (strstr (text, "fwmark 0x23ff iif lo lookup 23700"));
}

static void
test_plan_refuses_in_the_worker (void)
{
  g_autofree char *apps =
      plan_text ("'capture': <'default'>, 'apps': <['a.service']>", 0x23ff, FALSE);
  g_autofree char *all = plan_text ("'capture': <'default'>", 0, FALSE);

  g_assert_nonnull (strstr (all, "unreachable default"));
  g_assert_null (strstr (apps, "unreachable default"));
  g_assert_nonnull (strstr (apps, "ip -6 route add default dev t2p0 table 23700"));
}

static void
test_mark (void)
{
  g_autoptr (T2pSettings) settings = make_settings ("'capture': <'routes'>, 'routes': "
                                                    "<['192.0.2.0/24']>, 'exclude-apps': "
                                                    "<['a.service']>",
                                                    TRUE);
  g_autoptr (T2pSettings) other = make_settings ("'apps': <['a.service']>", TRUE);
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  g_autoptr (GArray) taken = g_array_new (FALSE, FALSE, sizeof (T2pnRouteIds));
  g_autoptr (GError) error = NULL;
  T2pnRouteIds first = { .mark = 0x2370 };
  T2pnRouteIds second = { .mark = 0x2370 };

  g_assert_true (t2pn_route_apps_choose_mark (settings, snapshot, taken, &first, &error));
  g_assert_cmpuint (first.app_mark, !=, 0);
  g_array_append_val (taken, first);
  g_assert_true (t2pn_route_apps_choose_mark (settings, snapshot, taken, &second, &error));
  g_assert_cmpuint (second.app_mark, !=, first.app_mark);
  g_assert_cmpuint (second.app_mark, !=, 0x2370);
  /* Without a capture there is nothing to be in. */
  g_assert_true (t2pn_route_apps_choose_mark (other, snapshot, taken, &second, &error));
  g_assert_cmpuint (second.app_mark, ==, 0);
  add_rule (snapshot, AF_INET, 100, 99)->mask = 0x1;
  g_array_index (snapshot->rules, T2pnRule, snapshot->rules->len - 1).mark = 0x1;
  add_rule (snapshot, AF_INET, 101, 99)->mask = 0x1;
  g_assert_false (t2pn_route_apps_choose_mark (settings, snapshot, taken, &second, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT);
}

#define ADD(name, function) g_test_add (name, Tree, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/apps/search/system", test_system);
  ADD ("/apps/search/managers-of-users", test_everybody);
  ADD ("/apps/search/user-sees-his-own", test_user);
  ADD ("/apps/search/strange-names-are-passed-over", test_strange_names);
  ADD ("/apps/search/one-user-does-not-use-up-everything", test_one_user_is_not_all);
  ADD ("/apps/search/tells-of-changes", test_told_of_changes);
  ADD ("/apps/attached/those-that-are-there", test_attached);
  ADD ("/apps/attached/own-cgroup", test_own_cgroup);
  ADD ("/apps/rules/only-apps", test_rules_apps);
  ADD ("/apps/rules/all-but-excluded", test_rules_excluded);
  ADD ("/apps/rules/holds-what-is-newer", test_rules_hold);
  ADD ("/apps/hold/newest-is-whatever-is-there", test_newest);
  ADD ("/apps/hold/gone-ones-are-not-loaded", test_opened);
  ADD ("/apps/hold/those-made-again-are-not-loaded", test_opened_another);
  g_test_add_func ("/apps/plan/goes-by-the-mark", test_plan);
  g_test_add_func ("/apps/plan/worker-refuses-what-the-proxy-lacks",
                   test_plan_refuses_in_the_worker);
  g_test_add_func ("/apps/plan/mark-is-nobody-elses", test_mark);
  return g_test_run ();
}
