/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "t2p-ctl-json.h"
#include "t2p-ctl-terminal.h"
#include "t2p-ctl.h"

static gboolean option_dry_run = FALSE;

static const GOptionEntry options[] = {
  { "dry-run", 'd', 0, G_OPTION_ARG_NONE, &option_dry_run,
    N_ ("Only tell what would be undone"), NULL },
  { NULL },
};

static GVariant *
make_options (void)
{
  GVariantDict dict = G_VARIANT_DICT_INIT (NULL);

  g_variant_dict_insert (&dict, "dry-run", "b", option_dry_run);
  return g_variant_dict_end (&dict);
}

static void
print_for_people (char **lines, gboolean was_running)
{
  if (lines[0] == NULL && was_running)
    g_print (_ ("There is nothing to undo.\n"));
  else if (lines[0] == NULL)
    g_print (_ ("The service has been started, which undoes what a dead one has left.\n"));
  else
    g_print ("%s\n", option_dry_run ? _ ("Would be undone:") : _ ("Undone:"));
  for (gsize i = 0; lines[i] != NULL; i++)
    {
      g_autofree char *line = t2p_ctl_printable (lines[i]);

      g_print ("  %s\n", line);
    }
}

/* To ask it would start it, and its start undoes everything. */
static gboolean
check_running (T2pCtl *ctl, GError **error)
{
  if (!option_dry_run || t2p_client_get_is_running (ctl->client))
    return TRUE;
  g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER,
               _ ("the service is not running; when it starts, it undoes what a dead one has "
                  "left"));
  return FALSE;
}

static gboolean
run (T2pCtl *ctl, char **arguments, GError **error)
{
  g_auto (GStrv) lines = NULL;
  gboolean was_running;

  if (arguments[0] != NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, _ ("“%s” is too much"),
                   arguments[0]);
      return FALSE;
    }
  if (!t2p_ctl_connect (ctl, error) || !check_running (ctl, error))
    return FALSE;
  was_running = t2p_client_get_is_running (ctl->client);
  lines = t2p_client_repair_sync (ctl->client, make_options (), NULL, error);
  if (lines == NULL)
    {
      g_prefix_error (error, "%s", _ ("could not undo everything: "));
      return FALSE;
    }
  if (ctl->is_json)
    t2p_ctl_print_json (g_variant_new_strv ((const char *const *) lines, -1));
  else
    print_for_people (lines, was_running);
  return TRUE;
}

const T2pCtlVerb t2p_ctl_repair_verb = {
  .name = "repair",
  .summary = N_ ("Undo what a dead service has left"),
  .options = options,
  .run = run,
};
