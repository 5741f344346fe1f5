/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The distribution's lwIP computes each checksum in software, and copies what it sends. Both
 * are work for nothing behind a TUN device with a vnet header. The library is linked so that a
 * program which defines a function of the same name gets the library's own calls: we define
 * four of them. Two skip checksums, two make tcp_write() take a buffer that was filled already.
 *
 * Whether the calls come here depends on how everything was linked, so it is tried once, with a
 * connection that nobody sees. While nothing is switched on, each function calls the library's
 * own. */
#include "config.h"

#include "t2pw-accelerator.h"

#include <dlfcn.h>
#include <lwip/inet_chksum.h>
#include <lwip/priv/tcp_priv.h>
#include <string.h>

typedef struct pbuf *(*PbufAlloc) (pbuf_layer layer, u16_t length, pbuf_type type);
typedef u16_t (*ChecksumPseudo) (
    struct pbuf *p, u8_t protocol, u16_t length, const ip_addr_t *from, const ip_addr_t *to);
typedef u16_t (*ChecksumPartial) (struct pbuf *p,
                                  u8_t protocol,
                                  u16_t length,
                                  u16_t summed,
                                  const ip_addr_t *from,
                                  const ip_addr_t *to);

static gboolean is_forbidden_now, skips_checksums;
static gboolean saw_copy, saw_pseudo, saw_partial, saw_alloc; /* by the probe */
static struct pbuf *armed;

#define LIBRARYS_OWN(type, name)                                                               \
  ({                                                                                           \
    static type own;                                                                           \
    if (own == NULL)                                                                           \
      own = (type) dlsym (RTLD_NEXT, name);                                                    \
    own;                                                                                       \
  })

/* --- what the library calls */

__attribute__ ((used, visibility ("default"))) struct pbuf *
pbuf_alloc (pbuf_layer layer, u16_t length, pbuf_type type)
{
  if (G_LIKELY (armed == NULL || layer != PBUF_TRANSPORT || type != PBUF_RAM ||
                armed->len > length))
    return LIBRARYS_OWN (PbufAlloc, "pbuf_alloc") (layer, length, type);
  saw_alloc = TRUE;
  return g_steal_pointer (&armed);
}

__attribute__ ((used, visibility ("default"))) u16_t
lwip_chksum_copy (void *to, const void *from, u16_t length)
{
  saw_copy = TRUE;
  if (to != from)
    memcpy (to, from, length);
  return skips_checksums ? 0 : (u16_t) ~inet_chksum (to, length);
}

__attribute__ ((used, visibility ("default"))) u16_t
ip_chksum_pseudo (
    struct pbuf *p, u8_t protocol, u16_t length, const ip_addr_t *from, const ip_addr_t *to)
{
  saw_pseudo = TRUE;
  if (skips_checksums)
    return 0;
  return LIBRARYS_OWN (ChecksumPseudo, "ip_chksum_pseudo") (p, protocol, length, from, to);
}

__attribute__ ((used, visibility ("default"))) u16_t
ip_chksum_pseudo_partial (struct pbuf *p,
                          u8_t protocol,
                          u16_t length,
                          u16_t summed,
                          const ip_addr_t *from,
                          const ip_addr_t *to)
{
  saw_partial = TRUE;
  if (skips_checksums)
    return 0;
  return LIBRARYS_OWN (ChecksumPartial, "ip_chksum_pseudo_partial") (p, protocol, length,
                                                                     summed, from, to);
}

/* --- the probe */

static struct tcp_pcb *
new_scratch_pcb (void)
{
  struct tcp_pcb *pcb = tcp_new ();

  if (pcb == NULL)
    return NULL;
  IP_ADDR4 (&pcb->local_ip, 192, 0, 2, 1);
  IP_ADDR4 (&pcb->remote_ip, 192, 0, 2, 2);
  pcb->local_port = pcb->remote_port = 9;
  pcb->state = ESTABLISHED;
  pcb->mss = TCP_MSS;
  pcb->snd_wnd = pcb->snd_wnd_max = pcb->cwnd = TCP_WND;
  return pcb;
}

void
t2pw_accelerator_probe (void)
{
  static const guint8 text[16] = "probe";
  struct tcp_pcb *pcb = new_scratch_pcb ();
  struct pbuf *offered;

  if (pcb == NULL)
    return;
  saw_copy = saw_pseudo = saw_partial = saw_alloc = FALSE;
  offered = pbuf_alloc (PBUF_TRANSPORT, sizeof text, PBUF_RAM);
  if (offered == NULL)
    return;
  memcpy (offered->payload, text, sizeof text);
  tcp_active_pcbs = pcb;
  t2pw_accelerator_arm (offered);
  if (tcp_write (pcb, offered->payload, sizeof text, TCP_WRITE_FLAG_COPY) == ERR_OK)
    saw_alloc = saw_alloc && pcb->unsent->p == offered;
  if (t2pw_accelerator_disarm () != NULL)
    pbuf_free (offered);
  tcp_output (pcb);         /* a segment: partial sum */
  tcp_send_empty_ack (pcb); /* no segment: whole sum */
  tcp_abort (pcb);
  tcp_active_pcbs = NULL;
}

void
t2pw_accelerator_forbid (gboolean is_forbidden)
{
  is_forbidden_now = is_forbidden;
}

gboolean
t2pw_accelerator_can_checksum (void)
{
  return !is_forbidden_now && saw_copy && saw_pseudo && saw_partial;
}

gboolean
t2pw_accelerator_can_hand_over (void)
{
  return !is_forbidden_now && saw_alloc && saw_copy;
}

void
t2pw_accelerator_skip_checksums (gboolean is_skipped)
{
  skips_checksums = is_skipped;
}

void
t2pw_accelerator_arm (struct pbuf *p)
{
  armed = p;
}

struct pbuf *
t2pw_accelerator_disarm (void)
{
  return g_steal_pointer (&armed);
}
