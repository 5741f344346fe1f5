/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <gio/gio.h>
#include <signal.h>
#include <string.h>

#include "fake-service.h"
#include "t2p-ctl-failure.h"

/* The program itself, on a bus of its own with the fake service. */
typedef struct
{
  GTestDBus *bus;
  FakeService *service;
  char *out;
  char *err;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->bus = g_test_dbus_new (G_TEST_DBUS_NONE);
  g_test_dbus_up (f->bus);
  f->service = fake_service_start (g_test_dbus_get_bus_address (f->bus));
  /* No systemd of this machine makes a scope for a test. */
  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", g_test_dbus_get_bus_address (f->bus), TRUE);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_clear_pointer (&f->service, fake_service_stop);
  g_test_dbus_down (f->bus);
  g_clear_object (&f->bus);
  g_clear_pointer (&f->out, g_free);
  g_clear_pointer (&f->err, g_free);
}

static GSubprocess *
start (Fixture *f, const char *const *arguments)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  GSubprocess *process = NULL;

  g_ptr_array_add (argv, g_strdup (g_getenv ("T2P_TEST_CTL")));
  g_ptr_array_add (argv, g_strconcat ("--bus=", g_test_dbus_get_bus_address (f->bus), NULL));
  for (gsize i = 0; arguments[i] != NULL; i++)
    g_ptr_array_add (argv, g_strdup (arguments[i]));
  g_ptr_array_add (argv, NULL);
  process = g_subprocess_newv ((const char *const *) argv->pdata,
                               G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                                   G_SUBPROCESS_FLAGS_STDERR_PIPE,
                               &error);
  g_assert_no_error (error);
  return process;
}

/* Returns the exit code; the output is in the fixture. */
static int
run_with_input (Fixture *f, const char *input, const char *const *arguments)
{
  g_autoptr (GSubprocess) process = start (f, arguments);
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&f->out, g_free);
  g_clear_pointer (&f->err, g_free);
  g_subprocess_communicate_utf8 (process, input, NULL, &f->out, &f->err, &error);
  g_assert_no_error (error);
  g_test_message ("out: %s\nerr: %s", f->out, f->err);
  if (!g_subprocess_get_if_exited (process))
    g_error ("killed by signal %d", g_subprocess_get_term_sig (process));
  return g_subprocess_get_exit_status (process);
}

#define RUN(f, ...) run_with_input (f, "", (const char *const[]){ __VA_ARGS__, NULL })

static void
assert_contains (const char *text, const char *part)
{
  if (strstr (text, part) == NULL)
    g_error ("“%s” does not contain “%s”", text, part);
}

static void
test_up_and_down (Fixture *f, gconstpointer data)
{
  g_autofree char *proxy = NULL;

  g_assert_cmpint (RUN (f, "up", "socks5://proxy.example:1080"), ==, T2P_CTL_OK);
  assert_contains (f->out, "Tunnel “proxy.example” on t2p0 is active.");
  assert_contains (f->err, "mind the gap");
  proxy = fake_service_dup_proxy (f->service);
  g_assert_cmpstr (proxy, ==, "socks5://proxy.example:1080");
  g_assert_true (fake_service_saw_interactive (f->service));
  g_assert_cmpint (RUN (f, "down", "proxy.example"), ==, T2P_CTL_OK);
  assert_contains (f->out, "is gone");
  g_assert_cmpint (RUN (f, "list"), ==, T2P_CTL_OK);
  g_assert_cmpstr (f->out, ==, "There is no tunnel.\n");
}

static void
test_down_tells_all (Fixture *f, gconstpointer data)
{
  g_auto (GStrv) lines = NULL;

  RUN (f, "up", "socks5://p", "--name=work");
  g_assert_cmpint (RUN (f, "down", "nobody", "work", "no\033body"), ==, T2P_CTL_NOT_FOUND);
  assert_contains (f->out, "Tunnel “work” is gone.");
  assert_contains (f->err, "tun2proxyctl: could not take down the tunnel “nobody”: ");
  assert_contains (f->err,
                   "tun2proxyctl: could not take down the tunnel “no\357\277\275body”: ");
  RUN (f, "down", "a", "b", "--json");
  lines = g_strsplit (f->err, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 3);
  g_assert_true (g_str_has_prefix (lines[0], "{") && g_str_has_prefix (lines[1], "{"));
}

static void
test_profile_stays (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (RUN (f, "up", "socks5://p", "--name=profile"), ==, T2P_CTL_OK);
  g_assert_cmpint (RUN (f, "down", "profile"), ==, T2P_CTL_OK);
  assert_contains (f->out, "is inactive");
  g_assert_cmpint (RUN (f, "show", "profile"), ==, T2P_CTL_OK);
}

static void
test_rollback (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (RUN (f, "up", "socks5://p", "--name=work", "--rollback=60"), ==, T2P_CTL_OK);
  assert_contains (f->out, "taken down again in 60 seconds");
  assert_contains (f->out, "tun2proxyctl confirm work\n");
  RUN (f, "show", "work");
  assert_contains (f->out, "Unless confirmed:     down again in ");
  g_assert_cmpint (RUN (f, "confirm", "work"), ==, T2P_CTL_OK);
  assert_contains (f->out, "Tunnel “work” stays.");
  RUN (f, "show", "work");
  g_assert_null (strstr (f->out, "Unless confirmed"));
  g_assert_cmpint (RUN (f, "confirm"), ==, T2P_CTL_USAGE);
  g_assert_cmpint (RUN (f, "confirm", "other"), ==, T2P_CTL_NOT_FOUND);
  g_assert_cmpint (RUN (f, "up", "socks5://p", "-n", "w", "--rollback=-1"), ==, T2P_CTL_USAGE);
  /* It would be none at all. */
  g_assert_cmpint (RUN (f, "up", "socks5://p", "-n", "w", "--rollback=0"), ==, T2P_CTL_USAGE);
  assert_contains (f->err, "--rollback=0: expected a number above 0");
}

static void
test_explain (Fixture *f, gconstpointer data)
{
  RUN (f, "up", "socks5://p", "--name=work");
  g_assert_cmpint (RUN (f, "explain", "example.org:443"), ==, T2P_CTL_OK);
  g_assert_cmpstr (f->out, ==,
                   "A connection to example.org:443 goes through a tunnel.\n"
                   "  Tunnel: work\n"
                   "  Interface: t2p0\n"
                   "  Rule: priority 7 lookup 9\n"
                   "  Reason: example.org:443 of 0\n");
  g_assert_cmpint (RUN (f, "explain", "example.org", "--json", "--user=4711"), ==, T2P_CTL_OK);
  assert_contains (f->out, "\"path\" : \"tunnel\"");
  assert_contains (f->out, "example.org of 4711");
  RUN (f, "explain", "example.org", "--user=root");
  assert_contains (f->out, "example.org of 0");
  RUN (f, "explain", "example.org", "--pid=815");
  assert_contains (f->out, "example.org of 815");
  g_assert_cmpint (RUN (f, "explain", "a", "--user=nobody-has-this-name"), ==, T2P_CTL_USAGE);
  g_assert_cmpint (RUN (f, "explain", "a", "--pid=0"), ==, T2P_CTL_USAGE);
  g_assert_cmpint (RUN (f, "explain"), ==, T2P_CTL_USAGE);
  g_assert_cmpint (RUN (f, "explain", "a", "b"), ==, T2P_CTL_USAGE);
}

static void
test_repair (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (RUN (f, "repair", "--dry-run"), ==, T2P_CTL_OK);
  g_assert_cmpstr (f->out, ==, "Would be undone:\n  tunnel 7: worker process 12\n");
  g_assert_cmpint (RUN (f, "repair"), ==, T2P_CTL_OK);
  g_assert_cmpstr (f->out, ==, "There is nothing to undo.\n");
  g_assert_cmpint (RUN (f, "repair", "--dry-run", "--json"), ==, T2P_CTL_OK);
  assert_contains (f->out, "\"tunnel 7: worker process 12\"");
  g_assert_cmpint (RUN (f, "repair", "work"), ==, T2P_CTL_USAGE);
  /* To ask would start it, and that would undo everything. */
  g_clear_pointer (&f->service, fake_service_stop);
  g_assert_cmpint (RUN (f, "repair", "--dry-run"), ==, T2P_CTL_NO_SERVICE);
  assert_contains (f->err, "when it starts");
}

static void
test_kill_switch (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (RUN (f, "kill-switch"), ==, T2P_CTL_OK);
  assert_contains (f->out, "Kill switch: off: nothing is blocked\n");
  g_assert_cmpint (RUN (f, "kill-switch", "always", "work"), ==, T2P_CTL_OK);
  assert_contains (f->out, "Kill switch: armed: ");
  g_assert_cmpint (RUN (f, "kill-switch", "status", "--json"), ==, T2P_CTL_OK);
  assert_contains (f->out, "\"kill-switch\" : \"armed\"");
  g_assert_cmpint (RUN (f, "kill-switch", "off", "none"), ==, T2P_CTL_NOT_FOUND);
  assert_contains (f->err, "could not change the kill switch: ");
  g_assert_cmpint (RUN (f, "kill-switch", "off", "a", "b"), ==, T2P_CTL_USAGE);
  g_assert_cmpint (RUN (f, "kill-switch", "status", "work"), ==, T2P_CTL_USAGE);
  g_assert_cmpint (RUN (f, "kill-switch", "off"), ==, T2P_CTL_OK);
}

static void
test_run (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (RUN (f, "run", "true"), ==, T2P_CTL_NOT_FOUND);
  RUN (f, "up", "socks5://p", "--name=work");
  g_assert_cmpint (RUN (f, "run", "--tunnel=work", "sh", "-c", "echo \"$0\"; exit 9", "--json"),
                   ==, 9);
  g_assert_cmpstr (f->out, ==, "--json\n");
  /* GLib ignores it, and a program would inherit that. */
  g_assert_cmpint (RUN (f, "run", "sed", "-n", "s/^SigIgn:.//p", "/proc/self/status"), ==, 0);
  g_assert_cmpuint (g_ascii_strtoull (f->out, NULL, 16) & (1U << (SIGPIPE - 1)), ==, 0);
  g_assert_cmpint (RUN (f, "run", "/does/not/exist"), ==, 127);
  g_assert_cmpint (RUN (f, "run", "/dev/null"), ==, 126);
  g_assert_cmpint (RUN (f, "run"), ==, T2P_CTL_USAGE);
  RUN (f, "up", "socks5://p", "--name=more");
  g_assert_cmpint (RUN (f, "run", "true"), ==, T2P_CTL_USAGE);
  assert_contains (f->err, "--tunnel=NAME");
}

static void
test_list (Fixture *f, gconstpointer data)
{
  RUN (f, "up", "socks5://p", "--name=work");
  g_assert_cmpint (RUN (f, "list"), ==, T2P_CTL_OK);
  assert_contains (f->out, "NAME  STATE   INTERFACE  CAPTURE  SCOPE");
  assert_contains (f->out, "work  active  t2p0       routes   system");
  g_assert_null (strchr (f->out, '\033'));
  g_assert_cmpint (RUN (f, "list", "--json"), ==, T2P_CTL_OK);
  assert_contains (f->out, "\"name\" : \"work\"");
  assert_contains (f->out, "\"state-reason\" : \"user-requested\"");
}

static void
test_show (Fixture *f, gconstpointer data)
{
  RUN (f, "up", "socks5://p", "--name=work");
  g_assert_cmpint (RUN (f, "show", "work"), ==, T2P_CTL_OK);
  assert_contains (f->out, "* socks5://proxy.example:1080  ok  23 ms");
  assert_contains (f->out, "rx-bytes:             1.2 MiB");
  g_assert_cmpint (RUN (f, "--json", "show", "work"), ==, T2P_CTL_OK);
  assert_contains (f->out, "\"settings-version\" : 7");
  assert_contains (f->out, "\"rx-bytes\" : 1258291");
}

static void
test_connections (Fixture *f, gconstpointer data)
{
  RUN (f, "up", "socks5://p", "--name=work");
  g_assert_cmpint (RUN (f, "connections", "work"), ==, T2P_CTL_OK);
  /* The last of three pages. */
  assert_contains (f->out, "198.18.0.1:40005");
  assert_contains (f->out, "10.0 MiB");
  g_assert_cmpint (RUN (f, "connections", "work", "host=host.example", "--close"), ==,
                   T2P_CTL_OK);
  g_assert_cmpstr (f->out, ==, "5 connections were closed.\n");
  g_assert_cmpint (RUN (f, "connections", "work", "port=1"), ==, T2P_CTL_USAGE);
}

static void
test_test_proxy (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (RUN (f, "test-proxy", "socks5://p"), ==, T2P_CTL_OK);
  assert_contains (f->out, "Round trip: 23 ms");
  g_assert_cmpint (RUN (f, "test-proxy", "socks5://p", "--timeout=-1"), ==, T2P_CTL_USAGE);
  g_assert_cmpint (RUN (f, "test-proxy", "socks5://refuses"), ==, T2P_CTL_PROXY);
  assert_contains (f->err, "--ask");
  g_assert_cmpint (RUN (f, "test-proxy", "socks5://refuses", "--json"), ==, T2P_CTL_PROXY);
  assert_contains (f->out, "\"reachable\" : true");
  assert_contains (f->err, "\"exit-code\":6");
}

static void
test_password_from_stdin (Fixture *f, gconstpointer data)
{
  const char *const arguments[] = { "up",        "socks5://p:1080",   "--name=w",
                                    "--user=me", "--password-file=-", NULL };
  g_autofree char *proxy = NULL;

  g_assert_cmpint (run_with_input (f, "se/cret\n", arguments), ==, T2P_CTL_OK);
  proxy = fake_service_dup_proxy (f->service);
  g_assert_cmpstr (proxy, ==, "socks5://me:se%2Fcret@p:1080");
  g_assert_null (strstr (f->out, "cret"));
  g_assert_null (strstr (f->err, "cret"));
}

static void
test_password_on_command_line (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (RUN (f, "up", "socks5://me:secret@p", "-n", "w"), ==, T2P_CTL_OK);
  assert_contains (f->err, "--password-file");
  g_assert_null (strstr (f->err, "secret"));
}

static void
test_failures (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (RUN (f, "up", "socks5://p", "--name=taken"), ==, T2P_CTL_CONFLICT);
  assert_contains (f->err, "there is a tunnel 'taken' already");
  assert_contains (f->err, "--name");
  g_assert_cmpint (RUN (f, "up", "socks5://p", "--name=denied"), ==, T2P_CTL_NOT_AUTHORIZED);
  g_assert_cmpint (RUN (f, "up", "socks5://refuses"), ==, T2P_CTL_PROXY);
  g_assert_cmpint (RUN (f, "up", "socks5://p", "--netns=/no/such/file"), ==, T2P_CTL_FAILED);
  assert_contains (f->err, "/no/such/file");
  g_assert_null (strstr (f->err, "systemctl"));
  g_assert_cmpint (RUN (f, "show", "nowhere"), ==, T2P_CTL_NOT_FOUND);
  g_assert_cmpint (RUN (f, "down", "nowhere"), ==, T2P_CTL_NOT_FOUND);
  g_assert_cmpint (RUN (f, "up"), ==, T2P_CTL_USAGE);
  g_assert_cmpint (RUN (f, "upp"), ==, T2P_CTL_USAGE);
  g_assert_cmpint (RUN (f, "--nonsense"), ==, T2P_CTL_USAGE);
  g_assert_cmpint (RUN (f, "list", "--bus=nonsense"), ==, T2P_CTL_USAGE);
  g_assert_cmpint (RUN (f, "list", "--bus=unix:path=/does/not/exist"), ==, T2P_CTL_NO_SERVICE);
  g_clear_pointer (&f->service, fake_service_stop);
  g_assert_cmpint (RUN (f, "list"), ==, T2P_CTL_NO_SERVICE);
  assert_contains (f->err, "systemctl status tun2proxyd");
}

static char *
read_line (GDataInputStream *stream)
{
  g_autoptr (GError) error = NULL;
  char *line = g_data_input_stream_read_line (stream, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (line);
  return line;
}

static void
test_monitor (Fixture *f, gconstpointer data)
{
  const char *const arguments[] = { "monitor", "--json", NULL };
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GDataInputStream) stream = NULL;
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  RUN (f, "up", "socks5://p", "--name=work");
  process = start (f, arguments);
  stream = g_data_input_stream_new (g_subprocess_get_stdout_pipe (process));
  first = read_line (stream);
  assert_contains (first, "\"event\":\"tunnel-present\"");
  assert_contains (first, "\"name\":\"work\"");
  RUN (f, "down", "work");
  second = read_line (stream);
  assert_contains (second, "\"event\":\"tunnel-removed\"");
  g_subprocess_send_signal (process, SIGINT);
  g_assert_true (g_subprocess_wait_check (process, NULL, NULL));
}

static void
test_completion (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (RUN (f, "complete", "capture"), ==, T2P_CTL_OK);
  g_assert_cmpstr (f->out, ==, "capture=none\ncapture=routes\ncapture=default\n");
  RUN (f, "complete", "schemes");
  g_assert_nonnull (strstr (f->out, "socks5+tls://\n"));
  RUN (f, "complete", "verbs");
  assert_contains (f->out, "test-proxy\n");
  g_assert_null (strstr (f->out, "complete"));
}

static void
test_keys (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (RUN (f, "keys"), ==, T2P_CTL_OK);
  assert_contains (f->out, "capture=none|routes|default  (else none)\n");
  g_assert_cmpint (RUN (f, "keys", "--json"), ==, T2P_CTL_OK);
  assert_contains (f->out, "\"name\" : \"udp-idle-timeout\"");
}

#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/ctl/up-and-down", test_up_and_down);
  ADD ("/ctl/down/tells-each-failure", test_down_tells_all);
  ADD ("/ctl/down/profile-stays", test_profile_stays);
  ADD ("/ctl/up-with-rollback-says-how-to-keep-it", test_rollback);
  ADD ("/ctl/explain", test_explain);
  ADD ("/ctl/repair", test_repair);
  ADD ("/ctl/run/becomes-the-program", test_run);
  ADD ("/ctl/list", test_list);
  ADD ("/ctl/show", test_show);
  ADD ("/ctl/connections/all-pages", test_connections);
  ADD ("/ctl/kill-switch", test_kill_switch);
  ADD ("/ctl/test-proxy", test_test_proxy);
  ADD ("/ctl/password/from-stdin", test_password_from_stdin);
  ADD ("/ctl/password/on-command-line-is-told", test_password_on_command_line);
  ADD ("/ctl/failures-have-codes-and-remedies", test_failures);
  ADD ("/ctl/monitor", test_monitor);
  ADD ("/ctl/completion", test_completion);
  ADD ("/ctl/keys", test_keys);
  return g_test_run ();
}
