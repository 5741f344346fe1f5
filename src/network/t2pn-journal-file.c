/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-journal-file.h"

#include "t2p-error.h"
#include "t2p-limits.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".json"
#define ASIDE ".bad"
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
  if (strlen (text) > T2P_MAX_JOURNAL_BYTES)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                   "the journal would have %zu bytes, expected at most %d", strlen (text),
                   T2P_MAX_JOURNAL_BYTES);
      return FALSE;
    }
  /* By rename, without fsync(): a runtime directory does not outlive the machine either. */
  return g_file_set_contents_full (journal->path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT,
                                   0600, error);
}

/* --- reading */

static const char *
take_text (T2pnJournal *journal, JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  if (node != NULL && json_node_get_value_type (node) == G_TYPE_STRING)
    return json_node_get_string (node);
  journal->is_damaged = TRUE;
  return "";
}

static gint64
take_number (T2pnJournal *journal, JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  if (node != NULL && json_node_get_value_type (node) == G_TYPE_INT64)
    return json_node_get_int (node);
  journal->is_damaged = TRUE;
  return 0;
}

/* NULL when it is none. */
static JsonArray *
take_array (T2pnJournal *journal, JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  if (node != NULL && JSON_NODE_HOLDS_ARRAY (node))
    return json_node_get_array (node);
  journal->is_damaged = TRUE;
  return NULL;
}

/* NULL when it is none. */
static JsonObject *
take_element (T2pnJournal *journal, JsonArray *array, guint index)
{
  JsonNode *node = json_array_get_element (array, index);

  if (JSON_NODE_HOLDS_OBJECT (node))
    return json_node_get_object (node);
  journal->is_damaged = TRUE;
  return NULL;
}

static void
read_step (T2pnJournal *journal, JsonObject *object)
{
  T2pnJournalStep *step = t2pn_journal_add_step (journal, take_text (journal, object, "step"));
  JsonArray *array = take_array (journal, object, "entries");

  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    {
      JsonObject *element = take_element (journal, array, i);
      T2pnEntry *entry = element != NULL ? t2pn_entry_from_json (element) : NULL;

      if (entry != NULL)
        g_ptr_array_add (step->entries, entry);
      else
        journal->is_damaged = TRUE;
    }
}

static void
read_journal (T2pnJournal *journal, JsonObject *object)
{
  JsonArray *array;

  journal->netns = g_strdup (take_text (journal, object, "network-namespace"));
  journal->owner.pid = (pid_t) take_number (journal, object, "owner-pid");
  journal->owner.start_time = (guint64) take_number (journal, object, "owner-start-time");
  array = take_array (journal, object, "steps");
  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    {
      JsonObject *step = take_element (journal, array, i);

      if (step != NULL)
        read_step (journal, step);
    }
}

/* The parser calls itself for each bracket: a file of nothing else would end the stack. */
static gboolean
is_shallow (const char *text, gsize length)
{
  guint depth = 0;
  gboolean is_quoted = FALSE;

  for (gsize i = 0; i < length; i++)
    if (is_quoted && text[i] == '\\')
      i++;
    else if (text[i] == '"')
      is_quoted = !is_quoted;
    else if (!is_quoted && (text[i] == '[' || text[i] == '{'))
      {
        if (++depth > T2P_MAX_JOURNAL_DEPTH)
          return FALSE;
      }
    else if (!is_quoted && (text[i] == ']' || text[i] == '}') && depth > 0)
      depth--;
  return TRUE;
}

static gboolean
parse_file (JsonParser *parser, const char *path, GError **error)
{
  g_autofree char *text = NULL;
  gsize length;

  if (!g_file_get_contents (path, &text, &length, error))
    return FALSE;
  if (is_shallow (text, length) && g_utf8_validate_len (text, length, NULL))
    return json_parser_load_from_data (parser, text, (gssize) length, error);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s is no journal", path);
  return FALSE;
}

/* What it tells us to do is done with our rights: nobody else may have written it. */
static gboolean
check_permissions (const char *path, GError **error)
{
  struct stat status;

  if (lstat (path, &status) != 0 || !S_ISREG (status.st_mode) || status.st_uid != geteuid () ||
      (status.st_mode & 022) != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                   "%s is missing, or somebody else could have written it", path);
      return FALSE;
    }
  if (status.st_size <= T2P_MAX_JOURNAL_BYTES)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
               "%s has more than %d bytes, which no journal has", path, T2P_MAX_JOURNAL_BYTES);
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
  if (!check_permissions (journal->path, error) || !parse_file (parser, journal->path, error))
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

gboolean
t2pn_journal_set_aside (const char *runtime_dir, const char *tunnel_id, GError **error)
{
  g_autofree char *folder = journal_folder (runtime_dir);
  g_autofree char *file = g_strconcat (tunnel_id, SUFFIX, NULL);
  g_autofree char *path = g_build_filename (folder, file, NULL);
  g_autofree char *aside = g_strconcat (path, ASIDE, NULL);
  int errsv;

  if (rename (path, aside) == 0)
    return TRUE;
  errsv = errno;
  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv),
               "could not set %s aside: %s", path, g_strerror (errsv));
  return FALSE;
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
