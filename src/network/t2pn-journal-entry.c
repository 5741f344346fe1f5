/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-journal-entry.h"

#include "t2pn-cgroup.h"
#include "t2pn-nft.h"
#include "t2pn-resolvconf-program.h"

#include <linux/rtnetlink.h>
#include <string.h>

static const char *const kind_names[] = {
  [T2PN_ENTRY_DEVICE] = "device",
  [T2PN_ENTRY_SOCKET] = "socket",
  [T2PN_ENTRY_WORKER] = "worker",
  [T2PN_ENTRY_ADDRESS] = "address",
  [T2PN_ENTRY_ROUTE] = "route",
  [T2PN_ENTRY_TABLE] = "table",
  [T2PN_ENTRY_RULE] = "rule",
  [T2PN_ENTRY_RESOLV_CONF] = "resolv-conf",
  [T2PN_ENTRY_RESOLVCONF] = "resolvconf",
  [T2PN_ENTRY_NFT_TABLE] = "nft-table",
  [T2PN_ENTRY_CGROUP] = "cgroup",
  [T2PN_ENTRY_STATIC_TABLE] = "static-table",
};

void
t2pn_entry_free (T2pnEntry *entry)
{
  if (entry == NULL)
    return;
  if (entry->kind == T2PN_ENTRY_SOCKET)
    g_free (entry->u.socket);
  if (entry->kind == T2PN_ENTRY_NFT_TABLE)
    g_free (entry->u.nft_table);
  if (entry->kind == T2PN_ENTRY_CGROUP)
    g_free (entry->u.cgroup);
  if (entry->kind == T2PN_ENTRY_RESOLVCONF)
    g_free (entry->u.resolvconf);
  if (entry->kind == T2PN_ENTRY_RESOLV_CONF)
    t2pn_resolv_conf_free (entry->u.resolv_conf);
  g_free (entry);
}

/* --- to JSON */

/* Files and links may hold bytes that are no UTF-8. */
static void
set_bytes (JsonObject *object, const char *member, const char *text)
{
  g_autofree char *encoded = NULL;

  if (text == NULL)
    return;
  encoded = g_base64_encode ((const guchar *) text, strlen (text));
  json_object_set_string_member (object, member, encoded);
}

static void
set_number (JsonObject *object, const char *member, gint64 number)
{
  if (number != 0)
    json_object_set_int_member (object, member, number);
}

static void
set_text (JsonObject *object, const char *member, const char *text)
{
  if (text[0] != '\0')
    json_object_set_string_member (object, member, text);
}

static void
set_address (JsonObject *object, const char *member, const T2pIpAddress *address)
{
  char text[T2P_IP_STRLEN];

  if (address->family == 0)
    return;
  t2p_ip_address_format (address, text);
  json_object_set_string_member (object, member, text);
}

static void
set_prefix (JsonObject *object, const char *member, const T2pIpPrefix *prefix)
{
  char text[T2P_PREFIX_STRLEN];

  if (prefix->address.family == 0)
    return;
  t2p_ip_prefix_format (prefix, text);
  json_object_set_string_member (object, member, text);
}

static void
write_address (JsonObject *object, const T2pnAddress *address)
{
  set_number (object, "ifindex", address->ifindex);
  set_address (object, "address", &address->address);
  set_number (object, "length", address->length);
}

static void
write_route (JsonObject *object, const T2pnRoute *route)
{
  set_prefix (object, "destination", &route->destination);
  set_number (object, "table", route->table);
  set_number (object, "type", route->type);
  set_number (object, "protocol", route->protocol);
  set_number (object, "scope", route->scope);
  set_number (object, "metric", route->metric);
  set_number (object, "ifindex", route->ifindex);
  set_address (object, "gateway", &route->gateway);
}

static void
write_rule (JsonObject *object, const T2pnRule *rule)
{
  set_number (object, "family", rule->family);
  set_number (object, "action", rule->action);
  set_number (object, "protocol", rule->protocol);
  set_number (object, "inverted", rule->is_inverted);
  set_number (object, "priority", rule->priority);
  set_number (object, "table", rule->table);
  set_prefix (object, "source", &rule->source);
  set_prefix (object, "destination", &rule->destination);
  set_text (object, "input", rule->input);
  set_text (object, "output", rule->output);
  set_number (object, "mark", rule->mark);
  set_number (object, "mask", rule->mask);
  if (rule->has_uid_range)
    {
      json_object_set_int_member (object, "uid-first", rule->uid_first);
      json_object_set_int_member (object, "uid-last", rule->uid_last);
    }
  json_object_set_int_member (object, "suppress-prefix-length", rule->suppress_prefix_length);
  set_number (object, "ip-protocol", rule->ip_protocol);
  set_number (object, "source-port-first", rule->source_port_first);
  set_number (object, "source-port-last", rule->source_port_last);
  set_number (object, "destination-port-first", rule->destination_port_first);
  set_number (object, "destination-port-last", rule->destination_port_last);
}

static void
write_resolv_conf (JsonObject *object, const T2pnResolvConf *saved)
{
  set_bytes (object, "path", saved->path);
  set_bytes (object, "link-target", saved->link_target);
  set_bytes (object, "content", saved->content);
  set_bytes (object, "ours", saved->ours);
  set_bytes (object, "temporary", saved->temporary);
  set_number (object, "mode", saved->mode);
  set_number (object, "uid", saved->uid);
  set_number (object, "gid", saved->gid);
}

JsonObject *
t2pn_entry_to_json (const T2pnEntry *entry)
{
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "kind", kind_names[entry->kind]);
  switch (entry->kind)
    {
    case T2PN_ENTRY_DEVICE:
      set_text (object, "name", entry->u.device.name);
      set_number (object, "ifindex", entry->u.device.ifindex);
      break;
    case T2PN_ENTRY_SOCKET:
      set_bytes (object, "path", entry->u.socket);
      break;
    case T2PN_ENTRY_WORKER:
      set_number (object, "pid", entry->u.worker.pid);
      set_number (object, "start-time", (gint64) entry->u.worker.start_time);
      break;
    case T2PN_ENTRY_ADDRESS:
      write_address (object, &entry->u.address);
      break;
    case T2PN_ENTRY_ROUTE:
      write_route (object, &entry->u.route);
      break;
    case T2PN_ENTRY_TABLE:
    case T2PN_ENTRY_STATIC_TABLE:
      set_number (object, "table", entry->u.table);
      break;
    case T2PN_ENTRY_RULE:
      write_rule (object, &entry->u.rule);
      break;
    case T2PN_ENTRY_RESOLV_CONF:
      write_resolv_conf (object, entry->u.resolv_conf);
      break;
    case T2PN_ENTRY_RESOLVCONF:
      set_text (object, "record", entry->u.resolvconf);
      break;
    case T2PN_ENTRY_NFT_TABLE:
      set_text (object, "name", entry->u.nft_table);
      break;
    case T2PN_ENTRY_CGROUP:
      set_text (object, "path", entry->u.cgroup);
      break;
    }
  return object;
}

/* --- from JSON */

static const char *
get_text (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  if (node == NULL || json_node_get_value_type (node) != G_TYPE_STRING)
    return NULL;
  return json_node_get_string (node);
}

static gint64
get_number (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  if (node == NULL || json_node_get_value_type (node) != G_TYPE_INT64)
    return 0;
  return json_node_get_int (node);
}

static char *
get_bytes (JsonObject *object, const char *member)
{
  const char *text = get_text (object, member);
  g_autofree guchar *bytes = NULL;
  gsize length;

  if (text == NULL)
    return NULL;
  bytes = g_base64_decode (text, &length);
  return g_strndup ((const char *) bytes, length);
}

static void
get_address (JsonObject *object, const char *member, T2pIpAddress *address)
{
  const char *text = get_text (object, member);

  if (text != NULL)
    t2p_ip_address_parse (text, address);
}

static void
get_prefix (JsonObject *object, const char *member, T2pIpPrefix *prefix)
{
  const char *text = get_text (object, member);

  if (text != NULL)
    t2p_ip_prefix_parse (text, prefix, NULL);
}

static void
get_name (JsonObject *object, const char *member, char name[IFNAMSIZ])
{
  const char *text = get_text (object, member);

  if (text != NULL)
    g_strlcpy (name, text, IFNAMSIZ);
}

static gboolean
read_address (JsonObject *object, T2pnAddress *address)
{
  address->ifindex = (int) get_number (object, "ifindex");
  address->length = (guint8) get_number (object, "length");
  get_address (object, "address", &address->address);
  return address->address.family != 0;
}

/* What is tagged neither as ours nor as NetworkManager's, which had it from us, is not ours to
 * delete, whatever a file says. */
static gboolean
is_tag (guint8 protocol)
{
  return protocol == T2PN_PROTOCOL || protocol == RTPROT_STATIC;
}

static gboolean
read_route (JsonObject *object, T2pnRoute *route)
{
  get_prefix (object, "destination", &route->destination);
  get_address (object, "gateway", &route->gateway);
  route->table = (guint32) get_number (object, "table");
  route->type = (guint8) get_number (object, "type");
  route->protocol = (guint8) get_number (object, "protocol");
  route->scope = (guint8) get_number (object, "scope");
  route->metric = (guint32) get_number (object, "metric");
  route->ifindex = (int) get_number (object, "ifindex");
  return route->destination.address.family != 0 && is_tag (route->protocol);
}

static gboolean
read_rule (JsonObject *object, T2pnRule *rule)
{
  *rule = t2pn_rule_make ((int) get_number (object, "family"),
                          (guint32) get_number (object, "priority"));
  rule->action = (guint8) get_number (object, "action");
  rule->protocol = (guint8) get_number (object, "protocol");
  rule->is_inverted = get_number (object, "inverted") != 0;
  rule->table = (guint32) get_number (object, "table");
  get_prefix (object, "source", &rule->source);
  get_prefix (object, "destination", &rule->destination);
  get_name (object, "input", rule->input);
  get_name (object, "output", rule->output);
  rule->mark = (guint32) get_number (object, "mark");
  rule->mask = (guint32) get_number (object, "mask");
  rule->has_uid_range = json_object_has_member (object, "uid-first");
  rule->uid_first = (guint32) get_number (object, "uid-first");
  rule->uid_last = (guint32) get_number (object, "uid-last");
  rule->suppress_prefix_length = (int) get_number (object, "suppress-prefix-length");
  rule->ip_protocol = (guint8) get_number (object, "ip-protocol");
  rule->source_port_first = (guint16) get_number (object, "source-port-first");
  rule->source_port_last = (guint16) get_number (object, "source-port-last");
  rule->destination_port_first = (guint16) get_number (object, "destination-port-first");
  rule->destination_port_last = (guint16) get_number (object, "destination-port-last");
  return (rule->family == AF_INET || rule->family == AF_INET6) && is_tag (rule->protocol);
}

static gboolean
read_resolv_conf (JsonObject *object, T2pnResolvConf *saved)
{
  saved->path = get_bytes (object, "path");
  saved->link_target = get_bytes (object, "link-target");
  saved->content = get_bytes (object, "content");
  saved->ours = get_bytes (object, "ours");
  saved->temporary = get_bytes (object, "temporary");
  saved->mode = (guint32) get_number (object, "mode");
  saved->uid = (guint32) get_number (object, "uid");
  saved->gid = (guint32) get_number (object, "gid");
  return saved->path != NULL && saved->ours != NULL && saved->temporary != NULL;
}

static gboolean
find_kind (const char *name, T2pnEntryKind *out_kind)
{
  for (guint i = 0; name != NULL && i < G_N_ELEMENTS (kind_names); i++)
    if (strcmp (kind_names[i], name) == 0)
      {
        *out_kind = (T2pnEntryKind) i;
        return TRUE;
      }
  return FALSE;
}

static gboolean
read_entry (JsonObject *object, T2pnEntry *entry)
{
  switch (entry->kind)
    {
    case T2PN_ENTRY_DEVICE:
      get_name (object, "name", entry->u.device.name);
      entry->u.device.ifindex = (int) get_number (object, "ifindex");
      return TRUE;
    case T2PN_ENTRY_SOCKET:
      entry->u.socket = get_bytes (object, "path");
      return entry->u.socket != NULL;
    case T2PN_ENTRY_WORKER:
      entry->u.worker.pid = (pid_t) get_number (object, "pid");
      entry->u.worker.start_time = (guint64) get_number (object, "start-time");
      return entry->u.worker.pid > 0;
    case T2PN_ENTRY_ADDRESS:
      return read_address (object, &entry->u.address);
    case T2PN_ENTRY_ROUTE:
      return read_route (object, &entry->u.route);
    case T2PN_ENTRY_TABLE:
    case T2PN_ENTRY_STATIC_TABLE:
      entry->u.table = (guint32) get_number (object, "table");
      return entry->u.table != 0 &&
             (entry->u.table < RT_TABLE_DEFAULT || entry->u.table > RT_TABLE_LOCAL);
    case T2PN_ENTRY_RULE:
      return read_rule (object, &entry->u.rule);
    case T2PN_ENTRY_RESOLV_CONF:
      entry->u.resolv_conf = g_new0 (T2pnResolvConf, 1);
      return read_resolv_conf (object, entry->u.resolv_conf);
    case T2PN_ENTRY_RESOLVCONF:
      entry->u.resolvconf = g_strdup (get_text (object, "record"));
      return entry->u.resolvconf != NULL && t2pn_resolvconf_is_own_name (entry->u.resolvconf);
    case T2PN_ENTRY_NFT_TABLE:
      entry->u.nft_table = g_strdup (get_text (object, "name"));
      return entry->u.nft_table != NULL && t2pn_nft_is_tunnel_table (entry->u.nft_table);
    case T2PN_ENTRY_CGROUP:
      entry->u.cgroup = g_strdup (get_text (object, "path"));
      return entry->u.cgroup != NULL && t2pn_cgroup_is_of_tunnel (entry->u.cgroup);
    }
  return FALSE;
}

T2pnEntry *
t2pn_entry_from_json (JsonObject *object)
{
  T2pnEntry *entry = g_new0 (T2pnEntry, 1);

  if (find_kind (get_text (object, "kind"), &entry->kind) && read_entry (object, entry))
    return entry;
  t2pn_entry_free (entry);
  return NULL;
}
