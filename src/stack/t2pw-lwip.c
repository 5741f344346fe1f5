/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * lwIP is used as the distribution builds it, and only its TCP: packets go straight into
 * tcp_input(), with the addresses put where ip4_input() would have put them, so that it serves
 * any address; one listener, whose port is set before each SYN, serves any port (t2pw-pcb.c).
 *
 * Its lists of connections are empty between two calls. Whoever calls it for a stream makes
 * that stream's pcb the only one in the list; so nothing in it is linear in the number of
 * flows. Only the timers see several: those pcbs for which a timer can do something (list
 * T2PW_LIST_TIMED). An idle connection is in no list and costs nothing.
 *
 * There is no tcpip thread: everything happens on the thread of the loop. */
#include "config.h"

#include "t2pw-lwip.h"

#include "t2pw-accelerator.h"
#include "t2pw-emit.h"
#include "t2pw-pcb.h"
#include "t2pw-pcb-lists.h"

#include <gio/gio.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <string.h>

#define SEND_ACK_WITHIN_MS 20

static T2pwStack *the_stack;
static struct netif the_netif;
static struct tcp_pcb_listen *the_listener;

struct netif *
t2pw_lwip_netif (void)
{
  return &the_netif;
}

struct tcp_pcb_listen *
t2pw_lwip_listener (void)
{
  return the_listener;
}

static err_t
output_v4_cb (struct netif *netif, struct pbuf *p, const ip4_addr_t *address)
{
  if (the_stack != NULL)
    t2pw_emit (the_stack, p);
  return ERR_OK;
}

static err_t
output_v6_cb (struct netif *netif, struct pbuf *p, const ip6_addr_t *address)
{
  if (the_stack != NULL)
    t2pw_emit (the_stack, p);
  return ERR_OK;
}

static err_t
init_netif_cb (struct netif *netif)
{
  netif->name[0] = 't';
  netif->name[1] = 'p';
  netif->mtu = 0; /* no fragmenting of super-packets; the MSS is ours */
  netif->output = output_v4_cb;
  netif->output_ip6 = output_v6_cb;
  return ERR_OK;
}

static err_t
refuse_input_cb (struct pbuf *p, struct netif *netif)
{
  pbuf_free (p);
  return ERR_OK;
}

static void
add_netif (void)
{
  ip4_addr_t address = { PP_HTONL (T2PW_LWIP_ADDRESS_V4) }, mask = { PP_HTONL (0xffffffff) },
             gateway = { 0 };

  netif_add (&the_netif, &address, &mask, &gateway, NULL, init_netif_cb, refuse_input_cb);
  netif_set_default (&the_netif);
  netif_set_link_up (&the_netif);
  netif_set_up (&the_netif);
}

static err_t
accept_cb (void *arg, struct tcp_pcb *pcb, err_t error)
{
  T2pwStream *stream = arg;

  if (stream != NULL)
    stream->is_established = TRUE;
  return ERR_OK;
}

static gboolean
add_listener (void)
{
  struct tcp_pcb *pcb = tcp_new_ip_type (IPADDR_TYPE_ANY);
  struct tcp_pcb *listener;

  if (pcb == NULL)
    return FALSE;
  tcp_bind_netif (pcb, &the_netif);
  if (tcp_bind (pcb, IP_ANY_TYPE, 1) != ERR_OK || (listener = tcp_listen (pcb)) == NULL)
    return FALSE;
  tcp_accept (listener, accept_cb);
  the_listener = (struct tcp_pcb_listen *) (gpointer) listener;
  the_listener->local_port = 0; /* no port until a SYN is fed */
  return TRUE;
}

static gboolean
init_once (void)
{
  static gboolean is_done;

  if (is_done)
    return TRUE;
  lwip_init ();
  add_netif ();
  is_done = add_listener ();
  if (is_done)
    t2pw_accelerator_probe ();
  return is_done;
}

gboolean
t2pw_lwip_open (T2pwStack *stack, GError **error)
{
  if (the_stack != NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_BUSY,
                           "this process has a stack already, expected one for each process");
      return FALSE;
    }
  if (!init_once ())
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "lwIP could not be set up");
      return FALSE;
    }
  the_stack = stack;
  return TRUE;
}

void
t2pw_lwip_close (T2pwStack *stack)
{
  t2p_reactor_disarm (stack->reactor, &stack->tcp_timer);
  t2p_reactor_disarm (stack->reactor, &stack->ack_timer);
  the_stack = NULL;
}

/* --- timers */

void
t2pw_lwip_run_timers (T2pwStack *stack)
{
  struct tcp_pcb *chain = NULL;
  T2pwStream *next;

  for (T2pwStream *s = stack->lists[T2PW_LIST_TIMED]; s != NULL;
       s = s->links[T2PW_LIST_TIMED].next)
    {
      s->pcb->next = chain;
      chain = s->pcb;
    }
  tcp_active_pcbs = chain;
  tcp_tw_pcbs = NULL;
  tcp_tmr ();
  tcp_active_pcbs = NULL;
  for (T2pwStream *s = stack->lists[T2PW_LIST_TIMED]; s != NULL; s = next)
    {
      next = s->links[T2PW_LIST_TIMED].next;
      t2pw_pcb_settle (s);
    }
}

static void
tcp_timer_cb (T2pTimer *timer)
{
  T2pwStack *stack =
      (T2pwStack *) (gpointer) ((guint8 *) timer - offsetof (T2pwStack, tcp_timer));

  t2pw_lwip_run_timers (stack);
  if (stack->lists[T2PW_LIST_TIMED] != NULL)
    t2pw_lwip_need_timer (stack);
}

void
t2pw_lwip_need_timer (T2pwStack *stack)
{
  if (stack->tcp_timer.deadline_us == 0)
    t2p_reactor_arm (stack->reactor, &stack->tcp_timer, TCP_TMR_INTERVAL, tcp_timer_cb);
}

static void
ack_timer_cb (T2pTimer *timer)
{
  T2pwStack *stack =
      (T2pwStack *) (gpointer) ((guint8 *) timer - offsetof (T2pwStack, ack_timer));

  t2pw_lwip_send_acks (stack, TRUE);
}

void
t2pw_lwip_send_acks (T2pwStack *stack, gboolean delayed_too)
{
  T2pwStream *next;

  for (T2pwStream *s = stack->lists[T2PW_LIST_ACK]; s != NULL; s = next)
    {
      next = s->links[T2PW_LIST_ACK].next;
      if (s->ack_is_due || delayed_too)
        t2pw_pcb_send_ack (s);
    }
  if (stack->lists[T2PW_LIST_ACK] != NULL && stack->ack_timer.deadline_us == 0)
    t2p_reactor_arm (stack->reactor, &stack->ack_timer, SEND_ACK_WITHIN_MS, ack_timer_cb);
}
