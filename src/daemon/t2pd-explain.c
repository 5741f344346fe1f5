/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 *   name     who answers a look-up of it: /etc/hosts, or a tunnel's responder (its worker says
 *            how), or the name servers of the uplink. We read no answer of a name server: a
 *            worker looks it up, by the same marked queries as for a proxy's name, and only
 *            when the name would go to those servers anyway.
 *   route    what the kernel does with the address, and which rule decided that
 *   tunnel   what its worker does with the connection: by the same tables as with a real one
 *
 * A name that goes to the proxy as it is, or is looked up there, has no address here; one that
 * is captured alike stands for it. */
#include "config.h"

#include "t2pd-explain-private.h"

#include "t2p-host-name.h"
#include "t2pd-worker-row.h"
#include "t2pn-hosts.h"

#include <netinet/in.h>
#include <string.h>

#define ASK_TIMEOUT_MS 5000
#define RESOLVE_TIMEOUT_MS 5000
#define LOCALHOST "localhost"
#define MAX_ADDRESSES 8 /* that are told */

gboolean
t2pd_explain_parse (const char *text, T2pHostPort *out_destination, GError **error)
{
  T2pHostPort parsed = { 0 };

  if (t2p_host_port_parse (text, out_destination))
    return TRUE;
  if (t2p_ip_address_parse (text, &parsed.address))
    {
      *out_destination = parsed;
      return TRUE;
    }
  if (t2p_host_name_is_valid (text))
    {
      g_strlcpy (parsed.name, text, sizeof parsed.name);
      *out_destination = parsed;
      return TRUE;
    }
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "destination: '%.64s' seen, a name or an address, or one with a port, expected",
               text);
  return FALSE;
}

static void
explain_free (T2pdExplain *explain)
{
  g_clear_object (&explain->tunnel);
  g_clear_pointer (&explain->snapshot, t2pn_snapshot_free);
  g_free (explain->cgroup);
  g_free (explain->about_name);
  g_free (explain->action);
  g_free (explain->tunnel_rule);
  g_free (explain);
}

/* @owned: its reference is taken. */
static void
end (GTask *owned, GError *error)
{
  g_autoptr (GTask) task = owned;

  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_pointer (
        task, g_variant_ref_sink (t2pd_explain_make_answer (g_task_get_task_data (task))),
        (GDestroyNotify) g_variant_unref);
}

/* --- the tunnel that it would enter */

/* A worker's word is hostile: one of these, or nothing. */
static char *
copy_known (const char *text, const char *const *known)
{
  return g_strv_contains (known, text) ? g_strdup (text) : NULL;
}

static void
take_decision (T2pdExplain *explain, const char *action, const char *rule)
{
  static const char *const actions[] = { "proxy", "direct", "reject", "drop", NULL };

  g_free (explain->action);
  g_free (explain->tunnel_rule);
  explain->action = copy_known (action, actions);
  explain->tunnel_rule = rule[0] != '\0' ? t2pd_worker_row_clean_text (rule) : NULL;
}

static void
ask_worker (GTask *task,
            T2pdWorker *worker,
            const char *name,
            const char *address,
            GAsyncReadyCallback callback)
{
  T2pdExplain *explain = g_task_get_task_data (task);
  const T2pdQuestion *question = &explain->question;
  g_autofree char *lower = g_ascii_strdown (name, -1);

  if (lower[0] != '\0' && lower[strlen (lower) - 1] == '.')
    lower[strlen (lower) - 1] = '\0';
  t2pd_worker_call_async (worker, "Explain",
                          g_variant_new ("(ssqyu)", lower, address, question->destination.port,
                                         (guchar) IPPROTO_TCP, question->uid),
                          G_VARIANT_TYPE ("(sss)"), NULL, ASK_TIMEOUT_MS, NULL, callback, task);
}

static void
decided_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, NULL);
  const char *names, *action, *rule;

  /* Without an answer it is still known that it enters the tunnel. */
  if (reply != NULL)
    {
      g_variant_get (reply, "(&s&s&s)", &names, &action, &rule);
      take_decision (g_task_get_task_data (task), action, rule);
    }
  end (task, NULL);
}

static void
ask_tunnel (GTask *task)
{
  T2pdExplain *explain = g_task_get_task_data (task);
  T2pdWorker *worker = explain->tunnel != NULL
                           ? t2pd_bring_up_get_worker (t2pd_bring_up_of (explain->tunnel))
                           : NULL;
  char address[T2P_IP_STRLEN];

  if (worker == NULL || explain->is_virtual)
    {
      end (task, NULL);
      return;
    }
  t2p_ip_address_format (&explain->flow.destination, address);
  ask_worker (task, worker, "", address, decided_cb);
}

/* --- the route */

static void
route (GTask *task)
{
  T2pdExplain *explain = g_task_get_task_data (task);
  const T2pdQuestion *question = &explain->question;
  GError *error = NULL;
  T2pdTunnel *tunnel;

  explain->flow.uid = question->uid;
  explain->flow.protocol = IPPROTO_TCP;
  explain->flow.port = question->destination.port;
  explain->flow.mark =
      t2pd_explain_find_mark (explain->service, question->uid, question->cgroup);
  explain->snapshot = t2pn_snapshot_take (&error);
  if (explain->snapshot == NULL ||
      !t2pn_flow_route_ask (&explain->flow, &explain->answer, &error))
    {
      end (task, error);
      return;
    }
  explain->walk = t2pn_explain_walk (explain->snapshot, &explain->flow);
  tunnel = explain->answer.errsv == 0
               ? t2pd_explain_find_link (explain->service, explain->answer.ifindex)
               : NULL;
  explain->tunnel = tunnel != NULL ? g_object_ref (tunnel) : NULL;
  ask_tunnel (task);
}

static void
route_to (GTask *task, const T2pIpAddress *address)
{
  T2pdExplain *explain = g_task_get_task_data (task);

  explain->flow.destination = *address;
  explain->is_known = TRUE;
  route (task);
}

/* Of whatever is out there: an address that nobody has. */
static void
route_to_anything (GTask *task)
{
  T2pdExplain *explain = g_task_get_task_data (task);

  explain->flow.destination = t2p_ip_address_from_v4 (0xc0000201); /* 192.0.2.1, RFC 5737 */
  route (task);
}

/* --- the name */

/* Several may take different ways; which one a program tries first is its own business. */
static void
say_addresses (T2pdExplain *explain, const char *const *addresses)
{
  GString *text = g_string_new (explain->about_name);
  guint n = 0;

  for (; addresses[n] != NULL && n < MAX_ADDRESSES; n++)
    {
      T2pIpAddress address;
      char formatted[T2P_IP_STRLEN];

      if (!t2p_ip_address_parse (addresses[n], &address))
        continue;
      t2p_ip_address_format (&address, formatted);
      g_string_append (text, text->len > 0 ? ", " : "the name has the address ");
      g_string_append (text, formatted);
    }
  if (n > 1)
    g_string_append (text, ", and this is said of the first");
  g_free (explain->about_name);
  explain->about_name = g_string_free (text, FALSE);
}

static void
resolved_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pdExplain *explain = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, &error);
  g_autofree const char **addresses = NULL;
  T2pIpAddress address;

  if (reply != NULL)
    g_variant_get (reply, "(^a&s)", &addresses);
  if (addresses == NULL || addresses[0] == NULL ||
      !t2p_ip_address_parse (addresses[0], &address))
    {
      end (task, g_error_new (T2P_ERROR, T2P_ERROR_RESOLVE_FAILED, "%s: %s",
                              explain->question.destination.name,
                              error != NULL ? error->message : "no address"));
      return;
    }
  say_addresses (explain, addresses);
  route_to (task, &address);
}

static GVariant *
make_resolve_options (T2pdTunnel *tunnel)
{
  g_autoptr (GVariant) ask =
      g_variant_ref_sink (t2pd_bring_up_make_ask (t2pd_bring_up_of (tunnel)));
  GVariantDict options;

  g_variant_dict_init (&options, ask);
  g_variant_dict_insert (&options, "timeout-ms", "u", (guint32) RESOLVE_TIMEOUT_MS);
  return g_variant_dict_end (&options);
}

/* By the uplink's servers, as programs would. */
static void
look_up (GTask *task)
{
  T2pdExplain *explain = g_task_get_task_data (task);
  T2pdTunnel *tunnel = t2pd_explain_find_worker (explain->service);

  if (tunnel == NULL)
    {
      /* Without a tunnel all addresses go the same way. */
      explain->about_name = g_strdup ("the name was not looked up");
      route_to_anything (task);
      return;
    }
  t2pd_worker_call_async (t2pd_bring_up_get_worker (t2pd_bring_up_of (tunnel)), "Resolve",
                          g_variant_new ("(s@a{sv})", explain->question.destination.name,
                                         make_resolve_options (tunnel)),
                          G_VARIANT_TYPE ("(as)"), NULL, RESOLVE_TIMEOUT_MS + 1000, NULL,
                          resolved_cb, task);
}

/* One that names get, near the end: the link's own addresses are at the beginning. */
static T2pIpAddress
virtual_address (const T2pnAddressPool *pool)
{
  guint32 hosts = G_MAXUINT32 >> pool->pool4.length;

  return t2p_ip_address_from_v4 ((t2p_ip_address_to_v4 (&pool->pool4.address) | hosts) - 1);
}

static void
take_virtual (GTask *task, T2pdTunnel *tunnel, const char *action, const char *rule)
{
  T2pdExplain *explain = g_task_get_task_data (task);
  const T2pnAddressPool *pool = t2pd_bring_up_get_pool (t2pd_bring_up_of (tunnel));
  T2pIpAddress address;

  explain->is_virtual = TRUE;
  take_decision (explain, action, rule);
  if (pool == NULL || pool->pool4.address.family != AF_INET || pool->pool4.length > 30)
    {
      route_to_anything (task);
      return;
    }
  address = virtual_address (pool);
  route_to (task, &address);
}

static void
named_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  T2pdExplain *explain = g_task_get_task_data (task);
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, NULL);
  T2pdTunnel *tunnel = t2pd_explain_find_names (explain->service, explain->question.uid,
                                                explain->question.destination.name);
  const char *names = "", *action = "", *rule = "";

  if (reply != NULL)
    g_variant_get (reply, "(&s&s&s)", &names, &action, &rule);
  if (g_str_equal (names, "virtual") && tunnel != NULL)
    take_virtual (task, tunnel, action, rule);
  else if (g_str_equal (names, "upstream"))
    {
      explain->about_name = g_strdup ("the name is looked up through the proxy");
      route_to_anything (task);
    }
  else if (g_str_equal (names, "own"))
    end (task, g_error_new (T2P_ERROR, T2P_ERROR_RESOLVE_FAILED,
                            "%s: the tunnel's resolver says that it has no address",
                            explain->question.destination.name));
  else
    {
      if (g_str_equal (names, "uplink"))
        explain->about_name = g_strdup ("the name keeps its real address (dns-exclude)");
      look_up (task);
    }
}

static gboolean
is_localhost (const char *name)
{
  gsize length = strlen (name);

  if (length > 0 && name[length - 1] == '.')
    length--;
  return length >= strlen (LOCALHOST) &&
         g_ascii_strncasecmp (name + length - strlen (LOCALHOST), LOCALHOST,
                              strlen (LOCALHOST)) == 0 &&
         (length == strlen (LOCALHOST) || name[length - strlen (LOCALHOST) - 1] == '.');
}

/* What is found on this machine, without asking anybody. */
static gboolean
find_at_home (const char *name, T2pIpAddress *out_address)
{
  g_autofree char *content = NULL;

  if (g_file_get_contents (T2PN_HOSTS_PATH, &content, NULL, NULL) &&
      t2pn_hosts_find (content, name, AF_UNSPEC, out_address))
    return TRUE;
  return is_localhost (name) && t2p_ip_address_parse ("127.0.0.1", out_address);
}

static void
explain_name (GTask *task)
{
  T2pdExplain *explain = g_task_get_task_data (task);
  const char *name = explain->question.destination.name;
  T2pdTunnel *tunnel;
  T2pdWorker *worker;
  T2pIpAddress address;

  if (find_at_home (name, &address))
    {
      explain->about_name =
          g_strdup ("the name is one of this machine's own (" T2PN_HOSTS_PATH ")");
      route_to (task, &address);
      return;
    }
  tunnel = t2pd_explain_find_names (explain->service, explain->question.uid, name);
  worker = tunnel != NULL ? t2pd_bring_up_get_worker (t2pd_bring_up_of (tunnel)) : NULL;
  if (worker != NULL)
    ask_worker (task, worker, name, "", named_cb);
  else
    look_up (task);
}

void
t2pd_explain_async (T2pdService *service,
                    const T2pdQuestion *question,
                    GAsyncReadyCallback callback,
                    gpointer user_data)
{
  GTask *task = g_task_new (NULL, NULL, callback, user_data);
  T2pdExplain *explain = g_new0 (T2pdExplain, 1);

  explain->service = service;
  explain->question = *question;
  explain->cgroup = g_strdup (question->cgroup);
  explain->question.cgroup = explain->cgroup;
  g_task_set_task_data (task, explain, (GDestroyNotify) explain_free);
  if (question->destination.name[0] != '\0')
    explain_name (task);
  else
    route_to (task, &question->destination.address);
}

GVariant *
t2pd_explain_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
