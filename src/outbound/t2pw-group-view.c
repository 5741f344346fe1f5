/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * One member of a group, seen as an outbound: for rules that name an upstream. The member
 * embeds and owns it. */
#include "config.h"

#include "t2pw-group-private.h"

static T2pwMember *
member_of (T2pwOutbound *view)
{
  return T2P_OWNER_OF (view, T2pwMember, view);
}

static T2pwCarrier *
view_open (T2pwOutbound *view,
           const T2pwDestination *destination,
           const T2pwCarrierHandler *handler,
           gpointer user_data)
{
  return t2pw_member_open (member_of (view), destination, handler, user_data);
}

static T2pwAssociation *
view_associate (T2pwOutbound *view, const T2pwAssociationHandler *handler, gpointer user_data)
{
  return t2pw_member_associate (member_of (view), handler, user_data);
}

static T2pwUdpMode
view_get_udp_mode (T2pwOutbound *view)
{
  return t2pw_outbound_get_udp_mode (member_of (view)->outbound);
}

static gint64
view_get_rtt_us (T2pwOutbound *view)
{
  return t2pw_outbound_get_rtt_us (member_of (view)->outbound);
}

static const char *
view_get_auth (T2pwOutbound *view)
{
  return t2pw_outbound_get_auth (member_of (view)->outbound);
}

static void
view_free (T2pwOutbound *view)
{
  g_return_if_reached (); /* goes with its group */
}

static const T2pwOutboundClass view_class = {
  .kind = "member",
  .open = view_open,
  .associate = view_associate,
  .get_udp_mode = view_get_udp_mode,
  .get_rtt_us = view_get_rtt_us,
  .get_auth = view_get_auth,
  .free = view_free,
};

void
t2pw_member_init_view (T2pwMember *member)
{
  member->view.klass = &view_class;
}
