/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The machine's sleep, as logind tells of it. */
typedef struct _T2pdSleep T2pdSleep;

/* Before the machine sleeps (@is_asleep), and when it is awake again: once each, in turn. */
typedef void (*T2pdSleepFunc) (gboolean is_asleep, gpointer user_data);

T2pdSleep *t2pd_sleep_new (GDBusConnection *bus, T2pdSleepFunc func, gpointer user_data);
void t2pd_sleep_free (T2pdSleep *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pdSleep, t2pd_sleep_free)

G_END_DECLS
