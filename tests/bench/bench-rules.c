/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench-rules [ENTRIES]: how long lists of rules take to load, and a decision after that. */
#include "config.h"

#include "t2pw-rule-set.h"

#include <netinet/in.h>
#include <stdlib.h>

#define DECISIONS 1000000

static const char *const texts[] = { "cidr-file:fd:nets -> direct",
                                     "domain-file:fd:names -> direct", NULL };

/* The @i th network, in no order; the hosts of one are asked for. */
static guint32
network_at (guint i)
{
  const guint32 mixed = i * 2654435761u;

  return ((1 + (mixed >> 24) % 223) << 24) | (mixed & 0xffff00);
}

static GHashTable *
make_files (guint n)
{
  GHashTable *files =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) g_bytes_unref);
  GString *nets = g_string_new (NULL);
  GString *names = g_string_new (NULL);

  for (guint i = 0; i < n; i++)
    {
      const T2pIpAddress network = t2p_ip_address_from_v4 (network_at (i));
      char text[T2P_IP_STRLEN];

      t2p_ip_address_format (&network, text);
      g_string_append_printf (nets, "%s/24\n", text);
      g_string_append_printf (names, "host-%x.zone-%u.example\n", i * 2654435761u, i % 977);
    }
  g_hash_table_insert (files, (gpointer) "fd:nets", g_string_free_to_bytes (nets));
  g_hash_table_insert (files, (gpointer) "fd:names", g_string_free_to_bytes (names));
  return files;
}

static void
measure (const T2pwRuleSet *set, const char *what, gboolean by_name, guint n)
{
  const gint64 began_us = g_get_monotonic_time ();
  guint found = 0;

  for (guint i = 0; i < DECISIONS; i++)
    {
      T2pwRuleSubject subject = { .port = 443, .protocol = IPPROTO_TCP };
      T2pwDecision decision;
      char name[64];

      if (by_name)
        {
          g_snprintf (name, sizeof name, "www.host-%x.zone-%u.example",
                      i % (2 * n) * 2654435761u, i % (2 * n) % 977);
          subject.name = name;
        }
      else
        subject.address = t2p_ip_address_from_v4 (network_at (i % (2 * n)) | 7);
      found +=
          t2pw_rule_set_decide (set, &subject, &decision) && decision.action == T2P_RULE_DIRECT;
    }
  g_print ("%s: %.0f ns a decision, %u of %u found\n", what,
           (double) (g_get_monotonic_time () - began_us) * 1000 / DECISIONS, found, DECISIONS);
}

int
main (int argc, char **argv)
{
  const guint n = argc > 1 ? (guint) strtoul (argv[1], NULL, 10) : 100000;
  g_autoptr (GHashTable) files = make_files (n);
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pwRuleSet) set = NULL;
  const gint64 began_us = g_get_monotonic_time ();

  set = t2pw_rule_set_new (texts, files, NULL, &error);
  if (set == NULL)
    {
      g_printerr ("bench-rules: %s\n", error->message);
      return 1;
    }
  g_print ("%u networks and %u names: loaded in %.0f ms\n", n, n,
           (double) (g_get_monotonic_time () - began_us) / 1000);
  measure (set, "by address", FALSE, n);
  measure (set, "by name", TRUE, n);
  return 0;
}
