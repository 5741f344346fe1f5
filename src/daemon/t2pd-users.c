/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-users.h"

#include <pwd.h>

static gboolean
look_up (const T2pUserRange *user, T2pnUidRange *out_range, GError **error)
{
  const struct passwd *entry;

  if (user->name == NULL)
    {
      *out_range = (T2pnUidRange){ user->first, user->last };
      return TRUE;
    }
  entry = getpwnam (user->name);
  if (entry == NULL)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
                   "users: there is no user '%s', expected names, uids or ranges of uids",
                   user->name);
      return FALSE;
    }
  *out_range = (T2pnUidRange){ entry->pw_uid, entry->pw_uid };
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
