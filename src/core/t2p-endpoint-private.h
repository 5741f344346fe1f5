/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For the files of the endpoint only. */

#include "t2p-endpoint.h"

G_BEGIN_DECLS

#define T2P_MAX_CREDENTIAL_BYTES 255 /* RFC 1929 section 2 */
#define T2P_MAX_UNIX_PATH_BYTES 107  /* sockaddr_un less its NUL: unix(7) */

struct _T2pEndpoint
{
  gatomicrefcount ref_count;
  T2pScheme scheme;
  char *host;
  char *unix_path;
  guint16 port;
  T2pIpAddress address; /* AF_UNSPEC: the host is a name */
  T2pSecret *user;      /* often a token */
  T2pSecret *password;
  GPtrArray *options; /* name, value, name, value, …; shared by copies */
  char *hop_display;
  char *display; /* with what follows */
  T2pEndpoint *next;
};

T2pEndpoint *t2p_endpoint_new_empty (void);
/* Once all of its own is known, and whatever is behind it. */
void t2p_endpoint_complete (T2pEndpoint *self, T2pEndpoint *next);

/* What follows '?', one hop's. */
gboolean t2p_endpoint_parse_options (T2pEndpoint *self, const char *text, GError **error);
/* What the options and the rest of the hop must be together. */
gboolean
t2p_endpoint_check_options (const T2pEndpoint *self, gboolean is_first, GError **error);
void t2p_endpoint_append_options (const T2pEndpoint *self, GString *out);

/* Always FALSE, with T2P_ERROR_INVALID_ARGUMENT. */
gboolean t2p_endpoint_refuse (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

G_END_DECLS
