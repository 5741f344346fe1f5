/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * T2pScheme:
 *
 * The kinds of upstream that a proxy URI can name (docs: settings key `proxies`).
 */
typedef enum
{
  T2P_SCHEME_SOCKS5,
  T2P_SCHEME_SOCKS5H,
  T2P_SCHEME_SOCKS4,
  T2P_SCHEME_SOCKS4A,
  T2P_SCHEME_HTTP,
  T2P_SCHEME_HTTPS,
  T2P_SCHEME_SOCKS5_TLS,
  T2P_SCHEME_DIRECT,
  T2P_SCHEME_REJECT,
} T2pScheme;
#define T2P_N_SCHEMES (T2P_SCHEME_REJECT + 1)

/* What an URI of the scheme may hold. */
typedef struct
{
  const char *name;
  guint16 default_port;
  gboolean has_host; /* a proxy: somebody else's socket */
  gboolean has_password;
  gboolean has_tls;
} T2pSchemeTraits;

const T2pSchemeTraits *t2p_scheme_get_traits (T2pScheme scheme);
const char *t2p_scheme_to_string (T2pScheme scheme);
/* In any case of letters. */
gboolean t2p_scheme_from_string (const char *name, T2pScheme *out_scheme);
/* "socks5, socks5h, …", for messages. */
const char *t2p_scheme_get_known (void);

G_END_DECLS
