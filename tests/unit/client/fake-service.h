/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The public interface on a private bus, answered from memory by a thread with a connection of
 * its own, so that synchronous calls can be tested. Names and hosts that begin with the words
 * below make it answer with an error:
 *
 *   CreateTunnel of `taken` AlreadyExists, `denied` NotAuthorized, `dialog`
 *   InteractiveAuthorizationRequired, `future` an error name that nobody knows
 *   a proxy URI that contains `refuses` ProxyAuthenticationFailed
 */
typedef struct _FakeService FakeService;

/* Returns when the name is owned. */
FakeService *fake_service_start (const char *bus_address);
/* Drops the name and the connection. */
void fake_service_stop (FakeService *service);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FakeService, fake_service_stop)

/* Whether the last call allowed a password dialog. */
gboolean fake_service_saw_interactive (FakeService *service);
/* The first proxy of the last CreateTunnel or TestProxy. (transfer full) */
char *fake_service_dup_proxy (FakeService *service);
/* The service says by itself that this tunnel is degraded. */
void fake_service_degrade (FakeService *service, const char *path);

G_END_DECLS
