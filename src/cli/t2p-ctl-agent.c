/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ctl-agent.h"

#define POLKIT_AGENT_I_KNOW_API_IS_SUBJECT_TO_CHANGE
#include <polkitagent/polkitagent.h>
#include <unistd.h>

static gboolean
is_wanted (void)
{
  return geteuid () != 0 && isatty (STDIN_FILENO) && isatty (STDERR_FILENO);
}

/* In a session, the desktop's own agent asks rather than this one. Without a session there is
 * nobody else, and polkit looks for a fallback in sessions only: one would never be asked. */
static GVariant *
registration_options (void)
{
  g_autoptr (PolkitSubject) session =
      polkit_unix_session_new_for_process_sync (getpid (), NULL, NULL);

  return g_variant_new_parsed ("{'fallback': <%b>}", session != NULL);
}

void
t2p_ctl_agent_start (void)
{
  g_autoptr (PolkitAgentListener) listener = NULL;
  g_autoptr (PolkitSubject) subject = NULL;
  g_autoptr (GVariant) options = NULL;
  g_autoptr (GError) error = NULL;

  if (!is_wanted ())
    return;
  listener = polkit_agent_text_listener_new (NULL, &error);
  if (listener != NULL)
    {
      subject = polkit_unix_process_new_for_owner (getpid (), 0, (int) getuid ());
      options = g_variant_ref_sink (registration_options ());
      (void) polkit_agent_listener_register_with_options (
          listener, POLKIT_AGENT_REGISTER_FLAGS_RUN_IN_THREAD, subject, NULL, options, NULL,
          &error);
    }
  if (error != NULL)
    g_debug ("no polkit agent: %s, ignoring", error->message);
}
