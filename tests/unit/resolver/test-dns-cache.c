/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-limits.h"
#include "t2pw-dns-cache.h"

#define S G_USEC_PER_SEC

static void
add (T2pwDnsCache *cache, const char *key, guint32 ttl_s, gsize length, gint64 now_us)
{
  g_autofree guint8 *message = g_malloc0 (length);
  T2pDnsAnswer answer = { .ttl_s = ttl_s, .length = length, .question_bytes = 1 };

  t2pw_dns_cache_add (cache, key, message, &answer, now_us);
}

static gboolean
find (T2pwDnsCache *cache, const char *key, gint64 now_us)
{
  T2pwDnsKept kept;

  return t2pw_dns_cache_find (cache, key, now_us, &kept);
}

static void
test_time (void)
{
  g_autoptr (T2pwDnsCache) cache = t2pw_dns_cache_new ();
  T2pwDnsKept kept;

  add (cache, "a", 10, 40, 0);
  g_assert_true (t2pw_dns_cache_find (cache, "a", 9 * S, &kept));
  g_assert_cmpuint (kept.age_s, ==, 9);
  g_assert_cmpuint (kept.answer->length, ==, 40);
  g_assert_false (find (cache, "a", 10 * S));
  g_assert_cmpuint (t2pw_dns_cache_get_n_entries (cache), ==, 0);
  add (cache, "b", 0, 40, 0);
  g_assert_false (find (cache, "b", 0));
  add (cache, "c", 10, T2P_DNS_CACHE_MAX_ANSWER_BYTES + 1, 0);
  g_assert_false (find (cache, "c", 0));
  /* an answer that may not be kept takes the place of one that was */
  add (cache, "a", 10, 40, 20 * S);
  add (cache, "a", 0, 40, 21 * S);
  g_assert_false (find (cache, "a", 21 * S));
  g_assert_cmpuint (t2pw_dns_cache_get_bytes (cache), ==, 0);
}

static void
fill (T2pwDnsCache *cache, guint n, gsize length)
{
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *key = g_strdup_printf ("k%u", i);

      add (cache, key, 100, length, 0);
      g_assert_true (find (cache, "k0", 0)); /* stays in use */
    }
}

static void
test_entries (void)
{
  g_autoptr (T2pwDnsCache) cache = t2pw_dns_cache_new ();

  fill (cache, T2P_DNS_CACHE_MAX_ENTRIES + 10, 40);
  g_assert_cmpuint (t2pw_dns_cache_get_n_entries (cache), ==, T2P_DNS_CACHE_MAX_ENTRIES);
  g_assert_false (find (cache, "k1", 0));
  g_assert_true (find (cache, "k11", 0));
}

static void
test_bytes (void)
{
  g_autoptr (T2pwDnsCache) cache = t2pw_dns_cache_new ();

  fill (cache, T2P_DNS_CACHE_MAX_BYTES / T2P_DNS_CACHE_MAX_ANSWER_BYTES + 10,
        T2P_DNS_CACHE_MAX_ANSWER_BYTES);
  g_assert_cmpuint (t2pw_dns_cache_get_bytes (cache), <=, T2P_DNS_CACHE_MAX_BYTES);
  g_assert_cmpuint (t2pw_dns_cache_get_bytes (cache), >, T2P_DNS_CACHE_MAX_BYTES / 2);
  t2pw_dns_cache_flush (cache);
  g_assert_cmpuint (t2pw_dns_cache_get_bytes (cache), ==, 0);
}

/* What changes an answer changes the key, and nothing else does. */
static void
test_keys (void)
{
  T2pDnsQuery query = { .id = 1, .type = T2P_DNS_TYPE_A, .klass = T2P_DNS_CLASS_IN };
  char first[T2PW_DNS_KEY_STRLEN];
  char other[T2PW_DNS_KEY_STRLEN];

  g_strlcpy (query.name.text, "a.example", sizeof query.name.text);
  t2pw_dns_key_make (&query, first);
  query.id = 2;
  query.edns_udp_bytes = 4096;
  t2pw_dns_key_make (&query, other);
  g_assert_cmpstr (first, ==, other);
#define EXPECT_OTHER(field, value)                                                             \
  query.field = value;                                                                         \
  t2pw_dns_key_make (&query, other);                                                           \
  g_assert_cmpstr (first, !=, other);                                                          \
  g_strlcpy (first, other, sizeof first)
  EXPECT_OTHER (type, T2P_DNS_TYPE_AAAA);
  EXPECT_OTHER (klass, T2P_DNS_CLASS_ANY);
  EXPECT_OTHER (has_edns, TRUE);
  EXPECT_OTHER (dnssec_ok, TRUE);
  EXPECT_OTHER (checking_disabled, TRUE);
  EXPECT_OTHER (authentic_data, TRUE);
  EXPECT_OTHER (recursion_desired, TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dns-cache/kept-for-its-time", test_time);
  g_test_add_func ("/dns-cache/entries-are-bounded", test_entries);
  g_test_add_func ("/dns-cache/bytes-are-bounded", test_bytes);
  g_test_add_func ("/dns-cache/keys", test_keys);
  return g_test_run ();
}
