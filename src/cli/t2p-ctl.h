/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "libtun2proxy.h"

G_BEGIN_DECLS

/* What every verb is given. */
typedef struct
{
  char *bus;           /* `system`, `session` or an address; NULL for system */
  char *password_file; /* `-` for standard input */
  char *user;
  gboolean asks;
  gboolean is_json;
  T2pClient *client; /* NULL until t2p_ctl_connect() */
} T2pCtl;

/* One verb, one file. @run gets the arguments behind the verb, options taken out, and returns
 * FALSE with @error set; G_OPTION_ERROR is for wrong usage. */
typedef struct
{
  const char *name;
  const char *arguments; /* for the help, NULL when there are none */
  const char *summary;   /* for the help; NULL: not shown there */
  const GOptionEntry *options;
  gboolean ends_options; /* the first argument ends them: the others are somebody else's */
  gboolean (*run) (T2pCtl *ctl, char **arguments, GError **error);
} T2pCtlVerb;

extern const T2pCtlVerb t2p_ctl_up_verb;
extern const T2pCtlVerb t2p_ctl_down_verb;
extern const T2pCtlVerb t2p_ctl_confirm_verb;
extern const T2pCtlVerb t2p_ctl_run_verb;
extern const T2pCtlVerb t2p_ctl_list_verb;
extern const T2pCtlVerb t2p_ctl_show_verb;
extern const T2pCtlVerb t2p_ctl_connections_verb;
extern const T2pCtlVerb t2p_ctl_test_proxy_verb;
extern const T2pCtlVerb t2p_ctl_kill_switch_verb;
extern const T2pCtlVerb t2p_ctl_monitor_verb;
extern const T2pCtlVerb t2p_ctl_explain_verb;
extern const T2pCtlVerb t2p_ctl_repair_verb;
extern const T2pCtlVerb t2p_ctl_keys_verb;
extern const T2pCtlVerb t2p_ctl_complete_verb;

/* Ends with NULL. */
extern const T2pCtlVerb *const t2p_ctl_verbs[];

/* Makes the client, and the polkit agent where one is needed. */
gboolean t2p_ctl_connect (T2pCtl *ctl, GError **error);

/* What an option with a number is when it is not given. */
#define T2P_CTL_NO_NUMBER G_MININT
/* The value of --@option for the service, which knows the bounds but could not be told of
 * anything below 1. Left alone when it is not given. */
gboolean t2p_ctl_take_number (
    const char *option, gint given, GVariantDict *dict, const char *key, GError **error);

/* The whole program; returns its exit code. */
int t2p_ctl_main (int argc, char **argv);

G_END_DECLS
