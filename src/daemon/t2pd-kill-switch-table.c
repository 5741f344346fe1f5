/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * The table is deleted by others, too: a firewall that is reloaded flushes all there is. It is
 * looked for whenever the kernel tells that it went, as it does when we replace it, too. */

#include "t2pd-kill-switch-table.h"

#include "t2p-log.h"
#include "t2pn-nft-monitor.h"
#include "t2pn-nft.h"

struct _T2pdKillSwitchTable
{
  T2pdManager *manager;
  T2pnKillSwitch *wanted; /* unowned */
  char *loaded;           /* script of the table that is there; NULL: none of ours */
  T2pnNftMonitor *monitor;
};

T2pdKillSwitchTable *
t2pd_kill_switch_table_new (T2pdManager *manager)
{
  T2pdKillSwitchTable *self = g_new0 (T2pdKillSwitchTable, 1);

  self->manager = g_object_ref (manager);
  return self;
}

void
t2pd_kill_switch_table_free (T2pdKillSwitchTable *self)
{
  g_clear_pointer (&self->monitor, t2pn_nft_monitor_free);
  g_object_unref (self->manager);
  g_free (self->loaded);
  g_free (self);
}

/* Every link of ours: what a tunnel carries does not leave by the uplink, whichever it is. */
static void
list_links (T2pdKillSwitchTable *self)
{
  g_autoptr (GPtrArray) tunnels = t2pd_manager_list (self->manager);

  g_ptr_array_set_size (self->wanted->links, 0);
  for (guint i = 0; i < tunnels->len; i++)
    {
      const char *name = t2pd_tunnel_get_facts (tunnels->pdata[i])->interface;

      if (name != NULL)
        g_ptr_array_add (self->wanted->links, g_strdup (name));
    }
}

/* Replaced by us, or removed? */
static void
table_removed_cb (gpointer user_data)
{
  T2pdKillSwitchTable *self = user_data;
  g_autoptr (GError) error = NULL;
  gboolean is_there;

  if (self->loaded == NULL ||
      (t2pn_nft_has_table (T2PN_NFT_TABLE, &is_there, NULL) && is_there))
    return;
  g_clear_pointer (&self->loaded, g_free);
  t2p_log_warning (NULL, NULL,
                   "kill switch: another program has removed its table, "
                   "putting it back");
  if (!t2pd_kill_switch_table_load (self, self->wanted, &error))
    t2p_log_error (NULL, error, "kill switch: could not be put back, nothing is blocked");
}

static void
watch (T2pdKillSwitchTable *self)
{
  g_autoptr (GError) error = NULL;

  if (self->monitor != NULL)
    return;
  self->monitor = t2pn_nft_monitor_new (T2PN_NFT_TABLE, table_removed_cb, self, &error);
  if (self->monitor == NULL)
    t2p_log_warning (NULL, error,
                     "kill switch: it would not be noticed when another program "
                     "removes its table, ignoring");
}

/* In one transaction: there is no moment without a table. */
gboolean
t2pd_kill_switch_table_load (T2pdKillSwitchTable *self, T2pnKillSwitch *wanted, GError **error)
{
  g_autofree char *script = NULL;

  self->wanted = wanted;
  list_links (self);
  script = t2pn_kill_switch_to_script (wanted);
  if (g_strcmp0 (script, self->loaded) == 0)
    return TRUE;
  if (self->loaded == NULL && wanted->arms->len == 0)
    return TRUE;
  if (!t2pn_nft_run (script, error))
    return FALSE;
  g_free (self->loaded);
  self->loaded = wanted->arms->len > 0 ? g_steal_pointer (&script) : NULL;
  if (self->loaded != NULL)
    watch (self);
  else
    g_clear_pointer (&self->monitor, t2pn_nft_monitor_free);
  return TRUE;
}
