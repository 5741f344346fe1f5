/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A proxy on this machine makes connections of its own, which a tunnel captures like anybody
 * else's: the second hop of a loop. To keep them out we have to tell them from those of others.
 *
 * The kernel tells the inode of the listening socket; who has that open, and their descendants,
 * are the program. Its user tells it when it is an account that is there for it alone; its
 * cgroup, when it is a service or has nobody else in it. Else only those tell it whom it is
 * connected to already: a tunnel of ssh, say, or a client of one server. Connections that came
 * in by its own port are none of these. */
#include "config.h"

#include "t2pn-local-proxy.h"

#include "t2p-limits.h"
#include "t2pn-process-list.h"
#include "t2pn-socket-list.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define ACCOUNTS "/etc/passwd"
#define FIRST_PERSON 1000 /* uids of people, by the defaults of every distribution */
#define LAST_PERSON 60513 /* with those of systemd-homed */
#define NOBODY 65534

/** Search: what is looked at together. */
typedef struct
{
  GPtrArray *processes; /* all, of T2pnProcessEntry */
  GPtrArray *program;   /* of T2pnProcessEntry, unowned */
  GHashTable *members;  /* the set of these */
  guint16 port;         /* that it listens on; 0: none */
} Search;

void
t2pn_local_proxy_free (T2pnLocalProxy *proxy)
{
  if (proxy == NULL)
    return;
  g_free (proxy->program);
  g_free (proxy->cgroup);
  g_array_unref (proxy->pids);
  g_array_unref (proxy->uids);
  g_array_unref (proxy->peers);
  g_free (proxy);
}

gboolean
t2pn_local_proxy_has_uid (const T2pnLocalProxy *proxy, guint32 uid)
{
  for (guint i = 0; i < proxy->uids->len; i++)
    if (g_array_index (proxy->uids, guint32, i) == uid)
      return TRUE;
  return FALSE;
}

/* --- its processes */

/* Who is in another network namespace has connections that no tunnel here captures. */
static gboolean
is_stranger (const Search *search, const T2pnProcessEntry *process)
{
  return !process->is_elsewhere && !g_hash_table_contains (search->members, process);
}

/* Whose the socket is by the kernel's word are asked first: mostly that is enough. */
static void
find_program (Search *search, guint32 inode, gint64 uid)
{
  for (guint turn = 0; turn < 2 && search->program->len == 0; turn++)
    for (guint i = 0; i < search->processes->len; i++)
      {
        const T2pnProcessEntry *process = search->processes->pdata[i];

        if ((uid < 0 || (process->uid == uid) == (turn == 0)) &&
            t2pn_process_list_has_socket (process->pid, inode))
          g_ptr_array_add (search->program, (gpointer) process);
      }
  search->members = t2pn_process_list_add_descendants (search->processes, search->program);
}

/* --- its users */

/* The shell of an account that this machine has itself; NULL for others. A directory in the
 * network is not asked: it may lie behind the tunnel that is being made, or be long in
 * answering. (transfer full) */
static char *
find_shell (guint32 uid)
{
  FILE *accounts = fopen (ACCOUNTS, "re");
  const struct passwd *account = NULL;
  char *shell;

  if (accounts == NULL)
    return NULL;
  do
    account = fgetpwent (accounts);
  while (account != NULL && account->pw_uid != uid);
  shell = account != NULL ? g_path_get_basename (account->pw_shell) : NULL;
  fclose (accounts);
  return shell;
}

/* By logind, whoever knows of him. */
static gboolean
is_logged_in (guint32 uid)
{
  g_autofree char *folder = g_strdup_printf ("/run/user/%u", uid);

  return g_file_test (folder, G_FILE_TEST_IS_DIR);
}

static gboolean
is_person (guint32 uid)
{
  g_autofree char *shell = NULL;

  if (uid < FIRST_PERSON || uid > LAST_PERSON)
    return FALSE;
  shell = find_shell (uid);
  if (shell == NULL)
    return is_logged_in (uid);
  return strcmp (shell, "nologin") != 0 && strcmp (shell, "false") != 0;
}

static gboolean
is_alone_as (const Search *search, guint32 uid)
{
  for (guint i = 0; i < search->processes->len; i++)
    {
      const T2pnProcessEntry *process = search->processes->pdata[i];

      if (process->uid == uid && is_stranger (search, process))
        return FALSE;
    }
  return TRUE;
}

static void
take_users (T2pnLocalProxy *proxy, const Search *search)
{
  proxy->has_own_users = TRUE;
  for (guint i = 0; i < search->program->len; i++)
    {
      const T2pnProcessEntry *process = search->program->pdata[i];
      int pid = process->pid;

      g_array_append_val (proxy->pids, pid);
      if (t2pn_local_proxy_has_uid (proxy, process->uid))
        continue;
      g_array_append_val (proxy->uids, process->uid);
      if (process->uid == 0 || process->uid == NOBODY || is_person (process->uid) ||
          !is_alone_as (search, process->uid))
        proxy->has_own_users = FALSE;
    }
}

/* --- its cgroup */

static gboolean
is_below (const char *cgroup, const char *other)
{
  gsize length = strlen (other);

  return strncmp (cgroup, other, length) == 0 &&
         (cgroup[length] == '\0' || cgroup[length] == '/');
}

static gboolean
is_alone_in (const Search *search, const char *cgroup)
{
  for (guint i = 0; i < search->processes->len; i++)
    {
      const T2pnProcessEntry *process = search->processes->pdata[i];

      if (process->cgroup != NULL && is_below (process->cgroup, cgroup) &&
          is_stranger (search, process))
        return FALSE;
    }
  return TRUE;
}

/* A service is one program, whatever processes it has. */
static void
take_cgroup (T2pnLocalProxy *proxy, const Search *search)
{
  const char *cgroup = ((const T2pnProcessEntry *) search->program->pdata[0])->cgroup;

  for (guint i = 0; i < search->program->len; i++)
    if (g_strcmp0 (((const T2pnProcessEntry *) search->program->pdata[i])->cgroup, cgroup) != 0)
      return;
  if (cgroup == NULL)
    return;
  proxy->cgroup = g_strdup (cgroup);
  proxy->has_own_cgroup = g_str_has_suffix (cgroup, ".service") || is_alone_in (search, cgroup);
}

/* --- whom it is connected to */

static gboolean
is_own_address (const struct ifaddrs *own, const T2pIpAddress *address)
{
  for (; own != NULL; own = own->ifa_next)
    {
      T2pIpEndpoint endpoint;
      socklen_t length;

      if (own->ifa_addr == NULL)
        continue;
      length = own->ifa_addr->sa_family == AF_INET ? sizeof (struct sockaddr_in)
                                                   : sizeof (struct sockaddr_in6);
      if ((own->ifa_addr->sa_family == AF_INET || own->ifa_addr->sa_family == AF_INET6) &&
          t2p_ip_endpoint_from_sockaddr (own->ifa_addr, length, &endpoint) &&
          t2p_ip_address_equal (&endpoint.address, address))
        return TRUE;
    }
  return FALSE;
}

static gboolean
has_peer (const T2pnLocalProxy *proxy, const T2pIpAddress *address)
{
  for (guint i = 0; i < proxy->peers->len; i++)
    if (t2p_ip_address_equal (&g_array_index (proxy->peers, T2pIpAddress, i), address))
      return TRUE;
  return FALSE;
}

static void
take_peers_of (T2pnLocalProxy *proxy,
               const Search *search,
               const GArray *sockets,
               GHashTable *inodes,
               const struct ifaddrs *own)
{
  for (guint i = 0; i < sockets->len && proxy->peers->len < T2P_MAX_LOCAL_PEERS; i++)
    {
      const T2pnSocketEntry *socket = &g_array_index (sockets, T2pnSocketEntry, i);
      const T2pIpAddress *peer = &socket->remote.address;

      if (g_hash_table_contains (inodes, GUINT_TO_POINTER (socket->inode)) &&
          socket->local.port != search->port && !t2p_ip_address_is_loopback (peer) &&
          !t2p_ip_address_is_unspecified (peer) && !t2p_ip_address_is_link_local (peer) &&
          !is_own_address (own, peer) && !has_peer (proxy, peer))
        g_array_append_val (proxy->peers, *peer);
    }
}

static gboolean
take_peers (T2pnLocalProxy *proxy, const Search *search, GError **error)
{
  const guint8 protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
  g_autoptr (GHashTable) inodes = g_hash_table_new (NULL, NULL);
  struct ifaddrs *own = NULL;
  gboolean is_done = TRUE;

  for (guint i = 0; i < search->program->len; i++)
    t2pn_process_list_add_sockets (((const T2pnProcessEntry *) search->program->pdata[i])->pid,
                                   inodes);
  if (getifaddrs (&own) < 0)
    own = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (protocols) && is_done; i++)
    {
      g_autoptr (GArray) sockets = t2pn_socket_list_connected (protocols[i], error);

      is_done = sockets != NULL;
      if (is_done)
        take_peers_of (proxy, search, sockets, inodes, own);
    }
  if (own != NULL)
    freeifaddrs (own);
  return is_done;
}

/* --- the whole */

static char *
clean_name (const char *name)
{
  char *clean = g_utf8_make_valid (name, -1);

  for (char *at = clean; *at != '\0'; at++)
    if (g_ascii_iscntrl (*at))
      *at = '?';
  return clean;
}

static T2pnLocalProxy *
proxy_new (const T2pnProcessEntry *first)
{
  T2pnLocalProxy *proxy = g_new0 (T2pnLocalProxy, 1);

  proxy->program = clean_name (first->program);
  proxy->pid = first->pid;
  proxy->is_elsewhere = first->is_elsewhere;
  proxy->pids = g_array_new (FALSE, FALSE, sizeof (int));
  proxy->uids = g_array_new (FALSE, FALSE, sizeof (guint32));
  proxy->peers = g_array_new (FALSE, FALSE, sizeof (T2pIpAddress));
  return proxy;
}

static T2pnLocalProxy *
find_by_inode (guint32 inode, gint64 uid, guint16 port, GError **error)
{
  g_autoptr (GPtrArray) processes = t2pn_process_list_new ();
  g_autoptr (GPtrArray) program = g_ptr_array_new ();
  g_autoptr (T2pnLocalProxy) proxy = NULL;
  g_autoptr (GHashTable) members = NULL;
  Search search = { processes, program, NULL, port };

  find_program (&search, inode, uid);
  members = search.members;
  if (program->len == 0)
    return NULL;
  proxy = proxy_new (program->pdata[0]);
  take_users (proxy, &search);
  take_cgroup (proxy, &search);
  return take_peers (proxy, &search, error) ? g_steal_pointer (&proxy) : NULL;
}

/* One that listens on that very address comes before one that does on all. */
static const T2pnSocketEntry *
choose_listener (const GArray *listeners, const T2pIpEndpoint *endpoint)
{
  const T2pnSocketEntry *found = NULL;

  for (guint i = 0; i < listeners->len; i++)
    {
      const T2pnSocketEntry *listener = &g_array_index (listeners, T2pnSocketEntry, i);
      const T2pIpAddress *local = &listener->local.address;

      if (listener->local.port != endpoint->port)
        continue;
      if (t2p_ip_address_equal (local, &endpoint->address))
        return listener;
      if (t2p_ip_address_is_unspecified (local) &&
          (local->family == endpoint->address.family ||
           (local->family == AF_INET6 && !listener->is_v6_only)))
        found = listener;
    }
  return found;
}

T2pnLocalProxy *
t2pn_local_proxy_find (const T2pIpEndpoint *endpoint, GError **error)
{
  g_autoptr (GArray) listeners = t2pn_socket_list_listeners (error);
  const T2pnSocketEntry *listener =
      listeners != NULL ? choose_listener (listeners, endpoint) : NULL;

  if (listener == NULL)
    return NULL;
  return find_by_inode (listener->inode, listener->uid, endpoint->port, error);
}

T2pnLocalProxy *
t2pn_local_proxy_find_unix (const char *path, GError **error)
{
  guint32 inode = t2pn_socket_list_find_unix (path, error);

  return inode != 0 ? find_by_inode (inode, -1, 0, error) : NULL;
}
