/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-tun-device.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TUN_NODE "/dev/net/tun"
#define MAX_QUEUES 256 /* of the kernel: MAX_TAP_QUEUES */

/* Linux 6.2; the headers of Debian 12 are older than its newest kernels. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define OFFLOADS_TSO (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
#define OFFLOADS_USO (OFFLOADS_TSO | TUN_F_USO4 | TUN_F_USO6)

struct _T2pnTunDevice
{
  char name[IFNAMSIZ];
  int ifindex;
  GArray *fds; /* of int */
  guint header_bytes;
  guint offloads;
  gboolean is_borrowed; /* it was there before us, and may outlive us */
};

static void
close_fd (gpointer element)
{
  g_close (*(int *) element, NULL);
}

static T2pnTunDevice *
new_device (void)
{
  T2pnTunDevice *device = g_new0 (T2pnTunDevice, 1);

  device->fds = g_array_new (FALSE, FALSE, sizeof (int));
  g_array_set_clear_func (device->fds, close_fd);
  return device;
}

void
t2pn_tun_device_free (T2pnTunDevice *device)
{
  if (device == NULL)
    return;
  if (device->is_borrowed && device->fds->len > 0)
    (void) ioctl (g_array_index (device->fds, int, 0), TUNSETOFFLOAD, 0ul);
  g_array_unref (device->fds);
  g_free (device);
}

/* --- opening */

static int
open_node (GError **error)
{
  int fd = open (TUN_NODE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  int errsv = errno;

  if (fd >= 0)
    return fd;
  if (errsv == ENOENT)
    g_set_error (error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE,
                 TUN_NODE
                 " does not exist: load the kernel module 'tun', or in a container pass "
                 "the node in");
  else if (errsv == ENODEV || errsv == ENXIO)
    g_set_error (error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE,
                 TUN_NODE " has no driver: load the kernel module 'tun'");
  else
    g_set_error (error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE,
                 "could not open " TUN_NODE ": %s", g_strerror (errsv));
  return -1;
}

static void
set_attach_error (const char *name, int errsv, GError **error)
{
  if (errsv == EPERM)
    g_set_error (error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE,
                 "creating the link %s needs the capability CAP_NET_ADMIN", name);
  else if (errsv == EBUSY || errsv == EEXIST || errsv == EINVAL)
    g_set_error (error, T2P_ERROR, T2P_ERROR_ALREADY_EXISTS, "a link named %s exists already",
                 name);
  else
    g_set_error (error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE,
                 "could not create the link %s: %s", name, g_strerror (errsv));
}

static gboolean
attach (int fd, const char *name, short flags, struct ifreq *out_request, int *out_errno)
{
  memset (out_request, 0, sizeof *out_request);
  g_strlcpy (out_request->ifr_name, name, sizeof out_request->ifr_name);
  out_request->ifr_flags = flags;
  if (ioctl (fd, TUNSETIFF, out_request) == 0)
    return TRUE;
  *out_errno = errno;
  return FALSE;
}

/* Adds one queue. The first one settles name and header for the others. */
static gboolean
add_queue (T2pnTunDevice *device, const char *name, short flags, GError **error)
{
  int fd = open_node (error);
  struct ifreq request;
  int errsv = 0;

  if (fd < 0)
    return FALSE;
  g_array_append_val (device->fds, fd);
  if (!attach (fd, name, flags, &request, &errsv))
    {
      set_attach_error (name, errsv, error);
      return FALSE;
    }
  g_strlcpy (device->name, request.ifr_name, sizeof device->name);
  return TRUE;
}

static guint
kernel_features (void)
{
  g_autoptr (GError) error = NULL;
  int fd = open_node (&error);
  unsigned int features = 0;

  if (fd < 0)
    return 0;
  if (ioctl (fd, TUNGETFEATURES, &features) != 0)
    features = 0;
  close (fd);
  return features;
}

/* Every queue shares the device's offloads, but has a header size of its own. */
static guint
enable_offloads (int fd)
{
  const guint wanted[] = { OFFLOADS_USO, OFFLOADS_TSO, TUN_F_CSUM };

  for (guint i = 0; i < G_N_ELEMENTS (wanted); i++)
    if (ioctl (fd, TUNSETOFFLOAD, (unsigned long) wanted[i]) == 0)
      return wanted[i];
  return 0;
}

static gboolean
configure_queues (T2pnTunDevice *device, GError **error)
{
  int header_bytes = sizeof (struct virtio_net_hdr);

  for (guint i = 0; i < device->fds->len; i++)
    if (ioctl (g_array_index (device->fds, int, i), TUNSETVNETHDRSZ, &header_bytes) != 0)
      {
        int errsv = errno;

        g_set_error (error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE,
                     "could not set the vnet header size of %s: %s", device->name,
                     g_strerror (errsv));
        return FALSE;
      }
  device->header_bytes = sizeof (struct virtio_net_hdr);
  device->offloads = enable_offloads (g_array_index (device->fds, int, 0));
  return TRUE;
}

static gboolean
find_ifindex (T2pnTunDevice *device, GError **error)
{
  device->ifindex = (int) if_nametoindex (device->name);
  if (device->ifindex != 0)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
               "the link %s is not in this network namespace", device->name);
  return FALSE;
}

static gboolean
check_name_length (const char *name, GError **error)
{
  if (strlen (name) < IFNAMSIZ)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "'%s' is too long for a link, expected at most %d bytes", name, IFNAMSIZ - 1);
  return FALSE;
}

T2pnTunDevice *
t2pn_tun_device_open (const char *name, guint n_queues, GError **error)
{
  g_autoptr (T2pnTunDevice) device = new_device ();
  gboolean has_header = (kernel_features () & IFF_VNET_HDR) != 0;
  short flags = IFF_TUN | IFF_NO_PI;

  g_return_val_if_fail (n_queues >= 1 && n_queues <= MAX_QUEUES, NULL);
  if (!check_name_length (name, error))
    return NULL;
  flags |= has_header ? IFF_VNET_HDR : 0;
  flags |= n_queues > 1 ? IFF_MULTI_QUEUE : 0;
  for (guint i = 0; i < n_queues; i++)
    /* The first one makes the device, and never attaches to one that somebody left there. */
    if (!add_queue (device, i == 0 ? name : device->name,
                    (short) (i == 0 ? flags | IFF_TUN_EXCL : flags), error))
      return NULL;
  if (has_header && !configure_queues (device, error))
    return NULL;
  return find_ifindex (device, error) ? g_steal_pointer (&device) : NULL;
}

/* A device that was made for several queues wants that said by each. */
static gboolean
attach_to_existing (T2pnTunDevice *device, const char *name, short flags, GError **error)
{
  int fd = open_node (error);
  struct ifreq request;
  int errsv = 0;

  if (fd < 0)
    return FALSE;
  g_array_append_val (device->fds, fd);
  if (attach (fd, name, flags, &request, &errsv) ||
      (errsv == EINVAL && attach (fd, name, flags | IFF_MULTI_QUEUE, &request, &errsv)))
    {
      g_strlcpy (device->name, request.ifr_name, sizeof device->name);
      device->is_borrowed = TRUE;
      return TRUE;
    }
  if (errsv == EINVAL)
    g_set_error (error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE,
                 "the link %s is no TUN device (ip tuntap add mode tun makes one)", name);
  else if (errsv == EBUSY)
    g_set_error (error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE,
                 "another program is attached to the link %s", name);
  else
    g_set_error (error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE,
                 "could not attach to the link %s: %s", name, g_strerror (errsv));
  return FALSE;
}

T2pnTunDevice *
t2pn_tun_device_attach (const char *name, GError **error)
{
  g_autoptr (T2pnTunDevice) device = NULL;
  gboolean has_header;

  if (!check_name_length (name, error))
    return NULL;
  if (strchr (name, '%') != NULL || if_nametoindex (name) == 0)
    return t2pn_tun_device_open (name, 1, error);
  device = new_device ();
  has_header = (kernel_features () & IFF_VNET_HDR) != 0;
  if (!attach_to_existing (device, name,
                           (short) (IFF_TUN | IFF_NO_PI | (has_header ? IFF_VNET_HDR : 0)),
                           error) ||
      (has_header && !configure_queues (device, error)))
    return NULL;
  return find_ifindex (device, error) ? g_steal_pointer (&device) : NULL;
}

gboolean
t2pn_tun_device_enable_offloads (T2pnTunDevice *device, GError **error)
{
  device->is_borrowed = TRUE;
  if (device->header_bytes > 0)
    return configure_queues (device, error);
  /* Without a header nobody says what a super-packet is. */
  (void) ioctl (g_array_index (device->fds, int, 0), TUNSETOFFLOAD, 0ul);
  return TRUE;
}

/* --- descriptors from elsewhere */

static gboolean
read_queue (T2pnTunDevice *device, int fd, GError **error)
{
  struct ifreq request;
  int header_bytes = 0;

  memset (&request, 0, sizeof request);
  if (ioctl (fd, TUNGETIFF, &request) != 0 || (request.ifr_flags & IFF_TUN) == 0 ||
      (request.ifr_flags & IFF_NO_PI) == 0)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
                   "descriptor is no queue of a TUN device without packet information");
      return FALSE;
    }
  if (device->name[0] != '\0' && strncmp (device->name, request.ifr_name, IFNAMSIZ) != 0)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
                   "descriptors of two devices, %s and %.*s, expected one", device->name,
                   IFNAMSIZ, request.ifr_name);
      return FALSE;
    }
  g_strlcpy (device->name, request.ifr_name, sizeof device->name);
  if ((request.ifr_flags & IFF_VNET_HDR) != 0 &&
      ioctl (fd, TUNGETVNETHDRSZ, &header_bytes) == 0)
    device->header_bytes = (guint) header_bytes;
  return TRUE;
}

T2pnTunDevice *
t2pn_tun_device_adopt (const int *fds, guint n_fds, GError **error)
{
  g_autoptr (T2pnTunDevice) device = new_device ();

  g_return_val_if_fail (n_fds >= 1, NULL);
  g_array_append_vals (device->fds, fds, n_fds);
  for (guint i = 0; i < n_fds; i++)
    if (!read_queue (device, fds[i], error))
      return NULL;
  return find_ifindex (device, error) ? g_steal_pointer (&device) : NULL;
}

/* --- what it is */

const char *
t2pn_tun_device_get_name (const T2pnTunDevice *device)
{
  return device->name;
}

int
t2pn_tun_device_get_ifindex (const T2pnTunDevice *device)
{
  return device->ifindex;
}

guint
t2pn_tun_device_get_n_queues (const T2pnTunDevice *device)
{
  return device->fds->len;
}

int
t2pn_tun_device_peek_fd (const T2pnTunDevice *device, guint queue)
{
  g_return_val_if_fail (queue < device->fds->len, -1);
  return g_array_index (device->fds, int, queue);
}

guint
t2pn_tun_device_get_header_bytes (const T2pnTunDevice *device)
{
  return device->header_bytes;
}

guint
t2pn_tun_device_get_offloads (const T2pnTunDevice *device)
{
  return device->offloads;
}
