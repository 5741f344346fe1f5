/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "t2p-ctl-json.h"
#include "t2p-ctl-settings.h"
#include "t2p-ctl-table.h"
#include "t2p-ctl-terminal.h"
#include "t2p-ctl-units.h"
#include "t2p-ctl.h"

static gboolean option_close = FALSE;

static const GOptionEntry options[] = {
  { "close", 0, 0, G_OPTION_ARG_NONE, &option_close,
    N_ ("Close the connections instead of listing them"), NULL },
  { NULL },
};

enum
{
  COLUMN_ID,
  COLUMN_PROTOCOL,
  COLUMN_SOURCE,
  COLUMN_DESTINATION,
  COLUMN_HOST,
  COLUMN_PROXY,
  COLUMN_RULE,
  COLUMN_STATE,
  COLUMN_SENT,
  COLUMN_RECEIVED,
  COLUMN_AGE,
  N_COLUMNS,
};

/* All pages as one aa{sv}; connections that come and go between two pages are no error. */
static GVariant *
fetch (T2pTunnel *tunnel, GVariant *filter, GError **error)
{
  g_auto (GVariantBuilder) all = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("aa{sv}"));
  guint64 after_id = 0;

  do
    {
      guint64 next_id = 0;
      g_autoptr (GVariant) page =
          t2p_tunnel_list_connections_sync (tunnel, filter, after_id, 0, NULL, &next_id, error);

      if (page == NULL)
        return NULL;
      for (gsize i = 0; i < g_variant_n_children (page); i++)
        {
          g_autoptr (GVariant) row = g_variant_get_child_value (page, i);

          g_variant_builder_add_value (&all, row);
        }
      /* A service whose pages do not go on would keep us here for ever. */
      after_id = next_id > after_id ? next_id : 0;
    }
  while (after_id != 0);
  return g_variant_builder_end (&all);
}

static char *
get_text (GVariant *row, const char *key)
{
  const char *text = "";

  (void) g_variant_lookup (row, key, "&s", &text);
  return t2p_ctl_printable (text);
}

static guint64
get_number (GVariant *row, const char *key)
{
  guint64 number = 0;

  (void) g_variant_lookup (row, key, "t", &number);
  return number;
}

static char **
make_row (GVariant *row)
{
  char **cells = g_new0 (char *, N_COLUMNS + 1);

  cells[COLUMN_ID] = g_strdup_printf ("%" G_GUINT64_FORMAT, get_number (row, "id"));
  cells[COLUMN_PROTOCOL] = get_text (row, "protocol");
  cells[COLUMN_SOURCE] = get_text (row, "source");
  cells[COLUMN_DESTINATION] = get_text (row, "destination");
  cells[COLUMN_HOST] = get_text (row, "host");
  cells[COLUMN_PROXY] = get_text (row, "proxy");
  cells[COLUMN_RULE] = get_text (row, "rule");
  cells[COLUMN_STATE] = get_text (row, "state");
  /* The bus counts as the tunnel sees it: received is what the application has sent. */
  cells[COLUMN_SENT] = t2p_ctl_format_bytes (get_number (row, "rx-bytes"));
  cells[COLUMN_RECEIVED] = t2p_ctl_format_bytes (get_number (row, "tx-bytes"));
  cells[COLUMN_AGE] = t2p_ctl_format_age (get_number (row, "age-us"));
  return cells;
}

static void
print_for_people (GVariant *rows)
{
  const T2pCtlColumn columns[N_COLUMNS] = {
    [COLUMN_ID] = { _ ("ID"), TRUE },
    [COLUMN_PROTOCOL] = { _ ("PROTOCOL"), FALSE },
    [COLUMN_SOURCE] = { _ ("SOURCE"), FALSE },
    [COLUMN_DESTINATION] = { _ ("DESTINATION"), FALSE },
    [COLUMN_HOST] = { _ ("HOST"), FALSE },
    [COLUMN_PROXY] = { _ ("PROXY"), FALSE },
    [COLUMN_RULE] = { _ ("RULE"), FALSE },
    [COLUMN_STATE] = { _ ("STATE"), FALSE },
    [COLUMN_SENT] = { _ ("SENT"), TRUE },
    [COLUMN_RECEIVED] = { _ ("RECEIVED"), TRUE },
    [COLUMN_AGE] = { _ ("AGE"), TRUE },
  };
  g_autoptr (T2pCtlTable) table = t2p_ctl_table_new (columns, N_COLUMNS);
  g_autofree char *text = NULL;
  const gsize n_rows = g_variant_n_children (rows);

  if (n_rows == 0)
    {
      g_print (_ ("There is no connection.\n"));
      return;
    }
  for (gsize i = 0; i < n_rows; i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

      t2p_ctl_table_take_row (table, make_row (row));
    }
  text = t2p_ctl_table_to_string (table);
  g_print ("%s", text);
}

static gboolean
list (T2pCtl *ctl, T2pTunnel *tunnel, GVariant *filter, GError **error)
{
  g_autoptr (GVariant) rows = fetch (tunnel, filter, error);

  if (rows == NULL)
    return FALSE;
  g_variant_ref_sink (rows);
  if (ctl->is_json)
    t2p_ctl_print_json (rows);
  else
    print_for_people (rows);
  return TRUE;
}

static gboolean
close_all (T2pCtl *ctl, T2pTunnel *tunnel, GVariant *filter, GError **error)
{
  guint closed = 0;

  if (!t2p_tunnel_close_connections_sync (tunnel, filter, NULL, &closed, error))
    return FALSE;
  if (ctl->is_json)
    t2p_ctl_print_json (g_variant_new_parsed ("{'closed': <%u>}", closed));
  else
    g_print (ngettext ("%u connection was closed.\n", "%u connections were closed.\n", closed),
             closed);
  return TRUE;
}

static gboolean
run (T2pCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (T2pTunnel) tunnel = NULL;
  g_autoptr (GVariant) filter = NULL;

  if (arguments[0] == NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                   _ ("which tunnel? expected its name, then what to filter by"));
      return FALSE;
    }
  filter = t2p_ctl_filter_parse (arguments + 1, error);
  if (filter == NULL || !t2p_ctl_connect (ctl, error))
    return FALSE;
  g_variant_ref_sink (filter);
  tunnel = t2p_client_get_tunnel_sync (ctl->client, arguments[0], NULL, error);
  if (tunnel == NULL || !(option_close ? close_all : list) (ctl, tunnel, filter, error))
    {
      g_prefix_error (error, _ ("connections of the tunnel “%s”: "), arguments[0]);
      return FALSE;
    }
  return TRUE;
}

const T2pCtlVerb t2p_ctl_connections_verb = {
  .name = "connections",
  .arguments = N_ ("NAME [KEY=VALUE…]"),
  .summary = N_ ("List or close the connections of a tunnel"),
  .options = options,
  .run = run,
};
