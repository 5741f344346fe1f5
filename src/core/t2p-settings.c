/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-settings.h"

#include "t2p-limits.h"
#include "t2p-quote.h"
#include "t2p-setting-error.h"
#include "t2p-setting-loops.h"
#include "t2p-setting-value.h"

#include <string.h>
#include <unistd.h>

/* Theory of operation. Each key has a value at the index of its row: first what the caller set,
 * judged alone; then the defaults of the rest; then what must hold between keys. */

#define MEMORY_SHARE 16 /* a worker gets this part of the machine's memory at most */

struct _T2pSettings
{
  gatomicrefcount ref_count;
  T2pCapture capture;
  T2pScope scope;
  T2pDnsMode dns;
  T2pIpv6Mode ipv6;
  T2pSettingValue values[T2P_N_SETTINGS];
};

static const T2pSettingValue *
value_of (const T2pSettings *settings, const char *name)
{
  const T2pSettingKey *key = t2p_setting_key_find (name);

  g_return_val_if_fail (key != NULL, NULL);
  return &settings->values[key - t2p_setting_keys ()];
}

/* --- what the caller set */

static gboolean
take_entry (T2pSettings *self, const char *name, GVariant *variant, GError **error)
{
  const T2pSettingKey *key = t2p_setting_key_find (name);
  T2pSettingValue *value;

  if (key == NULL)
    return t2p_setting_refuse_unknown (name, error);
  value = &self->values[key - t2p_setting_keys ()];
  if (value->is_set)
    return t2p_setting_refuse (key->name, error, "is given twice, expected once");
  if (!t2p_setting_value_fill (value, key, variant, error))
    return FALSE;
  value->is_set = TRUE;
  return TRUE;
}

static gboolean
take_entries (T2pSettings *self, GVariant *vardict, GError **error)
{
  GVariantIter iter;
  GVariant *entry = NULL;

  g_variant_iter_init (&iter, vardict);
  while ((entry = g_variant_iter_next_value (&iter)) != NULL)
    {
      g_autoptr (GVariant) owned = entry;
      g_autoptr (GVariant) variant = NULL;
      const char *name = NULL;

      g_variant_get (owned, "{&sv}", &name, &variant);
      if (!take_entry (self, name, variant, error))
        return FALSE;
    }
  if (!t2p_settings_has (self, "proxies"))
    return t2p_setting_refuse (
        "proxies", error, "is missing, expected at least one such as socks5://127.0.0.1:1080");
  return TRUE;
}

/* --- defaults */

static guint32
default_memory_limit (void)
{
  const long pages = sysconf (_SC_PHYS_PAGES);
  const long page_bytes = sysconf (_SC_PAGESIZE);
  const guint32 least = t2p_setting_key_find ("memory-limit")->minimum;
  guint64 share;

  if (pages <= 0 || page_bytes <= 0)
    return T2P_DEFAULT_MEMORY_LIMIT;
  share = (guint64) pages * (guint64) page_bytes / MEMORY_SHARE;
  return (guint32) CLAMP (share, least, T2P_DEFAULT_MEMORY_LIMIT);
}

static const char *
current_string (const T2pSettings *self, const char *name)
{
  return g_variant_get_string (value_of (self, name)->variant, NULL);
}

/* To a proxy of plain SOCKS 4 no name can be said. */
static gboolean
takes_names (const T2pEndpoint *endpoint)
{
  while (t2p_endpoint_get_next (endpoint) != NULL)
    endpoint = t2p_endpoint_get_next (endpoint);
  return t2p_endpoint_get_scheme (endpoint) != T2P_SCHEME_SOCKS4;
}

static const char *
default_dns (const T2pSettings *self)
{
  if (strcmp (current_string (self, "capture"), "default") != 0)
    return "off";
  for (guint i = 0; i < t2p_settings_get_n_proxies (self); i++)
    if (!takes_names (t2p_settings_get_proxy (self, i)))
      return "tcp";
  return "virtual";
}

/* Needs what stands above it in the table. */
static GVariant *
computed_default (const T2pSettings *self, const T2pSettingKey *key, gboolean caller_is_root)
{
  if (strcmp (key->name, "scope") == 0)
    return g_variant_new_string (caller_is_root ? "system" : "user");
  if (strcmp (key->name, "dns") == 0)
    return g_variant_new_string (default_dns (self));
  if (strcmp (key->name, "memory-limit") == 0)
    return g_variant_new_uint32 (default_memory_limit ());
  switch (key->type[0])
    {
    case 'u':
      return g_variant_new_uint32 (0);
    case 'a':
      return g_variant_new_strv (NULL, 0);
    default:
      return g_variant_new_string ("");
    }
}

static gboolean
fill_defaults (T2pSettings *self, gboolean caller_is_root, GError **error)
{
  for (guint i = 0; i < T2P_N_SETTINGS; i++)
    {
      const T2pSettingKey *key = &t2p_setting_keys ()[i];
      g_autoptr (GVariant) variant = NULL;

      if (self->values[i].is_set)
        continue;
      variant = key->default_text != NULL
                    ? t2p_setting_parse_text (key->name, key->default_text, error)
                    : computed_default (self, key, caller_is_root);
      if (variant == NULL)
        return FALSE;
      g_variant_ref_sink (variant);
      if (!t2p_setting_value_fill (&self->values[i], key, variant, error))
        return FALSE;
    }
  return TRUE;
}

/* --- between keys */

static gboolean
check_rules (const T2pSettings *self, GError **error)
{
  guint n_rules = 0;
  const T2pRule *const *rules = t2p_settings_get_rules (self, &n_rules);
  const guint n_proxies = t2p_settings_get_n_proxies (self);

  for (guint i = 0; i < n_rules; i++)
    if (rules[i]->proxy > n_proxies)
      return t2p_setting_refuse (
          "rules", error,
          "entry %u: proxy:%u is none of the %u entries of proxies, expected "
          "proxy:1 to proxy:%u",
          i + 1, rules[i]->proxy, n_proxies, n_proxies);
  return TRUE;
}

static gboolean
check_udpgw (const T2pSettings *self, GError **error)
{
  gboolean is_wanted = g_str_equal (current_string (self, "udp"), "udpgw");
  guint n_proxies = t2p_settings_get_n_proxies (self);

  for (guint i = 0; i < n_proxies; i++)
    for (const T2pEndpoint *hop = t2p_settings_get_proxy (self, i); hop != NULL;
         hop = t2p_endpoint_get_next (hop))
      is_wanted |= g_strcmp0 (t2p_endpoint_get_option (hop, "udp"), "udpgw") == 0;
  if (is_wanted && *current_string (self, "udpgw") == '\0')
    return t2p_setting_refuse ("udpgw", error, "is empty, expected HOST:PORT with udp=udpgw");
  return TRUE;
}

static gboolean
check_together (const T2pSettings *self, GError **error)
{
  guint n_routes = 0;
  guint n_users = 0;

  t2p_settings_get_prefixes (self, "routes", &n_routes);
  t2p_settings_get_users (self, &n_users);
  if (self->capture == T2P_CAPTURE_ROUTES && n_routes == 0)
    return t2p_setting_refuse ("routes", error,
                               "is empty, expected at least one CIDR with capture=routes");
  if (self->capture == T2P_CAPTURE_NONE && n_routes > 0)
    return t2p_setting_refuse ("routes", error,
                               "has %u entries, expected none with capture=none (or else "
                               "capture=routes)",
                               n_routes);
  if (self->scope == T2P_SCOPE_USER && n_users > 0)
    return t2p_setting_refuse ("users", error,
                               "has %u entries, expected none with scope=user (or else "
                               "scope=system)",
                               n_users);
  if (self->scope == T2P_SCOPE_USER && t2p_settings_get_bool (self, "forwarded"))
    return t2p_setting_refuse (
        "forwarded", error,
        "is true, expected false with scope=user (or else scope=system): "
        "what is forwarded belongs to no user");
  if (!g_str_equal (current_string (self, "kill-switch"), "off") &&
      !t2p_settings_check_kill_switch (self, error))
    return FALSE;
  return check_rules (self, error) && check_udpgw (self, error) &&
         t2p_setting_check_loops (self, error);
}

static void
set_modes (T2pSettings *self)
{
  /* The table has refused strangers: none of these can fail. */
  t2p_capture_from_string (current_string (self, "capture"), &self->capture);
  t2p_scope_from_string (current_string (self, "scope"), &self->scope);
  t2p_dns_mode_from_string (current_string (self, "dns"), &self->dns);
  t2p_ipv6_mode_from_string (current_string (self, "ipv6"), &self->ipv6);
}

/**
 * t2p_settings_new:
 * @vardict: settings as "a{sv}"; a floating one is consumed
 * @caller_is_root: chooses the default of `scope`
 * @error: return location for %T2P_ERROR_INVALID_SETTINGS, %T2P_ERROR_LIMIT_EXCEEDED or
 *   %T2P_ERROR_NOT_SUPPORTED; the message names the key and never shows userinfo
 *
 * Returns: (transfer full): the settings, complete with defaults
 *
 * Since: 0.1
 */
T2pSettings *
t2p_settings_new (GVariant *vardict, gboolean caller_is_root, GError **error)
{
  g_autoptr (T2pSettings) self = NULL;
  g_autoptr (GVariant) owned = NULL;

  g_return_val_if_fail (vardict != NULL, NULL);
  g_return_val_if_fail (g_variant_is_of_type (vardict, G_VARIANT_TYPE_VARDICT), NULL);

  owned = g_variant_ref_sink (vardict);
  self = g_new0 (T2pSettings, 1);
  g_atomic_ref_count_init (&self->ref_count);
  if (!take_entries (self, owned, error) || !fill_defaults (self, caller_is_root, error))
    return NULL;
  set_modes (self);
  if (!check_together (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

T2pSettings *
t2p_settings_ref (T2pSettings *settings)
{
  g_atomic_ref_count_inc (&settings->ref_count);
  return settings;
}

void
t2p_settings_unref (T2pSettings *settings)
{
  if (settings == NULL || !g_atomic_ref_count_dec (&settings->ref_count))
    return;
  for (guint i = 0; i < T2P_N_SETTINGS; i++)
    t2p_setting_value_clear (&settings->values[i]);
  g_free (settings);
}

/**
 * t2p_tunnel_name_check:
 * @name: name of a tunnel
 * @error: return location for %T2P_ERROR_INVALID_ARGUMENT
 *
 * Returns: whether it is [A-Za-z0-9][A-Za-z0-9._-]{0,63}
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_name_check (const char *name, GError **error)
{
  const gsize length = strlen (name);
  g_autofree char *seen = NULL;

  if (g_ascii_isalnum (name[0]) && length <= T2P_MAX_NAME_BYTES &&
      strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == length)
    return TRUE;
  seen = t2p_quote (name);
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "name is %s, expected 1 to %d letters, digits, '.', '_' or '-', a letter or a "
               "digit first",
               seen, T2P_MAX_NAME_BYTES);
  return FALSE;
}

/* --- questions */

/**
 * t2p_settings_to_public:
 * @settings: settings
 *
 * Returns: (transfer floating): "a{sv}" of what the caller set, upstreams without userinfo
 *
 * Since: 0.1
 */
GVariant *
t2p_settings_to_public (const T2pSettings *settings)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  for (guint i = 0; i < T2P_N_SETTINGS; i++)
    if (settings->values[i].is_set)
      g_variant_builder_add (&builder, "{sv}", t2p_setting_keys ()[i].name,
                             settings->values[i].variant);
  return g_variant_builder_end (&builder);
}

GVariant *
t2p_settings_get_with_credentials (const T2pSettings *settings)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("au"));
  for (guint i = 0; i < t2p_settings_get_n_proxies (settings); i++)
    if (t2p_endpoint_has_credentials (t2p_settings_get_proxy (settings, i)))
      g_variant_builder_add (&builder, "u", i);
  return g_variant_builder_end (&builder);
}

static gboolean
is_privileged_choice (const T2pSettingKey *key, GVariant *value)
{
  return key->privileged_choice != NULL &&
         g_str_equal (g_variant_get_string (value, NULL), key->privileged_choice);
}

/* A link that is named as ours are; apps of the user whose traffic it is. */
static gboolean
is_ones_own (const T2pSettings *settings, const T2pSettingKey *key, GVariant *value)
{
  if (key->format == T2P_SETTING_FORMAT_LINK)
    return g_str_has_prefix (g_variant_get_string (value, NULL), "t2p");
  return key->format == T2P_SETTING_FORMAT_APP &&
         t2p_settings_get_scope (settings) == T2P_SCOPE_USER;
}

/**
 * t2p_settings_get_privileged_keys:
 * @settings: settings
 *
 * Returns: (transfer container): names of the keys that were set and that an ordinary user may
 *   not set without `advanced`, %NULL-terminated
 *
 * Since: 0.1
 */
const char **
t2p_settings_get_privileged_keys (const T2pSettings *settings)
{
  GPtrArray *names = g_ptr_array_new ();

  for (guint i = 0; i < T2P_N_SETTINGS; i++)
    {
      const T2pSettingKey *key = &t2p_setting_keys ()[i];

      if (settings->values[i].is_set &&
          (key->is_unprivileged ? is_privileged_choice (key, settings->values[i].variant)
                                : !is_ones_own (settings, key, settings->values[i].variant)))
        g_ptr_array_add (names, (gpointer) key->name);
    }
  g_ptr_array_add (names, NULL);
  return (const char **) g_ptr_array_free (names, FALSE);
}

gboolean
t2p_settings_has (const T2pSettings *settings, const char *key)
{
  return value_of (settings, key)->is_set;
}

guint
t2p_settings_get_n_proxies (const T2pSettings *settings)
{
  return value_of (settings, "proxies")->endpoints->len;
}

T2pEndpoint *
t2p_settings_get_proxy (const T2pSettings *settings, guint index)
{
  const GPtrArray *endpoints = value_of (settings, "proxies")->endpoints;

  g_return_val_if_fail (index < endpoints->len, NULL);
  return g_ptr_array_index (endpoints, index);
}

T2pCapture
t2p_settings_get_capture (const T2pSettings *settings)
{
  return settings->capture;
}

T2pScope
t2p_settings_get_scope (const T2pSettings *settings)
{
  return settings->scope;
}

T2pDnsMode
t2p_settings_get_dns (const T2pSettings *settings)
{
  return settings->dns;
}

T2pIpv6Mode
t2p_settings_get_ipv6 (const T2pSettings *settings)
{
  return settings->ipv6;
}

const T2pIpPrefix *
t2p_settings_get_prefixes (const T2pSettings *settings, const char *key, guint *out_n)
{
  const GArray *prefixes = value_of (settings, key)->prefixes;

  g_return_val_if_fail (prefixes != NULL, NULL);
  *out_n = prefixes->len;
  return (const T2pIpPrefix *) (const void *) prefixes->data;
}

const T2pUserRange *
t2p_settings_get_users (const T2pSettings *settings, guint *out_n)
{
  const GArray *users = value_of (settings, "users")->users;

  *out_n = users->len;
  return (const T2pUserRange *) (const void *) users->data;
}

const T2pRule *const *
t2p_settings_get_rules (const T2pSettings *settings, guint *out_n)
{
  const GPtrArray *rules = value_of (settings, "rules")->rules;

  *out_n = rules->len;
  return (const T2pRule *const *) rules->pdata;
}

guint32
t2p_settings_get_u32 (const T2pSettings *settings, const char *key)
{
  return g_variant_get_uint32 (value_of (settings, key)->variant);
}

gboolean
t2p_settings_get_bool (const T2pSettings *settings, const char *key)
{
  return g_variant_get_boolean (value_of (settings, key)->variant);
}

const char *
t2p_settings_get_string (const T2pSettings *settings, const char *key)
{
  return current_string (settings, key);
}

const char *const *
t2p_settings_get_strv (const T2pSettings *settings, const char *key)
{
  const char *const *strv = (const char *const *) value_of (settings, key)->strv;

  g_return_val_if_fail (strv != NULL, NULL);
  return strv;
}
