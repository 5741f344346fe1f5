/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

struct pbuf;

/* Functions of lwIP that this program may take over, because the dynamic linker resolves the
 * library's own calls to ours. Never a condition of correctness: where it does not happen (or
 * is forbidden), the plain way is used. */

/* Finds out by trying whether the library calls us. After lwip_init(), with the default
 * interface up, outside of any connection. */
void t2pw_accelerator_probe (void);
/* For tests of the plain way: the next stack uses none. */
void t2pw_accelerator_forbid (gboolean is_forbidden);
gboolean t2pw_accelerator_can_checksum (void);
gboolean t2pw_accelerator_can_hand_over (void);
/* Whether lwIP's checksums are left out: the caller verifies what comes in, and lets the kernel
 * fill in what goes out. */
void t2pw_accelerator_skip_checksums (gboolean is_skipped);

/* The next packet buffer for data that lwIP allocates is @p, with its data in place. */
void t2pw_accelerator_arm (struct pbuf *p);
/* What was armed, if lwIP did not take it. */
struct pbuf *t2pw_accelerator_disarm (void);

G_END_DECLS
