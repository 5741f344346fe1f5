/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-proxy-test.h"

#include "t2p-foreign-address.h"
#include "t2p-limits.h"
#include "t2p-names.h"
#include "t2pd-authority.h"
#include "t2pd-bring-up.h"
#include "t2pd-worker-row.h"
#include "t2pd-worker-sockets.h"

/** ProxyTest: one under way. */
typedef struct
{
  T2pdService *service;
  guint32 uid;
  T2pEndpoint *endpoint;
  gboolean may_be_foreign;
  T2pdFiles *files;
  T2pdWorker *worker;
  GCancellable *cancellable;
  GSource *deadline;
  guint timeout_ms;
  GVariantDict row; /* the answer so far */
  GError *failure;  /* of this machine, which is no answer */
} ProxyTest;

static GPtrArray *running;  /* ProxyTest, four for each uid: walked */
static GTask *waiting_none; /* for the last of them to end */

static guint
count_of (guint32 uid)
{
  guint n = 0;

  for (guint i = 0; running != NULL && i < running->len; i++)
    n += ((const ProxyTest *) running->pdata[i])->uid == uid;
  return n;
}

static void
add_running (ProxyTest *test)
{
  if (running == NULL)
    running = g_ptr_array_new ();
  g_ptr_array_add (running, test);
}

static void
answer_if_none (void)
{
  g_autoptr (GTask) task = NULL;

  if (waiting_none == NULL || (running != NULL && running->len > 0))
    return;
  task = g_steal_pointer (&waiting_none);
  g_task_return_boolean (task, TRUE);
}

gboolean
t2pd_proxy_test_check_limit (guint32 uid, GError **error)
{
  if (count_of (uid) < T2P_MAX_PROXY_TESTS_PER_UID)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_BUSY,
               "user %u tests %u proxies already, at most %d expected", uid, count_of (uid),
               T2P_MAX_PROXY_TESTS_PER_UID);
  return FALSE;
}

static void
proxy_test_free (ProxyTest *test)
{
  g_ptr_array_remove_fast (running, test);
  g_source_destroy (test->deadline);
  g_source_unref (test->deadline);
  g_variant_dict_clear (&test->row);
  g_clear_error (&test->failure);
  g_object_unref (test->cancellable);
  g_object_unref (test->worker);
  t2p_endpoint_unref (test->endpoint);
  t2pd_files_unref (test->files);
  g_free (test);
  answer_if_none ();
}

/* NULL: the answer is the row. */
static GError *
error_of_end (const ProxyTest *test)
{
  GError *error = NULL;

  t2pd_service_check_serving (test->service, &error);
  return error;
}

/* Whatever happened, the answer has all of its fields. */
static GVariant *
make_answer (ProxyTest *test)
{
  static const struct
  {
    const char *name;
    const char *type;
    const char *text;
  } fields[] = {
    { "reachable", "b", "false" }, { "rtt-us", "t", "0" },    { "auth", "s", "'none'" },
    { "connect", "b", "false" },   { "names", "b", "false" }, { "ipv6", "b", "false" },
    { "udp", "s", "'none'" },      { "error", "s", "''" },    { "message", "s", "''" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    if (!g_variant_dict_contains (&test->row, fields[i].name))
      {
        /* Not floating. */
        g_autoptr (GVariant) value =
            g_variant_parse (G_VARIANT_TYPE (fields[i].type), fields[i].text, NULL, NULL, NULL);

        g_variant_dict_insert_value (&test->row, fields[i].name, value);
      }
  return g_variant_ref_sink (g_variant_dict_end (&test->row));
}

static void
stopped_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  ProxyTest *test = g_task_get_task_data (task);

  GError *error = error_of_end (test);

  t2pd_worker_stop_finish (T2PD_WORKER (source), result);
  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_pointer (task, make_answer (test), (GDestroyNotify) g_variant_unref);
}

static void
not_started_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  ProxyTest *test = g_task_get_task_data (task);
  GError *ending = error_of_end (test);

  t2pd_worker_stop_finish (T2PD_WORKER (source), result);
  g_task_return_error (task, ending != NULL ? ending : g_steal_pointer (&test->failure));
}

static void
end (GTask *task)
{
  ProxyTest *test = g_task_get_task_data (task);

  t2pd_worker_stop_async (test->worker, 0, stopped_cb, task);
}

static void
set_error_field (ProxyTest *test, T2pError code, const char *message)
{
  const char *name = t2p_error_to_dbus_name (code) + strlen (T2P_ERROR_PREFIX);

  g_variant_dict_insert (&test->row, "error", "s", name);
  g_variant_dict_insert (&test->row, "message", "s", message);
}

static void
end_with (GTask *task, const GError *error)
{
  ProxyTest *test = g_task_get_task_data (task);

  if (g_cancellable_is_cancelled (test->cancellable))
    set_error_field (test, T2P_ERROR_TIMED_OUT, "the proxy did not answer in time");
  else
    set_error_field (test,
                     error->domain == T2P_ERROR ? (T2pError) error->code : T2P_ERROR_FAILED,
                     error->message);
  end (task);
}

static void
probed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  ProxyTest *test = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, &error);
  g_autoptr (GVariant) raw = NULL;
  g_autoptr (GVariant) row = NULL;
  guint64 dropped = 0;

  if (reply == NULL)
    {
      end_with (task, error);
      return;
    }
  raw = g_variant_get_child_value (reply, 0);
  row = g_variant_ref_sink (t2pd_worker_row_copy_probe (raw, &dropped));
  g_variant_dict_clear (&test->row);
  g_variant_dict_init (&test->row, row);
  g_variant_dict_remove (&test->row, "ipv6-refused"); /* of the private answer only */
  end (task);
}

static GVariant *
make_options (ProxyTest *test, const char *const *addresses, GUnixFDList *fds)
{
  g_auto (GStrv) servers = t2pd_uplink_get_server_texts (test->service->uplink);
  GVariant *handles = fds != NULL ? t2pd_files_pass (test->files, NULL, fds, NULL) : NULL;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  if (handles != NULL) /* or else the worker says what it misses */
    g_variant_builder_add (&builder, "{sv}", "files", handles);
  g_variant_builder_add (&builder, "{sv}", "mark", g_variant_new_uint32 (test->service->mark));
  g_variant_builder_add (&builder, "{sv}", "uplink-dns",
                         g_variant_new_strv ((const char *const *) servers, -1));
  g_variant_builder_add (&builder, "{sv}", "timeout-ms",
                         g_variant_new_uint32 (test->timeout_ms));
  g_variant_builder_add (&builder, "{sv}", "foreign-addresses",
                         g_variant_new_boolean (test->may_be_foreign));
  if (addresses != NULL)
    g_variant_builder_add (&builder, "{sv}", "addresses", g_variant_new_strv (addresses, -1));
  return g_variant_builder_end (&builder);
}

static void
probe (GTask *task, const char *const *addresses)
{
  ProxyTest *test = g_task_get_task_data (task);
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();
  g_autofree char *uri = t2p_endpoint_to_private_uri (test->endpoint);

  t2pd_worker_call_async (test->worker, "Probe",
                          g_variant_new ("(s@a{sv})", uri, make_options (test, addresses, fds)),
                          G_VARIANT_TYPE ("(a{sv})"), fds, test->timeout_ms + 1000,
                          test->cancellable, probed_cb, task);
}

/* Only addresses that this caller may use are tried. */
static char **
filter_addresses (ProxyTest *test, GVariant *reply)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_autoptr (GVariant) list = g_variant_get_child_value (reply, 0);
  gsize n = MIN (g_variant_n_children (list), 16);

  for (gsize i = 0; i < n; i++)
    {
      T2pIpAddress address;
      const char *text;

      g_variant_get_child (list, i, "&s", &text);
      if (t2p_ip_address_parse (text, &address) &&
          (test->may_be_foreign || !t2p_ip_address_is_foreign (&address)))
        g_strv_builder_add (builder, text);
    }
  return g_strv_builder_end (builder);
}

static void
resolved_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  ProxyTest *test = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, &error);
  g_auto (GStrv) addresses = NULL;

  if (reply == NULL)
    {
      end_with (task, error);
      return;
    }
  addresses = filter_addresses (test, reply);
  if (addresses[0] != NULL)
    {
      probe (task, (const char *const *) addresses);
      return;
    }
  set_error_field (test, T2P_ERROR_RESOLVE_FAILED, "its name has no address that may be used");
  end (task);
}

static void
spawned_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  ProxyTest *test = g_task_get_task_data (task);
  T2pIpAddress address;

  if (!t2pd_worker_spawn_finish (T2PD_WORKER (source), result, &test->failure))
    t2pd_worker_stop_async (test->worker, 0, not_started_cb, task);
  else if (t2p_endpoint_get_address (test->endpoint, &address) ||
           t2p_endpoint_get_host (test->endpoint) == NULL)
    probe (task, NULL);
  else
    t2pd_worker_call_async (test->worker, "Resolve",
                            g_variant_new ("(s@a{sv})", t2p_endpoint_get_host (test->endpoint),
                                           make_options (test, NULL, NULL)),
                            G_VARIANT_TYPE ("(as)"), NULL, test->timeout_ms + 1000,
                            test->cancellable, resolved_cb, task);
}

static gboolean
too_late_cb (gpointer user_data)
{
  g_cancellable_cancel (user_data);
  return G_SOURCE_REMOVE;
}

void
t2pd_proxy_test_async (T2pdService *service,
                       guint32 uid,
                       T2pEndpoint *endpoint,
                       T2pdFiles *files,
                       gboolean may_be_foreign,
                       guint timeout_ms,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  static guint64 last_number;
  GTask *task = g_task_new (NULL, NULL, callback, user_data);
  g_autofree char *label = g_strdup_printf ("test-%" G_GUINT64_FORMAT, ++last_number);
  g_auto (GStrv) paths = t2pd_worker_sockets_of_endpoint (endpoint);
  ProxyTest *test = g_new0 (ProxyTest, 1);

  add_running (test);
  test->service = service;
  test->uid = uid;
  test->endpoint = t2p_endpoint_ref (endpoint);
  test->files = t2pd_files_ref (files);
  test->may_be_foreign = may_be_foreign;
  test->timeout_ms = timeout_ms;
  test->worker = t2pd_worker_new (service->options, label);
  t2pd_worker_sockets_attach (test->worker, uid, (const char *const *) paths);
  test->cancellable = g_cancellable_new ();
  g_variant_dict_init (&test->row, NULL);
  test->deadline = g_timeout_source_new (timeout_ms);
  g_source_set_callback (test->deadline, too_late_cb, test->cancellable, NULL);
  g_source_attach (test->deadline, NULL);
  g_task_set_task_data (task, test, (GDestroyNotify) proxy_test_free);
  t2pd_worker_spawn_async (test->worker, NULL, spawned_cb, task);
}

/**
 * t2pd_proxy_test_end_all_async:
 *
 * For the end of the service, which begins no other.
 *
 * Since: 0.1
 */
void
t2pd_proxy_test_end_all_async (GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (waiting_none == NULL);

  waiting_none = g_task_new (NULL, NULL, callback, user_data);
  for (guint i = 0; running != NULL && i < running->len; i++)
    {
      ProxyTest *test = running->pdata[i];

      g_cancellable_cancel (test->cancellable);
      if (!t2pd_worker_is_ready (test->worker))
        t2pd_worker_kill (test->worker);
    }
  answer_if_none ();
}

GVariant *
t2pd_proxy_test_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
