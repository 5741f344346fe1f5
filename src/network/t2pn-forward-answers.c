/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-forward-answers.h"

/* Behind conntrack, before DNAT; of iptables "mangle". */
#define CHAIN                                                                                  \
  "add table inet %s\n"                                                                        \
  "add chain inet %s forwarded { type filter hook prerouting priority -150; policy accept; "   \
  "}\n"                                                                                        \
  "flush chain inet %s forwarded\n"
#define RULE                                                                                   \
  "add rule inet %s forwarded iifname != \"%s\" meta mark 0 ct direction reply fib daddr "     \
  "type != local meta mark set 0x%x\n"

char *
t2pn_forward_answers_to_script (const char *table, const char *ifname, guint32 mark)
{
  GString *script = g_string_new (NULL);

  g_string_append_printf (script, CHAIN, table, table, table);
  g_string_append_printf (script, RULE, table, ifname, mark);
  return g_string_free (script, FALSE);
}
