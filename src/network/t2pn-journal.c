/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-journal.h"

#include "t2p-error.h"
#include "t2pn-journal-undo.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".json"
#define FORMAT_VERSION 1

typedef struct
{
  char *name;
  GPtrArray *entries; /* of T2pnEntry, in the order in which they were done */
} Step;

struct _T2pnJournal
{
  char *tunnel_id;
  char *path;
  char *netns; /* the network namespace that the entries are of */
  T2pnProcess owner;
  GPtrArray *steps; /* of Step */
};

static void
step_free (Step *step)
{
  g_free (step->name);
  g_ptr_array_unref (step->entries);
  g_free (step);
}

static Step *
add_step (T2pnJournal *journal, const char *name)
{
  Step *step = g_new0 (Step, 1);

  step->name = g_strdup (name);
  step->entries = g_ptr_array_new_with_free_func ((GDestroyNotify) t2pn_entry_free);
  g_ptr_array_add (journal->steps, step);
  return step;
}

static char *
journal_folder (const char *runtime_dir)
{
  return g_build_filename (runtime_dir, "journal", NULL);
}

static T2pnJournal *
make_journal (const char *runtime_dir, const char *tunnel_id)
{
  g_autofree char *folder = journal_folder (runtime_dir);
  g_autofree char *file = g_strconcat (tunnel_id, SUFFIX, NULL);
  T2pnJournal *journal = g_new0 (T2pnJournal, 1);

  journal->tunnel_id = g_strdup (tunnel_id);
  journal->path = g_build_filename (folder, file, NULL);
  journal->steps = g_ptr_array_new_with_free_func ((GDestroyNotify) step_free);
  return journal;
}

void
t2pn_journal_free (T2pnJournal *journal)
{
  if (journal == NULL)
    return;
  g_free (journal->tunnel_id);
  g_free (journal->path);
  g_free (journal->netns);
  g_ptr_array_unref (journal->steps);
  g_free (journal);
}

static char *
current_netns (void)
{
  char *netns = g_file_read_link ("/proc/self/ns/net", NULL);

  return netns != NULL ? netns : g_strdup ("");
}

static void
take_over (T2pnJournal *journal)
{
  if (!t2pn_process_identify (getpid (), &journal->owner))
    journal->owner.pid = getpid ();
}

static gboolean
check_id (const char *tunnel_id, GError **error)
{
  if (tunnel_id[0] != '\0' && tunnel_id[0] != '.' && strlen (tunnel_id) < 128 &&
      strspn (tunnel_id, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._-") == strlen (tunnel_id))
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "not a tunnel id, expected [A-Za-z0-9._-]");
  return FALSE;
}

T2pnJournal *
t2pn_journal_new (const char *runtime_dir, const char *tunnel_id, GError **error)
{
  g_autofree char *folder = journal_folder (runtime_dir);
  T2pnJournal *journal;

  if (!check_id (tunnel_id, error))
    return NULL;
  if (g_mkdir_with_parents (folder, 0700) != 0)
    {
      int errsv = errno;

      g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv),
                   "could not create %s: %s", folder, g_strerror (errsv));
      return NULL;
    }
  journal = make_journal (runtime_dir, tunnel_id);
  journal->netns = current_netns ();
  take_over (journal);
  return journal;
}

/* --- writing */

static JsonArray *
steps_to_json (const T2pnJournal *journal)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < journal->steps->len; i++)
    {
      const Step *step = g_ptr_array_index (journal->steps, i);
      JsonObject *object = json_object_new ();
      JsonArray *entries = json_array_new ();

      for (guint j = 0; j < step->entries->len; j++)
        json_array_add_object_element (
            entries, t2pn_entry_to_json (g_ptr_array_index (step->entries, j)));
      json_object_set_string_member (object, "step", step->name);
      json_object_set_array_member (object, "entries", entries);
      json_array_add_object_element (array, object);
    }
  return array;
}

static gboolean
write_file (const T2pnJournal *journal, GError **error)
{
  JsonObject *object = json_object_new ();
  g_autoptr (JsonNode) root = json_node_alloc ();
  g_autofree char *text = NULL;

  json_object_set_int_member (object, "version", FORMAT_VERSION);
  json_object_set_string_member (object, "tunnel", journal->tunnel_id);
  json_object_set_int_member (object, "owner-pid", journal->owner.pid);
  json_object_set_int_member (object, "owner-start-time", (gint64) journal->owner.start_time);
  json_object_set_string_member (object, "network-namespace", journal->netns);
  json_object_set_array_member (object, "steps", steps_to_json (journal));
  json_node_init_object (root, object);
  json_object_unref (object);
  text = json_to_string (root, TRUE);
  /* By rename, without fsync(): a runtime directory does not outlive the machine either. */
  return g_file_set_contents_full (journal->path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT,
                                   0600, error);
}

gboolean
t2pn_journal_begin_step (T2pnJournal *journal, const char *name, GError **error)
{
  add_step (journal, name);
  return write_file (journal, error);
}

const char *
t2pn_journal_get_step (const T2pnJournal *journal)
{
  const Step *step;

  if (journal->steps->len == 0)
    return NULL;
  step = g_ptr_array_index (journal->steps, journal->steps->len - 1);
  return step->name;
}

static Step *
find_step (T2pnJournal *journal, const char *name)
{
  for (guint i = journal->steps->len; i > 0; i--)
    {
      Step *step = g_ptr_array_index (journal->steps, i - 1);

      if (strcmp (step->name, name) == 0)
        return step;
    }
  return NULL;
}

static Step *
last_step (T2pnJournal *journal)
{
  if (journal->steps->len == 0)
    return add_step (journal, "");
  return g_ptr_array_index (journal->steps, journal->steps->len - 1);
}

static T2pnEntry *
add_entry (Step *step, T2pnEntryKind kind)
{
  T2pnEntry *entry = g_new0 (T2pnEntry, 1);

  entry->kind = kind;
  g_ptr_array_add (step->entries, entry);
  return entry;
}

gboolean
t2pn_journal_add_device (T2pnJournal *journal, const char *ifname, int ifindex, GError **error)
{
  T2pnEntry *entry = add_entry (last_step (journal), T2PN_ENTRY_DEVICE);

  g_strlcpy (entry->u.device.name, ifname, sizeof entry->u.device.name);
  entry->u.device.ifindex = ifindex;
  return write_file (journal, error);
}

gboolean
t2pn_journal_add_socket (T2pnJournal *journal, const char *path, GError **error)
{
  add_entry (last_step (journal), T2PN_ENTRY_SOCKET)->u.socket = g_strdup (path);
  return write_file (journal, error);
}

gboolean
t2pn_journal_add_worker (T2pnJournal *journal, pid_t pid, GError **error)
{
  T2pnProcess process;

  if (!t2pn_process_identify (pid, &process))
    return TRUE; /* nobody is left to be ended */
  add_entry (last_step (journal), T2PN_ENTRY_WORKER)->u.worker = process;
  return write_file (journal, error);
}

static void
add_network (Step *step, const GArray *addresses, const GArray *routes, const GArray *rules)
{
  for (guint i = 0; addresses != NULL && i < addresses->len; i++)
    add_entry (step, T2PN_ENTRY_ADDRESS)->u.address = g_array_index (addresses, T2pnAddress, i);
  for (guint i = 0; routes != NULL && i < routes->len; i++)
    add_entry (step, T2PN_ENTRY_ROUTE)->u.route = g_array_index (routes, T2pnRoute, i);
  for (guint i = 0; rules != NULL && i < rules->len; i++)
    add_entry (step, T2PN_ENTRY_RULE)->u.rule = g_array_index (rules, T2pnRule, i);
}

gboolean
t2pn_journal_add_network (T2pnJournal *journal,
                          const GArray *addresses,
                          const GArray *routes,
                          const GArray *rules,
                          GError **error)
{
  add_network (last_step (journal), addresses, routes, rules);
  return write_file (journal, error);
}

gboolean
t2pn_journal_add_step_network (T2pnJournal *journal,
                               const char *step,
                               const GArray *addresses,
                               const GArray *routes,
                               const GArray *rules,
                               GError **error)
{
  Step *found = find_step (journal, step);

  add_network (found != NULL ? found : last_step (journal), addresses, routes, rules);
  return write_file (journal, error);
}

gboolean
t2pn_journal_set_step_network (T2pnJournal *journal,
                               const char *step,
                               const GArray *addresses,
                               const GArray *routes,
                               const GArray *rules,
                               GError **error)
{
  Step *found = find_step (journal, step);

  if (found == NULL)
    found = last_step (journal);
  for (guint i = found->entries->len; i > 0; i--)
    {
      const T2pnEntry *entry = g_ptr_array_index (found->entries, i - 1);

      if (entry->kind == T2PN_ENTRY_ADDRESS || entry->kind == T2PN_ENTRY_ROUTE ||
          entry->kind == T2PN_ENTRY_RULE)
        g_ptr_array_remove_index (found->entries, i - 1);
    }
  add_network (found, addresses, routes, rules);
  return write_file (journal, error);
}

gboolean
t2pn_journal_add_resolv_conf (T2pnJournal *journal, const T2pnResolvConf *saved, GError **error)
{
  T2pnResolvConf *copy = g_new0 (T2pnResolvConf, 1);

  *copy = *saved;
  copy->path = g_strdup (saved->path);
  copy->link_target = g_strdup (saved->link_target);
  copy->content = g_strdup (saved->content);
  copy->ours = g_strdup (saved->ours);
  add_entry (last_step (journal), T2PN_ENTRY_RESOLV_CONF)->u.resolv_conf = copy;
  return write_file (journal, error);
}

/* --- reading */

static void
read_step (T2pnJournal *journal, JsonObject *object)
{
  JsonNode *entries = json_object_get_member (object, "entries");
  Step *step =
      add_step (journal, json_object_get_string_member_with_default (object, "step", ""));
  JsonArray *array;

  if (entries == NULL || !JSON_NODE_HOLDS_ARRAY (entries))
    return;
  array = json_node_get_array (entries);
  for (guint i = 0; i < json_array_get_length (array); i++)
    {
      JsonNode *node = json_array_get_element (array, i);
      T2pnEntry *entry = NULL;

      if (JSON_NODE_HOLDS_OBJECT (node))
        entry = t2pn_entry_from_json (json_node_get_object (node));
      if (entry != NULL)
        g_ptr_array_add (step->entries, entry);
    }
}

static void
read_journal (T2pnJournal *journal, JsonObject *object)
{
  JsonNode *steps = json_object_get_member (object, "steps");
  JsonArray *array;

  journal->netns =
      g_strdup (json_object_get_string_member_with_default (object, "network-namespace", ""));
  journal->owner.pid = (pid_t) json_object_get_int_member_with_default (object, "owner-pid", 0);
  journal->owner.start_time =
      (guint64) json_object_get_int_member_with_default (object, "owner-start-time", 0);
  if (steps == NULL || !JSON_NODE_HOLDS_ARRAY (steps))
    return;
  array = json_node_get_array (steps);
  for (guint i = 0; i < json_array_get_length (array); i++)
    if (JSON_NODE_HOLDS_OBJECT (json_array_get_element (array, i)))
      read_step (journal, json_array_get_object_element (array, i));
}

/* What it tells us to do is done with our rights: nobody else may have written it. */
static gboolean
check_permissions (const char *path, GError **error)
{
  struct stat status;

  if (lstat (path, &status) == 0 && S_ISREG (status.st_mode) && status.st_uid == geteuid () &&
      (status.st_mode & 022) == 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
               "%s is missing, or somebody else could have written it", path);
  return FALSE;
}

static T2pnJournal *
read_file (const char *runtime_dir, const char *tunnel_id, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (T2pnJournal) journal = NULL;
  JsonNode *root;

  if (!check_id (tunnel_id, error))
    return NULL;
  journal = make_journal (runtime_dir, tunnel_id);
  if (!check_permissions (journal->path, error) ||
      !json_parser_load_from_file (parser, journal->path, error))
    return NULL;
  root = json_parser_get_root (parser);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s is no journal",
                   journal->path);
      return NULL;
    }
  read_journal (journal, json_node_get_object (root));
  return g_steal_pointer (&journal);
}

/* One at a time: a repair and the start of a daemon may fall together. -1 when there is no
 * folder. */
static int
lock_folder (const char *runtime_dir)
{
  g_autofree char *folder = journal_folder (runtime_dir);
  int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd >= 0)
    flock (fd, LOCK_EX);
  return fd;
}

T2pnJournal *
t2pn_journal_load (const char *runtime_dir, const char *tunnel_id, GError **error)
{
  int lock = lock_folder (runtime_dir);
  g_autoptr (T2pnJournal) journal = read_file (runtime_dir, tunnel_id, error);

  if (journal != NULL)
    {
      take_over (journal);
      if (!write_file (journal, error))
        g_clear_pointer (&journal, t2pn_journal_free);
    }
  if (lock >= 0)
    close (lock);
  return g_steal_pointer (&journal);
}

static const T2pnEntry *
find_entry (const T2pnJournal *journal, T2pnEntryKind kind)
{
  for (guint i = journal->steps->len; i > 0; i--)
    {
      const Step *step = g_ptr_array_index (journal->steps, i - 1);

      for (guint j = step->entries->len; j > 0; j--)
        {
          const T2pnEntry *entry = g_ptr_array_index (step->entries, j - 1);

          if (entry->kind == kind)
            return entry;
        }
    }
  return NULL;
}

const char *
t2pn_journal_get_socket (const T2pnJournal *journal)
{
  const T2pnEntry *entry = find_entry (journal, T2PN_ENTRY_SOCKET);

  return entry != NULL ? entry->u.socket : NULL;
}

gboolean
t2pn_journal_get_device (const T2pnJournal *journal, const char **out_ifname, int *out_ifindex)
{
  const T2pnEntry *entry = find_entry (journal, T2PN_ENTRY_DEVICE);

  if (entry == NULL)
    return FALSE;
  *out_ifname = entry->u.device.name;
  *out_ifindex = entry->u.device.ifindex;
  return TRUE;
}

static char **
list_all (const char *runtime_dir)
{
  g_autofree char *folder = journal_folder (runtime_dir);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_autoptr (GStrvBuilder) ids = g_strv_builder_new ();
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_suffix (name, SUFFIX))
      {
        g_autofree char *id = g_strndup (name, strlen (name) - strlen (SUFFIX));

        g_strv_builder_add (ids, id);
      }
  return g_strv_builder_end (ids);
}

char **
t2pn_journal_list_abandoned (const char *runtime_dir)
{
  g_auto (GStrv) all = list_all (runtime_dir);
  g_autoptr (GStrvBuilder) ids = g_strv_builder_new ();

  for (guint i = 0; all[i] != NULL; i++)
    {
      g_autoptr (T2pnJournal) journal = read_file (runtime_dir, all[i], NULL);

      if (journal != NULL && !t2pn_process_is_alive (&journal->owner))
        g_strv_builder_add (ids, all[i]);
    }
  return g_strv_builder_end (ids);
}

/* --- undoing */

/* Keeps the first failure, and goes on. */
static void
keep_first (GError **first, GError *failure)
{
  if (failure == NULL)
    return;
  if (*first == NULL)
    *first = failure;
  else
    g_error_free (failure);
}

static void
undo_entries (const Step *step, T2pnUndo *undo, GError **first)
{
  for (guint i = step->entries->len; i > 0; i--)
    {
      GError *failure = NULL;

      if (!t2pn_undo_entry (undo, g_ptr_array_index (step->entries, i - 1), &failure))
        keep_first (first, failure);
    }
}

static gboolean
take_result (GError *first, GError **error)
{
  if (first == NULL)
    return TRUE;
  g_propagate_error (error, first);
  return FALSE;
}

gboolean
t2pn_journal_undo_step (T2pnJournal *journal, const char *name, GError **error)
{
  g_autoptr (T2pnUndo) undo = t2pn_undo_new (journal->tunnel_id, FALSE, NULL);
  GError *first = NULL;
  GError *failure = NULL;

  for (guint i = journal->steps->len; i > 0; i--)
    {
      const Step *step = g_ptr_array_index (journal->steps, i - 1);

      if (strcmp (step->name, name) != 0)
        continue;
      undo_entries (step, undo, &first);
      if (first == NULL)
        g_ptr_array_remove_index (journal->steps, i - 1);
      break;
    }
  if (!write_file (journal, &failure))
    keep_first (&first, failure);
  return take_result (first, error);
}

static gboolean
undo_all (T2pnJournal *journal, gboolean is_dry_run, GPtrArray *lines, GError **error)
{
  g_autofree char *label = g_strdup_printf ("tunnel %s", journal->tunnel_id);
  g_autoptr (T2pnUndo) undo = t2pn_undo_new (label, is_dry_run, lines);
  g_autofree char *here = current_netns ();
  GError *first = NULL;

  if (strcmp (here, journal->netns) != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   "the journal of tunnel %s is of another network namespace",
                   journal->tunnel_id);
      return FALSE;
    }
  for (guint i = journal->steps->len; i > 0; i--)
    undo_entries (g_ptr_array_index (journal->steps, i - 1), undo, &first);
  if (first == NULL && !is_dry_run)
    {
      g_ptr_array_set_size (journal->steps, 0);
      unlink (journal->path);
    }
  return take_result (first, error);
}

gboolean
t2pn_journal_undo (T2pnJournal *journal, GError **error)
{
  return undo_all (journal, FALSE, NULL, error);
}

gboolean
t2pn_repair (const char *runtime_dir, gboolean dry_run, GPtrArray *out_lines, GError **error)
{
  int lock = lock_folder (runtime_dir);
  g_auto (GStrv) ids = list_all (runtime_dir);
  GError *first = NULL;

  for (guint i = 0; ids[i] != NULL; i++)
    {
      GError *failure = NULL;
      g_autoptr (T2pnJournal) journal = read_file (runtime_dir, ids[i], &failure);

      if (journal != NULL && !t2pn_process_is_alive (&journal->owner))
        undo_all (journal, dry_run, out_lines, &failure);
      keep_first (&first, failure);
    }
  if (lock >= 0)
    close (lock);
  return take_result (first, error);
}
