/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * This process goes into the tunnel and then becomes the program, so that nothing of it is ever
 * outside, and its exit status, its terminal and its signals are its own. Descriptors of ours
 * close by themselves then. */

#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "t2p-ctl-scope.h"
#include "t2p-ctl.h"

static char *option_tunnel = NULL;

static const GOptionEntry options[] = {
  { "tunnel", 't', 0, G_OPTION_ARG_STRING, &option_tunnel,
    N_ ("The tunnel (else the only one that there is)"), N_ ("NAME") },
  { NULL },
};

static T2pTunnel *
find_only (T2pCtl *ctl, GError **error)
{
  g_autoptr (GPtrArray) tunnels = t2p_client_list_tunnels_sync (ctl->client, NULL, error);

  if (tunnels == NULL)
    return NULL;
  if (tunnels->len == 1)
    return g_object_ref (g_ptr_array_index (tunnels, 0));
  if (tunnels->len == 0)
    g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_FOUND, _ ("there is no tunnel"));
  else
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                 _ ("there are several tunnels, say which: --tunnel=NAME"));
  return NULL;
}

static T2pTunnel *
find_tunnel (T2pCtl *ctl, GError **error)
{
  return option_tunnel != NULL
             ? t2p_client_get_tunnel_sync (ctl->client, option_tunnel, NULL, error)
             : find_only (ctl, error);
}

static gboolean
enter (T2pTunnel *tunnel, GError **error)
{
  int self = (int) syscall (SYS_pidfd_open, getpid (), 0);
  int errsv = errno;
  gboolean is_inside;

  if (self < 0)
    {
      g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv), "pidfd_open: %s",
                   g_strerror (errsv));
      return FALSE;
    }
  t2p_ctl_scope_enter (t2p_tunnel_get_name (tunnel));
  is_inside = t2p_tunnel_attach_process_sync (tunnel, self, NULL, NULL, error);
  close (self);
  return is_inside;
}

/* As shells and env(1) do. GLib ignores SIGPIPE once it has made a socket, and what is ignored
 * stays so in the program: @broken_pipe is what the caller wanted. */
static void
become (char **program, const struct sigaction *broken_pipe)
{
  int errsv;

  (void) sigaction (SIGPIPE, broken_pipe, NULL);
  execvp (program[0], program);
  errsv = errno;
  g_printerr ("tun2proxyctl: %s: %s\n", program[0], g_strerror (errsv));
  _exit (errsv == ENOENT ? 127 : 126);
}

static gboolean
run (T2pCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (T2pTunnel) tunnel = NULL;
  struct sigaction broken_pipe;

  (void) sigaction (SIGPIPE, NULL, &broken_pipe);
  if (arguments[0] != NULL && g_str_equal (arguments[0], "--"))
    arguments++;
  if (arguments[0] == NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                   _ ("which program? expected a command"));
      return FALSE;
    }
  if (!t2p_ctl_connect (ctl, error))
    return FALSE;
  tunnel = find_tunnel (ctl, error);
  if (tunnel == NULL || !enter (tunnel, error))
    {
      g_prefix_error (error, _ ("could not start “%s” inside: "), arguments[0]);
      return FALSE;
    }
  become (arguments, &broken_pipe);
  return FALSE;
}

const T2pCtlVerb t2p_ctl_run_verb = {
  .name = "run",
  .arguments = N_ ("COMMAND [ARGUMENT…]"),
  .summary = N_ ("Start a program inside a tunnel"),
  .options = options,
  .ends_options = TRUE,
  .run = run,
};
