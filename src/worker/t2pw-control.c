/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 *   LISTENING ──▶ AUTHENTICATING ──▶ CONNECTED ──▶ LISTENING …
 *
 * The daemon bound the socket and we inherited it, so a second daemon can come after the first.
 * While one peer is there the others wait in the socket's queue. We are the authentication
 * server, by EXTERNAL only, and take one uid only, which SO_PEERCRED tells before a byte is
 * read. Authentication has a deadline, so that a silent peer does not lock the others out.
 * While we listen, the adopt-timeout runs. */
#include "config.h"

#include "t2pw-control.h"

#include "t2p-log.h"
#include "t2p-names.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixconnection.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#define AUTHENTICATION_MS 2000
/* What a peer that does not read is given at the end. */
#define FLUSH_MS 1000

/* Of one peer; outlives the control when that goes first. */
typedef struct
{
  T2pwControl *control; /* NULL: gone */
  GCancellable *cancellable;
  GSource *deadline;
} Authentication;

typedef enum
{
  CONTROL_LISTENING,
  CONTROL_AUTHENTICATING,
  CONTROL_CONNECTED,
} ControlState;

struct _T2pwControl
{
  int listen_fd;
  uid_t peer_uid;
  guint adopt_timeout_ms;
  char *guid;
  GDBusInterfaceSkeleton *skeleton;
  GDBusAuthObserver *observer;
  ControlState state;
  Authentication *authentication; /* that runs */
  GDBusConnection *connection;
  GSource *accepting;
  GSource *adopting;
  T2pwControlAbandoned abandoned;
  gpointer user_data;
};

static void
clear_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void control_set_state (T2pwControl *control, ControlState state);

static gboolean
abandoned_cb (gpointer data)
{
  T2pwControl *control = data;

  clear_source (&control->adopting);
  control->abandoned (control->user_data);
  return G_SOURCE_REMOVE;
}

static void
closed_cb (GDBusConnection *connection, gboolean remote, GError *error, gpointer data)
{
  T2pwControl *control = data;

  g_dbus_interface_skeleton_unexport (control->skeleton);
  g_signal_handlers_disconnect_by_data (connection, control);
  g_clear_object (&control->connection);
  t2p_log_debug (NULL, NULL, "the daemon has disconnected");
  control_set_state (control, CONTROL_LISTENING);
}

static void
control_take_connection (T2pwControl *control, GDBusConnection *connection)
{
  g_autoptr (GError) error = NULL;

  if (!g_dbus_interface_skeleton_export (control->skeleton, connection, T2P_WORKER_PATH,
                                         &error))
    {
      t2p_log_warning (NULL, error, "cannot serve a peer, ignoring it");
      control_set_state (control, CONTROL_LISTENING);
      return;
    }
  control->connection = g_object_ref (connection);
  g_dbus_connection_set_exit_on_close (connection, FALSE);
  g_signal_connect (connection, "closed", G_CALLBACK (closed_cb), control);
  control_set_state (control, CONTROL_CONNECTED);
  /* messages wait until the object is there: else the first call is an unknown method */
  g_dbus_connection_start_message_processing (connection);
  if (g_dbus_connection_is_closed (connection))
    closed_cb (connection, TRUE, NULL, control);
}

static gboolean
deadline_cb (gpointer data)
{
  Authentication *authentication = data;

  clear_source (&authentication->deadline);
  g_cancellable_cancel (authentication->cancellable);
  return G_SOURCE_REMOVE;
}

static Authentication *
authentication_new (T2pwControl *control)
{
  Authentication *authentication = g_new0 (Authentication, 1);

  authentication->control = control;
  authentication->cancellable = g_cancellable_new ();
  authentication->deadline = g_timeout_source_new (AUTHENTICATION_MS);
  g_source_set_callback (authentication->deadline, deadline_cb, authentication, NULL);
  g_source_attach (authentication->deadline, NULL);
  return authentication;
}

/* Returns: (nullable): whose it was, unless that is gone */
static T2pwControl *
authentication_end (Authentication *authentication)
{
  T2pwControl *control = authentication->control;

  clear_source (&authentication->deadline);
  g_object_unref (authentication->cancellable);
  g_free (authentication);
  if (control != NULL)
    control->authentication = NULL;
  return control;
}

static void
connection_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) connection = g_dbus_connection_new_finish (result, &error);
  T2pwControl *control = authentication_end (data);

  if (control == NULL)
    return;
  if (connection != NULL)
    {
      control_take_connection (control, connection);
      return;
    }
  t2p_log_warning (NULL, error, "a peer did not authenticate, ignoring it");
  control_set_state (control, CONTROL_LISTENING);
}

/* Called in the thread that authenticates: looks at constants only. */
static gboolean
allow_mechanism_cb (GDBusAuthObserver *observer, const char *mechanism, gpointer data)
{
  return g_strcmp0 (mechanism, "EXTERNAL") == 0;
}

static gboolean
authorize_cb (GDBusAuthObserver *observer,
              GIOStream *stream,
              GCredentials *credentials,
              gpointer data)
{
  const T2pwControl *control = data;

  return credentials != NULL &&
         g_credentials_get_unix_user (credentials, NULL) == control->peer_uid;
}

static gboolean
is_right_peer (const T2pwControl *control, int fd)
{
  struct ucred peer = { .uid = (uid_t) -1 };
  socklen_t length = sizeof peer;

  return getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
         peer.uid == control->peer_uid;
}

static gboolean
accept_cb (int listen_fd, GIOCondition condition, gpointer data)
{
  T2pwControl *control = data;
  int fd = accept4 (listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GSocketConnection) stream = NULL;

  if (fd < 0)
    return G_SOURCE_CONTINUE;
  if (!is_right_peer (control, fd) || (socket = g_socket_new_from_fd (fd, NULL)) == NULL)
    {
      t2p_log_warning (NULL, NULL, "a stranger connected to the control socket, ignoring it");
      close (fd);
      return G_SOURCE_CONTINUE;
    }
  stream = g_socket_connection_factory_create_connection (socket);
  control_set_state (control, CONTROL_AUTHENTICATING);
  control->authentication = authentication_new (control);
  g_dbus_connection_new (G_IO_STREAM (stream), control->guid,
                         G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER |
                             G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                         control->observer, control->authentication->cancellable, connection_cb,
                         control->authentication);
  return G_SOURCE_REMOVE;
}

static void
start_accepting (T2pwControl *control)
{
  clear_source (&control->accepting);
  control->accepting = g_unix_fd_source_new (control->listen_fd, G_IO_IN);
  g_source_set_callback (control->accepting, G_SOURCE_FUNC (accept_cb), control, NULL);
  g_source_attach (control->accepting, NULL);
}

static void
start_adopting (T2pwControl *control)
{
  if (control->adopting != NULL)
    return;
  control->adopting = g_timeout_source_new (control->adopt_timeout_ms);
  g_source_set_callback (control->adopting, abandoned_cb, control, NULL);
  g_source_attach (control->adopting, NULL);
}

static gboolean
may_follow (ControlState from, ControlState to)
{
  switch (from)
    {
    case CONTROL_LISTENING:
      return to == CONTROL_AUTHENTICATING;
    case CONTROL_AUTHENTICATING:
      return to == CONTROL_CONNECTED || to == CONTROL_LISTENING;
    case CONTROL_CONNECTED:
      return to == CONTROL_LISTENING;
    }
  return FALSE;
}

static void
control_set_state (T2pwControl *control, ControlState state)
{
  g_return_if_fail (may_follow (control->state, state));

  control->state = state;
  switch (state)
    {
    case CONTROL_LISTENING:
      start_accepting (control);
      start_adopting (control);
      return;
    case CONTROL_AUTHENTICATING:
      clear_source (&control->accepting);
      clear_source (&control->adopting);
      return;
    case CONTROL_CONNECTED:
      return;
    }
}

/**
 * t2pw_control_new:
 * @listen_fd: a listening unix socket, the control's own from now on
 * @peer_uid: who may connect
 * @skeleton: what the peer sees
 *
 * Begins to accept, and to count the adopt-timeout.
 */
T2pwControl *
t2pw_control_new (int listen_fd,
                  uid_t peer_uid,
                  guint adopt_timeout_ms,
                  GDBusInterfaceSkeleton *skeleton,
                  T2pwControlAbandoned abandoned,
                  gpointer user_data)
{
  T2pwControl *control = g_new0 (T2pwControl, 1);

  control->listen_fd = listen_fd;
  control->peer_uid = peer_uid;
  control->adopt_timeout_ms = adopt_timeout_ms;
  control->guid = g_dbus_generate_guid ();
  control->skeleton = g_object_ref (skeleton);
  control->observer = g_dbus_auth_observer_new ();
  control->abandoned = abandoned;
  control->user_data = user_data;
  g_signal_connect (control->observer, "allow-mechanism", G_CALLBACK (allow_mechanism_cb),
                    control);
  g_signal_connect (control->observer, "authorize-authenticated-peer",
                    G_CALLBACK (authorize_cb), control);
  (void) fcntl (listen_fd, F_SETFL, O_NONBLOCK);
  start_accepting (control);
  start_adopting (control);
  return control;
}

typedef struct
{
  gboolean is_flushed;
  gboolean is_late;
} Flush;

static void
flushed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  Flush *flush = data;

  (void) g_dbus_connection_flush_finish (G_DBUS_CONNECTION (source), result, NULL);
  flush->is_flushed = TRUE;
}

static gboolean
late_cb (gpointer data)
{
  ((Flush *) data)->is_late = TRUE;
  return G_SOURCE_REMOVE;
}

static void
hang_up (GDBusConnection *connection)
{
  GIOStream *stream = g_dbus_connection_get_stream (connection);

  if (G_IS_SOCKET_CONNECTION (stream))
    (void) g_socket_shutdown (g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream)),
                              TRUE, TRUE, NULL);
}

/**
 * t2pw_control_flush:
 *
 * What was said is on its way before the process ends; a peer that does not read is hung up on
 * after a second. Nothing else is dispatched meanwhile.
 */
void
t2pw_control_flush (T2pwControl *control)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GSource) late = g_timeout_source_new (FLUSH_MS);
  Flush flush = { FALSE };

  if (control->connection == NULL)
    return;
  g_main_context_push_thread_default (context);
  g_source_set_callback (late, late_cb, &flush, NULL);
  g_source_attach (late, context);
  g_dbus_connection_flush (control->connection, NULL, flushed_cb, &flush);
  while (!flush.is_flushed && !flush.is_late)
    g_main_context_iteration (context, TRUE);
  if (!flush.is_flushed)
    hang_up (control->connection); /* ends the flush */
  while (!flush.is_flushed)
    g_main_context_iteration (context, TRUE);
  g_source_destroy (late);
  g_main_context_pop_thread_default (context);
}

static void
control_abandon_authentication (T2pwControl *control)
{
  Authentication *authentication = g_steal_pointer (&control->authentication);

  if (authentication == NULL)
    return;
  authentication->control = NULL;
  clear_source (&authentication->deadline);
  g_cancellable_cancel (authentication->cancellable);
}

void
t2pw_control_free (T2pwControl *control)
{
  control_abandon_authentication (control);
  clear_source (&control->accepting);
  clear_source (&control->adopting);
  if (control->connection != NULL)
    {
      g_signal_handlers_disconnect_by_data (control->connection, control);
      g_dbus_interface_skeleton_unexport (control->skeleton);
      (void) g_dbus_connection_close_sync (control->connection, NULL, NULL);
      g_clear_object (&control->connection);
    }
  close (control->listen_fd);
  g_object_unref (control->observer);
  g_object_unref (control->skeleton);
  g_free (control->guid);
  g_free (control);
}
