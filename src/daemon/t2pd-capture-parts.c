/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-capture-parts.h"

#include "t2pd-apps.h"
#include "t2pd-bring-up-private.h"
#include "t2pd-close-existing.h"
#include "t2pd-dns-redirect.h"
#include "t2pd-resolver-redirect.h"
#include "t2pd-forwarded.h"
#include "t2pd-kill-switch-part.h"

static const T2pdCapturePart parts[] = {
  { "apps", t2pd_apps_run, t2pd_apps_undo, NULL, t2pd_apps_restore },
  { "dns-redirect", t2pd_dns_redirect_run, t2pd_dns_redirect_undo, t2pd_dns_redirect_update,
    t2pd_dns_redirect_restore },
  { "resolver-redirect", t2pd_resolver_redirect_run, t2pd_resolver_redirect_undo,
    t2pd_resolver_redirect_update, t2pd_resolver_redirect_restore },
  { "forwarded", t2pd_forwarded_run, NULL, NULL, t2pd_forwarded_run },
  { "kill-switch", t2pd_kill_switch_part_run, NULL, t2pd_kill_switch_part_update, NULL },
  /* after all that decides who is captured */
  { "close-existing", t2pd_close_existing_run, NULL, NULL, NULL },
};

typedef gboolean (*Verb) (T2pdBringUp *self, GError **error);

/* Keeps the first failure, which says what was the matter with which part. */
static void
try_part (const T2pdCapturePart *part, Verb verb, T2pdBringUp *self, GError **first)
{
  GError *failure = NULL;

  if (verb == NULL || verb (self, &failure))
    return;
  if (*first != NULL)
    {
      g_error_free (failure);
      return;
    }
  g_prefix_error (&failure, "%s: ", part->name);
  *first = failure;
}

static gboolean
take_result (GError *first, GError **error)
{
  if (first == NULL)
    return TRUE;
  g_propagate_error (error, first);
  return FALSE;
}

gboolean
t2pd_capture_parts_run_table (const T2pdCapturePart *table,
                              gsize n_parts,
                              T2pdBringUp *self,
                              GError **error)
{
  for (gsize i = 0; i < n_parts; i++)
    if (!table[i].run (self, error))
      {
        g_prefix_error (error, "%s: ", table[i].name);
        t2pd_capture_parts_undo_table (table, i, self, NULL);
        return FALSE;
      }
  return TRUE;
}

gboolean
t2pd_capture_parts_undo_table (const T2pdCapturePart *table,
                               gsize n_parts,
                               T2pdBringUp *self,
                               GError **error)
{
  GError *first = NULL;

  for (gsize i = n_parts; i > 0; i--)
    try_part (&table[i - 1], table[i - 1].undo, self, &first);
  return take_result (first, error);
}

gboolean
t2pd_capture_parts_update_table (const T2pdCapturePart *table,
                                 gsize n_parts,
                                 T2pdBringUp *self,
                                 GError **error)
{
  GError *first = NULL;

  for (gsize i = 0; i < n_parts; i++)
    try_part (&table[i], table[i].update, self, &first);
  return take_result (first, error);
}

gboolean
t2pd_capture_parts_restore_table (const T2pdCapturePart *table,
                                  gsize n_parts,
                                  T2pdBringUp *self,
                                  GError **error)
{
  GError *first = NULL;

  for (gsize i = 0; i < n_parts; i++)
    try_part (&table[i], table[i].restore, self, &first);
  return take_result (first, error);
}

/* All of them are about this machine's own network. */
static gboolean
is_elsewhere (T2pdBringUp *self)
{
  return t2pd_bring_up_get_netns (self) >= 0;
}

/* What was loaded goes with the step, by the journal: nobody else has removed it then. */
static void
end (T2pdBringUp *self)
{
  self->has_capture_parts = FALSE;
  g_clear_pointer (&self->table, t2pd_tunnel_table_free);
}

gboolean
t2pd_capture_parts_run (T2pdBringUp *self, GError **error)
{
  if (is_elsewhere (self))
    return TRUE;
  self->has_capture_parts =
      t2pd_capture_parts_run_table (parts, G_N_ELEMENTS (parts), self, error);
  if (!self->has_capture_parts)
    end (self);
  return self->has_capture_parts;
}

gboolean
t2pd_capture_parts_undo (T2pdBringUp *self, GError **error)
{
  end (self);
  return is_elsewhere (self) ||
         t2pd_capture_parts_undo_table (parts, G_N_ELEMENTS (parts), self, error);
}

/* A change of the network may have begun before the taking down, and end after it. */
gboolean
t2pd_capture_parts_update (T2pdBringUp *self, GError **error)
{
  return !self->has_capture_parts ||
         t2pd_capture_parts_update_table (parts, G_N_ELEMENTS (parts), self, error);
}

gboolean
t2pd_capture_parts_restore (T2pdBringUp *self, GError **error)
{
  return t2pd_capture_parts_restore_table (parts, G_N_ELEMENTS (parts), self, error);
}
