/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-authority.h"
#include "t2pd-call-options.h"
#include "t2pd-descriptors.h"
#include "t2pd-service.h"

G_BEGIN_DECLS

typedef struct _T2pdCall T2pdCall;

/**
 * T2pdMethod:
 * @name: also its row in the authority's table
 * @options: (nullable) (array zero-terminated=1): what it knows besides `interactive`
 * @check: (nullable): pure: unpacks and validates the arguments, freezes what they say
 * @look_again: (nullable): names, limits and conflicts, after the authorisation
 * @act: answers the call, now or later
 *
 * A public method. The order in which these are called is the same for all: t2pd-call.c.
 */
typedef struct
{
  const char *name;
  const T2pdCallOption *options;
  gboolean (*check) (T2pdCall *call, GError **error);
  gboolean (*look_again) (T2pdCall *call, GError **error);
  void (*act) (T2pdCall *call);
} T2pdMethod;

/**
 * T2pdCall:
 * @sender: unique name of the caller
 * @uid: of the caller, as the bus says
 * @parameters: all arguments
 * @call_options: the last argument
 * @tunnel: (nullable): whose object was called
 * @settings: (nullable): frozen by the check, for the authority
 * @endpoint: (nullable): frozen by the check, for the authority
 * @descriptors: (nullable): frozen by the check
 * @guard: (nullable): what the caller gets for them
 * @has_subject: whether the call is about a user, and not about a tunnel
 * @subject_uid: which user
 * @is_advanced: whether the caller may do what `advanced` guards, for this request
 *
 * One call under way. Ends with t2pd_call_return() or t2pd_call_fail(), exactly once.
 */
struct _T2pdCall
{
  T2pdService *service;
  const T2pdMethod *method;
  GDBusMethodInvocation *invocation;
  const char *sender;
  guint32 uid;
  GVariant *parameters;
  GVariant *call_options;
  T2pdTunnel *tunnel;
  T2pSettings *settings;
  T2pEndpoint *endpoint;
  T2pdDescriptors *descriptors;
  GUnixFDList *guard;
  gboolean has_subject;
  guint32 subject_uid;
  gboolean is_advanced;
  /* private */
  GCancellable *gone;
  gulong vanished_id;
};

/* Has the signal of a generated skeleton carry out @method. @service, @method and @skeleton's
 * @tunnel (nullable) must outlive the connection. */
void t2pd_call_connect (gpointer skeleton,
                        const char *signal,
                        T2pdService *service,
                        const T2pdMethod *method,
                        T2pdTunnel *tunnel);

T2pdCall *t2pd_call_ref (T2pdCall *call);
void t2pd_call_unref (T2pdCall *call);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pdCall, t2pd_call_unref)

/* @values: a tuple, floating or NULL for (). */
void t2pd_call_return (T2pdCall *call, GVariant *values);
/* The same with descriptors: @list is what handles in @values are numbers of. */
void t2pd_call_return_with_fds (T2pdCall *call, GVariant *values, GUnixFDList *list);
/* What came with the message, or NULL. */
GUnixFDList *t2pd_call_get_fds (T2pdCall *call);
void t2pd_call_fail (T2pdCall *call, const GError *error);

G_END_DECLS
