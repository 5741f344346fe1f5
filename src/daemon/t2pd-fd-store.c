/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * The service manager passes what it holds when it starts us (LISTEN_FDS, LISTEN_FDNAMES), and
 * goes on holding it: so a descriptor has to be told of once, and lives until we say that it is
 * forgotten, or the service is stopped for good. */

#include "t2pd-fd-store.h"

#include "t2p-log.h"

#include <fcntl.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define UNCLAIMED_S 3600

struct _T2pdFdStore
{
  GHashTable *left; /* name → descriptor, of the process before us */
  guint give_up_id;
};

static void
close_fd (gpointer data)
{
  close (GPOINTER_TO_INT (data));
}

static void
tell (const char *what, const char *name, const int *fds, unsigned n_fds)
{
  g_autofree char *message = g_strdup_printf ("%s=1\nFDNAME=%s", what, name);
  int result = sd_pid_notify_with_fds (0, 0, message, fds, n_fds);

  if (result < 0)
    t2p_log_info (NULL, NULL, "the service manager was not told %s of '%s': %s, ignoring", what,
                  name, g_strerror (-result));
}

void
t2pd_fd_store_forget (T2pdFdStore *self, const char *name)
{
  g_hash_table_remove (self->left, name);
  tell ("FDSTOREREMOVE", name, NULL, 0);
}

static gboolean
give_up_cb (gpointer user_data)
{
  T2pdFdStore *self = user_data;
  GHashTableIter iter;
  gpointer name;

  g_hash_table_iter_init (&iter, self->left);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    {
      tell ("FDSTOREREMOVE", name, NULL, 0);
      g_hash_table_iter_remove (&iter);
    }
  self->give_up_id = 0;
  return G_SOURCE_REMOVE;
}

T2pdFdStore *
t2pd_fd_store_new (void)
{
  T2pdFdStore *self = g_new0 (T2pdFdStore, 1);
  g_auto (GStrv) names = NULL;
  int n = sd_listen_fds_with_names (TRUE, &names);

  self->left = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, close_fd);
  for (int i = 0; i < n; i++)
    g_hash_table_insert (self->left, g_strdup (names[i]),
                         GINT_TO_POINTER (SD_LISTEN_FDS_START + i));
  if (g_hash_table_size (self->left) > 0)
    self->give_up_id = g_timeout_add_seconds (UNCLAIMED_S, give_up_cb, self);
  return self;
}

void
t2pd_fd_store_free (T2pdFdStore *self)
{
  if (self->give_up_id != 0)
    g_source_remove (self->give_up_id);
  g_hash_table_unref (self->left);
  g_free (self);
}

int
t2pd_fd_store_take (T2pdFdStore *self, const char *name)
{
  gpointer key, value;

  if (!g_hash_table_steal_extended (self->left, name, &key, &value))
    return -1;
  g_free (key);
  return GPOINTER_TO_INT (value);
}

void
t2pd_fd_store_keep (T2pdFdStore *self, const char *name, int fd)
{
  tell ("FDSTORE", name, &fd, 1);
}
