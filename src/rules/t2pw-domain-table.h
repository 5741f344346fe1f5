/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The names of a `domain-file:`: whether one of them covers a name is a binary search. */
typedef struct _T2pwDomainTable T2pwDomainTable;

/* On each line `corp.example` (also written `.corp.example` or `*.corp.example`): this name and
 * all below it; or `=www.corp.example`: this name alone. Takes from *@entries_left. Errors as
 * t2pw_cidr_table_parse(). */
T2pwDomainTable *t2pw_domain_table_parse (GBytes *content, guint *entries_left, GError **error);
void t2pw_domain_table_free (T2pwDomainTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwDomainTable, t2pw_domain_table_free)

/* @name: of any case, with a dot at its end or without */
gboolean t2pw_domain_table_contains (const T2pwDomainTable *table, const char *name);
/* How many entries are left when those inside others are gone. */
guint t2pw_domain_table_get_size (const T2pwDomainTable *table);

G_END_DECLS
