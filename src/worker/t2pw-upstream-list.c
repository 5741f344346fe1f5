/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-upstream-list.h"

#include "t2pw-association.h"
#include "t2pw-error-name.h"

static const char *
state_to_string (T2pwMemberState state)
{
  switch (state)
    {
    case T2PW_MEMBER_UNKNOWN:
      return "unknown";
    case T2PW_MEMBER_UP:
      return "up";
    case T2PW_MEMBER_DOWN:
      return "down";
    }
  return "unknown";
}

static GVariant *
status_to_row (const T2pwMemberStatus *status)
{
  g_auto (GVariantDict) row = G_VARIANT_DICT_INIT (NULL);
  g_autofree char *error = t2pw_error_name (status->error);

  g_variant_dict_insert (&row, "uri", "s", status->label);
  g_variant_dict_insert (&row, "state", "s", state_to_string (status->state));
  g_variant_dict_insert (&row, "rtt-us", "t", (guint64) status->rtt_us);
  g_variant_dict_insert (&row, "error", "s", error);
  g_variant_dict_insert (&row, "message", "s",
                         status->error != NULL ? status->error->message : "");
  g_variant_dict_insert (&row, "active", "b", status->is_active);
  g_variant_dict_insert (
      &row, "udp", "s",
      t2pw_udp_mode_to_string (t2pw_outbound_get_udp_mode (status->outbound)));
  return g_variant_dict_end (&row);
}

GVariant *
t2pw_upstream_list_new (T2pwOutbound *group)
{
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("aa{sv}"));

  for (guint i = 0; i < t2pw_group_get_n_members (group); i++)
    {
      T2pwMemberStatus status;

      t2pw_group_get_status (group, i, &status);
      g_variant_builder_add_value (&builder, status_to_row (&status));
    }
  return g_variant_builder_end (&builder);
}
