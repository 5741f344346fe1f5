/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define T2PN_RESOLVED_NAME "org.freedesktop.resolve1"

/* Calls to systemd-resolved's manager, made one after the other. */
typedef struct _T2pnResolvedCalls T2pnResolvedCalls;

T2pnResolvedCalls *t2pn_resolved_calls_new (GDBusConnection *bus);
/* @method: static; @arguments: floating; @is_optional: the oldest resolved that we work with
 * lacks it */
void t2pn_resolved_calls_add (T2pnResolvedCalls *self,
                              const char *method,
                              GVariant *arguments,
                              gboolean is_optional);
/* Makes them, and makes them again whenever resolved was restarted, until they are dropped.
 * Takes @task, which gets TRUE, or T2P_ERROR_DNS_SETUP_FAILED, or G_IO_ERROR_CANCELLED once
 * they are dropped. */
void t2pn_resolved_calls_keep (T2pnResolvedCalls *self, GTask *task);
/* Makes them once, if resolved runs: there, and of a link that is there, they take something
 * back. Takes @task. */
void t2pn_resolved_calls_revert (T2pnResolvedCalls *self, GTask *task);
/* Takes @self (nullable): no further call is made for t2pn_resolved_calls_keep(). */
void t2pn_resolved_calls_drop (T2pnResolvedCalls *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnResolvedCalls, t2pn_resolved_calls_drop)

G_END_DECLS
