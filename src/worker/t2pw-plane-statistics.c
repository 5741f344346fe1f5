/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-data-plane-private.h"

static void
add_dns_counters (T2pwDataPlane *plane, GVariantBuilder *builder)
{
  T2pwDnsCounters none = { 0 };
  const T2pwDnsCounters *dns =
      plane->responder != NULL ? t2pw_dns_responder_get_counters (plane->responder) : &none;

  g_variant_builder_add (builder, "{st}", "dns-queries", dns->queries);
  g_variant_builder_add (builder, "{st}", "dns-failures", dns->failures);
  g_variant_builder_add (builder, "{st}", "dns-cache-hits", dns->cache_hits);
}

static void
add_relay_counters (T2pwDataPlane *plane, GVariantBuilder *builder)
{
  const T2pwRelayCounters *relay = t2pw_relay_get_counters (plane->relay);
  const T2pwDatagramCounters *udp = t2pw_relay_get_datagram_counters (plane->relay);
  guint n_flows = t2pw_relay_get_n_flows (plane->relay);

  g_variant_builder_add (builder, "{st}", "connections-opened", relay->opened);
  g_variant_builder_add (builder, "{st}", "connections-active",
                         (guint64) (n_flows - udp->flows));
  g_variant_builder_add (builder, "{st}", "connections-refused", relay->refused);
  g_variant_builder_add (builder, "{st}", "connections-failed", relay->failed);
  g_variant_builder_add (builder, "{st}", "dropped-rule", relay->dropped);
  g_variant_builder_add (builder, "{st}", "udp-flows", (guint64) udp->flows);
  g_variant_builder_add (builder, "{st}", "dropped-udp",
                         udp->dropped + t2pw_udp_io_get_n_dropped (plane->context.udp));
}

/* What our own limits cost. */
static void
add_limit_counters (T2pwDataPlane *plane, GVariantBuilder *builder)
{
  g_variant_builder_add (builder, "{st}", "dropped-limit", plane->policy.n_shortages);
  g_variant_builder_add (builder, "{st}", "dropped-loop",
                         t2pw_loop_guard_get_n_caught (plane->policy.guard));
}

static void
add_stack_counters (T2pwDataPlane *plane, GVariantBuilder *builder)
{
  const T2pwStackCounters *stack = t2pw_stack_get_counters (plane->stack);
  guint64 pings = plane->pings != NULL ? t2pw_ping_relay_get_n_dropped (plane->pings) : 0;
  const struct
  {
    const char *name;
    guint64 value;
  } rows[] = {
    { "rx-packets", stack->rx_packets },
    { "rx-bytes", stack->rx_bytes },
    { "tx-packets", stack->tx_packets },
    { "tx-bytes", stack->tx_bytes },
    { "reassembled", stack->reassembled },
    { "dropped-malformed", stack->dropped_malformed },
    { "dropped-checksum", stack->dropped_checksum },
    { "dropped-fragment", stack->dropped_fragment },
    { "dropped-multicast", stack->dropped_multicast },
    { "dropped-protocol", stack->dropped_protocol },
    { "dropped-ping", stack->dropped_echo + pings },
    { "dropped-source-route", stack->dropped_route },
    { "dropped-hops", stack->dropped_ttl },
    { "dropped-memory", stack->dropped_memory },
    { "dropped-out-of-order", stack->dropped_out_of_order },
    { "dropped-syn", stack->dropped_syn },
    { "dropped-no-flow", stack->dropped_no_flow },
    { "dropped-device", stack->tun_write_errors },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    g_variant_builder_add (builder, "{st}", rows[i].name, rows[i].value);
}

/* (transfer floating): a{st}, the names of the public interface, and no others */
GVariant *
t2pw_data_plane_get_statistics (T2pwDataPlane *plane)
{
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{st}"));

  add_stack_counters (plane, &builder);
  add_relay_counters (plane, &builder);
  add_dns_counters (plane, &builder);
  add_limit_counters (plane, &builder);
  return g_variant_builder_end (&builder);
}
