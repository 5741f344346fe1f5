/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-log.h"
#include "t2pw-data-plane.h"

G_BEGIN_DECLS

/**
 * T2psOptions:
 * @tun_name: (nullable): the device to make, or to attach to
 * @tun_fd: the device to take, -1 for none
 * @plane: what the data plane is told
 */
typedef struct
{
  char *tun_name;
  int tun_fd;
  T2pLogLevel level;
  T2pwPlaneConfig *plane;
} T2psOptions;

gboolean t2ps_options_parse (T2psOptions *out_options, int *argc, char ***argv, GError **error);
void t2ps_options_clear (T2psOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (T2psOptions, t2ps_options_clear)

G_END_DECLS
