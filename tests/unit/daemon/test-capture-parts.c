/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-capture-parts.h"

#include "t2p-error.h"

/* What a walk over fake parts did: "+a" made, "-a" undone, "~a" updated, "=a" made again, "!"
 * before what failed. The parts get it in place of the bring-up, which they only pass on. */
typedef struct
{
  GString *trace;
  char fails;
} Walk;

static gboolean
note (T2pdBringUp *self, char verb, char part, GError **error)
{
  Walk *walk = (Walk *) self;

  if (walk->fails == part)
    g_string_append_c (walk->trace, '!');
  g_string_append_printf (walk->trace, "%c%c", verb, part);
  if (walk->fails != part)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_FAILED, "part %c", part);
  return FALSE;
}

#define PART(letter)                                                                           \
  static gboolean run_##letter (T2pdBringUp *self, GError **error)                             \
  {                                                                                            \
    return note (self, '+', #letter[0], error);                                                \
  }                                                                                            \
  static gboolean undo_##letter (T2pdBringUp *self, GError **error)                            \
  {                                                                                            \
    return note (self, '-', #letter[0], error);                                                \
  }                                                                                            \
  static gboolean update_##letter (T2pdBringUp *self, GError **error)                          \
  {                                                                                            \
    return note (self, '~', #letter[0], error);                                                \
  }                                                                                            \
  static gboolean restore_##letter (T2pdBringUp *self, GError **error)                         \
  {                                                                                            \
    return note (self, '=', #letter[0], error);                                                \
  }

PART (a)
PART (b)
PART (c)

static const T2pdCapturePart parts[] = {
  { "first", run_a, undo_a, update_a, restore_a },
  { "second", run_b, undo_b, update_b, restore_b },
  { "third", run_c, undo_c, update_c, restore_c },
};

static const T2pdCapturePart lean[] = {
  { "first", run_a, NULL, NULL, NULL },
  { "second", run_b, undo_b, NULL, NULL },
};

typedef gboolean (*Verb) (const T2pdCapturePart *, gsize, T2pdBringUp *, GError **);

static void
assert_walk (Verb verb, char fails, const char *expected, const char *expected_error)
{
  Walk walk = { g_string_new (""), fails };
  g_autoptr (GError) error = NULL;
  gboolean worked = verb (parts, G_N_ELEMENTS (parts), (T2pdBringUp *) &walk, &error);

  g_assert_cmpstr (walk.trace->str, ==, expected);
  g_assert_cmpint (worked, ==, expected_error == NULL);
  g_assert_cmpstr (error != NULL ? error->message : NULL, ==, expected_error);
  g_string_free (walk.trace, TRUE);
}

static void
test_order (void)
{
  assert_walk (t2pd_capture_parts_run_table, '\0', "+a+b+c", NULL);
  assert_walk (t2pd_capture_parts_undo_table, '\0', "-c-b-a", NULL);
  assert_walk (t2pd_capture_parts_update_table, '\0', "~a~b~c", NULL);
  assert_walk (t2pd_capture_parts_restore_table, '\0', "=a=b=c", NULL);
}

static void
test_failed_run_leaves_nothing (void)
{
  assert_walk (t2pd_capture_parts_run_table, 'c', "+a+b!+c-b-a", "third: part c");
  assert_walk (t2pd_capture_parts_run_table, 'a', "!+a", "first: part a");
}

static void
test_failed_undo_stops_nobody (void)
{
  assert_walk (t2pd_capture_parts_undo_table, 'b', "-c!-b-a", "second: part b");
}

static void
test_failed_update_stops_nobody (void)
{
  assert_walk (t2pd_capture_parts_update_table, 'a', "!~a~b~c", "first: part a");
  assert_walk (t2pd_capture_parts_restore_table, 'a', "!=a=b=c", "first: part a");
}

static void
test_absent_verbs (void)
{
  Walk walk = { g_string_new (""), '\0' };
  T2pdBringUp *self = (T2pdBringUp *) &walk;

  g_assert_true (t2pd_capture_parts_run_table (lean, G_N_ELEMENTS (lean), self, NULL));
  g_assert_true (t2pd_capture_parts_update_table (lean, G_N_ELEMENTS (lean), self, NULL));
  g_assert_true (t2pd_capture_parts_restore_table (lean, G_N_ELEMENTS (lean), self, NULL));
  g_assert_true (t2pd_capture_parts_undo_table (lean, G_N_ELEMENTS (lean), self, NULL));
  g_assert_cmpstr (walk.trace->str, ==, "+a+b-b");
  g_string_free (walk.trace, TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/capture-parts/order", test_order);
  g_test_add_func ("/capture-parts/failed-run-leaves-nothing", test_failed_run_leaves_nothing);
  g_test_add_func ("/capture-parts/failed-undo-stops-nobody", test_failed_undo_stops_nobody);
  g_test_add_func ("/capture-parts/failed-update-stops-nobody",
                   test_failed_update_stops_nobody);
  g_test_add_func ("/capture-parts/absent-verbs", test_absent_verbs);
  return g_test_run ();
}
