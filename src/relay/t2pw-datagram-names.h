/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-stack.h"
#include "t2pw-virtual-names.h"

G_BEGIN_DECLS

/* Destinations of one application socket that are remembered; the oldest is forgotten. */
#define T2PW_DATAGRAM_MAX_NAMES 64

typedef struct _T2pwDatagramName T2pwDatagramName;

/** T2pwDatagramNames: what an application socket sends to, by names and by addresses;
 * embedded, all zero at first. */
typedef struct
{
  T2pwDatagramName *entries; /* oldest first */
  guint n;
} T2pwDatagramNames;

void t2pw_datagram_names_add (T2pwDatagramNames *names,
                              T2pwVirtualNames *virtual_names,
                              guint32 index,
                              const T2pIpEndpoint *destination,
                              gint64 now_us);
gboolean t2pw_datagram_names_find_source (T2pwDatagramNames *names,
                                          T2pwVirtualNames *virtual_names,
                                          const char *name,
                                          const T2pIpEndpoint *from,
                                          int family,
                                          T2pIpAddress *out_address);
void t2pw_datagram_names_clear (T2pwDatagramNames *names,
                                T2pwVirtualNames *virtual_names,
                                gint64 now_us);

G_END_DECLS
