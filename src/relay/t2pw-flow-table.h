/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-flow.h"

G_BEGIN_DECLS

/**
 * T2pwFlowTable:
 * @first, @last: by ascending id
 * @n_flows: now
 * @max_flows: beyond it nothing is added
 * @next_id: the worker's index stands in the top 8 bits
 *
 * All flows of a worker. Embedded in the relay.
 */
typedef struct
{
  T2pwFlow *first;
  T2pwFlow *last;
  guint n_flows;
  guint max_flows;
  guint64 next_id;
} T2pwFlowTable;

/** T2pwFlowFilter: what must match; what is NULL or 0 matches all. Borrowed strings. */
typedef struct
{
  guint64 id;
  const char *protocol;
  const char *host;
  const char *destination; /* address, or address:port */
  const char *source;
  const char *proxy;
  const char *state;
} T2pwFlowFilter;

void t2pw_flow_table_init (T2pwFlowTable *table, guint worker_index, guint max_flows);
T2pwFlow *t2pw_flow_table_add (T2pwFlowTable *table, const T2pwFlowKey *key);
void t2pw_flow_table_remove (T2pwFlowTable *table, T2pwFlow *flow);

gboolean t2pw_flow_filter_parse (GVariant *vardict, T2pwFlowFilter *out_filter, GError **error);
gboolean
t2pw_flow_filter_matches (const T2pwFlowFilter *filter, const T2pwFlow *flow, const char *host);

G_END_DECLS
