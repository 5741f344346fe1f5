/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks at all flows of a relay, and ends some of them. */
#include "config.h"

#include "t2pw-relay-private.h"

static const char *
flow_host (const T2pwFlow *flow)
{
  if (flow->name_index == T2PW_VIRTUAL_NONE)
    return NULL;
  return t2pw_virtual_names_get_name (flow->owner->config.virtual_names, flow->name_index);
}

/**
 * t2pw_relay_foreach:
 * @after_id: only flows with a higher id, in their order
 * @func: may not touch the flow's life
 */
void
t2pw_relay_foreach (T2pwRelay *relay,
                    const T2pwFlowFilter *filter,
                    guint64 after_id,
                    T2pwFlowFunc func,
                    gpointer user_data)
{
  for (T2pwFlow *flow = relay->table.first; flow != NULL; flow = flow->next)
    {
      const char *host = flow_host (flow);

      if (flow->id > after_id && t2pw_flow_filter_matches (filter, flow, host) &&
          !func (flow, host, user_data))
        return;
    }
}

/* Returns: how many were reset. */
guint
t2pw_relay_close_matching (T2pwRelay *relay, const T2pwFlowFilter *filter)
{
  guint n = 0;

  for (T2pwFlow *flow = relay->table.first, *next; flow != NULL; flow = next)
    {
      next = flow->next;
      if (!t2pw_flow_filter_matches (filter, flow, flow_host (flow)))
        continue;
      t2pw_relay_abort_flow (flow);
      n++;
    }
  return n;
}
