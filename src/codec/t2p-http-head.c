/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * The head of an answer is read byte by byte, so that not one byte behind it is ever taken. One
 * line is held, with those folded into it (RFC 9112 section 5.2): a field is looked at when the
 * next line begins with something else than a blank. Of the fields only those are kept that say
 * how to log in and where the body ends; any doubt about the latter (two lengths, a coding that
 * we do not know) means that the connection is not used again. The sum of all bytes is bounded,
 * the heads of interim answers (1xx) included.
 */
#include "config.h"

#include "t2p-http-head.h"

#define VERSION_TEXT "HTTP/1."

void
t2p_http_head_clear (T2pHttpHead *head)
{
  t2p_http_offer_clear (&head->offer);
  if (head->line != NULL)
    g_string_free (head->line, TRUE);
  memset (head, 0, sizeof *head);
}

/**
 * t2p_http_head_next:
 * @was_interim: this head and the next are bounded together
 *
 * Ready for the head of the next answer.
 */
void
t2p_http_head_next (T2pHttpHead *head, gboolean was_interim)
{
  gsize n_bytes = was_interim ? head->n_bytes : 0;

  t2p_http_head_clear (head);
  head->n_bytes = n_bytes;
}

static void
fail (T2pHttpHead *head, T2pHttpHeadFault fault)
{
  if (head->fault == T2P_HTTP_HEAD_OK)
    head->fault = fault;
}

/* --- the status line */

/* Strangers are told by their first bytes. */
static void
check_version (T2pHttpHead *head)
{
  gsize length = MIN (head->line->len, strlen (VERSION_TEXT));

  if (memcmp (head->line->str, VERSION_TEXT, length) != 0)
    fail (head, T2P_HTTP_HEAD_STRANGER);
}

static gboolean
read_digit (T2pCursor *cursor, guint *value)
{
  guint8 byte;

  if (!t2p_cursor_read_u8 (cursor, &byte) || !g_ascii_isdigit (byte))
    return FALSE;
  *value = *value * 10 + (guint) g_ascii_digit_value ((char) byte);
  return TRUE;
}

static void
take_reason (T2pHttpHead *head, T2pCursor *cursor)
{
  const guint8 *bytes;
  gsize length;

  t2p_http_skip_blanks (cursor);
  length = MIN (t2p_cursor_remaining (cursor), T2P_HTTP_MAX_REASON_BYTES);
  if (t2p_cursor_read_bytes (cursor, length, &bytes) && length > 0)
    memcpy (head->reason, bytes, length);
}

static void
take_status_line (T2pHttpHead *head)
{
  guint minor = 0;
  guint8 blank = ' ';
  T2pCursor cursor;

  t2p_cursor_init (&cursor, (const guint8 *) head->line->str, head->line->len);
  if (!t2p_cursor_skip (&cursor, strlen (VERSION_TEXT)) || !read_digit (&cursor, &minor) ||
      !t2p_cursor_read_u8 (&cursor, &blank) || blank != ' ' ||
      !read_digit (&cursor, &head->status) || !read_digit (&cursor, &head->status) ||
      !read_digit (&cursor, &head->status) || head->status < 100 ||
      (t2p_cursor_read_u8 (&cursor, &blank) && blank != ' '))
    {
      head->status = 0;
      fail (head, T2P_HTTP_HEAD_MALFORMED);
      return;
    }
  take_reason (head, &cursor);
  head->keeps_alive = minor >= 1;
  head->body_bytes = -1;
}

/* --- fields */

static gboolean
has_word (const T2pHttpText *value, const char *word)
{
  T2pHttpParam list = { .value = *value };

  return t2p_http_param_has_word (&list, word);
}

static void
take_connection (T2pHttpHead *head, const T2pHttpText *value)
{
  if (has_word (value, "close"))
    head->is_torn = TRUE;
  else if (has_word (value, "keep-alive"))
    head->keeps_alive = TRUE;
}

static void
take_length (T2pHttpHead *head, const T2pHttpText *value)
{
  g_autofree char *text = g_strndup (value->at, value->length);
  guint64 length = 0;

  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64, &length, NULL) ||
      (head->body_bytes >= 0 && (guint64) head->body_bytes != length))
    head->is_torn = TRUE;
  else
    head->body_bytes = (gint64) length;
}

static void
take_coding (T2pHttpHead *head, const T2pHttpText *value)
{
  if (t2p_http_text_is (value, "chunked") && !head->is_chunked)
    head->is_chunked = TRUE;
  else
    head->is_torn = TRUE;
}

static void
take_field_value (T2pHttpHead *head, const T2pHttpText *name, const T2pHttpText *value)
{
  if (t2p_http_text_is (name, "Proxy-Authenticate"))
    t2p_http_offer_add (&head->offer, value);
  else if (t2p_http_text_is (name, "Connection") || t2p_http_text_is (name, "Proxy-Connection"))
    take_connection (head, value);
  else if (t2p_http_text_is (name, "Content-Length"))
    take_length (head, value);
  else if (t2p_http_text_is (name, "Transfer-Encoding"))
    take_coding (head, value);
}

/* A line that is no field is passed over: it changes nothing for us. */
static void
take_field (T2pHttpHead *head)
{
  T2pHttpText name;
  T2pHttpText value;
  T2pCursor cursor;
  guint8 colon;

  t2p_cursor_init (&cursor, (const guint8 *) head->line->str, head->line->len);
  if (!t2p_http_read_token (&cursor, &name) || !t2p_cursor_read_u8 (&cursor, &colon) ||
      colon != ':')
    return;
  t2p_http_skip_blanks (&cursor);
  value = (T2pHttpText){ (const char *) cursor.at, t2p_cursor_remaining (&cursor) };
  while (value.length > 0 && g_ascii_isspace (value.at[value.length - 1]))
    value.length--;
  take_field_value (head, &name, &value);
}

/* --- lines */

static T2pDecode
finish (T2pHttpHead *head)
{
  if (head->is_torn || (!head->is_chunked && head->body_bytes < 0) ||
      (head->is_chunked && head->body_bytes >= 0))
    head->keeps_alive = FALSE;
  return T2P_DECODE_DONE;
}

/* @head has a line that a LF ended. */
static T2pDecode
take_line (T2pHttpHead *head)
{
  GString *line = head->line;

  if (line->len > 0 && line->str[line->len - 1] == '\r')
    g_string_truncate (line, line->len - 1);
  if (memchr (line->str, '\r', line->len) != NULL)
    fail (head, T2P_HTTP_HEAD_MALFORMED);
  else if (head->status == 0)
    {
      take_status_line (head);
      g_string_truncate (line, 0);
    }
  else if (line->len == 0)
    return finish (head);
  else
    head->is_pending = TRUE;
  return head->fault == T2P_HTTP_HEAD_OK ? T2P_DECODE_MORE : T2P_DECODE_BAD;
}

/* The line that waited is whole, or @byte continues it. */
static gboolean
continue_line (T2pHttpHead *head, guint8 byte)
{
  head->is_pending = FALSE;
  if (byte == ' ' || byte == '\t')
    {
      g_string_append_c (head->line, ' ');
      return TRUE;
    }
  take_field (head);
  g_string_truncate (head->line, 0);
  return FALSE;
}

static T2pDecode
take_byte (T2pHttpHead *head, guint8 byte)
{
  if (head->line == NULL)
    {
      head->line = g_string_new (NULL);
      head->seen = byte;
    }
  if (++head->n_bytes > T2P_HTTP_MAX_HEAD_BYTES)
    fail (head, T2P_HTTP_HEAD_TOO_LONG);
  if (head->is_pending && continue_line (head, byte))
    return head->fault == T2P_HTTP_HEAD_OK ? T2P_DECODE_MORE : T2P_DECODE_BAD;
  if (byte == '\n' && head->fault == T2P_HTTP_HEAD_OK)
    return take_line (head);
  g_string_append_c (head->line, (char) byte);
  if (head->status == 0)
    check_version (head);
  if (byte == '\0')
    fail (head, T2P_HTTP_HEAD_MALFORMED);
  return head->fault == T2P_HTTP_HEAD_OK ? T2P_DECODE_MORE : T2P_DECODE_BAD;
}

/**
 * t2p_http_head_feed:
 * @bytes: (array length=length): what the proxy sent
 * @out_used: (out): how much of it belonged to the head
 *
 * Returns: %T2P_DECODE_BAD when it is no answer, see @head's fault
 */
T2pDecode
t2p_http_head_feed (T2pHttpHead *head, const guint8 *bytes, gsize length, gsize *out_used)
{
  T2pDecode result = T2P_DECODE_MORE;
  T2pCursor cursor;
  guint8 byte;

  t2p_cursor_init (&cursor, bytes, length);
  while (result == T2P_DECODE_MORE && t2p_cursor_read_u8 (&cursor, &byte))
    result = take_byte (head, byte);
  *out_used = t2p_cursor_position (&cursor);
  return result;
}
