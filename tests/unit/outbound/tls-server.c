/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-server.h"

#include <glib-unix.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct
{
  X509 *certificate;
  EVP_PKEY *key;
} Identity;

struct _TlsServer
{
  TlsScript script;
  SSL_CTX *ssl;
  Identity authority;
  GBytes *authority_pem;
  GBytes *client_pem;
  int listener;
  int wakeup[2];
  guint16 port;
  gint n_resumed;
  gsize n_heard;
  gint has_heard_the_end;
  gsize n_sent; /* of the thread; read when it waits or has ended */
  GThread *thread;
};

/* --- certificates */

static void
add_extension (X509 *certificate, X509 *issuer, int nid, const char *value)
{
  X509V3_CTX context;
  X509_EXTENSION *extension;

  X509V3_set_ctx (&context, issuer, certificate, NULL, NULL, 0);
  extension = X509V3_EXT_conf_nid (NULL, &context, nid, value);
  X509_add_ext (certificate, extension, -1);
  X509_EXTENSION_free (extension);
}

/* Signed by @issuer, or by itself. @alternative: "DNS:…", "IP:…" or NULL */
static Identity
make_identity (const Identity *issuer, const char *name, const char *alternative, long ends_s)
{
  static long serial;
  Identity made = { X509_new (), EVP_EC_gen ("P-256") };
  const Identity *signer = issuer != NULL ? issuer : &made;
  X509_NAME *subject = X509_get_subject_name (made.certificate);

  X509_set_version (made.certificate, X509_VERSION_3);
  ASN1_INTEGER_set (X509_get_serialNumber (made.certificate), ++serial);
  X509_gmtime_adj (X509_getm_notBefore (made.certificate), -86400);
  X509_gmtime_adj (X509_getm_notAfter (made.certificate), ends_s);
  X509_NAME_add_entry_by_txt (subject, "CN", MBSTRING_ASC, (const guint8 *) name, -1, -1, 0);
  X509_set_issuer_name (made.certificate, X509_get_subject_name (signer->certificate));
  X509_set_pubkey (made.certificate, made.key);
  if (issuer == NULL)
    add_extension (made.certificate, made.certificate, NID_basic_constraints,
                   "critical,CA:TRUE");
  if (alternative != NULL)
    add_extension (made.certificate, signer->certificate, NID_subject_alt_name, alternative);
  g_assert_cmpint (X509_sign (made.certificate, signer->key, EVP_sha256 ()), >, 0);
  return made;
}

static void
identity_clear (Identity *identity)
{
  X509_free (identity->certificate);
  EVP_PKEY_free (identity->key);
}

static GBytes *
identity_to_pem (const Identity *identity, gboolean with_key)
{
  BIO *bio = BIO_new (BIO_s_mem ());
  char *text;
  long length;
  GBytes *bytes;

  PEM_write_bio_X509 (bio, identity->certificate);
  if (with_key)
    PEM_write_bio_PrivateKey (bio, identity->key, NULL, NULL, 0, NULL, NULL);
  length = BIO_get_mem_data (bio, &text);
  bytes = g_bytes_new (text, (gsize) length);
  BIO_free (bio);
  return bytes;
}

/* --- one client */

static gboolean
wait_readable (TlsServer *server, int fd)
{
  struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
                          { .fd = server->wakeup[0], .events = POLLIN } };

  return poll (fds, 2, -1) > 0 && fds[1].revents == 0;
}

/* FALSE when the script says to stall here, or the client has gone. */
static gboolean
flush_out (TlsServer *server, SSL *ssl, int fd)
{
  char *bytes;
  long length = BIO_get_mem_data (SSL_get_wbio (ssl), &bytes);
  gsize most = (gsize) length;
  gboolean stalls =
      server->script.stall_at > 0 && server->n_sent + most >= server->script.stall_at;

  if (stalls)
    most = server->script.stall_at - server->n_sent;
  for (gsize at = 0; at < most;)
    {
      gsize piece =
          server->script.piece > 0 ? MIN (server->script.piece, most - at) : most - at;
      struct pollfd room = { .fd = fd, .events = POLLOUT };
      gssize sent = poll (&room, 1, -1) > 0 ? send (fd, bytes + at, piece, MSG_NOSIGNAL) : -1;

      if (sent <= 0)
        return FALSE;
      at += (gsize) sent;
    }
  server->n_sent += most;
  BIO_reset (SSL_get_wbio (ssl));
  return !stalls;
}

/* Until the client goes away. */
static void
hold (TlsServer *server, int fd)
{
  char bytes[4096];

  while (wait_readable (server, fd) && recv (fd, bytes, sizeof bytes, 0) > 0)
    ;
}

/* FALSE: it is over. */
static gboolean
wait_for_more (TlsServer *server, SSL *ssl, int fd, int result)
{
  return SSL_get_error (ssl, result) == SSL_ERROR_WANT_READ && wait_readable (server, fd);
}

static gboolean
shake (TlsServer *server, SSL *ssl, int fd)
{
  for (;;)
    {
      int result = SSL_accept (ssl);

      if (!flush_out (server, ssl, fd))
        {
          hold (server, fd);
          return FALSE;
        }
      if (result == 1)
        return TRUE;
      if (!wait_for_more (server, ssl, fd, result))
        return FALSE;
    }
}

static void
echo (TlsServer *server, SSL *ssl, int fd)
{
  char bytes[16384];

  for (;;)
    {
      int got = SSL_read (ssl, bytes, sizeof bytes);

      if (got <= 0 && !wait_for_more (server, ssl, fd, got))
        return;
      if (got > 0 && (SSL_write (ssl, bytes, got) != got || !flush_out (server, ssl, fd)))
        return;
    }
}

static void
hear (TlsServer *server, SSL *ssl, int fd)
{
  struct pollfd end = { .fd = server->wakeup[0], .events = POLLIN };
  char bytes[16384];
  int got = 1;

  if (poll (&end, 1, (int) server->script.hears_after_ms) != 0)
    return;
  while (got > 0 || wait_for_more (server, ssl, fd, got))
    {
      got = SSL_read (ssl, bytes, sizeof bytes);
      g_atomic_pointer_add (&server->n_heard, MAX (got, 0));
    }
  g_atomic_int_set (&server->has_heard_the_end,
                    SSL_get_error (ssl, got) == SSL_ERROR_ZERO_RETURN);
}

static void
talk (TlsServer *server, SSL *ssl, int fd)
{
  const char *says = server->script.says;

  if (SSL_session_reused (ssl))
    g_atomic_int_inc (&server->n_resumed);
  if (says != NULL)
    SSL_write (ssl, says, (int) strlen (says));
  flush_out (server, ssl, fd);
  if (server->script.echoes)
    echo (server, ssl, fd);
  if (!server->script.cuts)
    SSL_shutdown (ssl);
  flush_out (server, ssl, fd);
  shutdown (fd, SHUT_WR);
  if (server->script.hears_after_ms > 0)
    hear (server, ssl, fd);
  hold (server, fd);
}

static void
serve (TlsServer *server, int fd)
{
  SSL *ssl = SSL_new (server->ssl);

  SSL_set_bio (ssl, BIO_new_socket (fd, BIO_NOCLOSE), BIO_new (BIO_s_mem ()));
  g_assert_true (g_unix_set_fd_nonblocking (fd, TRUE, NULL));
  if (shake (server, ssl, fd))
    talk (server, ssl, fd);
  SSL_free (ssl);
  ERR_clear_error ();
}

static gpointer
serve_thread (gpointer data)
{
  TlsServer *server = data;

  while (wait_readable (server, server->listener))
    {
      int fd = accept (server->listener, NULL, NULL);

      serve (server, fd);
      close (fd);
    }
  return NULL;
}

/* --- the server */

static void
set_up_ssl (TlsServer *server)
{
  const TlsScript *script = &server->script;
  gboolean is_address = g_hostname_is_ip_address (script->name);
  g_autofree char *alternative =
      g_strdup_printf ("%s:%s", is_address ? "IP" : "DNS", script->name);
  Identity identity = make_identity (&server->authority, script->name, alternative,
                                     script->is_expired ? -60 : 86400);

  server->ssl = SSL_CTX_new (TLS_server_method ());
  SSL_CTX_use_certificate (server->ssl, identity.certificate);
  SSL_CTX_use_PrivateKey (server->ssl, identity.key);
  SSL_CTX_set_session_id_context (server->ssl, (const guint8 *) "t", 1);
  if (script->max_version > 0)
    {
      SSL_CTX_set_security_level (server->ssl, 0);
      SSL_CTX_set_min_proto_version (server->ssl, 0);
      SSL_CTX_set_max_proto_version (server->ssl, script->max_version);
    }
  if (script->wants_client)
    {
      X509_STORE_add_cert (SSL_CTX_get_cert_store (server->ssl), server->authority.certificate);
      SSL_CTX_set_verify (server->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
  identity_clear (&identity);
}

static void
set_up_socket (TlsServer *server)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof address;

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  server->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (server->listener, (struct sockaddr *) &address, length), ==, 0);
  g_assert_cmpint (listen (server->listener, 16), ==, 0);
  g_assert_cmpint (getsockname (server->listener, (struct sockaddr *) &address, &length), ==,
                   0);
  server->port = ntohs (address.sin_port);
  g_assert_cmpint (pipe (server->wakeup), ==, 0);
}

TlsServer *
tls_server_new (const TlsScript *script)
{
  TlsServer *server = g_new0 (TlsServer, 1);
  Identity client;

  server->script = *script;
  server->authority = make_identity (NULL, "Test Authority", NULL, 86400);
  client = make_identity (&server->authority, "client", NULL, 86400);
  server->authority_pem = identity_to_pem (&server->authority, FALSE);
  server->client_pem = identity_to_pem (&client, TRUE);
  identity_clear (&client);
  set_up_ssl (server);
  set_up_socket (server);
  server->thread = g_thread_new ("tls-server", serve_thread, server);
  return server;
}

void
tls_server_free (TlsServer *server)
{
  close (server->wakeup[1]);
  g_thread_join (server->thread);
  close (server->wakeup[0]);
  close (server->listener);
  SSL_CTX_free (server->ssl);
  identity_clear (&server->authority);
  g_bytes_unref (server->authority_pem);
  g_bytes_unref (server->client_pem);
  g_free (server);
}

guint16
tls_server_get_port (TlsServer *server)
{
  return server->port;
}

GBytes *
tls_server_get_authority (TlsServer *server)
{
  return server->authority_pem;
}

GBytes *
tls_server_get_client (TlsServer *server)
{
  return server->client_pem;
}

guint
tls_server_get_n_resumed (TlsServer *server)
{
  return (guint) g_atomic_int_get (&server->n_resumed);
}

gsize
tls_server_get_n_sent (TlsServer *server)
{
  return server->n_sent;
}

gsize
tls_server_get_n_heard (TlsServer *server, gboolean *out_has_ended)
{
  *out_has_ended = g_atomic_int_get (&server->has_heard_the_end);
  return (gsize) g_atomic_pointer_get (&server->n_heard);
}
