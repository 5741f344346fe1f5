/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2pw-names.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  T2pReactor *reactor;
  T2pwSocketPolicy policy;
  T2pwNames *names;
  int server; /* UDP */
  GThread *thread;
  gint n_queries;
  gint must_stop;
  guint n_done;
  guint n_addresses;
  T2pIpAddress address;
  GError *error;
} Fixture;

/* Answers A with 192.0.2.7 and everything else with nothing; "empty" has nothing at all,
 * "nobody" does not exist, and "lost" gets no answer. */
static gpointer
server_main (gpointer data)
{
  Fixture *f = data;
  guint8 message[600];
  static const guint8 record[] = { 0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7 };

  for (;;)
    {
      struct sockaddr_in peer;
      socklen_t length = sizeof peer;
      gssize got = recvfrom (f->server, message, 512, 0, (struct sockaddr *) &peer, &length);
      gboolean is_a;

      if (g_atomic_int_get (&f->must_stop) || got < 12)
        return NULL;
      g_atomic_int_inc (&f->n_queries);
      if (memmem (message, (gsize) got, "lost", 4) != NULL)
        continue;
      is_a = message[got - 3] == 1 && memmem (message, (gsize) got, "empty", 5) == NULL &&
             memmem (message, (gsize) got, "nobody", 6) == NULL;
      message[2] = 0x81;
      message[3] = memmem (message, (gsize) got, "nobody", 6) != NULL ? 0x83 : 0x80;
      message[7] = is_a ? 1 : 0;
      memcpy (message + got, record, sizeof record);
      sendto (f->server, message, (gsize) got + (is_a ? sizeof record : 0), 0,
              (struct sockaddr *) &peer, length);
    }
}

static void
done_cb (
    const T2pIpAddress *addresses, guint n, guint32 ttl_s, const GError *error, gpointer data)
{
  Fixture *f = data;

  f->n_done++;
  f->n_addresses = n;
  if (n > 0)
    f->address = addresses[0];
  g_clear_error (&f->error);
  if (error != NULL)
    f->error = g_error_copy (error);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof address;
  g_autofree char *server = NULL;
  const char *servers[] = { NULL, NULL };
  g_autoptr (GError) error = NULL;

  f->reactor = t2p_reactor_new (NULL, NULL);
  f->names = t2pw_names_new (f->reactor, &f->policy);
  f->server = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  g_assert_cmpint (bind (f->server, (struct sockaddr *) &address, length), ==, 0);
  g_assert_cmpint (getsockname (f->server, (struct sockaddr *) &address, &length), ==, 0);
  servers[0] = server = g_strdup_printf ("127.0.0.1:%u", ntohs (address.sin_port));
  t2pw_names_set_servers (f->names, servers, &error);
  g_assert_no_error (error);
  f->thread = g_thread_new ("server", server_main, f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  struct sockaddr_in address;
  socklen_t length = sizeof address;

  t2pw_names_free (f->names);
  g_atomic_int_set (&f->must_stop, 1);
  getsockname (f->server, (struct sockaddr *) &address, &length);
  sendto (f->server, "", 0, 0, (struct sockaddr *) &address, length);
  g_thread_join (f->thread);
  close (f->server);
  g_clear_error (&f->error);
  t2p_reactor_free (f->reactor);
}

static void
wait_for (Fixture *f, guint n_done)
{
  while (f->n_done < n_done)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_asked_once (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < 5; i++)
    t2pw_names_lookup (f->names, i % 2 == 0 ? "proxy.example" : "PROXY.example", 3000, done_cb,
                       f);
  g_assert_cmpuint (f->n_done, ==, 0);
  wait_for (f, 5);
  g_assert_no_error (f->error);
  g_assert_cmpuint (f->n_addresses, ==, 1);
  g_assert_cmpuint (t2p_ip_address_to_v4 (&f->address), ==, 0xc0000207);
  /* A and AAAA, once each; the cache answers the sixth */
  t2pw_names_lookup (f->names, "proxy.example", 3000, done_cb, f);
  wait_for (f, 6);
  g_assert_cmpint (g_atomic_int_get (&f->n_queries), ==, 2);
  t2pw_names_flush (f->names);
  t2pw_names_lookup (f->names, "proxy.example", 3000, done_cb, f);
  wait_for (f, 7);
  g_assert_cmpint (g_atomic_int_get (&f->n_queries), ==, 4);
}

static void
test_time_out (Fixture *f, gconstpointer data)
{
  T2pwLookup *cancelled = t2pw_names_lookup (f->names, "lost.example", 50, done_cb, f);

  t2pw_names_lookup (f->names, "lost.example", 50, done_cb, f);
  t2pw_lookup_cancel (cancelled);
  wait_for (f, 1);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_RESOLVE_FAILED);
  g_assert_cmpuint (f->n_addresses, ==, 0);
}

static void
test_nothing_is_not_nobody (Fixture *f, gconstpointer data)
{
  t2pw_names_lookup (f->names, "empty.example", 3000, done_cb, f);
  wait_for (f, 1);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
  t2pw_names_lookup (f->names, "nobody.example", 3000, done_cb, f);
  wait_for (f, 2);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_NOT_FOUND);
}

static void
test_new_servers_are_asked_again (Fixture *f, gconstpointer data)
{
  static const char *const dead[] = { "127.0.0.1:1", NULL };
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  g_autofree char *server = NULL;
  const char *servers[] = { NULL, NULL };

  getsockname (f->server, (struct sockaddr *) &address, &length);
  servers[0] = server = g_strdup_printf ("127.0.0.1:%u", ntohs (address.sin_port));
  g_assert_true (t2pw_names_set_servers (f->names, dead, NULL));
  t2pw_names_lookup (f->names, "proxy.example", 5000, done_cb, f);
  g_assert_true (t2pw_names_set_servers (f->names, servers, NULL));
  wait_for (f, 1);
  g_assert_no_error (f->error);
  g_assert_cmpuint (f->n_addresses, ==, 1);
}

static void
test_literal_and_localhost (Fixture *f, gconstpointer data)
{
  static const char *const localhosts[] = { "localhost", "LOCALHOST.", "a.localhost" };

  t2pw_names_lookup (f->names, "2001:db8::1", 50, done_cb, f);
  wait_for (f, 1);
  g_assert_cmpint (f->address.family, ==, AF_INET6);
  for (guint i = 0; i < G_N_ELEMENTS (localhosts); i++)
    {
      t2pw_names_lookup (f->names, localhosts[i], 1000, done_cb, f);
      wait_for (f, 2 + i);
      g_assert_no_error (f->error);
      g_assert_cmpuint (f->n_addresses, ==,
                        2); /* both, even where /etc/hosts has one or none */
      g_assert_true (t2p_ip_address_is_loopback (&f->address));
    }
  g_assert_cmpint (g_atomic_int_get (&f->n_queries), ==, 0);
  t2pw_names_lookup (f->names, "notlocalhost", 1000, done_cb, f);
  wait_for (f, 5);
  g_assert_cmpint (g_atomic_int_get (&f->n_queries), >, 0);
}

static void
test_bad_server (Fixture *f, gconstpointer data)
{
  static const char *const bad[] = { "dns.example", NULL };
  g_autoptr (GError) error = NULL;

  g_assert_false (t2pw_names_set_servers (f->names, bad, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
}

/* --- queries as they are */

static void
raw_cb (const guint8 *message, gsize length, gpointer data)
{
  Fixture *f = data;

  f->n_done++;
  f->n_addresses = message != NULL ? (guint) length : 0;
}

/* Type 15; the id is @id. */
static T2pwRawQuery *
ask_raw (Fixture *f, guint8 id, const char *label, guint timeout_ms)
{
  guint8 message[40] = { 0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
  gsize length = strlen (label);

  message[12] = (guint8) length;
  memcpy (message + 13, label, length);
  message[13 + length + 2] = 15;
  message[13 + length + 4] = 1;
  return t2pw_raw_queries_ask (t2pw_names_get_raw (f->names), message, 18 + length, timeout_ms,
                               raw_cb, f);
}

static void
test_raw (Fixture *f, gconstpointer data)
{
  ask_raw (f, 1, "mail", 3000);
  t2pw_raw_query_cancel (ask_raw (f, 2, "other", 3000));
  g_assert_cmpuint (f->n_done, ==, 0);
  wait_for (f, 1);
  g_assert_cmpuint (f->n_addresses, ==, 18 + 4);
  ask_raw (f, 3, "lost", 50);
  wait_for (f, 2);
  g_assert_cmpuint (f->n_addresses, ==, 0);
}

/* No server: told at once, and not from within. */
static void
test_raw_without_servers (Fixture *f, gconstpointer data)
{
  const char *none[] = { NULL };

  g_assert_true (t2pw_names_set_servers (f->names, none, NULL));
  ask_raw (f, 1, "mail", 3000);
  g_assert_cmpuint (f->n_done, ==, 0);
  wait_for (f, 1);
  g_assert_cmpuint (f->n_addresses, ==, 0);
}

/* What is under way when the servers change is asked of the new ones. */
static void
test_raw_servers_change (Fixture *f, gconstpointer data)
{
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  g_autofree char *server = NULL;
  const char *servers[] = { NULL, NULL };
  const char *unreachable[] = { "127.0.0.1:9", NULL };

  getsockname (f->server, (struct sockaddr *) &address, &length);
  servers[0] = server = g_strdup_printf ("127.0.0.1:%u", ntohs (address.sin_port));
  g_assert_true (t2pw_names_set_servers (f->names, unreachable, NULL));
  ask_raw (f, 1, "mail", 4000);
  g_assert_true (t2pw_names_set_servers (f->names, servers, NULL));
  wait_for (f, 1);
  g_assert_cmpuint (f->n_addresses, ==, 18 + 4);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/names/one-query-for-all-who-ask", test_asked_once);
  ADD ("/names/silence-is-an-error-in-time", test_time_out);
  ADD ("/names/no-address-is-not-no-name", test_nothing_is_not_nobody);
  ADD ("/names/pending-names-are-asked-of-new-servers", test_new_servers_are_asked_again);
  ADD ("/names/literals-and-localhost-ask-nobody", test_literal_and_localhost);
  ADD ("/names/server-that-is-no-address-is-refused", test_bad_server);
  g_test_add ("/names/raw/answered-as-it-is", Fixture, NULL, set_up, test_raw, tear_down);
  g_test_add ("/names/raw/no-server-is-told", Fixture, NULL, set_up, test_raw_without_servers,
              tear_down);
  g_test_add ("/names/raw/asked-of-the-new-servers", Fixture, NULL, set_up,
              test_raw_servers_change, tear_down);
  return g_test_run ();
}
