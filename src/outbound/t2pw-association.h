/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"

G_BEGIN_DECLS

/* The datagram side of an outbound. An association is one application socket's way out: one
 * mapping at the far side, by which it reaches any destination and is reached from anywhere.
 * Plain structs as the carriers are; whoever asked for one owns the pointer. Nothing here is
 * reliable: what cannot be carried now is dropped. */

/** T2pwAssociationHandler: the association may be closed inside each of them. */
struct _T2pwAssociationHandler
{
  /* Send may be called from now on. @association is the way out from now on, perhaps another
   * than the one that associate() returned. Never from within t2pw_outbound_associate(). */
  void (*opened) (T2pwAssociation *association, gpointer user_data);
  /* It did not come about, or it has ended; @association is gone after this call. @error tells
   * people why: T2P_ERROR_NOT_SUPPORTED when the upstream carries no datagrams at all. */
  void (*failed) (T2pwAssociation *association,
                  T2pRefusal refusal,
                  const GError *error,
                  gpointer user_data);
  /* A datagram from @from: an address, or the name that a datagram was sent to. All is valid
   * during the call only. */
  void (*received) (T2pwAssociation *association,
                    const T2pwDestination *from,
                    const guint8 *data,
                    gsize length,
                    gpointer user_data);
  /* What was sent to @to did not fit: at most @most_bytes of payload would. Also from within
   * t2pw_association_send(). */
  void (*too_big) (T2pwAssociation *association,
                   const T2pwDestination *to,
                   gsize most_bytes,
                   gpointer user_data);
};

/** T2pwAssociationClass: what each kind implements. */
typedef struct
{
  gboolean (*send) (T2pwAssociation *association,
                    const T2pwDestination *to,
                    const guint8 *data,
                    gsize length,
                    gsize datagram_bytes);
  void (*close) (T2pwAssociation *association);
} T2pwAssociationClass;

struct _T2pwAssociation
{
  const T2pwAssociationClass *klass;
  const T2pwAssociationHandler *handler;
  gpointer user_data;
  const char *label; /* the upstream in use, for people; outlives the association */
};

/**
 * t2pw_outbound_associate:
 *
 * Returns: (nullable): an association that is being opened; %NULL when it is known already that
 * the outbound carries no datagrams
 */
static inline T2pwAssociation *
t2pw_outbound_associate (T2pwOutbound *outbound,
                         const T2pwAssociationHandler *handler,
                         gpointer user_data)
{
  if (outbound->klass->associate == NULL)
    return NULL;
  return outbound->klass->associate (outbound, handler, user_data);
}

/* What is known of the outbound's way for datagrams. */
static inline T2pwUdpMode
t2pw_outbound_get_udp_mode (T2pwOutbound *outbound)
{
  return outbound->klass->get_udp_mode != NULL ? outbound->klass->get_udp_mode (outbound)
                                               : T2PW_UDP_NONE;
}

/**
 * t2pw_association_send:
 * @association: one that is open
 * @data: copied
 * @datagram_bytes: 0 for one datagram; else @data holds many of that length, the last of which
 *   may be shorter
 *
 * What is sent in one turn may leave at its end.
 *
 * Returns: %FALSE when it was dropped, or some of it
 */
static inline gboolean
t2pw_association_send (T2pwAssociation *association,
                       const T2pwDestination *to,
                       const guint8 *data,
                       gsize length,
                       gsize datagram_bytes)
{
  return association->klass->send (association, to, data, length, datagram_bytes);
}

/* Frees it; no handler is called any more. */
static inline void
t2pw_association_close (T2pwAssociation *association)
{
  association->klass->close (association);
}

/* The owner of @association gives it away, open as it is. */
static inline void
t2pw_association_hand_over (T2pwAssociation *association,
                            const T2pwAssociationHandler *handler,
                            gpointer user_data)
{
  association->handler = handler;
  association->user_data = user_data;
}

/* For the classes that are not open yet: drops. */
gboolean t2pw_unopened_send (T2pwAssociation *association,
                             const T2pwDestination *to,
                             const guint8 *data,
                             gsize length,
                             gsize datagram_bytes);

/* As UdpMode shows it. */
const char *t2pw_udp_mode_to_string (T2pwUdpMode mode);

G_END_DECLS
