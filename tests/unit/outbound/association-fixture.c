/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "association-fixture.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define MOST_BYTES 70000

static void
opened_cb (T2pwAssociation *association, gpointer data)
{
  AssociationFixture *f = data;

  f->association = association;
  f->is_opened = f->is_over = TRUE;
}

static void
failed_cb (T2pwAssociation *association, T2pRefusal refusal, const GError *error, gpointer data)
{
  AssociationFixture *f = data;

  f->association = NULL;
  f->is_over = TRUE;
  f->n_failed++;
  f->refusal = refusal;
  g_clear_error (&f->error);
  f->error = g_error_copy (error);
}

static void
received_cb (T2pwAssociation *association,
             const T2pwDestination *from,
             const guint8 *data,
             gsize length,
             gpointer user_data)
{
  AssociationFixture *f = user_data;
  T2pIpEndpoint endpoint = { from->address, from->port };
  char address[T2P_ENDPOINT_STRLEN];

  t2p_ip_endpoint_format (&endpoint, address);
  g_ptr_array_add (f->received, from->name != NULL
                                    ? g_strdup_printf ("%s:%u %.*s", from->name, from->port,
                                                       (int) length, (const char *) data)
                                    : g_strdup_printf ("%s %.*s", address, (int) length,
                                                       (const char *) data));
}

static void
too_big_cb (T2pwAssociation *association,
            const T2pwDestination *to,
            gsize most_bytes,
            gpointer user_data)
{
  ((AssociationFixture *) user_data)->too_big_bytes = most_bytes;
}

static const T2pwAssociationHandler handler = { opened_cb, failed_cb, received_cb, too_big_cb };

static void
learnt_cb (const char *label, T2pwUdpMode mode, const GError *error, gpointer user_data)
{
  AssociationFixture *f = user_data;

  f->told = mode;
  f->n_told++;
}

int
association_fixture_new_peer (guint16 *out_port)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct timeval patience = { .tv_sec = 5 };
  socklen_t length = sizeof address;
  int fd = socket (AF_INET, SOCK_DGRAM, 0);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, length), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &address, &length), ==, 0);
  g_assert_cmpint (setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), ==, 0);
  *out_port = ntohs (address.sin_port);
  return fd;
}

void
association_fixture_set_up (AssociationFixture *f, gconstpointer data)
{
  f->reactor = t2p_reactor_new (NULL, NULL);
  f->context = (T2pwOutboundContext){ .reactor = f->reactor,
                                      .policy = &f->policy,
                                      .udp = t2pw_udp_io_new (f->reactor, &f->policy),
                                      .udp_mode_learnt = learnt_cb,
                                      .user_data = f,
                                      .connect_timeout_ms = 5000 };
  f->received = g_ptr_array_new_with_free_func (g_free);
  f->peer = association_fixture_new_peer (&f->peer_port);
}

void
association_fixture_tear_down (AssociationFixture *f, gconstpointer data)
{
  if (f->association != NULL)
    t2pw_association_close (f->association);
  g_clear_pointer (&f->outbound, t2pw_outbound_free);
  g_clear_pointer (&f->context.names, t2pw_names_free);
  g_clear_error (&f->error);
  g_ptr_array_unref (f->received);
  t2pw_udp_io_free (f->context.udp);
  t2p_reactor_free (f->reactor);
  close (f->peer);
}

void
association_fixture_make (AssociationFixture *f, const char *format, guint16 port)
{
  g_auto (GStrv) parts = g_strsplit (format, "%u", 2);
  g_autofree char *uri = parts[1] != NULL ? g_strdup_printf ("%s%u%s", parts[0], port, parts[1])
                                          : g_strdup (format);
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uri, &error);

  g_assert_no_error (error);
  f->outbound = t2pw_outbound_new_for_endpoint (&f->context, endpoint, NULL, 0, &error);
  g_assert_no_error (error);
}

gboolean
association_fixture_begin (AssociationFixture *f)
{
  f->is_over = f->is_opened = FALSE;
  f->association = t2pw_outbound_associate (f->outbound, &handler, f);
  g_assert_false (f->is_over);
  return f->association != NULL;
}

gboolean
association_fixture_open (AssociationFixture *f)
{
  if (!association_fixture_begin (f))
    return FALSE;
  while (!f->is_over)
    g_main_context_iteration (NULL, TRUE);
  return TRUE;
}

gboolean
association_fixture_send (AssociationFixture *f, const char *to, const char *text)
{
  T2pwDestination destination = { 0 };
  T2pHostPort host_port;
  gboolean was_sent;

  g_assert_true (t2p_host_port_parse (to, &host_port));
  destination.name = *host_port.name != '\0' ? host_port.name : NULL;
  destination.address = host_port.address;
  destination.port = host_port.port;
  was_sent = t2pw_association_send (f->association, &destination, (const guint8 *) text,
                                    strlen (text), 0);
  while (g_main_context_iteration (NULL, FALSE))
    ; /* the end of the turn */
  return was_sent;
}

void
association_fixture_expect (AssociationFixture *f, guint n)
{
  while (f->received->len < n)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (f->received->len, ==, n);
}

GBytes *
association_fixture_peer_receive (AssociationFixture *f, T2pIpEndpoint *out_from)
{
  g_autofree guint8 *bytes = g_malloc (MOST_BYTES);
  struct sockaddr_storage from;
  socklen_t length = sizeof from;
  gssize got = recvfrom (f->peer, bytes, MOST_BYTES, 0, (struct sockaddr *) &from, &length);

  g_assert_cmpint (got, >=, 0);
  g_assert_true (t2p_ip_endpoint_from_sockaddr ((struct sockaddr *) &from, length, out_from));
  return g_bytes_new (bytes, (gsize) got);
}

void
association_fixture_peer_send (
    AssociationFixture *f, int fd, const T2pIpEndpoint *to, gconstpointer data, gsize length)
{
  struct sockaddr_storage name;
  socklen_t name_bytes = t2p_ip_endpoint_to_sockaddr (to, &name);

  g_assert_cmpint (sendto (fd, data, length, 0, (struct sockaddr *) &name, name_bytes), ==,
                   (gssize) length);
}
