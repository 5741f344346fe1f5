/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * Every public call goes the same way, in this order:
 *
 *   identify      whose connection is it (the bus says)
 *   1 size        of the message
 *   2 check       options, then the method's own validation: pure
 *   3 authorise   the whole set of actions, at most one dialog
 *   4 look again  caller still there, tunnel still there, names, limits, conflicts
 *   5 act
 *
 * What 2 found is frozen in the call; 3 and 5 see nothing else. Nobody learns of others'
 * tunnels before 3. */

#include "t2pd-call.h"

#include "t2p-limits.h"
#include "t2p-log.h"

/* What connects a signal to a method. */
typedef struct
{
  T2pdService *service;
  const T2pdMethod *method;
  T2pdTunnel *tunnel;
} Route;

static void
call_clear (T2pdCall *call)
{
  g_clear_signal_handler (&call->vanished_id, call->service->callers);
  g_clear_object (&call->gone);
  g_clear_object (&call->tunnel);
  g_clear_pointer (&call->settings, t2p_settings_unref);
  g_clear_pointer (&call->endpoint, t2p_endpoint_unref);
  g_clear_pointer (&call->descriptors, t2pd_descriptors_unref);
  g_clear_object (&call->guard);
  g_clear_pointer (&call->call_options, g_variant_unref);
  g_clear_pointer (&call->parameters, g_variant_unref);
  /* An invocation that nobody answered would leave the caller waiting for ever. */
  if (call->invocation != NULL)
    g_dbus_method_invocation_return_error_literal (g_steal_pointer (&call->invocation),
                                                   T2P_ERROR, T2P_ERROR_FAILED,
                                                   "the call was dropped");
}

T2pdCall *
t2pd_call_ref (T2pdCall *call)
{
  return g_rc_box_acquire (call);
}

void
t2pd_call_unref (T2pdCall *call)
{
  g_rc_box_release_full (call, (GDestroyNotify) call_clear);
}

/**
 * t2pd_call_return:
 * @values: (nullable): a tuple of the method's results; a floating reference is taken
 *
 * Since: 0.1
 */
void
t2pd_call_return (T2pdCall *call, GVariant *values)
{
  g_return_if_fail (call->invocation != NULL);

  g_dbus_method_invocation_return_value (g_steal_pointer (&call->invocation), values);
}

void
t2pd_call_return_with_fds (T2pdCall *call, GVariant *values, GUnixFDList *list)
{
  g_return_if_fail (call->invocation != NULL);

  g_dbus_method_invocation_return_value_with_unix_fd_list (g_steal_pointer (&call->invocation),
                                                           values, list);
}

GUnixFDList *
t2pd_call_get_fds (T2pdCall *call)
{
  GDBusMessage *message = g_dbus_method_invocation_get_message (call->invocation);

  return g_dbus_message_get_unix_fd_list (message);
}

/**
 * t2pd_call_fail:
 * @error: an error of our domain, one that a bus peer gave by name, or any other, which the
 *   caller sees as `Failed`
 *
 * Since: 0.1
 */
void
t2pd_call_fail (T2pdCall *call, const GError *error)
{
  GDBusMethodInvocation *invocation = g_steal_pointer (&call->invocation);
  g_autoptr (GError) plain = g_error_copy (error);
  g_autofree char *remote = g_dbus_error_get_remote_error (error);

  t2p_log_info (call->tunnel != NULL ? t2pd_tunnel_get_name (call->tunnel) : NULL, error,
                "%s of uid %u refused", call->method->name, call->uid);
  if (error->domain == T2P_ERROR)
    g_dbus_method_invocation_return_gerror (invocation, error);
  else if (remote != NULL)
    {
      g_dbus_error_strip_remote_error (plain);
      g_dbus_method_invocation_return_dbus_error (invocation, remote, plain->message);
    }
  else
    g_dbus_method_invocation_return_error_literal (invocation, T2P_ERROR, T2P_ERROR_FAILED,
                                                   error->message);
}

/* --- 4 and 5 */

static gboolean
look_again (T2pdCall *call, GError **error)
{
  if (!t2pd_callers_is_known (call->service->callers, call->sender))
    {
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_CANCELLED, "the caller left the bus");
      return FALSE;
    }
  if (call->tunnel != NULL && !t2pd_manager_contains (call->service->manager, call->tunnel))
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_FOUND, "tunnel '%s' was deleted meanwhile",
                   t2pd_tunnel_get_name (call->tunnel));
      return FALSE;
    }
  return call->method->look_again == NULL || call->method->look_again (call, error);
}

static void
proceed (T2pdCall *call)
{
  g_autoptr (GError) error = NULL;

  if (look_again (call, &error))
    call->method->act (call);
  else
    t2pd_call_fail (call, error);
}

/* --- 3 */

static void
authorized_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;
  g_autoptr (GError) error = NULL;

  g_clear_signal_handler (&call->vanished_id, call->service->callers);
  if (t2pd_polkit_check_finish (T2PD_POLKIT (source), result, &error))
    proceed (call);
  else
    t2pd_call_fail (call, error);
}

static void
vanished_cb (T2pdCallers *callers, const char *sender, gpointer user_data)
{
  T2pdCall *call = user_data;

  if (g_str_equal (sender, call->sender))
    g_cancellable_cancel (call->gone);
}

static const char *
tunnel_name_of (const T2pdCall *call)
{
  if (call->tunnel != NULL)
    return t2pd_tunnel_get_name (call->tunnel);
  return "";
}

/* What a rule of polkit can go by. */
static GVariant *
make_details (T2pdCall *call)
{
  GVariantBuilder builder;
  g_autofree char *routes = NULL;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{ss}"));
  if (g_variant_is_of_type (call->parameters, G_VARIANT_TYPE ("(sa{sv}a{sv})")) ||
      g_variant_is_of_type (call->parameters, G_VARIANT_TYPE ("(sa{sv}a{sh}a{sv})")))
    {
      const char *name;

      g_variant_get_child (call->parameters, 0, "&s", &name);
      g_variant_builder_add (&builder, "{ss}", "tunnel", name);
    }
  else
    g_variant_builder_add (&builder, "{ss}", "tunnel", tunnel_name_of (call));
  if (call->settings != NULL)
    {
      routes = g_strjoinv (",", (char **) t2p_settings_get_strv (call->settings, "routes"));
      g_variant_builder_add (&builder, "{ss}", "capture",
                             t2p_capture_to_string (t2p_settings_get_capture (call->settings)));
      g_variant_builder_add (&builder, "{ss}", "scope",
                             t2p_scope_to_string (t2p_settings_get_scope (call->settings)));
      g_variant_builder_add (&builder, "{ss}", "routes", routes);
    }
  return g_variant_builder_end (&builder);
}

static gboolean
may_ask (T2pdCall *call)
{
  GDBusMessage *message = g_dbus_method_invocation_get_message (call->invocation);

  return (g_dbus_message_get_flags (message) &
          G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION) != 0 ||
         t2pd_call_options_get_bool (call->call_options, "interactive", FALSE);
}

static T2pdFacts
gather_facts (T2pdCall *call)
{
  T2pdFacts facts = {
    .caller_uid = call->uid,
    .settings = call->settings,
    .endpoint = call->endpoint,
  };

  if (call->tunnel != NULL)
    {
      facts.has_owner = TRUE;
      facts.owner_uid = t2pd_tunnel_get_owner (call->tunnel);
    }
  else if (call->has_subject)
    {
      facts.has_owner = TRUE;
      facts.owner_uid = call->subject_uid;
    }
  return facts;
}

static void
authorize (T2pdCall *call)
{
  T2pdFacts facts = gather_facts (call);
  g_autoptr (GArray) in_use = NULL;
  g_autoptr (GError) error = NULL;
  guint actions;

  /* Asked from the kernel: only for those whose routes are judged by it. */
  if (call->uid != 0 && call->settings != NULL)
    in_use = t2pd_uplink_list_addresses_in_use (call->service->uplink);
  facts.in_use = in_use;
  if (!t2pd_authority_needs (call->method->name, &facts, &actions))
    {
      error = g_error_new (T2P_ERROR, T2P_ERROR_NOT_AUTHORIZED, "nobody may call %s",
                           call->method->name);
      t2pd_call_fail (call, error);
      return;
    }
  call->is_advanced = call->uid == 0 || (actions & T2PD_ACTION_BIT (T2PD_ACTION_ADVANCED)) != 0;
  if (call->uid == 0 || actions == 0)
    {
      proceed (call);
      return;
    }
  call->vanished_id =
      g_signal_connect (call->service->callers, "vanished", G_CALLBACK (vanished_cb), call);
  t2pd_polkit_check_async (call->service->polkit, call->sender, actions, make_details (call),
                           may_ask (call), call->gone, authorized_cb, t2pd_call_ref (call));
}

/* --- 1 and 2 */

static gboolean
check (T2pdCall *call, GError **error)
{
  gsize size = g_variant_get_size (call->parameters);

  if (size > T2P_MAX_MESSAGE_BYTES)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                   "message: %" G_GSIZE_FORMAT " bytes seen, at most %d expected", size,
                   T2P_MAX_MESSAGE_BYTES);
      return FALSE;
    }
  return t2pd_call_options_check (call->call_options, call->method->options, error) &&
         (call->method->check == NULL || call->method->check (call, error));
}

static void
identified_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;
  g_autoptr (GError) error = NULL;

  if (!t2pd_callers_identify_finish (T2PD_CALLERS (source), result, &call->uid, &error) ||
      !check (call, &error))
    t2pd_call_fail (call, error);
  else
    authorize (call);
}

static void
begin (const Route *route, GDBusMethodInvocation *invocation)
{
  T2pdCall *call = g_rc_box_new0 (T2pdCall);

  call->service = route->service;
  call->method = route->method;
  call->tunnel = route->tunnel != NULL ? g_object_ref (route->tunnel) : NULL;
  call->invocation = invocation;
  call->sender = g_dbus_method_invocation_get_sender (invocation);
  call->parameters = g_variant_ref (g_dbus_method_invocation_get_parameters (invocation));
  call->call_options =
      g_variant_get_child_value (call->parameters, g_variant_n_children (call->parameters) - 1);
  call->gone = g_cancellable_new ();
  t2pd_callers_identify_async (route->service->callers, call->sender, NULL, identified_cb,
                               call);
}

/* The handle-… signals differ in their arguments only; the invocation, which has them all, is
 * always the second parameter. */
static void
marshal (GClosure *closure,
         GValue *return_value,
         guint n_parameters,
         const GValue *parameters,
         gpointer hint,
         gpointer marshal_data)
{
  /* The skeleton gives its handlers the invocation's reference. */
  begin (closure->data, g_value_get_object (&parameters[1]));
  g_value_set_boolean (return_value, TRUE);
}

static void
route_free (gpointer data, GClosure *closure)
{
  g_free (data);
}

/**
 * t2pd_call_connect:
 * @skeleton: a generated interface skeleton
 * @signal: "handle-create-tunnel"
 *
 * Since: 0.1
 */
void
t2pd_call_connect (gpointer skeleton,
                   const char *signal,
                   T2pdService *service,
                   const T2pdMethod *method,
                   T2pdTunnel *tunnel)
{
  Route *route = g_new (Route, 1);
  GClosure *closure = g_closure_new_simple (sizeof (GClosure), route);

  *route = (Route){ service, method, tunnel };
  g_closure_add_finalize_notifier (closure, route, route_free);
  g_closure_set_marshal (closure, marshal);
  g_signal_connect_closure (skeleton, signal, closure, FALSE);
}
