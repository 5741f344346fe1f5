/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-worker-filter.h"

#include "t2p-limits.h"
#include "t2p-names.h"

/* A full page of connections is a fifth of this. */
#define MAX_REPLY_BYTES (4 * 1024 * 1024)
#define MAX_SIGNAL_BYTES 8192
#define MAX_SIGNALS_PER_SECOND 50

struct _T2pdWorkerFilter
{
  gint ref_count;
  guint dropped; /* atomic */
  gint64 second; /* GDBus's thread only, as the next */
  guint signals_in_second;
  gint64 owners_second; /* likewise */
  guint owners_in_second;
  gint sockets_wanted; /* atomic: those that wait for an answer */
};

T2pdWorkerFilter *
t2pd_worker_filter_new (void)
{
  T2pdWorkerFilter *filter = g_new0 (T2pdWorkerFilter, 1);

  filter->ref_count = 1;
  return filter;
}

T2pdWorkerFilter *
t2pd_worker_filter_ref (T2pdWorkerFilter *filter)
{
  g_atomic_int_inc (&filter->ref_count);
  return filter;
}

void
t2pd_worker_filter_unref (T2pdWorkerFilter *filter)
{
  if (g_atomic_int_dec_and_test (&filter->ref_count))
    g_free (filter);
}

guint
t2pd_worker_filter_get_dropped (T2pdWorkerFilter *filter)
{
  return g_atomic_int_get (&filter->dropped);
}

static gsize
body_size (GDBusMessage *message)
{
  GVariant *body = g_dbus_message_get_body (message);

  return body != NULL ? g_variant_get_size (body) : 0;
}

/* Signals wait in the main loop's queue, which has no bound of its own. */
static gboolean
is_within_rate (T2pdWorkerFilter *filter)
{
  gint64 second = g_get_monotonic_time () / G_USEC_PER_SEC;

  if (second != filter->second)
    {
      filter->second = second;
      filter->signals_in_second = 0;
    }
  return ++filter->signals_in_second <= MAX_SIGNALS_PER_SECOND;
}

/* One for each new flow that depends on a user. The worker's seconds begin at other times. */
static gboolean
is_wanted_owner (T2pdWorkerFilter *filter)
{
  gint64 second = g_get_monotonic_time () / G_USEC_PER_SEC;

  if (second != filter->owners_second)
    {
      filter->owners_second = second;
      filter->owners_in_second = 0;
    }
  return ++filter->owners_in_second <= 2 * T2P_MAX_OWNERS_PER_SECOND;
}

void
t2pd_worker_filter_socket_answered (T2pdWorkerFilter *filter)
{
  g_atomic_int_add (&filter->sockets_wanted, -1);
}

/* These come as often as connections are made, and wait for our answers: so it is those that
 * are counted. One of a wrong type is dropped here, since nobody would answer it. */
static gboolean
is_wanted_socket (T2pdWorkerFilter *filter, GDBusMessage *message)
{
  GVariant *body = g_dbus_message_get_body (message);

  if (body == NULL || !g_variant_is_of_type (body, G_VARIANT_TYPE ("(ts)")))
    return FALSE;
  if (g_atomic_int_add (&filter->sockets_wanted, 1) < T2P_MAX_SOCKETS_UNDER_WAY)
    return TRUE;
  g_atomic_int_add (&filter->sockets_wanted, -1);
  return FALSE;
}

static gboolean
is_wanted_signal (T2pdWorkerFilter *filter, GDBusMessage *message)
{
  if (g_strcmp0 (g_dbus_message_get_interface (message), T2P_WORKER_INTERFACE) != 0 ||
      body_size (message) > MAX_SIGNAL_BYTES)
    return FALSE;
  if (g_strcmp0 (g_dbus_message_get_member (message), "SocketWanted") == 0)
    return is_wanted_socket (filter, message);
  if (g_strcmp0 (g_dbus_message_get_member (message), "OwnerWanted") == 0)
    return is_wanted_owner (filter);
  return is_within_rate (filter);
}

static gboolean
is_wanted (T2pdWorkerFilter *filter, GDBusMessage *message)
{
  if (g_dbus_message_get_num_unix_fds (message) != 0)
    return FALSE;
  switch (g_dbus_message_get_message_type (message))
    {
    case G_DBUS_MESSAGE_TYPE_METHOD_RETURN:
    case G_DBUS_MESSAGE_TYPE_ERROR:
      return body_size (message) <= MAX_REPLY_BYTES;
    case G_DBUS_MESSAGE_TYPE_SIGNAL:
      return is_wanted_signal (filter, message);
    case G_DBUS_MESSAGE_TYPE_INVALID:
    case G_DBUS_MESSAGE_TYPE_METHOD_CALL:
      return FALSE;
    }
  return FALSE;
}

GDBusMessage *
t2pd_worker_filter_cb (GDBusConnection *connection,
                       GDBusMessage *message,
                       gboolean is_incoming,
                       gpointer user_data)
{
  T2pdWorkerFilter *filter = user_data;

  if (!is_incoming || is_wanted (filter, message))
    return message;
  g_atomic_int_inc (&filter->dropped);
  g_object_unref (message);
  return NULL;
}
