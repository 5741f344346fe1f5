/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-errands.h"

#include "t2p-error.h"
#include "t2pw-address-list.h"
#include "t2pw-error-name.h"
#include "t2pw-file-set.h"
#include "t2pw-socket-settings.h"

#define DEFAULT_TIMEOUT_MS 10000
#define MAX_TIMEOUT_MS 30000

struct _T2pwErrands
{
  T2pReactor *reactor;
  const T2pwSocketHelper *socket_helper;
  GPtrArray *running; /* Errand */
  T2pwErrandsProbed probed;
  gpointer user_data;
};

typedef struct
{
  T2pwErrands *errands;
  GDBusMethodInvocation *invocation;
  T2pwSocketPolicy policy;
  T2pwOutboundContext context;
  T2pwNames *names;
  T2pEndpoint *endpoint; /* that is probed */
  GHashTable *files;     /* that its options name */
  T2pwProbe *probe;
  T2pwLookup *lookup;
} Errand;

static void
errand_free (gpointer data)
{
  Errand *errand = data;

  g_clear_pointer (&errand->probe, t2pw_probe_cancel);
  g_clear_pointer (&errand->lookup, t2pw_lookup_cancel);
  g_clear_pointer (&errand->names, t2pw_names_free);
  g_clear_pointer (&errand->endpoint, t2p_endpoint_unref);
  g_clear_pointer (&errand->files, g_hash_table_unref);
  t2pw_socket_policy_clear (&errand->policy);
  if (errand->invocation != NULL)
    g_dbus_method_invocation_return_error_literal (g_steal_pointer (&errand->invocation),
                                                   T2P_ERROR, T2P_ERROR_CANCELLED,
                                                   "the worker stops");
  g_free (errand);
}

T2pwErrands *
t2pw_errands_new (T2pReactor *reactor,
                  const T2pwSocketHelper *socket_helper,
                  T2pwErrandsProbed probed,
                  gpointer user_data)
{
  T2pwErrands *errands = g_new0 (T2pwErrands, 1);

  errands->reactor = reactor;
  errands->socket_helper = socket_helper;
  errands->probed = probed;
  errands->user_data = user_data;
  errands->running = g_ptr_array_new_with_free_func (errand_free);
  return errands;
}

void
t2pw_errands_free (T2pwErrands *errands)
{
  g_ptr_array_unref (errands->running);
  g_free (errands);
}

static void
errand_fail (Errand *errand, const GError *error)
{
  g_dbus_method_invocation_return_gerror (g_steal_pointer (&errand->invocation), error);
  g_ptr_array_remove_fast (errand->errands->running, errand);
}

/* Takes @invocation; NULL when it was answered with an error. */
static Errand *
errand_new (T2pwErrands *errands, GDBusMethodInvocation *invocation, GVariant *options)
{
  g_auto (GVariantDict) dict = G_VARIANT_DICT_INIT (options);
  g_autofree const char **servers = NULL;
  g_autoptr (GVariant) sockets = NULL;
  g_autoptr (GError) error = NULL;
  guint32 timeout_ms = DEFAULT_TIMEOUT_MS;
  gboolean may_be_foreign = FALSE;
  Errand *errand;

  if (errands->running->len >= T2PW_MAX_ERRANDS)
    {
      g_dbus_method_invocation_return_error (
          invocation, T2P_ERROR, T2P_ERROR_BUSY,
          "%u probes and look-ups are running, at most %u may", errands->running->len,
          T2PW_MAX_ERRANDS);
      return NULL;
    }
  errand = g_new0 (Errand, 1);
  errand->errands = errands;
  errand->invocation = invocation;
  g_ptr_array_add (errands->running, errand);
  g_variant_dict_lookup (&dict, "mark", "u", &errand->policy.mark);
  g_variant_dict_lookup (&dict, "foreign-addresses", "b", &may_be_foreign);
  errand->policy.refuses_foreign = !may_be_foreign;
  g_variant_dict_lookup (&dict, "timeout-ms", "u", &timeout_ms);
  errand->names = t2pw_names_new (errands->reactor, &errand->policy);
  errand->context =
      (T2pwOutboundContext){ .reactor = errands->reactor,
                             .policy = &errand->policy,
                             .names = errand->names,
                             .socket_helper = errands->socket_helper,
                             .connect_timeout_ms = CLAMP (timeout_ms, 1, MAX_TIMEOUT_MS) };
  sockets = g_variant_dict_lookup_value (&dict, "sockets", G_VARIANT_TYPE_VARDICT);
  if ((sockets != NULL && !t2pw_socket_settings_take (sockets, &errand->policy, &error)) ||
      (g_variant_dict_lookup (&dict, "uplink-dns", "^a&s", &servers) &&
       !t2pw_names_set_servers (errand->names, servers, &error)))
    {
      errand_fail (errand, error);
      return NULL;
    }
  return errand;
}

/* --- Probe */

static GVariant *
result_to_variant (const T2pwProbeResult *result)
{
  g_auto (GVariantDict) dict = G_VARIANT_DICT_INIT (NULL);
  g_autofree char *name = t2pw_error_name (result->error);

  g_variant_dict_insert (&dict, "reachable", "b", result->is_reachable);
  g_variant_dict_insert (&dict, "rtt-us", "t", (guint64) result->rtt_us);
  g_variant_dict_insert (&dict, "auth", "s", result->auth);
  g_variant_dict_insert (&dict, "connect", "b", result->can_connect);
  g_variant_dict_insert (&dict, "names", "b", result->can_names);
  g_variant_dict_insert (&dict, "ipv6", "b", result->can_ipv6);
  g_variant_dict_insert (&dict, "ipv6-refused", "b", result->refuses_ipv6);
  g_variant_dict_insert (&dict, "udp", "s", result->udp);
  g_variant_dict_insert (&dict, "error", "s", name);
  g_variant_dict_insert (&dict, "message", "s",
                         result->error != NULL ? result->error->message : "");
  return g_variant_dict_end (&dict);
}

static void
probed_cb (const T2pwProbeResult *result, gpointer data)
{
  Errand *errand = data;

  errand->probe = NULL;
  errand->errands->probed (errand->endpoint, result, errand->errands->user_data);
  g_dbus_method_invocation_return_value (
      g_steal_pointer (&errand->invocation),
      g_variant_new ("(@a{sv})", result_to_variant (result)));
  g_ptr_array_remove_fast (errand->errands->running, errand);
}

static gboolean
take_files (Errand *errand, GVariant *options, GUnixFDList *fds, GError **error)
{
  g_autoptr (GVariant) handles =
      g_variant_lookup_value (options, "files", G_VARIANT_TYPE ("a{sh}"));

  errand->files = t2pw_file_set_new ();
  errand->context.files = errand->files;
  return handles == NULL || t2pw_file_set_add_handles (errand->files, handles, fds, error);
}

/**
 * t2pw_errands_probe:
 * @invocation: (transfer full): of the method Probe
 * @fds: (nullable): came with it
 */
void
t2pw_errands_probe (T2pwErrands *errands,
                    GDBusMethodInvocation *invocation,
                    GUnixFDList *fds,
                    const char *uri,
                    GVariant *options)
{
  Errand *errand = errand_new (errands, invocation, options);
  T2pIpAddress addresses[T2PW_DIAL_MAX_ADDRESSES];
  g_autoptr (GError) error = NULL;
  guint n;

  if (errand == NULL)
    return;
  n = t2pw_address_list_lookup (options, "addresses", addresses, G_N_ELEMENTS (addresses));
  errand->endpoint = t2p_endpoint_parse (uri, &error);
  if (errand->endpoint != NULL && take_files (errand, options, fds, &error))
    errand->probe = t2pw_probe_start (&errand->context, errand->endpoint, addresses, n,
                                      probed_cb, errand, &error);
  if (errand->probe == NULL)
    errand_fail (errand, error);
}

/* --- Resolve */

static void
resolved_cb (
    const T2pIpAddress *addresses, guint n, guint32 ttl_s, const GError *error, gpointer data)
{
  Errand *errand = data;
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("as"));
  g_autoptr (GError) unresolved = NULL;

  errand->lookup = NULL;
  if (error != NULL)
    {
      g_variant_builder_clear (&builder);
      unresolved = g_error_new_literal (T2P_ERROR, T2P_ERROR_RESOLVE_FAILED, error->message);
      errand_fail (errand, unresolved);
      return;
    }
  for (guint i = 0; i < n; i++)
    {
      char text[T2P_IP_STRLEN];

      t2p_ip_address_format (&addresses[i], text);
      g_variant_builder_add (&builder, "s", text);
    }
  g_dbus_method_invocation_return_value (g_steal_pointer (&errand->invocation),
                                         g_variant_new ("(as)", &builder));
  g_ptr_array_remove_fast (errand->errands->running, errand);
}

/**
 * t2pw_errands_resolve:
 * @invocation: (transfer full): of the method Resolve
 */
void
t2pw_errands_resolve (T2pwErrands *errands,
                      GDBusMethodInvocation *invocation,
                      const char *name,
                      GVariant *options)
{
  Errand *errand = errand_new (errands, invocation, options);

  if (errand != NULL)
    errand->lookup = t2pw_names_lookup (errand->names, name, errand->context.connect_timeout_ms,
                                        resolved_cb, errand);
}
