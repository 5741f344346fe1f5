/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ctl-prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define MAX_ANSWER_BYTES 255
#define CTRL_C 3
#define CTRL_D 4
#define BACKSPACE 8
#define CTRL_U 21
#define RUBOUT 127

/* The terminal in a mode in which every key comes through as it is: so no signal can end the
 * program while the echo is off. */
typedef struct
{
  int fd;
  struct termios before;
  gboolean echoes;
  char answer[MAX_ANSWER_BYTES + 1];
  gsize length;
} Prompt;

typedef enum
{
  KEY_GOES_ON,
  KEY_ENDS,
  KEY_GIVES_UP,
} Key;

static void
write_all (int fd, const char *bytes, gsize length)
{
  while (length > 0)
    {
      const gssize n = write (fd, bytes, length);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return; /* a terminal that has gone; the read will tell */
      bytes += n;
      length -= (gsize) n;
    }
}

/* The last character, which may be several bytes of UTF-8. */
static void
rub_out (Prompt *prompt)
{
  if (prompt->length == 0)
    return;
  do
    prompt->length--;
  while (prompt->length > 0 && (prompt->answer[prompt->length] & 0xc0) == 0x80);
  if (prompt->echoes)
    write_all (prompt->fd, "\b \b", 3);
}

static Key
take_key (Prompt *prompt, char key)
{
  switch (key)
    {
    case '\r':
    case '\n':
      return KEY_ENDS;
    case CTRL_C:
      return KEY_GIVES_UP;
    case CTRL_D:
      return prompt->length > 0 ? KEY_ENDS : KEY_GIVES_UP;
    case CTRL_U:
      while (prompt->length > 0)
        rub_out (prompt);
      return KEY_GOES_ON;
    case BACKSPACE:
    case RUBOUT:
      rub_out (prompt);
      return KEY_GOES_ON;
    default:
      break;
    }
  if (prompt->length == MAX_ANSWER_BYTES)
    return KEY_GOES_ON;
  prompt->answer[prompt->length++] = key;
  if (prompt->echoes)
    write_all (prompt->fd, &key, 1);
  return KEY_GOES_ON;
}

static Key
read_keys (Prompt *prompt)
{
  for (;;)
    {
      char key = 0;
      const gssize n = read (prompt->fd, &key, 1);
      Key result = KEY_GOES_ON;

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return KEY_GIVES_UP;
      result = take_key (prompt, key);
      if (result != KEY_GOES_ON)
        return result;
    }
}

static Key
ask (Prompt *prompt, const char *text)
{
  struct termios raw = prompt->before;
  Key result = KEY_GIVES_UP;

  raw.c_lflag &= ~(tcflag_t) (ECHO | ECHONL | ICANON | ISIG);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  if (tcsetattr (prompt->fd, TCSAFLUSH, &raw) != 0)
    return KEY_GIVES_UP;
  write_all (prompt->fd, text, strlen (text));
  result = read_keys (prompt);
  write_all (prompt->fd, "\n", 1);
  (void) tcsetattr (prompt->fd, TCSAFLUSH, &prompt->before);
  return result;
}

char *
t2p_ctl_prompt (const char *text, gboolean echoes, GError **error)
{
  Prompt prompt = { .fd = open ("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), .echoes = echoes };
  char *answer = NULL;

  if (prompt.fd < 0 || tcgetattr (prompt.fd, &prompt.before) != 0)
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                 _ ("there is no terminal to ask on: give --password-file and --user instead"));
  else if (ask (&prompt, text) == KEY_GIVES_UP || prompt.length == 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("nothing was typed"));
  else
    answer = g_strndup (prompt.answer, prompt.length);
  explicit_bzero (prompt.answer, sizeof prompt.answer);
  if (prompt.fd >= 0)
    close (prompt.fd);
  return answer;
}
