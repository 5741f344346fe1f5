/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-manager-methods.h"

static const char *
asked_name (T2pdCall *call)
{
  const char *name;

  g_variant_get_child (call->parameters, 0, "&s", &name);
  return name;
}

static gboolean
check_name (T2pdCall *call, GError **error)
{
  return t2p_tunnel_name_check (asked_name (call), error);
}

static void
act_get (T2pdCall *call)
{
  const char *name = asked_name (call);
  T2pdTunnel *tunnel = t2pd_manager_find (call->service->manager, call->uid, name);
  g_autoptr (GError) error = NULL;

  if (tunnel == NULL)
    tunnel = t2pd_manager_find (call->service->manager, 0, name);
  if (tunnel != NULL)
    {
      t2pd_call_return (call, g_variant_new ("(o)", t2pd_tunnel_get_path (tunnel)));
      return;
    }
  error = g_error_new (T2P_ERROR, T2P_ERROR_NOT_FOUND, "there is no tunnel '%s'", name);
  t2pd_call_fail (call, error);
}

/* One's own, root's, and for root everybody's. */
static void
act_list (T2pdCall *call)
{
  g_autoptr (GPtrArray) tunnels = t2pd_manager_list (call->service->manager);
  GVariantBuilder paths;

  g_variant_builder_init (&paths, G_VARIANT_TYPE_OBJECT_PATH_ARRAY);
  for (guint i = 0; i < tunnels->len; i++)
    {
      guint32 owner = t2pd_tunnel_get_owner (tunnels->pdata[i]);

      if (call->uid == 0 || owner == call->uid || owner == 0)
        g_variant_builder_add (&paths, "o", t2pd_tunnel_get_path (tunnels->pdata[i]));
    }
  t2pd_call_return (call, g_variant_new ("(ao)", &paths));
}

const T2pdMethod t2pd_manager_get_tunnel = { "GetTunnel", NULL, check_name, NULL, act_get };
const T2pdMethod t2pd_manager_list_tunnels = { "ListTunnels", NULL, NULL, NULL, act_list };
