/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-setting-entry.h"

#include "t2p-app-name.h"
#include "t2p-host-name.h"
#include "t2p-host-port.h"
#include "t2p-limits.h"
#include "t2p-quote.h"

#include <net/if.h>
#include <string.h>

static gboolean G_GNUC_PRINTF (2, 3) refuse_text (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error != NULL)
    *error = g_error_new_valist (T2P_ERROR, T2P_ERROR_INVALID_SETTINGS, format, args);
  va_end (args);
  return FALSE;
}

static gboolean
take_uri (T2pSettingValue *value, const char *text, GError **error)
{
  T2pEndpoint *endpoint = t2p_endpoint_parse (text, error);

  if (endpoint == NULL)
    return FALSE;
  g_ptr_array_add (value->endpoints, endpoint);
  for (const T2pEndpoint *hop = endpoint; hop != NULL; hop = t2p_endpoint_get_next (hop))
    if (!t2p_endpoint_check_login (hop, error))
      return FALSE;
  return TRUE;
}

static gboolean
take_cidr (T2pSettingValue *value, const char *text, GError **error)
{
  T2pIpPrefix prefix;

  if (!t2p_ip_prefix_parse (text, &prefix, error))
    return FALSE;
  g_array_append_val (value->prefixes, prefix);
  return TRUE;
}

static gboolean
is_unicast (const T2pIpAddress *address)
{
  return !t2p_ip_address_is_unspecified (address) && !t2p_ip_address_is_multicast (address);
}

static gboolean
take_interface (T2pSettingValue *value, const char *text, GError **error)
{
  g_autofree char *seen = t2p_quote (text);
  T2pIpPrefix prefix;

  if (!t2p_ip_interface_parse (text, &prefix, error))
    return FALSE;
  if (!is_unicast (&prefix.address) || t2p_ip_address_is_loopback (&prefix.address) ||
      prefix.length == 0)
    return refuse_text (error, "%s fits no interface, expected such as 198.18.4.1/30", seen);
  g_array_append_val (value->prefixes, prefix);
  return TRUE;
}

static gboolean
take_address (T2pSettingValue *value, const char *text, GError **error)
{
  g_autofree char *seen = t2p_quote (text);
  T2pIpAddress address;
  T2pIpPrefix prefix;

  if (!t2p_ip_address_parse (text, &address) || !is_unicast (&address))
    return refuse_text (error, "%s is no address of a server, expected such as 192.0.2.53",
                        seen);
  prefix = t2p_ip_prefix_of (&address, (guint8) t2p_ip_address_bits (&address));
  g_array_append_val (value->prefixes, prefix);
  return TRUE;
}

static gboolean
check_domain (const char *text, GError **error)
{
  g_autofree char *seen = t2p_quote (text);
  const char *name = g_str_has_prefix (text, "*.") ? text + 2 : text;

  if (strcmp (text, ".") == 0 || t2p_host_name_is_valid (name))
    return TRUE;
  return refuse_text (error, "%s is no domain name, expected such as corp.example or '.'",
                      seen);
}

static gboolean
check_host_port (const char *text, GError **error)
{
  g_autofree char *seen = t2p_quote (text);
  T2pHostPort ignored;

  if (*text == '\0' || t2p_host_port_parse (text, &ignored))
    return TRUE;
  return refuse_text (error, "%s is no HOST:PORT, with a name, an IPv4 address or [IPv6]",
                      seen);
}

static gboolean
check_link (const char *text, GError **error)
{
  g_autofree char *seen = t2p_quote (text);
  const char *percent = strchr (text, '%');
  const gsize length = strlen (text);

  if (length == 0 || length >= IFNAMSIZ)
    return refuse_text (error, "%s has %" G_GSIZE_FORMAT " bytes, expected 1 to %d", seen,
                        length, IFNAMSIZ - 1);
  if (percent != NULL && (percent[1] != 'd' || strchr (percent + 1, '%') != NULL))
    return refuse_text (error, "%s has a '%%', expected at most one, in '%%d'", seen);
  for (const char *at = text; *at != '\0'; at++)
    if (!g_ascii_isalnum (*at) && strchr ("._-%", *at) == NULL)
      return refuse_text (error,
                          "%s is no name of an interface, expected letters, digits, '.', "
                          "'_', '-' and '%%d'",
                          seen);
  /* The kernel keeps these two for itself, in /proc/sys/net. */
  if (strcmp (text, ".") == 0 || strcmp (text, "..") == 0 || strcmp (text, "all") == 0 ||
      strcmp (text, "default") == 0)
    return refuse_text (error, "%s is reserved, expected another name", seen);
  return TRUE;
}

static gboolean
take_user (T2pSettingValue *value, const char *text, GError **error)
{
  T2pUserRange range;

  if (!t2p_user_range_parse (text, &range, error))
    return FALSE;
  g_array_append_val (value->users, range);
  return TRUE;
}

static gboolean
take_rule (T2pSettingValue *value, const char *text, GError **error)
{
  T2pRule *rule = t2p_rule_parse (text, error);

  if (rule == NULL)
    return FALSE;
  g_ptr_array_add (value->rules, rule);
  return TRUE;
}

gboolean
t2p_setting_entry_take (T2pSettingValue *value,
                        const T2pSettingKey *key,
                        const char *text,
                        GError **error)
{
  if (strlen (text) > T2P_MAX_STRING_BYTES)
    return refuse_text (error, "has %" G_GSIZE_FORMAT " bytes, expected at most %d",
                        strlen (text), T2P_MAX_STRING_BYTES);
  switch (key->format)
    {
    case T2P_SETTING_FORMAT_URI:
      return take_uri (value, text, error);
    case T2P_SETTING_FORMAT_CIDR:
      return take_cidr (value, text, error);
    case T2P_SETTING_FORMAT_INTERFACE:
      return take_interface (value, text, error);
    case T2P_SETTING_FORMAT_ADDRESS:
      return take_address (value, text, error);
    case T2P_SETTING_FORMAT_DOMAIN:
      return check_domain (text, error);
    case T2P_SETTING_FORMAT_HOST_PORT:
      return check_host_port (text, error);
    case T2P_SETTING_FORMAT_LINK:
      return check_link (text, error);
    case T2P_SETTING_FORMAT_USER:
      return take_user (value, text, error);
    case T2P_SETTING_FORMAT_RULE:
      return take_rule (value, text, error);
    case T2P_SETTING_FORMAT_APP:
      return t2p_app_name_check (text, error);
    case T2P_SETTING_FORMAT_TEXT:
    case T2P_SETTING_FORMAT_CHOICE:
    case T2P_SETTING_FORMAT_FLAG:
    case T2P_SETTING_FORMAT_NUMBER:
      break;
    }
  return TRUE;
}
