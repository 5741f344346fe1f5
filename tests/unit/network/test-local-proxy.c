/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-local-proxy.h"
#include "t2pn-process-list.h"

#include <glib/gstdio.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A listener of this process at @text ("127.0.0.1:0"); *@out is where it is. */
static int
listen_at (const char *text, T2pIpEndpoint *out)
{
  T2pIpAddress address;
  struct sockaddr_storage name;
  socklen_t length;
  int fd;

  g_assert_true (t2p_ip_address_parse (text, &address));
  *out = (T2pIpEndpoint){ address, 0 };
  length = t2p_ip_endpoint_to_sockaddr (out, &name);
  fd = socket (address.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind (fd, (struct sockaddr *) &name, length) < 0 || listen (fd, 8) < 0 ||
      getsockname (fd, (struct sockaddr *) &name, &length) < 0)
    g_error ("no listener at %s: %s", text, g_strerror (errno));
  g_assert_true (t2p_ip_endpoint_from_sockaddr ((struct sockaddr *) &name, length, out));
  return fd;
}

static void
assert_is_us (const T2pnLocalProxy *proxy)
{
  g_assert_nonnull (proxy);
  g_assert_cmpint (proxy->pid, ==, getpid ());
  g_assert_true (g_str_has_prefix (proxy->program, "test-network-lo"));
  g_assert_true (t2pn_local_proxy_has_uid (proxy, getuid ()));
  g_assert_false (proxy->is_elsewhere);
}

static void
test_found (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnLocalProxy) proxy = NULL;
  T2pIpEndpoint place;
  int fd = listen_at ("127.0.0.1", &place);

  proxy = t2pn_local_proxy_find (&place, &error);
  g_assert_no_error (error);
  assert_is_us (proxy);
  if (getuid () == 0) /* who is never alone */
    g_assert_false (proxy->has_own_users);
  g_assert_cmpuint (proxy->peers->len, ==, 0);
  close (fd);
}

/* A socket of IPv6 on all addresses takes IPv4, too, and the narrower one comes first. */
static void
test_wildcard (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnLocalProxy) proxy = NULL;
  T2pIpEndpoint place;
  int fd;

  if (!g_file_test ("/proc/net/if_inet6", G_FILE_TEST_EXISTS))
    {
      g_test_skip ("needs IPv6");
      return;
    }
  fd = listen_at ("::", &place);
  t2p_ip_address_parse ("127.0.0.1", &place.address);
  proxy = t2pn_local_proxy_find (&place, &error);
  g_assert_no_error (error);
  assert_is_us (proxy);
  close (fd);
}

static void
test_nobody (void)
{
  g_autoptr (GError) error = NULL;
  T2pIpEndpoint place;

  close (listen_at ("127.0.0.1", &place));
  g_assert_null (t2pn_local_proxy_find (&place, &error));
  g_assert_no_error (error);
  g_assert_null (t2pn_local_proxy_find_unix ("/nonexistent/socket", &error));
  g_assert_no_error (error);
}

static void
test_unix (void)
{
  g_autofree char *folder = g_dir_make_tmp ("t2p-local-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "socket", NULL);
  g_autofree char *longer = g_strconcat (path, "s", NULL);
  struct sockaddr_un name = { .sun_family = AF_UNIX };
  g_autoptr (T2pnLocalProxy) proxy = NULL;
  g_autoptr (GError) error = NULL;
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (name.sun_path, path, sizeof name.sun_path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &name, sizeof name), ==, 0);
  g_assert_cmpint (listen (fd, 1), ==, 0);
  proxy = t2pn_local_proxy_find_unix (path, &error);
  g_assert_no_error (error);
  assert_is_us (proxy);
  g_assert_null (t2pn_local_proxy_find_unix (longer, &error));
  g_assert_no_error (error);
  close (fd);
  g_unlink (path);
  g_rmdir (folder);
}

static void
add_process (GPtrArray *processes, pid_t pid, pid_t parent)
{
  T2pnProcessEntry *process = g_new0 (T2pnProcessEntry, 1);

  process->pid = pid;
  process->parent = parent;
  g_ptr_array_add (processes, process);
}

/* Each is the child of the next one, as a user can have them who has many. */
static void
test_descendants (void)
{
  const int depth = 20000;
  g_autoptr (GPtrArray) processes = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) family = g_ptr_array_new ();
  g_autoptr (GHashTable) members = NULL;

  for (int i = depth; i > 0; i--)
    add_process (processes, 100 + i, 100 + i - 1);
  add_process (processes, 100, 1);
  add_process (processes, 50, 1); /* a sibling */
  add_process (processes, 60, 60);
  g_ptr_array_add (family, (gpointer) t2pn_process_list_find (processes, 100));
  g_test_timer_start ();
  members = t2pn_process_list_add_descendants (processes, family);
  g_assert_cmpfloat (g_test_timer_elapsed (), <, 2);
  g_assert_cmpuint (family->len, ==, depth + 1);
  g_assert_cmpuint (g_hash_table_size (members), ==, depth + 1);
  g_assert_false (g_hash_table_contains (members, t2pn_process_list_find (processes, 50)));
  g_ptr_array_set_size (family, 0);
  g_ptr_array_add (family, (gpointer) t2pn_process_list_find (processes, 60));
  g_hash_table_unref (members);
  members = t2pn_process_list_add_descendants (processes, family); /* its own parent */
  g_assert_cmpuint (family->len, ==, 1);
}

static void
test_processes (void)
{
  g_autoptr (GPtrArray) processes = NULL;
  const T2pnProcessEntry *us, *child;
  int pipes[2];
  pid_t pid;

  g_assert_cmpint (pipe (pipes), ==, 0);
  pid = fork ();
  if (pid == 0)
    {
      char byte;

      close (pipes[1]);
      _exit (read (pipes[0], &byte, 1) == 0 ? 0 : 1); /* until the parent lets go */
    }
  processes = t2pn_process_list_new ();
  us = t2pn_process_list_find (processes, getpid ());
  child = t2pn_process_list_find (processes, pid);
  g_assert_nonnull (us);
  g_assert_nonnull (child);
  g_assert_cmpint (child->parent, ==, getpid ());
  g_assert_cmpuint (child->uid, ==, getuid ());
  g_assert_cmpstr (child->program, ==, us->program);
  g_assert_cmpuint (child->executable[1], ==, us->executable[1]);
  g_assert_null (t2pn_process_list_find (processes, -1));
  close (pipes[0]);
  close (pipes[1]);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/local-proxy/who-listens-is-found", test_found);
  g_test_add_func ("/local-proxy/who-listens-on-all-addresses-is-found", test_wildcard);
  g_test_add_func ("/local-proxy/nobody-is-no-error", test_nobody);
  g_test_add_func ("/local-proxy/unix-sockets-are-found-by-their-whole-path", test_unix);
  g_test_add_func ("/local-proxy/all-descendants-are-found-soon", test_descendants);
  g_test_add_func ("/local-proxy/processes-have-parents-and-users", test_processes);
  return g_test_run ();
}
