/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-outbound.h"

#include "t2p-error.h"

#include <errno.h>

gssize
t2pw_unopened_transfer (T2pwCarrier *carrier, const struct iovec *iov, guint n)
{
  errno = ENOTCONN;
  return -1;
}

void
t2pw_unopened_unread (T2pwCarrier *carrier, const guint8 *bytes, gsize length)
{
  g_return_if_reached ();
}

void
t2pw_unopened_shutdown (T2pwCarrier *carrier)
{
}

gboolean
t2pw_unopened_is_stalled (T2pwCarrier *carrier)
{
  return FALSE;
}

/**
 * t2pw_refusal_of_fault:
 * @error: why an upstream could not be used
 */
T2pRefusal
t2pw_refusal_of_fault (const GError *error)
{
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED))
    return T2P_REFUSAL_ADMIN_PROHIBITED;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL) ||
      g_error_matches (error, T2P_ERROR, T2P_ERROR_TLS_FAILED))
    return T2P_REFUSAL_RESET;
  return T2P_REFUSAL_NET_UNREACHABLE;
}
