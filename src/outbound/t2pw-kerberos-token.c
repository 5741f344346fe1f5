/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-kerberos-token.h"

#include "t2p-error.h"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <string.h>

/* What several domains' worth of group memberships need; proxies take no longer header. */
#define MAX_TOKEN_BYTES (32 * 1024)

static gss_OID_desc spnego = { 6, (char *) "\x2b\x06\x01\x05\x05\x02" };

static GError *
gss_error_new (const char *service, OM_uint32 minor)
{
  gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
  OM_uint32 ignored, more = 0;
  GError *error;

  gss_display_status (&ignored, minor, GSS_C_MECH_CODE, GSS_C_NO_OID, &more, &text);
  error = g_error_new (T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                       "no Kerberos token for %s: %.*s", service, (int) text.length,
                       (const char *) text.value);
  gss_release_buffer (&ignored, &text);
  return error;
}

static OM_uint32
acquire (const char *cache, gss_cred_id_t *out_credential, OM_uint32 *out_minor)
{
  gss_key_value_element_desc element = { "ccache", cache };
  gss_key_value_set_desc store = { 1, &element };
  gss_OID_set_desc mechanisms = { 1, &spnego };

  return gss_acquire_cred_from (out_minor, GSS_C_NO_NAME, 0, &mechanisms, GSS_C_INITIATE,
                                &store, out_credential, NULL, NULL);
}

/* The token of a first message, of a context that nobody needs after it. */
static OM_uint32
init_context (const char *service,
              gss_cred_id_t credential,
              gss_buffer_t token,
              OM_uint32 *out_minor)
{
  gss_buffer_desc text = { strlen (service), (char *) service };
  gss_ctx_id_t context = GSS_C_NO_CONTEXT;
  gss_name_t name = GSS_C_NO_NAME;
  OM_uint32 ignored;
  OM_uint32 major =
      gss_import_name (out_minor, &text, (gss_OID) GSS_KRB5_NT_PRINCIPAL_NAME, &name);

  if (!GSS_ERROR (major))
    major = gss_init_sec_context (out_minor, credential, &context, name, &spnego, 0, 0,
                                  GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER, NULL, token, NULL,
                                  NULL);
  gss_delete_sec_context (&ignored, &context, GSS_C_NO_BUFFER);
  gss_release_name (&ignored, &name);
  return major;
}

/**
 * t2pw_kerberos_token_new:
 * @cache: "TYPE:NAME" of a credential cache that has a ticket for @service
 * @service: "HTTP/proxy.example@REALM"
 *
 * Returns: (transfer full) (nullable): what stands behind "Negotiate" (RFC 4559 section 4), for
 * one request. Asks nobody. Errors: T2P_ERROR_PROXY_AUTHENTICATION_FAILED.
 */
char *
t2pw_kerberos_token_new (const char *cache, const char *service, GError **error)
{
  gss_cred_id_t credential = GSS_C_NO_CREDENTIAL;
  gss_buffer_desc token = GSS_C_EMPTY_BUFFER;
  OM_uint32 minor = 0, ignored;
  OM_uint32 major = acquire (cache, &credential, &minor);
  char *text = NULL;

  if (!GSS_ERROR (major))
    major = init_context (service, credential, &token, &minor);
  if (GSS_ERROR (major))
    g_propagate_error (error, gss_error_new (service, minor));
  else if (token.length > MAX_TOKEN_BYTES)
    g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                 "the Kerberos token has %zu bytes, expected at most %d", token.length,
                 MAX_TOKEN_BYTES);
  else
    text = g_base64_encode (token.value, token.length);
  gss_release_buffer (&ignored, &token);
  gss_release_cred (&ignored, &credential);
  return text;
}
