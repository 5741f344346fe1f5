/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-worker-row.h"

#include "t2p-limits.h"

#define MAX_TEXT_CHARACTERS 200
#define MAX_CELL_BYTES 512
#define MAX_FIELDS 32 /* of one row, the unknown ones included */
#define MAX_DROP_COUNTERS 32

/** Field: what a row may hold. */
typedef struct
{
  const char *name;
  const char *type;
} Field;

static const Field connection_fields[] = {
  { "id", "t" },       { "protocol", "s" }, { "source", "s" }, { "destination", "s" },
  { "host", "s" },     { "proxy", "s" },    { "rule", "s" },   { "state", "s" },
  { "rx-bytes", "t" }, { "tx-bytes", "t" }, { "age-us", "t" }, { NULL, NULL },
};

static const Field upstream_fields[] = {
  { "uri", "s" },     { "state", "s" },  { "rtt-us", "t" }, { "error", "s" },
  { "message", "s" }, { "active", "b" }, { "udp", "s" },    { NULL, NULL },
};

static const Field probe_fields[] = {
  { "reachable", "b" }, { "rtt-us", "t" },       { "auth", "s" }, { "connect", "b" },
  { "names", "b" },     { "ipv6", "b" },         { "udp", "s" },  { "error", "s" },
  { "message", "s" },   { "ipv6-refused", "b" }, { NULL, NULL },
};

static const char *const counters_always_there[] = {
  "rx-bytes",
  "tx-bytes",
  "rx-packets",
  "tx-packets",
  "connections-opened",
  "connections-active",
  "connections-refused",
  "connections-failed",
  "udp-flows",
  "dns-queries",
  "dns-failures",
  "dns-cache-hits",
  "reassembled",
  NULL,
};

static const Field *
find_field (const Field *fields, const char *name)
{
  for (; fields->name != NULL; fields++)
    if (g_str_equal (fields->name, name))
      return fields;
  return NULL;
}

static char *
clean_text (const char *text, guint most_characters)
{
  GString *clean = g_string_new (NULL);
  const char *p = text;

  for (guint n = 0; *p != '\0' && n < most_characters; n++, p = g_utf8_next_char (p))
    {
      gunichar character = g_utf8_get_char (p);

      g_string_append_unichar (clean, g_unichar_isprint (character) ? character : '?');
    }
  return g_string_free (clean, FALSE);
}

char *
t2pd_worker_row_clean_text (const char *text)
{
  return clean_text (text, MAX_TEXT_CHARACTERS);
}

char *
t2pd_worker_row_clean_uri (const char *text)
{
  return clean_text (text, T2P_MAX_STRING_BYTES);
}

/* There are few rows with a `uri`, which may be a chain with paths of files. */
static gboolean
is_short (const char *name, GVariant *value)
{
  const gsize most = g_str_equal (name, "uri") ? T2P_MAX_STRING_BYTES : MAX_CELL_BYTES;

  return !g_variant_is_of_type (value, G_VARIANT_TYPE_STRING) ||
         g_variant_get_size (value) <= most;
}

static GVariant *
copy_row (GVariant *row, const Field *fields, guint64 *io_dropped)
{
  GVariantBuilder builder;
  GVariantIter iter;
  const char *name;
  GVariant *value;
  guint seen = 0;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_iter_init (&iter, row);
  while (seen++ < MAX_FIELDS && g_variant_iter_next (&iter, "{&sv}", &name, &value))
    {
      g_autoptr (GVariant) owned = value;
      const Field *field = find_field (fields, name);

      if (field != NULL && g_variant_is_of_type (owned, G_VARIANT_TYPE (field->type)) &&
          is_short (name, owned))
        g_variant_builder_add (&builder, "{sv}", name, owned);
      else
        (*io_dropped)++;
    }
  return g_variant_builder_end (&builder);
}

static GVariant *
copy_rows (GVariant *rows, const Field *fields, gsize max_rows, guint64 *io_dropped)
{
  gsize n = MIN (g_variant_n_children (rows), max_rows);
  GVariantBuilder builder;

  *io_dropped += g_variant_n_children (rows) - n;
  g_variant_builder_init (&builder, G_VARIANT_TYPE ("aa{sv}"));
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

      g_variant_builder_add_value (&builder, copy_row (row, fields, io_dropped));
    }
  return g_variant_builder_end (&builder);
}

GVariant *
t2pd_worker_row_copy_connections (GVariant *rows, guint max_rows, guint64 *io_dropped)
{
  return copy_rows (rows, connection_fields, max_rows, io_dropped);
}

GVariant *
t2pd_worker_row_copy_upstreams (GVariant *rows, guint64 *io_dropped)
{
  return copy_rows (rows, upstream_fields, T2P_MAX_PROXIES, io_dropped);
}

GVariant *
t2pd_worker_row_copy_probe (GVariant *result, guint64 *io_dropped)
{
  return copy_row (result, probe_fields, io_dropped);
}

static gboolean
is_drop_counter (const char *name)
{
  if (!g_str_has_prefix (name, "dropped-") || strlen (name) > 64)
    return FALSE;
  for (const char *p = name; *p != '\0'; p++)
    if (!g_ascii_islower (*p) && !g_ascii_isdigit (*p) && *p != '-')
      return FALSE;
  return TRUE;
}

static void
add_drop_counters (GVariantBuilder *builder, GVariant *counters, guint64 *io_dropped)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  GVariantIter iter;
  const char *name;
  guint64 value;

  g_variant_iter_init (&iter, counters);
  while (g_variant_iter_next (&iter, "{&st}", &name, &value))
    if (g_strv_contains (counters_always_there, name))
      continue;
    else if (is_drop_counter (name) && g_hash_table_size (seen) < MAX_DROP_COUNTERS &&
             g_hash_table_add (seen, (gpointer) name))
      g_variant_builder_add (builder, "{st}", name, value);
    else
      (*io_dropped)++;
}

GVariant *
t2pd_worker_row_copy_statistics (GVariant *counters, guint64 *io_dropped)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{st}"));
  for (guint i = 0; counters_always_there[i] != NULL; i++)
    {
      guint64 value = 0;

      if (counters != NULL)
        g_variant_lookup (counters, counters_always_there[i], "t", &value);
      g_variant_builder_add (&builder, "{st}", counters_always_there[i], value);
    }
  if (counters != NULL)
    add_drop_counters (&builder, counters, io_dropped);
  return g_variant_builder_end (&builder);
}
