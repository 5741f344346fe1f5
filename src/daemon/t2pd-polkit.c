/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * A request needs a set of actions. Each is first checked without a dialog, the strongest
 * first: a flat no ends it before anybody is disturbed. When some of them need a password, one
 * dialog is shown, for the strongest of these. Those that it implies (t2pd-authority.c, and the
 * policy file for polkit itself) are granted with it: an answer for this once is not kept by
 * polkit, so that it could not be asked again. The others are looked at once more.
 *
 * Bounded: T2P_MAX_CHECKS_PER_SENDER and T2P_MAX_CHECKS. A check ends when its cancellable says
 * that the sender left. Without polkit nobody but root, who is not asked, may do anything. */

#include "t2pd-polkit.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2pd-authority.h"

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_FLAG_INTERACTION 1u
#define QUIET_TIMEOUT_MS 25000

struct _T2pdPolkit
{
  GObject parent;
  GDBusConnection *bus;
  GHashTable *pending; /* sender → number of its checks */
  guint n_pending;
  guint64 next_id;
};

G_DEFINE_FINAL_TYPE (T2pdPolkit, t2pd_polkit, G_TYPE_OBJECT)

/** CheckPhase: where a check is in the order above. */
typedef enum
{
  PHASE_QUIET,
  PHASE_DIALOG,
  PHASE_AGAIN,
} CheckPhase;

typedef struct
{
  char *sender;
  GVariant *details;
  gboolean is_interactive;
  CheckPhase phase;
  T2pdAction current;
  guint to_ask;     /* actions of this phase that were not asked yet */
  guint challenges; /* actions that want a password */
  char *cancellation_id;
  gulong cancelled_id;
} Check;

static void
check_free (Check *check)
{
  g_free (check->sender);
  g_variant_unref (check->details);
  g_free (check->cancellation_id);
  g_free (check);
}

static void
t2pd_polkit_dispose (GObject *object)
{
  T2pdPolkit *self = T2PD_POLKIT (object);

  g_clear_object (&self->bus);
  g_clear_pointer (&self->pending, g_hash_table_unref);
  G_OBJECT_CLASS (t2pd_polkit_parent_class)->dispose (object);
}

static void
t2pd_polkit_class_init (T2pdPolkitClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = t2pd_polkit_dispose;
}

static void
t2pd_polkit_init (T2pdPolkit *self)
{
  self->pending = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}

T2pdPolkit *
t2pd_polkit_new (GDBusConnection *bus)
{
  T2pdPolkit *self = g_object_new (T2PD_TYPE_POLKIT, NULL);

  self->bus = g_object_ref (bus);
  return self;
}

static gboolean
count_in (T2pdPolkit *self, const char *sender, GError **error)
{
  guint of_sender = GPOINTER_TO_UINT (g_hash_table_lookup (self->pending, sender));

  if (of_sender >= T2P_MAX_CHECKS_PER_SENDER || self->n_pending >= T2P_MAX_CHECKS)
    {
      g_set_error (
          error, T2P_ERROR, T2P_ERROR_BUSY,
          "%u authorisations of this caller and %u in all are being asked for, at most "
          "%d and %d expected",
          of_sender, self->n_pending, T2P_MAX_CHECKS_PER_SENDER, T2P_MAX_CHECKS);
      return FALSE;
    }
  g_hash_table_insert (self->pending, g_strdup (sender), GUINT_TO_POINTER (of_sender + 1));
  self->n_pending++;
  return TRUE;
}

static void
count_out (T2pdPolkit *self, const char *sender)
{
  guint of_sender = GPOINTER_TO_UINT (g_hash_table_lookup (self->pending, sender));

  self->n_pending--;
  if (of_sender > 1)
    g_hash_table_insert (self->pending, g_strdup (sender), GUINT_TO_POINTER (of_sender - 1));
  else
    g_hash_table_remove (self->pending, sender);
}

/* Ends the check: @error (transfer full) or, when it is NULL, yes. */
static void
check_end (GTask *task, GError *error)
{
  T2pdPolkit *self = g_task_get_source_object (task);
  Check *check = g_task_get_task_data (task);

  count_out (self, check->sender);
  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

static GError *
error_denied (Check *check)
{
  const char *action = t2pd_action_get_name (check->current);

  if (check->phase == PHASE_AGAIN)
    return g_error_new (
        T2P_ERROR, T2P_ERROR_NOT_AUTHORIZED,
        "the request needs an authorisation for '%s' besides the one just given", action);
  return g_error_new (T2P_ERROR, T2P_ERROR_NOT_AUTHORIZED, "not authorized for '%s'", action);
}

static GError *
error_of_call (const GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return g_error_new_literal (T2P_ERROR, T2P_ERROR_CANCELLED, "the caller left the bus");
  return g_error_new (T2P_ERROR, T2P_ERROR_NOT_AUTHORIZED,
                      "polkit could not be asked, only root may do this: %s", error->message);
}

static T2pdAction
take_strongest (guint *actions)
{
  guint bit = (guint) g_bit_nth_lsf (*actions, -1);

  *actions &= ~(1u << bit);
  return (T2pdAction) bit;
}

static void check_next (GTask *task);

/* What polkit said about the current action. */
static void
check_take_answer (GTask *task,
                   gboolean is_authorized,
                   gboolean is_challenge,
                   GVariant *details)
{
  Check *check = g_task_get_task_data (task);
  const char *dismissed = NULL;

  if (is_authorized)
    {
      check_next (task);
      return;
    }
  if (check->phase == PHASE_QUIET && is_challenge)
    {
      check->challenges |= T2PD_ACTION_BIT (check->current);
      check_next (task);
      return;
    }
  if (g_variant_lookup (details, "polkit.dismissed", "&s", &dismissed) && dismissed[0] != '\0')
    check_end (task, g_error_new_literal (T2P_ERROR, T2P_ERROR_AUTHORIZATION_DISMISSED,
                                          "the password dialog was dismissed"));
  else
    check_end (task, error_denied (check));
}

static void
answer_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  Check *check = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  g_autoptr (GVariant) details = NULL;
  gboolean is_authorized, is_challenge;

  g_cancellable_disconnect (g_task_get_cancellable (task), check->cancelled_id);
  check->cancelled_id = 0;
  if (reply == NULL)
    {
      check_end (task, error_of_call (error));
      return;
    }
  g_variant_get (reply, "((bb@a{ss}))", &is_authorized, &is_challenge, &details);
  check_take_answer (task, is_authorized, is_challenge, details);
}

/* The dialog of somebody who left is taken away. */
static void
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  GTask *task = user_data;
  T2pdPolkit *self = g_task_get_source_object (task);
  Check *check = g_task_get_task_data (task);

  g_dbus_connection_call (self->bus, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                          "CancelCheckAuthorization",
                          g_variant_new ("(s)", check->cancellation_id), NULL,
                          G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, NULL, NULL);
}

static GVariant *
make_request (const Check *check)
{
  GVariantBuilder subject;

  g_variant_builder_init (&subject, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&subject, "{sv}", "name", g_variant_new_string (check->sender));
  return g_variant_new ("((sa{sv})s@a{ss}us)", "system-bus-name", &subject,
                        t2pd_action_get_name (check->current), check->details,
                        check->phase == PHASE_DIALOG ? POLKIT_FLAG_INTERACTION : 0u,
                        check->cancellation_id);
}

static void
ask (GTask *task)
{
  T2pdPolkit *self = g_task_get_source_object (task);
  Check *check = g_task_get_task_data (task);
  GCancellable *cancellable = g_task_get_cancellable (task);

  g_free (check->cancellation_id);
  check->cancellation_id = g_strdup_printf ("tun2proxy-%" G_GUINT64_FORMAT, self->next_id++);
  check->current = take_strongest (&check->to_ask);
  if (cancellable != NULL && !g_cancellable_is_cancelled (cancellable))
    check->cancelled_id =
        g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), task, NULL);
  g_dbus_connection_call (
      self->bus, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization",
      make_request (check), G_VARIANT_TYPE ("((bba{ss}))"), G_DBUS_CALL_FLAGS_NONE,
      check->phase == PHASE_DIALOG ? G_MAXINT : QUIET_TIMEOUT_MS, cancellable, answer_cb, task);
}

/* All actions of a phase were answered with yes or "password". */
static void
check_end_phase (GTask *task)
{
  Check *check = g_task_get_task_data (task);

  if (check->challenges == 0)
    {
      check_end (task, NULL);
      return;
    }
  if (!check->is_interactive)
    {
      check_end (task, g_dbus_error_new_for_dbus_error (
                           "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
                           "a password is needed, and the caller did not allow to ask for it"));
      return;
    }
  check->phase = PHASE_DIALOG;
  check->to_ask = T2PD_ACTION_BIT (take_strongest (&check->challenges));
  ask (task);
}

/* After a dialog that said yes: whether it did not cover all. */
static gboolean
is_left (Check *check)
{
  check->challenges &= ~t2pd_action_get_implied (check->current);
  return check->challenges != 0;
}

static void
check_next (GTask *task)
{
  Check *check = g_task_get_task_data (task);

  if (check->to_ask != 0)
    ask (task);
  else if (check->phase == PHASE_DIALOG && is_left (check))
    {
      check->phase = PHASE_AGAIN;
      check->to_ask = check->challenges;
      check->challenges = 0;
      ask (task);
    }
  else
    check_end_phase (task);
}

/**
 * t2pd_polkit_check_async:
 * @sender: unique name of the caller
 * @actions: a set of %T2PD_ACTION_BIT, not empty
 * @details: `a{ss}` for polkit's rules; a floating reference is taken
 * @is_interactive: whether a dialog may be shown
 * @cancellable: cancelled when the caller leaves the bus
 *
 * Asks whether @sender may do all of @actions.
 *
 * Since: 0.1
 */
void
t2pd_polkit_check_async (T2pdPolkit *self,
                         const char *sender,
                         guint actions,
                         GVariant *details,
                         gboolean is_interactive,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  Check *check = g_new0 (Check, 1);
  GError *error = NULL;

  /* The answer is ours to give: "left" has an error of its own. */
  g_task_set_check_cancellable (task, FALSE);
  check->sender = g_strdup (sender);
  check->details = g_variant_ref_sink (details);
  check->is_interactive = is_interactive;
  check->to_ask = actions;
  g_task_set_task_data (task, check, (GDestroyNotify) check_free);
  if (!count_in (self, sender, &error))
    {
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }
  check_next (task);
}

/**
 * t2pd_polkit_check_finish:
 *
 * Returns: %FALSE with %T2P_ERROR_NOT_AUTHORIZED, %T2P_ERROR_AUTHORIZATION_DISMISSED,
 *   %T2P_ERROR_BUSY, %T2P_ERROR_CANCELLED, or the remote error InteractiveAuthorizationRequired
 *
 * Since: 0.1
 */
gboolean
t2pd_polkit_check_finish (T2pdPolkit *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
