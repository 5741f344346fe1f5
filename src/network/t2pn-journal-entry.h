/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-process.h"
#include "t2pn-resolv-conf.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* One thing that was done to the machine, and how it is spelled in the journal. */

typedef enum
{
  T2PN_ENTRY_DEVICE,
  T2PN_ENTRY_SOCKET,
  T2PN_ENTRY_WORKER,
  T2PN_ENTRY_ADDRESS,
  T2PN_ENTRY_ROUTE,
  T2PN_ENTRY_TABLE,        /* private to the tunnel: every route of ours in it */
  T2PN_ENTRY_STATIC_TABLE, /* the same, filled by NetworkManager under its number */
  T2PN_ENTRY_RULE,
  T2PN_ENTRY_RESOLV_CONF,
  T2PN_ENTRY_RESOLVCONF, /* a record of resolvconf(8) */
  T2PN_ENTRY_NFT_TABLE,  /* one tunnel's own: everything in it */
  T2PN_ENTRY_CGROUP,     /* likewise; who is in it goes on, outside */
} T2pnEntryKind;

typedef struct
{
  T2pnEntryKind kind;
  union
  {
    struct
    {
      char name[IFNAMSIZ];
      int ifindex;
    } device;
    char *socket;
    T2pnProcess worker;
    T2pnAddress address;
    T2pnRoute route;
    guint32 table;
    T2pnRule rule;
    T2pnResolvConf *resolv_conf;
    char *nft_table;
    char *cgroup;
    char *resolvconf;
  } u;
} T2pnEntry;

void t2pn_entry_free (T2pnEntry *entry);
JsonObject *t2pn_entry_to_json (const T2pnEntry *entry);
/* NULL for what this version does not know, or is malformed. */
T2pnEntry *t2pn_entry_from_json (JsonObject *object);

G_END_DECLS
