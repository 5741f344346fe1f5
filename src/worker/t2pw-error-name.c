/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-error-name.h"

#include "t2p-names.h"

#include <gio/gio.h>
#include <string.h>

char *
t2pw_error_name (const GError *error)
{
  g_autofree char *full = error != NULL ? g_dbus_error_encode_gerror (error) : NULL;

  if (full == NULL)
    return g_strdup ("");
  if (!g_str_has_prefix (full, T2P_ERROR_PREFIX))
    return g_strdup ("Failed");
  return g_strdup (full + strlen (T2P_ERROR_PREFIX));
}
