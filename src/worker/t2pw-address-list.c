/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-address-list.h"

/* Returns: how many of at most @max were found. */
guint
t2pw_address_list_parse (const char *const *texts, T2pIpAddress *out_addresses, guint max)
{
  guint n = 0;

  for (gsize i = 0; texts[i] != NULL && n < max; i++)
    if (t2p_ip_address_parse (texts[i], &out_addresses[n]))
      n++;
  return n;
}

/* The list under @key of an a{sv}; a missing key is an empty list. */
guint
t2pw_address_list_lookup (GVariant *vardict,
                          const char *key,
                          T2pIpAddress *out_addresses,
                          guint max)
{
  g_autofree const char **texts = NULL;

  if (!g_variant_lookup (vardict, key, "^a&s", &texts))
    return 0;
  return t2pw_address_list_parse (texts, out_addresses, max);
}
