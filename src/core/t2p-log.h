/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define T2P_LOG_DOMAIN "tun2proxy"

/** T2pLogLevel: from what must be seen to what only a developer wants. */
typedef enum
{
  T2P_LOG_LEVEL_ERROR,
  T2P_LOG_LEVEL_WARNING,
  T2P_LOG_LEVEL_NOTICE,
  T2P_LOG_LEVEL_INFO,
  T2P_LOG_LEVEL_DEBUG,
} T2pLogLevel;

const char *t2p_log_level_to_string (T2pLogLevel level);
gboolean t2p_log_level_from_string (const char *text, T2pLogLevel *out_level);

/* Installs the writer: the journal when standard error is connected to it, else standard error,
 * as "program[pid]: level: tunnel: message". Once per program, before the first message. */
void t2p_log_init (T2pLogLevel level);
/* Any thread, any time. "notice" until told otherwise. */
void t2p_log_set_level (T2pLogLevel level);
T2pLogLevel t2p_log_get_level (void);
gboolean t2p_log_is_enabled (T2pLogLevel level);

/* One line with the fields T2P_TUNNEL= (@tunnel, or NULL) and T2P_ERROR= (name of @error, or
 * NULL; its message is appended after ": "). Call it through the macros below. */
void t2p_log_full (T2pLogLevel level,
                   const char *domain,
                   const char *file,
                   int line,
                   const char *function,
                   const char *tunnel,
                   const GError *error,
                   const char *format,
                   ...) G_GNUC_PRINTF (8, 9);

#define T2P_LOG(level, tunnel, error, ...)                                                     \
  G_STMT_START                                                                                 \
  {                                                                                            \
    if (t2p_log_is_enabled (level))                                                            \
      t2p_log_full (level, T2P_LOG_DOMAIN, __FILE__, __LINE__, G_STRFUNC, tunnel, error,       \
                    __VA_ARGS__);                                                              \
  }                                                                                            \
  G_STMT_END

#define t2p_log_error(tunnel, error, ...)                                                      \
  T2P_LOG (T2P_LOG_LEVEL_ERROR, tunnel, error, __VA_ARGS__)
#define t2p_log_warning(tunnel, error, ...)                                                    \
  T2P_LOG (T2P_LOG_LEVEL_WARNING, tunnel, error, __VA_ARGS__)
#define t2p_log_notice(tunnel, error, ...)                                                     \
  T2P_LOG (T2P_LOG_LEVEL_NOTICE, tunnel, error, __VA_ARGS__)
#define t2p_log_info(tunnel, error, ...)                                                       \
  T2P_LOG (T2P_LOG_LEVEL_INFO, tunnel, error, __VA_ARGS__)
#define t2p_log_debug(tunnel, error, ...)                                                      \
  T2P_LOG (T2P_LOG_LEVEL_DEBUG, tunnel, error, __VA_ARGS__)

G_END_DECLS
