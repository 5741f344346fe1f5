/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-data-plane.h"

G_BEGIN_DECLS

/**
 * T2pwExplanation: what would become of a flow
 * @names: how its name would get an address, "" without one
 * @action: "proxy", "direct", "reject", "drop"
 * @rule: the rule that says so, ""
 */
typedef struct
{
  const char *names;
  const char *action;
  const char *rule;
} T2pwExplanation;

/* @name: lower case; @subject: without a name, which is taken from @name when it has no address
 * either. Nothing is sent. */
T2pwExplanation t2pw_explain (const T2pwDataPlane *plane,
                              const char *name,
                              const T2pIpAddress *address,
                              guint16 port,
                              guint8 protocol,
                              guint32 uid);

G_END_DECLS
