/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-worker-sockets.h"

#include "t2p-log.h"
#include "t2pd-owner-socket.h"

#include <unistd.h>

#define ANSWER_TIMEOUT_MS 10000

/** Policy: what one worker may ask for. */
typedef struct
{
  guint32 uid;
  char **paths;
  gboolean has_complained;
} Policy;

/** Wanted: one request. */
typedef struct
{
  T2pdWorker *worker;
  guint64 id;
} Wanted;

static void
add_path (GStrvBuilder *builder, const T2pEndpoint *endpoint)
{
  const char *path = t2p_endpoint_get_unix_path (endpoint);

  if (path != NULL)
    g_strv_builder_add (builder, path);
}

char **
t2pd_worker_sockets_of_settings (const T2pSettings *settings)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (guint i = 0; i < t2p_settings_get_n_proxies (settings); i++)
    add_path (builder, t2p_settings_get_proxy (settings, i));
  return g_strv_builder_end (builder);
}

char **
t2pd_worker_sockets_of_endpoint (const T2pEndpoint *endpoint)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  add_path (builder, endpoint);
  return g_strv_builder_end (builder);
}

static void
answer (T2pdWorker *worker, guint64 id, int fd, const char *reason)
{
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();
  GVariantBuilder handles;

  g_variant_builder_init (&handles, G_VARIANT_TYPE ("ah"));
  if (fd >= 0 && g_unix_fd_list_append (fds, fd, NULL) == 0)
    g_variant_builder_add (&handles, "h", 0);
  t2pd_worker_socket_answered (worker);
  t2pd_worker_call_async (worker, "Socket", g_variant_new ("(tahs)", id, &handles, reason),
                          NULL, fds, ANSWER_TIMEOUT_MS, NULL, NULL, NULL);
}

static void
connected_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Wanted *wanted = user_data;
  g_autoptr (T2pdWorker) worker = wanted->worker;
  g_autoptr (GError) error = NULL;
  int fd = t2pd_owner_socket_connect_finish (result, &error);

  answer (worker, wanted->id, fd, error != NULL ? error->message : "");
  if (fd >= 0)
    close (fd);
}

static void
wanted_cb (T2pdWorker *worker, guint64 id, const char *path, gpointer user_data)
{
  Policy *policy = user_data;
  Wanted *wanted;

  if (!g_strv_contains ((const char *const *) policy->paths, path))
    {
      if (!policy->has_complained)
        t2p_log_warning (NULL, NULL,
                         "a worker asked for a socket that is none of its tunnel's, ignoring");
      policy->has_complained = TRUE;
      answer (worker, id, -1, "no such upstream");
      return;
    }
  wanted = g_new (Wanted, 1);
  *wanted = (Wanted){ g_object_ref (worker), id };
  t2pd_owner_socket_connect_async (policy->uid, path, connected_cb, wanted);
}

static void
policy_free (gpointer data, GClosure *closure)
{
  Policy *policy = data;

  g_strfreev (policy->paths);
  g_free (policy);
}

void
t2pd_worker_sockets_attach (T2pdWorker *worker, guint32 uid, const char *const *paths)
{
  Policy *policy = g_new0 (Policy, 1);

  policy->uid = uid;
  policy->paths = g_strdupv ((char **) paths);
  g_signal_connect_data (worker, "socket-wanted", G_CALLBACK (wanted_cb), policy, policy_free,
                         0);
}
