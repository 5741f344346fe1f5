/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real kernel, in a network namespace of this process's own: needs root, touches nothing of
 * the machine. What is refused is told by what a socket gets, which needs no peer. */
#include "config.h"

#include "kill-switch-fixture.h"
#include "netns-fixture.h"
#include "t2pn-nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define AWAY4 "203.0.113.9"
#define AWAY6 "2001:db8:a::9"
#define LAN4 "192.0.2.55"
#define MARK 0x2370
#define RESET_TIMEOUT_MS 100

static void
load (const T2pnKillSwitch *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *script = t2pn_kill_switch_to_script (self);

  t2pn_nft_run (script, &error);
  g_assert_no_error (error);
}

static void
unload (void)
{
  g_autoptr (T2pnKillSwitch) none = t2pn_kill_switch_new ();

  load (none);
}

static T2pnKillSwitch *
arm (const char *settings, gboolean is_root)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take (&error);
  T2pnKillSwitch *self = t2pn_kill_switch_new ();

  g_assert_no_error (error);
  add_arm (self, settings, is_root, snapshot);
  t2pn_kill_switch_add_mark (self, MARK);
  load (self);
  return self;
}

/* --- what a socket gets */

typedef struct
{
  int type;
  guint32 uid;
  guint32 mark;
  const char *device;
  const char *source;
} Way;

static socklen_t
make_name (const char *text, guint16 port, struct sockaddr_storage *name)
{
  T2pIpEndpoint endpoint = { .port = port };

  g_assert_true (t2p_ip_address_parse (text, &endpoint.address));
  return t2p_ip_endpoint_to_sockaddr (&endpoint, name);
}

/* Nobody answers on this machine's network but our own refusal. */
static int
wait_for_reset (int fd)
{
  struct pollfd wait = { fd, POLLOUT, 0 };
  int result = EINPROGRESS;
  socklen_t length = sizeof result;

  if (poll (&wait, 1, RESET_TIMEOUT_MS) == 1)
    getsockopt (fd, SOL_SOCKET, SO_ERROR, &result, &length);
  return result;
}

static int
send_as (const Way *way, const char *address, guint16 port)
{
  struct sockaddr_storage name, source;
  socklen_t length = make_name (address, port, &name);
  int fd, result;

  if (way->uid != 0 && setresuid (way->uid, way->uid, way->uid) != 0)
    return -1;
  fd = socket (name.ss_family, way->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (way->mark != 0)
    setsockopt (fd, SOL_SOCKET, SO_MARK, &way->mark, sizeof way->mark);
  if (way->device != NULL)
    setsockopt (fd, SOL_SOCKET, SO_BINDTODEVICE, way->device,
                (socklen_t) strlen (way->device) + 1);
  if (way->source != NULL)
    bind (fd, (struct sockaddr *) &source, make_name (way->source, 0, &source));
  result = connect (fd, (struct sockaddr *) &name, length);
  if (way->type == SOCK_DGRAM && result == 0)
    result = (int) send (fd, "x", 1, 0);
  if (way->type == SOCK_STREAM && result < 0 && errno == EINPROGRESS)
    return wait_for_reset (fd);
  return result < 0 ? errno : 0;
}

/* In a child, which may become somebody else. 0, or errno. */
static int
try (Way way, const char *address, guint16 port)
{
  pid_t pid = fork ();
  int status;

  if (pid == 0)
    _exit (send_as (&way, address, port));
  waitpid (pid, &status, 0);
  return WEXITSTATUS (status);
}

#define assert_passes(way, address, port)                                                      \
  g_assert_cmpint (try ((way), (address), (port)), ==,                                         \
                   (way).type == SOCK_STREAM ? EINPROGRESS : 0)
#define assert_refused(way, address, port)                                                     \
  g_assert_cmpint (try ((way), (address), (port)), ==,                                         \
                   (way).type == SOCK_STREAM ? ECONNREFUSED : EPERM)

static const Way tcp = { .type = SOCK_STREAM };
static const Way udp = { .type = SOCK_DGRAM };

/* --- tests */

static void
test_everything (void)
{
  g_autoptr (T2pnKillSwitch) self = NULL;

  assert_passes (tcp, AWAY4, 80); /* the test can see a leak */
  assert_passes (udp, AWAY6, 443);
  self = arm (DEFAULT_SYSTEM, TRUE);
  assert_refused (tcp, AWAY4, 80);
  assert_refused (udp, AWAY4, 80);
  assert_refused (tcp, AWAY6, 80);
  assert_refused (udp, AWAY6, 443);
  assert_passes (udp, LAN4, 9);
  assert_passes (tcp, LAN4, 9);
  assert_refused (udp, LAN4, 53);
  assert_refused (tcp, LAN4, 853);
  assert_passes (udp, "127.0.0.1", 53);
  assert_passes (((Way){ .type = SOCK_STREAM, .mark = MARK }), AWAY4, 80);
  assert_refused (((Way){ .type = SOCK_STREAM, .mark = MARK + 1 }), AWAY4, 80);
  unload ();
  assert_passes (tcp, AWAY4, 80);
}

static void
test_bound_sockets (void)
{
  g_autoptr (T2pnKillSwitch) self = NULL;
  Way to_device = { .type = SOCK_STREAM, .device = "up0" };
  Way to_address = { .type = SOCK_DGRAM, .source = "192.0.2.7" };
  Way to_address6 = { .type = SOCK_STREAM, .source = "2001:db8:1::7" };

  assert_passes (to_device, AWAY4, 80);
  self = arm (DEFAULT_SYSTEM, TRUE);
  assert_refused (to_device, AWAY4, 80);
  assert_refused (to_address, AWAY4, 80);
  assert_refused (to_address6, AWAY6, 80);
  unload ();
}

static void
test_users (void)
{
  g_autoptr (T2pnKillSwitch) self = arm (DEFAULT_SYSTEM, FALSE);
  Way owner = { .type = SOCK_STREAM, .uid = 1000 };
  Way other = { .type = SOCK_STREAM, .uid = 1001 };

  assert_refused (owner, AWAY4, 80);
  assert_passes (other, AWAY4, 80);
  assert_passes (tcp, AWAY4, 80);
  unload ();
}

static void
test_routes (void)
{
  g_autoptr (T2pnKillSwitch) self =
      arm ("'capture': <'routes'>, 'routes': <['203.0.113.0/24']>, "
           "'exclude-routes': <['203.0.113.7/32']>, 'dns': <'off'>",
           TRUE);

  assert_refused (tcp, AWAY4, 80);
  assert_passes (tcp, "203.0.113.7", 80);
  assert_passes (tcp, "198.51.100.1", 80);
  assert_passes (tcp, AWAY6, 80);
  unload ();
}

static void
test_worker_uid (void)
{
  g_autoptr (T2pnKillSwitch) self = arm (DEFAULT_SYSTEM, TRUE);
  Way worker = { .type = SOCK_STREAM, .uid = 998 };

  assert_refused (worker, AWAY4, 80);
  t2pn_kill_switch_add_worker_uid (self, 998);
  load (self);
  assert_passes (worker, AWAY4, 80);
  unload ();
}

/* DHCP option 121: a route that is more special than everything is no way out. */
static void
test_hostile_route (void)
{
  g_autoptr (T2pnKillSwitch) self = NULL;

  must ("ip route add 203.0.113.0/25 via 192.0.2.1 proto dhcp");
  must ("ip route add 0.0.0.0/1 via 192.0.2.1 proto dhcp");
  self = arm (DEFAULT_SYSTEM, TRUE);
  assert_refused (tcp, AWAY4, 80);
  assert_refused (udp, "9.9.9.9", 80);
  assert_passes (udp, LAN4, 80);
  unload ();
  must ("ip route del 203.0.113.0/25; ip route del 0.0.0.0/1");
}

/* Whatever may be set is a table that the kernel takes, and the last one leaves nothing. */
static void
test_every_form_loads (void)
{
  static const char *const forms[] = {
    DEFAULT_SYSTEM,
    "'capture': <'default'>, 'ipv6': <'leave'>",
    DEFAULT_SYSTEM ", 'exclude-routes': <['10.0.0.0/8', '10.1.0.0/16', 'fc00::/7']>",
    "'capture': <'routes'>, 'dns': <'virtual'>, 'routes': <['10.0.0.0/7', '10.0.0.0/8']>",
  };
  g_autofree char *before = run ("nft list ruleset");
  g_autofree char *after = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (forms); i++)
    {
      g_autoptr (T2pnKillSwitch) self = arm (forms[i], TRUE);
      guint16 port = 22;
      T2pIpAddress host;

      t2p_ip_address_parse ("2001:db8:80::1", &host);
      g_array_append_val (self->check_hosts, host);
      g_array_append_val (self->servers, port);
      self->is_portal_open = TRUE;
      ((T2pnKillSwitchArm *) self->arms->pdata[0])->is_forwarded = TRUE;
      t2pn_kill_switch_add_worker_uid (self, 998);
      load (self);
    }
  unload ();
  after = run ("nft list ruleset");
  g_assert_cmpstr (after, ==, before);
}

static void
test_servers_are_found (void)
{
  struct sockaddr_storage name;
  socklen_t length = make_name ("0.0.0.0", 2222, &name);
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_autoptr (GArray) ports = NULL;

  g_assert_cmpint (bind (fd, (struct sockaddr *) &name, length), ==, 0);
  g_assert_cmpint (listen (fd, 1), ==, 0);
  ports = t2pn_kill_switch_list_servers ();
  g_assert_cmpuint (ports->len, ==, 1);
  g_assert_cmpuint (g_array_index (ports, guint16, 0), ==, 2222);
  close (fd);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (unshare (CLONE_NEWNET) != 0)
    {
      printf ("1..0 # SKIP needs root for a network namespace of its own\n");
      return 0;
    }
  make_machine ();
  must ("nft 'table inet filter { chain c { type filter hook output priority 0; accept; }; }'");
  g_test_add_func ("/netns/kill-switch/everything", test_everything);
  g_test_add_func ("/netns/kill-switch/bound-sockets", test_bound_sockets);
  g_test_add_func ("/netns/kill-switch/users", test_users);
  g_test_add_func ("/netns/kill-switch/routes", test_routes);
  g_test_add_func ("/netns/kill-switch/worker-uid", test_worker_uid);
  g_test_add_func ("/netns/kill-switch/hostile-route", test_hostile_route);
  g_test_add_func ("/netns/kill-switch/every-form-loads", test_every_form_loads);
  g_test_add_func ("/netns/kill-switch/servers-are-found", test_servers_are_found);
  return g_test_run ();
}
