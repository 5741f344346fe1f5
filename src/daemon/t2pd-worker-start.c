/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-worker-start.h"

#include "t2pd-name-map.h"
#include "t2pd-worker-row.h"

#include <unistd.h>

#define MAX_WARNINGS 16

struct _T2pdWorkerStart
{
  GVariant *settings;
  int queue_fd;
  T2pdFiles *files; /* NULL: none */
  T2pdFdStore *store;
  const char *names_key; /* there */
  int names_fd;          /* of the virtual names; -1: none yet */
};

T2pdWorkerStart *
t2pd_worker_start_new (GVariant *settings,
                       int queue_fd,
                       T2pdFiles *files,
                       T2pdFdStore *store,
                       const char *names_key)
{
  T2pdWorkerStart *self = g_new0 (T2pdWorkerStart, 1);

  self->settings = g_variant_ref_sink (settings);
  self->queue_fd = queue_fd;
  self->files = files != NULL ? t2pd_files_ref (files) : NULL;
  self->store = store;
  self->names_key = names_key;
  self->names_fd = -1;
  return self;
}

void
t2pd_worker_start_free (T2pdWorkerStart *self)
{
  g_variant_unref (self->settings);
  g_clear_pointer (&self->files, t2pd_files_unref);
  if (self->names_fd >= 0)
    close (self->names_fd);
  g_free (self);
}

/* The same memory for each worker: addresses go on standing for their names. */
static gboolean
add_names (T2pdWorkerStart *self, GVariantDict *dict, GUnixFDList *fds, GError **error)
{
  int handle;

  if (!t2pd_name_map_is_wanted (self->settings))
    return TRUE;
  if (self->names_fd < 0)
    self->names_fd = t2pd_name_map_obtain (self->settings, self->store, self->names_key, error);
  handle = self->names_fd >= 0 ? g_unix_fd_list_append (fds, self->names_fd, error) : -1;
  if (handle < 0)
    return FALSE;
  g_variant_dict_insert (dict, "names", "h", handle);
  return TRUE;
}

/* The queue is the first descriptor. */
GVariant *
t2pd_worker_start_make (T2pdWorkerStart *self, GUnixFDList *fds, GError **error)
{
  g_auto (GVariantDict) dict = G_VARIANT_DICT_INIT (self->settings);
  const int queue = g_unix_fd_list_append (fds, self->queue_fd, error);
  GVariant *handles = NULL;

  if (queue < 0)
    return NULL;
  if (self->files != NULL)
    {
      handles = t2pd_files_pass (self->files, NULL, fds, error);
      if (handles == NULL)
        return NULL;
      g_variant_dict_insert_value (&dict, "files", handles);
    }
  if (!add_names (self, &dict, fds, error))
    return NULL;
  return g_variant_new ("(@a{sv}h)", g_variant_dict_end (&dict), queue);
}

char **
t2pd_worker_start_read_warnings (GVariant *reply)
{
  g_autoptr (GVariant) warnings = g_variant_get_child_value (reply, 0);
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  gsize n = MIN (g_variant_n_children (warnings), MAX_WARNINGS);

  for (gsize i = 0; i < n; i++)
    {
      const char *text;
      g_autofree char *clean = NULL;

      g_variant_get_child (warnings, i, "&s", &text);
      clean = t2pd_worker_row_clean_text (text);
      g_strv_builder_add (builder, clean);
    }
  return g_strv_builder_end (builder);
}
