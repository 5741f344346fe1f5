/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * Stands in for libFuzzer where that is missing: runs every seed of a text file, then mutations
 * of them that a fixed generator makes, so that each run does the same and a failure comes
 * again. It looks for no new paths; that is what the real fuzzer is for. The input that made
 * the program abort is printed as a line for the file.
 *
 *   fuzz-NAME-replay SEEDS.hex COUNT         run seeds and COUNT mutations
 *   fuzz-NAME-replay --write DIR SEEDS.hex   write the seeds as files, to start libFuzzer with
 */
#include "config.h"

#include "fuzz.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GENERATOR_SEED 20260101
#define MAX_INPUT_BYTES 4096
#define MAX_STEPS 6

static const guint8 *current_input;
static gsize current_bytes;

static void
print_input_cb (int signal_number)
{
  static const char digits[] = "0123456789abcdef";
  static const char head[] = "input: ";
  gssize ignored = write (STDERR_FILENO, head, sizeof head - 1);

  for (gsize i = 0; i < current_bytes; i++)
    {
      char pair[2] = { digits[current_input[i] >> 4], digits[current_input[i] & 0x0f] };

      ignored = write (STDERR_FILENO, pair, sizeof pair);
    }
  ignored = write (STDERR_FILENO, "\n", 1);
  (void) ignored;
  signal (signal_number, SIG_DFL);
  raise (signal_number);
}

/* "#" begins a comment; blanks are skipped; an odd digit out is an error. */
static GByteArray *
parse_line (const char *line)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  int high = -1;

  for (; *line != '\0' && *line != '#'; line++)
    {
      int digit = g_ascii_xdigit_value (*line);

      if (g_ascii_isspace (*line))
        continue;
      if (digit < 0)
        return NULL;
      if (high >= 0)
        {
          guint8 byte = (guint8) (high << 4 | digit);

          g_byte_array_append (bytes, &byte, 1);
        }
      high = high >= 0 ? -1 : digit;
    }
  return high >= 0 ? NULL : g_steal_pointer (&bytes);
}

static GPtrArray *
load_seeds (const char *path, GError **error)
{
  g_autoptr (GPtrArray) seeds =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (path, &text, NULL, error))
    return NULL;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      GByteArray *seed = parse_line (lines[i]);

      if (seed == NULL)
        {
          g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s:%u is not hex", path,
                       i + 1);
          return NULL;
        }
      if (seed->len > 0)
        g_ptr_array_add (seeds, seed);
      else
        g_byte_array_unref (seed);
    }
  if (seeds->len == 0)
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s holds no seed", path);
      return NULL;
    }
  return g_steal_pointer (&seeds);
}

/* Nothing behind the last byte, so that a sanitizer sees every read past the end. */
static void
run (const guint8 *bytes, gsize length)
{
  g_autofree guint8 *exact = g_memdup2 (bytes, length);

  current_input = exact;
  current_bytes = length;
  LLVMFuzzerTestOneInput (exact, length);
  current_bytes = 0;
}

static gsize
pick (GRand *rand, gsize below)
{
  return below == 0 ? 0 : g_rand_int (rand) % below;
}

static void
insert (GByteArray *input, gsize at, const guint8 *bytes, gsize length)
{
  g_autofree guint8 *tail = g_memdup2 (input->data + at, input->len - at);
  gsize tail_bytes = input->len - at;

  g_byte_array_set_size (input, (guint) at);
  g_byte_array_append (input, bytes, (guint) length);
  if (tail_bytes > 0)
    g_byte_array_append (input, tail, (guint) tail_bytes);
}

static void
mutate_once (GByteArray *input, const GPtrArray *seeds, GRand *rand)
{
  static const guint8 edges[] = { 0x00, 0x01, 0x05, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xfe, 0xff };
  const GByteArray *other = seeds->pdata[pick (rand, seeds->len)];
  gsize at = pick (rand, input->len);
  gsize from = pick (rand, other->len);
  guint8 noise[8];

  switch (g_rand_int (rand) % 6)
    {
    case 0:
      if (input->len > 0)
        input->data[at] ^= (guint8) (1u << g_rand_int_range (rand, 0, 8));
      break;
    case 1:
      if (input->len > 0)
        input->data[at] = edges[pick (rand, sizeof edges)];
      break;
    case 2:
      g_byte_array_set_size (input, (guint) at);
      break;
    case 3:
      if (input->len > 0)
        g_byte_array_remove_range (input, (guint) at,
                                   (guint) (1 + pick (rand, input->len - at)));
      break;
    case 4:
      for (gsize i = 0; i < sizeof noise; i++)
        noise[i] = (guint8) g_rand_int (rand);
      insert (input, at, noise, 1 + pick (rand, sizeof noise));
      break;
    default:
      if (other->len > 0)
        insert (input, at, other->data + from, 1 + pick (rand, other->len - from));
      break;
    }
  if (input->len > MAX_INPUT_BYTES)
    g_byte_array_set_size (input, MAX_INPUT_BYTES);
}

static void
run_mutations (const GPtrArray *seeds, guint64 count)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (GENERATOR_SEED);

  for (guint64 i = 0; i < count; i++)
    {
      const GByteArray *seed = seeds->pdata[pick (rand, seeds->len)];
      g_autoptr (GByteArray) input = g_byte_array_new ();
      gsize steps = 1 + pick (rand, MAX_STEPS);

      g_byte_array_append (input, seed->data, seed->len);
      for (gsize step = 0; step < steps; step++)
        mutate_once (input, seeds, rand);
      run (input->data, input->len);
    }
}

static gboolean
write_seeds (const GPtrArray *seeds, const char *folder, GError **error)
{
  if (g_mkdir_with_parents (folder, 0755) != 0)
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot make %s", folder);
      return FALSE;
    }
  for (guint i = 0; i < seeds->len; i++)
    {
      const GByteArray *seed = seeds->pdata[i];
      g_autofree char *name = g_strdup_printf ("seed-%03u", i);
      g_autofree char *path = g_build_filename (folder, name, NULL);

      if (!g_file_set_contents (path, (const char *) seed->data, seed->len, error))
        return FALSE;
    }
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) seeds = NULL;
  gboolean is_write = argc == 4 && strcmp (argv[1], "--write") == 0;
  guint64 count = 0;

  if (!is_write &&
      (argc != 3 || !g_ascii_string_to_unsigned (argv[2], 10, 0, G_MAXUINT32, &count, &error)))
    {
      fprintf (stderr, "usage: %s SEEDS.hex COUNT | --write DIR SEEDS.hex\n", argv[0]);
      return 2;
    }
  seeds = load_seeds (is_write ? argv[3] : argv[1], &error);
  if (seeds == NULL || (is_write && !write_seeds (seeds, argv[2], &error)))
    {
      fprintf (stderr, "%s\n", error->message);
      return 2;
    }
  if (is_write)
    return 0;
  signal (SIGABRT, print_input_cb);
  signal (SIGSEGV, print_input_cb);
  for (guint i = 0; i < seeds->len; i++)
    run (((const GByteArray *) seeds->pdata[i])->data,
         ((const GByteArray *) seeds->pdata[i])->len);
  run_mutations (seeds, count);
  printf ("%u seeds, %" G_GUINT64_FORMAT " mutations\n", seeds->len, count);
  return 0;
}
