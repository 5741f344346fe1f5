/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <pwd.h>

#include "t2p-ctl-json.h"
#include "t2p-ctl-terminal.h"
#include "t2p-ctl.h"

static gint option_pid = T2P_CTL_NO_NUMBER;

static const GOptionEntry options[] = {
  { "pid", 0, 0, G_OPTION_ARG_INT, &option_pid,
    N_ ("Of a connection of this process (of a user: --user)"), N_ ("PID") },
  { NULL },
};

/* A name or a number. */
static gboolean
find_user (const char *text, guint32 *out_uid, GError **error)
{
  const struct passwd *entry = getpwnam (text);
  guint64 uid;

  if (entry == NULL && !g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT32 - 1, &uid, NULL))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, _ ("there is no user “%s”"),
                   text);
      return FALSE;
    }
  *out_uid = entry != NULL ? entry->pw_uid : (guint32) uid;
  return TRUE;
}

static GVariant *
make_options (T2pCtl *ctl, GError **error)
{
  g_auto (GVariantDict) dict = G_VARIANT_DICT_INIT (NULL);
  guint32 uid;

  if (ctl->user != NULL)
    {
      if (!find_user (ctl->user, &uid, error))
        return NULL;
      g_variant_dict_insert (&dict, "uid", "u", uid);
    }
  if (!t2p_ctl_take_number ("pid", option_pid, &dict, "pid", error))
    return NULL;
  return g_variant_ref_sink (g_variant_dict_end (&dict));
}

static const char *
get_text (GVariant *result, const char *key, const char *type)
{
  const char *text = "";

  (void) g_variant_lookup (result, key, type, &text);
  return text;
}

static const char *
describe_path (const char *path)
{
  if (g_str_equal (path, "tunnel"))
    return _ ("through a tunnel");
  if (g_str_equal (path, "direct"))
    return _ ("directly");
  return g_str_equal (path, "blocked") ? _ ("not at all") : path;
}

static T2pCtlColour
colour_of_path (const char *path)
{
  if (g_str_equal (path, "tunnel"))
    return T2P_CTL_COLOUR_GREEN;
  return g_str_equal (path, "direct") ? T2P_CTL_COLOUR_YELLOW : T2P_CTL_COLOUR_RED;
}

static void
print_line (const char *label, const char *value)
{
  g_autofree char *safe = t2p_ctl_printable (value);

  if (safe[0] != '\0')
    g_print ("  %s: %s\n", label, safe);
}

/* Name of the tunnel with that object path, or the path. (transfer full) */
static char *
name_of (T2pCtl *ctl, const char *path)
{
  g_autoptr (GPtrArray) tunnels = t2p_client_get_tunnels (ctl->client);

  for (guint i = 0; i < tunnels->len; i++)
    if (g_str_equal (t2p_tunnel_get_object_path (tunnels->pdata[i]), path))
      return g_strdup (t2p_tunnel_get_name (tunnels->pdata[i]));
  return g_strdup (path);
}

static void
print_for_people (T2pCtl *ctl, const char *destination, GVariant *result)
{
  const char *path = get_text (result, "path", "&s");
  const char *tunnel = get_text (result, "tunnel", "&o");
  g_autofree char *name = name_of (ctl, tunnel);
  g_autofree char *safe = t2p_ctl_printable (destination);
  g_autofree char *way = t2p_ctl_colour (colour_of_path (path), describe_path (path));

  /* Translators: a destination, then "through a tunnel", "directly" or "not at all" */
  g_print (_ ("A connection to %s goes %s.\n"), safe, way);
  print_line (_ ("Tunnel"), name);
  print_line (_ ("Interface"), get_text (result, "interface", "&s"));
  print_line (_ ("Rule"), get_text (result, "rule", "&s"));
  print_line (_ ("Reason"), get_text (result, "reason", "&s"));
}

static gboolean
run (T2pCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (GVariant) wanted = NULL;
  g_autoptr (GVariant) result = NULL;

  if (arguments[0] == NULL || arguments[1] != NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                   _ ("which destination? expected exactly one HOST or HOST:PORT"));
      return FALSE;
    }
  wanted = make_options (ctl, error);
  if (wanted == NULL || !t2p_ctl_connect (ctl, error))
    return FALSE;
  result = t2p_client_explain_sync (ctl->client, arguments[0], wanted, NULL, error);
  if (result == NULL)
    return FALSE;
  if (ctl->is_json)
    t2p_ctl_print_json (result);
  else
    print_for_people (ctl, arguments[0], result);
  return TRUE;
}

const T2pCtlVerb t2p_ctl_explain_verb = {
  .name = "explain",
  .arguments = N_ ("HOST[:PORT]"),
  .summary = N_ ("Tell which way a connection goes, and why"),
  .options = options,
  .run = run,
};
