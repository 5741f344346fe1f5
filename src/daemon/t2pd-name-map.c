/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-name-map.h"

#include "t2p-name-record.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static gboolean
find_pool (GVariant *settings, T2pIpPrefix *out_pool)
{
  const char *mode = "";
  const char *pool = "";

  g_variant_lookup (settings, "dns", "&s", &mode);
  g_variant_lookup (settings, "dns-pool4", "&s", &pool);
  return g_str_equal (mode, "virtual") && t2p_ip_prefix_parse (pool, out_pool, NULL) &&
         out_pool->address.family == AF_INET;
}

/* Whether these settings of Start give virtual addresses out. */
gboolean
t2pd_name_map_is_wanted (GVariant *start_settings)
{
  T2pIpPrefix ignored;

  return find_pool (start_settings, &ignored);
}

/* What the workers are given can grow and shrink as little as its seals can be changed: none of
 * them can make it larger, or the next one trip over its end. */
static gboolean
seal (int fd, gsize bytes)
{
  return ftruncate (fd, (off_t) bytes) == 0 && fcntl (fd, F_ADD_SEALS, SEALS) == 0;
}

static int
name_map_new (const T2pIpPrefix *pool, GError **error)
{
  int fd = memfd_create ("tun2proxy-names", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  if (fd < 0 || !seal (fd, t2p_name_map_bytes (pool)))
    {
      int code = errno;

      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code),
                   "cannot make the memory for virtual names: %s", g_strerror (code));
      if (fd >= 0)
        close (fd);
      return -1;
    }
  return fd;
}

/* A worker begins anew by itself in what was another pool's of the same size. */
static gboolean
fits (int fd, const T2pIpPrefix *pool)
{
  struct stat status;

  return fcntl (fd, F_GET_SEALS) == SEALS && fstat (fd, &status) == 0 &&
         status.st_size == (off_t) t2p_name_map_bytes (pool);
}

char *
t2pd_name_map_make_key (guint32 owner_uid, const char *tunnel_name)
{
  return g_strdup_printf ("names-%u-%s", owner_uid, tunnel_name);
}

/**
 * t2pd_name_map_obtain:
 * @start_settings: for which t2pd_name_map_is_wanted() holds
 * @key: under which @store keeps it
 *
 * Returns: (transfer full): what a service before us has left, or an empty one, kept from now
 *   on; -1 with @error set
 */
int
t2pd_name_map_obtain (GVariant *start_settings,
                      T2pdFdStore *store,
                      const char *key,
                      GError **error)
{
  T2pIpPrefix pool = { .length = 32 };
  int fd = t2pd_fd_store_take (store, key);

  find_pool (start_settings, &pool);
  if (fd >= 0 && fits (fd, &pool))
    return fd;
  if (fd >= 0)
    {
      close (fd);
      t2pd_fd_store_forget (store, key);
    }
  fd = name_map_new (&pool, error);
  if (fd >= 0)
    t2pd_fd_store_keep (store, key, fd);
  return fd;
}
