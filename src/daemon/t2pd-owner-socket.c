/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * The kernel asks the connecting thread's effective user, groups and capabilities whether it
 * may connect, and shows the peer that user (SO_PEERCRED). So a thread of its own becomes the
 * owner by the bare system calls, which change one thread where the C library's would change
 * all, connects, and ends; it never becomes root again. The real and the saved user stay root,
 * so that the owner can neither signal nor trace it.
 *
 * A path may lead through a file system that its owner has written, where connect() hangs for
 * as long as he likes: hence a thread rather than the main loop, and a limit for each user that
 * outlives his tunnels. */

#include "t2pd-owner-socket.h"

#include "t2p-error.h"
#include "t2p-limits.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define PASSWD_BYTES 16384
#define MAX_GROUPS 65536 /* NGROUPS_MAX of the kernel */
#define KEEP ((uid_t) -1)

/* Where there are two, the plain one knows short numbers only. */
#ifdef SYS_setresuid32
#define SET_GROUPS SYS_setgroups32
#define SET_GID SYS_setresgid32
#define SET_UID SYS_setresuid32
#else
#define SET_GROUPS SYS_setgroups
#define SET_GID SYS_setresgid
#define SET_UID SYS_setresuid
#endif

typedef struct
{
  guint32 uid;
  char *path;
} Wish;

static GHashTable *under_way; /* uid → number, of the main thread */

static void
wish_free (Wish *wish)
{
  g_free (wish->path);
  g_free (wish);
}

static guint
count_of (guint32 uid)
{
  return under_way != NULL
             ? GPOINTER_TO_UINT (g_hash_table_lookup (under_way, GUINT_TO_POINTER (uid)))
             : 0;
}

static void
set_count (guint32 uid, guint n)
{
  if (under_way == NULL)
    under_way = g_hash_table_new (NULL, NULL);
  if (n > 0)
    g_hash_table_insert (under_way, GUINT_TO_POINTER (uid), GUINT_TO_POINTER (n));
  else
    g_hash_table_remove (under_way, GUINT_TO_POINTER (uid));
}

/* --- in the thread */

static gboolean
fail (GError **error, T2pError code, int saved_errno)
{
  g_set_error_literal (error, T2P_ERROR, (int) code,
                       saved_errno == EAGAIN ? "its queue is full" : g_strerror (saved_errno));
  return FALSE;
}

/* (transfer full): the user's groups, his own first */
static GArray *
list_groups (const struct passwd *user)
{
  GArray *groups = g_array_new (FALSE, TRUE, sizeof (gid_t));
  int n = 64;

  g_array_set_size (groups, (guint) n);
  while (getgrouplist (user->pw_name, user->pw_gid, (gid_t *) (void *) groups->data, &n) < 0 &&
         n > (int) groups->len && n <= MAX_GROUPS)
    g_array_set_size (groups, (guint) n);
  g_array_set_size (groups, (guint) CLAMP (n, 0, (int) groups->len));
  return groups;
}

static gboolean
become (guint32 uid, GError **error)
{
  g_autofree char *buffer = g_malloc (PASSWD_BYTES);
  struct passwd entry;
  struct passwd *user = NULL;
  g_autoptr (GArray) groups = NULL;

  if (uid == geteuid ())
    return TRUE;
  getpwuid_r (uid, &entry, buffer, PASSWD_BYTES, &user);
  if (user == NULL)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_FAILED, "there is no user %u", uid);
      return FALSE;
    }
  groups = list_groups (user);
  if (syscall (SET_GROUPS, (size_t) groups->len, groups->data) < 0 ||
      syscall (SET_GID, KEEP, user->pw_gid, KEEP) < 0 ||
      syscall (SET_UID, KEEP, (uid_t) uid, KEEP) < 0)
    return fail (error, T2P_ERROR_FAILED, errno);
  return TRUE;
}

/* -1 with an error */
static int
connect_to (const char *path, GError **error)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd;

  if (g_strlcpy (address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path)
    {
      fail (error, T2P_ERROR_PROXY_UNREACHABLE, ENAMETOOLONG);
      return -1;
    }
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    {
      fail (error, T2P_ERROR_LIMIT_EXCEEDED, errno);
      return -1;
    }
  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  fail (error, T2P_ERROR_PROXY_UNREACHABLE, errno);
  close (fd);
  return -1;
}

static gpointer
connect_thread (gpointer data)
{
  g_autoptr (GTask) task = data;
  const Wish *wish = g_task_get_task_data (task);
  GError *error = NULL;
  int fd = become (wish->uid, &error) ? connect_to (wish->path, &error) : -1;

  if (fd < 0)
    g_task_return_error (task, error);
  else
    g_task_return_int (task, fd);
  return NULL;
}

/* --- in the main thread */

void
t2pd_owner_socket_connect_async (guint32 uid,
                                 const char *path,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, callback, user_data);
  g_autoptr (GThread) thread = NULL;
  GError *error = NULL;
  Wish *wish;

  if (count_of (uid) >= T2P_MAX_SOCKETS_PER_UID)
    {
      g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_BUSY,
                               "user %u has %u connections under way, at most %d expected", uid,
                               count_of (uid), T2P_MAX_SOCKETS_PER_UID);
      return;
    }
  wish = g_new (Wish, 1);
  *wish = (Wish){ uid, g_strdup (path) };
  g_task_set_task_data (task, wish, (GDestroyNotify) wish_free);
  set_count (uid, count_of (uid) + 1);
  thread = g_thread_try_new ("owner-socket", connect_thread, g_object_ref (task), &error);
  if (thread != NULL)
    return;
  g_object_unref (task);
  g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED, "no thread: %s",
                           error->message);
  g_error_free (error);
}

int
t2pd_owner_socket_connect_finish (GAsyncResult *result, GError **error)
{
  const Wish *wish = g_task_get_task_data (G_TASK (result));

  if (wish != NULL)
    set_count (wish->uid, count_of (wish->uid) - 1);
  return (int) g_task_propagate_int (G_TASK (result), error);
}
