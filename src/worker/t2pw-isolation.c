/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-isolation.h"

#include "t2p-error.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static gboolean
fail_errno (const char *what, int saved_errno, GError **error)
{
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno), "%s: %s", what,
               g_strerror (saved_errno));
  return FALSE;
}

static gboolean
close_between (guint first, guint last)
{
  return first > last || close_range (first, last, 0) == 0;
}

/**
 * t2pw_isolation_close_descriptors:
 * @keep_fd: above 2
 *
 * Closes everything but the standard descriptors and @keep_fd, which becomes close-on-exec.
 */
gboolean
t2pw_isolation_close_descriptors (int keep_fd, GError **error)
{
  if (!close_between (3, (guint) keep_fd - 1) ||
      !close_between ((guint) keep_fd + 1, G_MAXUINT))
    return fail_errno ("stray descriptors stay open", errno, error);
  if (fcntl (keep_fd, F_SETFD, FD_CLOEXEC) < 0)
    return fail_errno ("no control socket was inherited", errno, error);
  return TRUE;
}

/**
 * t2pw_isolation_set_limits:
 * @out_max_descriptors: the limit of open descriptors from now on
 *
 * As many descriptors as the hard limit allows, since a flow costs one; no core dump, since
 * credentials are in memory.
 */
gboolean
t2pw_isolation_set_limits (guint *out_max_descriptors, GError **error)
{
  struct rlimit none = { 0, 0 };
  struct rlimit files;

  if (setrlimit (RLIMIT_CORE, &none) < 0)
    return fail_errno ("core dumps stay on", errno, error);
  if (getrlimit (RLIMIT_NOFILE, &files) < 0)
    return fail_errno ("the limit of descriptors is unknown", errno, error);
  files.rlim_cur = files.rlim_max;
  if (setrlimit (RLIMIT_NOFILE, &files) < 0)
    return fail_errno ("the limit of descriptors cannot be raised", errno, error);
  *out_max_descriptors = (guint) MIN (files.rlim_max, (rlim_t) G_MAXINT);
  return TRUE;
}

static gboolean
find_user (const char *user, uid_t *out_uid, gid_t *out_gid, GError **error)
{
  const struct passwd *entry;

  errno = 0;
  entry = getpwnam (user);
  if (entry == NULL)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_FAILED, "there is no user '%s' to run as", user);
      return FALSE;
    }
  *out_uid = entry->pw_uid;
  *out_gid = entry->pw_gid;
  return TRUE;
}

/* SO_MARK needs CAP_NET_RAW from Linux 5.17 on; a machine that does not give it away is told
 * about by the first socket. */
static void
select_capabilities (void)
{
  gboolean has_net_raw;

  capng_get_caps_process ();
  has_net_raw = capng_have_capability (CAPNG_PERMITTED, CAP_NET_RAW) == 1;
  capng_clear (CAPNG_SELECT_BOTH);
  if (has_net_raw)
    capng_update (CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_RAW);
}

/**
 * t2pw_isolation_change_identity:
 * @user: (nullable): whom to run as; %NULL: whoever we are
 *
 * Uid, gid and groups of @user, and of all capabilities CAP_NET_RAW at most.
 */
gboolean
t2pw_isolation_change_identity (const char *user, GError **error)
{
  uid_t uid;
  gid_t gid;
  int result;

  if (user != NULL && !find_user (user, &uid, &gid, error))
    return FALSE;
  select_capabilities ();
  if (user != NULL)
    result = capng_change_id ((int) uid, (int) gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
  else
    result = capng_apply (CAPNG_SELECT_CAPS);
  if (result == 0)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_FAILED, "cannot run as '%s' (step %d)",
               user != NULL ? user : "ourselves", -result);
  return FALSE;
}

/**
 * t2pw_isolation_forbid_privilege:
 *
 * Nothing that is executed gains anything, and nobody of the same uid may look into us.
 */
gboolean
t2pw_isolation_forbid_privilege (GError **error)
{
  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return fail_errno ("no_new_privs", errno, error);
  if (prctl (PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return fail_errno ("not dumpable", errno, error);
  return TRUE;
}

/**
 * t2pw_isolation_count_threads:
 *
 * Returns: the threads of this process; 0 when /proc does not tell
 */
guint
t2pw_isolation_count_threads (void)
{
  g_autoptr (GDir) tasks = g_dir_open ("/proc/self/task", 0, NULL);
  guint n = 0;

  while (tasks != NULL && g_dir_read_name (tasks) != NULL)
    n++;
  return n;
}
