/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-journal-undo.h"

#include "t2pn-app-search.h"
#include "t2pn-cgroup.h"
#include "t2pn-netlink-dump.h"
#include "t2pn-netlink-objects.h"
#include "t2pn-nft.h"
#include "t2pn-resolvconf-program.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <linux/rtnetlink.h>
#include <sys/stat.h>
#include <unistd.h>

struct _T2pnUndo
{
  char *label;
  gboolean is_dry_run;
  GPtrArray *lines;
  T2pnNetlink *netlink;   /* opened when first needed, as is the snapshot */
  T2pnSnapshot *snapshot; /* of the moment before anything was undone */
};

T2pnUndo *
t2pn_undo_new (const char *label, gboolean is_dry_run, GPtrArray *lines)
{
  T2pnUndo *undo = g_new0 (T2pnUndo, 1);

  undo->label = g_strdup (label);
  undo->is_dry_run = is_dry_run;
  undo->lines = lines;
  return undo;
}

void
t2pn_undo_free (T2pnUndo *undo)
{
  if (undo == NULL)
    return;
  g_free (undo->label);
  t2pn_netlink_free (undo->netlink);
  t2pn_snapshot_free (undo->snapshot);
  g_free (undo);
}

/* Takes @what. Whether to go on and do it. */
static gboolean
announce (T2pnUndo *undo, char *what)
{
  if (undo->lines != NULL)
    g_ptr_array_add (undo->lines, g_strdup_printf ("%s: %s", undo->label, what));
  g_free (what);
  return !undo->is_dry_run;
}

static gboolean
look_at_network (T2pnUndo *undo, GError **error)
{
  if (undo->snapshot == NULL)
    undo->snapshot = t2pn_snapshot_take_around_tunnels (0, error);
  if (undo->snapshot != NULL && undo->netlink == NULL)
    undo->netlink = t2pn_netlink_new (error);
  return undo->netlink != NULL;
}

static gboolean
undo_rule (T2pnUndo *undo, const T2pnRule *rule, GError **error)
{
  g_autofree char *text = t2pn_rule_to_text (rule);

  if (!look_at_network (undo, error))
    return FALSE;
  if (!t2pn_netlink_objects_has_rule (undo->snapshot->rules, rule) ||
      !announce (undo,
                 g_strdup_printf ("IPv%c rule %s", rule->family == AF_INET ? '4' : '6', text)))
    return TRUE;
  return t2pn_netlink_delete_rule (undo->netlink, rule, error);
}

static gboolean
undo_route (T2pnUndo *undo, const T2pnRoute *route, GError **error)
{
  g_autofree char *text = t2pn_route_to_text (route, NULL);

  if (!look_at_network (undo, error))
    return FALSE;
  if (!t2pn_netlink_objects_has_route (undo->snapshot->routes, route) ||
      !announce (undo, g_strdup_printf ("route %s", text)))
    return TRUE;
  return t2pn_netlink_delete_route (undo->netlink, route, error);
}

/* What of @table has the tag @protocol. (transfer full) */
static GArray *
list_own_routes (guint32 table, guint8 protocol, GError **error)
{
  g_autoptr (GArray) routes = g_array_new (FALSE, FALSE, sizeof (T2pnRoute));
  g_autoptr (T2pnNetlinkDump) dump = t2pn_netlink_dump_new (error);

  if (dump == NULL || !t2pn_netlink_dump_table (dump, AF_INET, table, routes, error))
    return NULL;
  if (g_file_test ("/proc/net/if_inet6", G_FILE_TEST_EXISTS) &&
      !t2pn_netlink_dump_table (dump, AF_INET6, table, routes, error))
    return NULL;
  for (guint i = routes->len; i > 0; i--)
    if (g_array_index (routes, T2pnRoute, i - 1).protocol != protocol)
      g_array_remove_index_fast (routes, i - 1);
  return g_steal_pointer (&routes);
}

gboolean
t2pn_undo_table (T2pnUndo *undo, guint32 table, guint8 protocol, GError **error)
{
  g_autoptr (GArray) routes = list_own_routes (table, protocol, error);
  T2pnNetlinkObjects objects = { NULL, routes, NULL };

  if (routes == NULL || !look_at_network (undo, error))
    return FALSE;
  if (routes->len == 0 ||
      !announce (undo, g_strdup_printf ("%u routes of table %u", routes->len, table)))
    return TRUE;
  return t2pn_netlink_objects_delete (undo->netlink, &objects, error);
}

static gboolean
undo_address (T2pnUndo *undo, const T2pnAddress *address, GError **error)
{
  char text[T2P_IP_STRLEN];

  if (!look_at_network (undo, error))
    return FALSE;
  t2p_ip_address_format (&address->address, text);
  if (!t2pn_netlink_objects_has_address (undo->snapshot->addresses, address) ||
      !announce (undo, g_strdup_printf ("address %s/%u", text, address->length)))
    return TRUE;
  return t2pn_netlink_delete_address (undo->netlink, address, error);
}

static gboolean
undo_worker (T2pnUndo *undo, const T2pnProcess *worker, GError **error)
{
  if (!t2pn_process_is_alive (worker) ||
      !announce (undo, g_strdup_printf ("worker process %d", worker->pid)))
    return TRUE;
  /* The routes of its device go with it. */
  g_clear_pointer (&undo->snapshot, t2pn_snapshot_free);
  if (t2pn_process_end (worker))
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "could not end the worker, process %d",
               worker->pid);
  return FALSE;
}

static gboolean
undo_socket (T2pnUndo *undo, const char *path, GError **error)
{
  struct stat status;
  int errsv;

  if (lstat (path, &status) != 0 || !S_ISSOCK (status.st_mode) ||
      !announce (undo, g_strdup_printf ("socket %s", path)))
    return TRUE;
  if (unlink (path) == 0)
    return TRUE;
  errsv = errno;
  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv),
               "could not remove %s: %s", path, g_strerror (errsv));
  return FALSE;
}

static gboolean
undo_resolv_conf (T2pnUndo *undo, const T2pnResolvConf *saved, GError **error)
{
  if (t2pn_resolv_conf_has_temporary (saved) &&
      announce (undo, g_strdup_printf ("the file %s", saved->temporary)) &&
      !t2pn_resolv_conf_clean (saved, error))
    return FALSE;
  if (!t2pn_resolv_conf_is_ours (saved) ||
      !announce (undo, g_strdup_printf ("the content of %s", saved->path)))
    return TRUE;
  return t2pn_resolv_conf_restore (saved, error);
}

static gboolean
undo_nft_table (T2pnUndo *undo, const char *name, GError **error)
{
  gboolean is_there;

  if (!t2pn_nft_has_table (name, &is_there, error))
    return FALSE;
  if (!is_there || !announce (undo, g_strdup_printf ("nftables table inet %s", name)))
    return TRUE;
  return t2pn_nft_delete_table (name, error);
}

static gboolean
undo_resolvconf (T2pnUndo *undo, const char *record, GError **error)
{
  if (!t2pn_resolvconf_has_record (record) ||
      !announce (undo, g_strdup_printf ("record %s of resolvconf", record)))
    return TRUE;
  return t2pn_resolvconf_remove (record, error);
}

static gboolean
undo_cgroup (T2pnUndo *undo, const char *path, GError **error)
{
  g_autofree char *whole = g_build_filename (T2PN_CGROUP_ROOT, path, NULL);

  return !g_file_test (whole, G_FILE_TEST_IS_DIR) ||
         !announce (undo, g_strdup_printf ("cgroup %s", path)) ||
         t2pn_cgroup_remove (T2PN_CGROUP_ROOT, path, error);
}

gboolean
t2pn_undo_entry (T2pnUndo *undo, const T2pnEntry *entry, GError **error)
{
  switch (entry->kind)
    {
    case T2PN_ENTRY_DEVICE:
      return TRUE; /* it is gone with the last of its descriptors */
    case T2PN_ENTRY_SOCKET:
      return undo_socket (undo, entry->u.socket, error);
    case T2PN_ENTRY_WORKER:
      return undo_worker (undo, &entry->u.worker, error);
    case T2PN_ENTRY_ADDRESS:
      return undo_address (undo, &entry->u.address, error);
    case T2PN_ENTRY_ROUTE:
      return undo_route (undo, &entry->u.route, error);
    case T2PN_ENTRY_TABLE:
      return t2pn_undo_table (undo, entry->u.table, T2PN_PROTOCOL, error);
    case T2PN_ENTRY_STATIC_TABLE:
      return t2pn_undo_table (undo, entry->u.table, RTPROT_STATIC, error);
    case T2PN_ENTRY_RULE:
      return undo_rule (undo, &entry->u.rule, error);
    case T2PN_ENTRY_RESOLV_CONF:
      return undo_resolv_conf (undo, entry->u.resolv_conf, error);
    case T2PN_ENTRY_RESOLVCONF:
      return undo_resolvconf (undo, entry->u.resolvconf, error);
    case T2PN_ENTRY_NFT_TABLE:
      return undo_nft_table (undo, entry->u.nft_table, error);
    case T2PN_ENTRY_CGROUP:
      return undo_cgroup (undo, entry->u.cgroup, error);
    }
  return TRUE;
}
