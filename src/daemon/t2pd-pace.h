/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Pure: when something that began at @began_us and ended at @ended_us may be done again: not
 * before @every_us have passed, and so that it takes no more than a twentieth of the time, for
 * nobody is served meanwhile. What it costs is often for every user of the machine to say. */
gint64 t2pd_pace_next (gint64 began_us, gint64 ended_us, gint64 every_us);

G_END_DECLS
