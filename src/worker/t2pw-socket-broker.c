/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A request waits in a queue, is asked for by a signal, and is answered by a call with its
 * number. The daemon hears T2P_MAX_SOCKETS_UNDER_WAY at a time; what is asked for beyond that
 * it throws away, so the others wait here, as many as there are flows that are being opened. A
 * request that is cancelled while the daemon is at it keeps its place until the answer comes,
 * or until that is so late that it will not come any more. */
#include "config.h"

#include "t2pw-socket-broker.h"

#include "t2p-limits.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LATE_US (30 * G_USEC_PER_SEC)

typedef struct
{
  GList link; /* in waiting or asked */
  guint64 id;
  char *path;
  gint64 asked_us;
  T2pwSocketDone done; /* NULL: cancelled */
  gpointer user_data;
} Request;

struct _T2pwSocketBroker
{
  T2pBusWorker *skeleton;
  T2pwSocketHelper helper;
  guint64 last_id;
  GQueue waiting; /* Request */
  GQueue asked;   /* Request, the oldest first; few: walked */
};

static void
request_free (Request *request)
{
  g_free (request->path);
  g_free (request);
}

static void
drop_late (T2pwSocketBroker *broker)
{
  const gint64 now_us = g_get_monotonic_time ();
  Request *request;

  while ((request = g_queue_peek_head (&broker->asked)) != NULL && request->done == NULL &&
         now_us - request->asked_us > LATE_US)
    {
      g_queue_unlink (&broker->asked, &request->link);
      request_free (request);
    }
}

static void
ask_more (T2pwSocketBroker *broker)
{
  drop_late (broker);
  while (broker->asked.length < T2P_MAX_SOCKETS_UNDER_WAY && broker->waiting.length > 0)
    {
      GList *link = g_queue_pop_head_link (&broker->waiting);
      Request *request = link->data;

      g_queue_push_tail_link (&broker->asked, link);
      request->asked_us = g_get_monotonic_time ();
      t2p_bus_worker_emit_socket_wanted (broker->skeleton, request->id, request->path);
    }
}

static gpointer
broker_ask (gpointer helper, const char *path, T2pwSocketDone done, gpointer user_data)
{
  T2pwSocketBroker *broker = helper;
  Request *request = g_new0 (Request, 1);

  request->link.data = request;
  request->id = ++broker->last_id;
  request->path = g_strdup (path);
  request->done = done;
  request->user_data = user_data;
  g_queue_push_tail_link (&broker->waiting, &request->link);
  ask_more (broker);
  return request;
}

static void
broker_cancel (gpointer helper, gpointer data)
{
  T2pwSocketBroker *broker = helper;
  Request *request = data;

  request->done = NULL;
  if (request->asked_us != 0)
    return;
  g_queue_unlink (&broker->waiting, &request->link);
  request_free (request);
}

T2pwSocketBroker *
t2pw_socket_broker_new (T2pBusWorker *skeleton)
{
  T2pwSocketBroker *broker = g_new0 (T2pwSocketBroker, 1);

  broker->skeleton = g_object_ref (skeleton);
  broker->helper = (T2pwSocketHelper){ broker_ask, broker_cancel, broker };
  g_queue_init (&broker->waiting);
  g_queue_init (&broker->asked);
  return broker;
}

static void
queue_clear (GQueue *queue)
{
  GList *link;

  while ((link = g_queue_pop_head_link (queue)) != NULL)
    request_free (link->data);
}

void
t2pw_socket_broker_free (T2pwSocketBroker *broker)
{
  queue_clear (&broker->waiting);
  queue_clear (&broker->asked);
  g_object_unref (broker->skeleton);
  g_free (broker);
}

const T2pwSocketHelper *
t2pw_socket_broker_get_helper (T2pwSocketBroker *broker)
{
  return &broker->helper;
}

static Request *
find_asked (T2pwSocketBroker *broker, guint64 id)
{
  for (GList *link = broker->asked.head; link != NULL; link = link->next)
    if (((Request *) link->data)->id == id)
      return link->data;
  return NULL;
}

/* -1 when there is none, or it is no unix socket */
static int
take_fd (GVariant *handles, GUnixFDList *fds)
{
  const int n = fds != NULL ? g_unix_fd_list_get_length (fds) : 0;
  gint32 handle = -1;
  int domain = 0;
  socklen_t length = sizeof domain;
  int fd;

  if (g_variant_n_children (handles) != 1)
    return -1;
  g_variant_get_child (handles, 0, "h", &handle);
  fd = handle >= 0 && handle < n ? g_unix_fd_list_get (fds, handle, NULL) : -1;
  if (fd < 0)
    return -1;
  if (getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX)
    {
      (void) fcntl (fd, F_SETFL, O_RDWR | O_NONBLOCK);
      return fd;
    }
  close (fd);
  return -1;
}

void
t2pw_socket_broker_take (T2pwSocketBroker *broker,
                         guint64 id,
                         GVariant *handles,
                         GUnixFDList *fds,
                         const char *reason)
{
  Request *request = find_asked (broker, id);
  int fd;

  if (request == NULL)
    return;
  g_queue_unlink (&broker->asked, &request->link);
  ask_more (broker);
  if (request->done != NULL)
    {
      fd = take_fd (handles, fds);
      request->done (fd, fd < 0 && reason[0] == '\0' ? "no socket came" : reason,
                     request->user_data);
    }
  request_free (request);
}
