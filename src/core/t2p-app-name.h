/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Names of systemd units as `apps` and `exclude-apps` have them: "firefox.service",
 * "app.slice/foo.scope", "app-firefox-*.scope". T2P_ERROR_INVALID_SETTINGS. */
gboolean t2p_app_name_check (const char *text, GError **error);
/* Whether one component of such a path could stand for it, without '*' and '?': what is found
 * in the cgroup file system, where users make names of their own. */
gboolean t2p_app_component_is_valid (const char *text);

G_END_DECLS
