/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-enums.h"

#include <string.h>

#define TEST_NICKS(Type, prefix, LAST)                                                         \
  static void test_##prefix (void)                                                             \
  {                                                                                            \
    for (guint i = 0; i <= (LAST); i++)                                                        \
      {                                                                                        \
        const char *nick = t2p_##prefix##_to_string ((Type) i);                                \
        Type value = (Type) ((i + 1) % ((LAST) + 1));                                          \
                                                                                               \
        g_assert_nonnull (nick);                                                               \
        g_assert_cmpuint (strspn (nick, "abcdefghijklmnopqrstuvwxyz0123456789-"), ==,          \
                          strlen (nick));                                                      \
        g_assert_true (t2p_##prefix##_from_string (nick, &value));                             \
        g_assert_cmpuint (value, ==, i);                                                       \
        g_assert_false (t2p_##prefix##_from_string ("stranger", &value));                      \
        g_assert_false (t2p_##prefix##_from_string ("", &value));                              \
        g_assert_false (t2p_##prefix##_from_string (NULL, &value));                            \
        g_assert_cmpuint (value, ==, i);                                                       \
      }                                                                                        \
  }

TEST_NICKS (T2pTunnelState, tunnel_state, T2P_TUNNEL_STATE_FAILED)
TEST_NICKS (T2pStateReason, state_reason, T2P_STATE_REASON_INTERNAL)
TEST_NICKS (T2pCapture, capture, T2P_CAPTURE_DEFAULT)
TEST_NICKS (T2pScope, scope, T2P_SCOPE_SYSTEM)
TEST_NICKS (T2pDnsMode, dns_mode, T2P_DNS_MODE_UDP)
TEST_NICKS (T2pIpv6Mode, ipv6_mode, T2P_IPV6_MODE_LEAVE)

/* The page of the interface as a picture: a row may be followed by the columns marked x. */
static const char *const allowed[] = {
  /* ipccadsdf: inactive preparing connecting configuring active degraded suspended deactivating
   * failed */
  ".x.....x.", /* inactive */
  "..x....xx", /* preparing */
  "...x...xx", /* connecting */
  "....x..xx", /* configuring */
  ".....xxxx", /* active */
  "....x.xxx", /* degraded */
  "....xx.xx", /* suspended */
  "x.......x", /* deactivating */
  "xx.....x.", /* failed */
};

static void
test_transitions (void)
{
  for (guint from = 0; from <= T2P_TUNNEL_STATE_FAILED; from++)
    for (guint to = 0; to <= T2P_TUNNEL_STATE_FAILED; to++)
      {
        g_test_message ("%u to %u", from, to);
        g_assert_cmpint (
            t2p_tunnel_state_may_follow ((T2pTunnelState) from, (T2pTunnelState) to), ==,
            allowed[from][to] == 'x');
      }
}

/* Whatever happened, a tunnel that only obeys the table can be taken down and started again. */
static void
test_random_walks_end (void)
{
  for (guint walk = 0; walk < 200; walk++)
    {
      T2pTunnelState state = T2P_TUNNEL_STATE_INACTIVE;

      for (guint step = 0; step < 50; step++)
        {
          T2pTunnelState next = (T2pTunnelState) g_test_rand_int_range (0, 9);

          if (t2p_tunnel_state_may_follow (state, next))
            state = next;
          if (state == T2P_TUNNEL_STATE_INACTIVE || state == T2P_TUNNEL_STATE_DEACTIVATING)
            continue;
          g_assert_true (t2p_tunnel_state_may_follow (state, T2P_TUNNEL_STATE_DEACTIVATING));
          g_assert_true (t2p_tunnel_state_may_follow (T2P_TUNNEL_STATE_DEACTIVATING,
                                                      T2P_TUNNEL_STATE_INACTIVE));
          if (state != T2P_TUNNEL_STATE_FAILED)
            g_assert_true (t2p_tunnel_state_may_follow (state, T2P_TUNNEL_STATE_FAILED));
        }
    }
}

static void
test_traffic_only_by_the_front_door (void)
{
  for (guint from = 0; from <= T2P_TUNNEL_STATE_FAILED; from++)
    {
      const gboolean was_up = from == T2P_TUNNEL_STATE_ACTIVE ||
                              from == T2P_TUNNEL_STATE_DEGRADED ||
                              from == T2P_TUNNEL_STATE_SUSPENDED;

      if (!was_up && from != T2P_TUNNEL_STATE_CONFIGURING)
        g_assert_false (
            t2p_tunnel_state_may_follow ((T2pTunnelState) from, T2P_TUNNEL_STATE_ACTIVE));
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/enums/tunnel-state-round-trips", test_tunnel_state);
  g_test_add_func ("/enums/state-reason-round-trips", test_state_reason);
  g_test_add_func ("/enums/capture-round-trips", test_capture);
  g_test_add_func ("/enums/scope-round-trips", test_scope);
  g_test_add_func ("/enums/dns-mode-round-trips", test_dns_mode);
  g_test_add_func ("/enums/ipv6-mode-round-trips", test_ipv6_mode);
  g_test_add_func ("/enums/transitions-are-those-of-the-page", test_transitions);
  g_test_add_func ("/enums/every-walk-can-be-taken-down", test_random_walks_end);
  g_test_add_func ("/enums/active-comes-after-configuring",
                   test_traffic_only_by_the_front_door);
  return g_test_run ();
}
