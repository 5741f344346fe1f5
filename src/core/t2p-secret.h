/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A password in memory: reference counted, wiped (explicit_bzero) when the last one lets go,
 * never printed. */
typedef struct _T2pSecret T2pSecret;

T2pSecret *t2p_secret_new (const char *bytes, gsize length);
T2pSecret *t2p_secret_ref (T2pSecret *secret);
void t2p_secret_unref (T2pSecret *secret);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pSecret, t2p_secret_unref)
/* The bytes stay the secret's own and are followed by a NUL. */
const char *t2p_secret_peek (const T2pSecret *secret, gsize *out_length);

G_END_DECLS
