/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

/* A proxy on loopback that follows a script, in a thread of its own. One connection after the
 * other gets the whole script, unless SERVER_NEXT cuts it into pieces. */
typedef enum
{
  SERVER_READ,  /* exactly @length bytes, compared with @bytes when that is set */
  SERVER_SEND,  /* @bytes, at most @piece at once (0: all) */
  SERVER_STALL, /* until the client hangs up */
  SERVER_RESET,
  SERVER_ECHO, /* until the client has shut down its side */
  SERVER_NEXT, /* closes; the next connection goes on behind this */
  SERVER_END,  /* closes; the next begins anew */
} ServerVerb;

typedef struct
{
  ServerVerb verb;
  const char *bytes;
  gsize length;
  gsize piece;
} ServerStep;

typedef struct _ScriptedServer ScriptedServer;

ScriptedServer *scripted_server_new (const ServerStep *script);
void scripted_server_free (ScriptedServer *server);
guint16 scripted_server_get_port (ScriptedServer *server);
guint scripted_server_get_n_connections (ScriptedServer *server);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ScriptedServer, scripted_server_free)
