/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-caller.h"
#include "t2pd-fd-store.h"
#include "t2pd-kill-switch.h"
#include "t2pd-manager.h"
#include "t2pd-options.h"
#include "t2pd-portal.h"
#include "t2pd-polkit.h"
#include "t2pd-sleep.h"
#include "t2pd-uplink.h"

#include "t2pn-nm-client.h"

G_BEGIN_DECLS

/**
 * T2pdService:
 * @options: the command line
 * @bus: where it is offered
 * @objects: what is exported there
 * @callers: who is who on @bus
 * @polkit: who may what
 * @manager: the tunnels
 * @uplink: this machine's way out
 * @sleep: tells of this machine's sleep
 * @nm: the machine's NetworkManager, if it has one
 * @kill_switch: what must not leave by it
 * @portal: lets a login to the network through it
 * @mark: of the workers' own sockets, one for all tunnels; 0: not chosen yet
 * @fd_store: what the next process of the service is to have; the caller's
 * @is_ending: whether everything is being taken down: nothing new is begun
 *
 * What the parts of the daemon share; one for the process.
 */
typedef struct
{
  const T2pdOptions *options;
  GDBusConnection *bus;
  GDBusObjectManagerServer *objects;
  T2pdCallers *callers;
  T2pdPolkit *polkit;
  T2pdManager *manager;
  T2pdUplink *uplink;
  T2pdFdStore *fd_store;
  T2pdSleep *sleep;
  T2pnNmClient *nm;
  T2pdKillSwitch *kill_switch;
  T2pdPortal *portal;
  guint32 mark;
  gboolean is_ending;
} T2pdService;

T2pdService *t2pd_service_new (const T2pdOptions *options,
                               GDBusConnection *bus,
                               T2pdFdStore *fd_store,
                               GError **error);
void t2pd_service_free (T2pdService *service);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pdService, t2pd_service_free)

/* A tunnel that is in the set; T2P_ERROR_FAILED when the runtime directory cannot be written.
 */
T2pdTunnel *t2pd_service_create_tunnel (T2pdService *service,
                                        const char *name,
                                        guint32 owner,
                                        T2pSettings *settings,
                                        GError **error);
/* Takes @tunnel down and out of the set. */
void t2pd_service_delete_tunnel_async (T2pdService *service,
                                       T2pdTunnel *tunnel,
                                       T2pStateReason reason,
                                       GAsyncReadyCallback callback,
                                       gpointer user_data);
void t2pd_service_delete_tunnel_finish (T2pdService *service, GAsyncResult *result);
/* Who would own a new tunnel's routes: the property DefaultNetworkBackend. */
const char *t2pd_service_get_default_backend (T2pdService *service);
/* Whether something new may begin: T2P_ERROR_CANCELLED when the service ends. */
gboolean t2pd_service_check_serving (T2pdService *service, GError **error);
/* Begins nothing new any more, and takes everything down: first the tests of proxies, then the
 * tunnels, the youngest first. */
void t2pd_service_shut_down_async (T2pdService *service,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);

G_END_DECLS
