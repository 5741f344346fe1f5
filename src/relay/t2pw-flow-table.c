/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-flow-table.h"

#include "t2p-error.h"
#include "t2p-quote.h"

#include <string.h>

#define WORKER_SHIFT 56

void
t2pw_flow_table_init (T2pwFlowTable *table, guint worker_index, guint max_flows)
{
  *table = (T2pwFlowTable){ .max_flows = max_flows,
                            .next_id = ((guint64) worker_index << WORKER_SHIFT) + 1 };
}

/**
 * t2pw_flow_table_add:
 *
 * Returns: (transfer full) (nullable): a new flow, connecting; %NULL when the table is full
 */
T2pwFlow *
t2pw_flow_table_add (T2pwFlowTable *table, const T2pwFlowKey *key)
{
  T2pwFlow *flow;

  if (table->n_flows >= table->max_flows)
    return NULL;
  flow = g_new0 (T2pwFlow, 1);
  flow->id = table->next_id++;
  flow->key = *key;
  flow->previous = table->last;
  *(table->last != NULL ? &table->last->next : &table->first) = flow;
  table->last = flow;
  table->n_flows++;
  return flow;
}

/* Frees @flow. */
void
t2pw_flow_table_remove (T2pwFlowTable *table, T2pwFlow *flow)
{
  *(flow->previous != NULL ? &flow->previous->next : &table->first) = flow->next;
  *(flow->next != NULL ? &flow->next->previous : &table->last) = flow->previous;
  table->n_flows--;
  g_free (flow);
}

static gboolean
filter_take (T2pwFlowFilter *filter, const char *key, GVariant *value)
{
  const struct
  {
    const char *key;
    const char **field;
  } texts[] = {
    { "protocol", &filter->protocol },
    { "host", &filter->host },
    { "destination", &filter->destination },
    { "source", &filter->source },
    { "proxy", &filter->proxy },
    { "state", &filter->state },
  };

  if (strcmp (key, "id") == 0 && g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
    {
      filter->id = g_variant_get_uint64 (value);
      return TRUE;
    }
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    if (strcmp (key, texts[i].key) == 0 && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
      {
        *texts[i].field = g_variant_get_string (value, NULL);
        return TRUE;
      }
  return FALSE;
}

/**
 * t2pw_flow_filter_parse:
 * @vardict: a{sv} that outlives @out_filter
 *
 * Errors: T2P_ERROR_INVALID_ARGUMENT for a key that is unknown or of another type.
 */
gboolean
t2pw_flow_filter_parse (GVariant *vardict, T2pwFlowFilter *out_filter, GError **error)
{
  T2pwFlowFilter filter = { 0 };
  GVariantIter iter;
  const char *key;
  GVariant *value;

  g_variant_iter_init (&iter, vardict);
  while (g_variant_iter_next (&iter, "{&sv}", &key, &value))
    {
      gboolean is_known = filter_take (&filter, key, value);
      g_autofree char *quoted = t2p_quote (key);

      g_variant_unref (value); /* the strings belong to @vardict's own buffer */
      if (is_known)
        continue;
      g_set_error (
          error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
          "filter: saw %s, expected id t, protocol, host, destination, source, proxy or "
          "state s",
          quoted);
      return FALSE;
    }
  *out_filter = filter;
  return TRUE;
}

static gboolean
matches_text (const char *wanted, const char *seen)
{
  return wanted == NULL || g_strcmp0 (wanted, seen) == 0;
}

static gboolean
matches_endpoint (const char *wanted, const T2pIpEndpoint *seen)
{
  char text[T2P_ENDPOINT_STRLEN];

  if (wanted == NULL)
    return TRUE;
  t2p_ip_endpoint_format (seen, text);
  if (strcmp (wanted, text) == 0)
    return TRUE;
  t2p_ip_address_format (&seen->address, text);
  return strcmp (wanted, text) == 0;
}

/* @host: (nullable): the name of @flow's destination */
gboolean
t2pw_flow_filter_matches (const T2pwFlowFilter *filter, const T2pwFlow *flow, const char *host)
{
  return (filter->id == 0 || filter->id == flow->id) &&
         matches_text (filter->protocol, t2pw_flow_get_protocol (flow)) &&
         (filter->host == NULL || matches_text (filter->host, host)) &&
         matches_endpoint (filter->destination, &flow->key.destination) &&
         matches_endpoint (filter->source, &flow->key.source) &&
         matches_text (filter->proxy, t2pw_flow_get_proxy (flow)) &&
         matches_text (filter->state, t2pw_flow_state_to_string (flow->state));
}
