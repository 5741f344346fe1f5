/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-manager-methods.h"

#include "t2p-log.h"
#include "t2pn-journal.h"

static const T2pdCallOption repair_options[] = {
  { "dry-run", "b" },
  { NULL, NULL },
};

/* Journals whose owner lives, which ours are, are left alone. */
static void
act_repair (T2pdCall *call)
{
  gboolean is_dry_run = t2pd_call_options_get_bool (call->call_options, "dry-run", FALSE);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  gboolean ok = t2pn_repair (call->service->options->runtime_dir, is_dry_run, lines, &error);

  for (guint i = 0; !is_dry_run && i < lines->len; i++)
    t2p_log_notice (NULL, NULL, "repair: %s", (const char *) lines->pdata[i]);
  if (ok)
    t2pd_call_return (
        call, g_variant_new ("(@as)", g_variant_new_strv ((const char *const *) lines->pdata,
                                                          (gssize) lines->len)));
  else
    t2pd_call_fail (call, error);
}

const T2pdMethod t2pd_manager_repair = { "Repair", repair_options, NULL, NULL, act_repair };
