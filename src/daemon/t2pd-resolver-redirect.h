/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-bring-up.h"

G_BEGIN_DECLS

/* The part `resolver-redirect` of the capture, of a tunnel that has all names of everybody:
 * what systemd-resolved asks the uplinks' name servers on its own account is asked of the
 * tunnel's responder. Where that cannot be had, the tunnel does without, with a line in the
 * log. */
gboolean t2pd_resolver_redirect_run (T2pdBringUp *self, GError **error);
gboolean t2pd_resolver_redirect_undo (T2pdBringUp *self, GError **error);
gboolean t2pd_resolver_redirect_update (T2pdBringUp *self, GError **error);
gboolean t2pd_resolver_redirect_restore (T2pdBringUp *self, GError **error);

G_END_DECLS
