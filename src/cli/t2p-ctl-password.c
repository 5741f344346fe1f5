/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ctl-password.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "t2p-ctl-prompt.h"
#include "t2p-endpoint.h"

#define MAX_PASSWORD_BYTES 255 /* RFC 1929 section 2 */

/* Up to the first line feed or the end. Returns -1 with errno set. */
static gssize
read_line (int fd, char *buffer, gsize size)
{
  gsize length = 0;

  while (length < size)
    {
      const gssize n = read (fd, buffer + length, 1);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return -1;
      if (n == 0 || buffer[length] == '\n')
        break;
      length++;
    }
  if (length > 0 && length < size && buffer[length - 1] == '\r')
    length--;
  return (gssize) length;
}

static T2pSecret *
read_secret (int fd, const char *path, GError **error)
{
  char buffer[MAX_PASSWORD_BYTES + 1];
  const gssize length = read_line (fd, buffer, sizeof buffer);
  const int saved_errno = errno;
  T2pSecret *secret = NULL;

  if (length < 0)
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
                 _ ("cannot read the password from “%s”: %s"), path, g_strerror (saved_errno));
  else if (length == 0 || length > MAX_PASSWORD_BYTES)
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 _ ("the first line of “%s” is no password: expected 1 to %d bytes"), path,
                 MAX_PASSWORD_BYTES);
  else
    secret = t2p_secret_new (buffer, (gsize) length);
  explicit_bzero (buffer, sizeof buffer);
  return secret;
}

T2pSecret *
t2p_ctl_read_password_file (const char *path, GError **error)
{
  T2pSecret *secret = NULL;
  int fd = STDIN_FILENO;

  if (g_str_equal (path, "-"))
    return read_secret (fd, path, error);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    {
      const int saved_errno = errno;

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   _ ("cannot open the password file “%s”: %s"), path,
                   g_strerror (saved_errno));
      return NULL;
    }
  secret = read_secret (fd, path, error);
  close (fd);
  return secret;
}

static char *
choose_user (const T2pCtl *ctl, const T2pEndpoint *endpoint, GError **error)
{
  const char *user = ctl->user != NULL ? ctl->user : t2p_endpoint_get_user (endpoint);
  g_autofree char *prompt = NULL;

  if (user != NULL)
    return g_strdup (user);
  if (!ctl->asks)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                   _ ("a password without a user name: give --user, or --ask for both"));
      return NULL;
    }
  prompt = g_strdup_printf (_ ("User name for %s: "), t2p_endpoint_get_hop_display (endpoint));
  return t2p_ctl_prompt (prompt, TRUE, error);
}

static T2pSecret *
ask_password (const char *user, const T2pEndpoint *endpoint, GError **error)
{
  g_autofree char *prompt = g_strdup_printf (_ ("Password of %s for %s: "), user,
                                             t2p_endpoint_get_hop_display (endpoint));
  char *text = t2p_ctl_prompt (prompt, FALSE, error);
  T2pSecret *secret = NULL;

  if (text == NULL)
    return NULL;
  secret = t2p_secret_new (text, strlen (text));
  t2p_ctl_wipe (text);
  return secret;
}

static gboolean
lacks_password (const T2pEndpoint *hop)
{
  return t2p_endpoint_get_user (hop) != NULL && t2p_endpoint_get_password (hop) == NULL;
}

/* Whom in a chain the credentials are for: the first who has a user name but no password, or
 * else the last. */
static const T2pEndpoint *
choose_hop (const T2pEndpoint *endpoint, guint *out_index)
{
  const T2pEndpoint *hop = endpoint;

  for (*out_index = 0; t2p_endpoint_get_next (hop) != NULL && !lacks_password (hop);
       hop = t2p_endpoint_get_next (hop))
    (*out_index)++;
  return hop;
}

char *
t2p_ctl_add_credentials (const T2pCtl *ctl, const char *uri, GError **error)
{
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uri, error);
  g_autoptr (T2pEndpoint) complete = NULL;
  g_autoptr (T2pSecret) password = NULL;
  g_autofree char *user = NULL;
  const T2pEndpoint *hop;
  guint index = 0;

  if (endpoint == NULL)
    return NULL;
  if (!ctl->asks && ctl->password_file == NULL)
    {
      if (ctl->user == NULL)
        return g_strdup (uri);
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                   _ ("--user needs a password: give --ask or --password-file, too"));
      return NULL;
    }
  hop = choose_hop (endpoint, &index);
  user = choose_user (ctl, hop, error);
  if (user == NULL)
    return NULL;
  password = ctl->password_file != NULL ? t2p_ctl_read_password_file (ctl->password_file, error)
                                        : ask_password (user, hop, error);
  if (password == NULL)
    return NULL;
  complete = t2p_endpoint_with_credentials (endpoint, index, user, password);
  return t2p_endpoint_to_private_uri (complete);
}

void
t2p_ctl_wipe (char *text)
{
  if (text != NULL)
    explicit_bzero (text, strlen (text));
  g_free (text);
}

/* @authority begins behind "://" and ends where an authority ends. */
static gboolean
hide_userinfo (char *authority)
{
  const gsize length = strcspn (authority, "/?#,");
  char *at = memrchr (authority, '@', length);
  const gboolean has_password =
      at != NULL && memchr (authority, ':', (gsize) (at - authority)) != NULL;

  if (at != NULL)
    memset (authority, '*', (gsize) (at - authority));
  return has_password;
}

gboolean
t2p_ctl_hide_passwords (int argc, char **argv)
{
  gboolean has_password = FALSE;

  for (int i = 1; i < argc; i++)
    for (char *mark = strstr (argv[i], "://"); mark != NULL; mark = strstr (mark + 3, "://"))
      has_password |= hide_userinfo (mark + 3);
  return has_password;
}
