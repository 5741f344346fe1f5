/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-bring-up-private.h"
#include "t2pd-capture-parts.h"

#include "t2pn-nm-backend.h"

/* --- install-bypass, install-capture */

static void
stage_run_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GError *error = NULL;

  t2pn_backend_run_finish (T2PN_BACKEND (source), result, &error);
  t2pd_step_end (user_data, error);
}

static void
stage_undone_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GError *error = NULL;

  t2pn_backend_undo_finish (T2PN_BACKEND (source), result, &error);
  t2pd_step_end (user_data, error);
}

static void
run_stage (T2pdBringUp *self, T2pnStage stage, GTask *task)
{
  t2pn_backend_run_async (self->backend, stage, g_task_get_cancellable (task), stage_run_cb,
                          task);
}

static void
undo_stage (T2pdBringUp *self, T2pnStage stage, GTask *task)
{
  t2pn_backend_undo_async (self->backend, stage, NULL, stage_undone_cb, task);
}

void
t2pd_step_run_bypass (gpointer context, GTask *task)
{
  run_stage (context, T2PN_STAGE_INSTALL_BYPASS, task);
}

void
t2pd_step_undo_bypass (gpointer context, GTask *task)
{
  undo_stage (context, T2PN_STAGE_INSTALL_BYPASS, task);
}

/* The task's error is that of the part that failed. */
static void
capture_given_up_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;

  t2pn_backend_undo_finish (T2PN_BACKEND (source), result, NULL); /* the journal looks, too */
  t2pd_step_end (task, g_object_steal_data (G_OBJECT (task), "part-error"));
}

static void
capture_run_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  GError *error = NULL;

  if (!t2pn_backend_run_finish (T2PN_BACKEND (source), result, &error) ||
      t2pd_capture_parts_run (t2pd_step_get_bring_up (task), &error))
    {
      t2pd_step_end (task, error);
      return;
    }
  g_object_set_data_full (G_OBJECT (task), "part-error", error, (GDestroyNotify) g_error_free);
  t2pn_backend_undo_async (T2PN_BACKEND (source), T2PN_STAGE_INSTALL_CAPTURE, NULL,
                           capture_given_up_cb, task);
}

/* What goes with the routes comes after them, and is gone before them. */
void
t2pd_step_run_capture (gpointer context, GTask *task)
{
  T2pdBringUp *self = context;

  t2pd_step_set_bring_up (task, self);
  t2pn_backend_run_async (self->backend, T2PN_STAGE_INSTALL_CAPTURE,
                          g_task_get_cancellable (task), capture_run_cb, task);
}

static void
capture_undone_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  GError *part_error = g_object_steal_data (G_OBJECT (task), "part-error");
  GError *error = NULL;

  if (!t2pn_backend_undo_finish (T2PN_BACKEND (source), result, &error) && part_error != NULL)
    g_clear_error (&part_error);
  t2pd_step_end (task, error != NULL ? error : part_error);
}

void
t2pd_step_undo_capture (gpointer context, GTask *task)
{
  T2pdBringUp *self = context;
  GError *error = NULL;

  if (!t2pd_capture_parts_undo (self, &error))
    g_object_set_data_full (G_OBJECT (task), "part-error", error,
                            (GDestroyNotify) g_error_free);
  t2pn_backend_undo_async (self->backend, T2PN_STAGE_INSTALL_CAPTURE, NULL, capture_undone_cb,
                           task);
}

/* --- apply-dns */

static void
dns_applied_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pdBringUp *self = t2pd_step_get_bring_up (task);
  GError *error = NULL;

  if (!t2pn_resolver_apply_finish (T2PN_RESOLVER (source), result, &error))
    g_clear_object (&self->resolver);
  t2pd_bring_up_show_facts (self);
  t2pd_step_end (task, error);
}

/* Takes @resolver. */
static void
apply_dns (T2pdBringUp *self, GTask *task, T2pnResolver *resolver)
{
  T2pnResolverConfig config = {
    .ifindex = t2pn_tun_device_get_ifindex (self->device),
    .servers = &self->pool.responder4,
    .n_servers = 1,
    .domains = t2p_settings_get_strv (self->settings, "dns-domains"),
  };

  self->resolver = resolver;
  t2pn_resolver_apply_async (resolver, &config, self->journal, g_task_get_cancellable (task),
                             dns_applied_cb, task);
}

static void
dns_chosen_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  GError *error = NULL;
  T2pnResolver *resolver = t2pn_resolver_choose_finish (result, &error);

  if (resolver == NULL)
    t2pd_step_end (task, error);
  else
    apply_dns (t2pd_step_get_bring_up (task), task, resolver);
}

void
t2pd_step_run_dns (gpointer context, GTask *task)
{
  T2pdBringUp *self = context;
  T2pnResolver *told = t2pn_nm_backend_make_resolver (self->backend);

  t2pd_step_set_bring_up (task, self);
  if (told != NULL)
    apply_dns (self, task, told);
  else if (t2p_settings_get_dns (self->settings) == T2P_DNS_MODE_OFF ||
           t2pd_bring_up_get_netns (self) >= 0)
    /* Who has a namespace of his own tells his programs there of a name server, any. */
    t2pd_step_end (task, NULL);
  else
    t2pn_resolver_choose_async (self->service->bus, t2pd_bring_up_get_resolver_scope (self),
                                NULL, g_task_get_cancellable (task), dns_chosen_cb, task);
}

/* A resolver that hangs holds nobody up for longer: what it knows of the link goes with the
 * link. */
#define REVERT_TIMEOUT_MS 5000

typedef struct
{
  GCancellable *cancellable;
  GSource *source;
} Deadline;

static void
deadline_free (Deadline *deadline)
{
  g_source_destroy (deadline->source);
  g_source_unref (deadline->source);
  g_object_unref (deadline->cancellable);
  g_free (deadline);
}

static gboolean
too_late_cb (gpointer user_data)
{
  g_cancellable_cancel (user_data);
  return G_SOURCE_REMOVE;
}

/* Lives as long as @task. */
static GCancellable *
set_deadline (GTask *task, guint ms)
{
  Deadline *deadline = g_new (Deadline, 1);

  deadline->cancellable = g_cancellable_new ();
  deadline->source = g_timeout_source_new (ms);
  g_source_set_callback (deadline->source, too_late_cb, deadline->cancellable, NULL);
  g_source_attach (deadline->source, NULL);
  g_task_set_task_data (task, deadline, (GDestroyNotify) deadline_free);
  return deadline->cancellable;
}

static void
dns_reverted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pdBringUp *self = t2pd_step_get_bring_up (task);
  GError *error = NULL;

  if (!t2pn_resolver_revert_finish (T2PN_RESOLVER (source), result, &error) &&
      g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_clear_error (&error);
      error = g_error_new (T2P_ERROR, T2P_ERROR_TIMED_OUT,
                           "the resolver did not answer within %d ms", REVERT_TIMEOUT_MS);
    }
  g_clear_object (&self->resolver);
  t2pd_bring_up_show_facts (self);
  t2pd_step_end (task, error);
}

void
t2pd_step_undo_dns (gpointer context, GTask *task)
{
  T2pdBringUp *self = context;

  if (self->resolver == NULL)
    {
      t2pd_step_end (task, NULL);
      return;
    }
  t2pd_step_set_bring_up (task, self);
  t2pn_resolver_revert_async (self->resolver, set_deadline (task, REVERT_TIMEOUT_MS),
                              dns_reverted_cb, task);
}
