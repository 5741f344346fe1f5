/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-endpoint.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

/* A login of one proxy by Kerberos: the ticket for its HTTP service, and tokens made from it.
 * Everything that goes to the key distribution centre goes over sockets of ours. */
typedef struct _T2pwKerberos T2pwKerberos;
typedef struct _T2pwKerberosWait T2pwKerberosWait;

/* @error: (nullable): why there is no ticket: T2P_ERROR_PROXY_AUTHENTICATION_FAILED, or what
 * the exchange with the centre failed with. The wait is gone when this is called; never called
 * from within t2pw_kerberos_wait(). */
typedef void (*T2pwKerberosDone) (const GError *error, gpointer user_data);

gboolean t2pw_kerberos_is_wanted (const T2pEndpoint *endpoint);
T2pwKerberos *
t2pw_kerberos_new (const T2pwOutboundContext *context, T2pEndpoint *endpoint, GError **error);
void t2pw_kerberos_free (T2pwKerberos *kerberos);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwKerberos, t2pw_kerberos_free)

gboolean t2pw_kerberos_is_ready (const T2pwKerberos *kerberos);
T2pwKerberosWait *
t2pw_kerberos_wait (T2pwKerberos *kerberos, T2pwKerberosDone done, gpointer user_data);
void t2pw_kerberos_wait_cancel (T2pwKerberosWait *wait);
void t2pw_kerberos_forget (T2pwKerberos *kerberos);
char *t2pw_kerberos_make_token (T2pwKerberos *kerberos, GError **error);

G_END_DECLS
