/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Values for programs: the dictionaries of the bus with their own keys. */

/* A floating @value is consumed. (transfer full) */
char *t2p_ctl_to_json (GVariant *value, gboolean is_pretty);
/* The same to standard output, with a line feed; indented. */
void t2p_ctl_print_json (GVariant *value);
/* On one line, and out at once: for a stream of events. */
void t2p_ctl_print_json_line (GVariant *value);

G_END_DECLS
