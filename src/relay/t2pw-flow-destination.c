/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-flow-destination.h"

/**
 * t2pw_flow_destination_find:
 * @names: (nullable): what pool addresses stand for; %NULL: there are none
 * @endpoint: where an application sends to
 * @out_destination: (out): the name that the address stands for, which is the pool's own
 *   string, or the address
 * @out_name_index: (out): of the name, not pinned; %T2PW_VIRTUAL_NONE: by address
 *
 * Returns: %FALSE for a pool address that stands for nothing (any more): it must reach nobody
 */
gboolean
t2pw_flow_destination_find (T2pwVirtualNames *names,
                            const T2pIpEndpoint *endpoint,
                            T2pwDestination *out_destination,
                            guint32 *out_name_index)
{
  *out_destination = (T2pwDestination){ .address = endpoint->address, .port = endpoint->port };
  *out_name_index = T2PW_VIRTUAL_NONE;
  if (names == NULL || !t2pw_virtual_names_covers (names, &endpoint->address))
    return TRUE;
  *out_name_index = t2pw_virtual_names_find (names, &endpoint->address);
  out_destination->name = t2pw_virtual_names_get_name (names, *out_name_index);
  return out_destination->name != NULL;
}
