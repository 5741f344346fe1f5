/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-association.h"

const char *
t2pw_udp_mode_to_string (T2pwUdpMode mode)
{
  switch (mode)
    {
    case T2PW_UDP_UNKNOWN:
      return "unknown";
    case T2PW_UDP_NONE:
      return "none";
    case T2PW_UDP_ASSOCIATE:
      return "associate";
    case T2PW_UDP_UDPGW:
      return "udpgw";
    case T2PW_UDP_IN_TCP:
      return "udp-in-tcp";
    case T2PW_UDP_DIRECT:
      return "direct";
    }
  return "unknown";
}

gboolean
t2pw_unopened_send (T2pwAssociation *association,
                    const T2pwDestination *to,
                    const guint8 *data,
                    gsize length,
                    gsize datagram_bytes)
{
  return FALSE;
}
