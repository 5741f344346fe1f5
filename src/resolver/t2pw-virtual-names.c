/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Entries are handed out in order, from a place of the pool that chance chooses, until it is
 * used up; then the one that was used longest ago is given to another name, if its last answer
 * and its last flow are T2P_VIRTUAL_NAME_ QUARANTINE_S old: an application may keep an address
 * that long, and must never reach another name by it. When there is none, one goes that no flow
 * has ever used and that was asked for T2P_VIRTUAL_NAME_UNUSED_S ago: else whoever asks for
 * many names would take the pool from all others for long. Else the pool is full. Entries that
 * flows have pinned are no candidates at all. The candidates are in two lists, those that a
 * flow has used and those not, threaded through the entries by index.
 *
 * With a name map, each change is written there too, and a worker that comes after this one
 * goes on from it: the same addresses stand for the same names, and quarantines last as long as
 * they would have. Times are of CLOCK_MONOTONIC, which is that of the machine and not of a
 * process. Whatever is wrong in the map stands for nothing, and its address rests. */
#include "config.h"

#include "t2pw-virtual-names.h"

#include "t2p-limits.h"

#include <string.h>

#define QUARANTINE_US ((gint64) T2P_VIRTUAL_NAME_QUARANTINE_S * G_USEC_PER_SEC)
#define UNUSED_US ((gint64) T2P_VIRTUAL_NAME_UNUSED_S * G_USEC_PER_SEC)

typedef struct
{
  char *name;
  gint64 used_us;
  guint32 pins;
  guint32 older; /* neighbours in the list of candidates; 0: the end */
  guint32 newer;
  gboolean was_pinned; /* with this name */
  gboolean was_given;  /* at some time: is or was in use */
} Entry;

typedef struct
{
  guint32 oldest;
  guint32 newest;
} Candidates;

struct _T2pwVirtualNames
{
  T2pIpPrefix pool4;
  T2pIpPrefix pool6; /* family 0: none */
  guint32 end;       /* behind the last index */
  Entry *entries;    /* by index; [0, RESERVED) stay empty */
  guint32 next;      /* index to look at for one that was never given away */
  guint32 n_unseen;  /* indexes from there on, around the end, not looked at yet */
  T2pwNameMap *map;  /* (nullable) */
  GHashTable *by_name;
  Candidates candidates[2]; /* by `was_pinned` */
};

/**
 * t2pw_virtual_names_new:
 * @pool4: at most a /29
 * @pool6: (nullable): for AAAA; as long as its host part holds what @pool4 has
 *
 * Returns: (transfer full): an empty map
 */
T2pwVirtualNames *
t2pw_virtual_names_new (const T2pIpPrefix *pool4, const T2pIpPrefix *pool6)
{
  T2pwVirtualNames *names;

  g_return_val_if_fail (pool4->address.family == AF_INET && pool4->length <= 29, NULL);
  g_return_val_if_fail (pool6 == NULL || pool6->length <= 96, NULL);

  names = g_new0 (T2pwVirtualNames, 1);
  names->pool4 = *pool4;
  if (pool6 != NULL)
    names->pool6 = *pool6;
  names->end = t2p_name_map_end (pool4);
  names->entries = g_new0 (Entry, names->end);
  names->next = T2PW_VIRTUAL_RESERVED;
  names->n_unseen = names->end - T2PW_VIRTUAL_RESERVED;
  names->by_name = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return names;
}

static Entry *
entry_at (const T2pwVirtualNames *names, guint32 index)
{
  return &names->entries[index];
}

static gboolean
is_known (const T2pwVirtualNames *names, guint32 index)
{
  return index >= T2PW_VIRTUAL_RESERVED && index < names->end;
}

void
t2pw_virtual_names_free (T2pwVirtualNames *names)
{
  g_hash_table_unref (names->by_name); /* frees the names */
  g_free (names->entries);
  g_clear_pointer (&names->map, t2pw_name_map_free);
  g_free (names);
}

static void
candidates_remove (T2pwVirtualNames *names, guint32 index)
{
  Entry *entry = entry_at (names, index);
  Candidates *list = &names->candidates[entry->was_pinned];

  *(entry->older != 0 ? &entry_at (names, entry->older)->newer : &list->oldest) = entry->newer;
  *(entry->newer != 0 ? &entry_at (names, entry->newer)->older : &list->newest) = entry->older;
  entry->older = entry->newer = 0;
}

static void
candidates_append (T2pwVirtualNames *names, guint32 index)
{
  Entry *entry = entry_at (names, index);
  Candidates *list = &names->candidates[entry->was_pinned];

  entry->older = list->newest;
  entry->newer = 0;
  *(list->newest != 0 ? &entry_at (names, list->newest)->newer : &list->oldest) = index;
  list->newest = index;
}

static void
entry_touch (T2pwVirtualNames *names, guint32 index, gint64 now_us)
{
  Entry *entry = entry_at (names, index);

  entry->used_us = now_us;
  if (entry->pins > 0)
    return;
  candidates_remove (names, index);
  candidates_append (names, index);
}

static gboolean
is_older (const T2pwVirtualNames *names, guint32 index, gint64 now_us, gint64 age_us)
{
  return index != 0 && now_us - entry_at (names, index)->used_us >= age_us;
}

/* NONE when each may still be in somebody's hands. */
static guint32
choose_candidate (const T2pwVirtualNames *names, gint64 now_us)
{
  guint32 unused = names->candidates[FALSE].oldest;
  guint32 used = names->candidates[TRUE].oldest;
  gboolean used_is_first = unused == 0 || (used != 0 && entry_at (names, used)->used_us <
                                                            entry_at (names, unused)->used_us);
  guint32 oldest = used_is_first ? used : unused;

  if (is_older (names, oldest, now_us, QUARANTINE_US))
    return oldest;
  return is_older (names, unused, now_us, UNUSED_US) ? unused : T2PW_VIRTUAL_NONE;
}

/* NONE when each was given away at some time. */
static guint32
take_unseen (T2pwVirtualNames *names)
{
  while (names->n_unseen > 0)
    {
      guint32 index = names->next;

      names->n_unseen--;
      names->next = index + 1 < names->end ? index + 1 : T2PW_VIRTUAL_RESERVED;
      if (entry_at (names, index)->was_given)
        continue;
      entry_at (names, index)->was_given = TRUE;
      candidates_append (names, index);
      return index;
    }
  return T2PW_VIRTUAL_NONE;
}

/* An index without a name that is in the list of candidates; NONE when the pool is full. */
static guint32
take_index (T2pwVirtualNames *names, gint64 now_us)
{
  guint32 index = take_unseen (names);
  Entry *entry;

  if (index != T2PW_VIRTUAL_NONE)
    return index;
  index = choose_candidate (names, now_us);
  if (index == T2PW_VIRTUAL_NONE)
    return T2PW_VIRTUAL_NONE;
  entry = entry_at (names, index);
  candidates_remove (names, index);
  entry->was_pinned = FALSE;
  candidates_append (names, index);
  if (entry->name != NULL)
    g_hash_table_remove (names->by_name, entry->name);
  entry->name = NULL;
  return index;
}

/* --- the map that outlives us */

static void
record_of (const Entry *entry, T2pNameRecord *out_record)
{
  *out_record = (T2pNameRecord){ .used_us = entry->used_us,
                                 .is_pinned = entry->pins > 0,
                                 .was_pinned = entry->was_pinned };
}

static void
note_name (T2pwVirtualNames *names, guint32 index)
{
  const Entry *entry = entry_at (names, index);
  T2pNameRecord record;

  if (names->map == NULL)
    return;
  record_of (entry, &record);
  g_strlcpy (record.name, entry->name, sizeof record.name);
  t2pw_name_map_write (names->map, index, &record);
}

static void
note_use (T2pwVirtualNames *names, guint32 index)
{
  T2pNameRecord record;

  if (names->map == NULL)
    return;
  record_of (entry_at (names, index), &record);
  t2pw_name_map_touch (names->map, index, &record);
}

static void
entry_set_name (T2pwVirtualNames *names, guint32 index, const char *name)
{
  Entry *entry = entry_at (names, index);

  entry->name = g_strdup (name);
  g_hash_table_insert (names->by_name, entry->name, GUINT_TO_POINTER (index));
}

/* Whoever used an address when its worker ended may still have it. */
static void
entry_adopt (T2pwVirtualNames *names, guint32 index, gint64 now_us)
{
  Entry *entry = entry_at (names, index);
  T2pNameRecord record;
  T2pNameRecordState state = t2pw_name_map_read (names->map, index, &record);
  gboolean is_good =
      state == T2P_NAME_RECORD_GOOD && !g_hash_table_contains (names->by_name, record.name);

  if (state == T2P_NAME_RECORD_EMPTY)
    return;
  entry->was_given = TRUE;
  entry->was_pinned = !is_good || record.was_pinned;
  entry->used_us = !is_good || record.is_pinned ? now_us : CLAMP (record.used_us, 0, now_us);
  if (!is_good)
    return;
  entry_set_name (names, index, record.name);
  note_use (names, index);
}

static int
compare_use (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const T2pwVirtualNames *names = user_data;
  gint64 a_us = entry_at (names, *(const guint32 *) a)->used_us;
  gint64 b_us = entry_at (names, *(const guint32 *) b)->used_us;

  return a_us < b_us ? -1 : a_us > b_us;
}

/**
 * t2pw_virtual_names_adopt:
 * @names: empty, with the pools that @map was opened for
 * @map: (transfer full)
 * @now_us: monotonic
 *
 * Goes on from what a worker before us has left, and leaves the same to the next.
 */
void
t2pw_virtual_names_adopt (T2pwVirtualNames *names, T2pwNameMap *map, gint64 now_us)
{
  g_autoptr (GArray) given = g_array_new (FALSE, FALSE, sizeof (guint32));

  names->map = map;
  for (guint32 i = T2PW_VIRTUAL_RESERVED; i < names->end; i++)
    {
      entry_adopt (names, i, now_us);
      if (entry_at (names, i)->was_given)
        g_array_append_val (given, i);
    }
  g_array_sort_with_data (given, compare_use, names);
  for (guint i = 0; i < given->len; i++)
    candidates_append (names, g_array_index (given, guint32, i));
}

/**
 * t2pw_virtual_names_shuffle:
 * @names: empty
 *
 * Begins somewhere in the pool: where nobody knows any more what addresses stood for, few of
 * them shall stand for another name soon.
 */
void
t2pw_virtual_names_shuffle (T2pwVirtualNames *names)
{
  names->next = (guint32) g_random_int_range (T2PW_VIRTUAL_RESERVED, (gint32) names->end);
}

/* --- use */

/**
 * t2pw_virtual_names_assign:
 * @name: lower case, without a dot at its end
 * @now_us: monotonic
 *
 * The index of @name, a new one when it has none, and begins its quarantine anew: to be called
 * for each answer.
 *
 * Returns: T2PW_VIRTUAL_NONE when the pool is full
 */
guint32
t2pw_virtual_names_assign (T2pwVirtualNames *names, const char *name, gint64 now_us)
{
  guint32 index = GPOINTER_TO_UINT (g_hash_table_lookup (names->by_name, name));

  if (index == T2PW_VIRTUAL_NONE)
    {
      index = take_index (names, now_us);
      if (index == T2PW_VIRTUAL_NONE)
        return T2PW_VIRTUAL_NONE;
      entry_set_name (names, index, name);
      entry_touch (names, index, now_us);
      note_name (names, index);
      return index;
    }
  entry_touch (names, index, now_us);
  note_use (names, index);
  return index;
}

/**
 * t2pw_virtual_names_covers:
 *
 * Whether @address lies in a pool, with a name or without: it must never reach a proxy.
 */
gboolean
t2pw_virtual_names_covers (const T2pwVirtualNames *names, const T2pIpAddress *address)
{
  if (address->family == AF_INET)
    return t2p_ip_prefix_contains (&names->pool4, address);
  return names->pool6.address.family == AF_INET6 &&
         t2p_ip_prefix_contains (&names->pool6, address);
}

static guint32
low_word (const T2pIpAddress *address)
{
  guint32 word;

  memcpy (&word, address->bytes + 12, sizeof word);
  return GUINT32_FROM_BE (word);
}

/**
 * t2pw_virtual_names_find:
 *
 * Returns: the index of the name that @address stands for, or T2PW_VIRTUAL_NONE
 */
guint32
t2pw_virtual_names_find (const T2pwVirtualNames *names, const T2pIpAddress *address)
{
  T2pIpAddress expected;
  guint32 index;

  if (!t2pw_virtual_names_covers (names, address))
    return T2PW_VIRTUAL_NONE;
  if (address->family == AF_INET)
    index = t2p_ip_address_to_v4 (address) - t2p_ip_address_to_v4 (&names->pool4.address);
  else
    index = low_word (address);
  if (!t2pw_virtual_names_get_address (names, index, address->family, &expected))
    return T2PW_VIRTUAL_NONE;
  return t2p_ip_address_equal (address, &expected) ? index : T2PW_VIRTUAL_NONE;
}

/**
 * t2pw_virtual_names_get_name:
 *
 * Returns: (nullable): valid while the entry is pinned, or until the next assignment
 */
const char *
t2pw_virtual_names_get_name (const T2pwVirtualNames *names, guint32 index)
{
  return is_known (names, index) ? entry_at (names, index)->name : NULL;
}

/**
 * t2pw_virtual_names_get_address:
 * @family: AF_INET or AF_INET6
 *
 * FALSE when @index has no name, or the family no pool.
 */
gboolean
t2pw_virtual_names_get_address (const T2pwVirtualNames *names,
                                guint32 index,
                                int family,
                                T2pIpAddress *out_address)
{
  guint32 low = GUINT32_TO_BE (index);

  if (t2pw_virtual_names_get_name (names, index) == NULL)
    return FALSE;
  if (family == AF_INET)
    {
      *out_address =
          t2p_ip_address_from_v4 (t2p_ip_address_to_v4 (&names->pool4.address) + index);
      return TRUE;
    }
  if (names->pool6.address.family != AF_INET6)
    return FALSE;
  *out_address = names->pool6.address;
  memcpy (out_address->bytes + 12, &low, sizeof low);
  return TRUE;
}

/**
 * t2pw_virtual_names_pin:
 * @index: with a name
 *
 * A flow uses the address: it is not given away until as many unpins have come.
 */
void
t2pw_virtual_names_pin (T2pwVirtualNames *names, guint32 index)
{
  g_return_if_fail (is_known (names, index));

  if (entry_at (names, index)->pins++ == 0)
    candidates_remove (names, index);
  entry_at (names, index)->was_pinned = TRUE;
  note_use (names, index);
}

void
t2pw_virtual_names_unpin (T2pwVirtualNames *names, guint32 index, gint64 now_us)
{
  Entry *entry;

  g_return_if_fail (is_known (names, index) && entry_at (names, index)->pins > 0);

  entry = entry_at (names, index);
  entry->used_us = now_us;
  if (--entry->pins == 0)
    candidates_append (names, index);
  note_use (names, index);
}

guint
t2pw_virtual_names_get_n_used (const T2pwVirtualNames *names)
{
  return g_hash_table_size (names->by_name);
}
