/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-kill-switch.h"

#include <stdio.h>

#define STATE_LISTEN 0x0a

#define N_PORTS 65536

/* "   0: 0100007F:0016 00000000:0000 0A …": local, remote, state. */
static void
read_line (const char *line, gboolean *is_served)
{
  guint number, state;

  if (sscanf (line, " %*u: %*[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %2x", &number, &state) == 2 &&
      state == STATE_LISTEN)
    is_served[number % N_PORTS] = TRUE;
}

/* Of this process, whose network namespace need not be that of the first thread of others. */
static void
read_file (const char *path, gboolean *is_served)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    read_line (lines[i], is_served);
}

GArray *
t2pn_kill_switch_list_servers (void)
{
  g_autofree gboolean *is_served = g_new0 (gboolean, N_PORTS);
  GArray *ports = g_array_new (FALSE, FALSE, sizeof (guint16));

  read_file ("/proc/thread-self/net/tcp", is_served);
  read_file ("/proc/thread-self/net/tcp6", is_served);
  for (guint i = 1; i < N_PORTS; i++)
    {
      guint16 port = (guint16) i;

      if (is_served[i])
        g_array_append_val (ports, port);
    }
  return ports;
}
