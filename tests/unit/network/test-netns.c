/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real kernel, in a network namespace of this process's own: needs root, touches nothing of
 * the machine. `--hold=STAGE DIR SETTINGS` is the victim that a test kills. */
#include "config.h"

#include "netns-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;

/* --- tests of the device */

static void
test_device_goes_with_its_fd (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *before = dump ();
  g_autofree char *after = NULL;
  g_autofree char *link = NULL;
  T2pnTunDevice *device = t2pn_tun_device_open ("t2p%d", 3, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (t2pn_tun_device_get_name (device), ==, "t2p0");
  g_assert_cmpuint (t2pn_tun_device_get_n_queues (device), ==, 3);
  g_assert_cmpuint (t2pn_tun_device_get_header_bytes (device), ==, 10);
  g_assert_cmpuint (t2pn_tun_device_get_offloads (device), !=, 0);
  link = run ("ip -d link show t2p0");
  g_assert_nonnull (strstr (link, "persist off"));
  g_assert_nonnull (strstr (link, "multi_queue"));
  t2pn_tun_device_free (device);
  after = dump ();
  g_assert_cmpstr (after, ==, before);
}

static void
test_device_name_in_use (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnTunDevice) first = t2pn_tun_device_open ("t2pa", 1, &error);
  g_autoptr (T2pnTunDevice) second = NULL;

  g_assert_no_error (error);
  second = t2pn_tun_device_open ("t2pa", 1, &error);
  g_assert_null (second);
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ALREADY_EXISTS);
}

static void
test_device_is_adopted (void)
{
  g_autoptr (GError) error = NULL;
  T2pnTunDevice *device = t2pn_tun_device_open ("t2pb", 1, &error);
  T2pnTunDevice *heir;
  int fd = dup (t2pn_tun_device_peek_fd (device, 0));
  int ifindex = t2pn_tun_device_get_ifindex (device);
  int other;

  t2pn_tun_device_free (device);
  heir = t2pn_tun_device_adopt (&fd, 1, &error);
  g_assert_no_error (error);
  g_assert_cmpint (t2pn_tun_device_get_ifindex (heir), ==, ifindex);
  g_assert_cmpuint (t2pn_tun_device_get_header_bytes (heir), ==, 10);
  g_assert_true (t2pn_tun_device_enable_offloads (heir, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (t2pn_tun_device_get_offloads (heir), !=, 0);
  t2pn_tun_device_free (heir);
  other = dup (0);
  g_assert_null (t2pn_tun_device_adopt (&other, 1, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD);
  g_assert_cmpint (fcntl (other, F_GETFD), ==, -1); /* it was closed */
}

static void
test_device_of_the_user (gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *make =
      g_strdup_printf ("ip tuntap add dev t2pu mode tun %s", (const char *) mode);
  g_autofree char *made = run (make);
  g_autofree char *still_there = NULL;
  g_autofree char *gone = NULL;
  T2pnTunDevice *device = t2pn_tun_device_attach ("t2pu", &error);
  T2pnTunDevice *second;

  g_assert_no_error (error);
  g_assert_cmpstr (t2pn_tun_device_get_name (device), ==, "t2pu");
  g_assert_cmpuint (t2pn_tun_device_get_header_bytes (device), ==, 10);
  g_assert_cmpuint (t2pn_tun_device_get_offloads (device), !=, 0);
  if (((const char *) mode)[0] == '\0')
    {
      g_assert_null (t2pn_tun_device_attach ("t2pu", &error));
      g_assert_error (error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE);
      g_assert_nonnull (strstr (error->message, "another program is attached"));
      g_clear_error (&error);
    }
  t2pn_tun_device_free (device);
  still_there = run ("ethtool -k t2pu 2>/dev/null | grep '^tcp-segmentation-offload: on'; "
                     "ip link show t2pu");
  g_assert_nonnull (strstr (still_there, "t2pu"));
  g_assert_null (strstr (still_there, "segmentation"));
  second = t2pn_tun_device_attach ("t2pu", &error);
  g_assert_no_error (error);
  t2pn_tun_device_free (second);
  gone = run ("ip link del t2pu");
}

static void
test_device_is_no_tun (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *made = run ("ip tuntap add dev t2pt mode tap");
  g_autofree char *gone = NULL;

  g_assert_null (t2pn_tun_device_attach ("t2pt", &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE);
  g_assert_nonnull (strstr (error->message, "no TUN device"));
  gone = run ("ip link del t2pt");
}

static void
test_link_has_only_what_was_asked (void)
{
  g_autofree char *runtime_dir = make_runtime_dir ();
  Tunnel *tunnel = tunnel_new (runtime_dir, "'mtu': <uint32 1400>");
  g_autofree char *all_before = run ("cat /proc/sys/net/ipv4/conf/all/rp_filter");
  g_autofree char *link = NULL, *addresses = NULL, *filter = NULL, *all_after = NULL;
  g_autoptr (GError) error = NULL;

  run_stage (tunnel, T2PN_STAGE_CONFIGURE_LINK, &error);
  g_assert_no_error (error);
  g_usleep (300 * 1000); /* a link-local address would be there by now */
  link = run ("ip link show t2p0");
  addresses = run ("ip -o address show dev t2p0 | awk '{print $4}'");
  filter = run ("cat /proc/sys/net/ipv4/conf/t2p0/rp_filter");
  all_after = run ("cat /proc/sys/net/ipv4/conf/all/rp_filter");
  g_assert_nonnull (strstr (link, "mtu 1400"));
  g_assert_nonnull (strstr (link, "UP"));
  g_assert_nonnull (strstr (link, "qlen 1000"));
  g_assert_cmpstr (addresses, ==, "198.18.0.1/30\nfd00:1::1/126\n");
  g_assert_cmpstr (filter, ==, "2\n");
  g_assert_cmpstr (all_after, ==, all_before);
  g_assert_true (t2pn_journal_undo (tunnel->journal, NULL));
  tunnel_free (tunnel);
  remove_runtime_dir (g_steal_pointer (&runtime_dir));
}

/* --- tests of the plan */

static const char *const variants[] = {
  "",
  "'dns': <'virtual'>",
  DEFAULT_SYSTEM,
  "'capture': <'default'>, 'scope': <'user'>, 'exclude-routes': <['10.0.0.0/8', "
  "'2001:db8:8::/48']>",
  "'capture': <'default'>, 'ipv6': <'reject'>",
  "'capture': <'routes'>, 'routes': <['203.0.113.0/24', '2001:db8:9::/48']>, "
  "'exclude-routes': <['203.0.113.7']>",
};

static void
test_up_and_down (gconstpointer settings_text)
{
  g_autofree char *runtime_dir = make_runtime_dir ();
  g_autofree char *before = dump ();
  g_autofree char *after = NULL;
  g_autofree char *with_device = NULL;
  g_autofree char *after_undo = NULL;
  Tunnel *tunnel = tunnel_new (runtime_dir, settings_text);
  T2pnRoutePlan *again;

  with_device = run (DUMP_NETWORK);
  bring_up (tunnel);
  again = make_plan (tunnel); /* meets its own rules */
  t2pn_route_plan_free (again);
  take_down (tunnel);
  take_down (tunnel); /* idempotent */
  after_undo = run (DUMP_NETWORK);
  g_assert_cmpstr (after_undo, ==, with_device);
  g_assert_true (t2pn_journal_undo (tunnel->journal, NULL));
  tunnel_free (tunnel);
  after = dump ();
  g_assert_cmpstr (after, ==, before);
  remove_runtime_dir (g_steal_pointer (&runtime_dir));
}

static void
test_kernel_has_the_plan (void)
{
  g_autofree char *runtime_dir = make_runtime_dir ();
  Tunnel *tunnel =
      tunnel_new (runtime_dir, "'capture': <'default'>, 'scope': <'user'>, 'ipv6': <'reject'>");

  bring_up (tunnel);
  assert_line ("ip rule",
               "8710:\tfrom all uidrange 12345-12345 lookup main suppress_prefixlength 0 "
               "proto 142");
  assert_line ("ip rule", "8704:\tfrom all fwmark 0x2370 lookup main proto 142");
  assert_line ("ip rule", "8705:\tfrom all fwmark 0x2370 unreachable proto 142");
  assert_line ("ip rule",
               "8712:\tfrom 0.0.0.0 iif lo uidrange 12345-12345 lookup 23700 proto 142");
  assert_line ("ip rule", "8707:\tfrom 198.18.0.1 iif lo uidrange 12345-12345 lookup 23700");
  /* where /etc/protocols is missing, ip shows the number */
  assert_line ("ip -6 rule | sed s/ipproto-6/tcp/",
               "8706:\tfrom 2001:db8:1::7 uidrange 12345-12345 ipproto tcp sport "
               "1-1023 lookup main");
  assert_line ("ip -6 rule", "8712:\tfrom all iif lo uidrange 12345-12345 lookup 23700");
  assert_line ("ip route show table 23700", "default dev t2p0 proto 142 scope link");
  assert_line ("ip route show table 23700", "throw 224.0.0.0/4 proto 142");
  assert_line ("ip -6 route show table 23700", "unreachable default dev lo proto 142");
  take_down (tunnel);
  g_assert_true (t2pn_journal_undo (tunnel->journal, NULL));
  tunnel_free (tunnel);
  remove_runtime_dir (g_steal_pointer (&runtime_dir));
}

/* The source address that the kernel chooses tells which way it would go; NULL: no way. */
static char *
source_towards (const char *destination, guint32 mark, const char *bound_to)
{
  T2pIpEndpoint to = { .port = 9 };
  T2pIpEndpoint from = { .port = 0 };
  struct sockaddr_storage storage;
  char text[T2P_IP_STRLEN];
  socklen_t length;
  int fd, result;

  t2p_ip_address_parse (destination, &to.address);
  fd = socket (to.address.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (mark != 0)
    g_assert_cmpint (setsockopt (fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark), ==, 0);
  if (bound_to != NULL)
    {
      t2p_ip_address_parse (bound_to, &from.address);
      length = t2p_ip_endpoint_to_sockaddr (&from, &storage);
      g_assert_cmpint (bind (fd, (struct sockaddr *) &storage, length), ==, 0);
    }
  length = t2p_ip_endpoint_to_sockaddr (&to, &storage);
  result = connect (fd, (struct sockaddr *) &storage, length);
  length = sizeof storage;
  if (result == 0)
    g_assert_cmpint (getsockname (fd, (struct sockaddr *) &storage, &length), ==, 0);
  if (result == 0 && bound_to != NULL)
    result = (int) send (fd, "x", 1, MSG_DONTWAIT) - 1;
  close (fd);
  if (result != 0)
    return NULL;
  t2p_ip_endpoint_from_sockaddr ((struct sockaddr *) &storage, length, &from);
  t2p_ip_address_format (&from.address, text);
  return g_strdup (text);
}

static void
assert_source (const char *destination, guint32 mark, const char *expected)
{
  g_autofree char *source = source_towards (destination, mark, NULL);

  g_assert_cmpstr (source, ==, expected);
}

static guint
count_packets (Tunnel *tunnel)
{
  char packet[2048];
  guint n = 0;

  while (read (t2pn_tun_device_peek_fd (tunnel->device, 0), packet, sizeof packet) > 0)
    n++;
  return n;
}

static void
test_default_captures_the_unbound (void)
{
  g_autofree char *runtime_dir = make_runtime_dir ();
  Tunnel *tunnel = tunnel_new (runtime_dir, DEFAULT_SYSTEM);
  g_autofree char *bound4 = NULL;
  g_autofree char *bound6 = NULL;

  bring_up (tunnel);
  assert_source ("203.0.113.9", 0, "198.18.0.1");
  assert_source ("203.0.113.9", 0x2370, "192.0.2.7");
  assert_source ("192.0.2.200", 0, "192.0.2.7"); /* LAN */
  assert_source ("198.18.5.5", 0, "198.18.0.1");
  assert_source ("127.0.0.1", 0x2370, "127.0.0.1");
  assert_source ("2001:db8:77::9", 0, "fd00:1::1");
  assert_source ("2001:db8:77::9", 0x2370, "2001:db8:1::7");
  assert_source ("2001:db8:1::200", 0, "2001:db8:1::7");
  count_packets (tunnel);
  bound4 = source_towards ("203.0.113.9", 0, "192.0.2.7");
  bound6 = source_towards ("2001:db8:77::9", 0, "2001:db8:1::7");
  g_assert_cmpstr (bound4, ==, "192.0.2.7");
  g_assert_cmpstr (bound6, ==, "2001:db8:1::7");
  g_assert_cmpuint (count_packets (tunnel), ==, 0);
  bound4 = (g_free (bound4), source_towards ("203.0.113.9", 0, "0.0.0.0"));
  g_assert_cmpuint (count_packets (tunnel), ==, 1);
  /* Without the uplink our own sockets fail at once, and do not enter the tunnel. */
  must ("ip route del default; ip -6 route del default");
  assert_source ("203.0.113.9", 0x2370, NULL);
  assert_source ("2001:db8:77::9", 0x2370, NULL);
  must ("ip route add default via 192.0.2.1; ip -6 route add default via 2001:db8:1::99");
  take_down (tunnel);
  g_assert_true (t2pn_journal_undo (tunnel->journal, NULL));
  tunnel_free (tunnel);
  remove_runtime_dir (g_steal_pointer (&runtime_dir));
}

/* Root is not the owner of a user's tunnel. */
static void
test_user_scope_leaves_others_alone (void)
{
  g_autofree char *runtime_dir = make_runtime_dir ();
  Tunnel *tunnel = tunnel_new (runtime_dir, "'capture': <'default'>, 'scope': <'user'>");
  int status;
  pid_t child;

  bring_up (tunnel);
  assert_source ("203.0.113.9", 0, "192.0.2.7");
  child = fork ();
  if (child == 0)
    {
      g_autofree char *source = NULL;

      if (setuid (12345) != 0)
        _exit (2);
      source = source_towards ("203.0.113.9", 0, NULL);
      _exit (g_strcmp0 (source, "198.18.0.1") == 0 ? 0 : 1);
    }
  waitpid (child, &status, 0);
  g_assert_cmpint (status, ==, 0);
  take_down (tunnel);
  g_assert_true (t2pn_journal_undo (tunnel->journal, NULL));
  tunnel_free (tunnel);
  remove_runtime_dir (g_steal_pointer (&runtime_dir));
}

static void
test_update (void)
{
  g_autofree char *runtime_dir = make_runtime_dir ();
  g_autofree char *before = dump ();
  g_autofree char *after = NULL;
  g_autofree char *rules = NULL;
  Tunnel *tunnel = tunnel_new (runtime_dir, DEFAULT_SYSTEM);

  bring_up (tunnel);
  must ("ip address add 2001:db8:1::8/64 dev up0 nodad; ip rule del priority 8705");
  update (tunnel);
  assert_line ("ip -6 rule", "8706:\tfrom 2001:db8:1::8 lookup main");
  assert_line ("ip rule", "8705:\tfrom all fwmark 0x2370 unreachable");
  must ("ip address del 2001:db8:1::8/64 dev up0");
  update (tunnel);
  rules = run ("ip -6 rule");
  g_assert_null (strstr (rules, "2001:db8:1::8"));
  g_assert_nonnull (strstr (rules, "2001:db8:1::7"));
  g_assert_true (t2pn_journal_undo (tunnel->journal, NULL));
  tunnel_free (tunnel);
  after = dump ();
  g_assert_cmpstr (after, ==, before);
  remove_runtime_dir (g_steal_pointer (&runtime_dir));
}

/* Somebody was quicker: a conflict, everything of ours is taken back, and theirs stays. */
static void
test_conflict_rolls_back (void)
{
  g_autofree char *runtime_dir = make_runtime_dir ();
  g_autoptr (GError) error = NULL;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  Tunnel *tunnel = tunnel_new (runtime_dir, DEFAULT_SYSTEM);

  run_stage (tunnel, T2PN_STAGE_CONFIGURE_LINK, &error);
  g_assert_no_error (error);
  must ("ip route add unreachable default table 23700");
  before = dump ();
  run_stage (tunnel, T2PN_STAGE_INSTALL_CAPTURE, &error);
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT);
  after = dump ();
  g_assert_cmpstr (after, ==, before);
  g_assert_true (t2pn_journal_undo (tunnel->journal, NULL));
  assert_line ("ip route show table 23700", "unreachable default");
  must ("ip route del unreachable default table 23700");
  tunnel_free (tunnel);
  remove_runtime_dir (g_steal_pointer (&runtime_dir));
}

static void
test_link_deleted_under_us (void)
{
  g_autofree char *runtime_dir = make_runtime_dir ();
  g_autofree char *before = dump ();
  g_autofree char *after = NULL;
  Tunnel *tunnel = tunnel_new (runtime_dir, DEFAULT_SYSTEM);

  bring_up (tunnel);
  must ("ip link del t2p0");
  take_down (tunnel);
  g_assert_true (t2pn_journal_undo (tunnel->journal, NULL));
  after = dump ();
  g_assert_cmpstr (after, ==, before);
  tunnel_free (tunnel);
  remove_runtime_dir (g_steal_pointer (&runtime_dir));
}

/* Refused, not let out by the uplink; what answers as a server still gets out. */
static void
test_rejected_ipv6_does_not_leak (void)
{
  g_autofree char *runtime_dir = make_runtime_dir ();
  Tunnel *tunnel = tunnel_new (runtime_dir, "'capture': <'default'>, 'ipv6': <'reject'>");

  bring_up (tunnel);
  assert_source ("2001:db8:77::9", 0, NULL);
  assert_source ("2001:db8:77::9", 0x2370, "2001:db8:1::7");
  assert_source ("2001:db8:1::200", 0, "2001:db8:1::7"); /* LAN */
  assert_line ("ip -6 route get 2001:db8:77::9 from 2001:db8:1::7 ipproto 6 sport 22",
               "via 2001:db8:1::99 dev up0");
  assert_line (
      "ip -6 route get 2001:db8:77::9 from 2001:db8:1::7 ipproto 6 sport 40000 2>&1 || :",
      "No route to host");
  take_down (tunnel);
  g_assert_true (t2pn_journal_undo (tunnel->journal, NULL));
  tunnel_free (tunnel);
  remove_runtime_dir (g_steal_pointer (&runtime_dir));
}

/* New links get no IPv6, but others have it: what would leak is refused instead. */
static void
test_ipv6_disabled_for_new_links (void)
{
  g_autofree char *runtime_dir = make_runtime_dir ();
  g_autofree char *addresses = NULL;
  Tunnel *tunnel;

  must ("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
  tunnel = tunnel_new (runtime_dir, DEFAULT_SYSTEM);
  bring_up (tunnel);
  addresses = run ("ip -o address show dev t2p0 | awk '{print $4}'");
  g_assert_cmpstr (addresses, ==, "198.18.0.1/30\n");
  assert_source ("203.0.113.9", 0, "198.18.0.1");
  assert_source ("2001:db8:77::9", 0, NULL);
  assert_source ("2001:db8:77::9", 0x2370, "2001:db8:1::7");
  take_down (tunnel);
  must ("echo 0 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
  g_assert_true (t2pn_journal_undo (tunnel->journal, NULL));
  tunnel_free (tunnel);
  remove_runtime_dir (g_steal_pointer (&runtime_dir));
}

/* --- SIGKILL */

static int
hold (const char *stage, const char *runtime_dir, const char *settings_text)
{
  Tunnel *tunnel = tunnel_new (runtime_dir, settings_text);

  for (int i = 0; i <= (int) strtol (stage, NULL, 10); i++)
    run_stage (tunnel, (T2pnStage) i, NULL);
  if (write (STDOUT_FILENO, "r", 1) != 1)
    return 1;
  for (;;)
    pause ();
}

static pid_t
start_victim (const char *runtime_dir, int stage, const char *settings_text)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *stage_text = g_strdup_printf ("%d", stage);
  const char *argv[] = { program, "--hold", stage_text, runtime_dir, settings_text, NULL };
  pid_t pid;
  int output;
  char byte;

  g_spawn_async_with_pipes (NULL, (char **) argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                            &pid, NULL, &output, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (read (output, &byte, 1), ==, 1);
  close (output);
  return pid;
}

static void
assert_repairs_after_kill (int stage, const char *settings_text)
{
  g_autofree char *runtime_dir = make_runtime_dir ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) planned = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) done = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *before = dump ();
  g_autofree char *alive = NULL, *untouched = NULL, *after = NULL;
  pid_t victim = start_victim (runtime_dir, stage, settings_text);

  alive = dump ();
  t2pn_repair (runtime_dir, FALSE, done, &error); /* its owner lives: not ours to undo */
  g_assert_no_error (error);
  g_assert_cmpuint (done->len, ==, 0);
  untouched = dump ();
  g_assert_cmpstr (untouched, ==, alive);
  kill (victim, SIGKILL);
  waitpid (victim, NULL, 0);
  t2pn_repair (runtime_dir, TRUE, planned, &error);
  g_assert_no_error (error);
  t2pn_repair (runtime_dir, FALSE, done, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (done->len, ==, planned->len);
  after = dump ();
  g_assert_cmpstr (after, ==, before);
  remove_runtime_dir (g_steal_pointer (&runtime_dir));
}

static void
test_repair_after_kill (gconstpointer settings_text)
{
  for (int stage = -1; stage <= T2PN_STAGE_INSTALL_CAPTURE; stage++)
    assert_repairs_after_kill (stage, settings_text);
}

int
main (int argc, char **argv)
{
  program = argv[0];
  if (argc == 5 && strcmp (argv[1], "--hold") == 0)
    return hold (argv[2], argv[3], argv[4]);
  g_test_init (&argc, &argv, NULL);
  if (unshare (CLONE_NEWNET) != 0)
    {
      printf ("1..0 # SKIP needs root for a network namespace of its own\n");
      return 0;
    }
  make_machine ();
  g_test_add_func ("/netns/device/goes-with-its-descriptor", test_device_goes_with_its_fd);
  g_test_add_func ("/netns/device/name-in-use", test_device_name_in_use);
  g_test_add_func ("/netns/device/is-adopted", test_device_is_adopted);
  g_test_add_data_func ("/netns/device/of-the-user-is-taken", "", test_device_of_the_user);
  g_test_add_data_func ("/netns/device/of-the-user-with-queues-is-taken", "multi_queue",
                        test_device_of_the_user);
  g_test_add_func ("/netns/device/is-no-tun", test_device_is_no_tun);
  g_test_add_func ("/netns/link/only-what-was-asked", test_link_has_only_what_was_asked);
  for (guint i = 0; i < G_N_ELEMENTS (variants); i++)
    {
      g_autofree char *up = g_strdup_printf ("/netns/plan/up-and-down/%u", i);
      g_autofree char *killed = g_strdup_printf ("/netns/repair/after-sigkill/%u", i);

      g_test_add_data_func (up, variants[i], test_up_and_down);
      g_test_add_data_func (killed, variants[i], test_repair_after_kill);
    }
  g_test_add_func ("/netns/plan/kernel-has-it", test_kernel_has_the_plan);
  g_test_add_func ("/netns/plan/default-captures-the-unbound",
                   test_default_captures_the_unbound);
  g_test_add_func ("/netns/plan/user-scope-leaves-others-alone",
                   test_user_scope_leaves_others_alone);
  g_test_add_func ("/netns/plan/update-follows-addresses-and-puts-back", test_update);
  g_test_add_func ("/netns/plan/rejected-ipv6-does-not-leak", test_rejected_ipv6_does_not_leak);
  g_test_add_func ("/netns/plan/ipv6-disabled-for-new-links", test_ipv6_disabled_for_new_links);
  g_test_add_func ("/netns/plan/conflict-rolls-back", test_conflict_rolls_back);
  g_test_add_func ("/netns/plan/link-deleted-under-us", test_link_deleted_under_us);
  return g_test_run ();
}
