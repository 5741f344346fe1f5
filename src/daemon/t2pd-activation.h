/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-enums.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * T2pdStep:
 * @name: as in the journal and `--pause-at`
 * @state: what the tunnel is in while it runs
 * @run: ends @task with %TRUE, or with an error after undoing what it had done
 * @undo: (nullable): ends @task when everything is as before; an error does not stop the walk
 *
 * One row of the bring-up table. The task's cancellable is cancelled when nobody wants the
 * result any more; an undo cannot be cancelled.
 */
typedef struct
{
  const char *name;
  T2pTunnelState state;
  void (*run) (gpointer context, GTask *task);
  void (*undo) (gpointer context, GTask *task);
} T2pdStep;

/**
 * T2pdActivationHooks:
 * @begin: writes the journal; the step runs only when it returns %TRUE
 * @undone: forgets the step in the journal, after its undo or its failure, and when @begin
 *   failed half-way; @error is what the undo could not do
 * @drain: (nullable): lets what is open end, before anything is undone
 *
 * What an activation does around each step.
 */
typedef struct
{
  gboolean (*begin) (gpointer context, const T2pdStep *step, GError **error);
  void (*undone) (gpointer context, const T2pdStep *step, const GError *error);
  void (*drain) (gpointer context, guint drain_ms, GTask *task);
} T2pdActivationHooks;

#define T2PD_TYPE_ACTIVATION (t2pd_activation_get_type ())
G_DECLARE_FINAL_TYPE (T2pdActivation, t2pd_activation, T2PD, ACTIVATION, GObject)

T2pdActivation *t2pd_activation_new (const T2pdStep *steps,
                                     guint n_steps,
                                     const T2pdActivationHooks *hooks,
                                     gpointer context,
                                     const char *pause_at);

void t2pd_activation_run_async (T2pdActivation *self,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data);
gboolean
t2pd_activation_run_finish (T2pdActivation *self, GAsyncResult *result, GError **error);
void t2pd_activation_undo_async (T2pdActivation *self,
                                 guint drain_ms,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);
void t2pd_activation_shorten_drain (T2pdActivation *self, guint drain_ms);
void t2pd_activation_undo_finish (T2pdActivation *self, GAsyncResult *result);

/* Signal "entered" (int state): a step begins; the state that it stands for. */

G_END_DECLS
