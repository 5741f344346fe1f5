/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-log.h"

#include "t2p-error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What a level is called, in GLib and in syslog(3). Our "error" is GLib's critical, because
 * GLib's error ends the program. */
static const struct
{
  const char *nick;
  GLogLevelFlags flags;
  const char *priority;
} levels[] = {
  [T2P_LOG_LEVEL_ERROR] = { "error", G_LOG_LEVEL_CRITICAL, "3" },
  [T2P_LOG_LEVEL_WARNING] = { "warning", G_LOG_LEVEL_WARNING, "4" },
  [T2P_LOG_LEVEL_NOTICE] = { "notice", G_LOG_LEVEL_MESSAGE, "5" },
  [T2P_LOG_LEVEL_INFO] = { "info", G_LOG_LEVEL_INFO, "6" },
  [T2P_LOG_LEVEL_DEBUG] = { "debug", G_LOG_LEVEL_DEBUG, "7" },
};
G_STATIC_ASSERT (G_N_ELEMENTS (levels) == T2P_LOG_LEVEL_DEBUG + 1);

static int current_level = T2P_LOG_LEVEL_NOTICE;

const char *
t2p_log_level_to_string (T2pLogLevel level)
{
  g_return_val_if_fail ((guint) level < G_N_ELEMENTS (levels), "unknown");
  return levels[level].nick;
}

gboolean
t2p_log_level_from_string (const char *text, T2pLogLevel *out_level)
{
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    if (g_strcmp0 (levels[i].nick, text) == 0)
      {
        *out_level = (T2pLogLevel) i;
        return TRUE;
      }
  return FALSE;
}

void
t2p_log_set_level (T2pLogLevel level)
{
  g_return_if_fail ((guint) level < G_N_ELEMENTS (levels));
  g_atomic_int_set (&current_level, (int) level);
}

T2pLogLevel
t2p_log_get_level (void)
{
  return (T2pLogLevel) g_atomic_int_get (&current_level);
}

gboolean
t2p_log_is_enabled (T2pLogLevel level)
{
  return level <= t2p_log_get_level ();
}

/* Messages of libraries pass here too, hence the way back from GLib's flags. */
static T2pLogLevel
level_of (GLogLevelFlags flags)
{
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    if ((flags & levels[i].flags) != 0)
      return (T2pLogLevel) i;
  return T2P_LOG_LEVEL_ERROR;
}

static const char *
find_field (const GLogField *fields, gsize n_fields, const char *key)
{
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, key) == 0 && fields[i].length < 0)
      return fields[i].value;
  return NULL;
}

/* One line for one message, whatever a peer has put into it. */
static void
append_printable (GString *line, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar character = g_utf8_get_char (p);

      g_string_append_unichar (line, g_unichar_isprint (character) ? character : '?');
    }
}

/* "tun2proxyd[123]: warning: what happened"; a library says its name too. */
static void
write_line (T2pLogLevel level, const GLogField *fields, gsize n_fields)
{
  const char *program = g_get_prgname ();
  const char *domain = find_field (fields, n_fields, "GLIB_DOMAIN");
  const char *message = find_field (fields, n_fields, "MESSAGE");
  g_autoptr (GString) line = g_string_new (NULL);

  g_string_append_printf (line, "%s[%d]: %s: ", program != NULL ? program : T2P_LOG_DOMAIN,
                          (int) getpid (), levels[level].nick);
  if (domain != NULL && strcmp (domain, T2P_LOG_DOMAIN) != 0)
    {
      append_printable (line, domain);
      g_string_append (line, ": ");
    }
  append_printable (line, message != NULL ? message : "");
  g_string_append_c (line, '\n');
  fputs (line->str, stderr); /* in one piece: several processes share the stream */
  fflush (stderr);
}

static GLogWriterOutput
write_cb (GLogLevelFlags flags, const GLogField *fields, gsize n_fields, gpointer user_data)
{
  T2pLogLevel level = level_of (flags);

  if (!t2p_log_is_enabled (level))
    return G_LOG_WRITER_HANDLED;
  if (!g_log_writer_is_journald (STDERR_FILENO) ||
      g_log_writer_journald (flags, fields, n_fields, user_data) != G_LOG_WRITER_HANDLED)
    write_line (level, fields, n_fields);
  return G_LOG_WRITER_HANDLED;
}

/**
 * t2p_log_init:
 * @level: the first level
 *
 * Makes every message of the program, and of the libraries in it, go to the journal with its
 * fields or to standard error as a line, as far as the level allows. Call it once.
 *
 * Since: 0.1
 */
void
t2p_log_init (T2pLogLevel level)
{
  t2p_log_set_level (level);
  g_log_set_writer_func (write_cb, NULL, NULL);
}

static char *
error_name (const GError *error)
{
  if (error->domain == T2P_ERROR)
    return g_strdup (t2p_error_to_dbus_name ((T2pError) error->code));
  return g_strdup_printf ("%s:%d", g_quark_to_string (error->domain), error->code);
}

/**
 * t2p_log_full:
 * @level: how much it matters
 * @domain: GLib's log domain
 * @file: source file
 * @line: source line
 * @function: source function
 * @tunnel: (nullable): name of the tunnel that it is about, which the message begins with
 * @error: (nullable): what went wrong
 * @format: printf() format of the message
 *
 * Logs one line, whatever the level set; the macros look at the level first.
 *
 * Since: 0.1
 */
void
t2p_log_full (T2pLogLevel level,
              const char *domain,
              const char *file,
              int line,
              const char *function,
              const char *tunnel,
              const GError *error,
              const char *format,
              ...)
{
  g_autoptr (GString) message = g_string_new (NULL);
  g_autofree char *name = error != NULL ? error_name (error) : NULL;
  g_autofree char *line_text = g_strdup_printf ("%d", line);
  GLogField fields[8];
  gsize n = 0;
  va_list args;

  g_return_if_fail ((guint) level < G_N_ELEMENTS (levels));

  if (tunnel != NULL)
    g_string_append_printf (message, "%s: ", tunnel);
  va_start (args, format);
  g_string_append_vprintf (message, format, args);
  va_end (args);
  if (error != NULL)
    g_string_append_printf (message, ": %s", error->message);

  fields[n++] = (GLogField){ "PRIORITY", levels[level].priority, -1 };
  fields[n++] = (GLogField){ "GLIB_DOMAIN", domain, -1 };
  fields[n++] = (GLogField){ "CODE_FILE", file, -1 };
  fields[n++] = (GLogField){ "CODE_LINE", line_text, -1 };
  fields[n++] = (GLogField){ "CODE_FUNC", function, -1 };
  fields[n++] = (GLogField){ "MESSAGE", message->str, -1 };
  if (tunnel != NULL)
    fields[n++] = (GLogField){ "T2P_TUNNEL", tunnel, -1 };
  if (name != NULL)
    fields[n++] = (GLogField){ "T2P_ERROR", name, -1 };
  g_log_structured_array (levels[level].flags, fields, n);
}
