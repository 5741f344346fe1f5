/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2pd-descriptors.h"

#include <fcntl.h>
#include <unistd.h>

static GUnixFDList *
make_list (guint n)
{
  GUnixFDList *list = g_unix_fd_list_new ();
  int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);

  for (guint i = 0; i < n; i++)
    g_assert_cmpint (g_unix_fd_list_append (list, fd, NULL), ==, (int) i);
  close (fd);
  return list;
}

static T2pdDescriptors *
parse (const char *names_text, guint n_fds, GError **error)
{
  g_autoptr (GVariant) names =
      g_variant_parse (G_VARIANT_TYPE ("a{sh}"), names_text, NULL, NULL, error);
  g_autoptr (GUnixFDList) list = n_fds > 0 ? make_list (n_fds) : NULL;

  g_assert_nonnull (names);
  return t2pd_descriptors_new (names, list, 1000, error);
}

static void
test_files (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pdDescriptors) self = parse ("{'ca': 1, 'list.txt': 0}", 2, &error);

  g_assert_no_error (error);
  g_assert_cmpint (t2pd_descriptors_get_netns (self), ==, -1);
  g_assert_cmpint (t2pd_descriptors_find_file (self, "fd:ca"), >=, 0);
  g_assert_cmpint (t2pd_descriptors_find_file (self, "fd:list.txt"), >=, 0);
  g_assert_cmpint (t2pd_descriptors_find_file (self, "fd:other"), ==, -1);
  g_assert_cmpint (t2pd_descriptors_find_file (self, "ca"), ==, -1);
  g_assert_cmpint (t2pd_descriptors_find_file (NULL, "fd:ca"), ==, -1);
  g_assert_cmpstr (t2pd_descriptors_get_file_name (self, 1), !=, NULL);
  g_assert_null (t2pd_descriptors_get_file_name (self, 2));
}

static guint
count_open (void)
{
  guint n = 0;

  for (int fd = 0; fd < 1024; fd++)
    n += fcntl (fd, F_GETFD) >= 0;
  return n;
}

static void
test_refused (void)
{
  static const struct
  {
    const char *names;
    guint n_fds;
    T2pError code;
  } cases[] = {
    { "{'ca': 0}", 0, T2P_ERROR_INVALID_FD },
    { "@a{sh} {}", 1, T2P_ERROR_INVALID_FD },
    { "{'ca': 0}", 2, T2P_ERROR_INVALID_FD },
    { "{'ca': 0, 'cb': 0}", 2, T2P_ERROR_INVALID_FD },
    { "{'ca': 1}", 1, T2P_ERROR_INVALID_FD },
    { "{'ca': -1}", 1, T2P_ERROR_INVALID_FD },
    { "{'ca': 0, 'ca': 1}", 2, T2P_ERROR_INVALID_ARGUMENT },
    { "{'': 0}", 1, T2P_ERROR_INVALID_ARGUMENT },
    { "{'a/b': 0}", 1, T2P_ERROR_INVALID_ARGUMENT },
    { "{'netns': 0}", 1, T2P_ERROR_INVALID_FD },
    { "{'netns': 0, 'netns': 1}", 2, T2P_ERROR_INVALID_FD },
    { "{'tun': 0}", 1, T2P_ERROR_NOT_SUPPORTED },
  };
  guint before = count_open ();

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", cases[i].names);
      g_assert_null (parse (cases[i].names, cases[i].n_fds, &error));
      g_assert_error (error, T2P_ERROR, (int) cases[i].code);
    }
  g_assert_cmpuint (count_open (), ==, before);
}

static void
test_own_namespace (void)
{
  g_autoptr (GVariant) names =
      g_variant_ref_sink (g_variant_new_parsed ("{'netns': handle 0}"));
  int fd = open ("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  int others = open ("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  g_autoptr (GUnixFDList) own = g_unix_fd_list_new_from_array (&fd, 1);
  g_autoptr (GUnixFDList) mount = g_unix_fd_list_new_from_array (&others, 1);
  g_autoptr (GError) error = NULL;

  g_assert_null (t2pd_descriptors_new (names, own, 0, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD);
  g_clear_error (&error);
  g_assert_null (t2pd_descriptors_new (names, mount, 0, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD);
  g_clear_error (&error);
  /* Nobody's uid: whoever runs this has made no namespace as that. */
  g_assert_null (t2pd_descriptors_new (names, own, 4294967, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_NAMESPACE_NOT_OWNED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/descriptors/files-by-name", test_files);
  g_test_add_func ("/descriptors/refused-and-closed", test_refused);
  g_test_add_func ("/descriptors/own-namespace-is-none", test_own_namespace);
  return g_test_run ();
}
