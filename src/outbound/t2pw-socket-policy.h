/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-loop-guard.h"

#include <net/if.h>

G_BEGIN_DECLS

/** T2pwBindLink: sockets towards @prefix are bound to the link @name. */
typedef struct
{
  T2pIpPrefix prefix;
  char name[IFNAMSIZ];
} T2pwBindLink;

/**
 * T2pwSocketPolicy:
 * @mark: SO_MARK of our own sockets, by which they pass the tunnel by; 0: none
 * @mark_was_refused: the kernel said EPERM at least once: the owner looks and tells the daemon,
 *   which has a `uidrange` rule for that case
 * @bind_links: (nullable): of T2pwBindLink: the link that each socket is bound to, or sends by,
 *   by the longest prefix; %NULL: to none
 * @guard: (nullable): is told of each socket; owned by the owner
 * @refuses_foreign: for an ordinary user nothing is connected to that answers with secrets
 *   because it is this machine that asks (t2p_ip_address_is_foreign())
 * @n_shortages: connections that did not come about because we had no descriptor, port or
 *   memory for them
 * @ran_short: (nullable): called each time, with what was wanted and why it is not there
 *
 * How every socket towards an upstream or a name server is made. One for each worker.
 */
typedef struct
{
  guint32 mark;
  gboolean mark_was_refused;
  GArray *bind_links;
  T2pwLoopGuard *guard;
  gboolean refuses_foreign;
  guint64 n_shortages;
  void (*ran_short) (const char *message, gpointer user_data);
  gpointer user_data;
} T2pwSocketPolicy;

void t2pw_socket_policy_clear (T2pwSocketPolicy *policy);
void t2pw_socket_policy_take_bind_links (T2pwSocketPolicy *policy, GArray *links);
gboolean
t2pw_socket_policy_apply (T2pwSocketPolicy *policy, int fd, const T2pIpAddress *destination);
gboolean t2pw_socket_policy_steer (const T2pwSocketPolicy *policy,
                                   int fd,
                                   const T2pIpAddress *destination);
gboolean t2pw_socket_policy_allows (const T2pwSocketPolicy *policy,
                                    const T2pIpAddress *destination);
void t2pw_socket_policy_note_shortage (T2pwSocketPolicy *policy, const char *message);

G_END_DECLS
