/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A namespace belongs to the user namespace that was current when it was made, and that to the
 * user who made it: whom the kernel gives every capability in both. So he could make a device
 * and routes in it himself, and to ask us for it gives him nothing that he does not have.
 *
 * To enter one is a matter of a thread. It is a new one each time, which never comes back: no
 * failure can leave this process in somebody else's network. */
#include "config.h"

#include "t2pn-netns.h"

#include "t2p-error.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN_NAMESPACE "/proc/self/ns/net"

typedef struct
{
  int fd;
  T2pnNetnsFunc function;
  gpointer data;
  GError *error;
} Errand;

static gboolean
refuse (GError **error, T2pError code, const char *text)
{
  g_set_error_literal (error, T2P_ERROR, (int) code, text);
  return FALSE;
}

static gboolean
is_own (int fd)
{
  int own = open (OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
  gboolean is_equal = own < 0 || t2pn_netns_equal (own, fd); /* what cannot be told is ours */

  if (own >= 0)
    close (own);
  return is_equal;
}

/* The user who made the user namespace that @fd belongs to. */
static gboolean
find_owner (int fd, uid_t *out_uid)
{
  int userns = ioctl (fd, NS_GET_USERNS);
  gboolean is_found;

  if (userns < 0)
    return FALSE;
  is_found = ioctl (userns, NS_GET_OWNER_UID, out_uid) == 0;
  close (userns);
  return is_found;
}

gboolean
t2pn_netns_check (int fd, guint32 uid, GError **error)
{
  uid_t owner = 0;

  if (ioctl (fd, NS_GET_NSTYPE) != CLONE_NEWNET)
    return refuse (error, T2P_ERROR_INVALID_FD,
                   "netns: the descriptor is something else than a network namespace");
  if (uid != 0 && (!find_owner (fd, &owner) || owner != uid || owner == 0))
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_NAMESPACE_NOT_OWNED,
                   "netns: the namespace does not belong to a user namespace of user %u", uid);
      return FALSE;
    }
  if (is_own (fd))
    return refuse (error, T2P_ERROR_INVALID_FD,
                   "netns: this is the service's own network namespace, expected another one");
  return TRUE;
}

gboolean
t2pn_netns_equal (int a, int b)
{
  struct stat of_a;
  struct stat of_b;

  return fstat (a, &of_a) == 0 && fstat (b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
         of_a.st_ino == of_b.st_ino;
}

/* --- inside */

static gpointer
errand_thread (gpointer data)
{
  Errand *errand = data;
  int errsv;

  if (setns (errand->fd, CLONE_NEWNET) == 0)
    return GINT_TO_POINTER (errand->function (errand->data, &errand->error));
  errsv = errno;
  if (errsv == EPERM)
    g_set_error_literal (&errand->error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE,
                         "entering a network namespace needs the capability CAP_SYS_ADMIN");
  else
    g_set_error (&errand->error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE,
                 "could not enter the network namespace: %s", g_strerror (errsv));
  return GINT_TO_POINTER (FALSE);
}

gboolean
t2pn_netns_run (int fd, T2pnNetnsFunc function, gpointer data, GError **error)
{
  Errand errand = { fd, function, data, NULL };
  g_autoptr (GError) cause = NULL;
  GThread *thread = g_thread_try_new ("netns", errand_thread, &errand, &cause);

  if (thread == NULL)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED, "no thread: %s", cause->message);
      return FALSE;
    }
  if (GPOINTER_TO_INT (g_thread_join (thread)))
    return TRUE;
  g_propagate_error (error, errand.error);
  return FALSE;
}
