/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Quantities for people, in the user's language. (transfer full) */

char *t2p_ctl_format_bytes (guint64 bytes);    /* "1.2 MiB" */
char *t2p_ctl_format_age (guint64 age_us);     /* "2 h 03 min" */
char *t2p_ctl_format_delay (guint64 delay_us); /* "23 ms" */

G_END_DECLS
