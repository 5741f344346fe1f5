/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-manager-methods.h"

#include "t2pd-explain.h"
#include "t2pd-process-facts.h"

static const T2pdCallOption explain_options[] = {
  { "uid", "u" },
  { "pid", "u" },
  { NULL, NULL },
};

static gboolean
get_pid (T2pdCall *call, guint32 *out_pid)
{
  return g_variant_lookup (call->call_options, "pid", "u", out_pid);
}

/* Frozen here: a process that has gone, or has become another's by the time of the answer, is
 * refused then. One that nobody knows is not the caller's. */
static gboolean
check_explain (T2pdCall *call, GError **error)
{
  T2pHostPort destination;
  const char *text;
  g_autofree char *cgroup = NULL;
  guint32 pid;

  g_variant_get_child (call->parameters, 0, "&s", &text);
  if (!t2pd_explain_parse (text, &destination, error))
    return FALSE;
  call->has_subject = TRUE;
  call->subject_uid = t2pd_call_options_get_u32 (call->call_options, "uid", call->uid);
  if (!get_pid (call, &pid))
    return TRUE;
  if (g_variant_lookup (call->call_options, "uid", "u", NULL))
    {
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                           "options 'uid' and 'pid' seen, one of them expected");
      return FALSE;
    }
  if (!t2pd_process_facts_read (pid, &call->subject_uid, &cgroup))
    call->subject_uid = G_MAXUINT32;
  return TRUE;
}

static void
explained_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer = t2pd_explain_finish (result, &error);

  if (answer != NULL)
    t2pd_call_return (call, g_variant_new ("(@a{sv})", answer));
  else
    t2pd_call_fail (call, error);
}

/* (transfer full) */
static gboolean
find_cgroup (T2pdCall *call, char **out_cgroup, GError **error)
{
  guint32 pid;
  guint32 uid;

  if (!get_pid (call, &pid))
    return TRUE;
  if (t2pd_process_facts_read (pid, &uid, out_cgroup) && uid == call->subject_uid)
    return TRUE;
  g_clear_pointer (out_cgroup, g_free);
  g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_FOUND, "there is no process %u", pid);
  return FALSE;
}

static void
act_explain (T2pdCall *call)
{
  g_autofree char *cgroup = NULL;
  g_autoptr (GError) error = NULL;
  T2pdQuestion question = {
    .uid = call->subject_uid,
    .caller_uid = call->uid,
    /* Who may ask about others was asked by polkit. */
    .is_inspector = call->uid == 0 || call->subject_uid != call->uid,
  };
  const char *text;

  g_variant_get_child (call->parameters, 0, "&s", &text);
  if (!find_cgroup (call, &cgroup, &error) ||
      !t2pd_explain_parse (text, &question.destination, &error))
    {
      t2pd_call_fail (call, error);
      return;
    }
  question.cgroup = cgroup;
  t2pd_explain_async (call->service, &question, explained_cb, t2pd_call_ref (call));
}

static gboolean
look_again_explain (T2pdCall *call, GError **error)
{
  return t2pd_service_check_serving (call->service, error);
}

const T2pdMethod t2pd_manager_explain = {
  "Explain", explain_options, check_explain, look_again_explain, act_explain,
};
