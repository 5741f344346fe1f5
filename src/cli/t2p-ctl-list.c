/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "t2p-ctl-json.h"
#include "t2p-ctl-table.h"
#include "t2p-ctl-terminal.h"
#include "t2p-ctl-tunnel.h"
#include "t2p-ctl.h"

static gboolean option_all = FALSE;

static const GOptionEntry options[] = {
  { "all", 0, 0, G_OPTION_ARG_NONE, &option_all,
    N_ ("Also the tunnels of others, which only they and administrators may use"), NULL },
  { NULL },
};

enum
{
  COLUMN_NAME,
  COLUMN_STATE,
  COLUMN_INTERFACE,
  COLUMN_CAPTURE,
  COLUMN_SCOPE,
  COLUMN_OWNER,
  COLUMN_UPTIME,
  N_COLUMNS,
};

static char **
make_row (T2pTunnel *tunnel)
{
  char **cells = g_new0 (char *, N_COLUMNS + 1);

  cells[COLUMN_NAME] = t2p_ctl_printable (t2p_tunnel_get_name (tunnel));
  cells[COLUMN_STATE] = t2p_ctl_tunnel_describe_state (tunnel);
  cells[COLUMN_INTERFACE] = t2p_ctl_printable (t2p_tunnel_get_interface (tunnel));
  cells[COLUMN_CAPTURE] = g_strdup (t2p_capture_to_string (t2p_tunnel_get_capture (tunnel)));
  cells[COLUMN_SCOPE] = g_strdup (t2p_scope_to_string (t2p_tunnel_get_scope (tunnel)));
  cells[COLUMN_OWNER] = t2p_ctl_user_name (t2p_tunnel_get_owner (tunnel));
  cells[COLUMN_UPTIME] = t2p_ctl_tunnel_format_uptime (tunnel);
  return cells;
}

static void
print_for_people (GPtrArray *tunnels)
{
  const T2pCtlColumn columns[N_COLUMNS] = {
    /* Translators: heads of columns */
    [COLUMN_NAME] = { _ ("NAME"), FALSE },
    [COLUMN_STATE] = { _ ("STATE"), FALSE },
    [COLUMN_INTERFACE] = { _ ("INTERFACE"), FALSE },
    [COLUMN_CAPTURE] = { _ ("CAPTURE"), FALSE },
    [COLUMN_SCOPE] = { _ ("SCOPE"), FALSE },
    [COLUMN_OWNER] = { _ ("OWNER"), FALSE },
    [COLUMN_UPTIME] = { _ ("UP FOR"), TRUE },
  };
  g_autoptr (T2pCtlTable) table = t2p_ctl_table_new (columns, N_COLUMNS);
  g_autofree char *text = NULL;

  if (tunnels->len == 0)
    {
      g_print (_ ("There is no tunnel.\n"));
      return;
    }
  for (guint i = 0; i < tunnels->len; i++)
    t2p_ctl_table_take_row (table, make_row (g_ptr_array_index (tunnels, i)));
  text = t2p_ctl_table_to_string (table);
  g_print ("%s", text);
}

static void
print_for_programs (GPtrArray *tunnels)
{
  GVariantBuilder list;

  g_variant_builder_init (&list, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < tunnels->len; i++)
    g_variant_builder_add_value (&list,
                                 t2p_ctl_tunnel_to_variant (g_ptr_array_index (tunnels, i)));
  t2p_ctl_print_json (g_variant_builder_end (&list));
}

static gboolean
run (T2pCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (GPtrArray) tunnels = NULL;

  if (arguments[0] != NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, _ ("unexpected argument “%s”"),
                   arguments[0]);
      return FALSE;
    }
  if (!t2p_ctl_connect (ctl, error))
    return FALSE;
  tunnels = t2p_client_list_tunnels_sync (ctl->client, NULL, error);
  if (tunnels == NULL)
    {
      g_prefix_error (error, _ ("could not list the tunnels: "));
      return FALSE;
    }
  if (option_all)
    {
      g_ptr_array_unref (tunnels);
      tunnels = t2p_client_get_tunnels (ctl->client);
    }
  if (ctl->is_json)
    print_for_programs (tunnels);
  else
    print_for_people (tunnels);
  return TRUE;
}

const T2pCtlVerb t2p_ctl_list_verb = {
  .name = "list",
  .summary = N_ ("List the tunnels"),
  .options = options,
  .run = run,
};
