/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What a worker says is hostile: these copy what has a known name and the expected type, cut
 * strings, bound numbers of rows, and drop the rest. Pure. Each returns a floating variant and
 * adds what it dropped to *@io_dropped. */

/* `aa{sv}` of ListConnections; at most @max_rows. */
GVariant *
t2pd_worker_row_copy_connections (GVariant *rows, guint max_rows, guint64 *io_dropped);
/* `aa{sv}` of GetUpstreams. */
GVariant *t2pd_worker_row_copy_upstreams (GVariant *rows, guint64 *io_dropped);
/* `a{sv}` of Probe. */
GVariant *t2pd_worker_row_copy_probe (GVariant *result, guint64 *io_dropped);
/* `a{st}` of GetStatistics; every public counter is there, with 0 when @counters (nullable)
 * lacks it. */
GVariant *t2pd_worker_row_copy_statistics (GVariant *counters, guint64 *io_dropped);
/* One line of printable UTF-8, cut after 200 characters: what a person may be shown. (transfer
 * full) */
char *t2pd_worker_row_clean_text (const char *text);
/* The same of an upstream, cut after T2P_MAX_STRING_BYTES characters. */
char *t2pd_worker_row_clean_uri (const char *text);

G_END_DECLS
