/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tunnel shows. */
#include "config.h"

#include "t2pd-tunnel-private.h"

void
t2pd_tunnel_clear_facts (T2pdTunnel *self)
{
  g_free ((char *) self->facts.interface);
  g_free ((char *) self->facts.network_backend);
  g_free ((char *) self->facts.resolver_backend);
  self->facts = (T2pdTunnelFacts){ 0 };
}

void
t2pd_tunnel_set_facts (T2pdTunnel *self, const T2pdTunnelFacts *facts)
{
  T2pdTunnelFacts copy = {
    .interface = g_strdup (facts->interface),
    .ifindex = facts->ifindex,
    .network_backend = g_strdup (facts->network_backend),
    .resolver_backend = g_strdup (facts->resolver_backend),
  };

  t2pd_tunnel_clear_facts (self);
  self->facts = copy;
  g_signal_emit_by_name (self, "changed");
}

void
t2pd_tunnel_tell (T2pdTunnel *self, const char *message)
{
  g_free (self->message);
  self->message = g_strdup (message);
  g_signal_emit_by_name (self, "message", message);
}

guint64
t2pd_tunnel_get_id (T2pdTunnel *self)
{
  return self->id;
}

const char *
t2pd_tunnel_get_name (T2pdTunnel *self)
{
  return self->name;
}

guint32
t2pd_tunnel_get_owner (T2pdTunnel *self)
{
  return self->owner;
}

T2pSettings *
t2pd_tunnel_get_settings (T2pdTunnel *self)
{
  return self->settings;
}

const char *
t2pd_tunnel_get_path (T2pdTunnel *self)
{
  return self->path;
}

T2pTunnelState
t2pd_tunnel_get_state (T2pdTunnel *self)
{
  return self->state;
}

T2pStateReason
t2pd_tunnel_get_reason (T2pdTunnel *self)
{
  return self->reason;
}

gint64
t2pd_tunnel_get_active_since_us (T2pdTunnel *self)
{
  return self->active_since_us;
}

const T2pdTunnelFacts *
t2pd_tunnel_get_facts (T2pdTunnel *self)
{
  return &self->facts;
}

const char *
t2pd_tunnel_get_message (T2pdTunnel *self)
{
  return self->message != NULL ? self->message : "";
}

gboolean
t2pd_tunnel_is_engaged (T2pdTunnel *self)
{
  return self->state != T2P_TUNNEL_STATE_INACTIVE && self->state != T2P_TUNNEL_STATE_FAILED;
}

gboolean
t2pd_tunnel_is_up (T2pdTunnel *self)
{
  return self->state == T2P_TUNNEL_STATE_ACTIVE || self->state == T2P_TUNNEL_STATE_DEGRADED ||
         self->state == T2P_TUNNEL_STATE_SUSPENDED;
}

gboolean
t2pd_tunnel_is_being_deleted (T2pdTunnel *self)
{
  return self->is_being_deleted;
}

GObject *
t2pd_tunnel_get_context (T2pdTunnel *self)
{
  return self->context;
}

gboolean
t2pd_tunnel_is_elsewhere (T2pdTunnel *self)
{
  return self->is_elsewhere;
}

void
t2pd_tunnel_set_is_elsewhere (T2pdTunnel *self, gboolean is_elsewhere)
{
  self->is_elsewhere = is_elsewhere;
}

const char *
t2pd_tunnel_get_keeper (T2pdTunnel *self)
{
  return self->keeper;
}

void
t2pd_tunnel_set_keeper (T2pdTunnel *self, const char *sender)
{
  g_free (self->keeper);
  self->keeper = g_strdup (sender);
}
