/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether @name is a DNS name that nobody could take for an address. */
gboolean t2p_host_name_is_valid (const char *name);

G_END_DECLS
