/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ctl-json.h"

#include <json-glib/json-glib.h>
#include <stdio.h>

static JsonNode *sorted (JsonNode *node);

static JsonNode *
sorted_array (JsonArray *array)
{
  g_autoptr (JsonArray) copy = json_array_new ();
  JsonNode *node = json_node_new (JSON_NODE_ARRAY);

  for (guint i = 0; i < json_array_get_length (array); i++)
    json_array_add_element (copy, sorted (json_array_get_element (array, i)));
  json_node_take_array (node, g_steal_pointer (&copy));
  return node;
}

static JsonNode *
sorted_object (JsonObject *object)
{
  g_autoptr (GList) names =
      g_list_sort (json_object_get_members (object), (GCompareFunc) g_strcmp0);
  g_autoptr (JsonObject) copy = json_object_new ();
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);

  for (const GList *l = names; l != NULL; l = l->next)
    json_object_set_member (copy, l->data, sorted (json_object_get_member (object, l->data)));
  json_node_take_object (node, g_steal_pointer (&copy));
  return node;
}

/* A dictionary of the bus has no order; output that people compare has one. (transfer full) */
static JsonNode *
sorted (JsonNode *node)
{
  if (JSON_NODE_HOLDS_OBJECT (node))
    return sorted_object (json_node_get_object (node));
  if (JSON_NODE_HOLDS_ARRAY (node))
    return sorted_array (json_node_get_array (node));
  return json_node_copy (node);
}

char *
t2p_ctl_to_json (GVariant *value, gboolean is_pretty)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (value);
  g_autoptr (JsonNode) node = json_gvariant_serialize (owned);

  g_autoptr (JsonNode) in_order = sorted (node);

  return json_to_string (in_order, is_pretty);
}

void
t2p_ctl_print_json (GVariant *value)
{
  g_autofree char *text = t2p_ctl_to_json (value, TRUE);

  g_print ("%s\n", text);
}

void
t2p_ctl_print_json_line (GVariant *value)
{
  g_autofree char *text = t2p_ctl_to_json (value, FALSE);

  g_print ("%s\n", text);
  fflush (stdout);
}
