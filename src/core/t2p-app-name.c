/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-app-name.h"

#include "t2p-error.h"
#include "t2p-quote.h"

#include <string.h>

#define MAX_COMPONENTS 8
#define MAX_COMPONENT_BYTES 255 /* of a unit's name, and of a file's */
#define WILDCARDS "*?"

static gboolean
has_characters_of_unit (const char *text, const char *others)
{
  for (const char *at = text; *at != '\0'; at++)
    if (!g_ascii_isalnum (*at) && strchr (":_.-@\\", *at) == NULL &&
        strchr (others, *at) == NULL)
      return FALSE;
  return TRUE;
}

static gboolean
is_component (const char *text, const char *others)
{
  return text[0] != '\0' && text[0] != '.' && strlen (text) <= MAX_COMPONENT_BYTES &&
         has_characters_of_unit (text, others) &&
         (g_str_has_suffix (text, ".service") || g_str_has_suffix (text, ".scope") ||
          g_str_has_suffix (text, ".slice"));
}

gboolean
t2p_app_component_is_valid (const char *text)
{
  return is_component (text, "");
}

/**
 * t2p_app_name_check:
 * @text: a unit, with its slices before it or not
 * @error: return location for %T2P_ERROR_INVALID_SETTINGS
 *
 * Returns: whether @text is one; nothing is looked up
 *
 * Since: 0.1
 */
gboolean
t2p_app_name_check (const char *text, GError **error)
{
  g_auto (GStrv) components = g_strsplit (text, "/", MAX_COMPONENTS + 1);
  const guint n = g_strv_length (components);
  g_autofree char *seen = NULL;
  gboolean is_good = n >= 1 && n <= MAX_COMPONENTS;

  for (guint i = 0; is_good && i < n; i++)
    is_good = is_component (components[i], i == n - 1 ? WILDCARDS : "");
  if (is_good)
    return TRUE;
  seen = t2p_quote (text);
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
               "%s is no systemd unit, expected such as firefox.service, app.slice/foo.scope "
               "or app-firefox-*.scope",
               seen);
  return FALSE;
}
