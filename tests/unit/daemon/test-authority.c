/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-authority.h"

#include "t2p-bus.h"
#include "t2p-foreign-address.h"
#include "t2p-names.h"

#define PROXY "'proxies': <['socks5://192.0.2.1:1080']>"

static T2pSettings *
make_settings (const char *text, gboolean is_root)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) dict =
      g_variant_parse (G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
  T2pSettings *settings;

  g_assert_no_error (error);
  settings = t2p_settings_new (dict, is_root, &error);
  g_assert_no_error (error);
  return settings;
}

static guint
needs (const char *method, const T2pdFacts *facts)
{
  guint actions = G_MAXUINT;

  g_assert_true (t2pd_authority_needs (method, facts, &actions));
  return actions;
}

#define BIT(name) T2PD_ACTION_BIT (T2PD_ACTION_##name)

static void
test_settings (void)
{
  static const struct
  {
    const char *settings;
    guint expected;
  } cases[] = {
    { "{" PROXY "}", BIT (CREATE_TUNNEL) },
    { "{" PROXY ", 'capture': <'default'>}", BIT (CREATE_TUNNEL) },
    { "{" PROXY ", 'capture': <'default'>, 'scope': <'user'>}", BIT (CREATE_TUNNEL) },
    { "{" PROXY ", 'capture': <'routes'>, 'routes': <['0.0.0.0/0']>}", BIT (CREATE_TUNNEL) },
    { "{" PROXY ", 'capture': <'default'>, 'scope': <'system'>}", BIT (CAPTURE_DEFAULT) },
    { "{" PROXY ", 'capture': <'none'>, 'scope': <'system'>}", BIT (CREATE_TUNNEL) },
    { "{" PROXY ", 'capture': <'none'>, 'scope': <'system'>, 'dns': <'virtual'>}",
      BIT (CAPTURE_DEFAULT) },
    { "{" PROXY ", 'capture': <'routes'>, 'scope': <'system'>, 'routes': <['10.0.0.0/8']>}",
      BIT (CAPTURE_ROUTES) },
    { "{" PROXY ", 'capture': <'routes'>, 'scope': <'system'>, 'routes': <['10.0.0.0/7']>}",
      BIT (CAPTURE_DEFAULT) },
    /* two halves add up */
    { "{" PROXY ", 'capture': <'routes'>, 'scope': <'system'>, "
      "'routes': <['0.0.0.0/1', '128.0.0.0/1']>}",
      BIT (CAPTURE_DEFAULT) },
    { "{" PROXY ", 'capture': <'routes'>, 'scope': <'system'>, "
      "'routes': <['10.0.0.0/8', '11.0.0.0/8']>}",
      BIT (CAPTURE_DEFAULT) },
    { "{" PROXY ", 'capture': <'routes'>, 'scope': <'system'>, 'routes': <['2000::/15']>}",
      BIT (CAPTURE_DEFAULT) },
    /* nor does it help to leave gaps */
    { "{" PROXY ", 'capture': <'routes'>, 'scope': <'system'>, "
      "'routes': <['10.0.0.0/8', '12.0.0.0/8']>}",
      BIT (CAPTURE_DEFAULT) },
    { "{" PROXY ", 'capture': <'routes'>, 'scope': <'system'>, "
      "'routes': <['12.0.0.0/9', '14.0.0.0/9', '16.0.0.0/32']>}",
      BIT (CAPTURE_DEFAULT) },
    { "{" PROXY ", 'capture': <'routes'>, 'scope': <'system'>, "
      "'routes': <['12.0.0.0/9', '14.0.0.0/10']>}",
      BIT (CAPTURE_ROUTES) },
    { "{" PROXY ", 'capture': <'routes'>, 'scope': <'system'>, 'routes': <['2001::/16']>}",
      BIT (CAPTURE_ROUTES) },
    { "{" PROXY ", 'capture': <'routes'>, 'scope': <'system'>, "
      "'routes': <['2001::/17', '2003::/17', '2005::/64']>}",
      BIT (CAPTURE_DEFAULT) },
    /* what the machine stands on: its resolver, 198.51.100.53 */
    { "{" PROXY
      ", 'capture': <'routes'>, 'scope': <'system'>, 'routes': <['198.51.100.0/24']>}",
      BIT (CAPTURE_DEFAULT) },
    { "{" PROXY ", 'capture': <'routes'>, 'scope': <'system'>, 'routes': <['203.0.113.0/24']>}",
      BIT (CAPTURE_ROUTES) },
    /* one's own apps, and those of others */
    { "{" PROXY ", 'capture': <'default'>, 'apps': <['a.service']>}", BIT (CREATE_TUNNEL) },
    { "{" PROXY ", 'capture': <'default'>, 'exclude-apps': <['a.service']>}",
      BIT (CREATE_TUNNEL) },
    { "{" PROXY ", 'scope': <'system'>, 'dns': <'off'>, 'apps': <['a.service']>}",
      BIT (CAPTURE_ROUTES) | BIT (ADVANCED) },
    { "{" PROXY ", 'capture': <'default'>, 'scope': <'system'>, 'apps': <['a.service']>}",
      BIT (CAPTURE_DEFAULT) | BIT (ADVANCED) },
    { "{" PROXY ", 'interface': <'t2pwork'>}", BIT (CREATE_TUNNEL) },
    { "{" PROXY ", 'interface': <'eth7'>}", BIT (CREATE_TUNNEL) | BIT (ADVANCED) },
    { "{" PROXY ", 'addresses': <['198.18.64.1/30']>}", BIT (CREATE_TUNNEL) | BIT (ADVANCED) },
    { "{'proxies': <['socks5://169.254.169.254:80']>}", BIT (CREATE_TUNNEL) | BIT (ADVANCED) },
    { "{'proxies': <['socks5://[::ffff:169.254.169.254]:80']>}",
      BIT (CREATE_TUNNEL) | BIT (ADVANCED) },
    { "{'proxies': <['socks5://[fe80::1]:80']>}", BIT (CREATE_TUNNEL) | BIT (ADVANCED) },
    { "{'proxies': <['socks5://127.0.0.1:1080']>}", BIT (CREATE_TUNNEL) },
    { "{" PROXY ", 'icmp': <'reply'>}", BIT (CREATE_TUNNEL) },
    { "{" PROXY ", 'icmp': <'direct'>}", BIT (CREATE_TUNNEL) | BIT (ADVANCED) },
  };
  g_autoptr (GArray) in_use = g_array_new (FALSE, FALSE, sizeof (T2pIpAddress));
  T2pIpAddress resolver;

  g_assert_true (t2p_ip_address_parse ("198.51.100.53", &resolver));
  g_array_append_val (in_use, resolver);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (T2pSettings) settings = make_settings (cases[i].settings, FALSE);
      T2pdFacts facts = { .caller_uid = 1000, .settings = settings, .in_use = in_use };

      g_test_message ("%s", cases[i].settings);
      g_assert_cmpuint (needs ("CreateTunnel", &facts), ==, cases[i].expected);
      g_assert_cmpuint (needs ("CreateTunnelFd", &facts), ==, cases[i].expected);
      facts.has_owner = TRUE;
      facts.owner_uid = 1000;
      g_assert_cmpuint (needs ("Activate", &facts), ==, cases[i].expected);
      facts.owner_uid = 1001;
      g_assert_cmpuint (needs ("Activate", &facts), ==,
                        cases[i].expected | BIT (MANAGE_OTHERS));
    }
}

static void
test_owner (void)
{
  static const struct
  {
    const char *method;
    guint others;
  } cases[] = {
    { "Deactivate", BIT (MANAGE_OTHERS) },
    { "Delete", BIT (MANAGE_OTHERS) },
    { "Confirm", BIT (MANAGE_OTHERS) },
    { "CloseConnections", BIT (MANAGE_OTHERS) },
    { "AttachProcess", BIT (MANAGE_OTHERS) },
    { "GetSettings", BIT (INSPECT) },
    { "GetDetails", BIT (INSPECT) },
    { "GetStatistics", BIT (INSPECT) },
    { "Explain", BIT (INSPECT) },
    { "ListConnections", BIT (INSPECT) },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      T2pdFacts own = { .caller_uid = 1000, .has_owner = TRUE, .owner_uid = 1000 };
      T2pdFacts others = { .caller_uid = 1000, .has_owner = TRUE, .owner_uid = 0 };

      g_assert_cmpuint (needs (cases[i].method, &own), ==, 0);
      g_assert_cmpuint (needs (cases[i].method, &others), ==, cases[i].others);
    }
}

static void
test_proxy (void)
{
  g_autoptr (T2pEndpoint) plain = t2p_endpoint_parse ("socks5://192.0.2.1", NULL);
  g_autoptr (T2pEndpoint) foreign = t2p_endpoint_parse ("socks5://169.254.169.254", NULL);
  T2pdFacts facts = { .caller_uid = 1000, .endpoint = plain };

  g_assert_cmpuint (needs ("TestProxy", &facts), ==, BIT (TEST_PROXY));
  facts.endpoint = foreign;
  g_assert_cmpuint (needs ("TestProxy", &facts), ==, BIT (TEST_PROXY) | BIT (ADVANCED));
}

static void
test_foreign (void)
{
  static const char *const theirs[] = {
    "169.254.169.254",
    "fe80::1",
    "fd00:ec2::254",
    "100.100.100.200",
    "fd20:ce::254",
    "168.63.129.16",
    "224.0.0.1",
    "ff02::1",
    "0.0.0.0",
    "::",
    "64:ff9b::a9fe:a9fe",
    "::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "::ffff:100.100.100.200",
    "64:ff9b:1::a9fe:a9fe",
    "fd00:c1::a9fe:a9fe",
    "::ffff:0.0.0.0",
  };
  static const char *const everybodys[] = {
    "127.0.0.1",         "::1",
    "192.0.2.1",         "100.100.100.201",
    "64:ff9b::c000:201", "2002:c000:201::1",
    "fd00:ec2::253",     "::ffff:127.0.0.1",
    "::192.0.2.1",
  };
  T2pIpAddress address;

  for (gsize i = 0; i < G_N_ELEMENTS (theirs); i++)
    {
      g_test_message ("%s", theirs[i]);
      g_assert_true (t2p_ip_address_parse (theirs[i], &address));
      g_assert_true (t2p_ip_address_is_foreign (&address));
    }
  for (gsize i = 0; i < G_N_ELEMENTS (everybodys); i++)
    {
      g_test_message ("%s", everybodys[i]);
      g_assert_true (t2p_ip_address_parse (everybodys[i], &address));
      g_assert_false (t2p_ip_address_is_foreign (&address));
    }
}

static void
test_machine (void)
{
  T2pdFacts facts = { .caller_uid = 1000 };

  g_assert_cmpuint (needs ("BypassSocket", &facts), ==, BIT (BYPASS));
  g_assert_cmpuint (needs ("Repair", &facts), ==, BIT (MANAGE_OTHERS));
}

/* Without the annotation the generated code has no descriptors. */
static void
check_descriptors (GDBusInterfaceInfo *info)
{
  for (guint i = 0; info->methods[i] != NULL; i++)
    {
      const GDBusMethodInfo *method = info->methods[i];
      GDBusArgInfo **lists[] = { method->in_args, method->out_args };
      const char *value =
          g_dbus_annotation_info_lookup (method->annotations, "org.gtk.GDBus.C.UnixFD");

      for (guint j = 0; j < G_N_ELEMENTS (lists); j++)
        for (guint k = 0; lists[j] != NULL && lists[j][k] != NULL; k++)
          if (strchr (lists[j][k]->signature, 'h') != NULL)
            {
              g_test_message ("%s", method->name);
              g_assert_nonnull (value);
            }
    }
}

static void
test_descriptors (void)
{
  const char *const names[] = { T2P_MANAGER_INTERFACE, T2P_TUNNEL_INTERFACE };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/%s.xml", T2P_DBUS_FOLDER, names[i]);
      g_autoptr (GError) error = NULL;
      g_autoptr (GDBusNodeInfo) node = NULL;
      g_autofree char *xml = NULL;

      g_file_get_contents (path, &xml, NULL, &error);
      g_assert_no_error (error);
      node = g_dbus_node_info_new_for_xml (xml, &error);
      g_assert_no_error (error);
      check_descriptors (node->interfaces[0]);
    }
}

/* A method that is added to the interface and not to the table is refused for everybody. */
static void
check_interface (GDBusInterfaceInfo *info)
{
  g_autoptr (T2pSettings) settings = make_settings ("{" PROXY "}", FALSE);
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse ("socks5://192.0.2.1", NULL);
  T2pdFacts facts = { .settings = settings, .endpoint = endpoint };

  for (guint i = 0; info->methods[i] != NULL; i++)
    {
      guint actions;

      g_test_message ("%s", info->methods[i]->name);
      g_assert_true (t2pd_authority_needs (info->methods[i]->name, &facts, &actions));
    }
}

static void
test_complete (void)
{
  T2pdFacts facts = { 0 };
  guint actions;

  check_interface (t2p_bus_manager_interface_info ());
  check_interface (t2p_bus_tunnel_interface_info ());
  g_assert_false (t2pd_authority_needs ("SelfDestruct", &facts, &actions));
}

static void
test_names (void)
{
  for (int i = 0; i < T2PD_N_ACTIONS; i++)
    g_assert_true (g_str_has_prefix (t2pd_action_get_name ((T2pdAction) i), "org.tun2proxy."));
  g_assert_cmpstr (t2pd_action_get_name (T2PD_ACTION_ADVANCED), ==, T2P_ACTION_ADVANCED);
}

/* The policy file and our table must say the same. */
static void
test_implied_as_in_policy (void)
{
  g_autofree char *policy = NULL;

  g_assert_true (g_file_get_contents (T2P_POLICY_FILE, &policy, NULL, NULL));
  for (T2pdAction action = 0; action < T2PD_N_ACTIONS; action++)
    {
      g_autofree char *start =
          g_strdup_printf ("<action id=\"%s\">", t2pd_action_get_name (action));
      const char *begin = strstr (policy, start);
      g_autofree char *text = g_strndup (begin, strstr (begin, "</action>") - begin);
      const char *imply = strstr (text, "policykit.imply");

      for (T2pdAction other = 0; other < T2PD_N_ACTIONS; other++)
        {
          g_autofree char *word = g_strdup_printf ("%s", t2pd_action_get_name (other));
          gboolean is_implied =
              (t2pd_action_get_implied (action) & T2PD_ACTION_BIT (other)) != 0;

          g_test_message ("%s implies %s", t2pd_action_get_name (action), word);
          g_assert_cmpint (imply != NULL && strstr (imply, word) != NULL, ==, is_implied);
        }
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/authority/settings-decide", test_settings);
  g_test_add_func ("/authority/foreign-upstreams-in-any-wrapping", test_foreign);
  g_test_add_func ("/authority/owner-may-others-are-asked", test_owner);
  g_test_add_func ("/authority/test-proxy", test_proxy);
  g_test_add_func ("/authority/every-method-is-in-the-table", test_complete);
  g_test_add_func ("/authority/what-is-about-the-machine-has-its-action", test_machine);
  g_test_add_func ("/authority/descriptors-are-annotated", test_descriptors);
  g_test_add_func ("/authority/actions-have-names", test_names);
  g_test_add_func ("/authority/implied-actions-are-those-of-the-policy",
                   test_implied_as_in_policy);
  return g_test_run ();
}
