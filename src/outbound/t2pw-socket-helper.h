/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @fd: connected and non-blocking, the callee's from now on; or -1 and @reason for people. The
 * request is gone. */
typedef void (*T2pwSocketDone) (int fd, const char *reason, gpointer user_data);

/**
 * T2pwSocketHelper:
 * @ask: returns a request; @done is called later, never within
 * @cancel: @done is not called
 *
 * Who connects to the unix socket of a path in somebody's name, because the worker's own user
 * could reach other sockets than the owner of the tunnel.
 */
typedef struct
{
  gpointer (*ask) (gpointer helper, const char *path, T2pwSocketDone done, gpointer user_data);
  void (*cancel) (gpointer helper, gpointer request);
  gpointer helper;
} T2pwSocketHelper;

G_END_DECLS
