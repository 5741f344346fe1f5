/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-connection-list.h"

#include "t2p-limits.h"

typedef struct
{
  GVariantBuilder builder;
  gint64 now_us;
  guint left;
  guint64 last_id;
  gboolean has_more;
} Page;

static GVariant *
flow_to_row (const T2pwFlow *flow, const char *host, gint64 now_us)
{
  g_auto (GVariantDict) row = G_VARIANT_DICT_INIT (NULL);
  char source[T2P_ENDPOINT_STRLEN];
  char destination[T2P_ENDPOINT_STRLEN];

  t2p_ip_endpoint_format (&flow->key.source, source);
  t2p_ip_endpoint_format (&flow->key.destination, destination);
  g_variant_dict_insert (&row, "id", "t", flow->id);
  g_variant_dict_insert (&row, "protocol", "s", t2pw_flow_get_protocol (flow));
  g_variant_dict_insert (&row, "source", "s", source);
  g_variant_dict_insert (&row, "destination", "s", destination);
  g_variant_dict_insert (&row, "host", "s", host != NULL ? host : "");
  g_variant_dict_insert (&row, "proxy", "s", t2pw_flow_get_proxy (flow));
  g_variant_dict_insert (&row, "rule", "s", flow->rule != NULL ? flow->rule : "");
  g_variant_dict_insert (&row, "state", "s", t2pw_flow_state_to_string (flow->state));
  g_variant_dict_insert (&row, "rx-bytes", "t", flow->rx_bytes);
  g_variant_dict_insert (&row, "tx-bytes", "t", flow->tx_bytes);
  g_variant_dict_insert (&row, "age-us", "t", (guint64) MAX (now_us - flow->opened_us, 0));
  return g_variant_dict_end (&row);
}

static gboolean
add_flow_cb (T2pwFlow *flow, const char *host, gpointer user_data)
{
  Page *page = user_data;

  if (page->left == 0)
    {
      page->has_more = TRUE;
      return FALSE;
    }
  page->left--;
  page->last_id = flow->id;
  g_variant_builder_add_value (&page->builder, flow_to_row (flow, host, page->now_us));
  return TRUE;
}

/**
 * t2pw_connection_list_new:
 * @after_id: 0, or the *@out_next_id of the page before
 * @max: rows; 0: as many as one answer may have
 * @out_next_id: (out): 0 when this was the last page
 *
 * Returns: (transfer floating): aa{sv}
 */
GVariant *
t2pw_connection_list_new (T2pwRelay *relay,
                          const T2pwFlowFilter *filter,
                          guint64 after_id,
                          guint max,
                          gint64 now_us,
                          guint64 *out_next_id)
{
  Page page = { .now_us = now_us, .left = T2P_MAX_CONNECTIONS_PER_PAGE };

  if (max > 0 && max < page.left)
    page.left = max;
  g_variant_builder_init (&page.builder, G_VARIANT_TYPE ("aa{sv}"));
  t2pw_relay_foreach (relay, filter, after_id, add_flow_cb, &page);
  *out_next_id = page.has_more ? page.last_id : 0;
  return g_variant_builder_end (&page.builder);
}
