/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tunnel that is up goes through: impairments, and the machine's sleep, while which
 * impairments are noted and told of afterwards, if they are still there. */
#include "config.h"

#include "t2pd-tunnel-private.h"

void
t2pd_tunnel_settle_up (T2pdTunnel *self)
{
  for (guint i = 0; i < T2PD_N_IMPAIRMENTS; i++)
    if (self->impairments[i] != T2P_STATE_REASON_NONE)
      {
        t2pd_tunnel_change_state (self, T2P_TUNNEL_STATE_DEGRADED, self->impairments[i]);
        return;
      }
  t2pd_tunnel_change_state (self, T2P_TUNNEL_STATE_ACTIVE, T2P_STATE_REASON_NONE);
}

void
t2pd_tunnel_forget_impairments (T2pdTunnel *self)
{
  for (guint i = 0; i < T2PD_N_IMPAIRMENTS; i++)
    self->impairments[i] = T2P_STATE_REASON_NONE;
}

static gboolean
is_awake (T2pdTunnel *self)
{
  return t2pd_tunnel_is_up (self) && self->state != T2P_TUNNEL_STATE_SUSPENDED &&
         self->failure == NULL;
}

/**
 * t2pd_tunnel_set_impaired:
 * @impairment: which
 * @is_impaired: whether it is there now
 * @reason: of the state `degraded`
 * @message: (nullable): for a person
 *
 * A tunnel with an impairment is `degraded` as soon as it is up, one without is `active`.
 *
 * Since: 0.1
 */
void
t2pd_tunnel_set_impaired (T2pdTunnel *self,
                          T2pdImpairment impairment,
                          gboolean is_impaired,
                          T2pStateReason reason,
                          const char *message)
{
  self->impairments[impairment] = is_impaired ? reason : T2P_STATE_REASON_NONE;
  if (!is_awake (self))
    return;
  if (message != NULL)
    t2pd_tunnel_tell (self, message);
  t2pd_tunnel_settle_up (self);
}

/**
 * t2pd_tunnel_suspend:
 *
 * The machine goes to sleep: a tunnel that is up is `suspended` until t2pd_tunnel_resume(). Of
 * others nothing is known then that would be worth to be told.
 *
 * Since: 0.1
 */
void
t2pd_tunnel_suspend (T2pdTunnel *self)
{
  if (is_awake (self))
    t2pd_tunnel_change_state (self, T2P_TUNNEL_STATE_SUSPENDED, T2P_STATE_REASON_SUSPENDED);
}

/**
 * t2pd_tunnel_resume:
 *
 * The machine is awake: the state is what is known by now.
 *
 * Since: 0.1
 */
void
t2pd_tunnel_resume (T2pdTunnel *self)
{
  if (self->state == T2P_TUNNEL_STATE_SUSPENDED && self->failure == NULL)
    t2pd_tunnel_settle_up (self);
}
