/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-users.h"

#include <pwd.h>

/* Of systemd-resolved, by systemd's own sysusers.d file. */
#define RESOLVER "systemd-resolve"

static gboolean
find_uid (const char *name, const char *where, guint32 *out_uid, GError **error)
{
  const struct passwd *entry = getpwnam (name);

  if (entry != NULL)
    {
      *out_uid = entry->pw_uid;
      return TRUE;
    }
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
               "%s: there is no user '%s', expected names, uids or ranges of uids", where,
               name);
  return FALSE;
}

guint32
t2pd_users_find_resolver (void)
{
  const struct passwd *entry = getpwnam (RESOLVER);

  return entry != NULL ? entry->pw_uid : 0;
}

static gboolean
look_up (const T2pUserRange *user, T2pnUidRange *out_range, GError **error)
{
  guint32 uid;

  *out_range = (T2pnUidRange){ user->first, user->last };
  if (user->name == NULL)
    return TRUE;
  if (!find_uid (user->name, "users", &uid, error))
    return FALSE;
  *out_range = (T2pnUidRange){ uid, uid };
  return TRUE;
}

GArray *
t2pd_users_look_up (const T2pSettings *settings, GError **error)
{
  guint n;
  const T2pUserRange *users = t2p_settings_get_users (settings, &n);
  g_autoptr (GArray) ranges = g_array_sized_new (FALSE, FALSE, sizeof (T2pnUidRange), n);

  for (guint i = 0; i < n; i++)
    {
      T2pnUidRange range;

      if (!look_up (&users[i], &range, error))
        return NULL;
      g_array_append_val (ranges, range);
    }
  return g_steal_pointer (&ranges);
}

static gboolean
add_rule (GVariantBuilder *builder, const T2pRule *rule, guint index, GError **error)
{
  g_autofree char *where = g_strdup_printf ("rules: entry %u", index + 1);
  guint32 uid;

  if (rule->user.name == NULL)
    return TRUE;
  if (!find_uid (rule->user.name, where, &uid, error))
    return FALSE;
  g_variant_builder_add (builder, "{su}", rule->user.name, uid);
  return TRUE;
}

GVariant *
t2pd_users_look_up_rules (const T2pSettings *settings, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{su}"));
  guint n;
  const T2pRule *const *rules = t2p_settings_get_rules (settings, &n);

  for (guint i = 0; i < n; i++)
    if (!add_rule (&builder, rules[i], i, error))
      return NULL;
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}
