/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-worker-signals.h"

#include "t2p-enums.h"
#include "t2pd-worker-row.h"

static void
take_upstream_changed (T2pdWorker *self, GVariant *parameters)
{
  const char *state, *reason_text, *message;
  T2pStateReason reason = T2P_STATE_REASON_PROXY_UNREACHABLE;
  g_autofree char *clean = NULL;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(sss)")))
    return;
  g_variant_get (parameters, "(&s&s&s)", &state, &reason_text, &message);
  t2p_state_reason_from_string (reason_text, &reason);
  clean = t2pd_worker_row_clean_text (message);
  g_signal_emit_by_name (self, "upstream-changed", g_str_equal (state, "up"), (int) reason,
                         clean);
}

static void
take_active_proxy_changed (T2pdWorker *self, GVariant *parameters)
{
  const char *old, *new, *reason;
  g_autofree char *clean_old = NULL;
  g_autofree char *clean_new = NULL;
  g_autofree char *clean_reason = NULL;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(sss)")))
    return;
  g_variant_get (parameters, "(&s&s&s)", &old, &new, &reason);
  clean_old = t2pd_worker_row_clean_uri (old);
  clean_new = t2pd_worker_row_clean_uri (new);
  clean_reason = t2pd_worker_row_clean_text (reason);
  g_signal_emit_by_name (self, "active-proxy-changed", clean_old, clean_new, clean_reason);
}

static void
take_socket_wanted (T2pdWorker *self, GVariant *parameters)
{
  const char *path;
  guint64 id;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(ts)")))
    return;
  g_variant_get (parameters, "(t&s)", &id, &path);
  g_signal_emit_by_name (self, "socket-wanted", id, path);
}

static void
take_owner_wanted (T2pdWorker *self, GVariant *parameters)
{
  const char *source, *destination;
  guint64 id;
  guint8 protocol;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(tyss)")))
    return;
  g_variant_get (parameters, "(ty&s&s)", &id, &protocol, &source, &destination);
  g_signal_emit_by_name (self, "owner-wanted", id, (guint) protocol, source, destination);
}

static void
take_loop_seen (T2pdWorker *self, GVariant *parameters)
{
  const char *kind, *source, *destination;
  guint8 protocol;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(syss)")))
    return;
  g_variant_get (parameters, "(&sy&s&s)", &kind, &protocol, &source, &destination);
  g_signal_emit_by_name (self, "loop-seen", kind, (guint) protocol, source, destination);
}

/* What has another type than it should, and what is not known, is dropped. */
void
t2pd_worker_signals_take (T2pdWorker *self, const char *name, GVariant *parameters)
{
  static const struct
  {
    const char *name;
    void (*take) (T2pdWorker *self, GVariant *parameters);
  } rows[] = {
    { "UpstreamChanged", take_upstream_changed },
    { "ActiveProxyChanged", take_active_proxy_changed },
    { "SocketWanted", take_socket_wanted },
    { "OwnerWanted", take_owner_wanted },
    { "LoopSeen", take_loop_seen },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    if (g_str_equal (name, rows[i].name))
      rows[i].take (self, parameters);
}
