/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-tls-context.h"

#include "t2p-error.h"
#include "t2p-ip.h"
#include "t2p-quote.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* Where Debian keeps all authorities in one file: read once, and no file is needed later. */
#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

struct _T2pwTlsContext
{
  SSL_CTX *ssl;
  char *label;
  char *name; /* that the certificate must be for; NULL: any */
  gboolean is_address;
  char *seen_name;      /* quoted, of the last certificate that was for another */
  SSL_SESSION *session; /* of the last connection, so that the next one is made faster */
};

static gboolean
refuse (GError **error, const char *option, const char *file, const char *what)
{
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS, "proxies: %s: %s: %s", option,
               file, what);
  return FALSE;
}

static const char *
openssl_reason (void)
{
  const char *reason = ERR_reason_error_string (ERR_peek_last_error ());

  return reason != NULL ? reason : "it cannot be read";
}

/* (transfer full) (nullable): of the file that @option names; NULL with @error, or when there
 * is no such option */
static BIO *
open_option (const T2pEndpoint *endpoint, GHashTable *files, const char *option, GError **error)
{
  const char *file = t2p_endpoint_get_option (endpoint, option);
  GBytes *bytes;
  gsize length;
  const void *data;

  if (file == NULL)
    return NULL;
  bytes = files != NULL ? g_hash_table_lookup (files, file) : NULL;
  if (bytes == NULL)
    {
      refuse (error, option, file, "it was not handed over");
      return NULL;
    }
  data = g_bytes_get_data (bytes, &length);
  return BIO_new_mem_buf (data, (int) length);
}

/* --- whom we trust */

/* (transfer full): the first name that the certificate is for */
static char *
name_of (X509 *certificate)
{
  GENERAL_NAMES *names = X509_get_ext_d2i (certificate, NID_subject_alt_name, NULL, NULL);
  char common[256] = "";
  char *name = NULL;

  for (int i = 0; name == NULL && i < sk_GENERAL_NAME_num (names); i++)
    {
      const GENERAL_NAME *entry = sk_GENERAL_NAME_value (names, i);

      if (entry->type == GEN_DNS)
        name = g_strndup ((const char *) ASN1_STRING_get0_data (entry->d.dNSName),
                          (gsize) ASN1_STRING_length (entry->d.dNSName));
    }
  GENERAL_NAMES_free (names);
  if (name == NULL)
    X509_NAME_get_text_by_NID (X509_get_subject_name (certificate), NID_commonName, common,
                               sizeof common);
  return name != NULL ? name : g_strdup (common);
}

static gboolean
is_mismatch (long error)
{
  return error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH;
}

/* The certificate is not kept when it is refused: who it was for is noted here. */
static int
verify_cb (int is_good, X509_STORE_CTX *store)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data (store, SSL_get_ex_data_X509_STORE_CTX_idx ());
  T2pwTlsContext *context = SSL_CTX_get_app_data (SSL_get_SSL_CTX (ssl));
  g_autofree char *seen = NULL;

  if (!is_mismatch (X509_STORE_CTX_get_error (store)))
    return is_good;
  seen = name_of (X509_STORE_CTX_get0_cert (store));
  g_free (context->seen_name);
  context->seen_name = t2p_quote (seen);
  return is_good;
}

static gboolean
add_authorities (T2pwTlsContext *context, BIO *bio, const char *file, GError **error)
{
  X509_STORE *store = SSL_CTX_get_cert_store (context->ssl);
  guint n = 0;

  for (X509 *certificate; (certificate = PEM_read_bio_X509 (bio, NULL, NULL, NULL)) != NULL;
       n++)
    {
      X509_STORE_add_cert (store, certificate);
      X509_free (certificate);
    }
  ERR_clear_error ();
  return n > 0 || refuse (error, "tls-ca", file, "there is no certificate in it, expected PEM");
}

static gboolean
trust (T2pwTlsContext *context, const T2pEndpoint *endpoint, GHashTable *files, GError **error)
{
  const char *file = t2p_endpoint_get_option (endpoint, "tls-ca");
  BIO *bio;
  gboolean is_good;

  if (g_strcmp0 (t2p_endpoint_get_option (endpoint, "tls-verify"), "no") == 0)
    return TRUE;
  SSL_CTX_set_verify (context->ssl, SSL_VERIFY_PEER, verify_cb);
  if (file == NULL)
    {
      if (SSL_CTX_load_verify_file (context->ssl, SYSTEM_CA_FILE) != 1)
        SSL_CTX_set_default_verify_paths (context->ssl);
      ERR_clear_error ();
      return TRUE;
    }
  bio = open_option (endpoint, files, "tls-ca", error);
  if (bio == NULL)
    return FALSE;
  is_good = add_authorities (context, bio, file, error);
  BIO_free (bio);
  return is_good;
}

/* --- who we are */

static int
no_password_cb (char *buffer, int size, int rwflag, void *data)
{
  return -1; /* nobody could be asked */
}

static gboolean
use_chain (T2pwTlsContext *context, BIO *bio)
{
  X509 *certificate = PEM_read_bio_X509 (bio, NULL, NULL, NULL);
  gboolean is_good =
      certificate != NULL && SSL_CTX_use_certificate (context->ssl, certificate) == 1;

  X509_free (certificate);
  while (is_good && (certificate = PEM_read_bio_X509 (bio, NULL, NULL, NULL)) != NULL)
    if (SSL_CTX_add0_chain_cert (context->ssl, certificate) != 1)
      X509_free (certificate);
  return is_good;
}

static gboolean
use_key (T2pwTlsContext *context, BIO *bio)
{
  EVP_PKEY *key = PEM_read_bio_PrivateKey (bio, NULL, no_password_cb, NULL);
  gboolean is_good = key != NULL && SSL_CTX_use_PrivateKey (context->ssl, key) == 1 &&
                     SSL_CTX_check_private_key (context->ssl) == 1;

  EVP_PKEY_free (key);
  return is_good;
}

static gboolean
use_option (T2pwTlsContext *context,
            const T2pEndpoint *endpoint,
            GHashTable *files,
            const char *option,
            gboolean (*use) (T2pwTlsContext *context, BIO *bio),
            GError **error)
{
  BIO *bio = open_option (endpoint, files, option, error);
  gboolean is_good;

  if (bio == NULL)
    return FALSE;
  is_good =
      use (context, bio) ||
      refuse (error, option, t2p_endpoint_get_option (endpoint, option), openssl_reason ());
  ERR_clear_error ();
  BIO_free (bio);
  return is_good;
}

/* The key may stand in the file of the certificate. */
static gboolean
identify (T2pwTlsContext *context,
          const T2pEndpoint *endpoint,
          GHashTable *files,
          GError **error)
{
  const char *key_option =
      t2p_endpoint_get_option (endpoint, "tls-key") != NULL ? "tls-key" : "tls-cert";

  if (t2p_endpoint_get_option (endpoint, "tls-cert") == NULL)
    return TRUE;
  return use_option (context, endpoint, files, "tls-cert", use_chain, error) &&
         use_option (context, endpoint, files, key_option, use_key, error);
}

/* --- the whole */

static int
new_session_cb (SSL *ssl, SSL_SESSION *session)
{
  T2pwTlsContext *context = SSL_CTX_get_app_data (SSL_get_SSL_CTX (ssl));

  SSL_SESSION_free (context->session);
  context->session = session;
  return 1; /* the reference is ours */
}

static SSL_CTX *
make_ssl (T2pwTlsContext *context)
{
  SSL_CTX *ssl = SSL_CTX_new (TLS_client_method ());

  SSL_CTX_set_app_data (ssl, context);
  SSL_CTX_set_min_proto_version (ssl, TLS1_2_VERSION);
  /* Renegotiation would have writing wait for reading. */
  SSL_CTX_set_options (ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode (ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                             SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead (ssl, 1);
  SSL_CTX_set_session_cache_mode (ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb (ssl, new_session_cb);
  return ssl;
}

static void
set_name (T2pwTlsContext *context, const T2pEndpoint *endpoint)
{
  const char *name = t2p_endpoint_get_option (endpoint, "tls-name");
  T2pIpAddress ignored;

  context->name = g_strdup (name != NULL ? name : t2p_endpoint_get_host (endpoint));
  /* Neither SNI (RFC 6066 section 3) nor a certificate has the dot of the root. */
  if (context->name != NULL && g_str_has_suffix (context->name, "."))
    context->name[strlen (context->name) - 1] = '\0';
  context->is_address = context->name != NULL && t2p_ip_address_parse (context->name, &ignored);
}

/**
 * t2pw_tls_context_new:
 * @endpoint: the options `tls-ca`, `tls-name`, `tls-verify`, `tls-cert` and `tls-key`
 * @files: (nullable) (element-type utf8 GBytes): what is in the files that they name
 *
 * Errors: T2P_ERROR_INVALID_SETTINGS with the option and what is wrong with its file.
 */
T2pwTlsContext *
t2pw_tls_context_new (const T2pEndpoint *endpoint, GHashTable *files, GError **error)
{
  g_autoptr (T2pwTlsContext) context = g_new0 (T2pwTlsContext, 1);

  context->ssl = make_ssl (context);
  context->label = g_strdup (t2p_endpoint_get_hop_display (endpoint));
  set_name (context, endpoint);
  if (!trust (context, endpoint, files, error) || !identify (context, endpoint, files, error))
    return NULL;
  return g_steal_pointer (&context);
}

void
t2pw_tls_context_free (T2pwTlsContext *context)
{
  SSL_SESSION_free (context->session);
  SSL_CTX_free (context->ssl);
  g_free (context->label);
  g_free (context->seen_name);
  g_free (context->name);
  g_free (context);
}

/**
 * t2pw_tls_context_connect:
 *
 * Returns: (transfer full): the client's side of a new connection, without a BIO; to be freed
 * before @context
 */
SSL *
t2pw_tls_context_connect (T2pwTlsContext *context)
{
  SSL *ssl = SSL_new (context->ssl);

  if (context->name != NULL && context->is_address)
    X509_VERIFY_PARAM_set1_ip_asc (SSL_get0_param (ssl), context->name);
  else if (context->name != NULL)
    {
      SSL_set_tlsext_host_name (ssl, context->name);
      SSL_set_hostflags (ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      SSL_set1_host (ssl, context->name);
    }
  if (context->session != NULL)
    SSL_set_session (ssl, context->session);
  SSL_set_connect_state (ssl);
  return ssl;
}

/* --- what went wrong */

/**
 * t2pw_tls_context_explain:
 * @ssl: whose handshake has just failed
 *
 * Returns: (transfer full): T2P_ERROR_TLS_FAILED with what was seen and what was expected
 */
GError *
t2pw_tls_context_explain (T2pwTlsContext *context, SSL *ssl)
{
  long verified = SSL_get_verify_result (ssl);
  g_autofree char *what = NULL;

  if (SSL_get_verify_mode (ssl) == SSL_VERIFY_NONE)
    verified = X509_V_OK; /* looked at all the same, and let through */
  if (is_mismatch (verified))
    what =
        g_strdup_printf ("its certificate is for %s, expected '%s'",
                         context->seen_name != NULL ? context->seen_name : "", context->name);
  else if (verified != X509_V_OK)
    what = g_strdup_printf (
        "its certificate is not accepted: %s, expected one of a known authority",
        X509_verify_cert_error_string (verified));
  else if (ERR_peek_error () != 0)
    what = g_strdup_printf ("the TLS handshake failed: %s, expected TLS 1.2 or 1.3",
                            openssl_reason ());
  else
    what = g_strdup ("the connection was closed in the TLS handshake");
  ERR_clear_error ();
  return g_error_new (T2P_ERROR, T2P_ERROR_TLS_FAILED, "%s: %s", context->label, what);
}
