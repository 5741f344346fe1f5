/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-apps.h"
#include "t2pd-bring-up.h"
#include "t2pd-loop-watch.h"
#include "t2pd-second-hop.h"
#include "t2pd-tunnel-table.h"

#include "t2pn-backend.h"
#include "t2pn-journal.h"
#include "t2pn-kill-switch.h"
#include "t2pn-resolver.h"
#include "t2pn-tun-device.h"

G_BEGIN_DECLS

/* What the files of the bring-up share: its fields, the rows of its table, and what they need
 * of each other. Nothing else includes this. */

/** UpdateState: of the route plan; bursts of events cost one update more at most. */
typedef enum
{
  UPDATE_IDLE,
  UPDATE_RUNNING,
  UPDATE_RUNNING_STALE, /* something changed since it began */
} UpdateState;

/** T2pdDnsRedirectState: what the kernel was told to do with questions to name servers. */
typedef enum
{
  T2PD_DNS_REDIRECT_NONE,
  T2PD_DNS_REDIRECT_LOST, /* what it was told, somebody has removed */
  T2PD_DNS_REDIRECT_IPV4, /* and those by IPv6 are refused */
  T2PD_DNS_REDIRECT_BOTH,
} T2pdDnsRedirectState;

struct _T2pdBringUp
{
  GObject parent;
  T2pdService *service;
  T2pdTunnel *tunnel; /* unowned: it owns us */
  T2pSettings *settings;
  gboolean is_advanced;
  T2pdDescriptors *descriptors; /* NULL: none were passed */

  T2pnJournal *journal;
  T2pdUpstreams *upstreams;
  T2pdCarrier *carrier;
  T2pdFiles *files; /* that the settings name; NULL until the first row */
  T2pnTunDevice *device;
  T2pnAddressPool pool;
  T2pnRouteIds ids;
  GArray *users;             /* of T2pnUidRange: `users` of the settings, looked up */
  guint32 resolver_uid;      /* of the machine's resolver, 0: none */
  GVariant *rule_uids;       /* a{su}: names in `rules`, looked up */
  T2pdSecondHop *second_hop; /* NULL before the first plan */
  T2pdLoopWatch *loop_watch;
  T2pnBypass *bypass; /* NULL before the first plan */
  T2pnBackend *backend;
  T2pnResolver *resolver;
  gboolean has_capture_parts;
  T2pdTunnelTable *table; /* NULL: nothing is in it */
  T2pdApps *apps;         /* NULL: none are chosen */
  gboolean closes_existing;
  char *close_warning; /* NULL: that went well, or was not asked for */
  T2pdDnsRedirectState dns_redirect;
  char *resolver_redirect;               /* what nft was told; NULL: nothing */
  gboolean is_resolver_redirect_failing; /* and that was told */
  gboolean is_learning;                  /* what an upstream in use can */
  gboolean had_ipv6;                     /* what the plan and the worker were told last */
  gboolean is_unattended;                /* nobody carries packets */
  UpdateState update;
  gboolean is_in_conflict; /* somebody else has taken what is ours, and that was told */
  gboolean is_out_of_date; /* the last update failed, and that was told */
};

/* Gives @task an error (transfer full) or, when that is NULL, success; takes its reference. */
void t2pd_step_end (GTask *task, GError *error);
/* A row that goes on in a callback finds its object again. */
void t2pd_step_set_bring_up (GTask *task, T2pdBringUp *self);
T2pdBringUp *t2pd_step_get_bring_up (GTask *task);
void t2pd_bring_up_show_facts (T2pdBringUp *self);
/* 0: the kernel lets workers mark their sockets. */
guint32 t2pd_bring_up_get_worker_uid (T2pdBringUp *self);
/* Of all tunnels: of int. (transfer full) */
GArray *t2pd_bring_up_list_own_links (T2pdBringUp *self);
/* Index of the device in the service's own namespace; 0: it has none, or is elsewhere. */
int t2pd_bring_up_get_ifindex (T2pdBringUp *self);
/* For the links, addresses and rules as they are now; of a tunnel that is up
 * t2pd_bring_up_renew_plan(), which goes on where somebody else is in the way and says so in
 * @out_conflict (transfer full). */
T2pnRoutePlan *t2pd_bring_up_make_plan (T2pdBringUp *self, GError **error);
T2pnRoutePlan *
t2pd_bring_up_renew_plan (T2pdBringUp *self, GError **out_conflict, GError **error);
/* Of a tunnel that is elsewhere. It goes by the settings alone, and is made once. */
T2pnRoutePlan *t2pd_bring_up_make_netns_plan (T2pdBringUp *self, GError **error);
/* What the tunnel captures at this moment, for the kill switch. */
gboolean t2pd_bring_up_fill_arm (T2pdBringUp *self, T2pnKillSwitchArm *arm, GError **error);
/* What goes with each question to the worker about an upstream (floating). */
GVariant *t2pd_bring_up_make_ask (T2pdBringUp *self);
/* Has the worker ask upstreams for IPv6, or not, by what is known of them. */
void t2pd_bring_up_tell_ipv6 (T2pdBringUp *self);
/* Computes the plan anew, if the tunnel is up. */
void t2pd_bring_up_update_plan (T2pdBringUp *self);
/* A mark for what nftables chooses, unless there is one. */
gboolean t2pd_bring_up_take_app_mark (T2pdBringUp *self, GError **error);
/* Keeps the tunnel right while it is up. */
void t2pd_bring_up_watch (T2pdBringUp *self);

/* t2pd-step-carry.c */
void t2pd_step_run_resolve (gpointer context, GTask *task);
void t2pd_step_undo_resolve (gpointer context, GTask *task);
void t2pd_step_run_device (gpointer context, GTask *task);
void t2pd_step_undo_device (gpointer context, GTask *task);
void t2pd_step_run_worker (gpointer context, GTask *task);
void t2pd_step_undo_worker (gpointer context, GTask *task);
void t2pd_step_run_probe (gpointer context, GTask *task);

/* t2pd-step-link.c */
/* Whose resolver may be changed for the tunnel. */
T2pScope t2pd_bring_up_get_resolver_scope (T2pdBringUp *self);
void t2pd_step_run_link (gpointer context, GTask *task);
void t2pd_step_undo_link (gpointer context, GTask *task);

/* t2pd-step-network.c */
void t2pd_step_run_bypass (gpointer context, GTask *task);
void t2pd_step_undo_bypass (gpointer context, GTask *task);
void t2pd_step_run_capture (gpointer context, GTask *task);
void t2pd_step_undo_capture (gpointer context, GTask *task);
void t2pd_step_run_dns (gpointer context, GTask *task);
void t2pd_step_undo_dns (gpointer context, GTask *task);

G_END_DECLS
