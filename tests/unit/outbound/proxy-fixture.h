/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "scripted-server.h"
#include "t2pw-outbound-factory.h"

/* A carrier through a scripted proxy, made as a tunnel makes it: by the proxy's URI. */

#define STEP(verb, text, ...)                                                                  \
  {                                                                                            \
    verb, text, sizeof (text) - 1, ##__VA_ARGS__                                               \
  }

typedef struct
{
  T2pReactor *reactor;
  T2pwSocketPolicy policy;
  T2pwOutboundContext context;
  T2pwOutbound *outbound;
  T2pwCarrier *carrier;
  gboolean is_opened;
  gboolean is_over; /* opened or failed */
  GError *error;
  T2pRefusal refusal;
  GString *received;
  gboolean at_end;
} ProxyFixture;

void proxy_fixture_set_up (ProxyFixture *f, gconstpointer data);
void proxy_fixture_tear_down (ProxyFixture *f, gconstpointer data);
void proxy_fixture_make_uri (ProxyFixture *f, const char *uri, guint timeout_ms);
/* @format: of the proxy's URI, with %u for its port */
void proxy_fixture_make (ProxyFixture *f,
                         const char *format,
                         ScriptedServer *server,
                         guint timeout_ms);
/* Until it is opened, or has failed. */
void proxy_fixture_open (ProxyFixture *f, const T2pwDestination *destination);
void proxy_fixture_close (ProxyFixture *f);
/* What is there. */
void proxy_fixture_receive (ProxyFixture *f);
/* Until the end. */
void proxy_fixture_drain (ProxyFixture *f);
