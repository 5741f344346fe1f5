/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-kill-switch.h"

#include "t2p-error.h"
#include "t2p-limits.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT_VERSION 1

/* What it says is done with our rights. */
static gboolean
check_file (const char *path, gboolean *out_is_there, GError **error)
{
  struct stat status;

  *out_is_there = lstat (path, &status) == 0;
  if (!*out_is_there)
    return TRUE;
  if (S_ISREG (status.st_mode) && status.st_uid == geteuid () && (status.st_mode & 022) == 0 &&
      status.st_size <= T2P_MAX_KILL_SWITCH_BYTES)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
               "%s is too large, or somebody else could have written it", path);
  return FALSE;
}

/* --- writing */

static JsonArray *
prefixes_to_json (const GArray *prefixes)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < prefixes->len; i++)
    {
      char text[T2P_PREFIX_STRLEN];

      t2p_ip_prefix_format (&g_array_index (prefixes, T2pIpPrefix, i), text);
      json_array_add_string_element (array, text);
    }
  return array;
}

static JsonArray *
numbers_to_json (const GArray *numbers)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < numbers->len; i++)
    json_array_add_int_element (array, g_array_index (numbers, guint32, i));
  return array;
}

/* First and last of each range, one after the other. */
static JsonArray *
users_to_json (const GArray *users)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < users->len; i++)
    {
      const T2pnUidRange *range = &g_array_index (users, T2pnUidRange, i);

      json_array_add_int_element (array, range->first);
      json_array_add_int_element (array, range->last);
    }
  return array;
}

static JsonArray *
peers_to_json (const GArray *peers)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < peers->len; i++)
    {
      const T2pnBypassPeer *peer = &g_array_index (peers, T2pnBypassPeer, i);
      JsonObject *object = json_object_new ();
      char text[T2P_IP_STRLEN];

      t2p_ip_address_format (&peer->address, text);
      json_object_set_int_member (object, "uid", peer->uid);
      json_object_set_string_member (object, "address", text);
      json_array_add_object_element (array, object);
    }
  return array;
}

static JsonObject *
arm_to_json (const T2pnKillSwitchArm *arm)
{
  JsonObject *object = json_object_new ();

  json_object_set_int_member (object, "owner", arm->owner_uid);
  json_object_set_string_member (object, "name", arm->name);
  json_object_set_boolean_member (object, "always", arm->is_always);
  json_object_set_string_member (object, "interface", arm->ifname);
  json_object_set_boolean_member (object, "captures-all", arm->captures_all);
  json_object_set_boolean_member (object, "captures-ipv6", arm->captures_ipv6);
  json_object_set_boolean_member (object, "guards-dns", arm->guards_dns);
  json_object_set_boolean_member (object, "forwarded", arm->is_forwarded);
  json_object_set_array_member (object, "users", users_to_json (arm->users));
  json_object_set_array_member (object, "captured", prefixes_to_json (arm->captured));
  json_object_set_array_member (object, "excluded", prefixes_to_json (arm->excluded));
  json_object_set_array_member (object, "lan", prefixes_to_json (arm->lan));
  json_object_set_array_member (object, "own", prefixes_to_json (arm->own));
  json_object_set_array_member (object, "passing-uids", numbers_to_json (arm->passing_uids));
  json_object_set_array_member (object, "passing-peers", peers_to_json (arm->passing_peers));
  return object;
}

static JsonArray *
arms_to_json (const T2pnKillSwitch *self, gboolean only_always)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < self->arms->len; i++)
    {
      const T2pnKillSwitchArm *arm = g_ptr_array_index (self->arms, i);

      if (arm->is_always || !only_always)
        json_array_add_object_element (array, arm_to_json (arm));
    }
  return array;
}

static char *
to_text (const T2pnKillSwitch *self, JsonArray *arms)
{
  g_autoptr (JsonNode) root = json_node_alloc ();
  JsonObject *object = json_object_new ();

  json_object_set_int_member (object, "version", FORMAT_VERSION);
  json_object_set_array_member (object, "marks", numbers_to_json (self->marks));
  json_object_set_array_member (object, "worker-uids", numbers_to_json (self->worker_uids));
  json_object_set_array_member (object, "arms", arms);
  json_node_init_object (root, object);
  json_object_unref (object);
  return json_to_string (root, TRUE);
}

static gboolean
remove_file (const char *path, GError **error)
{
  int errsv;

  if (unlink (path) == 0 || errno == ENOENT)
    return TRUE;
  errsv = errno;
  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv),
               "could not remove %s: %s", path, g_strerror (errsv));
  return FALSE;
}

/* Each change of the machine's network comes here, and a disk is slow. */
static gboolean
is_saved (const char *path, const char *text)
{
  g_autofree char *old = NULL;
  gboolean is_there;

  return check_file (path, &is_there, NULL) && is_there &&
         g_file_get_contents (path, &old, NULL, NULL) && strcmp (old, text) == 0;
}

gboolean
t2pn_kill_switch_save (const T2pnKillSwitch *self,
                       const char *path,
                       gboolean only_always,
                       GError **error)
{
  g_autoptr (JsonArray) arms = arms_to_json (self, only_always);
  g_autofree char *text = NULL;
  g_autofree char *folder = g_path_get_dirname (path);

  if (json_array_get_length (arms) == 0)
    return remove_file (path, error);
  text = to_text (self, json_array_ref (arms));
  if (strlen (text) > T2P_MAX_KILL_SWITCH_BYTES)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                   "the kill switch would have %zu bytes, expected at most %d", strlen (text),
                   T2P_MAX_KILL_SWITCH_BYTES);
      return FALSE;
    }
  if (is_saved (path, text))
    return TRUE;
  g_mkdir_with_parents (folder, 0700); /* that it fails is told by the next line */
  return g_file_set_contents_full (path, text, -1,
                                   G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                   0600, error);
}

/* --- reading: what is not as it should be is left out, and never reaches the table's text */

static JsonArray *
get_array (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  return node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

static guint
get_length (JsonArray *array)
{
  return array != NULL ? json_array_get_length (array) : 0;
}

static gboolean
get_flag (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  return node != NULL && json_node_get_value_type (node) == G_TYPE_BOOLEAN &&
         json_node_get_boolean (node);
}

static const char *
get_text (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  return node != NULL && json_node_get_value_type (node) == G_TYPE_STRING
             ? json_node_get_string (node)
             : "";
}

static gboolean
get_number (JsonNode *node, guint32 *out_number)
{
  gint64 number;

  if (node == NULL || json_node_get_value_type (node) != G_TYPE_INT64)
    return FALSE;
  number = json_node_get_int (node);
  if (number < 0 || number > G_MAXUINT32)
    return FALSE;
  *out_number = (guint32) number;
  return TRUE;
}

static void
read_prefixes (JsonObject *object, const char *member, GArray *prefixes)
{
  JsonArray *array = get_array (object, member);

  for (guint i = 0; i < get_length (array); i++)
    {
      JsonNode *node = json_array_get_element (array, i);
      T2pIpPrefix prefix;

      memset (&prefix, 0, sizeof prefix);
      if (json_node_get_value_type (node) == G_TYPE_STRING &&
          t2p_ip_prefix_parse (json_node_get_string (node), &prefix, NULL))
        g_array_append_val (prefixes, prefix);
    }
}

/* FALSE when it is not all as it should be: with a range less it would be for others. */
static gboolean
read_users (JsonObject *object, GArray *users)
{
  JsonArray *array = get_array (object, "users");

  if (array == NULL || get_length (array) % 2 != 0)
    return FALSE;
  for (guint i = 0; i + 1 < get_length (array); i += 2)
    {
      T2pnUidRange range;

      if (!get_number (json_array_get_element (array, i), &range.first) ||
          !get_number (json_array_get_element (array, i + 1), &range.last) ||
          range.first > range.last)
        return FALSE;
      g_array_append_val (users, range);
    }
  return TRUE;
}

static gboolean
is_link_name (const char *name)
{
  return name[0] != '\0' && strlen (name) < IFNAMSIZ &&
         strspn (name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._-") == strlen (name);
}

static void
read_passing_uids (JsonObject *object, GArray *uids)
{
  JsonArray *array = get_array (object, "passing-uids");
  guint32 uid;

  for (guint i = 0; i < get_length (array); i++)
    if (get_number (json_array_get_element (array, i), &uid))
      g_array_append_val (uids, uid);
}

static void
read_passing_peers (JsonObject *object, GArray *peers)
{
  JsonArray *array = get_array (object, "passing-peers");

  for (guint i = 0; i < get_length (array); i++)
    {
      JsonNode *node = json_array_get_element (array, i);
      T2pnBypassPeer peer;

      memset (&peer, 0, sizeof peer);
      if (JSON_NODE_HOLDS_OBJECT (node) &&
          get_number (json_object_get_member (json_node_get_object (node), "uid"), &peer.uid) &&
          t2p_ip_address_parse (get_text (json_node_get_object (node), "address"),
                                &peer.address))
        g_array_append_val (peers, peer);
    }
}

static T2pnKillSwitchArm *
read_arm (JsonObject *object)
{
  g_autoptr (T2pnKillSwitchArm) arm = NULL;
  guint32 owner;

  if (!get_number (json_object_get_member (object, "owner"), &owner) ||
      !t2p_tunnel_name_check (get_text (object, "name"), NULL) ||
      !is_link_name (get_text (object, "interface")))
    return NULL;
  arm = t2pn_kill_switch_arm_new (owner, get_text (object, "name"));
  g_strlcpy (arm->ifname, get_text (object, "interface"), sizeof arm->ifname);
  arm->is_always = get_flag (object, "always");
  arm->has_been_up = TRUE; /* else it would not have been left */
  arm->captures_all = get_flag (object, "captures-all");
  arm->captures_ipv6 = get_flag (object, "captures-ipv6");
  arm->guards_dns = get_flag (object, "guards-dns");
  arm->is_forwarded = get_flag (object, "forwarded");
  read_prefixes (object, "captured", arm->captured);
  read_prefixes (object, "excluded", arm->excluded);
  read_prefixes (object, "lan", arm->lan);
  read_prefixes (object, "own", arm->own);
  read_passing_uids (object, arm->passing_uids);
  read_passing_peers (object, arm->passing_peers);
  return read_users (object, arm->users) ? g_steal_pointer (&arm) : NULL;
}

static void
read_arms (T2pnKillSwitch *self, JsonObject *object)
{
  JsonArray *array = get_array (object, "arms");

  for (guint i = 0; i < get_length (array); i++)
    {
      JsonNode *node = json_array_get_element (array, i);
      T2pnKillSwitchArm *arm =
          JSON_NODE_HOLDS_OBJECT (node) ? read_arm (json_node_get_object (node)) : NULL;

      if (arm != NULL && t2pn_kill_switch_find_arm (self, arm->owner_uid, arm->name) == NULL)
        g_ptr_array_add (self->arms, arm);
      else
        t2pn_kill_switch_arm_free (arm);
    }
}

static void
read_numbers (T2pnKillSwitch *self,
              JsonArray *array,
              void (*add) (T2pnKillSwitch *self, guint32 number))
{
  guint32 number;

  for (guint i = 0; i < get_length (array); i++)
    if (get_number (json_array_get_element (array, i), &number))
      add (self, number);
}

T2pnKillSwitch *
t2pn_kill_switch_load (const char *path, GError **error)
{
  g_autoptr (T2pnKillSwitch) self = t2pn_kill_switch_new ();
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  gboolean is_there;
  JsonNode *root;
  JsonObject *object;

  if (!check_file (path, &is_there, error))
    return NULL;
  if (!is_there)
    return g_steal_pointer (&self);
  if (!json_parser_load_from_file (parser, path, error))
    return NULL;
  root = json_parser_get_root (parser);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s is no kill switch", path);
      return NULL;
    }
  object = json_node_get_object (root);
  read_numbers (self, get_array (object, "marks"), t2pn_kill_switch_add_mark);
  read_numbers (self, get_array (object, "worker-uids"), t2pn_kill_switch_add_worker_uid);
  read_arms (self, object);
  return g_steal_pointer (&self);
}
