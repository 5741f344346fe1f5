/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The uplink's search domains: lower case, each once, bounded. A DHCP server chooses them, so
 * one that would take more than an organisation's names ("com", ".") does not count. */
typedef struct _T2pnSearchDomains T2pnSearchDomains;

T2pnSearchDomains *t2pn_search_domains_new (void);
void t2pn_search_domains_free (T2pnSearchDomains *domains);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnSearchDomains, t2pn_search_domains_free)

/* A routing-only domain of systemd-resolved ("~corp.example") is one too. FALSE: it does not
 * count. */
gboolean t2pn_search_domains_add (T2pnSearchDomains *domains, const char *domain);
/* `search` and `domain` lines of a resolv.conf(5). */
void t2pn_search_domains_add_conf (T2pnSearchDomains *domains, const char *resolv_conf_text);
/* (transfer full) */
char **t2pn_search_domains_to_strv (const T2pnSearchDomains *domains);

G_END_DECLS
