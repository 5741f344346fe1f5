/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-association.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

/* An association by no proxy: sockets of our own, which any peer may answer. */
T2pwAssociation *t2pw_direct_datagrams_open (const T2pwOutboundContext *context,
                                             const char *label,
                                             const T2pwAssociationHandler *handler,
                                             gpointer user_data);

G_END_DECLS
