/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ctl-units.h"

#include <glib/gi18n.h>

#define KIB 1024.0
#define MINUTE_S 60
#define HOUR_S (60 * MINUTE_S)
#define DAY_S (24 * HOUR_S)

char *
t2p_ctl_format_bytes (guint64 bytes)
{
  static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
  double value = (double) bytes / KIB;
  gsize unit = 0;

  if (bytes < 1024)
    return g_strdup_printf ("%" G_GUINT64_FORMAT " B", bytes);
  /* One less than a whole KiB, rounded, must not read "1024.0 KiB". */
  while (value >= KIB - 0.05 && unit + 1 < G_N_ELEMENTS (units))
    {
      value /= KIB;
      unit++;
    }
  return g_strdup_printf ("%.1f %s", value, units[unit]);
}

char *
t2p_ctl_format_age (guint64 age_us)
{
  const guint64 seconds = age_us / G_USEC_PER_SEC;

  /* Translators: ages: seconds, minutes, hours, days, as short as they go */
  if (seconds < MINUTE_S)
    return g_strdup_printf (_ ("%u s"), (guint) seconds);
  if (seconds < HOUR_S)
    return g_strdup_printf (_ ("%u min %02u s"), (guint) (seconds / MINUTE_S),
                            (guint) (seconds % MINUTE_S));
  if (seconds < DAY_S)
    return g_strdup_printf (_ ("%u h %02u min"), (guint) (seconds / HOUR_S),
                            (guint) (seconds % HOUR_S / MINUTE_S));
  return g_strdup_printf (_ ("%u d %u h"), (guint) (seconds / DAY_S),
                          (guint) (seconds % DAY_S / HOUR_S));
}

char *
t2p_ctl_format_delay (guint64 delay_us)
{
  const double ms = (double) delay_us / 1000.0;

  /* Translators: milliseconds */
  return ms < 10.0 ? g_strdup_printf (_ ("%.1f ms"), ms) : g_strdup_printf (_ ("%.0f ms"), ms);
}
