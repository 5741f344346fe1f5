/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-ip.h"

#include <netinet/in.h>
#include <string.h>

static T2pIpAddress
address (const char *text)
{
  T2pIpAddress out;

  g_assert_true (t2p_ip_address_parse (text, &out));
  return out;
}

static T2pIpPrefix
prefix (const char *text)
{
  T2pIpPrefix out;
  g_autoptr (GError) error = NULL;

  t2p_ip_prefix_parse (text, &out, &error);
  g_assert_no_error (error);
  return out;
}

static void
test_address_round_trip (void)
{
  static const char *const texts[][2] = {
    { "0.0.0.0", "0.0.0.0" },
    { "192.0.2.1", "192.0.2.1" },
    { "255.255.255.255", "255.255.255.255" },
    { "::", "::" },
    { "2001:DB8:0:0::1", "2001:db8::1" },
    { "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      T2pIpAddress parsed = address (texts[i][0]);
      char text[T2P_IP_STRLEN];

      t2p_ip_address_format (&parsed, text);
      g_assert_cmpstr (text, ==, texts[i][1]);
    }
}

static void
test_address_refused (void)
{
  static const char *const texts[] = {
    "",           "1",        "1.2.3",    "1.2.3.4.5",  "1.2.3.256", "01.2.3.4",
    "0x7f.0.0.1", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4/8",  "[::1]",     "::1%lo",
    ":::",        "1::2::3",  "g::",      "1.2.3.4:80", "localhost",
  };
  T2pIpAddress out = address ("192.0.2.7");
  const T2pIpAddress before = out;

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_test_message ("%s", texts[i]);
      g_assert_false (t2p_ip_address_parse (texts[i], &out));
    }
  g_assert_false (t2p_ip_address_parse (NULL, &out));
  g_assert_true (t2p_ip_address_equal (&out, &before));
}

static void
test_address_v4 (void)
{
  const T2pIpAddress made = t2p_ip_address_from_v4 (0xc0000201);
  const T2pIpAddress parsed = address ("192.0.2.1");

  g_assert_true (t2p_ip_address_equal (&made, &parsed));
  g_assert_cmphex (t2p_ip_address_to_v4 (&parsed), ==, 0xc0000201);
  g_assert_cmpuint (t2p_ip_address_bits (&parsed), ==, 32);
}

static void
test_address_kinds (void)
{
  /* loopback, unspecified, multicast, link-local, private */
  static const struct
  {
    const char *text;
    const char *kinds;
  } cases[] = {
    { "127.0.0.1", "l" },
    { "127.255.0.9", "l" },
    { "::1", "l" },
    { "::ffff:127.0.0.1", "l" },
    { "0.0.0.0", "u" },
    { "::", "u" },
    { "::ffff:0.0.0.0", "u" },
    { "224.0.0.1", "m" },
    { "239.1.1.1", "m" },
    { "ff02::1", "m" },
    { "::ffff:224.0.0.1", "m" },
    { "169.254.169.254", "k" },
    { "fe80::1", "k" },
    { "febf::1", "k" },
    { "::ffff:169.254.1.1", "k" },
    { "10.255.0.1", "p" },
    { "172.16.0.1", "p" },
    { "172.31.255.255", "p" },
    { "192.168.1.1", "p" },
    { "100.64.0.1", "p" },
    { "fd00::1", "p" },
    { "::ffff:10.0.0.1", "p" },
    { "172.32.0.1", "" },
    { "100.128.0.1", "" },
    { "192.169.0.1", "" },
    { "fe00::1", "" },
    { "192.0.2.1", "" },
    { "128.0.0.1", "" },
    { "240.0.0.1", "" },
    { "fec0::1", "" },
    { "::2", "" },
    { "169.253.0.1", "" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const T2pIpAddress a = address (cases[i].text);
      const char *kinds = cases[i].kinds;

      g_test_message ("%s", cases[i].text);
      g_assert_cmpint (t2p_ip_address_is_loopback (&a), ==, strchr (kinds, 'l') != NULL);
      g_assert_cmpint (t2p_ip_address_is_unspecified (&a), ==, strchr (kinds, 'u') != NULL);
      g_assert_cmpint (t2p_ip_address_is_multicast (&a), ==, strchr (kinds, 'm') != NULL);
      g_assert_cmpint (t2p_ip_address_is_link_local (&a), ==, strchr (kinds, 'k') != NULL);
      g_assert_cmpint (t2p_ip_address_is_private (&a), ==, strchr (kinds, 'p') != NULL);
    }
}

static void
test_address_none (void)
{
  T2pIpAddress none;
  char text[T2P_IP_STRLEN] = "x";

  memset (&none, 0, sizeof none);
  t2p_ip_address_format (&none, text);
  g_assert_cmpstr (text, ==, "");
  g_assert_false (t2p_ip_address_is_unspecified (&none));
  g_assert_cmpuint (t2p_ip_address_bits (&none), ==, 0);
}

static void
test_endpoint_round_trip (void)
{
  static const char *const texts[] = { "192.0.2.1:80", "[2001:db8::1]:65535", "0.0.0.0:0" };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      T2pIpEndpoint parsed;
      T2pIpEndpoint back;
      struct sockaddr_storage storage;
      socklen_t length;
      char text[T2P_ENDPOINT_STRLEN];

      g_assert_true (t2p_ip_endpoint_parse (texts[i], &parsed));
      t2p_ip_endpoint_format (&parsed, text);
      g_assert_cmpstr (text, ==, texts[i]);
      length = t2p_ip_endpoint_to_sockaddr (&parsed, &storage);
      g_assert_cmpuint (length, >, 0);
      g_assert_true (
          t2p_ip_endpoint_from_sockaddr ((const struct sockaddr *) &storage, length, &back));
      g_assert_true (t2p_ip_endpoint_equal (&parsed, &back));
      g_assert_cmpmem (&parsed, sizeof parsed, &back, sizeof back);
      g_assert_false (t2p_ip_endpoint_from_sockaddr ((const struct sockaddr *) &storage,
                                                     length - 1, &back));
    }
}

static void
test_endpoint_refused (void)
{
  static const char *const texts[] = {
    "",        "192.0.2.1",   "192.0.2.1:",    "192.0.2.1:65536", "192.0.2.1:-1",
    "[::1]",   "[::1]80",     "::1:80",        "[192.0.2.1]:80",  "[::1]:+80",
    ":80",     "[]:80",       "192.0.2.1: 80", "192.0.2.1:0x50",  "192.0.2.1:000080",
    "host:80", "[::1%lo]:80",
  };
  T2pIpEndpoint out;

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_test_message ("%s", texts[i]);
      g_assert_false (t2p_ip_endpoint_parse (texts[i], &out));
    }
  g_assert_false (t2p_ip_endpoint_parse (NULL, &out));
}

static void
test_sockaddr_foreign (void)
{
  struct sockaddr unix_address = { .sa_family = AF_UNIX };
  T2pIpEndpoint out;

  g_assert_false (t2p_ip_endpoint_from_sockaddr (&unix_address, sizeof unix_address, &out));
  g_assert_false (t2p_ip_endpoint_from_sockaddr (&unix_address, 1, &out));
}

static void
test_prefix_round_trip (void)
{
  static const char *const texts[][2] = {
    { "0.0.0.0/0", "0.0.0.0/0" },
    { "10.0.0.0/8", "10.0.0.0/8" },
    { "192.0.2.1", "192.0.2.1/32" },
    { "198.18.64.0/18", "198.18.64.0/18" },
    { "::/0", "::/0" },
    { "2001:db8::/33", "2001:db8::/33" },
    { "2001:db8::1", "2001:db8::1/128" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      const T2pIpPrefix parsed = prefix (texts[i][0]);
      char text[T2P_PREFIX_STRLEN];

      t2p_ip_prefix_format (&parsed, text);
      g_assert_cmpstr (text, ==, texts[i][1]);
    }
}

static void
test_prefix_refused (void)
{
  static const char *const cases[][2] = {
    { "10.0.0.1/8", "10.0.0.0/8" },
    { "10.0.0.0/33", "/0 to /32" },
    { "::/129", "/0 to /128" },
    { "10.0.0.0/", "/0 to /32" },
    { "10.0.0.0/-1", "/0 to /32" },
    { "10.0.0.0/8/8", "/0 to /32" },
    { "10.0.0.0/255.0.0.0", "/0 to /32" },
    { "10.0.0/8", "CIDR" },
    { "host/8", "CIDR" },
    { "", "CIDR" },
    { "2001:db8::1/64", "2001:db8::/64" },
    { "/8", "CIDR" },
  };
  T2pIpPrefix out = prefix ("192.0.2.0/24");
  const T2pIpPrefix before = out;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", cases[i][0]);
      g_assert_false (t2p_ip_prefix_parse (cases[i][0], &out, &error));
      g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
      g_assert_nonnull (strstr (error->message, cases[i][0]));
      g_assert_nonnull (strstr (error->message, cases[i][1]));
    }
  g_assert_true (t2p_ip_prefix_equal (&out, &before));
}

static void
test_prefix_relations (void)
{
  const T2pIpPrefix ten = prefix ("10.0.0.0/8");
  const T2pIpPrefix deep = prefix ("10.128.0.0/9");
  const T2pIpPrefix other = prefix ("11.0.0.0/8");
  const T2pIpPrefix all6 = prefix ("::/0");
  const T2pIpAddress inside = address ("10.255.255.255");
  const T2pIpAddress outside = address ("11.0.0.0");
  const T2pIpPrefix cut = t2p_ip_prefix_of (&inside, 9);

  g_assert_true (t2p_ip_prefix_contains (&ten, &inside));
  g_assert_false (t2p_ip_prefix_contains (&ten, &outside));
  g_assert_false (t2p_ip_prefix_contains (&all6, &inside));
  g_assert_true (t2p_ip_prefix_overlaps (&ten, &deep));
  g_assert_true (t2p_ip_prefix_overlaps (&deep, &ten));
  g_assert_false (t2p_ip_prefix_overlaps (&ten, &other));
  g_assert_false (t2p_ip_prefix_overlaps (&ten, &all6));
  g_assert_true (t2p_ip_prefix_equal (&cut, &deep));
}

static void
test_interface (void)
{
  T2pIpPrefix out;
  g_autoptr (GError) error = NULL;
  char text[T2P_PREFIX_STRLEN];

  g_assert_true (t2p_ip_interface_parse ("198.18.4.1/30", &out, &error));
  t2p_ip_prefix_format (&out, text);
  g_assert_cmpstr (text, ==, "198.18.4.1/30");
  g_assert_false (t2p_ip_interface_parse ("198.18.4.1/40", &out, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ip/address/round-trips", test_address_round_trip);
  g_test_add_func ("/ip/address/refuses-everything-else", test_address_refused);
  g_test_add_func ("/ip/address/v4-is-host-order", test_address_v4);
  g_test_add_func ("/ip/address/kinds-hold-when-mapped", test_address_kinds);
  g_test_add_func ("/ip/address/none-is-empty", test_address_none);
  g_test_add_func ("/ip/endpoint/round-trips-by-text-and-sockaddr", test_endpoint_round_trip);
  g_test_add_func ("/ip/endpoint/refuses-everything-else", test_endpoint_refused);
  g_test_add_func ("/ip/endpoint/refuses-foreign-sockaddr", test_sockaddr_foreign);
  g_test_add_func ("/ip/prefix/round-trips", test_prefix_round_trip);
  g_test_add_func ("/ip/prefix/says-what-was-seen-and-expected", test_prefix_refused);
  g_test_add_func ("/ip/prefix/relations", test_prefix_relations);
  g_test_add_func ("/ip/interface/keeps-host-bits", test_interface);
  return g_test_run ();
}
