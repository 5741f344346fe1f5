/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-descriptors.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2p-quote.h"
#include "t2pn-netns.h"

#include <string.h>
#include <unistd.h>

#define NETNS "netns"
#define TUN "tun"
#define PREFIX "fd:"

typedef struct
{
  char *name;
  int fd;
} Descriptor;

struct _T2pdDescriptors
{
  gatomicrefcount ref_count;
  GArray *list; /* of Descriptor: files */
  int netns;
};

static void
descriptor_clear (gpointer data)
{
  Descriptor *descriptor = data;

  g_free (descriptor->name);
  close (descriptor->fd);
}

T2pdDescriptors *
t2pd_descriptors_ref (T2pdDescriptors *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
t2pd_descriptors_unref (T2pdDescriptors *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->ref_count))
    return;
  if (self->netns >= 0)
    close (self->netns);
  g_array_unref (self->list);
  g_free (self);
}

/* --- reading */

static gboolean
check_number (GVariant *names, GUnixFDList *list, GError **error)
{
  gsize n_names = g_variant_n_children (names);
  int n_fds = list != NULL ? g_unix_fd_list_get_length (list) : 0;

  if (n_names > T2P_MAX_FILES + 2)
    g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                 "descriptors: %" G_GSIZE_FORMAT " seen, at most %d expected", n_names,
                 T2P_MAX_FILES + 2);
  else if (n_names != (gsize) n_fds)
    g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
                 "descriptors: %d came with the message, %" G_GSIZE_FORMAT " expected", n_fds,
                 n_names);
  else
    return TRUE;
  return FALSE;
}

static gboolean
check_name (const T2pdDescriptors *self, const char *name, GError **error)
{
  g_autofree char *seen = t2p_quote (name);
  gboolean is_good = name[0] != '\0' && strlen (name) <= T2P_MAX_NAME_BYTES;

  for (const char *at = name; is_good && *at != '\0'; at++)
    is_good = g_ascii_isalnum (*at) || strchr ("._-", *at) != NULL;
  for (guint i = 0; is_good && i < self->list->len; i++)
    is_good = !g_str_equal (g_array_index (self->list, Descriptor, i).name, name);
  if (is_good && g_str_equal (name, NETNS))
    is_good = self->netns < 0;
  if (!is_good)
    g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                 "descriptors: %s seen, expected different names of letters, digits, '.', '_' "
                 "and '-'",
                 seen);
  return is_good;
}

static gboolean
take (T2pdDescriptors *self, const char *name, int fd, guint32 uid, GError **error)
{
  Descriptor descriptor = { NULL, fd };

  if (g_str_equal (name, NETNS))
    {
      self->netns = fd;
      return t2pn_netns_check (fd, uid, error);
    }
  descriptor.name = g_strdup (name);
  g_array_append_val (self->list, descriptor);
  if (!g_str_equal (name, TUN))
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
               "descriptors: 'tun' is not supported by this version");
  return FALSE;
}

/* Numbers are places in the list that came with the message; each is there for one name. */
static gboolean
take_all (
    T2pdDescriptors *self, GVariant *names, GUnixFDList *list, guint32 uid, GError **error)
{
  g_autofree gboolean *is_used = g_new0 (gboolean, g_variant_n_children (names) + 1);
  GVariantIter iter;
  const char *name;
  gint32 place;

  g_variant_iter_init (&iter, names);
  while (g_variant_iter_next (&iter, "{&sh}", &name, &place))
    {
      int fd;

      if (!check_name (self, name, error))
        return FALSE;
      if (place < 0 || (gsize) place >= g_variant_n_children (names) || is_used[place])
        {
          g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
                       "descriptors: '%s' has number %d, expected each once", name, place);
          return FALSE;
        }
      is_used[place] = TRUE;
      fd = g_unix_fd_list_get (list, place, error);
      if (fd < 0 || !take (self, name, fd, uid, error))
        return FALSE;
    }
  return TRUE;
}

T2pdDescriptors *
t2pd_descriptors_new (GVariant *names, GUnixFDList *list, guint32 uid, GError **error)
{
  g_autoptr (T2pdDescriptors) self = NULL;

  if (!check_number (names, list, error))
    return NULL;
  self = g_new0 (T2pdDescriptors, 1);
  g_atomic_ref_count_init (&self->ref_count);
  self->netns = -1;
  self->list = g_array_new (FALSE, FALSE, sizeof (Descriptor));
  g_array_set_clear_func (self->list, descriptor_clear);
  return take_all (self, names, list, uid, error) ? g_steal_pointer (&self) : NULL;
}

int
t2pd_descriptors_get_netns (const T2pdDescriptors *self)
{
  return self != NULL ? self->netns : -1;
}

int
t2pd_descriptors_find_file (const T2pdDescriptors *self, const char *setting)
{
  if (self == NULL || !g_str_has_prefix (setting, PREFIX))
    return -1;
  for (guint i = 0; i < self->list->len; i++)
    if (g_str_equal (g_array_index (self->list, Descriptor, i).name, setting + strlen (PREFIX)))
      return g_array_index (self->list, Descriptor, i).fd;
  return -1;
}

const char *
t2pd_descriptors_get_file_name (const T2pdDescriptors *self, guint index)
{
  return index < self->list->len ? g_array_index (self->list, Descriptor, index).name : NULL;
}
