/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-pace.h"

#define SHARE 20

gint64
t2pd_pace_next (gint64 began_us, gint64 ended_us, gint64 every_us)
{
  return began_us + MAX (every_us, SHARE * (ended_us - began_us));
}
