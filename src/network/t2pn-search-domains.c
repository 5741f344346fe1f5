/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-search-domains.h"

#include "t2p-host-name.h"

#include <string.h>

#define MAX_DOMAINS 32 /* resolv.conf(5) had six for long */

struct _T2pnSearchDomains
{
  GPtrArray *names;
};

T2pnSearchDomains *
t2pn_search_domains_new (void)
{
  T2pnSearchDomains *domains = g_new0 (T2pnSearchDomains, 1);

  domains->names = g_ptr_array_new_with_free_func (g_free);
  return domains;
}

void
t2pn_search_domains_free (T2pnSearchDomains *domains)
{
  g_ptr_array_unref (domains->names);
  g_free (domains);
}

gboolean
t2pn_search_domains_add (T2pnSearchDomains *domains, const char *domain)
{
  g_autofree char *name = g_ascii_strdown (domain[0] == '~' ? domain + 1 : domain, -1);
  gsize length = strlen (name);

  if (length > 1 && name[length - 1] == '.')
    name[length - 1] = '\0';
  if (strchr (name, '.') == NULL || !t2p_host_name_is_valid (name))
    return FALSE;
  if (g_ptr_array_find_with_equal_func (domains->names, name, g_str_equal, NULL))
    return TRUE;
  if (domains->names->len >= MAX_DOMAINS)
    return FALSE;
  g_ptr_array_add (domains->names, g_steal_pointer (&name));
  return TRUE;
}

static void
add_line (T2pnSearchDomains *domains, const char *line)
{
  g_auto (GStrv) words = g_strsplit_set (line, " \t\r", -1);

  if (words[0] == NULL ||
      !(g_str_equal (words[0], "search") || g_str_equal (words[0], "domain")))
    return;
  for (guint i = 1; words[i] != NULL; i++)
    if (words[i][0] != '\0')
      t2pn_search_domains_add (domains, words[i]);
}

void
t2pn_search_domains_add_conf (T2pnSearchDomains *domains, const char *resolv_conf_text)
{
  g_auto (GStrv) lines = g_strsplit (resolv_conf_text, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    add_line (domains, lines[i]);
}

char **
t2pn_search_domains_to_strv (const T2pnSearchDomains *domains)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (guint i = 0; i < domains->names->len; i++)
    g_strv_builder_add (builder, domains->names->pdata[i]);
  return g_strv_builder_end (builder);
}
