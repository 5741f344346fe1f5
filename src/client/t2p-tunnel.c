/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-tunnel.h"

#include "t2p-enum-types.h"
#include "t2p-names.h"
#include "t2p-tunnel-private.h"

/**
 * T2pTunnel:
 *
 * A tunnel of the service: a TUN interface whose traffic is carried to a proxy.
 *
 * Objects come from [class@Client]; there is one for each tunnel, and its properties follow the
 * service and notify in the main context in which the client was made. When the tunnel is
 * deleted or the service goes, [signal@Client::tunnel-removed] is emitted and the object stays
 * behind, inactive. Methods may show the user a password dialog, so they have no time-out: use
 * a [class@Gio.Cancellable].
 *
 * Since: 0.1
 */
struct _T2pTunnel
{
  GObject parent_instance;

  GDBusConnection *connection;
  char *object_path;
  T2pPropertyCache *cache;
};

G_DEFINE_FINAL_TYPE (T2pTunnel, t2p_tunnel, G_TYPE_OBJECT)

static const T2pCachedProperty rows[T2P_TUNNEL_N_PROPS] = {
  [T2P_TUNNEL_PROP_NAME] = { "Name", "s" },
  [T2P_TUNNEL_PROP_OWNER] = { "Owner", "u" },
  [T2P_TUNNEL_PROP_STATE] = { "State", "s" },
  [T2P_TUNNEL_PROP_STATE_REASON] = { "StateReason", "s" },
  [T2P_TUNNEL_PROP_INTERFACE] = { "Interface", "s" },
  [T2P_TUNNEL_PROP_IF_INDEX] = { "IfIndex", "i" },
  [T2P_TUNNEL_PROP_MTU] = { "Mtu", "u" },
  [T2P_TUNNEL_PROP_CAPTURE] = { "Capture", "s" },
  [T2P_TUNNEL_PROP_SCOPE] = { "Scope", "s" },
  [T2P_TUNNEL_PROP_PERSISTENT] = { "Persistent", "b" },
  [T2P_TUNNEL_PROP_LIFETIME] = { "Lifetime", "s" },
  [T2P_TUNNEL_PROP_ACTIVE_SINCE] = { "ActiveSince", "t" },
  [T2P_TUNNEL_PROP_NETWORK_BACKEND] = { "NetworkBackend", "s" },
  [T2P_TUNNEL_PROP_RESOLVER_BACKEND] = { "ResolverBackend", "s" },
  [T2P_TUNNEL_PROP_ROLLBACK_DEADLINE] = { "RollbackDeadline", "t" },
};

enum
{
  SIGNAL_STATE_CHANGED,
  SIGNAL_PROXY_CHANGED,
  SIGNAL_MESSAGE,
  SIGNAL_LOOP_DETECTED,
  N_SIGNALS,
};

static GParamSpec *pspecs[T2P_TUNNEL_N_PROPS];
static guint signals[N_SIGNALS];

static void
t2p_tunnel_finalize (GObject *object)
{
  T2pTunnel *self = T2P_TUNNEL (object);

  g_clear_object (&self->connection);
  g_clear_pointer (&self->object_path, g_free);
  g_clear_pointer (&self->cache, t2p_property_cache_free);
  G_OBJECT_CLASS (t2p_tunnel_parent_class)->finalize (object);
}

static void
t2p_tunnel_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  T2pTunnel *self = T2P_TUNNEL (object);

  switch (id)
    {
    case T2P_TUNNEL_PROP_OBJECT_PATH:
      g_value_set_string (value, self->object_path);
      break;
    case T2P_TUNNEL_PROP_STATE:
      g_value_set_enum (value, t2p_tunnel_get_state (self));
      break;
    case T2P_TUNNEL_PROP_STATE_REASON:
      g_value_set_enum (value, t2p_tunnel_get_state_reason (self));
      break;
    case T2P_TUNNEL_PROP_CAPTURE:
      g_value_set_enum (value, t2p_tunnel_get_capture (self));
      break;
    case T2P_TUNNEL_PROP_SCOPE:
      g_value_set_enum (value, t2p_tunnel_get_scope (self));
      break;
    default:
      if (id >= T2P_TUNNEL_N_PROPS || rows[id].bus_name == NULL)
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      else
        t2p_property_cache_get (self->cache, id, value);
    }
}

static void
install_string (GObjectClass *klass, guint id, const char *name)
{
  pspecs[id] =
      g_param_spec_string (name, NULL, NULL, "", G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_property (klass, id, pspecs[id]);
}

static void
install_number (GObjectClass *klass, guint id, const char *name)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  if (g_str_equal (rows[id].type, "t"))
    pspecs[id] = g_param_spec_uint64 (name, NULL, NULL, 0, G_MAXUINT64, 0, flags);
  else if (g_str_equal (rows[id].type, "i"))
    pspecs[id] = g_param_spec_int (name, NULL, NULL, G_MININT, G_MAXINT, 0, flags);
  else if (g_str_equal (rows[id].type, "b"))
    pspecs[id] = g_param_spec_boolean (name, NULL, NULL, FALSE, flags);
  else
    pspecs[id] = g_param_spec_uint (name, NULL, NULL, 0, G_MAXUINT, 0, flags);
  g_object_class_install_property (klass, id, pspecs[id]);
}

static void
install_enum (GObjectClass *klass, guint id, const char *name, GType type)
{
  pspecs[id] =
      g_param_spec_enum (name, NULL, NULL, type, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_property (klass, id, pspecs[id]);
}

static void
install_texts (GObjectClass *klass)
{
  /**
   * T2pTunnel:object-path:
   *
   * The object on the bus.
   *
   * Since: 0.1
   */
  install_string (klass, T2P_TUNNEL_PROP_OBJECT_PATH, "object-path");
  /**
   * T2pTunnel:name:
   *
   * Unique among the tunnels of its owner.
   *
   * Since: 0.1
   */
  install_string (klass, T2P_TUNNEL_PROP_NAME, "name");
  /**
   * T2pTunnel:interface:
   *
   * Name of the TUN device; empty while there is none.
   *
   * Since: 0.1
   */
  install_string (klass, T2P_TUNNEL_PROP_INTERFACE, "interface");
  /**
   * T2pTunnel:lifetime:
   *
   * `service`, or `caller`: gone when the program that created it leaves the bus.
   *
   * Since: 0.1
   */
  install_string (klass, T2P_TUNNEL_PROP_LIFETIME, "lifetime");
  /**
   * T2pTunnel:network-backend:
   *
   * Who owns its routes: `networkmanager`, `netlink`, or empty while inactive.
   *
   * Since: 0.1
   */
  install_string (klass, T2P_TUNNEL_PROP_NETWORK_BACKEND, "network-backend");
  /**
   * T2pTunnel:resolver-backend:
   *
   * Who was told its DNS: `networkmanager`, `resolved`, `resolvconf`, `file`, or empty for
   * nobody.
   *
   * Since: 0.1
   */
  install_string (klass, T2P_TUNNEL_PROP_RESOLVER_BACKEND, "resolver-backend");
}

static void
install_numbers (GObjectClass *klass)
{
  /**
   * T2pTunnel:owner:
   *
   * The user id of its owner.
   *
   * Since: 0.1
   */
  install_number (klass, T2P_TUNNEL_PROP_OWNER, "owner");
  /**
   * T2pTunnel:if-index:
   *
   * Index of the TUN device; 0 while there is none.
   *
   * Since: 0.1
   */
  install_number (klass, T2P_TUNNEL_PROP_IF_INDEX, "if-index");
  /**
   * T2pTunnel:mtu:
   *
   * MTU of the TUN device in bytes.
   *
   * Since: 0.1
   */
  install_number (klass, T2P_TUNNEL_PROP_MTU, "mtu");
  /**
   * T2pTunnel:persistent:
   *
   * Whether it is a profile on disk.
   *
   * Since: 0.1
   */
  install_number (klass, T2P_TUNNEL_PROP_PERSISTENT, "persistent");
  /**
   * T2pTunnel:active-since:
   *
   * Microseconds of the real-time clock; 0 while not active.
   *
   * Since: 0.1
   */
  install_number (klass, T2P_TUNNEL_PROP_ACTIVE_SINCE, "active-since");
  /**
   * T2pTunnel:rollback-deadline:
   *
   * When it is taken back unless confirmed, in microseconds of the real-time clock; 0 for
   * never.
   *
   * Since: 0.1
   */
  install_number (klass, T2P_TUNNEL_PROP_ROLLBACK_DEADLINE, "rollback-deadline");
}

static void
install_enums (GObjectClass *klass)
{
  /**
   * T2pTunnel:state:
   *
   * What it is doing.
   *
   * Since: 0.1
   */
  install_enum (klass, T2P_TUNNEL_PROP_STATE, "state", T2P_TYPE_TUNNEL_STATE);
  /**
   * T2pTunnel:state-reason:
   *
   * Why it is in its state.
   *
   * Since: 0.1
   */
  install_enum (klass, T2P_TUNNEL_PROP_STATE_REASON, "state-reason", T2P_TYPE_STATE_REASON);
  /**
   * T2pTunnel:capture:
   *
   * What goes into it.
   *
   * Since: 0.1
   */
  install_enum (klass, T2P_TUNNEL_PROP_CAPTURE, "capture", T2P_TYPE_CAPTURE);
  /**
   * T2pTunnel:scope:
   *
   * Whose traffic goes into it.
   *
   * Since: 0.1
   */
  install_enum (klass, T2P_TUNNEL_PROP_SCOPE, "scope", T2P_TYPE_SCOPE);
}

static guint
new_signal (const char *name, guint n_parameters, GType a, GType b, GType c)
{
  return g_signal_new (name, T2P_TYPE_TUNNEL, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                       G_TYPE_NONE, n_parameters, a, b, c);
}

static void
install_signals (void)
{
  /**
   * T2pTunnel::state-changed:
   * @self: the tunnel
   * @old_state: the state it was in
   * @new_state: the state it is in
   * @reason: why
   *
   * Emitted after the properties have their new values.
   *
   * Since: 0.1
   */
  signals[SIGNAL_STATE_CHANGED] = new_signal ("state-changed", 3, T2P_TYPE_TUNNEL_STATE,
                                              T2P_TYPE_TUNNEL_STATE, T2P_TYPE_STATE_REASON);
  /**
   * T2pTunnel::proxy-changed:
   * @self: the tunnel
   * @old_proxy: URI of the proxy in use before, without credentials
   * @new_proxy: URI of the proxy in use now
   * @reason: why, as the service says it
   *
   * Only for the owner's programs that have called a method of this tunnel, and for root's.
   *
   * Since: 0.1
   */
  signals[SIGNAL_PROXY_CHANGED] =
      new_signal ("proxy-changed", 3, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING);
  /**
   * T2pTunnel::message:
   * @self: the tunnel
   * @text: something that a person should read
   *
   * To the same receivers as [signal@Tunnel::proxy-changed].
   *
   * Since: 0.1
   */
  signals[SIGNAL_MESSAGE] = new_signal ("message", 1, G_TYPE_STRING, G_TYPE_NONE, G_TYPE_NONE);
  /**
   * T2pTunnel::loop-detected:
   * @self: the tunnel
   * @loop: an `a{sv}`: `kind`, `protocol`, `source`, `destination` (s) of a connection that
   *   went round and was refused, and when they are known `uid`, `pid` (u) and `program` (s) of
   *   who made it
   *
   * To the same receivers as [signal@Tunnel::proxy-changed].
   *
   * Since: 0.1
   */
  signals[SIGNAL_LOOP_DETECTED] =
      new_signal ("loop-detected", 1, G_TYPE_VARIANT, G_TYPE_NONE, G_TYPE_NONE);
}

static void
t2p_tunnel_class_init (T2pTunnelClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = t2p_tunnel_finalize;
  object_class->get_property = t2p_tunnel_get_property;
  install_texts (object_class);
  install_numbers (object_class);
  install_enums (object_class);
  install_signals ();
}

static void
t2p_tunnel_init (T2pTunnel *self)
{
  self->cache = t2p_property_cache_new (G_OBJECT (self), rows, pspecs, T2P_TUNNEL_N_PROPS);
}

T2pTunnel *
t2p_tunnel_new (GDBusConnection *connection, const char *path, GVariant *properties)
{
  T2pTunnel *self = g_object_new (T2P_TYPE_TUNNEL, NULL);

  self->connection = g_object_ref (connection);
  self->object_path = g_strdup (path);
  t2p_tunnel_update (self, properties);
  return self;
}

void
t2p_tunnel_update (T2pTunnel *self, GVariant *properties)
{
  t2p_property_cache_update (self->cache, properties);
}

static void
update_state (T2pTunnel *self, const char *state, const char *reason)
{
  GVariantDict dict = G_VARIANT_DICT_INIT (NULL);
  g_autoptr (GVariant) properties = NULL;

  g_variant_dict_insert (&dict, "State", "s", state);
  g_variant_dict_insert (&dict, "StateReason", "s", reason);
  properties = g_variant_ref_sink (g_variant_dict_end (&dict));
  t2p_tunnel_update (self, properties);
}

/* The signal overtakes the service's collected PropertiesChanged, so it sets the properties
 * too. */
static void
handle_state_changed (T2pTunnel *self, GVariant *parameters)
{
  const char *old_name = NULL;
  const char *new_name = NULL;
  const char *reason_name = NULL;
  T2pTunnelState old_state = T2P_TUNNEL_STATE_INACTIVE;
  T2pTunnelState new_state = T2P_TUNNEL_STATE_INACTIVE;
  T2pStateReason reason = T2P_STATE_REASON_NONE;

  g_variant_get (parameters, "(&s&s&s)", &old_name, &new_name, &reason_name);
  if (!t2p_tunnel_state_from_string (old_name, &old_state) ||
      !t2p_tunnel_state_from_string (new_name, &new_state))
    return;
  (void) t2p_state_reason_from_string (reason_name, &reason);
  update_state (self, new_name, reason_name);
  g_signal_emit (self, signals[SIGNAL_STATE_CHANGED], 0, old_state, new_state, reason);
}

void
t2p_tunnel_handle_signal (T2pTunnel *self, const char *signal, GVariant *parameters)
{
  const char *a = NULL;
  const char *b = NULL;
  const char *c = NULL;

  if (g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(sss)")))
    {
      g_variant_get (parameters, "(&s&s&s)", &a, &b, &c);
      if (g_str_equal (signal, "StateChanged"))
        handle_state_changed (self, parameters);
      else if (g_str_equal (signal, "ProxyChanged"))
        g_signal_emit (self, signals[SIGNAL_PROXY_CHANGED], 0, a, b, c);
    }
  else if (g_str_equal (signal, "Message") &&
           g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(s)")))
    {
      g_variant_get (parameters, "(&s)", &a);
      g_signal_emit (self, signals[SIGNAL_MESSAGE], 0, a);
    }
  else if (g_str_equal (signal, "LoopDetected") &&
           g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(a{sv})")))
    {
      g_autoptr (GVariant) loop = g_variant_get_child_value (parameters, 0);

      g_signal_emit (self, signals[SIGNAL_LOOP_DETECTED], 0, loop);
    }
}

void
t2p_tunnel_set_gone (T2pTunnel *self)
{
  GVariantDict dict = G_VARIANT_DICT_INIT (NULL);
  g_autoptr (GVariant) properties = NULL;

  g_variant_dict_insert (&dict, "State", "s", "inactive");
  g_variant_dict_insert (&dict, "Interface", "s", "");
  g_variant_dict_insert (&dict, "IfIndex", "i", 0);
  g_variant_dict_insert (&dict, "ActiveSince", "t", G_GUINT64_CONSTANT (0));
  properties = g_variant_ref_sink (g_variant_dict_end (&dict));
  t2p_tunnel_update (self, properties);
}

void
t2p_tunnel_reload_sync (T2pTunnel *self, GCancellable *cancellable)
{
  const T2pBusTarget target = { self->connection, self->object_path,
                                "org.freedesktop.DBus.Properties" };
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) properties = NULL;

  reply = t2p_bus_call_sync (&target, "GetAll", g_variant_new ("(s)", T2P_TUNNEL_INTERFACE),
                             "(a{sv})", cancellable, NULL);
  if (reply == NULL)
    return;
  properties = g_variant_get_child_value (reply, 0);
  t2p_tunnel_update (self, properties);
}

T2pPropertyCache *
t2p_tunnel_peek_cache (T2pTunnel *self)
{
  return self->cache;
}

T2pBusTarget
t2p_tunnel_get_target (T2pTunnel *self)
{
  return (T2pBusTarget){ self->connection, self->object_path, T2P_TUNNEL_INTERFACE };
}

/**
 * t2p_tunnel_get_object_path:
 * @self: a tunnel
 *
 * Returns: (transfer none): the object on the bus
 *
 * Since: 0.1
 */
const char *
t2p_tunnel_get_object_path (T2pTunnel *self)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), NULL);

  return self->object_path;
}
