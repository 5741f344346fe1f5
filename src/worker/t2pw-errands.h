/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-probe.h"

#include <gio/gunixfdlist.h>

G_BEGIN_DECLS

/* Errands: Probe and Resolve, which need no tunnel. Each has its own mark, servers and
 * deadline. */
#define T2PW_MAX_ERRANDS 16

typedef struct _T2pwErrands T2pwErrands;

/* What a probe has shown, before it is answered. */
typedef void (*T2pwErrandsProbed) (T2pEndpoint *endpoint,
                                   const T2pwProbeResult *result,
                                   gpointer user_data);

T2pwErrands *t2pw_errands_new (T2pReactor *reactor,
                               const T2pwSocketHelper *socket_helper,
                               T2pwErrandsProbed probed,
                               gpointer user_data);
void t2pw_errands_free (T2pwErrands *errands);
void t2pw_errands_probe (T2pwErrands *errands,
                         GDBusMethodInvocation *invocation,
                         GUnixFDList *fds,
                         const char *uri,
                         GVariant *options);
void t2pw_errands_resolve (T2pwErrands *errands,
                           GDBusMethodInvocation *invocation,
                           const char *name,
                           GVariant *options);

G_END_DECLS
