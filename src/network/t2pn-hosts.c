/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-hosts.h"

#include <string.h>

/* @line: address, then names; a `#` begins a comment. It is cut up. */
static gboolean
read_line (char *line, const char *name, int family, T2pIpAddress *out_address)
{
  char *comment = strchr (line, '#');
  g_auto (GStrv) words = NULL;
  T2pIpAddress address;
  gboolean is_named = FALSE;

  if (comment != NULL)
    *comment = '\0';
  words = g_strsplit_set (g_strstrip (line), " \t", -1);
  if (words[0] == NULL || !t2p_ip_address_parse (words[0], &address) ||
      (family != AF_UNSPEC && address.family != family))
    return FALSE;
  for (guint i = 1; words[i] != NULL && !is_named; i++)
    is_named = g_ascii_strcasecmp (words[i], name) == 0;
  if (is_named)
    *out_address = address;
  return is_named;
}

gboolean
t2pn_hosts_find (const char *content, const char *name, int family, T2pIpAddress *out_address)
{
  g_auto (GStrv) lines = g_strsplit (content, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    if (read_line (lines[i], name, family, out_address))
      return TRUE;
  return FALSE;
}
