/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Names and whole domains: "corp.example" is that name and everything below, "*.local" only
 * what is below. Answered in O(labels). */
typedef struct _T2pwNameSet T2pwNameSet;

T2pwNameSet *t2pw_name_set_new (const char *const *patterns);
void t2pw_name_set_free (T2pwNameSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwNameSet, t2pw_name_set_free)

gboolean t2pw_name_set_contains (const T2pwNameSet *set, const char *name);

G_END_DECLS
