/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-secret.h"

#include <string.h>

struct _T2pSecret
{
  gatomicrefcount ref_count;
  gsize length;
  char bytes[]; /* and a NUL */
};

/**
 * t2p_secret_new:
 * @bytes: (array length=length): the password; the caller wipes its own copy
 * @length: its length in bytes
 *
 * Returns: (transfer full): a copy that is wiped when its last owner lets go
 *
 * Since: 0.1
 */
T2pSecret *
t2p_secret_new (const char *bytes, gsize length)
{
  T2pSecret *secret;

  g_return_val_if_fail (bytes != NULL || length == 0, NULL);

  secret = g_malloc0 (sizeof (T2pSecret) + length + 1);
  g_atomic_ref_count_init (&secret->ref_count);
  secret->length = length;
  if (length > 0)
    memcpy (secret->bytes, bytes, length);
  return secret;
}

T2pSecret *
t2p_secret_ref (T2pSecret *secret)
{
  g_atomic_ref_count_inc (&secret->ref_count);
  return secret;
}

void
t2p_secret_unref (T2pSecret *secret)
{
  if (secret == NULL || !g_atomic_ref_count_dec (&secret->ref_count))
    return;
  explicit_bzero (secret->bytes, secret->length);
  g_free (secret);
}

/**
 * t2p_secret_peek:
 * @secret: a secret
 * @out_length: (out) (optional): its length in bytes
 *
 * Returns: (transfer none): the bytes, followed by a NUL; valid as long as @secret
 *
 * Since: 0.1
 */
const char *
t2p_secret_peek (const T2pSecret *secret, gsize *out_length)
{
  if (out_length != NULL)
    *out_length = secret->length;
  return secret->bytes;
}
