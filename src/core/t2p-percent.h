/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Percent-encoding (RFC 3986 section 2.1). */

/* Stay as they are, beside letters and digits (RFC 3986 section 2.3). */
#define T2P_PERCENT_UNRESERVED "-._~"

/* Decodes at most @size bytes into @out_bytes and returns their number, or @size + 1 when there
 * are more; -1 for a percent sign without two hexadecimal digits, a NUL, a control character or
 * a space. */
gssize t2p_percent_decode (const char *text, gsize length, char *out_bytes, gsize size);
/* Allocates nothing beside @out, so that a secret leaves no copy. */
void t2p_percent_append (GString *out, const char *bytes, gsize length, const char *allowed);

G_END_DECLS
