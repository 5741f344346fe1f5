/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-cidr-set.h"

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
add (T2pCidrSet *set, const char *text)
{
  const T2pIpPrefix p = prefix (text);

  t2p_cidr_set_add (set, &p);
}

static gboolean
contains (const T2pCidrSet *set, const char *text)
{
  T2pIpAddress address;

  g_assert_true (t2p_ip_address_parse (text, &address));
  return t2p_cidr_set_contains (set, &address);
}

static gboolean
covers (const T2pCidrSet *set, const char *text)
{
  const T2pIpPrefix p = prefix (text);

  return t2p_cidr_set_covers (set, &p);
}

static gboolean
overlaps (const T2pCidrSet *set, const char *text)
{
  const T2pIpPrefix p = prefix (text);

  return t2p_cidr_set_overlaps (set, &p);
}

static void
test_empty (void)
{
  g_autoptr (T2pCidrSet) set = t2p_cidr_set_new ();

  g_assert_false (contains (set, "0.0.0.0"));
  g_assert_false (covers (set, "192.0.2.1/32"));
  g_assert_false (overlaps (set, "0.0.0.0/0"));
  g_assert_cmpuint (t2p_cidr_set_widest (set, AF_INET), ==, 255);
  g_assert_cmpuint (t2p_cidr_set_widest (set, AF_INET6), ==, 255);
}

static void
test_one (void)
{
  g_autoptr (T2pCidrSet) set = t2p_cidr_set_new ();

  add (set, "10.0.0.0/8");
  add (set, "10.1.0.0/16"); /* inside already */
  g_assert_true (contains (set, "10.255.255.255"));
  g_assert_false (contains (set, "11.0.0.0"));
  g_assert_false (contains (set, "9.255.255.255"));
  g_assert_false (contains (set, "a00::"));
  g_assert_true (covers (set, "10.0.0.0/8"));
  g_assert_true (covers (set, "10.128.0.0/9"));
  g_assert_false (covers (set, "10.0.0.0/7"));
  g_assert_true (overlaps (set, "0.0.0.0/0"));
  g_assert_true (overlaps (set, "10.0.0.1"));
  g_assert_false (overlaps (set, "11.0.0.0/8"));
  g_assert_cmpuint (t2p_cidr_set_widest (set, AF_INET), ==, 8);
  g_assert_cmpuint (t2p_cidr_set_widest (set, AF_INET6), ==, 255);
}

static void
test_halves (void)
{
  g_autoptr (T2pCidrSet) set = t2p_cidr_set_new ();

  add (set, "0.0.0.0/1");
  g_assert_false (covers (set, "0.0.0.0/0"));
  add (set, "128.0.0.0/1");
  g_assert_true (covers (set, "0.0.0.0/0"));
  g_assert_cmpuint (t2p_cidr_set_widest (set, AF_INET), ==, 0);
  g_assert_false (covers (set, "::/0"));
  add (set, "::/1");
  add (set, "8000::/2");
  add (set, "c000::/2");
  g_assert_true (covers (set, "::/0"));
}

/* All of IPv6 but one address, as 128 prefixes, then the address. */
static void
test_deep_union (void)
{
  g_autoptr (T2pCidrSet) set = t2p_cidr_set_new ();
  T2pIpAddress hole;

  g_assert_true (t2p_ip_address_parse ("2001:db8::42", &hole));
  for (guint length = 128; length > 0; length--)
    {
      T2pIpAddress sibling = hole;
      T2pIpPrefix p;

      sibling.bytes[(length - 1) / 8] ^= (guint8) (0x80 >> ((length - 1) % 8));
      p = t2p_ip_prefix_of (&sibling, (guint8) length);
      t2p_cidr_set_add (set, &p);
    }
  g_assert_false (covers (set, "::/0"));
  g_assert_false (contains (set, "2001:db8::42"));
  g_assert_true (contains (set, "2001:db8::43"));
  g_assert_cmpuint (t2p_cidr_set_widest (set, AF_INET6), ==, 1);
  add (set, "2001:db8::42");
  g_assert_true (covers (set, "::/0"));
  g_assert_cmpuint (t2p_cidr_set_widest (set, AF_INET6), ==, 0);
}

static void
test_cover_after_members (void)
{
  g_autoptr (T2pCidrSet) set = t2p_cidr_set_new ();

  add (set, "10.1.2.3");
  add (set, "10.200.0.0/16");
  add (set, "10.0.0.0/8");
  g_assert_true (covers (set, "10.0.0.0/8"));
  add (set, "192.0.2.0/25"); /* takes nodes that were given back */
  g_assert_true (contains (set, "192.0.2.1"));
  g_assert_false (contains (set, "192.0.2.129"));
  g_assert_true (contains (set, "10.77.0.1"));
}

/* Against the plain definition, on a /24 whose addresses are counted one by one. */
static void
test_random (void)
{
  for (guint round = 0; round < 200; round++)
    {
      g_autoptr (T2pCidrSet) set = t2p_cidr_set_new ();
      gboolean member[256] = { FALSE };

      for (guint n = 0; n < 12; n++)
        {
          const T2pIpAddress a =
              t2p_ip_address_from_v4 (0xc0000200u + (guint) g_test_rand_int_range (0, 256));
          const T2pIpPrefix p = t2p_ip_prefix_of (&a, (guint8) g_test_rand_int_range (25, 33));

          t2p_cidr_set_add (set, &p);
          for (guint i = 0; i < (1u << (32 - p.length)); i++)
            member[(t2p_ip_address_to_v4 (&p.address) & 0xff) + i] = TRUE;
        }
      for (guint length = 24; length <= 32; length++)
        for (guint first = 0; first < 256; first += 1u << (32 - length))
          {
            const T2pIpAddress a = t2p_ip_address_from_v4 (0xc0000200u + first);
            const T2pIpPrefix p = t2p_ip_prefix_of (&a, (guint8) length);
            guint n = 0;

            for (guint i = 0; i < (1u << (32 - length)); i++)
              n += member[first + i] ? 1 : 0;
            g_assert_cmpint (t2p_cidr_set_covers (set, &p), ==, n == 1u << (32 - length));
            g_assert_cmpint (t2p_cidr_set_overlaps (set, &p), ==, n > 0);
          }
    }
}

static void
test_long_prefixes (void)
{
  g_autoptr (T2pCidrSet) set = t2p_cidr_set_new ();

  add (set, "2001:db8::1/128"); /* twice the work for each bit would never end */
  g_assert_cmpuint (t2p_cidr_set_widest (set, AF_INET6), ==, 128);
  add (set, "2001:db8:1::/64");
  g_assert_cmpuint (t2p_cidr_set_widest (set, AF_INET6), ==, 64);
}

static void
test_size (void)
{
  g_autoptr (T2pCidrSet) set = t2p_cidr_set_new ();

  g_assert_cmpuint (t2p_cidr_set_size (set, AF_INET, 24), ==, 0);
  add (set, "10.0.0.0/8");
  add (set, "10.1.0.0/16"); /* in it */
  g_assert_cmpuint (t2p_cidr_set_size (set, AF_INET, 24), ==, 65536);
  add (set, "192.0.2.1"); /* a started block counts */
  add (set, "192.0.2.200");
  g_assert_cmpuint (t2p_cidr_set_size (set, AF_INET, 24), ==, 65537);
  g_assert_cmpuint (t2p_cidr_set_size (set, AF_INET6, 48), ==, 0);
  add (set, "2001:db8::/47");
  add (set, "2001:db8:4::1");
  g_assert_cmpuint (t2p_cidr_set_size (set, AF_INET6, 48), ==, 3);
  add (set, "::/0");
  add (set, "0.0.0.0/0");
  g_assert_cmpuint (t2p_cidr_set_size (set, AF_INET6, 48), ==, G_GUINT64_CONSTANT (1) << 48);
  g_assert_cmpuint (t2p_cidr_set_size (set, AF_INET, 24), ==, 1 << 24);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cidr-set/empty-has-nothing", test_empty);
  g_test_add_func ("/cidr-set/one-prefix", test_one);
  g_test_add_func ("/cidr-set/two-halves-are-the-whole", test_halves);
  g_test_add_func ("/cidr-set/deep-union-closes-with-the-last-address", test_deep_union);
  g_test_add_func ("/cidr-set/a-wider-prefix-swallows-members", test_cover_after_members);
  g_test_add_func ("/cidr-set/size-is-that-of-the-union", test_size);
  g_test_add_func ("/cidr-set/equals-counting-addresses", test_random);
  g_test_add_func ("/cidr-set/long-prefixes-are-walked-once", test_long_prefixes);
  return g_test_run ();
}
