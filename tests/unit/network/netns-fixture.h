/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "plan-fixture.h"
#include "t2pn-backend.h"
#include "t2pn-tun-device.h"

#include <glib/gstdio.h>
#include <stdio.h>

/* A network namespace of the test's own, and a tunnel in it. */

#define DEFAULT_SYSTEM "'capture': <'default'>, 'ipv6': <'on'>"

/* --- the machine */

static inline char *
run (const char *command)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *errors = NULL;
  char *output = NULL;
  const char *argv[] = { "/bin/sh", "-c", command, NULL };
  int status = -1;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, &errors,
                &status, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (errors, ==, "");
  g_assert_cmpint (status, ==, 0);
  return output;
}

static inline void
must (const char *command)
{
  g_autofree char *output = run (command);
}

#define DUMP_NETWORK                                                                           \
  "ip -4 rule; ip -6 rule; ip -4 route show table all; ip -6 route show table all; ip -o "     \
  "address"

static inline char *
dump (void)
{
  return run (DUMP_NETWORK "; ip -o link");
}

static inline void
make_machine (void)
{
  must ("ip link set lo up");
  must ("ip link add up0 type veth peer name up1");
  must ("ip address add 192.0.2.7/24 dev up0");
  must ("ip address add 2001:db8:1::7/64 dev up0 nodad");
  must ("ip link set up1 up");
  must ("ip link set up0 up");
  must ("ip route add default via 192.0.2.1");
  must ("ip -6 route add default via 2001:db8:1::99");
  /* Somebody else's, with every right to stay. */
  must ("ip rule add priority 5300 fwmark 0x80000/0xff0000 lookup 52");
  must ("ip route add 100.64.0.0/10 dev up0 table 52");
  must ("ip -6 rule add priority 9000 lookup 2022");
  must ("ip -6 route add unreachable 2001:db8:bad::/48 table 2022");
  /* The kernel's own link-local addresses and routes of the veth come a moment later. */
  must ("for i in $(seq 50); do ip -6 route show table local | grep -q 'fe80::.*dev up0' && "
        "! ip -6 address show tentative | grep -q inet6 && break; sleep 0.1; done");
}

/* --- the tunnel */

typedef struct
{
  T2pSettings *settings;
  T2pnTunDevice *device;
  T2pnJournal *journal;
  T2pnBackend *backend;
  char *runtime_dir;
  gboolean has_no_proxy; /* nothing is carried */
} Tunnel;

static inline T2pnRoutePlan *
make_plan (const Tunnel *tunnel)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take (&error);
  T2pnRoutePlanInput input = {
    .settings = tunnel->settings,
    .ifindex = t2pn_tun_device_get_ifindex (tunnel->device),
    .ifname = t2pn_tun_device_get_name (tunnel->device),
    .ids = { .mark = 0x2370, .table = 23700, .override_table = 23710, .rule_priority = 8704 },
    .owner_uid = 12345,
    .proxy_has_ipv4 = !tunnel->has_no_proxy,
    .proxy_has_ipv6 = !tunnel->has_no_proxy,
  };
  T2pnRoutePlan *plan;

  g_assert_no_error (error);
  g_assert_true (snapshot->has_ipv6);
  memset (&input.pool, 0, sizeof input.pool);
  input.pool.pool4 = parse_prefix ("198.18.0.0/18");
  t2p_ip_address_parse ("198.18.0.1", &input.pool.address4);
  input.pool.link_length4 = 30;
  input.pool.pool6 = parse_prefix ("fd00:1::/64");
  t2p_ip_address_parse ("fd00:1::1", &input.pool.address6);
  input.pool.link_length6 = 126;
  plan = tunnel->backend != NULL ? t2pn_route_plan_renew (&input, snapshot)
                                 : t2pn_route_plan_new (&input, snapshot, &error);
  g_assert_no_error (error);
  return plan;
}

static inline Tunnel *
tunnel_new (const char *runtime_dir, const char *settings_text)
{
  g_autoptr (GError) error = NULL;
  Tunnel *tunnel = g_new0 (Tunnel, 1);

  tunnel->runtime_dir = g_strdup (runtime_dir);
  tunnel->settings = make_settings (settings_text, TRUE);
  tunnel->journal = t2pn_journal_new (runtime_dir, "1", &error);
  g_assert_no_error (error);
  t2pn_journal_begin_step (tunnel->journal, "create-device", &error);
  g_assert_no_error (error);
  tunnel->device = t2pn_tun_device_open ("t2p%d", 1, &error);
  g_assert_no_error (error);
  t2pn_journal_add_device (tunnel->journal, t2pn_tun_device_get_name (tunnel->device),
                           t2pn_tun_device_get_ifindex (tunnel->device), &error);
  g_assert_no_error (error);
  tunnel->backend = t2pn_netlink_backend_new (make_plan (tunnel), tunnel->journal, NULL);
  return tunnel;
}

static inline void
tunnel_free (Tunnel *tunnel)
{
  g_object_unref (tunnel->backend);
  t2pn_journal_free (tunnel->journal);
  t2pn_tun_device_free (tunnel->device);
  t2p_settings_unref (tunnel->settings);
  g_free (tunnel->runtime_dir);
  g_free (tunnel);
}

static inline void
store_result_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

static inline GAsyncResult *
wait_for (GAsyncResult **result)
{
  while (*result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return *result;
}

static inline void
run_stage (Tunnel *tunnel, T2pnStage stage, GError **error)
{
  static const char *const names[] = { "configure-link", "install-bypass", "install-capture" };
  g_autoptr (GAsyncResult) result = NULL;

  g_assert_true (t2pn_journal_begin_step (tunnel->journal, names[stage], NULL));
  t2pn_backend_run_async (tunnel->backend, stage, NULL, store_result_cb, &result);
  t2pn_backend_run_finish (tunnel->backend, wait_for (&result), error);
}

static inline void
bring_up (Tunnel *tunnel)
{
  for (int stage = 0; stage <= T2PN_STAGE_INSTALL_CAPTURE; stage++)
    {
      g_autoptr (GError) error = NULL;

      run_stage (tunnel, (T2pnStage) stage, &error);
      g_assert_no_error (error);
    }
}

static inline void
take_down (Tunnel *tunnel)
{
  for (int stage = T2PN_STAGE_INSTALL_CAPTURE; stage >= 0; stage--)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GAsyncResult) result = NULL;

      t2pn_backend_undo_async (tunnel->backend, (T2pnStage) stage, NULL, store_result_cb,
                               &result);
      t2pn_backend_undo_finish (tunnel->backend, wait_for (&result), &error);
      g_assert_no_error (error);
    }
}

static inline void
update (Tunnel *tunnel)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  t2pn_backend_update_async (tunnel->backend, make_plan (tunnel), NULL, store_result_cb,
                             &result);
  t2pn_backend_update_finish (tunnel->backend, wait_for (&result), &error);
  g_assert_no_error (error);
}

static inline char *
make_runtime_dir (void)
{
  g_autoptr (GError) error = NULL;
  char *path = g_dir_make_tmp ("t2pn-netns-XXXXXX", &error);

  g_assert_no_error (error);
  return path;
}

static inline void
remove_runtime_dir (char *path)
{
  g_autofree char *journal = g_build_filename (path, "journal", NULL);

  g_rmdir (journal);
  g_assert_cmpint (g_rmdir (path), ==, 0); /* nothing was left in it */
  g_free (path);
}

static inline void
assert_line (const char *command, const char *line)
{
  g_autofree char *output = run (command);

  if (strstr (output, line) == NULL)
    g_error ("%s:\n%s\nlacks: %s", command, output, line);
}
