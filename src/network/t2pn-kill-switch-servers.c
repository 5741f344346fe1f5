/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-kill-switch.h"

#include <stdio.h>

#define STATE_LISTEN 0x0a

static gboolean
has_port (const GArray *ports, guint16 port)
{
  for (guint i = 0; i < ports->len; i++)
    if (g_array_index (ports, guint16, i) == port)
      return TRUE;
  return FALSE;
}

/* "   0: 0100007F:0016 00000000:0000 0A …": local, remote, state. */
static void
read_line (const char *line, GArray *ports)
{
  guint number, state;
  guint16 port;

  if (sscanf (line, " %*u: %*[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %2x", &number, &state) != 2 ||
      state != STATE_LISTEN)
    return;
  port = (guint16) number;
  if (!has_port (ports, port))
    g_array_append_val (ports, port);
}

/* Of this process, whose network namespace need not be that of the first thread of others. */
static void
read_file (const char *path, GArray *ports)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    read_line (lines[i], ports);
}

GArray *
t2pn_kill_switch_list_servers (void)
{
  GArray *ports = g_array_new (FALSE, FALSE, sizeof (guint16));

  read_file ("/proc/thread-self/net/tcp", ports);
  read_file ("/proc/thread-self/net/tcp6", ports);
  return ports;
}
