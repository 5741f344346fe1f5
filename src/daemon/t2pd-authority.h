/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-settings.h"

G_BEGIN_DECLS

/** T2pdAction: the polkit actions, the strongest first. */
typedef enum
{
  T2PD_ACTION_MANAGE_OTHERS,
  T2PD_ACTION_ADVANCED,
  T2PD_ACTION_KILL_SWITCH,
  T2PD_ACTION_CAPTURE_DEFAULT,
  T2PD_ACTION_CAPTURE_ROUTES,
  T2PD_ACTION_PERSIST,
  T2PD_ACTION_BYPASS,
  T2PD_ACTION_INSPECT,
  T2PD_ACTION_TEST_PROXY,
  T2PD_ACTION_CREATE_TUNNEL,
  T2PD_N_ACTIONS,
} T2pdAction;

#define T2PD_ACTION_BIT(action) (1u << (action))

/**
 * T2pdFacts:
 * @caller_uid: as the bus says
 * @has_owner: whether the call is about a tunnel that is there, or about a user
 * @owner_uid: whose it is
 * @settings: (nullable): of the tunnel that would be brought up, frozen
 * @endpoint: (nullable): the upstream that would be tried
 * @in_use: (nullable) (element-type T2pIpAddress): resolvers, gateways and addresses of this
 *   machine
 *
 * What a decision is made from: nothing in here changes while somebody types a password.
 */
typedef struct
{
  guint32 caller_uid;
  gboolean has_owner;
  guint32 owner_uid;
  const T2pSettings *settings;
  const T2pEndpoint *endpoint;
  const GArray *in_use;
} T2pdFacts;

gboolean t2pd_authority_needs (const char *method, const T2pdFacts *facts, guint *out_actions);
const char *t2pd_action_get_name (T2pdAction action);
/* A set of T2PD_ACTION_BIT: what whoever may do @action may do as well. The policy file says
 * the same to polkit (annotation `org.freedesktop.policykit.imply`). */
guint t2pd_action_get_implied (T2pdAction action);

G_END_DECLS
