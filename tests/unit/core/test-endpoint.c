/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-endpoint.h"
#include "t2p-error.h"

#include <string.h>

#define MOST_PATH_BYTES 107 /* unix(7) */

static T2pEndpoint *
parse (const char *uri)
{
  g_autoptr (GError) error = NULL;
  T2pEndpoint *endpoint = t2p_endpoint_parse (uri, &error);

  g_assert_no_error (error);
  g_assert_nonnull (endpoint);
  return endpoint;
}

static void
test_display (void)
{
  static const char *const cases[][2] = {
    { "socks5://127.0.0.1:1080", "socks5://127.0.0.1:1080" },
    { "socks5://127.0.0.1", "socks5://127.0.0.1:1080" },
    { "socks5h://Proxy.Example", "socks5h://proxy.example:1080" },
    { "socks4://h", "socks4://h:1080" },
    { "socks4a://h", "socks4a://h:1080" },
    { "http://h", "http://h:8080" },
    { "https://h", "https://h:443" },
    { "socks5+tls://h", "socks5+tls://h:443" },
    { "SOCKS5://h:1", "socks5://h:1" },
    { "socks5://h:65535/", "socks5://h:65535" },
    { "socks5://[2001:DB8:0::1]:9", "socks5://[2001:db8::1]:9" },
    { "socks5://[::1]", "socks5://[::1]:1080" },
    { "socks5://user:secret@h", "socks5://h:1080" },
    { "socks5://my_proxy-1.example.", "socks5://my_proxy-1.example.:1080" },
    { "socks5://bücher.example", "socks5://xn--bcher-kva.example:1080" },
    { "https://h?udp=udpgw&tls-ca=/a%26b", "https://h:443?udp=udpgw&tls-ca=/a%26b" },
    { "socks5+tls://h/?tls-ca=fd:ca", "socks5+tls://h:443?tls-ca=fd:ca" },
    { "direct", "direct://" },
    { "reject://", "reject://" },
    { "direct://?udp=reject", "direct://?udp=reject" },
    { "socks5://unix:/run/p.socket", "socks5://unix:/run/p.socket" },
    { "http://u:secret@unix:/run/a%20b?tfo=no", "http://unix:/run/a%20b?tfo=no" },
    { "socks5://unix:1080", "socks5://unix:1080" },
    { "socks5://unix", "socks5://unix:1080" },
    { "https://unix:/p?tls-name=H.example", "https://unix:/p?tls-name=H.example" },
    { "https://unix:/p?tls-verify=no", "https://unix:/p?tls-verify=no" },
    { "socks5://a|http://b", "socks5://a:1080 | http://b:8080" },
    { "socks5://u:secret@a  |\tsocks4://me@[::1]:9?udp=reject| https://c",
      "socks5://a:1080 | socks4://[::1]:9?udp=reject | https://c:443" },
    { "socks5://unix:/p | socks5://u:secret@b", "socks5://unix:/p | socks5://b:1080" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (T2pEndpoint) endpoint = parse (cases[i][0]);
      g_autoptr (T2pEndpoint) again = parse (t2p_endpoint_get_display (endpoint));

      g_assert_cmpstr (t2p_endpoint_get_display (endpoint), ==, cases[i][1]);
      g_assert_cmpstr (t2p_endpoint_get_display (again), ==, cases[i][1]);
    }
}

static void
test_parts (void)
{
  g_autoptr (T2pEndpoint) v6 = parse ("socks5h://bob@[2001:db8::1]:9?udp=udpgw&pipeline=%79es");
  g_autoptr (T2pEndpoint) named = parse ("socks5://proxy.example:99");
  g_autoptr (T2pEndpoint) direct = parse ("direct");
  T2pIpAddress address;

  g_assert_cmpint (t2p_endpoint_get_scheme (v6), ==, T2P_SCHEME_SOCKS5H);
  g_assert_cmpstr (t2p_endpoint_get_host (v6), ==, "2001:db8::1");
  g_assert_cmpuint (t2p_endpoint_get_port (v6), ==, 9);
  g_assert_true (t2p_endpoint_get_address (v6, &address));
  g_assert_cmpuint (address.family, ==, AF_INET6);
  g_assert_cmpstr (t2p_endpoint_get_user (v6), ==, "bob");
  g_assert_null (t2p_endpoint_get_password (v6));
  g_assert_cmpstr (t2p_endpoint_get_option (v6, "udp"), ==, "udpgw");
  g_assert_cmpstr (t2p_endpoint_get_option (v6, "pipeline"), ==, "yes");
  g_assert_null (t2p_endpoint_get_option (v6, "tls-ca"));

  g_assert_false (t2p_endpoint_get_address (named, &address));
  g_assert_null (t2p_endpoint_get_user (named));
  g_assert_null (t2p_endpoint_get_host (direct));
  g_assert_cmpuint (t2p_endpoint_get_port (direct), ==, 0);
}

/* Every byte but NUL can be in a password, and comes back the same through the private URI. */
static void
test_every_byte (void)
{
  char expected[256];
  g_autoptr (GString) uri = g_string_new ("socks5://u%3A%40:");
  g_autoptr (T2pEndpoint) endpoint = NULL;
  g_autoptr (T2pEndpoint) again = NULL;
  g_autofree char *private_uri = NULL;
  gsize length = 0;

  for (guint i = 1; i <= 255; i++)
    {
      expected[i - 1] = (char) i;
      g_string_append_printf (uri, i % 2 == 0 ? "%%%02x" : "%%%02X", i);
    }
  expected[255] = '\0';
  g_string_append (uri, "@[::1]:5?udp=associate");
  endpoint = parse (uri->str);
  private_uri = t2p_endpoint_to_private_uri (endpoint);
  again = parse (private_uri);
  g_assert_cmpstr (t2p_endpoint_get_user (again), ==, "u:@");
  g_assert_cmpstr (t2p_secret_peek (t2p_endpoint_get_password (again), &length), ==, expected);
  g_assert_cmpuint (length, ==, 255);
  g_assert_cmpstr (t2p_endpoint_get_display (again), ==, "socks5://[::1]:5?udp=associate");
}

static void
test_raw_specials (void)
{
  g_autoptr (T2pEndpoint) endpoint = parse ("socks5://us-er.1~:p:a!$&'()*+,;=_\"<>^`{}é@h");

  g_assert_cmpstr (t2p_endpoint_get_user (endpoint), ==, "us-er.1~");
  g_assert_cmpstr (t2p_secret_peek (t2p_endpoint_get_password (endpoint), NULL), ==,
                   "p:a!$&'()*+,;=_\"<>^`{}é");
}

/* No message may show what could be a part of the password. */
static void
check_refused (const char *uri, const char *reason)
{
  g_autoptr (GError) error = NULL;

  g_test_message ("%s", uri);
  g_assert_null (t2p_endpoint_parse (uri, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, reason));
  g_assert_null (strstr (error->message, "secret"));
  g_assert_null (strstr (error->message, "ret@"));
}

static void
test_refused_places (void)
{
  static const char *const cases[][2] = {
    { "", "scheme" },
    { "127.0.0.1:1080", "scheme" },
    { "secret:secret@h", "scheme" },
    { "://h", "scheme" },
    { "secret:secret@socks5://h", "scheme" },
    { "socks6://u:secret@h", "scheme 'socks6'" },
    { "socks5:h", "scheme" },
    { "socks5://", "host is missing" },
    { "socks5://:1080", "host is missing" },
    { "socks5://u:secret@", "host is missing" },
    { "socks5://u:secret@:1", "host is missing" },
    { "socks5://u:secret", "port is no number" },
    { "socks5://h:", "port is no number" },
    { "socks5://h:0", "port is 0" },
    { "socks5://h:65536", "port is 65536" },
    { "socks5://h:+80", "port is no number" },
    { "socks5://h:100000", "port is no number" },
    { "socks5://[::1]:0", "port is 0" },
    { "socks5://[::1]80", "bracket" },
    { "socks5://[::1", "closing bracket" },
    { "socks5://::1:80", "in brackets" },
    { "socks5://[127.0.0.1]:80", "no IPv6" },
    { "socks5://[fe80::1%25eth0]:80", "zone" },
    { "socks5://[fe80::1%eth0]:80", "zone" },
    { "socks5://10.1:80", "host '10.1'" },
    { "socks5://1.2.3.256", "host '1.2.3.256'" },
    { "socks5://0x7f000001", "host" },
    { "socks5://h%6fst", "host" },
    { "socks5://a..b", "host" },
    { "socks5://.b", "host" },
    { "socks5://-a.b", "host" },
    { "socks5://a b", "host" },
    { "socks5://secret@:secret@h", "%40" },
    { "socks5://u:sec@ret@h", "%40" },
    { "socks5://u:sec/ret@h", "%2F" },
    { "socks5://u:sec?ret@h", "%3F" },
    { "socks5://u:sec#ret@h", "%23" },
    { "socks5://u:secret%@h", "password" },
    { "socks5://u:secret%4@h", "password" },
    { "socks5://u:secret%zz@h", "password" },
    { "socks5://u:secret%00@h", "password" },
    { "socks5://u:sec\nret@h", "password" },
    { "socks5://u%00:secret@h", "user name" },
    { "socks5://:secret@h", "user name is empty" },
    { "socks5://@h", "user name is empty" },
    { "socks5://u:@h", "password is empty" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    check_refused (cases[i][0], cases[i][1]);
}

static void
test_refused_options (void)
{
  static const char *const cases[][2] = {
    { "socks5://h/path", "path" },
    { "socks5://h#x", "fragment" },
    { "socks5://h?", "query" },
    { "socks5://h?udp", "query" },
    { "socks5://h?=x", "query" },
    { "socks5://h?U=x", "query" },
    { "socks5://h?udp=auto&udp=auto", "'udp' is given twice" },
    { "socks5://h?udp=%0", "'udp'" },
    { "socks5://h?udp=", "'udp' is empty" },
    { "socks5://h?udp=yes", "'udp' is 'yes', expected auto, associate, udpgw" },
    { "http://h?udp=associate", "'udp' is 'associate', expected auto, udpgw or reject" },
    { "socks5://h?interface=x", "option 'interface' is unknown, expected udp" },
    { "socks5://h?tls-ca=/x", "'tls-ca' does not fit scheme 'socks5', expected https or" },
    { "http://h?pipeline=yes", "expected socks5, socks5h or socks5+tls" },
    { "reject://?udp=reject", "'udp' does not fit scheme 'reject'" },
    { "https://h?tls-ca=ca.pem", "'tls-ca' names no file" },
    { "https://h?tls-ca=/etc/", "'tls-ca' names no file" },
    { "https://h?tls-ca=fd:", "'tls-ca' names no file" },
    { "https://h?tls-ca=fd:a/b", "'tls-ca' names no file" },
    { "https://h?tls-name=a..b", "'tls-name' is no name" },
    { "https://h?tls-key=/k", "expected 'tls-cert'" },
    { "https://unix:/p", "expected option 'tls-name'" },
    { "socks5://unix:/p?tfo=yes", "'tfo'" },
    { "socks5://a | socks5://b?tfo=yes", "hop 2: option 'tfo'" },
    { "http://h?auth=ntlm", "'auth' is 'ntlm'" },
    { "http://h?auth=negotiate", "expected 'kdc'" },
    { "http://h?auth=basic&kdc=k", "'kdc' does not fit 'auth=basic'" },
    { "http://h?kdc=a..b", "'kdc' is no server" },
    { "http://h?kdc=k:0", "'kdc' is no server" },
    { "socks5://unix:/", "names no socket" },
    { "socks5://unix:/run/", "names no socket" },
    { "socks5://unix:/a%00b", "percent-encoded" },
    { "socks5://unix:/a b", "percent-encoded" },
    { "socks5://unix:/run#x", "fragment" },
    { "socks5://unix:/secret@h", "%40" },
    { "socks5://unix:secret", "port is no number" },
    { "direct://unix:/p", "takes no host" },
    { "socks4://me:secret@h", "socks4 knows a user name only" },
    { "socks4a://me:secret@h", "socks4a knows a user name only" },
    { "|", "hop 1: has no scheme" },
    { "socks5://a|", "hop 2: has no scheme" },
    { "socks5://a | | socks5://b", "hop 2: has no scheme" },
    { "socks5://a | direct", "hop 2: direct is no proxy" },
    { "reject | socks5://a", "hop 1: reject is no proxy" },
    { "socks5://a | socks5://unix:/p", "hop 2: is a socket of this machine" },
    { "socks5://a|socks5://b|socks5://c|socks5://d|socks5://e", "more than 4 hops" },
    { "socks5://u:sec|ret@h", "hop 1: port is no number" },
    { "socks5://u:80|secret@h", "hop 2: has no scheme" },
    { "socks5://u:80|secret://h", "hop 2: has no valid scheme" },
    { "direct://h", "takes no host" },
    { "reject://u:secret@h", "takes no host" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    check_refused (cases[i][0], cases[i][1]);
}

static void
check_length (guint user, guint password, gboolean is_valid)
{
  g_autofree char *u = g_strnfill (user, 'u');
  g_autofree char *p = g_strnfill (password, 'p');
  g_autofree char *uri = g_strdup_printf ("socks5://%s:%s@h", u, p);
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uri, &error);

  g_assert_cmpint (endpoint != NULL, ==, is_valid);
  if (!is_valid)
    g_assert_nonnull (strstr (error->message, "255"));
}

static void
test_lengths (void)
{
  g_autofree char *label = g_strnfill (64, 'a');
  g_autofree char *long_label = g_strdup_printf ("socks5://%s", label);
  g_autofree char *long_uri = g_strnfill (5000, 'a');
  g_autoptr (GError) error = NULL;

  check_length (255, 255, TRUE);
  check_length (256, 1, FALSE);
  check_length (1, 256, FALSE);
  g_assert_null (t2p_endpoint_parse (long_label, NULL));
  g_assert_null (t2p_endpoint_parse (long_uri, &error));
  g_assert_nonnull (strstr (error->message, "4096"));
}

static void
test_with_credentials (void)
{
  g_autoptr (T2pEndpoint) plain = parse ("socks5://h:1?udp=reject");
  g_autoptr (T2pSecret) password = t2p_secret_new ("p@", 2);
  g_autoptr (T2pEndpoint) full = t2p_endpoint_with_credentials (plain, 0, "me", password);
  g_autoptr (T2pEndpoint) bare = t2p_endpoint_with_credentials (full, 0, NULL, NULL);
  g_autofree char *full_uri = t2p_endpoint_to_private_uri (full);
  g_autofree char *bare_uri = t2p_endpoint_to_private_uri (bare);

  g_assert_cmpstr (full_uri, ==, "socks5://me:p%40@h:1?udp=reject");
  g_assert_cmpstr (bare_uri, ==, "socks5://h:1?udp=reject");
  g_assert_null (t2p_endpoint_get_user (plain));
  g_assert_cmpstr (t2p_endpoint_get_display (full), ==, t2p_endpoint_get_display (plain));
}

static void
test_chain (void)
{
  g_autoptr (T2pEndpoint) chain =
      parse ("socks5://a:secret@h1 | http://h2:3128 | https://b@h3?tls-ca=/x&tls-cert=fd:c");
  g_autoptr (T2pSecret) password = t2p_secret_new ("p|", 2);
  g_autoptr (T2pEndpoint) full = t2p_endpoint_with_credentials (chain, 1, "me", password);
  g_autofree char *uri = t2p_endpoint_to_private_uri (full);
  g_autoptr (T2pEndpoint) again = parse (uri);
  g_autoptr (GPtrArray) files = g_ptr_array_new ();
  const T2pEndpoint *second = t2p_endpoint_get_next (chain);

  g_assert_cmpuint (t2p_endpoint_get_n_hops (chain), ==, 3);
  g_assert_cmpstr (t2p_endpoint_get_hop_display (chain), ==, "socks5://h1:1080");
  g_assert_cmpstr (t2p_endpoint_get_display (second), ==,
                   "http://h2:3128 | https://h3:443?tls-ca=/x&tls-cert=fd:c");
  g_assert_null (t2p_endpoint_get_next (t2p_endpoint_get_next (second)));
  g_assert_cmpstr (uri, ==,
                   "socks5://a:secret@h1:1080 | http://me:p%7C@h2:3128 | "
                   "https://b@h3:443?tls-ca=/x&tls-cert=fd:c");
  g_assert_cmpstr (t2p_endpoint_get_display (again), ==, t2p_endpoint_get_display (chain));
  g_assert_null (t2p_endpoint_get_user (second));

  t2p_endpoint_list_files (chain, files);
  g_assert_cmpuint (files->len, ==, 2);
  g_assert_cmpstr (g_ptr_array_index (files, 0), ==, "/x");
  g_assert_cmpstr (g_ptr_array_index (files, 1), ==, "fd:c");
}

static void
test_credentials_of_any_hop (void)
{
  g_autoptr (T2pEndpoint) none = parse ("socks5://a | socks5://b");
  g_autoptr (T2pEndpoint) last = parse ("socks5://a | socks5://u:p@b");

  g_assert_false (t2p_endpoint_has_credentials (none));
  g_assert_true (t2p_endpoint_has_credentials (last));
}

static void
test_unix_path (void)
{
  g_autofree char *most = g_strnfill (MOST_PATH_BYTES - 1, 'x');
  g_autofree char *fits = g_strdup_printf ("socks5://unix:/%s", most);
  g_autofree char *too_long = g_strdup_printf ("socks5://unix:/x%s", most);
  g_autoptr (T2pEndpoint) endpoint = parse ("socks5://u:p@unix:/run/a%3Fb%0A");
  g_autoptr (T2pEndpoint) longest = parse (fits);
  g_autoptr (GError) error = NULL;

  g_assert_cmpstr (t2p_endpoint_get_unix_path (endpoint), ==, "/run/a?b\n");
  g_assert_null (t2p_endpoint_get_host (endpoint));
  g_assert_cmpuint (t2p_endpoint_get_port (endpoint), ==, 0);
  g_assert_cmpstr (t2p_endpoint_get_display (endpoint), ==, "socks5://unix:/run/a%3Fb%0A");
  g_assert_cmpuint (strlen (t2p_endpoint_get_unix_path (longest)), ==, MOST_PATH_BYTES);
  g_assert_null (t2p_endpoint_parse (too_long, &error));
  g_assert_nonnull (strstr (error->message, "at most 107 bytes"));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/endpoint/display-is-canonical-and-parses-again", test_display);
  g_test_add_func ("/endpoint/parts", test_parts);
  g_test_add_func ("/endpoint/password-may-have-every-byte", test_every_byte);
  g_test_add_func ("/endpoint/unreserved-specials-need-no-encoding", test_raw_specials);
  g_test_add_func ("/endpoint/refusals-of-places-never-show-userinfo", test_refused_places);
  g_test_add_func ("/endpoint/refusals-of-options-and-chains-never-show-userinfo",
                   test_refused_options);
  g_test_add_func ("/endpoint/lengths-are-bounded", test_lengths);
  g_test_add_func ("/endpoint/credentials-can-be-replaced", test_with_credentials);
  g_test_add_func ("/endpoint/chain-leads-from-hop-to-hop", test_chain);
  g_test_add_func ("/endpoint/chain-has-the-credentials-of-any-hop",
                   test_credentials_of_any_hop);
  g_test_add_func ("/endpoint/unix-path-fits-an-address", test_unix_path);
  return g_test_run ();
}
