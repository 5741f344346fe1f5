/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-explain.h"

#include "t2p-error.h"
#include "t2pd-process-facts.h"

#include <unistd.h>

static void
assert_parsed (const char *text, const char *name, const char *address, guint16 port)
{
  g_autoptr (GError) error = NULL;
  T2pHostPort parsed = { 0 };
  T2pIpAddress expected;

  g_test_message ("%s", text);
  t2pd_explain_parse (text, &parsed, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (parsed.name, ==, name);
  g_assert_cmpuint (parsed.port, ==, port);
  if (address == NULL)
    return;
  g_assert_true (t2p_ip_address_parse (address, &expected));
  g_assert_true (t2p_ip_address_equal (&parsed.address, &expected));
}

static void
test_destinations (void)
{
  static const char *const refused[] = {
    "", "-", "a b", "192.0.2.1:0", "192.0.2.1:65536", "example.org:", "[2001:db8::1]:x", ":80",
  };

  assert_parsed ("example.org", "example.org", NULL, 0);
  assert_parsed ("example.org:443", "example.org", NULL, 443);
  assert_parsed ("192.0.2.1", "", "192.0.2.1", 0);
  assert_parsed ("192.0.2.1:80", "", "192.0.2.1", 80);
  assert_parsed ("2001:db8::1", "", "2001:db8::1", 0);
  assert_parsed ("[2001:db8::1]:80", "", "2001:db8::1", 80);
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (GError) error = NULL;
      T2pHostPort parsed;

      g_test_message ("%s", refused[i]);
      g_assert_false (t2pd_explain_parse (refused[i], &parsed, &error));
      g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
    }
}

static void
test_process (void)
{
  static const char status[] = "Name:\tsh\nUmask:\t0022\nUid:\t1\t2\t3\t4\nGid:\t5\t5\t5\t5\n";
  g_autofree char *hybrid =
      t2pd_process_facts_parse_cgroup ("3:cpu:/x\n1:name=systemd:/y\n0::/app.slice/a.scope\n");
  g_autofree char *none = t2pd_process_facts_parse_cgroup ("3:cpu:/x\n");
  g_autofree char *root = t2pd_process_facts_parse_cgroup ("0::/\n");
  g_autofree char *cgroup = NULL;
  guint32 uid = 0;

  g_assert_true (t2pd_process_facts_parse_uid (status, &uid));
  g_assert_cmpuint (uid, ==, 4);
  g_assert_false (t2pd_process_facts_parse_uid ("Name:\tUid: 1 1 1 1\n", &uid));
  g_assert_false (t2pd_process_facts_parse_uid ("", &uid));
  g_assert_cmpstr (hybrid, ==, "app.slice/a.scope");
  g_assert_null (none);
  g_assert_cmpstr (root, ==, "");
  g_assert_true (t2pd_process_facts_read ((guint32) getpid (), &uid, &cgroup));
  g_assert_cmpuint (uid, ==, geteuid ());
  g_assert_false (t2pd_process_facts_read (0, &uid, &cgroup));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/explain/destinations", test_destinations);
  g_test_add_func ("/explain/process-facts", test_process);
  return g_test_run ();
}
