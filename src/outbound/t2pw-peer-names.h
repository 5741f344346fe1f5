/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-names.h"

G_BEGIN_DECLS

/** T2pwPeerNamesClass: what it is to be used with. */
typedef struct
{
  /* As t2pw_names_lookup(); NULL when names cannot be looked up. */
  gpointer (*look_up) (gpointer owner,
                       const char *name,
                       T2pwLookupDone done,
                       gpointer user_data);
  void (*cancel) (gpointer lookup);
  gboolean (*send) (gpointer owner,
                    const T2pIpEndpoint *to,
                    const guint8 *data,
                    gsize length,
                    gsize datagram_bytes);
} T2pwPeerNamesClass;

/* The names that one association sends to, where only addresses can be sent to; embedded, all
 * zero at first. What is sent to a name that is being looked up waits, bounded. */
typedef struct
{
  const T2pwPeerNamesClass *klass;
  gpointer owner;
  GPtrArray *names; /* NULL before the first */
} T2pwPeerNames;

void
t2pw_peer_names_init (T2pwPeerNames *peers, const T2pwPeerNamesClass *klass, gpointer owner);
void t2pw_peer_names_clear (T2pwPeerNames *peers);
gboolean t2pw_peer_names_send (T2pwPeerNames *peers,
                               const char *name,
                               guint16 port,
                               const guint8 *data,
                               gsize length,
                               gsize datagram_bytes);
/* The name that was sent to as @address, or NULL. */
const char *t2pw_peer_names_find (const T2pwPeerNames *peers, const T2pIpAddress *address);

G_END_DECLS
