/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-bypass.h"

#include "t2p-log.h"
#include "t2pd-bring-up-private.h"
#include "t2pn-bind-links.h"
#include "t2pn-loop-method.h"

/* Its name servers are asked by sockets of ours, too. */
void
t2pd_bypass_renew (T2pdBringUp *self)
{
  const GArray *servers = t2pd_uplink_get_servers (self->service->uplink);
  g_autoptr (GArray) addresses = t2pd_upstreams_list_addresses (self->upstreams);

  g_clear_pointer (&self->bypass, t2pn_bypass_free);
  self->bypass = t2pn_bypass_new ();
  t2pd_second_hop_add_to (self->second_hop, self->bypass);
  if (!t2pn_loop_method_needs_routes (self->settings))
    return;
  for (guint i = 0; i < addresses->len; i++)
    t2pn_bypass_add_upstream (self->bypass, &g_array_index (addresses, T2pIpAddress, i));
  t2pd_loop_watch_add_to (self->loop_watch, self->bypass);
  for (guint i = 0; i < servers->len; i++)
    t2pn_bypass_add_upstream (self->bypass, &g_array_index (servers, T2pIpEndpoint, i).address);
}

/* NULL: they are bound to none. Of a machine that cannot be looked at no link is known. */
static GArray *
find_links (T2pdBringUp *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take_around_tunnels (0, &error);
  g_autoptr (GArray) own = t2pd_bring_up_list_own_links (self);

  if (snapshot == NULL)
    {
      t2p_log_warning (t2pd_tunnel_get_name (self->tunnel), error,
                       "could not look at the machine's network, ignoring");
      snapshot = t2pn_snapshot_new ();
    }
  return t2pn_bind_links_new (self->settings, snapshot, (const int *) (gconstpointer) own->data,
                              own->len);
}

static void
add_links (GVariantBuilder *sockets, const GArray *links)
{
  GVariantBuilder rows;

  g_variant_builder_init (&rows, G_VARIANT_TYPE ("a(ss)"));
  for (guint i = 0; i < links->len; i++)
    {
      const T2pnBindLink *link = &g_array_index (links, T2pnBindLink, i);
      char prefix[T2P_PREFIX_STRLEN];

      t2p_ip_prefix_format (&link->prefix, prefix);
      g_variant_builder_add (&rows, "(ss)", prefix, link->name);
    }
  g_variant_builder_add (sockets, "{sv}", "bind-links", g_variant_builder_end (&rows));
}

GVariant *
t2pd_bypass_make_sockets (T2pdBringUp *self)
{
  g_autoptr (GArray) links = find_links (self);
  GVariantBuilder sockets;

  g_variant_builder_init (&sockets, G_VARIANT_TYPE_VARDICT);
  if (links != NULL)
    add_links (&sockets, links);
  if (self->second_hop != NULL && t2pd_second_hop_is_captured (self->second_hop))
    g_variant_builder_add (&sockets, "{sv}", "suspects", g_variant_new_boolean (TRUE));
  return g_variant_builder_end (&sockets);
}
