/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2pw-unix-lower.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATH "/nowhere/socket"

typedef struct
{
  T2pReactor *reactor;
  T2pwSocketPolicy policy;
  T2pwSocketHelper helper;
  T2pwOutboundContext context;
  T2pwOutbound *lower;
  T2pwCarrier *carrier;
  T2pwSocketDone done; /* of what was asked last */
  gpointer done_data;
  guint n_asked;
  guint n_cancelled;
  guint n_opened;
  GError *error;
} Fixture;

static gpointer
ask_cb (gpointer helper, const char *path, T2pwSocketDone done, gpointer user_data)
{
  Fixture *f = helper;

  g_assert_cmpstr (path, ==, PATH);
  f->n_asked++;
  f->done = done;
  f->done_data = user_data;
  return f;
}

static void
cancel_cb (gpointer helper, gpointer request)
{
  g_assert_true (helper == request);
  ((Fixture *) helper)->n_cancelled++;
}

static void
opened_cb (T2pwCarrier *carrier, gpointer user_data)
{
  Fixture *f = user_data;

  f->n_opened++;
  f->carrier = carrier;
}

static void
failed_cb (T2pwCarrier *carrier, T2pRefusal refusal, const GError *error, gpointer user_data)
{
  Fixture *f = user_data;

  f->carrier = NULL;
  f->error = g_error_copy (error);
}

static void
ignore_cb (T2pwCarrier *carrier, gpointer user_data)
{
}

static const T2pwCarrierHandler handler = { opened_cb, failed_cb, ignore_cb, ignore_cb };

static void
setup (Fixture *f, gconstpointer data)
{
  static const T2pwDestination anywhere = { .port = 1 };

  f->reactor = t2p_reactor_new (NULL, NULL);
  f->helper = (T2pwSocketHelper){ ask_cb, cancel_cb, f };
  f->context = (T2pwOutboundContext){ .reactor = f->reactor,
                                      .policy = &f->policy,
                                      .connect_timeout_ms = 100 };
  if (data != NULL)
    f->context.socket_helper = &f->helper;
  f->lower = t2pw_unix_lower_new (&f->context, PATH);
  f->carrier = t2pw_outbound_open (f->lower, &anywhere, &handler, f);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  if (f->carrier != NULL)
    t2pw_carrier_close (f->carrier, TRUE);
  t2pw_outbound_free (f->lower);
  t2p_reactor_free (f->reactor);
  g_clear_error (&f->error);
}

static void
wait_for_error (Fixture *f)
{
  while (f->error == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_nonnull (strstr (f->error->message, PATH));
}

static void
test_directly (Fixture *f, gconstpointer data)
{
  wait_for_error (f);
  g_assert_nonnull (strstr (f->error->message, g_strerror (ENOENT)));
  g_assert_cmpuint (f->n_asked, ==, 0);
}

#define FEW_FDS 64

/* That is no fault of the proxy, and somebody has to know. */
static void
test_without_descriptors (Fixture *f, gconstpointer data)
{
  struct rlimit few;
  struct rlimit before;
  int held[FEW_FDS];
  guint n_held = 0;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  few = (struct rlimit){ FEW_FDS, before.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &few), ==, 0);
  while (n_held < FEW_FDS && (held[n_held] = dup (STDERR_FILENO)) >= 0)
    n_held++;
  while (f->error == NULL)
    g_main_context_iteration (NULL, FALSE);
  while (n_held > 0)
    close (held[--n_held]);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
  g_assert_cmpuint (f->policy.n_shortages, ==, 1);
}

/* A socket whose queue holds the one connection that this makes. */
static int
listen_and_fill (const char *path, int *out_first)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (fd, 0), ==, 0);
  *out_first = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (connect (*out_first, (struct sockaddr *) &address, sizeof address), ==, 0);
  return fd;
}

/* Any byte may be in a path, not so in a message on the bus. */
static void
test_path_that_is_no_text (Fixture *f, gconstpointer data)
{
  static const T2pwDestination anywhere = { .port = 1 };

  wait_for_error (f);
  g_clear_error (&f->error);
  t2pw_outbound_free (f->lower);
  f->lower = t2pw_unix_lower_new (&f->context, "/\xff\n");
  f->carrier = t2pw_outbound_open (f->lower, &anywhere, &handler, f);
  while (f->error == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_nonnull (strstr (f->error->message, "'/\\xff\\u000a'"));
}

/* Many connections at once are no reason to give a proxy up that accepts them one by one. */
static void
test_full_queue (Fixture *f, gconstpointer data)
{
  static const T2pwDestination anywhere = { .port = 1 };
  g_autofree char *folder = g_dir_make_tmp ("t2p-unix-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "socket", NULL);
  int first;
  int listening = listen_and_fill (path, &first);
  int accepted;

  wait_for_error (f);
  g_clear_error (&f->error);
  t2pw_outbound_free (f->lower);
  f->context.connect_timeout_ms = 10000;
  f->lower = t2pw_unix_lower_new (&f->context, path);
  f->carrier = t2pw_outbound_open (f->lower, &anywhere, &handler, f);
  for (guint i = 0; i < 4; i++)
    g_main_context_iteration (NULL, TRUE);
  g_assert_no_error (f->error);
  accepted = accept (listening, NULL, NULL);
  while (f->n_opened == 0 && f->error == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_no_error (f->error);
  close (accepted);
  close (first);
  close (listening);
  unlink (path);
  rmdir (folder);
}

/* Another process may have the descriptor for some time: the peer sees the end all the same,
 * and the reactor hears of it no more. */
static void
test_helped (Fixture *f, gconstpointer data)
{
  struct iovec iov = { (char *) "hello", 5 };
  char text[8] = "";
  int pair[2];
  int copy;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), ==, 0);
  copy = dup (pair[0]);
  f->done (pair[0], "", f->done_data);
  g_assert_cmpuint (f->n_opened, ==, 1);
  g_assert_cmpint (t2pw_carrier_send (f->carrier, &iov, 1), ==, 5);
  g_assert_cmpint (read (pair[1], text, sizeof text), ==, 5);
  t2pw_carrier_close (f->carrier, FALSE);
  f->carrier = NULL;
  g_assert_cmpint (read (pair[1], text, sizeof text), ==, 0);
  close (pair[1]);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  close (copy);
  g_assert_cmpuint (f->n_cancelled, ==, 0);
}

static void
test_refused (Fixture *f, gconstpointer data)
{
  f->done (-1, "Permission denied", f->done_data);
  wait_for_error (f);
  g_assert_nonnull (strstr (f->error->message, "Permission denied"));
  g_assert_cmpuint (f->n_cancelled, ==, 0);
}

static void
test_late (Fixture *f, gconstpointer data)
{
  wait_for_error (f);
  g_assert_cmpuint (f->n_cancelled, ==, 1);
}

static void
test_closed (Fixture *f, gconstpointer data)
{
  t2pw_carrier_close (f->carrier, TRUE);
  f->carrier = NULL;
  g_assert_cmpuint (f->n_cancelled, ==, 1);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/unix/connects-itself-without-a-helper", Fixture, NULL, setup, test_directly,
              teardown);
  g_test_add ("/unix/a-lack-of-descriptors-is-ours", Fixture, NULL, setup,
              test_without_descriptors, teardown);
  g_test_add ("/unix/a-queue-that-is-full-is-waited-for", Fixture, NULL, setup, test_full_queue,
              teardown);
  g_test_add ("/unix/a-path-that-is-no-text-is-shown", Fixture, NULL, setup,
              test_path_that_is_no_text, teardown);
  g_test_add ("/unix/carries-over-the-helper's-socket", Fixture, "", setup, test_helped,
              teardown);
  g_test_add ("/unix/tells-why-the-helper-could-not", Fixture, "", setup, test_refused,
              teardown);
  g_test_add ("/unix/helper-that-is-late-is-not-waited-for", Fixture, "", setup, test_late,
              teardown);
  g_test_add ("/unix/closed-while-the-helper-is-at-it", Fixture, "", setup, test_closed,
              teardown);
  return g_test_run ();
}
