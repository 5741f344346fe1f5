/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-name-map.h"

#include "t2p-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct _T2pwNameMap
{
  int fd;
  guint8 *bytes;
  gsize size;
  guint32 end;
};

/* A file that somebody could cut would kill us with SIGBUS. */
static gboolean
check_file (int fd, gsize size, GError **error)
{
  const int wanted = F_SEAL_SHRINK | F_SEAL_GROW;
  int seals = fcntl (fd, F_GET_SEALS);
  struct stat status;

  if (seals >= 0 && (seals & wanted) == wanted && fstat (fd, &status) == 0 &&
      status.st_size == (off_t) size)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
               "names: expected a memfd of %" G_GSIZE_FORMAT
               " bytes that can neither grow nor shrink",
               size);
  return FALSE;
}

static guint8 *
slot_of (const T2pwNameMap *map, guint32 index)
{
  return map->bytes + (gsize) index * T2P_NAME_RECORD_BYTES;
}

/* A place as it is, or an empty one. By a system call: it costs no page where nothing was
 * written yet, and what is read is a copy, which nobody who shares the memory can change any
 * more. */
static void
read_slot (const T2pwNameMap *map, guint32 index, guint8 slot[T2P_NAME_RECORD_BYTES])
{
  gssize n =
      pread (map->fd, slot, T2P_NAME_RECORD_BYTES, (off_t) index * T2P_NAME_RECORD_BYTES);

  if (n != T2P_NAME_RECORD_BYTES)
    memset (slot, 0, T2P_NAME_RECORD_BYTES);
}

/* Begins anew when it is for something else. */
static void
check_header (T2pwNameMap *map, const T2pIpPrefix *pool4, const T2pIpPrefix *pool6)
{
  guint8 expected[T2P_NAME_RECORD_BYTES];
  guint8 found[T2P_NAME_RECORD_BYTES];

  t2p_name_map_write_header (expected, pool4, pool6);
  read_slot (map, 0, found);
  if (memcmp (found, expected, sizeof expected) == 0)
    return;
  if (fallocate (map->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t) map->size) < 0)
    memset (map->bytes, 0, map->size);
  memcpy (map->bytes, expected, sizeof expected);
}

/**
 * t2pw_name_map_open:
 * @fd: (transfer full): also taken on failure
 * @pool6: (nullable): none
 *
 * Errors: T2P_ERROR_INVALID_FD.
 */
T2pwNameMap *
t2pw_name_map_open (int fd, const T2pIpPrefix *pool4, const T2pIpPrefix *pool6, GError **error)
{
  gsize size = t2p_name_map_bytes (pool4);
  T2pwNameMap *map;
  void *bytes;

  if (!check_file (fd, size, error))
    {
      close (fd);
      return NULL;
    }
  bytes = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD, "names: cannot be mapped: %s",
                   g_strerror (errno));
      close (fd);
      return NULL;
    }
  map = g_new0 (T2pwNameMap, 1);
  map->fd = fd;
  map->bytes = bytes;
  map->size = size;
  map->end = t2p_name_map_end (pool4);
  check_header (map, pool4, pool6);
  return map;
}

/* What it holds stays for the next. */
void
t2pw_name_map_free (T2pwNameMap *map)
{
  munmap (map->bytes, map->size);
  close (map->fd);
  g_free (map);
}

T2pNameRecordState
t2pw_name_map_read (const T2pwNameMap *map, guint32 index, T2pNameRecord *out_record)
{
  guint8 slot[T2P_NAME_RECORD_BYTES];

  read_slot (map, index, slot);
  return t2p_name_record_read (slot, index, out_record);
}

void
t2pw_name_map_write (T2pwNameMap *map, guint32 index, const T2pNameRecord *record)
{
  g_return_if_fail (index < map->end);

  t2p_name_record_write (slot_of (map, index), index, record);
}

void
t2pw_name_map_touch (T2pwNameMap *map, guint32 index, const T2pNameRecord *record)
{
  g_return_if_fail (index < map->end);

  t2p_name_record_touch (slot_of (map, index), record);
}
