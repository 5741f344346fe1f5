/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-journal-file.h"

#include "t2p-error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".json"
#define FORMAT_VERSION 1

static void
step_free (T2pnJournalStep *step)
{
  g_free (step->name);
  g_ptr_array_unref (step->entries);
  g_free (step);
}

T2pnJournalStep *
t2pn_journal_add_step (T2pnJournal *journal, const char *name)
{
  T2pnJournalStep *step = g_new0 (T2pnJournalStep, 1);

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

char *
t2pn_journal_current_netns (void)
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
  journal->netns = t2pn_journal_current_netns ();
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
      const T2pnJournalStep *step = g_ptr_array_index (journal->steps, i);
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

gboolean
t2pn_journal_write (const T2pnJournal *journal, GError **error)
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

/* --- reading */

static void
read_step (T2pnJournal *journal, JsonObject *object)
{
  JsonNode *entries = json_object_get_member (object, "entries");
  T2pnJournalStep *step = t2pn_journal_add_step (
      journal, json_object_get_string_member_with_default (object, "step", ""));
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

T2pnJournal *
t2pn_journal_read (const char *runtime_dir, const char *tunnel_id, GError **error)
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

int
t2pn_journal_lock_folder (const char *runtime_dir)
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
  int lock = t2pn_journal_lock_folder (runtime_dir);
  g_autoptr (T2pnJournal) journal = t2pn_journal_read (runtime_dir, tunnel_id, error);

  if (journal != NULL)
    {
      take_over (journal);
      if (!t2pn_journal_write (journal, error))
        g_clear_pointer (&journal, t2pn_journal_free);
    }
  if (lock >= 0)
    close (lock);
  return g_steal_pointer (&journal);
}

char **
t2pn_journal_list_all (const char *runtime_dir)
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
