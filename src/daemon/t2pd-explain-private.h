/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-explain-tunnels.h"
#include "t2pd-explain.h"
#include "t2pn-flow-route.h"

G_BEGIN_DECLS

/* What the files of an explanation share. Nothing else includes this. */

/**
 * T2pdExplain: an explanation under way
 * @cgroup: of the question
 * @about_name: (nullable): what is said about the name first
 * @is_virtual: the name goes to the proxy as it is: @flow's destination stands for it
 * @is_known: whether @flow's destination is where the connection would go, or one like it
 * @snapshot, @walk, @answer: how @flow would be routed
 * @tunnel: (nullable): that it would enter; owned
 * @action: (nullable): what the tunnel does with it: "proxy", "direct", "reject", "drop"
 * @tunnel_rule: (nullable): the rule of the tunnel that says so
 */
typedef struct
{
  T2pdService *service;
  T2pdQuestion question;
  char *cgroup;
  char *about_name;
  gboolean is_virtual;
  gboolean is_known;
  T2pnFlow flow;
  T2pnSnapshot *snapshot;
  T2pnWalk walk;
  T2pnRouteAnswer answer;
  T2pdTunnel *tunnel;
  char *action;
  char *tunnel_rule;
} T2pdExplain;

/* Puts the answer together (floating). */
GVariant *t2pd_explain_make_answer (const T2pdExplain *explain);

G_END_DECLS
