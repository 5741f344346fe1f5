/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Exit codes; the manual page lists them, so they stay. */
typedef enum
{
  T2P_CTL_OK = 0,
  T2P_CTL_FAILED = 1,
  T2P_CTL_USAGE = 2,          /* wrong arguments, settings or proxy URI */
  T2P_CTL_NOT_AUTHORIZED = 3, /* or the password dialog was dismissed */
  T2P_CTL_NO_SERVICE = 4,     /* no bus, or nobody owns the service's name */
  T2P_CTL_NOT_FOUND = 5,
  T2P_CTL_PROXY = 6,    /* unreachable, unresolvable, refuses the password, speaks nonsense */
  T2P_CTL_CONFLICT = 7, /* the name, the default route or an address is taken; busy; a limit */
} T2pCtlExit;

T2pCtlExit t2p_ctl_exit_code (const GError *error);
/* What a person can do about it, as a sentence in the user's language; NULL when nobody knows.
 */
const char *t2p_ctl_remedy (const GError *error);
/* To standard error: for people "tun2proxyctl: …" and the remedy, for programs one JSON object
 * with `error` (the D-Bus name), `message` and `exit-code`. */
void t2p_ctl_print_failure (const GError *error, gboolean is_json);

G_END_DECLS
