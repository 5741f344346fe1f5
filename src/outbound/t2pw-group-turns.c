/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Many sites bind a login to the address that it came from. So in a rotation the flows from one
 * address to one host have one turn together: whoever had none for a while gets the next, and
 * keeps it as long as flows follow.
 *
 * The memory is a table of a fixed size, addressed by a hash: two pairs that meet in a place
 * displace each other, and what is lost is no more than the habit. Nothing is ever freed or
 * searched. */
#include "config.h"

#include "t2pw-group-turns.h"

/* Of 24 bytes each. A person's programs talk to some hundreds of hosts in ten minutes. */
#define N_PLACES 1024

#define FNV_OFFSET G_GUINT64_CONSTANT (0xcbf29ce484222325)
#define FNV_PRIME G_GUINT64_CONSTANT (0x100000001b3)

typedef struct
{
  guint64 key;
  gint64 used_us; /* 0: never */
  guint member;
} Place;

struct _T2pwGroupTurns
{
  Place places[N_PLACES];
};

T2pwGroupTurns *
t2pw_group_turns_new (void)
{
  return g_new0 (T2pwGroupTurns, 1);
}

void
t2pw_group_turns_free (T2pwGroupTurns *turns)
{
  g_free (turns);
}

static guint64
hash_bytes (guint64 hash, const guint8 *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++)
    hash = (hash ^ bytes[i]) * FNV_PRIME;
  return hash;
}

static guint64
hash_address (guint64 hash, const T2pIpAddress *address)
{
  return hash_bytes (hash, (const guint8 *) address, sizeof *address);
}

/* The same for all ports of a host, and whatever the case of its name. */
guint64
t2pw_group_turns_key (const T2pwDestination *destination)
{
  guint64 hash = hash_address (FNV_OFFSET, &destination->source);

  if (destination->name == NULL)
    return hash_address (hash, &destination->address);
  for (const char *at = destination->name; *at != '\0'; at++)
    {
      guint8 letter = (guint8) g_ascii_tolower (*at);

      hash = hash_bytes (hash, &letter, 1);
    }
  return hash;
}

/* The low bits of this hash are its worst. */
static guint
place_of (guint64 key)
{
  return (guint) ((key ^ (key >> 32)) % N_PLACES);
}

gboolean
t2pw_group_turns_recall (const T2pwGroupTurns *turns,
                         guint64 key,
                         gint64 now_us,
                         guint *out_member)
{
  const Place *place = &turns->places[place_of (key)];

  if (place->used_us == 0 || place->key != key ||
      now_us - place->used_us > T2PW_GROUP_TURN_MS * G_GINT64_CONSTANT (1000))
    return FALSE;
  *out_member = place->member;
  return TRUE;
}

void
t2pw_group_turns_remember (T2pwGroupTurns *turns, guint64 key, gint64 now_us, guint member)
{
  turns->places[place_of (key)] = (Place){ key, now_us, member };
}
