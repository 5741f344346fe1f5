/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-manager-methods.h"

#include "t2p-log.h"
#include "t2pd-bypass-socket.h"

#include <gio/gunixfdlist.h>

/* Owned by the message, which closes it when the call is answered. */
static gboolean
get_socket (T2pdCall *call, int *out_fd, GError **error)
{
  GUnixFDList *list =
      g_dbus_message_get_unix_fd_list (g_dbus_method_invocation_get_message (call->invocation));
  int n = list != NULL ? g_unix_fd_list_get_length (list) : 0;
  gint32 handle;

  g_variant_get_child (call->parameters, 0, "h", &handle);
  if (n == 1 && handle == 0)
    {
      *out_fd = g_unix_fd_list_peek_fds (list, NULL)[0];
      return TRUE;
    }
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
               "%d descriptors seen, exactly one expected", n);
  return FALSE;
}

static gboolean
check_socket (T2pdCall *call, GError **error)
{
  int fd;

  return get_socket (call, &fd, error) && t2pd_bypass_socket_check (fd, call->uid, error);
}

/* The dialog may have taken minutes, in which the caller has used it. */
static gboolean
look_again_bypass (T2pdCall *call, GError **error)
{
  return t2pd_service_check_serving (call->service, error) && check_socket (call, error);
}

static void
act_bypass (T2pdCall *call)
{
  g_autoptr (GError) error = NULL;
  guint32 mark;
  int fd;

  if (!get_socket (call, &fd, &error) ||
      !t2pd_bypass_socket_find_mark (call->service, &mark, &error) ||
      !t2pd_bypass_socket_mark (fd, mark, &error))
    {
      t2pd_call_fail (call, error);
      return;
    }
  t2p_log_info (NULL, NULL, "a socket of uid %u bypasses all tunnels", call->uid);
  t2pd_call_return (call, NULL);
}

const T2pdMethod t2pd_manager_bypass_socket = {
  "BypassSocket", NULL, check_socket, look_again_bypass, act_bypass,
};
