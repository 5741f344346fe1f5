/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "proxy-fixture.h"
#include "t2p-error.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* One server plays all proxies of the chain: what is said to the second passes the first. */

#define GREETING "\x05\x01\x00"
#define WELCOME "\x05\x00"
#define ASKS_FOR_NEXT                                                                          \
  "\x05\x01\x00\x03\x0c"                                                                       \
  "next.example"                                                                               \
  "\x04\x39"
#define ASKS_FOR_END                                                                           \
  "\x05\x01\x00\x03\x0b"                                                                       \
  "example.org"                                                                                \
  "\x00\x50"
#define REPLY(code) "\x05" code "\x00\x01\x7f\x00\x00\x01\x12\x34"

static void
open_by (ProxyFixture *f, const char *uri)
{
  T2pwDestination destination = { .name = "example.org", .port = 80 };

  proxy_fixture_make_uri (f, uri, 2000);
  proxy_fixture_open (f, &destination);
}

static void
open_chain (ProxyFixture *f, ScriptedServer *server, const char *rest)
{
  g_autofree char *uri =
      g_strdup_printf ("socks5://127.0.0.1:%u%s", scripted_server_get_port (server), rest);

  open_by (f, uri);
}

static void
test_second_through_first (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, GREETING),
                                       STEP (SERVER_SEND, WELCOME),
                                       STEP (SERVER_READ, ASKS_FOR_NEXT),
                                       STEP (SERVER_SEND, REPLY ("\x00")),
                                       STEP (SERVER_READ, GREETING),
                                       STEP (SERVER_SEND, WELCOME),
                                       STEP (SERVER_READ, ASKS_FOR_END),
                                       STEP (SERVER_SEND, REPLY ("\x00") "hello"),
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  open_chain (f, server, " | socks5://next.example:1081");
  g_assert_no_error (f->error);
  proxy_fixture_drain (f);
  g_assert_cmpstr (f->received->str, ==, "hello");
  g_assert_cmpstr (f->carrier->label, ==, "socks5://next.example:1081");
}

/* The first may send what comes from the second in the same breath. */
static void
test_answers_in_one_breath (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, GREETING),
                                       STEP (SERVER_SEND, WELCOME),
                                       STEP (SERVER_READ, ASKS_FOR_NEXT),
                                       STEP (SERVER_SEND, REPLY ("\x00") WELCOME),
                                       STEP (SERVER_READ, GREETING),
                                       STEP (SERVER_READ, ASKS_FOR_END),
                                       STEP (SERVER_SEND, REPLY ("\x00")),
                                       { SERVER_STALL },
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  open_chain (f, server, "|socks5://next.example:1081");
  g_assert_no_error (f->error);
}

static void
test_second_not_reached (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, GREETING),
                                       STEP (SERVER_SEND, WELCOME),
                                       STEP (SERVER_READ, ASKS_FOR_NEXT),
                                       STEP (SERVER_SEND, REPLY ("\x04")),
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  open_chain (f, server, " | socks5://next.example:1081");
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_NET_UNREACHABLE);
}

static void
test_destination_refused (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, GREETING),
                                       STEP (SERVER_SEND, WELCOME),
                                       STEP (SERVER_READ, ASKS_FOR_NEXT),
                                       STEP (SERVER_SEND, REPLY ("\x00")),
                                       STEP (SERVER_READ, GREETING),
                                       STEP (SERVER_SEND, WELCOME),
                                       STEP (SERVER_READ, ASKS_FOR_END),
                                       STEP (SERVER_SEND, REPLY ("\x02")),
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  open_chain (f, server, " | socks5://next.example:1081");
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_ADMIN_PROHIBITED);
}

static void
test_closed_in_the_middle (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = {
    STEP (SERVER_READ, GREETING),      STEP (SERVER_SEND, WELCOME),
    STEP (SERVER_READ, ASKS_FOR_NEXT), STEP (SERVER_SEND, REPLY ("\x00")),
    STEP (SERVER_READ, GREETING),      { SERVER_END }
  };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  open_chain (f, server, " | socks5://next.example:1081");
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL);
}

static int
listen_at (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (fd, 4), ==, 0);
  return fd;
}

static gpointer
answer_thread (gpointer data)
{
  int fd = accept (GPOINTER_TO_INT (data), NULL, NULL);
  char bytes[64];

  g_assert_cmpint (recv (fd, bytes, 3, MSG_WAITALL), ==, 3);
  g_assert_cmpint (send (fd, WELCOME, 2, 0), ==, 2);
  g_assert_cmpint (recv (fd, bytes, sizeof ASKS_FOR_END - 1, MSG_WAITALL), ==,
                   sizeof ASKS_FOR_END - 1);
  g_assert_cmpint (send (fd, REPLY ("\x00"), 10, 0), ==, 10);
  close (fd);
  return NULL;
}

static void
test_unix_socket (ProxyFixture *f, gconstpointer data)
{
  g_autofree char *folder = g_dir_make_tmp ("t2p-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "proxy", NULL);
  g_autofree char *uri = g_strdup_printf ("socks5://unix:%s", path);
  int fd = listen_at (path);
  GThread *thread = g_thread_new ("proxy", answer_thread, GINT_TO_POINTER (fd));

  open_by (f, uri);
  g_assert_no_error (f->error);
  g_thread_join (thread);
  close (fd);
  unlink (path);
  rmdir (folder);
}

static void
test_no_unix_socket (ProxyFixture *f, gconstpointer data)
{
  open_by (f, "socks5://unix:/nonexistent/proxy");
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_nonnull (strstr (f->error->message, "/nonexistent/proxy"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function)                                                                    \
  g_test_add (path, ProxyFixture, NULL, proxy_fixture_set_up, function, proxy_fixture_tear_down)
  ADD ("/chain/the-second-is-reached-through-the-first", test_second_through_first);
  ADD ("/chain/answers-in-one-breath-are-told-apart", test_answers_in_one_breath);
  ADD ("/chain/a-second-that-is-not-reached-is-unreachable", test_second_not_reached);
  ADD ("/chain/a-refused-destination-is-no-fault-of-a-proxy", test_destination_refused);
  ADD ("/chain/a-second-that-closes-is-a-protocol-error", test_closed_in_the_middle);
  ADD ("/unix/a-proxy-at-a-path-is-reached", test_unix_socket);
  ADD ("/unix/no-socket-is-unreachable-and-named", test_no_unix_socket);
  return g_test_run ();
}
