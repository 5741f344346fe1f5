/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-secret.h"

#include <string.h>

/* The linker sends every g_free() of the program here (--wrap). */
void __real_g_free (gpointer memory);
void __wrap_g_free (gpointer memory);

#define SECRET_BYTES "hunter2hunter2"

static const char *watched;
static gboolean was_wiped;
static guint n_freed;

void
__wrap_g_free (gpointer memory)
{
  static const char zero[sizeof SECRET_BYTES];

  if (watched != NULL && (const char *) memory <= watched &&
      watched - (const char *) memory < 64)
    {
      n_freed++;
      was_wiped = memcmp (watched, zero, sizeof zero) == 0;
      watched = NULL;
    }
  __real_g_free (memory);
}

static void
test_wiped (void)
{
  T2pSecret *secret = t2p_secret_new (SECRET_BYTES, strlen (SECRET_BYTES));
  T2pSecret *other = t2p_secret_ref (secret);
  gsize length = 0;

  watched = t2p_secret_peek (secret, &length);
  g_assert_cmpuint (length, ==, strlen (SECRET_BYTES));
  t2p_secret_unref (secret);
  g_assert_cmpuint (n_freed, ==, 0);
  g_assert_cmpstr (t2p_secret_peek (other, NULL), ==, SECRET_BYTES);
  t2p_secret_unref (other);
  g_assert_cmpuint (n_freed, ==, 1);
  g_assert_true (was_wiped);
}

static void
test_binary (void)
{
  g_autoptr (T2pSecret) secret = t2p_secret_new ("a\0b", 3);
  g_autoptr (T2pSecret) empty = t2p_secret_new (NULL, 0);
  gsize length = 0;
  const char *bytes = t2p_secret_peek (secret, &length);

  g_assert_cmpmem (bytes, length + 1, "a\0b", 4);
  g_assert_cmpstr (t2p_secret_peek (empty, &length), ==, "");
  g_assert_cmpuint (length, ==, 0);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/secret/is-wiped-when-the-last-owner-lets-go", test_wiped);
  g_test_add_func ("/secret/keeps-every-byte-and-a-nul-after-them", test_binary);
  return g_test_run ();
}
