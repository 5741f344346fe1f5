/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-endpoint.h"
#include "t2p-enums.h"
#include "t2p-error.h"
#include "t2p-ip.h"
#include "t2p-rule-text.h"

G_BEGIN_DECLS

/* --- the table: one row per key (`docs`: settings). From it come validation on the bus,
 * `key=value` on the command line, completion and the manual. */

/** T2pSettingFormat: what the text of a value, or of each entry of a list, must look like. */
typedef enum
{
  T2P_SETTING_FORMAT_TEXT,      /* anything; the values that are carried out are listed */
  T2P_SETTING_FORMAT_CHOICE,    /* one of `choices` */
  T2P_SETTING_FORMAT_FLAG,      /* a boolean */
  T2P_SETTING_FORMAT_NUMBER,    /* `minimum` to `maximum` */
  T2P_SETTING_FORMAT_URI,       /* an upstream */
  T2P_SETTING_FORMAT_CIDR,      /* 192.0.2.0/24; for a single value, empty means automatic */
  T2P_SETTING_FORMAT_INTERFACE, /* an address with its network, 192.0.2.1/24 */
  T2P_SETTING_FORMAT_ADDRESS,   /* an address */
  T2P_SETTING_FORMAT_HOST_PORT, /* HOST:PORT, or empty for none */
  T2P_SETTING_FORMAT_DOMAIN,    /* a domain name, *.NAME, or a dot for all */
  T2P_SETTING_FORMAT_LINK,      /* name of a network interface, perhaps with %d */
  T2P_SETTING_FORMAT_USER,      /* uid, range of uids, or user name */
  T2P_SETTING_FORMAT_RULE,      /* MATCH -> ACTION */
  T2P_SETTING_FORMAT_APP,       /* a systemd unit, perhaps with its slices, perhaps with '*' */
} T2pSettingFormat;

typedef struct _T2pSettingKey T2pSettingKey;
#define T2P_N_SETTINGS 41
struct _T2pSettingKey
{
  const char *name;         /* "capture" */
  const char *type;         /* GVariant type string: "s", "u", "b", "as" */
  const char *default_text; /* as a person would write it; NULL: required or computed */
  const char *choices;      /* "none|routes|default", or NULL */
  gboolean is_unprivileged; /* an ordinary user may set it without `advanced` */
  const char *help;         /* one sentence (untranslated; gettext-marked with N_) */
  T2pSettingFormat format;
  const char *supported;         /* what of it this version carries out, "a|b"; NULL: all */
  guint32 minimum;               /* of a number; of the prefix length of a single CIDR */
  guint32 maximum;               /* likewise; of a list: most entries */
  const char *privileged_choice; /* one that needs `advanced` all the same, or NULL */
};

/* All keys, T2P_N_SETTINGS of them, in the order of the manual; ends with a row whose name is
 * NULL. */
const T2pSettingKey *t2p_setting_keys (void);
const T2pSettingKey *t2p_setting_key_find (const char *name);
/* Parses what a person typed after `key=`: lists are comma-separated, booleans
 * yes/no/true/false, numbers decimal or 0x. (transfer floating). T2P_ERROR_INVALID_SETTINGS. */
GVariant *t2p_setting_parse_text (const char *key, const char *text, GError **error);

/* --- settings: validated, immutable, reference counted. */

typedef struct _T2pSettings T2pSettings;

/* Pure: no look-up, nothing touched. @caller_is_root chooses the default of `scope`. Errors:
 * T2P_ERROR_INVALID_SETTINGS with "key: what was seen, what is expected";
 * T2P_ERROR_NOT_SUPPORTED with the key for values that this version does not carry out. Never
 * shows userinfo. */
T2pSettings *t2p_settings_new (GVariant *vardict, gboolean caller_is_root, GError **error);
T2pSettings *t2p_settings_ref (T2pSettings *settings);
void t2p_settings_unref (T2pSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pSettings, t2p_settings_unref)

/* "work", "home.2": [A-Za-z0-9][A-Za-z0-9._-]{0,63}; T2P_ERROR_INVALID_ARGUMENT. */
gboolean t2p_tunnel_name_check (const char *name, GError **error);

/* What the caller set, without credentials, as a{sv} (transfer floating): GetSettings. */
GVariant *t2p_settings_to_public (const T2pSettings *settings);
/* Indexes into `proxies` of the URIs that had userinfo, in one hop at least (transfer floating
 * "au"). */
GVariant *t2p_settings_get_with_credentials (const T2pSettings *settings);
/* Names of keys that were set and are not marked U (for authorisation). NULL-terminated,
 * (transfer container). `interface` is unprivileged when the name begins with "t2p", `apps`
 * and `exclude-apps` are with the scope of a user, whose they then are; a key
 * marked U is not when its value is the one that is not. */
const char **t2p_settings_get_privileged_keys (const T2pSettings *settings);
gboolean t2p_settings_has (const T2pSettings *settings, const char *key);

/* Whether a kill switch can guard what they capture: T2P_ERROR_INVALID_SETTINGS. */
gboolean t2p_settings_check_kill_switch (const T2pSettings *settings, GError **error);

guint t2p_settings_get_n_proxies (const T2pSettings *settings);
T2pEndpoint *t2p_settings_get_proxy (const T2pSettings *settings,
                                     guint index); /* transfer none */
T2pCapture t2p_settings_get_capture (const T2pSettings *settings);
T2pScope t2p_settings_get_scope (const T2pSettings *settings);
T2pDnsMode t2p_settings_get_dns (const T2pSettings *settings);
T2pIpv6Mode t2p_settings_get_ipv6 (const T2pSettings *settings);
/* Parsed CIDRs of `routes`, `exclude-routes`, `addresses`, `dns-pool4`, `dns-pool6`; those of
 * `addresses` keep their host bits, `dns-servers` are /32 and /128. Owned by the settings;
 * *out_n is their number. */
const T2pIpPrefix *
t2p_settings_get_prefixes (const T2pSettings *settings, const char *key, guint *out_n);
/* Owned by the settings; *out_n is their number. */
const T2pUserRange *t2p_settings_get_users (const T2pSettings *settings, guint *out_n);
/* Owned by the settings, in their order; *out_n is their number. */
const T2pRule *const *t2p_settings_get_rules (const T2pSettings *settings, guint *out_n);
/* Any key by type; a programmer's error when the key is unknown or has another type. What was
 * not set has its default; an automatic value is 0, "" or an empty list. `proxies` are shown
 * without userinfo. */
guint32 t2p_settings_get_u32 (const T2pSettings *settings, const char *key);
gboolean t2p_settings_get_bool (const T2pSettings *settings, const char *key);
const char *t2p_settings_get_string (const T2pSettings *settings, const char *key);
const char *const *t2p_settings_get_strv (const T2pSettings *settings, const char *key);

G_END_DECLS
