/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-nft.h"

#include <errno.h>
#include <gio/gio.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct nft_ctx NftContext;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (NftContext, nft_ctx_free)

char *
t2pn_nft_make_table_name (const char *tunnel_id)
{
  return g_strconcat (T2PN_NFT_TABLE "-", tunnel_id, NULL);
}

gboolean
t2pn_nft_is_tunnel_table (const char *name)
{
  gsize length = strlen (T2PN_NFT_TABLE "-");

  return g_str_has_prefix (name, T2PN_NFT_TABLE "-") && name[length] != '\0' &&
         strspn (name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._-") == strlen (name);
}

/* The library ends the process when it cannot have this socket. */
static gboolean
check_socket (GError **error)
{
  int fd = socket (AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  int errsv = errno;

  if (fd >= 0)
    {
      close (fd);
      return TRUE;
    }
  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv),
               "could not talk to nftables: %s", g_strerror (errsv));
  return FALSE;
}

static NftContext *
context_new (GError **error)
{
  NftContext *context;

  if (!check_socket (error))
    return NULL;
  context = nft_ctx_new (NFT_CTX_DEFAULT);
  if (context != NULL && nft_ctx_buffer_output (context) == 0 &&
      nft_ctx_buffer_error (context) == 0)
    return context;
  g_clear_pointer (&context, nft_ctx_free);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "could not prepare nftables");
  return NULL;
}

/* The library says where, too, in lines that only make sense below the script. */
static void
set_error_from_context (NftContext *context, GError **error)
{
  g_auto (GStrv) lines = g_strsplit (nft_ctx_get_error_buffer (context), "\n", 2);
  const char *line = lines[0] != NULL && lines[0][0] != '\0' ? lines[0] : "no reason was told";

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "nftables refused: %s", line);
}

static char *
run (const char *script, gboolean is_dry_run, GError **error)
{
  g_autoptr (NftContext) context = context_new (error);

  if (context == NULL)
    return NULL;
  nft_ctx_set_dry_run (context, is_dry_run);
  if (nft_run_cmd_from_buffer (context, script) == 0)
    return g_strdup (nft_ctx_get_output_buffer (context));
  set_error_from_context (context, error);
  return NULL;
}

gboolean
t2pn_nft_run (const char *script, GError **error)
{
  g_autofree char *output = run (script, FALSE, error);

  return output != NULL;
}

char *
t2pn_nft_ask (const char *script, GError **error)
{
  return run (script, FALSE, error);
}

gboolean
t2pn_nft_check (const char *script, GError **error)
{
  g_autofree char *output = run (script, TRUE, error);

  return output != NULL;
}

T2pnNftOwner *
t2pn_nft_owner_new (GError **error)
{
  return context_new (error);
}

void
t2pn_nft_owner_free (T2pnNftOwner *self)
{
  if (self != NULL)
    nft_ctx_free (self);
}

gboolean
t2pn_nft_owner_run (T2pnNftOwner *self, const char *script, GError **error)
{
  if (nft_run_cmd_from_buffer (self, script) == 0)
    return TRUE;
  set_error_from_context (self, error);
  return FALSE;
}

gboolean
t2pn_nft_has_table (const char *name, gboolean *out_has_table, GError **error)
{
  g_autofree char *output = run ("list tables inet", FALSE, error);
  g_autofree char *wanted = g_strconcat ("table inet ", name, NULL);
  g_auto (GStrv) lines = NULL;

  if (output == NULL)
    return FALSE;
  lines = g_strsplit (output, "\n", -1);
  *out_has_table = g_strv_contains ((const char *const *) lines, wanted);
  return TRUE;
}

gboolean
t2pn_nft_delete_table (const char *name, GError **error)
{
  /* Adding what is there already changes nothing, so that this works in either case. */
  g_autofree char *script =
      g_strdup_printf ("add table inet %s\ndelete table inet %s\n", name, name);

  return t2pn_nft_run (script, error);
}
