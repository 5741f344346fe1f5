/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-settings.h"
#include "t2pd-bring-up.h"

G_BEGIN_DECLS

/* The part `dns-redirect` of the capture: of a tunnel for some users or apps, whose questions
 * to name servers its responder answers. The system's resolver is told nothing. */

/* Whether it is one: then the system's resolver, which answers everybody, is not told. */
gboolean t2pd_dns_redirect_is_for_some (const T2pSettings *settings);

/* T2P_ERROR_DNS_SETUP_FAILED. */
gboolean t2pd_dns_redirect_run (T2pdBringUp *self, GError **error);
gboolean t2pd_dns_redirect_undo (T2pdBringUp *self, GError **error);
gboolean t2pd_dns_redirect_update (T2pdBringUp *self, GError **error);
gboolean t2pd_dns_redirect_restore (T2pdBringUp *self, GError **error);

/* What a person should know about look-ups of a tunnel for some users or apps, if it is one. */
void t2pd_dns_redirect_add_warnings (const T2pSettings *settings, GVariantBuilder *warnings);

G_END_DECLS
