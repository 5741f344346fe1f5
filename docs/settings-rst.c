/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <gio/gio.h>
#include <stdio.h>
#include <string.h>

#include "t2p-settings.h"

/* Writes the settings table as a section of a manual page, so that it cannot drift away from
 * what the programs understand. */

static const char *
describe_type (const char *type)
{
  if (g_str_equal (type, "b"))
    return "yes|no";
  if (g_str_equal (type, "u"))
    return "NUMBER";
  if (g_str_equal (type, "as"))
    return "VALUE,…";
  return "TEXT";
}

/* What reStructuredText would take for markup. */
static void
print_escaped (const char *text)
{
  for (const char *c = text; *c != '\0'; c++)
    {
      if (strchr ("*`|_\\", *c) != NULL)
        printf ("\\");
      printf ("%c", *c);
    }
}

static void
print_key (const T2pSettingKey *key)
{
  printf ("``%s=%s``\n    ", key->name,
          key->choices != NULL ? key->choices : describe_type (key->type));
  print_escaped (key->help);
  printf (".");
  if (key->default_text != NULL && *key->default_text != '\0')
    printf (" Default: ``%s``.", key->default_text);
  if (!key->is_unprivileged)
    printf (" Needs the polkit action ``org.tun2proxy.advanced``.");
  if (key->privileged_choice != NULL)
    printf (" ``%s`` needs the polkit action ``org.tun2proxy.advanced``.",
            key->privileged_choice);
  printf ("\n\n");
}

int
main (void)
{
  for (const T2pSettingKey *key = t2p_setting_keys (); key->name != NULL; key++)
    print_key (key);
  return 0;
}
