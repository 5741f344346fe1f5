/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-setting-files.h"

#include "t2p-limits.h"

static void
file_clear (gpointer data)
{
  g_free (((T2pSettingFile *) data)->name);
}

static GArray *
files_new (void)
{
  GArray *files = g_array_new (FALSE, FALSE, sizeof (T2pSettingFile));

  g_array_set_clear_func (files, file_clear);
  return files;
}

static void
add_endpoint (GArray *files, const T2pEndpoint *endpoint, const char *key, guint entry)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  t2p_endpoint_list_files (endpoint, names);
  for (guint i = 0; i < names->len; i++)
    {
      T2pSettingFile file = { g_strdup (g_ptr_array_index (names, i)), key, entry,
                              T2P_MAX_TLS_FILE_BYTES };

      g_array_append_val (files, file);
    }
}

static void
add_rule_file (GArray *files, const char *name, guint entry)
{
  T2pSettingFile file = { g_strdup (name), "rules", entry, T2P_MAX_RULE_FILE_BYTES };

  if (name != NULL)
    g_array_append_val (files, file);
}

/**
 * t2p_settings_list_files:
 * @settings: settings
 *
 * Returns: (transfer full) (element-type T2pSettingFile): the files that they name
 *
 * Since: 0.1
 */
GArray *
t2p_settings_list_files (const T2pSettings *settings)
{
  guint n_rules = 0;
  const T2pRule *const *rules = t2p_settings_get_rules (settings, &n_rules);
  GArray *files = files_new ();

  for (guint i = 0; i < t2p_settings_get_n_proxies (settings); i++)
    add_endpoint (files, t2p_settings_get_proxy (settings, i), "proxies", i);
  for (guint i = 0; i < n_rules; i++)
    {
      add_rule_file (files, rules[i]->cidr_file, i);
      add_rule_file (files, rules[i]->domain_file, i);
    }
  return files;
}

/**
 * t2p_setting_files_of_endpoint:
 * @endpoint: an upstream
 *
 * Returns: (transfer full) (element-type T2pSettingFile): the files that its options name
 *
 * Since: 0.1
 */
GArray *
t2p_setting_files_of_endpoint (const T2pEndpoint *endpoint)
{
  GArray *files = files_new ();

  add_endpoint (files, endpoint, NULL, 0);
  return files;
}

gboolean
t2p_setting_file_is_path (const T2pSettingFile *file)
{
  return file->name[0] == '/';
}
