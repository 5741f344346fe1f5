/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Tables of nftables, all of family inet. Ours are named T2PN_NFT_TABLE, or that, a dash and
 * the tunnel's id; everything else in the kernel belongs to somebody else and is neither looked
 * at nor changed. Every call is synchronous and local. */
#define T2PN_NFT_TABLE "tun2proxy"

/**
 * t2pn_nft_make_table_name:
 * @tunnel_id: as in the name of its journal
 *
 * Returns: (transfer full): the name of that tunnel's own table
 */
char *t2pn_nft_make_table_name (const char *tunnel_id);
/* Whether @name is that of one tunnel's table: what a journal may ask to have deleted. */
gboolean t2pn_nft_is_tunnel_table (const char *name);

/* Carries out @script, in the language of nft(8): all of it, or nothing. */
gboolean t2pn_nft_run (const char *script, GError **error);
/* The same, and returns what `list` commands in it say. (transfer full) */
char *t2pn_nft_ask (const char *script, GError **error);
/* Looks whether the kernel would take @script, and changes nothing. */
gboolean t2pn_nft_check (const char *script, GError **error);

/* Makes tables that are its own (`flags owner`): nobody else changes them, and the kernel
 * removes them when it is freed or the process ends, in whatever way. */
typedef struct nft_ctx T2pnNftOwner;
T2pnNftOwner *t2pn_nft_owner_new (GError **error);
void t2pn_nft_owner_free (T2pnNftOwner *self);
gboolean t2pn_nft_owner_run (T2pnNftOwner *self, const char *script, GError **error);

gboolean t2pn_nft_has_table (const char *name, gboolean *out_has_table, GError **error);
/* Succeeds when there is no such table, too. */
gboolean t2pn_nft_delete_table (const char *name, GError **error);

G_END_DECLS
