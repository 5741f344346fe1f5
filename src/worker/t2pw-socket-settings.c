/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-socket-settings.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2p-quote.h"

#include <string.h>

static gboolean
take_link (const char *prefix, const char *name, T2pwBindLink *out_link)
{
  memset (out_link, 0, sizeof *out_link);
  return t2p_ip_prefix_parse (prefix, &out_link->prefix, NULL) && *name != '\0' &&
         g_strlcpy (out_link->name, name, sizeof out_link->name) < sizeof out_link->name;
}

static GArray *
parse_links (GVariant *rows, GError **error)
{
  g_autoptr (GArray) links = g_array_new (FALSE, FALSE, sizeof (T2pwBindLink));
  GVariantIter iter;
  const char *prefix, *name;

  g_variant_iter_init (&iter, rows);
  while (links->len < T2P_MAX_BIND_LINKS &&
         g_variant_iter_next (&iter, "(&s&s)", &prefix, &name))
    {
      g_autofree char *seen = NULL;
      T2pwBindLink link;

      if (take_link (prefix, name, &link))
        {
          g_array_append_val (links, link);
          continue;
        }
      seen = t2p_quote (name);
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
                   "bind-links: saw link %s, expected a prefix and the name of a link", seen);
      return NULL;
    }
  return g_steal_pointer (&links);
}

gboolean
t2pw_socket_settings_take (GVariant *sockets, T2pwSocketPolicy *policy, GError **error)
{
  g_autoptr (GVariant) rows =
      g_variant_lookup_value (sockets, "bind-links", G_VARIANT_TYPE ("a(ss)"));
  GArray *links = NULL;
  gboolean is_suspicious = FALSE;

  if (rows != NULL)
    {
      links = parse_links (rows, error);
      if (links == NULL)
        return FALSE;
    }
  t2pw_socket_policy_take_bind_links (policy, links);
  g_variant_lookup (sockets, "suspects", "b", &is_suspicious);
  if (policy->guard != NULL)
    t2pw_loop_guard_suspect (policy->guard, is_suspicious);
  return TRUE;
}
