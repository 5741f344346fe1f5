/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-manager-methods.h"

#include "t2p-limits.h"
#include "t2pd-files.h"
#include "t2pd-proxy-test.h"

static const T2pdCallOption test_options[] = {
  { "timeout", "u" },
  { NULL, NULL },
};

static guint
test_timeout_s (T2pdCall *call)
{
  return t2pd_call_options_get_u32 (call->call_options, "timeout", T2P_PROXY_TEST_TIMEOUT_S);
}

static gboolean
check_test (T2pdCall *call, GError **error)
{
  g_autoptr (GArray) files = NULL;
  const char *uri;
  guint timeout = test_timeout_s (call);

  if (timeout < 1 || timeout > T2P_PROXY_TEST_TIMEOUT_S)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                   "option 'timeout': %u seen, 1 to %d expected", timeout,
                   T2P_PROXY_TEST_TIMEOUT_S);
      return FALSE;
    }
  g_variant_get_child (call->parameters, 0, "&s", &uri);
  call->endpoint = t2p_endpoint_parse (uri, error);
  if (call->endpoint == NULL)
    return FALSE;
  files = t2p_setting_files_of_endpoint (call->endpoint);
  return t2pd_files_check (files, call->uid, NULL, error);
}

static gboolean
look_again_test (T2pdCall *call, GError **error)
{
  return t2pd_service_check_serving (call->service, error) &&
         t2pd_proxy_test_check_limit (call->uid, error);
}

static void
tested_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer = t2pd_proxy_test_finish (result, &error);

  if (answer != NULL)
    t2pd_call_return (call, g_variant_new ("(@a{sv})", answer));
  else
    t2pd_call_fail (call, error);
}

static void
act_test (T2pdCall *call)
{
  g_autoptr (GArray) wanted = t2p_setting_files_of_endpoint (call->endpoint);
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pdFiles) files = t2pd_files_open (wanted, call->uid, NULL, &error);

  if (files == NULL)
    t2pd_call_fail (call, error);
  else
    t2pd_proxy_test_async (call->service, call->uid, call->endpoint, files, call->is_advanced,
                           test_timeout_s (call) * 1000, tested_cb, t2pd_call_ref (call));
}

const T2pdMethod t2pd_manager_test_proxy = {
  "TestProxy", test_options, check_test, look_again_test, act_test,
};
