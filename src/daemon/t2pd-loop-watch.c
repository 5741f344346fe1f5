/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A worker tells of new flows that are its own, or lead to an upstream, and has refused them.
 * Who made one is found by sock_diag, and told to those who use the tunnel. With a proxy on
 * this machine the worker shows some of its other flows, too; if one is the proxy's, the worker
 * is told to refuse what goes there.
 *
 * What a worker says is not believed further than that: it may name connections of others in
 * order to learn who has them, so only root is told of other users' programs. Processes are
 * looked through once a second at most, those of a proxy on this machine twenty times; both
 * less often where that takes long.
 *
 * Where our sockets are known by whom they connect to, one that came back has found an address
 * that nobody knew of: an upstream's name that stands for another one by now, or the far end of
 * its datagrams. It gets its route, and the next attempt passes.
 *
 * One loop is told; loops that go on for a while are a state. */
#include "config.h"

#include "t2pd-loop-watch.h"

#include "t2p-limits.h"
#include "t2p-log.h"
#include "t2pd-bring-up-private.h"
#include "t2pd-pace.h"
#include "t2pn-loop-method.h"
#include "t2pn-process-list.h"
#include "t2pn-socket-owner.h"

#include <netinet/in.h>
#include <string.h>

#define TELL_EVERY_US G_USEC_PER_SEC
#define SEARCH_EVERY_US (TELL_EVERY_US / 2)
#define SUSPECT_EVERY_US (G_USEC_PER_SEC / 20)
#define LOG_EVERY_US (60 * G_USEC_PER_SEC)
#define PERSISTS_US (2 * G_USEC_PER_SEC)
#define QUIET_S 10

struct _T2pdLoopWatch
{
  T2pdBringUp *bring_up; /* unowned: it owns us */
  T2pnSocketOwner *owner;
  GArray *learnt; /* of T2pIpAddress */
  gint64 told_us;
  gint64 next_search_us;
  gint64 next_suspect_us;
  gint64 logged_us;
  gint64 since_us; /* the first of those that go on; 0: none do */
  GSource *quiet;
};

/** Loop: one of them. */
typedef struct
{
  const char *kind;
  guint8 protocol;
  T2pIpEndpoint source, destination;
  gboolean has_owner;
  guint32 uid, inode;
  int pid; /* 0: not known */
  char *program;
} Loop;

static void
drop_quiet (T2pdLoopWatch *self)
{
  if (self->quiet != NULL)
    g_source_destroy (self->quiet);
  g_clear_pointer (&self->quiet, g_source_unref);
}

T2pdLoopWatch *
t2pd_loop_watch_new (T2pdBringUp *bring_up)
{
  T2pdLoopWatch *self = g_new0 (T2pdLoopWatch, 1);

  self->bring_up = bring_up;
  self->learnt = g_array_new (FALSE, TRUE, sizeof (T2pIpAddress));
  return self;
}

void
t2pd_loop_watch_free (T2pdLoopWatch *self)
{
  if (self == NULL)
    return;
  drop_quiet (self);
  g_clear_pointer (&self->owner, t2pn_socket_owner_free);
  g_array_unref (self->learnt);
  g_free (self);
}

/* --- whose it is */

static void
find_owner (T2pdLoopWatch *self, Loop *loop)
{
  int ifindex = t2pn_tun_device_get_ifindex (self->bring_up->device);

  if (self->owner == NULL)
    self->owner = t2pn_socket_owner_new (NULL);
  loop->has_owner =
      self->owner != NULL &&
      t2pn_socket_owner_find (self->owner, loop->protocol, &loop->source, &loop->destination,
                              ifindex, &loop->uid) == T2PN_OWNERSHIP_USER;
  if (loop->has_owner)
    loop->inode = t2pn_socket_owner_get_inode (self->owner);
}

/* Who may not know is not told. */
static gboolean
may_be_named (const T2pdLoopWatch *self, const Loop *loop)
{
  guint32 owner = t2pd_tunnel_get_owner (self->bring_up->tunnel);

  return loop->has_owner && (owner == 0 || owner == loop->uid);
}

static void
find_program (T2pdLoopWatch *self, Loop *loop)
{
  gint64 now_us = g_get_monotonic_time ();
  g_autoptr (GPtrArray) processes = NULL;

  if (now_us < self->next_search_us)
    return;
  processes = t2pn_process_list_new ();
  for (guint i = 0; i < processes->len && loop->pid == 0; i++)
    {
      const T2pnProcessEntry *process = processes->pdata[i];

      if (process->uid == loop->uid && loop->inode != 0 &&
          t2pn_process_list_has_socket (process->pid, loop->inode))
        {
          loop->pid = process->pid;
          loop->program = g_utf8_make_valid (process->program, -1);
        }
    }
  self->next_search_us = t2pd_pace_next (now_us, g_get_monotonic_time (), SEARCH_EVERY_US);
}

static gboolean
is_ours (const T2pdLoopWatch *self, const Loop *loop)
{
  const T2pdSecondHop *second_hop = self->bring_up->second_hop;

  return strcmp (loop->kind, "upstream") != 0 ||
         (loop->has_owner && (loop->uid == self->bring_up->service->options->worker_uid ||
                              (second_hop != NULL && t2pd_second_hop_has_socket (
                                                         second_hop, loop->uid, loop->inode))));
}

/* --- telling */

static GVariant *
make_details (const Loop *loop)
{
  GVariantBuilder builder;
  char source[T2P_ENDPOINT_STRLEN], destination[T2P_ENDPOINT_STRLEN];

  t2p_ip_endpoint_format (&loop->source, source);
  t2p_ip_endpoint_format (&loop->destination, destination);
  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "kind", g_variant_new_string (loop->kind));
  g_variant_builder_add (&builder, "{sv}", "protocol",
                         g_variant_new_string (loop->protocol == IPPROTO_TCP ? "tcp" : "udp"));
  g_variant_builder_add (&builder, "{sv}", "source", g_variant_new_string (source));
  g_variant_builder_add (&builder, "{sv}", "destination", g_variant_new_string (destination));
  if (loop->program != NULL)
    {
      g_variant_builder_add (&builder, "{sv}", "uid", g_variant_new_uint32 (loop->uid));
      g_variant_builder_add (&builder, "{sv}", "pid",
                             g_variant_new_uint32 ((guint32) loop->pid));
      g_variant_builder_add (&builder, "{sv}", "program", g_variant_new_string (loop->program));
    }
  return g_variant_builder_end (&builder);
}

static void
log_loop (T2pdLoopWatch *self, const Loop *loop, gint64 now_us)
{
  char destination[T2P_ENDPOINT_STRLEN];

  if (self->logged_us != 0 && now_us - self->logged_us < LOG_EVERY_US)
    return;
  self->logged_us = now_us;
  t2p_ip_endpoint_format (&loop->destination, destination);
  t2p_log_warning (t2pd_tunnel_get_name (self->bring_up->tunnel), NULL,
                   "a connection to %s goes round (%s), made by '%s' (pid %d)", destination,
                   loop->kind, loop->program != NULL ? loop->program : "unknown", loop->pid);
}

static gboolean
quiet_cb (gpointer user_data)
{
  T2pdLoopWatch *self = user_data;

  drop_quiet (self);
  self->since_us = 0;
  t2pd_tunnel_set_impaired (self->bring_up->tunnel, T2PD_IMPAIRMENT_LOOP, FALSE,
                            T2P_STATE_REASON_NONE, NULL);
  return G_SOURCE_REMOVE;
}

static void
note_state (T2pdLoopWatch *self, gint64 now_us)
{
  drop_quiet (self);
  self->quiet = g_timeout_source_new_seconds (QUIET_S);
  g_source_set_callback (self->quiet, quiet_cb, self, NULL);
  g_source_attach (self->quiet, NULL);
  if (self->since_us == 0)
    self->since_us = now_us;
  if (now_us - self->since_us >= PERSISTS_US)
    t2pd_tunnel_set_impaired (self->bring_up->tunnel, T2PD_IMPAIRMENT_LOOP, TRUE,
                              T2P_STATE_REASON_LOOP,
                              "connections to the proxy come back by the tunnel");
}

static void
tell (T2pdLoopWatch *self, Loop *loop)
{
  gint64 now_us = g_get_monotonic_time ();
  g_autoptr (GVariant) details = NULL;

  if (self->told_us != 0 && now_us - self->told_us < TELL_EVERY_US)
    return;
  self->told_us = now_us;
  if (may_be_named (self, loop))
    find_program (self, loop);
  log_loop (self, loop, now_us);
  details = g_variant_ref_sink (make_details (loop));
  g_signal_emit_by_name (self->bring_up, "loop-detected", details);
  if (is_ours (self, loop))
    note_state (self, now_us);
}

/* --- what is done */

static void
learn (T2pdLoopWatch *self, const Loop *loop)
{
  if (!t2pn_loop_method_needs_routes (self->bring_up->settings) ||
      self->learnt->len >= T2P_MAX_LEARNT_UPSTREAMS)
    return;
  for (guint i = 0; i < self->learnt->len; i++)
    if (t2p_ip_address_equal (&g_array_index (self->learnt, T2pIpAddress, i),
                              &loop->destination.address))
      return;
  g_array_append_val (self->learnt, loop->destination.address);
  t2pd_bring_up_update_plan (self->bring_up);
}

void
t2pd_loop_watch_add_to (const T2pdLoopWatch *self, T2pnBypass *bypass)
{
  for (guint i = 0; i < self->learnt->len; i++)
    t2pn_bypass_add_upstream (bypass, &g_array_index (self->learnt, T2pIpAddress, i));
}

/* Whether it is the proxy's, if it is time to look. */
static gboolean
is_of_proxy (T2pdLoopWatch *self, const Loop *loop)
{
  const T2pdSecondHop *second_hop = self->bring_up->second_hop;
  gint64 now_us = g_get_monotonic_time ();
  gboolean is_found;

  if (second_hop == NULL || !loop->has_owner || now_us < self->next_suspect_us)
    return FALSE;
  is_found = t2pd_second_hop_has_socket (second_hop, loop->uid, loop->inode);
  self->next_suspect_us = t2pd_pace_next (now_us, g_get_monotonic_time (), SUSPECT_EVERY_US);
  return is_found;
}

static void
take_suspect (T2pdLoopWatch *self, T2pdWorker *worker, Loop *loop)
{
  char destination[T2P_ENDPOINT_STRLEN];

  if (!is_of_proxy (self, loop))
    return;
  t2p_ip_endpoint_format (&loop->destination, destination);
  t2pd_worker_call_async (worker, "Loop", g_variant_new ("(s)", destination), NULL, NULL, 5000,
                          NULL, NULL, NULL);
  loop->kind = "local-proxy";
  tell (self, loop);
}

static gboolean
read_loop (const char *kind,
           guint protocol,
           const char *source,
           const char *destination,
           Loop *out_loop)
{
  static const char *const kinds[] = { "own-socket", "upstream", "local-proxy", "suspect" };

  memset (out_loop, 0, sizeof *out_loop);
  out_loop->protocol = (guint8) protocol;
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_str_equal (kind, kinds[i]))
      out_loop->kind = kinds[i];
  return out_loop->kind != NULL && (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) &&
         t2p_ip_endpoint_parse (source, &out_loop->source) &&
         t2p_ip_endpoint_parse (destination, &out_loop->destination);
}

static void
seen_cb (T2pdWorker *worker,
         const char *kind,
         guint protocol,
         const char *source,
         const char *destination,
         gpointer user_data)
{
  T2pdBringUp *bring_up = T2PD_BRING_UP (user_data);
  T2pdLoopWatch *self = bring_up->loop_watch;
  Loop loop;

  if (bring_up->device == NULL || !read_loop (kind, protocol, source, destination, &loop))
    return;
  find_owner (self, &loop);
  if (g_str_equal (loop.kind, "suspect"))
    take_suspect (self, worker, &loop);
  else
    tell (self, &loop);
  if (g_str_equal (loop.kind, "own-socket"))
    learn (self, &loop);
  g_free (loop.program);
}

void
t2pd_loop_watch_attach (T2pdBringUp *bring_up, T2pdWorker *worker)
{
  g_signal_connect_object (worker, "loop-seen", G_CALLBACK (seen_cb), bring_up, 0);
}
