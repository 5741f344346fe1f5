/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-http-offer.h"

#include "hex.h"

/* All that was read, one challenge after the other: `Scheme token68 name=value name="value";`
 */
static char *
read_all (const char *field)
{
  g_autofree guint8 *exact = exact_copy ((const guint8 *) field, strlen (field));
  GString *seen = g_string_new (NULL);
  T2pHttpChallenge challenge;
  T2pCursor cursor;

  t2p_cursor_init (&cursor, exact, strlen (field));
  while (t2p_http_challenge_next (&cursor, &challenge))
    {
      g_string_append_len (seen, challenge.scheme.at, (gssize) challenge.scheme.length);
      if (challenge.token.length > 0)
        {
          g_string_append_c (seen, ' ');
          g_string_append_len (seen, challenge.token.at, (gssize) challenge.token.length);
        }
      for (guint i = 0; i < challenge.n_params; i++)
        {
          g_autofree char *value = t2p_http_param_dup (&challenge.params[i]);
          g_autofree char *name =
              g_strndup (challenge.params[i].name.at, challenge.params[i].name.length);

          g_string_append_printf (seen, " %s=<%s>", name, value);
        }
      g_string_append_c (seen, ';');
    }
  return g_string_free (seen, FALSE);
}

static void
test_fields (void)
{
  static const struct
  {
    const char *field;
    const char *seen;
  } cases[] = {
    { "Basic realm=\"a b\"", "Basic realm=<a b>;" },
    { "Basic", "Basic;" },
    { "", "" },
    { " , ,Basic realm=x,,", "Basic realm=<x>;" },
    { "Negotiate, Digest realm=\"a, b\", nonce=x , Basic realm=c",
      "Negotiate;Digest realm=<a, b> nonce=<x>;Basic realm=<c>;" },
    { "Negotiate YII+/x==, NTLM", "Negotiate YII+/x==;NTLM;" },
    { "Basic realm = \"x\" , charset=\"UTF-8\"", "Basic realm=<x> charset=<UTF-8>;" },
    { "Digest realm=\"q\\\"\\\\\"", "Digest realm=<q\"\\>;" },
    { "Digest realm=\"unfinished", "Digest;" },
    { "Basic=x", "" },
    { "Basic realm=\"x\", =y, NTLM", "Basic realm=<x>;" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *seen = read_all (cases[i].field);

      g_assert_cmpstr (seen, ==, cases[i].seen);
    }
}

static void
test_parameters_are_bounded (void)
{
  g_autoptr (GString) field = g_string_new ("Digest a0=b");
  g_autofree char *long_value = g_strnfill (T2P_HTTP_MAX_PARAM_BYTES + 1, 'v');
  g_autofree char *seen = NULL;

  for (guint i = 1; i < 2 * T2P_HTTP_MAX_PARAMS; i++)
    g_string_append_printf (field, ",a%u=b", i);
  g_string_append_printf (field, ", Basic realm=%s", long_value);
  seen = read_all (field->str);
  g_assert_nonnull (strstr (seen, " a15=<b>;Basic realm=<(null)>;"));
}

static void
check_response (const char *parameters, const char *password, const char *expected)
{
  g_autofree char *field = g_strconcat ("Digest ", parameters, NULL);
  const T2pHttpText text = { field, strlen (field) };
  guint8 buffer[2048] = { 0 };
  T2pHttpOffer offer = { 0 };
  T2pWriter writer;

  t2p_http_offer_add (&offer, &text);
  g_assert_nonnull (offer.digest);
  t2p_http_digest_set_cnonce (offer.digest,
                              strstr (parameters, "testrealm") != NULL
                                  ? "0a4f113b"
                                  : "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
  t2p_writer_init (&writer, buffer, sizeof buffer - 1);
  g_assert_true (t2p_http_digest_write (offer.digest, &writer, "Mufasa", password,
                                        strlen (password), "GET", "/dir/index.html"));
  g_assert_nonnull (strstr ((const char *) buffer, expected));
  t2p_http_offer_clear (&offer);
}

#define NONCE "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\""
#define REALM "realm=\"http-auth@example.org\", " NONCE ", qop=\"auth, auth-int\", "
#define OLD "realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\""

/* RFC 7616 section 3.9.1, RFC 2617 section 3.5; the others were calculated by another program.
 */
static void
test_responses (void)
{
  check_response (REALM "algorithm=MD5", "Circle of Life",
                  "response=\"8ca523f5e9506fed4657c9700eebdbec\"");
  check_response (REALM "algorithm=MD5-sess", "Circle of Life",
                  "response=\"e783283f46242139c486a698fec7211d\"");
  check_response (REALM "algorithm=SHA-256", "Circle of Life",
                  "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
                  "\"");
  check_response (REALM "algorithm=\"sha-256-SESS\"", "Circle of Life",
                  "response=\"2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7"
                  "\"");
  check_response (REALM "algorithm=SHA-256, userhash=true", "Circle of Life",
                  "username=\"a947aad205e80e429958a387394944c6b496301e79f89d35a4cc23b6ee12b5b6"
                  "\", userhash=true");
  check_response (OLD ", qop=\"auth,auth-int\"", "Circle Of Life",
                  "response=\"6629fae49393a05397450978507c4ef1\"");
  check_response (OLD, "Circle Of Life", "response=\"670fd8c2df070c60b045671b8b24ff02\"");
}

static void
test_the_strongest_is_taken (void)
{
  static const struct
  {
    const char *field;
    const char *realm;
  } cases[] = {
    { "Digest realm=a, nonce=x, Digest realm=b, nonce=x, qop=auth", "b" },
    { "Digest realm=a, nonce=x, algorithm=SHA-256, Digest realm=b, nonce=x, qop=auth", "a" },
    { "Digest realm=a, nonce=x, Digest realm=b, nonce=x", "a" },
    { "Digest realm=a, nonce=x, algorithm=SHA-512-256, Digest realm=b, nonce=x", "b" },
    { "Digest realm=a, nonce=x, qop=auth-int, Digest realm=b, nonce=x", "b" },
    { "Digest realm=a, Digest nonce=a, Digest realm=b, nonce=x", "b" },
    { "Digest realm=\"a\tb\", nonce=x, Digest realm=b, nonce=x", "b" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const T2pHttpText text = { cases[i].field, strlen (cases[i].field) };
      T2pHttpOffer offer = { 0 };

      t2p_http_offer_add (&offer, &text);
      g_assert_nonnull (offer.digest);
      g_assert_cmpstr (t2p_http_digest_get_realm (offer.digest), ==, cases[i].realm);
      t2p_http_offer_clear (&offer);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http-challenge/fields", test_fields);
  g_test_add_func ("/http-challenge/parameters-are-bounded", test_parameters_are_bounded);
  g_test_add_func ("/http-challenge/digest/responses", test_responses);
  g_test_add_func ("/http-challenge/digest/the-strongest-is-taken",
                   test_the_strongest_is_taken);
  return g_test_run ();
}
