/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-manager.h"

#include "t2p-limits.h"

static T2pSettings *
make_settings (const char *rest)
{
  g_autofree char *text =
      g_strdup_printf ("{'proxies': <['socks5://192.0.2.1:1080']>%s}", rest);
  g_autoptr (GVariant) dict = g_variant_parse (G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
  g_autoptr (GError) error = NULL;
  T2pSettings *settings = t2p_settings_new (dict, TRUE, &error);

  g_assert_no_error (error);
  return settings;
}

static T2pdTunnel *
add (T2pdManager *manager, const char *name, guint32 owner, const char *rest)
{
  g_autoptr (T2pSettings) settings = make_settings (rest);
  g_autoptr (T2pdTunnel) tunnel =
      t2pd_tunnel_new (t2pd_manager_next_id (manager), name, owner, settings);

  t2pd_manager_add (manager, tunnel);
  return tunnel;
}

static void
test_names (void)
{
  g_autoptr (T2pdManager) manager = t2pd_manager_new ();
  T2pdTunnel *mine = add (manager, "work", 1000, "");
  T2pdTunnel *other = add (manager, "work", 0, "");

  g_assert_true (t2pd_manager_find (manager, 1000, "work") == mine);
  g_assert_true (t2pd_manager_find (manager, 0, "work") == other);
  g_assert_null (t2pd_manager_find (manager, 0, "Work"));
  g_assert_cmpstr (t2pd_tunnel_get_path (other), ==, "/org/tun2proxy/Tunnel/2");
  t2pd_manager_remove (manager, mine);
  g_assert_null (t2pd_manager_find (manager, 1000, "work"));
}

static void
test_limits (void)
{
  g_autoptr (T2pdManager) manager = t2pd_manager_new ();
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < T2P_MAX_TUNNELS; i++)
    {
      g_autofree char *name = g_strdup_printf ("t%u", i);

      g_assert_true (t2pd_manager_check_limits (manager, i / T2P_MAX_TUNNELS_PER_UID, &error));
      add (manager, name, i / T2P_MAX_TUNNELS_PER_UID, "");
      if (i == T2P_MAX_TUNNELS_PER_UID - 1)
        {
          g_assert_false (t2pd_manager_check_limits (manager, 0, &error));
          g_assert_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
          g_clear_error (&error);
        }
    }
  g_assert_false (t2pd_manager_check_limits (manager, 12345, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
}

/* Steps that never end: the tunnel stays engaged. */
static void
run_for_ever (gpointer context, GTask *task)
{
  g_object_unref (task);
}

static gboolean
begin_cb (gpointer context, const T2pdStep *step, GError **error)
{
  return TRUE;
}

static void
undone_cb (gpointer context, const T2pdStep *step, const GError *error)
{
}

static void
engage (T2pdTunnel *tunnel)
{
  static const T2pdStep steps[] = {
    { "wait", T2P_TUNNEL_STATE_PREPARING, run_for_ever, NULL },
  };
  static const T2pdActivationHooks hooks = { begin_cb, undone_cb, NULL };
  g_autoptr (T2pdActivation) activation = t2pd_activation_new (steps, 1, &hooks, NULL, NULL);

  t2pd_tunnel_set_activation (tunnel, activation, NULL);
  t2pd_tunnel_activate_async (tunnel, NULL, NULL);
}

static void
test_conflicts (void)
{
  g_autoptr (T2pdManager) manager = t2pd_manager_new ();
  g_autoptr (T2pSettings) whole = make_settings (", 'capture': <'default'>");
  g_autoptr (T2pSettings) of_user =
      make_settings (", 'capture': <'default'>, 'scope': <'user'>");
  g_autoptr (T2pSettings) plain = make_settings ("");
  g_autoptr (T2pSettings) names = make_settings (", 'dns': <'virtual'>");
  g_autoptr (T2pSettings) some = make_settings (", 'dns': <'virtual'>, 'users': <['1000']>");
  g_autoptr (GError) error = NULL;
  T2pdTunnel *first = add (manager, "first", 0, ", 'capture': <'default'>");
  T2pdTunnel *users =
      add (manager, "users", 1000, ", 'capture': <'default'>, 'scope': <'user'>");

  g_assert_true (t2pd_manager_check_conflicts (manager, 0, whole, NULL, &error));
  engage (first);
  engage (users);
  g_assert_false (t2pd_manager_check_conflicts (manager, 0, whole, NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT);
  g_assert_nonnull (strstr (error->message, "'first'"));
  g_clear_error (&error);
  g_assert_true (t2pd_manager_check_conflicts (manager, 0, whole, first, &error));
  g_assert_true (t2pd_manager_check_conflicts (manager, 0, plain, NULL, &error));
  g_assert_true (t2pd_manager_check_conflicts (manager, 0, some, NULL, &error));
  g_assert_false (t2pd_manager_check_conflicts (manager, 0, names, NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT);
  g_clear_error (&error);
  g_assert_true (t2pd_manager_check_conflicts (manager, 1001, of_user, NULL, &error));
  g_assert_false (t2pd_manager_check_conflicts (manager, 1000, of_user, NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT);
  g_assert_null (t2pd_manager_get_default (manager));
}

/* Only a tunnel for everybody tells the machine's resolver. */
static void
test_conflicts_of_names (void)
{
  static const char *const others[] = {
    ", 'capture': <'routes'>, 'routes': <['192.0.2.0/24']>, 'dns': <'virtual'>, "
    "'users': <['4001']>",
    ", 'capture': <'routes'>, 'routes': <['192.0.2.0/24']>, 'dns': <'virtual'>, "
    "'apps': <['a.service']>",
    ", 'capture': <'routes'>, 'routes': <['192.0.2.0/24']>, 'dns': <'virtual'>, "
    "'dns-domains': <['corp.example']>",
    ", 'capture': <'routes'>, 'routes': <['192.0.2.0/24']>, 'dns': <'off'>",
  };
  g_autoptr (T2pdManager) manager = t2pd_manager_new ();
  g_autoptr (T2pSettings) second = make_settings (
      ", 'capture': <'routes'>, 'routes': <['192.0.2.0/24']>, 'dns': <'virtual'>");
  g_autoptr (GError) error = NULL;

  engage (add (manager, "first", 0, ", 'capture': <'default'>"));
  g_assert_false (t2pd_manager_check_conflicts (manager, 0, second, NULL, &error));
  g_assert_nonnull (strstr (error->message, "resolves all names"));
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autoptr (T2pSettings) other = make_settings (others[i]);

      g_assert_true (t2pd_manager_check_conflicts (manager, 0, other, NULL, NULL));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/manager/names-belong-to-owners", test_names);
  g_test_add_func ("/manager/limits-per-user-and-in-all", test_limits);
  g_test_add_func ("/manager/conflicts-with-those-that-are-up", test_conflicts);
  g_test_add_func ("/manager/only-one-has-all-names", test_conflicts_of_names);
  return g_test_run ();
}
