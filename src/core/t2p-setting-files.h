/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-settings.h"

G_BEGIN_DECLS

/**
 * T2pSettingFile:
 * @name: as it stands in the setting: "/etc/ca.pem", or "fd:NAME" for a descriptor
 * @key: the setting; %NULL for an upstream that is in none
 * @entry: of the list, from 0
 * @most_bytes: what one of its kind may have
 *
 * A file that somebody else has to open, because the worker has no file system to speak of.
 */
typedef struct
{
  char *name;
  const char *key;
  guint entry;
  gsize most_bytes;
} T2pSettingFile;

/* T2pSettingFile, as often and in the order in which they are named (transfer full). */
GArray *t2p_settings_list_files (const T2pSettings *settings);
GArray *t2p_setting_files_of_endpoint (const T2pEndpoint *endpoint);
/* Whether a path and no "fd:NAME". */
gboolean t2p_setting_file_is_path (const T2pSettingFile *file);

G_END_DECLS
