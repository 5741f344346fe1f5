/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-backend.h"
#include "t2pn-nm-client.h"
#include "t2pn-resolver.h"

G_BEGIN_DECLS

/**
 * T2pnNmBackendConfig:
 * @client: (transfer none)
 * @journal: must outlive the backend
 * @id: what people see in NetworkManager's lists
 * @has_vnet_header, @is_multi_queue: how the device was made
 * @server: (nullable): the resolver to be told; %NULL: none
 * @domains: (array zero-terminated=1): its routing domains
 *
 * Copied.
 */
typedef struct
{
  T2pnNmClient *client;
  T2pnJournal *journal;
  const char *id;
  gboolean has_vnet_header;
  gboolean is_multi_queue;
  const T2pIpAddress *server;
  const char *const *domains;
} T2pnNmBackendConfig;

/* Whether NetworkManager can own a tunnel with @plan. Errors: those of t2pn_nm_client_check(),
 * and T2P_ERROR_NOT_SUPPORTED for what a profile cannot say. */
gboolean
t2pn_nm_backend_check (T2pnNmClient *client, const T2pnRoutePlan *plan, GError **error);

/**
 * t2pn_nm_backend_new:
 * @plan: (transfer full)
 *
 * The whole plan, DNS included, is one request, made with configure-link and taken back with
 * it: the other stages find their part done.
 */
T2pnBackend *t2pn_nm_backend_new (T2pnRoutePlan *plan, const T2pnNmBackendConfig *config);

/* The resolver that is told by the profile; NULL when the profile has no DNS, or @backend is
 * another. (transfer full) */
T2pnResolver *t2pn_nm_backend_make_resolver (T2pnBackend *backend);

G_END_DECLS
