/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-nm-backend.h"

#include "t2pn-nm-client-private.h"

G_BEGIN_DECLS

/* What the files of the backend share. Nothing else includes this. */

/** T2pnNmState: of the profile. */
typedef enum
{
  T2PN_NM_STATE_DOWN,
  T2PN_NM_STATE_CHANGING,
  T2PN_NM_STATE_UP,
  T2PN_NM_STATE_AWAY,
} T2pnNmState;

#define T2PN_TYPE_NM_BACKEND (t2pn_nm_backend_get_type ())
G_DECLARE_FINAL_TYPE (T2pnNmBackend, t2pn_nm_backend, T2PN, NM_BACKEND, GObject)

struct _T2pnNmBackend
{
  GObject parent;

  T2pnNmClient *client;
  T2pnJournal *journal;
  char *id;
  char *uuid;
  gboolean has_vnet_header, is_multi_queue;
  gboolean has_dns;
  T2pIpAddress server;
  char **domains;

  T2pnNmState state;
  T2pnRoutePlan *plan;
  T2pnRoutePlan *installed;   /* @plan, as the kernel shows it */
  NMActiveConnection *active; /* NULL unless it is UP */
  gboolean is_doubtful;       /* the last update failed, or was not made yet */
  T2pnRoutePlan *pending;     /* what came meanwhile; NULL: nothing */
  gboolean looks_at_all;      /* somebody took something away: the next update looks what */
  GCancellable *recovery;     /* NULL unless one is under way */
};

typedef gboolean (*T2pnNmWrite) (T2pnJournal *journal,
                                 const char *step,
                                 const GArray *addresses,
                                 const GArray *routes,
                                 const GArray *rules,
                                 GError **error);

/* t2pn-nm-backend.c */

/* (transfer full) */
NMConnection *
t2pn_nm_backend_make_profile (T2pnNmBackend *self, const T2pnRoutePlan *plan, GError **error);
/* Has @write, a function of the journal, write what @installed leaves without a link. */
gboolean t2pn_nm_backend_write_plan (T2pnNmBackend *self,
                                     const T2pnRoutePlan *installed,
                                     T2pnNmWrite write,
                                     GError **error);
gboolean t2pn_nm_backend_prepare_link (T2pnNmBackend *self, GError **error);
void t2pn_nm_backend_drop_active (T2pnNmBackend *self);
/* Takes @active, which is up. */
void t2pn_nm_backend_take_active (T2pnNmBackend *self, NMActiveConnection *active);
void t2pn_nm_backend_emit_lost (T2pnNmBackend *self, const GError *error);
/* Ends @task: with @error (transfer full) unless @is_done. */
void t2pn_nm_backend_return (GTask *task, gboolean is_done, GError *error);

/* t2pn-nm-update.c */
void t2pn_nm_backend_update_async (T2pnBackend *backend,
                                   T2pnRoutePlan *plan,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);
void t2pn_nm_backend_doubt (T2pnBackend *backend);
void t2pn_nm_backend_stop_recovery (T2pnNmBackend *self);
void t2pn_nm_backend_running_cb (T2pnNmClient *client, gboolean is_running, gpointer self);

G_END_DECLS
