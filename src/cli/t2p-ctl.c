/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ctl.h"

#include <gio/gio.h>
#include <glib/gi18n.h>

#include "t2p-ctl-agent.h"
#include "t2p-ctl-failure.h"
#include "t2p-ctl-password.h"

const T2pCtlVerb *const t2p_ctl_verbs[] = {
  &t2p_ctl_up_verb,          &t2p_ctl_down_verb,       &t2p_ctl_confirm_verb,
  &t2p_ctl_run_verb,         &t2p_ctl_list_verb,       &t2p_ctl_show_verb,
  &t2p_ctl_connections_verb, &t2p_ctl_test_proxy_verb, &t2p_ctl_kill_switch_verb,
  &t2p_ctl_monitor_verb,     &t2p_ctl_explain_verb,    &t2p_ctl_repair_verb,
  &t2p_ctl_keys_verb,        &t2p_ctl_complete_verb,   NULL,
};

static const T2pCtlVerb *
find_verb (const char *name)
{
  for (gsize i = 0; t2p_ctl_verbs[i] != NULL; i++)
    if (g_str_equal (t2p_ctl_verbs[i]->name, name))
      return t2p_ctl_verbs[i];
  return NULL;
}

static GDBusConnection *
named_bus (const char *name, GError **error)
{
  return g_bus_get_sync (g_str_equal (name, "session") ? G_BUS_TYPE_SESSION : G_BUS_TYPE_SYSTEM,
                         NULL, error);
}

static T2pClient *
new_client (const char *bus, GError **error)
{
  g_autoptr (GDBusConnection) connection = NULL;

  if (bus == NULL)
    return t2p_client_new_sync (NULL, error);
  if (!g_str_equal (bus, "system") && !g_str_equal (bus, "session"))
    {
      if (g_dbus_is_address (bus))
        return t2p_client_new_for_address_sync (bus, NULL, error);
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("--bus=%s is neither system, session nor the address of a bus"), bus);
      return NULL;
    }
  connection = named_bus (bus, error);
  return connection != NULL ? t2p_client_new_for_connection_sync (connection, NULL, error)
                            : NULL;
}

gboolean
t2p_ctl_connect (T2pCtl *ctl, GError **error)
{
  ctl->client = new_client (ctl->bus, error);
  if (ctl->client == NULL)
    return FALSE;
  t2p_ctl_agent_start ();
  return TRUE;
}

gboolean
t2p_ctl_take_number (
    const char *option, gint given, GVariantDict *dict, const char *key, GError **error)
{
  if (given == T2P_CTL_NO_NUMBER)
    return TRUE;
  if (given < 1)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("--%s=%d: expected a number above 0"), option, given);
      return FALSE;
    }
  g_variant_dict_insert (dict, key, "u", (guint32) given);
  return TRUE;
}

static void
ctl_clear (T2pCtl *ctl)
{
  g_clear_pointer (&ctl->bus, g_free);
  g_clear_pointer (&ctl->password_file, g_free);
  g_clear_pointer (&ctl->user, g_free);
  g_clear_object (&ctl->client);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (T2pCtl, ctl_clear)

static gboolean
print_version_cb (const char *option, const char *value, gpointer data, GError **error)
{
  g_print ("tun2proxyctl %s\n", PACKAGE_VERSION);
  exit (T2P_CTL_OK);
}

/* The options that every verb has; in front of the verb or behind it. */
static void
add_common_options (GOptionContext *context, T2pCtl *ctl)
{
  const GOptionEntry entries[] = {
    { "json", 'j', 0, G_OPTION_ARG_NONE, &ctl->is_json, N_ ("Print JSON, for programs"), NULL },
    { "ask", 'a', 0, G_OPTION_ARG_NONE, &ctl->asks,
      N_ ("Ask for the password of the proxy on the terminal"), NULL },
    { "password-file", 'p', 0, G_OPTION_ARG_FILENAME, &ctl->password_file,
      N_ ("Read the password of the proxy from the first line of FILE (- for standard input)"),
      N_ ("FILE") },
    { "user", 'u', 0, G_OPTION_ARG_STRING, &ctl->user,
      N_ ("User name at the proxy; explain: of whose connection"), N_ ("NAME") },
    { "bus", 0, 0, G_OPTION_ARG_STRING, &ctl->bus,
      N_ ("Use another bus: system, session or an address"), N_ ("BUS") },
    { "version", 0, G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, print_version_cb,
      N_ ("Print the version"), NULL },
    { NULL },
  };

  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
}

static char *
describe_verbs (void)
{
  GString *text = g_string_new (_ ("Verbs:"));

  for (gsize i = 0; t2p_ctl_verbs[i] != NULL; i++)
    {
      const T2pCtlVerb *verb = t2p_ctl_verbs[i];

      if (verb->summary != NULL)
        g_string_append_printf (text, "\n  %-12s %s", verb->name, _ (verb->summary));
    }
  return g_string_free (text, FALSE);
}

static gboolean
parse_common (T2pCtl *ctl, char ***argv, GError **error)
{
  g_autoptr (GOptionContext) context = g_option_context_new (_ ("VERB [ARGUMENT…]"));
  g_autofree char *verbs = describe_verbs ();

  g_option_context_set_translation_domain (context, GETTEXT_PACKAGE);
  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_set_summary (context,
                                _ ("Asks the tun2proxy service for tunnels to proxies."));
  g_option_context_set_description (context, verbs);
  add_common_options (context, ctl);
  return g_option_context_parse_strv (context, argv, error);
}

/* GOption would forget what an earlier parse has put there. */
static void
keep_earlier (char **option, char *earlier)
{
  if (*option == NULL)
    *option = earlier;
  else
    g_free (earlier);
}

static gboolean
parse_behind_verb (T2pCtl *ctl, GOptionContext *context, char ***argv, GError **error)
{
  char *bus = g_steal_pointer (&ctl->bus);
  char *password_file = g_steal_pointer (&ctl->password_file);
  char *user = g_steal_pointer (&ctl->user);
  gboolean is_parsed = g_option_context_parse_strv (context, argv, error);

  keep_earlier (&ctl->bus, bus);
  keep_earlier (&ctl->password_file, password_file);
  keep_earlier (&ctl->user, user);
  return is_parsed;
}

/* Program, verb, the rest become program and the rest: where a first argument ends the options
 * it must not be the verb. */
static void
take_verb (char **argv)
{
  g_free (argv[1]);
  for (gsize i = 1; argv[i] != NULL; i++)
    argv[i] = argv[i + 1];
}

/* @argv: program, the rest. */
static gboolean
parse_verb (T2pCtl *ctl, const T2pCtlVerb *verb, char ***argv, GError **error)
{
  g_autofree char *usage = verb->arguments != NULL
                               ? g_strdup_printf ("%s %s", verb->name, _ (verb->arguments))
                               : NULL;
  g_autoptr (GOptionContext) context =
      g_option_context_new (usage != NULL ? usage : verb->name);

  g_option_context_set_translation_domain (context, GETTEXT_PACKAGE);
  g_option_context_set_strict_posix (context, verb->ends_options);
  if (verb->summary != NULL)
    g_option_context_set_summary (context, _ (verb->summary));
  if (verb->options != NULL)
    g_option_context_add_main_entries (context, verb->options, GETTEXT_PACKAGE);
  add_common_options (context, ctl);
  return parse_behind_verb (ctl, context, argv, error);
}

static gboolean
run (T2pCtl *ctl, char ***argv, GError **error)
{
  const T2pCtlVerb *verb = NULL;

  if (!parse_common (ctl, argv, error))
    return FALSE;
  if ((*argv)[1] == NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, _ ("what shall be done?"));
      return FALSE;
    }
  verb = find_verb ((*argv)[1]);
  if (verb == NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, _ ("“%s” is no verb"),
                   (*argv)[1]);
      return FALSE;
    }
  take_verb (*argv);
  return parse_verb (ctl, verb, argv, error) && verb->run (ctl, *argv + 1, error);
}

int
t2p_ctl_main (int argc, char **argv)
{
  g_auto (T2pCtl) ctl = { 0 };
  g_auto (GStrv) arguments = g_strdupv (argv);
  g_autoptr (GError) error = NULL;

  if (t2p_ctl_hide_passwords (argc, argv))
    g_printerr (_ ("note: other users could read the password on the command line; --ask and "
                   "--password-file hide it\n"));
  if (run (&ctl, &arguments, &error))
    return T2P_CTL_OK;
  t2p_ctl_print_failure (error, ctl.is_json);
  return (int) t2p_ctl_exit_code (error);
}
