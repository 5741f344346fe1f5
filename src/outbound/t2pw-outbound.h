/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-endpoint.h"
#include "t2p-reactor.h"
#include "t2p-refusal.h"

#include <sys/uio.h>

G_BEGIN_DECLS

/* An outbound is the strategy by which flows leave: one vtable, one file for each kind. A
 * carrier is one flow's way out: a pipe of bytes. No GObject, closure or GTask per carrier; the
 * caller embeds nothing and owns the pointer.
 *
 * Outbounds are layers: a group chooses one of many, a handshake speaks to the proxy at the end
 * of a lower outbound, which is a TCP connection, TLS, or another proxy. A layer whose work is
 * done steps aside: it hands its inner carrier over to its own owner. So an open flow holds the
 * bare carrier, and pays for no layer. */

typedef struct _T2pwOutbound T2pwOutbound;
typedef struct _T2pwCarrier T2pwCarrier;
/* t2pw-association.h */
typedef struct _T2pwAssociation T2pwAssociation;
typedef struct _T2pwAssociationHandler T2pwAssociationHandler;

/* How long a check waits for the answer to its request; nobody but us would wait longer. */
#define T2PW_CHECK_ANSWER_MS 2000

/** T2pwUdpMode: how an outbound carries datagrams; unknown until it was tried. */
typedef enum
{
  T2PW_UDP_UNKNOWN,
  T2PW_UDP_NONE,
  T2PW_UDP_ASSOCIATE, /* SOCKS 5 UDP ASSOCIATE */
  T2PW_UDP_UDPGW,     /* a gateway that is reached through the proxy */
  T2PW_UDP_IN_TCP,    /* in the proxy's own stream */
  T2PW_UDP_DIRECT,
} T2pwUdpMode;

/** T2pwDestination: where the application wants to go: a name, or an address. */
typedef struct
{
  const char *name; /* NULL: by address. Valid during the call only. */
  T2pIpAddress address;
  guint16 port;
  T2pIpAddress source;     /* of the application; no family: of nobody in particular */
  guint answer_timeout_ms; /* behind the request; 0: as long as for all the rest */
  gboolean must_answer;    /* whoever says nothing about this one is at fault itself */
} T2pwDestination;

/** T2pwCarrierHandler: the carrier may be closed inside each of them. */
typedef struct
{
  /* The upstream said yes: send and receive may be called, and may have something at once.
   * @carrier is the way out from now on, perhaps another than the one that open() returned. */
  void (*opened) (T2pwCarrier *carrier, gpointer user_data);
  /* It did not come about; @carrier is gone after this call. @error tells people what the
   * upstream said (T2P_ERROR_*), @refusal what the application is to see. */
  void (*failed) (T2pwCarrier *carrier,
                  T2pRefusal refusal,
                  const GError *error,
                  gpointer user_data);
  /* Edge: try to receive, or to send again after a short send. */
  void (*readable) (T2pwCarrier *carrier, gpointer user_data);
  void (*writable) (T2pwCarrier *carrier, gpointer user_data);
  /* (nullable): before `opened` or `failed`: the request is on its way, and all before it went
   * well; what follows is the destination's time. @has_spoken: the upstream has said something,
   * so it lives. The carrier may not be closed inside. */
  void (*asked) (T2pwCarrier *carrier, gboolean has_spoken, gpointer user_data);
} T2pwCarrierHandler;

/** T2pwOutboundClass: what each kind of outbound implements. */
typedef struct
{
  const char *kind; /* "socks5" */
  T2pwCarrier *(*open) (T2pwOutbound *outbound,
                        const T2pwDestination *destination,
                        const T2pwCarrierHandler *handler,
                        gpointer user_data);
  /* (nullable): of the last connection to the upstream; 0 before the first */
  gint64 (*get_rtt_us) (T2pwOutbound *outbound);
  /* (nullable): how the upstream let us in the last time, or wanted to: "none", "password",
   * "basic"…; "" when that was not learnt */
  const char *(*get_auth) (T2pwOutbound *outbound);
  /* (nullable): for datagrams; without it they are not carried */
  T2pwAssociation *(*associate) (T2pwOutbound *outbound,
                                 const T2pwAssociationHandler *handler,
                                 gpointer user_data);
  T2pwUdpMode (*get_udp_mode) (T2pwOutbound *outbound);
  void (*free) (T2pwOutbound *outbound);
} T2pwOutboundClass;

/** T2pwCarrierClass: byte side. Return values and errno as sendmsg(2) and readv(2): -1/EAGAIN
 * means wait for the edge; 0 from receive is the end; anything else is fatal. */
typedef struct
{
  gssize (*send) (T2pwCarrier *carrier, const struct iovec *iov, guint n);
  gssize (*receive) (T2pwCarrier *carrier, const struct iovec *iov, guint n);
  /* These bytes were received too early and come again, before all others; copied. No edge
   * tells of them. */
  void (*unread) (T2pwCarrier *carrier, const guint8 *bytes, gsize length);
  void (*shutdown) (T2pwCarrier *carrier); /* FIN towards the upstream */
  void (*close) (T2pwCarrier *carrier,
                 gboolean reset); /* frees; no handler is called any more */
  /* Nothing will come of it any more: the uplink changed under it. Asked after a change only.
   */
  gboolean (*is_stalled) (T2pwCarrier *carrier);
  /* (nullable): whether it does is doubtful: the kernel is to find out within seconds, instead
   * of in its own time; what is there and only slow comes to no harm. */
  void (*doubt) (T2pwCarrier *carrier, gboolean is_doubtful);
} T2pwCarrierClass;

struct _T2pwOutbound
{
  const T2pwOutboundClass *klass;
};

/**
 * T2pwCarrier:
 * @label: the upstream in use, for people, without userinfo; borrowed from the outbound
 */
struct _T2pwCarrier
{
  const T2pwCarrierClass *klass;
  const T2pwCarrierHandler *handler;
  gpointer user_data;
  const char *label;
};

static inline T2pwCarrier *
t2pw_outbound_open (T2pwOutbound *outbound,
                    const T2pwDestination *destination,
                    const T2pwCarrierHandler *handler,
                    gpointer user_data)
{
  return outbound->klass->open (outbound, destination, handler, user_data);
}

static inline gint64
t2pw_outbound_get_rtt_us (T2pwOutbound *outbound)
{
  return outbound->klass->get_rtt_us != NULL ? outbound->klass->get_rtt_us (outbound) : 0;
}

static inline const char *
t2pw_outbound_get_auth (T2pwOutbound *outbound)
{
  return outbound->klass->get_auth != NULL ? outbound->klass->get_auth (outbound) : "";
}

static inline void
t2pw_outbound_free (T2pwOutbound *outbound)
{
  outbound->klass->free (outbound);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwOutbound, t2pw_outbound_free)

static inline gssize
t2pw_carrier_send (T2pwCarrier *carrier, const struct iovec *iov, guint n)
{
  return carrier->klass->send (carrier, iov, n);
}

static inline gssize
t2pw_carrier_receive (T2pwCarrier *carrier, const struct iovec *iov, guint n)
{
  return carrier->klass->receive (carrier, iov, n);
}

static inline void
t2pw_carrier_unread (T2pwCarrier *carrier, const guint8 *bytes, gsize length)
{
  if (length > 0)
    carrier->klass->unread (carrier, bytes, length);
}

static inline void
t2pw_carrier_shutdown (T2pwCarrier *carrier)
{
  carrier->klass->shutdown (carrier);
}

static inline void
t2pw_carrier_close (T2pwCarrier *carrier, gboolean reset)
{
  carrier->klass->close (carrier, reset);
}

static inline gboolean
t2pw_carrier_is_stalled (T2pwCarrier *carrier)
{
  return carrier->klass->is_stalled (carrier);
}

static inline void
t2pw_carrier_doubt (T2pwCarrier *carrier, gboolean is_doubtful)
{
  if (carrier->klass->doubt != NULL)
    carrier->klass->doubt (carrier, is_doubtful);
}

/* The owner of @carrier gives it away, open as it is. */
static inline void
t2pw_carrier_hand_over (T2pwCarrier *carrier,
                        const T2pwCarrierHandler *handler,
                        gpointer user_data)
{
  carrier->handler = handler;
  carrier->user_data = user_data;
}

/* For the classes of carriers that have no way out (yet). */
gssize t2pw_unopened_transfer (T2pwCarrier *carrier, const struct iovec *iov, guint n);
void t2pw_unopened_unread (T2pwCarrier *carrier, const guint8 *bytes, gsize length);
void t2pw_unopened_shutdown (T2pwCarrier *carrier);
gboolean t2pw_unopened_is_stalled (T2pwCarrier *carrier);

/* What the application sees when the upstream itself is at fault. */
T2pRefusal t2pw_refusal_of_fault (const GError *error);

G_END_DECLS
