/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-error.h"

G_BEGIN_DECLS

/* A TUN device that lives as long as somebody holds one of its descriptors: it is never made
 * persistent. Nobody reads from the descriptors here. */
typedef struct _T2pnTunDevice T2pnTunDevice;

/**
 * t2pn_tun_device_open:
 * @name: "tun7", or a pattern with "%d" of which the kernel takes the first free number
 * @n_queues: 1 and more; more than one opens a multi-queue device
 *
 * Opens queue 0 and the others, with the widest offloads that the kernel takes (USO, else
 * checksum and TSO, else a plain device without a vnet header). The link is down and has no
 * address. T2P_ERROR_DEVICE_UNAVAILABLE names the missing node, module or capability;
 * T2P_ERROR_ALREADY_EXISTS when the name is in use.
 */
T2pnTunDevice *t2pn_tun_device_open (const char *name, guint n_queues, GError **error);

/**
 * t2pn_tun_device_attach:
 *
 * As t2pn_tun_device_open() with one queue, but a TUN device of that name that nobody is
 * attached to, a persistent one that its user has made, is taken as it is. It stays when the
 * device is freed, with the offloads off, so that the next program finds a plain one.
 */
T2pnTunDevice *t2pn_tun_device_attach (const char *name, GError **error);

/**
 * t2pn_tun_device_adopt:
 * @fds: (array length=n_fds): descriptors of one TUN device, of which ownership is taken, on
 *   failure too
 *
 * The device behind descriptors that a worker gave back, or a caller handed over. Offloads and
 * header are left as they are, and read. T2P_ERROR_INVALID_FD when they are none of a TUN
 * device of this network namespace.
 */
T2pnTunDevice *t2pn_tun_device_adopt (const int *fds, guint n_fds, GError **error);
void t2pn_tun_device_free (T2pnTunDevice *device); /* closes what it holds */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnTunDevice, t2pn_tun_device_free)
/* Of an adopted device that nobody else reads: sets header and offloads as
 * t2pn_tun_device_open() does, as far as the descriptor was opened for them. They are switched
 * off when the device is freed. */
gboolean t2pn_tun_device_enable_offloads (T2pnTunDevice *device, GError **error);

const char *t2pn_tun_device_get_name (const T2pnTunDevice *device);
int t2pn_tun_device_get_ifindex (const T2pnTunDevice *device);
guint t2pn_tun_device_get_n_queues (const T2pnTunDevice *device);
/* The device's own descriptor: to be passed on (g_unix_fd_list_append() dups it), never read.
 */
int t2pn_tun_device_peek_fd (const T2pnTunDevice *device, guint queue);
/* 0 for a plain device, else the size of the vnet header (10) before each packet. */
guint t2pn_tun_device_get_header_bytes (const T2pnTunDevice *device);
/* TUN_F_* that were accepted. After t2pn_tun_device_adopt() 0: the kernel does not tell
 * which are on. */
guint t2pn_tun_device_get_offloads (const T2pnTunDevice *device);

G_END_DECLS
