/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 *   EMPTY ──▶ ASKING FOR THE TGT ──▶ ASKING FOR THE SERVICE ──▶ READY ──▶ EMPTY (expired)
 *
 * libkrb5's step functions make the requests and read the answers, this file carries them (RFC
 * 4120); the library itself opens no socket, reads no configuration and asks no name server.
 * The tickets end up in a cache in memory, from which GSSAPI makes a token for each connection
 * (RFC 4559) without asking anybody: so they must not have expired, or it would ask the centre
 * itself and wait for the answer. Whoever needs tickets while there are none waits in a list;
 * who connects already when they are about to expire still gets a token from the old ones. A
 * login that the centre refused is not tried again for a while: that could lock the account. */
#include "config.h"

#include "t2pw-kerberos.h"

#include "t2p-error.h"
#include "t2p-quote.h"
#include "t2pw-direct.h"
#include "t2pw-kdc-exchange.h"
#include "t2pw-kerberos-token.h"

#include <krb5/krb5.h>
#include <profile.h>
#include <string.h>

#define KDC_PORT 88
#define REFUSED_FOR_MS 30000
/* Another ticket is asked for this long before the one that there is expires. */
#define EARLY_S 60
#define MAX_STEPS 16 /* of one ticket: pre-authentication, referrals */

typedef enum
{
  KERBEROS_EMPTY,
  KERBEROS_ASKING_TGT,
  KERBEROS_ASKING_SERVICE,
  KERBEROS_READY,
} KerberosState;

struct _T2pwKerberosWait
{
  T2pwKerberos *kerberos;
  T2pwKerberosDone done;
  gpointer user_data;
};

struct _T2pwKerberos
{
  T2pwOutboundContext context;
  T2pEndpoint *endpoint;
  T2pwOutbound *direct; /* the way to the centre */
  char *kdc_name;
  T2pwDestination kdc;
  KerberosState state;
  krb5_context krb5;
  krb5_principal client;
  krb5_principal service;
  char *service_name;
  krb5_ccache cache; /* that is being filled */
  krb5_init_creds_context initial;
  krb5_tkt_creds_context ticket;
  krb5_ccache tickets; /* (nullable): that tokens are made from */
  guint32 expire_s;    /* when they do, by the clock of the centre */
  guint n_steps;
  T2pwKdcExchange *exchange;
  GPtrArray *waiting; /* T2pwKerberosWait */
  T2pTask task;       /* begins, or tells those that wait */
  T2pTimer timer;     /* until a refused login may be tried again */
  GError *error;
};

/**
 * t2pw_kerberos_is_wanted:
 *
 * Whether @endpoint names what is needed: a KDC and a user name with its realm.
 */
gboolean
t2pw_kerberos_is_wanted (const T2pEndpoint *endpoint)
{
  return t2p_endpoint_get_option (endpoint, "kdc") != NULL;
}

/* --- tickets */

static void
stop_asking (T2pwKerberos *kerberos)
{
  if (kerberos->initial != NULL)
    krb5_init_creds_free (kerberos->krb5, g_steal_pointer (&kerberos->initial));
  if (kerberos->ticket != NULL)
    krb5_tkt_creds_free (kerberos->krb5, g_steal_pointer (&kerberos->ticket));
  if (kerberos->cache != NULL)
    krb5_cc_destroy (kerberos->krb5, g_steal_pointer (&kerberos->cache));
  g_clear_pointer (&kerberos->exchange, t2pw_kdc_exchange_cancel);
  kerberos->state = KERBEROS_EMPTY;
}

static void
drop_tickets (T2pwKerberos *kerberos)
{
  if (kerberos->tickets != NULL)
    krb5_cc_destroy (kerberos->krb5, g_steal_pointer (&kerberos->tickets));
}

/* Of the tickets, in seconds; 0 or less when there are none that are good. */
static gint64
time_left (const T2pwKerberos *kerberos)
{
  krb5_timestamp now = 0;

  if (kerberos->tickets == NULL || krb5_timeofday (kerberos->krb5, &now) != 0)
    return 0;
  return (gint64) kerberos->expire_s - (guint32) now;
}

static GError *
krb5_error_new (T2pwKerberos *kerberos, krb5_error_code code)
{
  const char *message = krb5_get_error_message (kerberos->krb5, code);
  g_autofree char *seen = t2p_quote (message); /* may be the centre's own words */
  GError *error = g_error_new (T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                               "no Kerberos ticket for %s: %s", kerberos->service_name, seen);

  krb5_free_error_message (kerberos->krb5, message);
  return error;
}

static void
may_try_again_cb (T2pTimer *timer)
{
  T2pwKerberos *kerberos = T2P_OWNER_OF (timer, T2pwKerberos, timer);

  g_clear_error (&kerberos->error);
}

static void tell_cb (T2pTask *task);

/* @error: (transfer full) */
static void
kerberos_fail (T2pwKerberos *kerberos, GError *error)
{
  stop_asking (kerberos);
  g_clear_error (&kerberos->error);
  kerberos->error = error;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED))
    t2p_reactor_arm (kerberos->context.reactor, &kerberos->timer, REFUSED_FOR_MS,
                     may_try_again_cb);
  t2p_reactor_defer (kerberos->context.reactor, &kerberos->task, tell_cb);
}

/* A centre may give a service shorter tickets than a user. */
static void
take_tickets (T2pwKerberos *kerberos)
{
  krb5_ticket_times times = { 0 };
  krb5_error_code code = krb5_tkt_creds_get_times (kerberos->krb5, kerberos->ticket, &times);

  if (code != 0)
    {
      kerberos_fail (kerberos, krb5_error_new (kerberos, code));
      return;
    }
  drop_tickets (kerberos);
  kerberos->tickets = g_steal_pointer (&kerberos->cache);
  kerberos->expire_s = (guint32) times.endtime;
  stop_asking (kerberos);
  kerberos->state = KERBEROS_READY;
  g_clear_error (&kerberos->error);
  t2p_reactor_defer (kerberos->context.reactor, &kerberos->task, tell_cb);
}

static void kerberos_step (T2pwKerberos *kerberos, const guint8 *reply, gsize length);

static void
exchanged_cb (const guint8 *reply, gsize length, const GError *error, gpointer user_data)
{
  T2pwKerberos *kerberos = user_data;

  kerberos->exchange = NULL;
  if (reply != NULL)
    kerberos_step (kerberos, reply, length);
  else
    kerberos_fail (kerberos, g_error_copy (error));
}

static krb5_error_code
begin_service (T2pwKerberos *kerberos)
{
  krb5_creds got = { 0 };
  krb5_creds wanted = { .client = kerberos->client, .server = kerberos->service };
  krb5_error_code code = krb5_init_creds_get_creds (kerberos->krb5, kerberos->initial, &got);

  if (code == 0)
    code = krb5_cc_store_cred (kerberos->krb5, kerberos->cache, &got);
  krb5_free_cred_contents (kerberos->krb5, &got);
  if (code == 0)
    code = krb5_tkt_creds_init (kerberos->krb5, kerberos->cache, &wanted, 0, &kerberos->ticket);
  kerberos->state = KERBEROS_ASKING_SERVICE;
  kerberos->n_steps = 0;
  return code;
}

/* One step of what is asked for at the moment; *out_flags: whether @out is to be sent. */
static krb5_error_code
run_step (T2pwKerberos *kerberos, krb5_data *in, krb5_data *out, unsigned int *out_flags)
{
  krb5_data realm = { 0 };
  krb5_error_code code;

  if (kerberos->state == KERBEROS_ASKING_TGT)
    code = krb5_init_creds_step (kerberos->krb5, kerberos->initial, in, out, &realm, out_flags);
  else
    code = krb5_tkt_creds_step (kerberos->krb5, kerberos->ticket, in, out, &realm, out_flags);
  krb5_free_data_contents (kerberos->krb5, &realm);
  return code;
}

G_STATIC_ASSERT (KRB5_INIT_CREDS_STEP_FLAG_CONTINUE == KRB5_TKT_CREDS_STEP_FLAG_CONTINUE);

static void
kerberos_step (T2pwKerberos *kerberos, const guint8 *reply, gsize length)
{
  krb5_data in = { .length = (unsigned int) length, .data = (char *) reply };
  krb5_data out = { 0 };
  unsigned int flags = 0;
  krb5_error_code code = run_step (kerberos, &in, &out, &flags);

  if (code == 0 && (flags & KRB5_INIT_CREDS_STEP_FLAG_CONTINUE) != 0 &&
      ++kerberos->n_steps > MAX_STEPS)
    code = KRB5_GET_IN_TKT_LOOP;
  if (code != 0)
    kerberos_fail (kerberos, krb5_error_new (kerberos, code));
  else if ((flags & KRB5_INIT_CREDS_STEP_FLAG_CONTINUE) != 0)
    kerberos->exchange =
        t2pw_kdc_exchange_start (&kerberos->context, kerberos->direct, &kerberos->kdc,
                                 (const guint8 *) out.data, out.length, exchanged_cb, kerberos);
  else if (kerberos->state == KERBEROS_ASKING_SERVICE)
    take_tickets (kerberos);
  else if ((code = begin_service (kerberos)) == 0)
    kerberos_step (kerberos, NULL, 0);
  else
    kerberos_fail (kerberos, krb5_error_new (kerberos, code));
  krb5_free_data_contents (kerberos->krb5, &out);
}

static krb5_error_code
begin_initial (T2pwKerberos *kerberos)
{
  T2pSecret *password = t2p_endpoint_get_password (kerberos->endpoint);
  krb5_error_code code = krb5_cc_new_unique (kerberos->krb5, "MEMORY", NULL, &kerberos->cache);

  if (code == 0)
    code = krb5_cc_initialize (kerberos->krb5, kerberos->cache, kerberos->client);
  if (code == 0)
    code = krb5_init_creds_init (kerberos->krb5, kerberos->client, NULL, NULL, 0, NULL,
                                 &kerberos->initial);
  if (code == 0)
    code = krb5_init_creds_set_password (kerberos->krb5, kerberos->initial,
                                         t2p_secret_peek (password, NULL));
  return code;
}

static void
kerberos_begin (T2pwKerberos *kerberos)
{
  krb5_error_code code;

  stop_asking (kerberos);
  kerberos->state = KERBEROS_ASKING_TGT;
  kerberos->n_steps = 0;
  code = begin_initial (kerberos);
  if (code == 0)
    kerberos_step (kerberos, NULL, 0);
  else
    kerberos_fail (kerberos, krb5_error_new (kerberos, code));
}

/* --- those who wait */

static void
tell_cb (T2pTask *task)
{
  T2pwKerberos *kerberos = T2P_OWNER_OF (task, T2pwKerberos, task);
  guint n = kerberos->waiting->len; /* who comes while they are told waits for the next turn */

  if (kerberos->state == KERBEROS_EMPTY && kerberos->error == NULL)
    {
      kerberos_begin (kerberos);
      return;
    }
  for (; n > 0 && kerberos->waiting->len > 0; n--)
    {
      g_autofree T2pwKerberosWait *wait = g_ptr_array_steal_index (kerberos->waiting, 0);

      wait->done (kerberos->error, wait->user_data);
    }
  /* What was no refusal may be over the next time. */
  if (kerberos->timer.deadline_us == 0)
    g_clear_error (&kerberos->error);
}

/**
 * t2pw_kerberos_is_ready:
 *
 * Whether t2pw_kerberos_make_token() has a ticket to make one from, and will have it for some
 * time.
 */
gboolean
t2pw_kerberos_is_ready (const T2pwKerberos *kerberos)
{
  return kerberos->state == KERBEROS_READY && time_left (kerberos) > EARLY_S;
}

/**
 * t2pw_kerberos_wait:
 *
 * Gets a ticket where there is none.
 */
T2pwKerberosWait *
t2pw_kerberos_wait (T2pwKerberos *kerberos, T2pwKerberosDone done, gpointer user_data)
{
  T2pwKerberosWait *wait = g_new0 (T2pwKerberosWait, 1);

  wait->kerberos = kerberos;
  wait->done = done;
  wait->user_data = user_data;
  g_ptr_array_add (kerberos->waiting, wait);
  if (kerberos->state == KERBEROS_READY && !t2pw_kerberos_is_ready (kerberos))
    kerberos->state = KERBEROS_EMPTY;
  if (kerberos->state == KERBEROS_EMPTY || kerberos->state == KERBEROS_READY)
    t2p_reactor_defer (kerberos->context.reactor, &kerberos->task, tell_cb);
  return wait;
}

/* Its callback is not called. */
void
t2pw_kerberos_wait_cancel (T2pwKerberosWait *wait)
{
  g_ptr_array_remove (wait->kerberos->waiting, wait);
  g_free (wait);
}

/**
 * t2pw_kerberos_forget:
 *
 * The proxy did not take a token: the next wait gets another ticket.
 */
void
t2pw_kerberos_forget (T2pwKerberos *kerberos)
{
  if (kerberos->state != KERBEROS_READY)
    return;
  kerberos->state = KERBEROS_EMPTY;
  drop_tickets (kerberos);
}

/**
 * t2pw_kerberos_make_token:
 *
 * Returns: (transfer full) (nullable): as t2pw_kerberos_token_new(); %NULL also when there is
 * no ticket (any more)
 */
char *
t2pw_kerberos_make_token (T2pwKerberos *kerberos, GError **error)
{
  g_autofree char *cache = NULL;

  if (time_left (kerberos) <= 0)
    {
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                           "the Kerberos ticket was given up while we were connecting");
      return NULL;
    }
  cache = g_strdup_printf ("MEMORY:%s", krb5_cc_get_name (kerberos->krb5, kerberos->tickets));
  return t2pw_kerberos_token_new (cache, kerberos->service_name, error);
}

/* --- the whole */

/* "kdc.example", "kdc.example:88", "192.0.2.1", "[2001:db8::1]:88": validated with the URI */
static void
parse_kdc (T2pwKerberos *kerberos, const char *text)
{
  g_autoptr (GSocketConnectable) parsed = g_network_address_parse (text, KDC_PORT, NULL);

  if (parsed == NULL)
    return;
  kerberos->kdc_name = g_strdup (g_network_address_get_hostname (G_NETWORK_ADDRESS (parsed)));
  kerberos->kdc.port = g_network_address_get_port (G_NETWORK_ADDRESS (parsed));
  if (!t2p_ip_address_parse (kerberos->kdc_name, &kerberos->kdc.address))
    kerberos->kdc.name = kerberos->kdc_name;
}

/* A context that knows of no file. */
static krb5_error_code
make_krb5 (T2pwKerberos *kerberos)
{
  profile_t profile = NULL;
  krb5_error_code code = (krb5_error_code) profile_init (NULL, &profile);

  if (code != 0)
    return code;
  code = krb5_init_context_profile (profile, 0, &kerberos->krb5);
  profile_release (profile);
  return code;
}

/* RFC 4559 section 4: HTTP/host, in the realm of the user. */
static krb5_error_code
make_principals (T2pwKerberos *kerberos, const char *user)
{
  const char *realm = strrchr (user, '@');
  const char *host = t2p_endpoint_get_option (kerberos->endpoint, "tls-name");
  krb5_error_code code;

  if (host == NULL)
    host = t2p_endpoint_get_host (kerberos->endpoint);
  kerberos->service_name = g_strdup_printf ("HTTP/%s%s", host, realm);
  code = krb5_parse_name (kerberos->krb5, user, &kerberos->client);
  return code != 0
             ? code
             : krb5_parse_name (kerberos->krb5, kerberos->service_name, &kerberos->service);
}

/**
 * t2pw_kerberos_new:
 * @context: outlives it
 * @endpoint: (transfer none): `kdc=`, USER@REALM and a password. The service is that of the
 *   proxy's host, or of `tls-name=`.
 *
 * Errors: T2P_ERROR_INVALID_ARGUMENT.
 */
T2pwKerberos *
t2pw_kerberos_new (const T2pwOutboundContext *context, T2pEndpoint *endpoint, GError **error)
{
  g_autoptr (T2pwKerberos) kerberos = NULL;
  krb5_error_code code;

  if (!t2p_endpoint_check_login (endpoint, error))
    return NULL;
  kerberos = g_new0 (T2pwKerberos, 1);
  kerberos->context = *context;
  kerberos->endpoint = t2p_endpoint_ref (endpoint);
  kerberos->direct = t2pw_direct_new (&kerberos->context);
  kerberos->waiting = g_ptr_array_new ();
  parse_kdc (kerberos, t2p_endpoint_get_option (endpoint, "kdc"));
  code = make_krb5 (kerberos);
  if (code == 0)
    code = make_principals (kerberos, t2p_endpoint_get_user (endpoint));
  if (code == 0 && kerberos->kdc_name != NULL)
    return g_steal_pointer (&kerberos);
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "the login by Kerberos is not usable (error %d), expected "
               "USER%%40REALM and kdc=HOST[:PORT]",
               code);
  return NULL;
}

/* Nobody waits any more. */
void
t2pw_kerberos_free (T2pwKerberos *kerberos)
{
  g_warn_if_fail (kerberos->waiting->len == 0);
  if (kerberos->krb5 != NULL)
    {
      stop_asking (kerberos);
      drop_tickets (kerberos);
      krb5_free_principal (kerberos->krb5, kerberos->client);
      krb5_free_principal (kerberos->krb5, kerberos->service);
      krb5_free_context (kerberos->krb5);
    }
  t2p_reactor_cancel (kerberos->context.reactor, &kerberos->task);
  t2p_reactor_disarm (kerberos->context.reactor, &kerberos->timer);
  t2pw_outbound_free (kerberos->direct);
  t2p_endpoint_unref (kerberos->endpoint);
  g_ptr_array_unref (kerberos->waiting);
  g_clear_error (&kerberos->error);
  g_free (kerberos->service_name);
  g_free (kerberos->kdc_name);
  g_free (kerberos);
}
