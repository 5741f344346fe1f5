/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/* resolvconf(8): who knows a link's name servers tells it, as a record with a name, and it
 * writes resolv.conf from all records. There are two, openresolv and Debian's, with the same
 * words for what we need. (A third is systemd-resolved under that name, which is told by
 * D-Bus.) */

/* Where they keep the records, one in a file. */
#define T2PN_RESOLVCONF_RECORDS_DEBIAN "/run/resolvconf/interface"
#define T2PN_RESOLVCONF_RECORDS "/run/resolvconf/interfaces"

/* Its own limit for waiting until another run of it has ended is ten seconds. */
#define T2PN_RESOLVCONF_TIMEOUT_MS 12000

/* Its absolute path, or NULL where there is none. (transfer full) */
char *t2pn_resolvconf_find (void);
/* Whether resolvconf is who writes @resolv_conf: what it is told has an effect on programs. */
gboolean t2pn_resolvconf_owns (const char *resolv_conf);

/* The name of our record for a link: one that Debian's puts before those of ordinary links.
 * (transfer full) */
char *t2pn_resolvconf_make_name (int ifindex);
/* Whether a record is one of ours, by its name. */
gboolean t2pn_resolvconf_is_own_name (const char *name);
/* Whether it has a record of this name, as far as its folders tell. */
gboolean t2pn_resolvconf_has_record (const char *name);
/* Removes it, and waits: for repair. */
gboolean t2pn_resolvconf_remove (const char *name, GError **error);

/* Pure: the record that sends all names to @servers. What programs rely on in @old, the
 * resolv.conf of now (nullable), stays in force: search list and options, as far as they are
 * plain words, for resolvconf is a shell script. (transfer full) */
char *t2pn_resolvconf_compose (const T2pIpAddress *servers, guint n_servers, const char *old);
/* Pure: of what `resolvconf -l` says the records that are not ours, one after the other.
 * (transfer full) */
char *t2pn_resolvconf_strip_own (const char *listing);

G_END_DECLS
