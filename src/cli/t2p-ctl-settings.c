/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ctl-settings.h"

#include <glib/gi18n.h>
#include <string.h>

#include "t2p-ctl-password.h"
#include "t2p-endpoint.h"
#include "t2p-limits.h"
#include "t2p-settings.h"

static gboolean
is_uri (const char *argument)
{
  const char *scheme_end = strstr (argument, "://");
  const char *equals = strchr (argument, '=');

  return scheme_end != NULL && (equals == NULL || scheme_end < equals);
}

/* Splits "key=value"; @out_value points into @argument. */
static char *
split (const char *argument, const char **out_value, GError **error)
{
  const char *equals = strchr (argument, '=');

  if (equals == NULL || equals == argument)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("“%s” is neither a proxy URI nor key=value"), argument);
      return NULL;
    }
  *out_value = equals + 1;
  return g_strndup (argument, (gsize) (equals - argument));
}

static void
add_proxies (T2pCtlSettings *settings, GVariant *value)
{
  g_autofree const char **uris = g_variant_get_strv (value, NULL);

  for (gsize i = 0; uris[i] != NULL; i++)
    g_ptr_array_add (settings->proxies, g_strdup (uris[i]));
}

static gboolean
add_pair (T2pCtlSettings *settings, const char *argument, GPtrArray *later, GError **error)
{
  const char *text = NULL;
  g_autofree char *key = split (argument, &text, error);
  g_autoptr (GVariant) value = NULL;

  if (key == NULL)
    return FALSE;
  if (g_variant_dict_contains (settings->options, key))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("the key “%s” is given twice"), key);
      return FALSE;
    }
  value = t2p_setting_parse_text (key, text, error);
  if (value == NULL)
    return FALSE;
  g_variant_ref_sink (value);
  if (g_str_equal (key, "proxies"))
    g_ptr_array_add (later, g_variant_ref (value));
  else
    g_variant_dict_insert_value (settings->options, key, value);
  return TRUE;
}

static T2pCtlSettings *
settings_new (void)
{
  T2pCtlSettings *settings = g_new (T2pCtlSettings, 1);

  settings->proxies = g_ptr_array_new_with_free_func ((GDestroyNotify) t2p_ctl_wipe);
  settings->options = g_variant_dict_new (NULL);
  return settings;
}

void
t2p_ctl_settings_free (T2pCtlSettings *settings)
{
  g_ptr_array_unref (settings->proxies);
  g_variant_dict_unref (settings->options);
  g_free (settings);
}

T2pCtlSettings *
t2p_ctl_settings_parse (char **arguments, GError **error)
{
  g_autoptr (T2pCtlSettings) settings = settings_new ();
  g_autoptr (GPtrArray) later =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);

  for (gsize i = 0; arguments[i] != NULL; i++)
    {
      if (is_uri (arguments[i]))
        g_ptr_array_add (settings->proxies, g_strdup (arguments[i]));
      else if (!add_pair (settings, arguments[i], later, error))
        return NULL;
    }
  for (guint i = 0; i < later->len; i++)
    add_proxies (settings, g_ptr_array_index (later, i));
  if (settings->proxies->len == 0)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                   _ ("there is no proxy: expected a URI such as socks5://127.0.0.1:1080"));
      return NULL;
    }
  return g_steal_pointer (&settings);
}

GVariant *
t2p_ctl_settings_end (T2pCtlSettings *settings)
{
  g_variant_dict_insert_value (
      settings->options, "proxies",
      g_variant_new_strv ((const char *const *) settings->proxies->pdata,
                          (gssize) settings->proxies->len));
  return g_variant_dict_end (settings->options);
}

static char *
name_of_host (const char *host)
{
  g_autofree char *name = g_strndup (host, T2P_MAX_NAME_BYTES);
  const char *start = NULL;

  g_strcanon (name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", '-');
  start = name;
  while (*start != '\0' && !g_ascii_isalnum (*start))
    start++;
  return g_strdup (*start != '\0' ? start : "tunnel");
}

/* Of the host, or what the socket is called. `direct` and `reject` have neither. */
static char *
name_of_upstream (const T2pEndpoint *endpoint)
{
  const char *host = t2p_endpoint_get_host (endpoint);
  const char *path = t2p_endpoint_get_unix_path (endpoint);

  if (host != NULL)
    return name_of_host (host);
  if (path != NULL)
    return name_of_host (strrchr (path, '/') + 1);
  return name_of_host (t2p_scheme_to_string (t2p_endpoint_get_scheme (endpoint)));
}

char *
t2p_ctl_settings_default_name (T2pCtlSettings *settings, GError **error)
{
  const char *interface = NULL;
  g_autoptr (T2pEndpoint) endpoint = NULL;

  if (g_variant_dict_lookup (settings->options, "interface", "&s", &interface) &&
      *interface != '\0' && strchr (interface, '%') == NULL)
    return name_of_host (interface);
  endpoint = t2p_endpoint_parse (g_ptr_array_index (settings->proxies, 0), error);
  if (endpoint == NULL)
    return NULL;
  return name_of_upstream (endpoint);
}

static gboolean
filter_add (GVariantDict *filter, const char *key, const char *text, GError **error)
{
  static const char *const texts[] = { "protocol", "host",  "destination", "source",
                                       "proxy",    "state", NULL };
  guint64 id = 0;

  if (g_strv_contains (texts, key))
    g_variant_dict_insert (filter, key, "s", text);
  else if (!g_str_equal (key, "id"))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("“%s” is nothing to filter by; expected id, protocol, host, destination, "
                      "source, proxy or state"),
                   key);
      return FALSE;
    }
  else if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT64, &id, NULL))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, _ ("id: “%s” is no number"),
                   text);
      return FALSE;
    }
  else
    g_variant_dict_insert (filter, key, "t", id);
  return TRUE;
}

GVariant *
t2p_ctl_filter_parse (char **arguments, GError **error)
{
  g_auto (GVariantDict) filter = G_VARIANT_DICT_INIT (NULL);

  for (gsize i = 0; arguments[i] != NULL; i++)
    {
      const char *text = NULL;
      g_autofree char *key = split (arguments[i], &text, error);

      if (key == NULL || !filter_add (&filter, key, text, error))
        return NULL;
    }
  return g_variant_dict_end (&filter);
}
