/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-capture-parts.h"

#include "t2pd-apps.h"
#include "t2pd-close-existing.h"
#include "t2pd-dns-redirect.h"
#include "t2pd-resolver-redirect.h"
#include "t2pd-forwarded.h"
#include "t2pd-kill-switch-part.h"

static const T2pdCapturePart parts[] = {
  { "apps", t2pd_apps_run, t2pd_apps_undo, NULL },
  { "dns-redirect", t2pd_dns_redirect_run, t2pd_dns_redirect_undo, t2pd_dns_redirect_update },
  { "resolver-redirect", t2pd_resolver_redirect_run, t2pd_resolver_redirect_undo,
    t2pd_resolver_redirect_update },
  { "forwarded", t2pd_forwarded_run, NULL, NULL },
  { "kill-switch", t2pd_kill_switch_part_run, NULL, t2pd_kill_switch_part_update },
  /* after all that decides who is captured */
  { "close-existing", t2pd_close_existing_run, NULL, NULL },
  { NULL, NULL, NULL, NULL },
};

/* Without the row that ends it. */
#define N_PARTS (G_N_ELEMENTS (parts) - 1)

/* Keeps the first failure, which says what was the matter with which part. */
static void
keep_first (GError **first, const T2pdCapturePart *part, GError *failure)
{
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
    {
      GError *failure = NULL;

      if (table[i - 1].undo != NULL && !table[i - 1].undo (self, &failure))
        keep_first (&first, &table[i - 1], failure);
    }
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
    {
      GError *failure = NULL;

      if (table[i].update != NULL && !table[i].update (self, &failure))
        keep_first (&first, &table[i], failure);
    }
  return take_result (first, error);
}

/* All of them are about this machine's own network. */
static gboolean
is_elsewhere (T2pdBringUp *self)
{
  return t2pd_bring_up_get_netns (self) >= 0;
}

gboolean
t2pd_capture_parts_run (T2pdBringUp *self, GError **error)
{
  return is_elsewhere (self) || t2pd_capture_parts_run_table (parts, N_PARTS, self, error);
}

gboolean
t2pd_capture_parts_undo (T2pdBringUp *self, GError **error)
{
  return is_elsewhere (self) || t2pd_capture_parts_undo_table (parts, N_PARTS, self, error);
}

gboolean
t2pd_capture_parts_update (T2pdBringUp *self, GError **error)
{
  return is_elsewhere (self) || t2pd_capture_parts_update_table (parts, N_PARTS, self, error);
}
