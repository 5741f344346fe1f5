/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-scheme.h"

/* clang-format off: one row, one scheme */
static const T2pSchemeTraits schemes[] = {
  /*                            name    port  host  password TLS */
  [T2P_SCHEME_SOCKS5] = { "socks5", 1080, TRUE, TRUE, FALSE },
  [T2P_SCHEME_SOCKS5H] = { "socks5h", 1080, TRUE, TRUE, FALSE },
  [T2P_SCHEME_SOCKS4] = { "socks4", 1080, TRUE, FALSE, FALSE },
  [T2P_SCHEME_SOCKS4A] = { "socks4a", 1080, TRUE, FALSE, FALSE },
  [T2P_SCHEME_HTTP] = { "http", 8080, TRUE, TRUE, FALSE },
  [T2P_SCHEME_HTTPS] = { "https", 443, TRUE, TRUE, TRUE },
  [T2P_SCHEME_SOCKS5_TLS] = { "socks5+tls", 443, TRUE, TRUE, TRUE },
  [T2P_SCHEME_DIRECT] = { "direct", 0, FALSE, FALSE, FALSE },
  [T2P_SCHEME_REJECT] = { "reject", 0, FALSE, FALSE, FALSE },
};
/* clang-format on */
G_STATIC_ASSERT (G_N_ELEMENTS (schemes) == T2P_N_SCHEMES);

const T2pSchemeTraits *
t2p_scheme_get_traits (T2pScheme scheme)
{
  g_return_val_if_fail ((guint) scheme < T2P_N_SCHEMES, &schemes[T2P_SCHEME_REJECT]);
  return &schemes[scheme];
}

const char *
t2p_scheme_to_string (T2pScheme scheme)
{
  g_return_val_if_fail ((guint) scheme < T2P_N_SCHEMES, "unknown");
  return schemes[scheme].name;
}

gboolean
t2p_scheme_from_string (const char *name, T2pScheme *out_scheme)
{
  for (guint i = 0; i < T2P_N_SCHEMES; i++)
    if (g_ascii_strcasecmp (schemes[i].name, name) == 0)
      {
        *out_scheme = (T2pScheme) i;
        return TRUE;
      }
  return FALSE;
}

const char *
t2p_scheme_get_known (void)
{
  return "socks5, socks5h, socks4, socks4a, http, https, socks5+tls, direct or reject";
}
