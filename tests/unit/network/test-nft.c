/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-journal-entry.h"
#include "t2pn-nft.h"

static void
test_names (void)
{
  g_autofree char *name = t2pn_nft_make_table_name ("17");

  g_assert_cmpstr (name, ==, "tun2proxy-17");
  g_assert_true (t2pn_nft_is_tunnel_table (name));
  g_assert_false (t2pn_nft_is_tunnel_table (T2PN_NFT_TABLE)); /* the kill switch's */
  g_assert_false (t2pn_nft_is_tunnel_table ("tun2proxy-"));
  g_assert_false (t2pn_nft_is_tunnel_table ("filter"));
  g_assert_false (t2pn_nft_is_tunnel_table ("tun2proxy-1; flush ruleset"));
  g_assert_false (t2pn_nft_is_tunnel_table ("tun2proxy-1\nflush ruleset"));
}

static T2pnEntry *
read_entry (const char *name)
{
  g_autoptr (JsonObject) object = json_object_new ();

  json_object_set_string_member (object, "kind", "nft-table");
  if (name != NULL)
    json_object_set_string_member (object, "name", name);
  return t2pn_entry_from_json (object);
}

static void
test_journal_entry (void)
{
  T2pnEntry *entry = read_entry ("tun2proxy-17");
  g_autoptr (JsonObject) object = t2pn_entry_to_json (entry);

  g_assert_cmpstr (json_object_get_string_member (object, "kind"), ==, "nft-table");
  g_assert_cmpstr (json_object_get_string_member (object, "name"), ==, "tun2proxy-17");
  t2pn_entry_free (entry);
}

/* Whatever a file says: somebody else's table is not deleted. */
static void
test_journal_of_others (void)
{
  g_assert_null (read_entry ("filter"));
  g_assert_null (read_entry ("tun2proxy"));
  g_assert_null (read_entry ("tun2proxy-1 ; flush ruleset"));
  g_assert_null (read_entry (NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/nft/names", test_names);
  g_test_add_func ("/nft/journal/entry", test_journal_entry);
  g_test_add_func ("/nft/journal/tables-of-others-are-refused", test_journal_of_others);
  return g_test_run ();
}
