/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2ps-options.h"

#include "t2p-error.h"
#include "t2p-quote.h"
#include "t2p-setting-files.h"
#include "t2pw-file-set.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_POOL4 "198.18.0.0/15"
#define POOL6 "fd74:3270:6f78:79::/64"
#define MIN_MTU 576
#define DEFAULT_DNS_ADDR "8.8.8.8"
#define NO_PROXY "none" /* that tool's word for `direct` */

typedef struct
{
  char *proxy;
  char *tun_name;
  int tun_fd;
  int mtu;
  gboolean has_ipv6;
  char *dns;
  char *dns_addr;
  char *pool;
  int max_sessions;
  int tcp_timeout_s;
  int udp_timeout_s;
  char *udpgw;
  gint64 mark;
  char *verbosity;
} Raw;

static void
raw_clear (Raw *raw)
{
  g_free (raw->proxy);
  g_free (raw->tun_name);
  g_free (raw->dns);
  g_free (raw->dns_addr);
  g_free (raw->pool);
  g_free (raw->udpgw);
  g_free (raw->verbosity);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Raw, raw_clear)

/* Options of the well-known tool that are not carried out yet. */
static const char *const missing_options[] = { "--setup",
                                               "-s",
                                               "--unshare",
                                               "--unshare-pidfile",
                                               "--bypass",
                                               "-b",
                                               "--tcp-mss",
                                               "--daemonize",
                                               "--udpgw-connections",
                                               "--udpgw-keepalive",
                                               "--exit-on-fatal-error",
                                               "--close-fd-on-drop" };

static gboolean
check_known (char **argv, GError **error)
{
  for (gsize i = 1; argv[i] != NULL && strcmp (argv[i], "--") != 0; i++)
    for (gsize k = 0; k < G_N_ELEMENTS (missing_options); k++)
      {
        gsize length = strlen (missing_options[k]);

        if (strncmp (argv[i], missing_options[k], length) != 0 ||
            (argv[i][length] != '\0' && argv[i][length] != '='))
          continue;
        g_set_error (
            error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
            "%s is not carried out by this version: it configures no route, no address "
            "and no resolver",
            missing_options[k]);
        return FALSE;
      }
  return TRUE;
}

static gboolean
fail (GError **error, const char *option, const char *seen, const char *expected)
{
  g_autofree char *quoted = t2p_quote (seen != NULL ? seen : "");

  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT, "%s: saw %s, expected %s", option,
               quoted, expected);
  return FALSE;
}

static gboolean
take_numbers (const Raw *raw, T2psOptions *options, GError **error)
{
  T2pwPlaneConfig *plane = options->plane;
  g_autofree char *mtu = g_strdup_printf ("%d", raw->mtu);
  g_autofree char *sessions = g_strdup_printf ("%d", raw->max_sessions);
  g_autofree char *timeout = g_strdup_printf ("%d", raw->tcp_timeout_s);
  g_autofree char *mark = g_strdup_printf ("%" G_GINT64_FORMAT, raw->mark);

  if (raw->mtu < MIN_MTU || raw->mtu > 65535)
    return fail (error, "--mtu", mtu, "576 to 65535");
  if (raw->max_sessions < 1)
    return fail (error, "--max-sessions", sessions, "1 and more");
  if (raw->tcp_timeout_s < 1 || raw->tcp_timeout_s > 604800)
    return fail (error, "--tcp-timeout", timeout, "1 to 604800 seconds");
  if (raw->mark < 0 || raw->mark > G_MAXUINT32)
    return fail (error, "--mark", mark, "0 to 4294967295");
  plane->mtu = (guint) raw->mtu;
  plane->max_connections = (guint) raw->max_sessions;
  plane->idle_timeout_ms = (guint) raw->tcp_timeout_s * 1000;
  plane->mark = (guint32) raw->mark;
  plane->has_ipv6 = raw->has_ipv6;
  return TRUE;
}

static gboolean
take_udp (const Raw *raw, T2psOptions *options, GError **error)
{
  T2pwPlaneConfig *plane = options->plane;
  g_autofree char *timeout = g_strdup_printf ("%d", raw->udp_timeout_s);

  if (raw->udp_timeout_s < 1 || raw->udp_timeout_s > 604800)
    return fail (error, "--udp-timeout", timeout, "1 to 604800 seconds");
  plane->udp_idle_timeout_ms = (guint) raw->udp_timeout_s * 1000;
  if (raw->udpgw != NULL && !t2p_host_port_parse (raw->udpgw, &plane->udpgw))
    return fail (error, "--udpgw-server", raw->udpgw, "HOST:PORT");
  return TRUE;
}

static gboolean
take_dns_mode (const char *dns, T2pDnsMode *out_mode, GError **error)
{
  if (strcmp (dns, "direct") == 0)
    *out_mode = T2P_DNS_MODE_OFF;
  else if (strcmp (dns, "virtual") == 0)
    *out_mode = T2P_DNS_MODE_VIRTUAL;
  else if (strcmp (dns, "over-tcp") == 0)
    *out_mode = T2P_DNS_MODE_TCP;
  else
    return fail (error, "--dns", dns, "virtual, over-tcp or direct");
  return TRUE;
}

static gboolean
take_dns_server (const Raw *raw, T2pwPlaneConfig *plane, GError **error)
{
  const char *server = raw->dns_addr != NULL ? raw->dns_addr : DEFAULT_DNS_ADDR;
  const char *const servers[] = { server, NULL };
  T2pIpAddress address;

  if (!t2p_ip_address_parse (server, &address))
    return fail (error, "--dns-addr", server, "an address");
  return t2pw_plane_config_set_dns_servers (plane, servers, error);
}

static gboolean
take_dns (const Raw *raw, T2psOptions *options, GError **error)
{
  T2pwPlaneConfig *plane = options->plane;
  const char *dns = raw->dns != NULL ? raw->dns : "direct";
  const char *pool = raw->pool != NULL ? raw->pool : DEFAULT_POOL4;

  if (!take_dns_mode (dns, &plane->dns, error) || !take_dns_server (raw, plane, error))
    return FALSE;
  if (!t2p_ip_prefix_parse (pool, &plane->pool4, error))
    return FALSE;
  if (plane->pool4.address.family != AF_INET || plane->pool4.length > 29)
    return fail (error, "--virtual-dns-pool", pool, "an IPv4 prefix of at most 29 bits");
  plane->has_pool6 = raw->has_ipv6;
  return t2p_ip_prefix_parse (POOL6, &plane->pool6, error);
}

static gboolean
take_device (Raw *raw, T2psOptions *options, GError **error)
{
  if ((raw->tun_name == NULL) == (raw->tun_fd < 0))
    {
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                           "expected either --tun NAME or --tun-fd FD");
      return FALSE;
    }
  options->tun_name = g_steal_pointer (&raw->tun_name);
  options->tun_fd = raw->tun_fd;
  return TRUE;
}

static gboolean
read_file (T2pwPlaneConfig *plane, const T2pSettingFile *file, GError **error)
{
  int fd = t2p_setting_file_is_path (file) ? open (file->name, O_RDONLY | O_CLOEXEC) : -1;
  int saved_errno = t2p_setting_file_is_path (file) ? errno : ENOENT;
  gboolean is_read;

  if (fd < 0)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno), "--proxy: %s: %s",
                   file->name, g_strerror (saved_errno));
      return FALSE;
    }
  is_read = t2pw_file_set_add (plane->files, file->name, fd, error);
  close (fd);
  return is_read;
}

/* With the rights of whoever runs us. */
static gboolean
read_files (const T2pEndpoint *endpoint, T2pwPlaneConfig *plane, GError **error)
{
  g_autoptr (GArray) files = t2p_setting_files_of_endpoint (endpoint);

  plane->files = t2pw_file_set_new ();
  for (guint i = 0; i < files->len; i++)
    if (!read_file (plane, &g_array_index (files, T2pSettingFile, i), error))
      return FALSE;
  return TRUE;
}

static gboolean
take_proxy (const Raw *raw, T2psOptions *options, GError **error)
{
  g_autoptr (T2pEndpoint) endpoint = NULL;

  if (raw->proxy == NULL)
    {
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                           "expected --proxy URI, socks5://127.0.0.1:1080 for instance");
      return FALSE;
    }
  endpoint =
      t2p_endpoint_parse (strcmp (raw->proxy, NO_PROXY) == 0 ? "direct" : raw->proxy, error);
  if (endpoint == NULL || !read_files (endpoint, options->plane, error))
    return FALSE;
  t2pw_plane_config_add_proxy (options->plane, endpoint, NULL, 0);
  return TRUE;
}

/* "warn", "off" and "trace" are the well-known tool's words. */
static gboolean
take_verbosity (const Raw *raw, T2psOptions *options, GError **error)
{
  const char *text = raw->verbosity;

  options->level = T2P_LOG_LEVEL_INFO;
  if (text == NULL || t2p_log_level_from_string (text, &options->level))
    return TRUE;
  if (strcmp (text, "warn") == 0)
    options->level = T2P_LOG_LEVEL_WARNING;
  else if (strcmp (text, "trace") == 0)
    options->level = T2P_LOG_LEVEL_DEBUG;
  else if (strcmp (text, "off") == 0)
    options->level = T2P_LOG_LEVEL_ERROR;
  else
    return fail (error, "--verbosity", text, "off, error, warn, info, debug or trace");
  return TRUE;
}

static gboolean
parse_raw (Raw *raw, int *argc, char ***argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "proxy", 'p', 0, G_OPTION_ARG_STRING, &raw->proxy, "upstream", "URI" },
    { "tun", 't', 0, G_OPTION_ARG_STRING, &raw->tun_name, "device to make, or to attach to",
      "NAME" },
    { "tun-fd", 0, 0, G_OPTION_ARG_INT, &raw->tun_fd, "open device to use", "FD" },
    { "mtu", 0, 0, G_OPTION_ARG_INT, &raw->mtu, "of the device [1500]", "N" },
    { "ipv6-enabled", '6', 0, G_OPTION_ARG_NONE, &raw->has_ipv6, "carry IPv6 too", NULL },
    { "dns", 'd', 0, G_OPTION_ARG_STRING, &raw->dns, "virtual, over-tcp or direct [direct]",
      "MODE" },
    { "dns-addr", 0, 0, G_OPTION_ARG_STRING, &raw->dns_addr,
      "server that over-tcp asks [" DEFAULT_DNS_ADDR "]", "IP" },
    { "virtual-dns-pool", 0, 0, G_OPTION_ARG_STRING, &raw->pool,
      "addresses for names [" DEFAULT_POOL4 "]", "CIDR" },
    { "max-sessions", 0, 0, G_OPTION_ARG_INT, &raw->max_sessions, "connections at once", "N" },
    { "tcp-timeout", 0, 0, G_OPTION_ARG_INT, &raw->tcp_timeout_s, "idle time [600]",
      "SECONDS" },
    { "udp-timeout", 0, 0, G_OPTION_ARG_INT, &raw->udp_timeout_s, "of datagrams [60]",
      "SECONDS" },
    { "udpgw-server", 0, 0, G_OPTION_ARG_STRING, &raw->udpgw,
      "gateway for datagrams behind the proxy", "HOST:PORT" },
    { "mark", 0, 0, G_OPTION_ARG_INT64, &raw->mark, "SO_MARK of our own sockets [0]", "M" },
    { "verbosity", 'v', 0, G_OPTION_ARG_STRING, &raw->verbosity,
      "off, error, warn, info, debug or trace [info]", "LEVEL" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  g_option_context_set_summary (context,
                                "Carries the traffic of a TUN device to a proxy, in the "
                                "foreground and without a service. It\nconfigures no route, no "
                                "address and no resolver: that stays yours.");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  return *argc == 1 || fail (error, "arguments", (*argv)[1], "options only");
}

/**
 * t2ps_options_parse:
 *
 * Errors: T2P_ERROR_INVALID_ARGUMENT, T2P_ERROR_NOT_SUPPORTED, G_OPTION_ERROR. @out_options is
 * to be cleared in any case.
 */
gboolean
t2ps_options_parse (T2psOptions *out_options, int *argc, char ***argv, GError **error)
{
  g_auto (Raw) raw = {
    .tun_fd = -1, .mtu = 1500, .max_sessions = 65536, .tcp_timeout_s = 600, .udp_timeout_s = 60
  };

  *out_options = (T2psOptions){ .tun_fd = -1, .plane = t2pw_plane_config_new () };
  out_options->plane->may_be_foreign = TRUE; /* of whoever runs it */
  return check_known (*argv, error) && parse_raw (&raw, argc, argv, error) &&
         take_verbosity (&raw, out_options, error) && take_numbers (&raw, out_options, error) &&
         take_udp (&raw, out_options, error) && take_dns (&raw, out_options, error) &&
         take_device (&raw, out_options, error) && take_proxy (&raw, out_options, error);
}

void
t2ps_options_clear (T2psOptions *options)
{
  g_clear_pointer (&options->tun_name, g_free);
  g_clear_pointer (&options->plane, t2pw_plane_config_free);
}
