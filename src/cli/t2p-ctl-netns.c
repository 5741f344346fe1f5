/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ctl-netns.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <unistd.h>

/* -1 with an error */
static int
open_place (const char *place, GError **error)
{
  guint64 pid = 0;
  g_autofree char *of_process = g_ascii_string_to_unsigned (place, 10, 1, G_MAXINT, &pid, NULL)
                                    ? g_strdup_printf ("/proc/%d/ns/net", (int) pid)
                                    : NULL;
  const char *path = of_process != NULL ? of_process : place;
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  int errsv = errno;

  /* Not G_IO_ERROR_NOT_FOUND: that is the bus's. */
  if (fd < 0)
    /* Translators: a path, and why it cannot be opened */
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                 _ ("could not open the network namespace %s: %s"), path, g_strerror (errsv));
  return fd;
}

T2pTunnel *
t2p_ctl_netns_create (T2pCtl *ctl,
                      const char *place,
                      const char *name,
                      GVariant *settings,
                      GVariant *options,
                      int *out_guard,
                      GVariant **out_result,
                      GError **error)
{
  g_autoptr (GVariant) owned_settings = g_variant_ref_sink (settings);
  g_autoptr (GVariant) owned_options = g_variant_ref_sink (options);
  g_autoptr (GUnixFDList) list = NULL;
  GVariantBuilder descriptors;
  int fd = open_place (place, error);

  if (fd < 0)
    return NULL;
  list = g_unix_fd_list_new_from_array (&fd, 1);
  g_variant_builder_init (&descriptors, G_VARIANT_TYPE ("a{sh}"));
  g_variant_builder_add (&descriptors, "{sh}", "netns", 0);
  return t2p_client_create_tunnel_fd_sync (ctl->client, name, owned_settings,
                                           g_variant_builder_end (&descriptors), list,
                                           owned_options, NULL, out_guard, out_result, error);
}

typedef struct
{
  GMainLoop *loop;
  gboolean has_gone;
} Hold;

static gboolean
enough_cb (gpointer user_data)
{
  g_main_loop_quit (((Hold *) user_data)->loop);
  return G_SOURCE_CONTINUE;
}

static gboolean
gone_cb (int fd, GIOCondition condition, gpointer user_data)
{
  Hold *hold = user_data;

  hold->has_gone = TRUE;
  g_main_loop_quit (hold->loop);
  return G_SOURCE_REMOVE;
}

gboolean
t2p_ctl_netns_hold (int guard, const char *name, GError **error)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Hold hold = { loop, FALSE };
  guint signals[] = { g_unix_signal_add (SIGINT, enough_cb, &hold),
                      g_unix_signal_add (SIGTERM, enough_cb, &hold),
                      g_unix_signal_add (SIGHUP, enough_cb, &hold) };
  guint gone = g_unix_fd_add (guard, G_IO_HUP | G_IO_ERR, gone_cb, &hold);

  g_main_loop_run (loop);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    g_source_remove (signals[i]);
  if (!hold.has_gone)
    g_source_remove (gone);
  close (guard);
  if (hold.has_gone)
    g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_FOUND, _ ("the tunnel “%s” has gone"), name);
  return !hold.has_gone;
}
