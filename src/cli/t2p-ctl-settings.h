/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What a person types behind `up`: proxy URIs and key=value. */

typedef struct
{
  GPtrArray *proxies;    /* of char *: URIs in order, those of `proxies=` behind the others */
  GVariantDict *options; /* the other keys */
} T2pCtlSettings;

/* A URI is an argument in which "://" comes before any "=". A key twice, and a word that is
 * neither, are refused. Errors: G_OPTION_ERROR, T2P_ERROR_INVALID_SETTINGS. */
T2pCtlSettings *t2p_ctl_settings_parse (char **arguments, GError **error);
void t2p_ctl_settings_free (T2pCtlSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pCtlSettings, t2p_ctl_settings_free)

/* a{sv} for CreateTunnel. (transfer floating) */
GVariant *t2p_ctl_settings_end (T2pCtlSettings *settings);

/* A tunnel's name when none was given: the key `interface` unless it is a pattern, else the
 * host of the first proxy with what a name cannot hold made a hyphen. (transfer full) */
char *t2p_ctl_settings_default_name (T2pCtlSettings *settings, GError **error);

/* key=value of a filter of connections: `id` is a number, the others are text. (transfer
 * floating); G_OPTION_ERROR. */
GVariant *t2p_ctl_filter_parse (char **arguments, GError **error);

G_END_DECLS
