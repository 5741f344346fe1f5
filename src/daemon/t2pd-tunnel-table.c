/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-tunnel-table.h"

#include "t2p-log.h"
#include "t2pd-bring-up-private.h"
#include "t2pd-capture-parts.h"
#include "t2pn-nft-monitor.h"
#include "t2pn-nft.h"

#define STEP "install-capture"

struct _T2pdTunnelTable
{
  T2pdBringUp *bring_up; /* unowned: it owns us */
  char *name;
  T2pnNftMonitor *monitor; /* NULL: the kernel does not tell */
};

char *
t2pd_tunnel_table_make_name (T2pdBringUp *bring_up)
{
  g_autofree char *id =
      g_strdup_printf ("%" G_GUINT64_FORMAT, t2pd_tunnel_get_id (bring_up->tunnel));

  return t2pn_nft_make_table_name (id);
}

void
t2pd_tunnel_table_free (T2pdTunnelTable *self)
{
  if (self == NULL)
    return;
  t2pn_nft_monitor_free (self->monitor);
  g_free (self->name);
  g_free (self);
}

/* None of our scripts does that. */
static void
table_removed_cb (gpointer user_data)
{
  T2pdTunnelTable *self = user_data;
  const char *tunnel = t2pd_tunnel_get_name (self->bring_up->tunnel);
  g_autoptr (GError) error = NULL;

  t2p_log_warning (tunnel, NULL,
                   "another program has removed the table %s of nftables, putting it back",
                   self->name);
  if (!t2pd_capture_parts_restore (self->bring_up, &error))
    t2p_log_warning (tunnel, error, "not all of it could be put back, ignoring");
}

static T2pdTunnelTable *
watch (T2pdBringUp *bring_up)
{
  T2pdTunnelTable *self = g_new0 (T2pdTunnelTable, 1);
  g_autoptr (GError) error = NULL;

  self->bring_up = bring_up;
  self->name = t2pd_tunnel_table_make_name (bring_up);
  self->monitor = t2pn_nft_monitor_new (self->name, table_removed_cb, self, &error);
  if (self->monitor == NULL)
    t2p_log_warning (t2pd_tunnel_get_name (bring_up->tunnel), error,
                     "it would not be noticed when another program removes the table %s, "
                     "ignoring",
                     self->name);
  return self;
}

/* Watches first and loads then, so that no removal is missed. */
gboolean
t2pd_tunnel_table_load (T2pdBringUp *bring_up, const char *script, GError **error)
{
  if (bring_up->table == NULL)
    bring_up->table = watch (bring_up);
  return t2pn_journal_add_nft_table (bring_up->journal, STEP, bring_up->table->name, error) &&
         t2pn_nft_run (script, error);
}
