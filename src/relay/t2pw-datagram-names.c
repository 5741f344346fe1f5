/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A datagram to a virtual address goes to the proxy as one to a name, and what comes back comes
 * from an address, since proxies resolve the name and say no more of it. The application waits
 * for an answer from the virtual address. So the first answer from an address that nothing is
 * known of, with the port of a name that has not been answered yet, is taken for that name's;
 * from then on they belong together. What fits no name keeps its own source: anybody may send
 * to the mapping. */
#include "config.h"

#include "t2pw-datagram-names.h"

#include <string.h>

struct _T2pwDatagramName
{
  guint32 index; /* of the virtual names, pinned; NONE: an address */
  guint16 port;
  T2pIpAddress answers_from; /* of no family: not known yet */
};

static gboolean
is_entry (const T2pwDatagramName *entry, guint32 index, const T2pIpEndpoint *destination)
{
  return entry->index == index && entry->port == destination->port &&
         (index != T2PW_VIRTUAL_NONE ||
          t2p_ip_address_equal (&entry->answers_from, &destination->address));
}

/* The newest are asked for most. */
static gboolean
is_known (const T2pwDatagramNames *names, guint32 index, const T2pIpEndpoint *destination)
{
  for (guint i = names->n; i-- > 0;)
    if (is_entry (&names->entries[i], index, destination))
      return TRUE;
  return FALSE;
}

static void
forget_oldest (T2pwDatagramNames *names, T2pwVirtualNames *virtual_names, gint64 now_us)
{
  if (names->entries[0].index != T2PW_VIRTUAL_NONE)
    t2pw_virtual_names_unpin (virtual_names, names->entries[0].index, now_us);
  names->n--;
  memmove (names->entries, names->entries + 1, names->n * sizeof *names->entries);
}

/**
 * t2pw_datagram_names_add:
 * @index: of the name that @destination stands for, which is pinned while it is remembered
 *   here; %T2PW_VIRTUAL_NONE: @destination is meant as it is
 */
void
t2pw_datagram_names_add (T2pwDatagramNames *names,
                         T2pwVirtualNames *virtual_names,
                         guint32 index,
                         const T2pIpEndpoint *destination,
                         gint64 now_us)
{
  T2pwDatagramName entry = { .index = index, .port = destination->port };

  if (is_known (names, index, destination))
    return;
  if (names->n == T2PW_DATAGRAM_MAX_NAMES)
    forget_oldest (names, virtual_names, now_us);
  if (index == T2PW_VIRTUAL_NONE)
    entry.answers_from = destination->address;
  else
    t2pw_virtual_names_pin (virtual_names, index);
  names->entries = g_renew (T2pwDatagramName, names->entries, names->n + 1);
  names->entries[names->n++] = entry;
}

static T2pwDatagramName *
find_by_name (T2pwDatagramNames *names,
              const T2pwVirtualNames *virtual_names,
              const char *name,
              guint16 port)
{
  for (guint i = 0; i < names->n; i++)
    if (names->entries[i].index != T2PW_VIRTUAL_NONE && names->entries[i].port == port &&
        g_ascii_strcasecmp (
            t2pw_virtual_names_get_name (virtual_names, names->entries[i].index), name) == 0)
      return &names->entries[i];
  return NULL;
}

static T2pwDatagramName *
find_by_address (T2pwDatagramNames *names, const T2pIpEndpoint *from)
{
  T2pwDatagramName *unanswered = NULL;

  for (guint i = 0; i < names->n; i++)
    {
      T2pwDatagramName *entry = &names->entries[i];

      if (entry->port != from->port)
        continue;
      if (t2p_ip_address_equal (&entry->answers_from, &from->address))
        return entry;
      if (unanswered == NULL && entry->answers_from.family == AF_UNSPEC)
        unanswered = entry;
    }
  return unanswered;
}

/**
 * t2pw_datagram_names_find_source:
 * @name: (nullable): that the proxy told
 * @from: where an answer came from; with @name only its port is looked at
 * @family: of the application's socket
 * @out_address: (out): the virtual address that the application knows it by
 *
 * Returns: whether it came from one of the names
 */
gboolean
t2pw_datagram_names_find_source (T2pwDatagramNames *names,
                                 T2pwVirtualNames *virtual_names,
                                 const char *name,
                                 const T2pIpEndpoint *from,
                                 int family,
                                 T2pIpAddress *out_address)
{
  T2pwDatagramName *entry = name != NULL ? find_by_name (names, virtual_names, name, from->port)
                                         : find_by_address (names, from);

  if (entry == NULL || entry->index == T2PW_VIRTUAL_NONE)
    return FALSE;
  if (name == NULL)
    entry->answers_from = from->address;
  return t2pw_virtual_names_get_address (virtual_names, entry->index, family, out_address);
}

void
t2pw_datagram_names_clear (T2pwDatagramNames *names,
                           T2pwVirtualNames *virtual_names,
                           gint64 now_us)
{
  while (names->n > 0)
    forget_oldest (names, virtual_names, now_us);
  g_clear_pointer (&names->entries, g_free);
}
