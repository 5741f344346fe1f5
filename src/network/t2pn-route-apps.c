/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The part of the route plan for `apps` and `exclude-apps`. Packets that nftables has marked
 * are routed a second time, and then it is late for "unreachable": the kernel drops such a
 * packet without a word to a TCP socket, which goes on trying for two minutes. So a family that
 * the proxy lacks goes into the tunnel, whose worker refuses it at once. */
#include "config.h"

#include "t2pn-route-apps.h"

/* Next to the marks of our own sockets, and as unlike to those of others. */
#define APP_MARK_FIRST 0x2370u
#define APP_MARK_LAST 0x23ffu

gboolean
t2pn_route_apps_are_chosen (const T2pSettings *settings)
{
  return t2p_settings_get_capture (settings) != T2P_CAPTURE_NONE &&
         (t2p_settings_get_strv (settings, "apps")[0] != NULL ||
          t2p_settings_get_strv (settings, "exclude-apps")[0] != NULL);
}

static gboolean
is_taken (const GArray *taken, const T2pnRouteIds *ids, guint32 mark)
{
  if (mark == ids->mark)
    return TRUE;
  for (guint i = 0; taken != NULL && i < taken->len; i++)
    if (g_array_index (taken, T2pnRouteIds, i).mark == mark ||
        g_array_index (taken, T2pnRouteIds, i).app_mark == mark)
      return TRUE;
  return FALSE;
}

gboolean
t2pn_route_apps_take_mark (const T2pnSnapshot *snapshot,
                           const GArray *taken,
                           T2pnRouteIds *ids,
                           GError **error)
{
  /* From the end: the service's own is the first that is free. */
  for (guint32 mark = APP_MARK_LAST; mark >= APP_MARK_FIRST; mark--)
    if (!is_taken (taken, ids, mark) && !t2pn_route_ids_is_mark_selected (snapshot, mark))
      {
        ids->app_mark = mark;
        return TRUE;
      }
  g_set_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT,
               "every firewall mark from 0x%x to 0x%x is in use, expected a free one for apps",
               APP_MARK_FIRST, APP_MARK_LAST);
  return FALSE;
}

gboolean
t2pn_route_apps_choose_mark (const T2pSettings *settings,
                             const T2pnSnapshot *snapshot,
                             const GArray *taken,
                             T2pnRouteIds *ids,
                             GError **error)
{
  ids->app_mark = 0;
  return !t2pn_route_apps_are_chosen (settings) ||
         t2pn_route_apps_take_mark (snapshot, taken, ids, error);
}

gboolean
t2pn_route_apps_limit (const T2pnRoutePlanInput *input, const T2pnRule *rule, GArray *rules)
{
  T2pnRule limited = *rule;

  if (input->ids.app_mark == 0)
    return FALSE;
  limited.mark = input->ids.app_mark;
  limited.mask = G_MAXUINT32;
  g_array_append_val (rules, limited);
  return TRUE;
}

gboolean
t2pn_route_apps_worker_refuses (const T2pnRoutePlanInput *input,
                                const T2pnSnapshot *snapshot,
                                int family)
{
  return input->ids.app_mark != 0 && (family == AF_INET || snapshot->links_get_ipv6);
}
