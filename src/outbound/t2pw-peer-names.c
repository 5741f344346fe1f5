/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-peer-names.h"

#include "t2p-cursor.h"

/* Of one application socket; the oldest goes. */
#define MAX_NAMES 64
/* Datagrams that wait for one name. */
#define MAX_WAITING 16

typedef struct
{
  T2pwPeerNames *peers;
  char *name;
  gpointer lookup;      /* NULL: none is under way */
  T2pIpAddress address; /* of no family: not known */
  GQueue waiting;       /* GBytes: the port, then the datagram */
} Name;

static void
name_free (gpointer data)
{
  Name *name = data;

  if (name->lookup != NULL)
    name->peers->klass->cancel (name->lookup);
  g_queue_clear_full (&name->waiting, (GDestroyNotify) g_bytes_unref);
  g_free (name->name);
  g_free (name);
}

void
t2pw_peer_names_init (T2pwPeerNames *peers, const T2pwPeerNamesClass *klass, gpointer owner)
{
  *peers = (T2pwPeerNames){ .klass = klass, .owner = owner };
}

void
t2pw_peer_names_clear (T2pwPeerNames *peers)
{
  g_clear_pointer (&peers->names, g_ptr_array_unref);
}

static void
send_waiting (Name *name, GBytes *bytes)
{
  T2pIpEndpoint to = { .address = name->address };
  T2pCursor cursor;
  const guint8 *data;
  gsize length;

  t2p_cursor_init (&cursor, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  t2p_cursor_read_be16 (&cursor, &to.port);
  length = t2p_cursor_remaining (&cursor);
  if (t2p_cursor_read_bytes (&cursor, length, &data) && to.address.family != AF_UNSPEC)
    name->peers->klass->send (name->peers->owner, &to, data, length, 0);
}

static void
looked_up_cb (const T2pIpAddress *addresses,
              guint n,
              guint32 ttl_s,
              const GError *error,
              gpointer user_data)
{
  Name *name = user_data;
  GQueue waiting = name->waiting;

  name->lookup = NULL;
  g_queue_init (&name->waiting);
  if (n > 0)
    name->address = addresses[0];
  for (GList *link = waiting.head; link != NULL; link = link->next)
    send_waiting (name, link->data);
  g_queue_clear_full (&waiting, (GDestroyNotify) g_bytes_unref);
}

static gboolean
name_look_up (Name *name)
{
  const T2pwPeerNames *peers = name->peers;

  name->lookup = peers->klass->look_up (peers->owner, name->name, looked_up_cb, name);
  return name->lookup != NULL;
}

static Name *
find_name (T2pwPeerNames *peers, const char *text)
{
  for (guint i = 0; peers->names != NULL && i < peers->names->len; i++)
    {
      Name *name = g_ptr_array_index (peers->names, i);

      if (g_str_equal (name->name, text))
        return name;
    }
  return NULL;
}

static Name *
add_name (T2pwPeerNames *peers, const char *text)
{
  Name *name = g_new0 (Name, 1);

  if (peers->names == NULL)
    peers->names = g_ptr_array_new_with_free_func (name_free);
  if (peers->names->len == MAX_NAMES)
    g_ptr_array_remove_index (peers->names, 0);
  name->peers = peers;
  name->name = g_strdup (text);
  g_queue_init (&name->waiting);
  g_ptr_array_add (peers->names, name);
  return name;
}

static void
name_wait (Name *name, guint16 port, const guint8 *data, gsize length)
{
  guint8 *bytes = g_malloc (sizeof port + length);
  T2pWriter writer;

  t2p_writer_init (&writer, bytes, sizeof port + length);
  t2p_writer_be16 (&writer, port);
  t2p_writer_bytes (&writer, data, length);
  g_queue_push_tail (&name->waiting, g_bytes_new_take (bytes, sizeof port + length));
}

/* FALSE: dropped. */
gboolean
t2pw_peer_names_send (T2pwPeerNames *peers,
                      const char *text,
                      guint16 port,
                      const guint8 *data,
                      gsize length,
                      gsize datagram_bytes)
{
  Name *name = find_name (peers, text);
  T2pIpEndpoint to = { .port = port };

  if (name == NULL)
    name = add_name (peers, text);
  if (name->address.family != AF_UNSPEC)
    {
      to.address = name->address;
      return peers->klass->send (peers->owner, &to, data, length, datagram_bytes);
    }
  if (name->lookup == NULL && !name_look_up (name))
    return FALSE;
  if (name->waiting.length >= MAX_WAITING || datagram_bytes > 0)
    return FALSE;
  name_wait (name, port, data, length);
  return TRUE;
}

const char *
t2pw_peer_names_find (const T2pwPeerNames *peers, const T2pIpAddress *address)
{
  for (guint i = 0; peers->names != NULL && i < peers->names->len; i++)
    {
      const Name *name = g_ptr_array_index (peers->names, i);

      if (t2p_ip_address_equal (&name->address, address))
        return name->name;
    }
  return NULL;
}
