/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ctl-terminal.h"

#include <unistd.h>

#define ESCAPE '\033'

static const char *const sequences[] = {
  [T2P_CTL_COLOUR_NONE] = "",          [T2P_CTL_COLOUR_BOLD] = "\033[1m",
  [T2P_CTL_COLOUR_GREEN] = "\033[32m", [T2P_CTL_COLOUR_YELLOW] = "\033[33m",
  [T2P_CTL_COLOUR_RED] = "\033[31m",
};

gboolean
t2p_ctl_has_colour (int fd)
{
  const char *no_color = g_getenv ("NO_COLOR");

  return isatty (fd) && (no_color == NULL || *no_color == '\0') &&
         g_strcmp0 (g_getenv ("TERM"), "dumb") != 0;
}

char *
t2p_ctl_colour (T2pCtlColour colour, const char *text)
{
  if (colour == T2P_CTL_COLOUR_NONE || !t2p_ctl_has_colour (STDOUT_FILENO))
    return g_strdup (text);
  return g_strconcat (sequences[colour], text, "\033[0m", NULL);
}

T2pCtlColour
t2p_ctl_colour_of_state (T2pTunnelState state)
{
  switch (state)
    {
    case T2P_TUNNEL_STATE_ACTIVE:
      return T2P_CTL_COLOUR_GREEN;
    case T2P_TUNNEL_STATE_FAILED:
      return T2P_CTL_COLOUR_RED;
    case T2P_TUNNEL_STATE_PREPARING:
    case T2P_TUNNEL_STATE_CONNECTING:
    case T2P_TUNNEL_STATE_CONFIGURING:
    case T2P_TUNNEL_STATE_DEGRADED:
    case T2P_TUNNEL_STATE_SUSPENDED:
    case T2P_TUNNEL_STATE_DEACTIVATING:
      return T2P_CTL_COLOUR_YELLOW;
    case T2P_TUNNEL_STATE_INACTIVE:
      break;
    }
  return T2P_CTL_COLOUR_NONE;
}

char *
t2p_ctl_printable (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *out = g_string_new (NULL);

  for (const char *c = valid; *c != '\0'; c = g_utf8_next_char (c))
    {
      const gunichar character = g_utf8_get_char (c);

      g_string_append_unichar (out, g_unichar_isprint (character) ? character : 0xfffd);
    }
  return g_string_free (out, FALSE);
}

static const char *
skip_escape (const char *c)
{
  while (*c != '\0' && *c != 'm')
    c++;
  return *c != '\0' ? c + 1 : c;
}

guint
t2p_ctl_columns (const char *text)
{
  guint columns = 0;
  const char *c = text;

  while (*c != '\0')
    {
      const gunichar character = g_utf8_get_char (c);

      if (character == ESCAPE)
        {
          c = skip_escape (c);
          continue;
        }
      if (!g_unichar_iszerowidth (character))
        columns += g_unichar_iswide (character) ? 2 : 1;
      c = g_utf8_next_char (c);
    }
  return columns;
}
