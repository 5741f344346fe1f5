/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <sys/socket.h>

G_BEGIN_DECLS

/* Plain values, compared and hashed by content; unused bytes are always zero, so that memcmp()
 * and a hash over the whole struct are right. */

/**
 * T2pIpAddress:
 * @family: AF_INET, AF_INET6, or AF_UNSPEC (0) for "none"
 * @bytes: network order; the first four for AF_INET
 */
typedef struct
{
  guint8 family;
  guint8 bytes[16];
} T2pIpAddress;

/** T2pIpEndpoint: an address and a port in host order. */
typedef struct
{
  T2pIpAddress address;
  guint16 port;
} T2pIpEndpoint;

/** T2pIpPrefix: a CIDR; host bits are zero. */
typedef struct
{
  T2pIpAddress address;
  guint8 length;
} T2pIpPrefix;

#define T2P_IP_STRLEN 46       /* INET6_ADDRSTRLEN */
#define T2P_ENDPOINT_STRLEN 54 /* [v6]:65535 */
#define T2P_PREFIX_STRLEN 50

gboolean t2p_ip_address_parse (const char *text, T2pIpAddress *out_address);
void t2p_ip_address_format (const T2pIpAddress *address, char out_text[T2P_IP_STRLEN]);
gboolean t2p_ip_address_equal (const T2pIpAddress *a, const T2pIpAddress *b);
T2pIpAddress t2p_ip_address_from_v4 (guint32 host_order);
guint32 t2p_ip_address_to_v4 (const T2pIpAddress *address); /* host order */
T2pIpAddress t2p_ip_address_from_bytes (int family, const guint8 *bytes);
gboolean t2p_ip_address_is_loopback (const T2pIpAddress *address);
gboolean t2p_ip_address_is_unspecified (const T2pIpAddress *address);
gboolean t2p_ip_address_is_multicast (const T2pIpAddress *address);
gboolean t2p_ip_address_is_link_local (const T2pIpAddress *address);
gboolean t2p_ip_address_is_private (const T2pIpAddress *address);
guint t2p_ip_address_bits (const T2pIpAddress *address); /* 32 or 128 */

gboolean t2p_ip_endpoint_equal (const T2pIpEndpoint *a, const T2pIpEndpoint *b);
/* For hash tables whose keys are T2pIpEndpoint. */
guint t2p_ip_endpoint_hash (gconstpointer endpoint);
gboolean t2p_ip_endpoint_equal_func (gconstpointer a, gconstpointer b);
/* "192.0.2.1:80", "[2001:db8::1]:80" */
gboolean t2p_ip_endpoint_parse (const char *text, T2pIpEndpoint *out_endpoint);
void t2p_ip_endpoint_format (const T2pIpEndpoint *endpoint, char out_text[T2P_ENDPOINT_STRLEN]);
socklen_t t2p_ip_endpoint_to_sockaddr (const T2pIpEndpoint *endpoint,
                                       struct sockaddr_storage *out_storage);
gboolean t2p_ip_endpoint_from_sockaddr (const struct sockaddr *sockaddr,
                                        socklen_t length,
                                        T2pIpEndpoint *out_endpoint);

/* A bare address is a /32 or /128. Refuses host bits; @out_prefix is left alone on failure. The
 * error is T2P_ERROR_INVALID_ARGUMENT and says what was seen. */
gboolean t2p_ip_prefix_parse (const char *text, T2pIpPrefix *out_prefix, GError **error);
/* An interface's address with the length of its network: "198.18.4.1/30". Unlike every other
 * prefix, @out_prefix keeps its host bits. Errors as above. */
gboolean t2p_ip_interface_parse (const char *text, T2pIpPrefix *out_prefix, GError **error);
void t2p_ip_prefix_format (const T2pIpPrefix *prefix, char out_text[T2P_PREFIX_STRLEN]);
gboolean t2p_ip_prefix_contains (const T2pIpPrefix *prefix, const T2pIpAddress *address);
gboolean t2p_ip_prefix_overlaps (const T2pIpPrefix *a, const T2pIpPrefix *b);
gboolean t2p_ip_prefix_equal (const T2pIpPrefix *a, const T2pIpPrefix *b);
/* The prefix of @length bits that @address lies in. */
T2pIpPrefix t2p_ip_prefix_of (const T2pIpAddress *address, guint8 length);

G_END_DECLS
