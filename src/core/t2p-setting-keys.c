/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-limits.h"
#include "t2p-settings.h"

#include <glib/gi18n-lib.h>

/* Names that programs look up to find out where they are: what a virtual address would break.
 */
#define DEFAULT_DNS_EXCLUDE                                                                    \
  "*.local,*.pool.ntp.org,connectivity-check.ubuntu.com,connectivitycheck.gstatic.com,"        \
  "captive.apple.com,detectportal.firefox.com,network-test.debian.org,nmcheck.gnome.org,"      \
  "www.msftconnecttest.com"

#define LIFETIME_S 604800 /* a week: longer than any idle connection worth keeping */
/* Ours end well before the kernel's rule for the main table, 32766. */
#define LAST_PRIORITY 32000

#define CHOICE T2P_SETTING_FORMAT_CHOICE
#define FLAG T2P_SETTING_FORMAT_FLAG, "false", 0, 1
#define SECONDS T2P_SETTING_FORMAT_NUMBER, NULL, 1, LIFETIME_S
#define UNSUPPORTED_LIST T2P_SETTING_FORMAT_TEXT, "", 0, T2P_MAX_LIST_ENTRIES

/* clang-format off: one row, one key */
static const T2pSettingKey keys[] = {
  { "proxies", "as", NULL, NULL, TRUE,
    N_ ("Proxies in the order in which they are tried, as "
        "SCHEME://[USER:PASSWORD@]HOST[:PORT]"),
    T2P_SETTING_FORMAT_URI, NULL, 1, T2P_MAX_PROXIES },
  { "policy", "s", "failover", "failover|round-robin|least-latency", TRUE,
    N_ ("Which of several proxies gets the next connection: the first that works, each in "
        "turn, host by host, or the nearest"),
    CHOICE },
  { "capture", "s", "none", "none|routes|default", TRUE,
    N_ ("What goes into the tunnel: nothing by itself, the routes, or everything"), CHOICE },
  { "scope", "s", NULL, "user|system", TRUE,
    N_ ("Whose traffic is captured: that of the owner or that of the whole system"), CHOICE },
  { "routes", "as", "", NULL, TRUE, N_ ("Networks that go into the tunnel"),
    T2P_SETTING_FORMAT_CIDR, NULL, 0, T2P_MAX_ROUTES },
  { "exclude-routes", "as", "", NULL, TRUE, N_ ("Networks that stay out of the tunnel"),
    T2P_SETTING_FORMAT_CIDR, NULL, 0, T2P_MAX_ROUTES },
  { "users", "as", "", NULL, FALSE,
    N_ ("With the system scope, only these users, uids or ranges of uids"),
    T2P_SETTING_FORMAT_USER, NULL, 0, T2P_MAX_LIST_ENTRIES },
  { "apps", "as", "", NULL, FALSE, N_ ("Only these systemd units, scopes or slices"),
    T2P_SETTING_FORMAT_APP, NULL, 0, T2P_MAX_APPS },
  { "exclude-apps", "as", "", NULL, FALSE, N_ ("Not these systemd units, scopes or slices"),
    T2P_SETTING_FORMAT_APP, NULL, 0, T2P_MAX_APPS },
  { "forwarded", "b", "false", NULL, FALSE,
    N_ ("Also capture forwarded traffic, of containers or as a gateway"),
    T2P_SETTING_FORMAT_FLAG },
  { "lan", "s", "connected", "connected|all|none", TRUE,
    N_ ("Which local networks stay out of a default capture"), CHOICE },
  { "rules", "as", "", NULL, TRUE, N_ ("Ordered rules MATCH -> ACTION"),
    T2P_SETTING_FORMAT_RULE, NULL, 0, T2P_MAX_LIST_ENTRIES },
  { "interface", "s", "t2p%d", NULL, FALSE,
    N_ ("Name of the network interface; %d is replaced by a free number"),
    T2P_SETTING_FORMAT_LINK },
  { "addresses", "as", NULL, NULL, FALSE,
    N_ ("Addresses of the interface; chosen free of conflicts when empty"),
    T2P_SETTING_FORMAT_INTERFACE, NULL, 0, T2P_MAX_ADDRESSES },
  { "mtu", "u", "1500", NULL, TRUE, N_ ("Largest packet of the interface, in bytes"),
    T2P_SETTING_FORMAT_NUMBER, NULL, 1280, 65520 },
  { "queues", "u", "1", NULL, FALSE, N_ ("Workers that share the interface; 0 chooses"),
    T2P_SETTING_FORMAT_NUMBER, "1", 0, 256 },
  { "memory-limit", "u", NULL, NULL, FALSE,
    N_ ("Memory for the connections of a worker, in bytes; 128 MiB or a sixteenth of the "
        "machine's"),
    T2P_SETTING_FORMAT_NUMBER, NULL, 8 * 1024 * 1024, G_MAXUINT32 },
  { "ipv6", "s", "auto", "auto|on|reject|leave", TRUE,
    N_ ("IPv6: by what the proxy can, always, refused at once, or left alone"), CHOICE },
  { "dns", "s", NULL, "off|virtual|tcp|udp", TRUE,
    N_ ("Names: left alone, sent to the proxy as names, or asked of the servers through it"),
    CHOICE },
  { "dns-servers", "as", "1.1.1.1,8.8.8.8", NULL, TRUE,
    N_ ("Name servers that are asked through the proxy"), T2P_SETTING_FORMAT_ADDRESS, NULL, 0,
    T2P_MAX_ADDRESSES },
  { "dns-domains", "as", ".", NULL, TRUE,
    N_ ("Domains whose names are resolved by the tunnel; a dot means all"),
    T2P_SETTING_FORMAT_DOMAIN, NULL, 0, T2P_MAX_LIST_ENTRIES },
  { "dns-pool4", "s", NULL, NULL, FALSE,
    N_ ("IPv4 network of the virtual addresses; chosen free of conflicts when empty"),
    T2P_SETTING_FORMAT_CIDR, NULL, 8, 28 },
  { "dns-pool6", "s", NULL, NULL, FALSE,
    N_ ("IPv6 network of the virtual addresses; chosen free of conflicts when empty"),
    T2P_SETTING_FORMAT_CIDR, NULL, 32, 112 },
  { "dns-exclude", "as", DEFAULT_DNS_EXCLUDE, NULL, TRUE,
    N_ ("Names that keep their real addresses"), T2P_SETTING_FORMAT_DOMAIN, NULL, 0,
    T2P_MAX_LIST_ENTRIES },
  { "udp", "s", "auto", "auto|associate|udpgw|udp-in-tcp|reject", TRUE,
    N_ ("How UDP reaches its destination"), CHOICE },
  { "udpgw", "s", "", NULL, TRUE, N_ ("HOST:PORT of a UDP gateway behind the proxy"),
    T2P_SETTING_FORMAT_HOST_PORT },
  { "icmp", "s", "unreachable", "unreachable|reply|drop|direct", TRUE,
    N_ ("What a ping gets: an error that says the truth, our own answer, nothing, or a way "
        "past the proxy"),
    CHOICE, NULL, 0, 0, "direct" },
  { "early-accept", "b", "false", NULL, TRUE,
    N_ ("Accept connections before the proxy has made them"), T2P_SETTING_FORMAT_FLAG },
  { "kill-switch", "s", "off", "off|on-failure|always", FALSE,
    N_ ("Block captured traffic while the tunnel is down"), CHOICE },
  { "outbound-interface", "s", "", NULL, FALSE,
    N_ ("Network interface by which the proxy is reached"), T2P_SETTING_FORMAT_LINK },
  { "loop-avoidance", "s", "mark", "mark|bind-interface|host-route|half-default", FALSE,
    N_ ("How connections to the proxy stay out of the tunnel"), CHOICE },
  { "mark", "u", NULL, NULL, FALSE, N_ ("Firewall mark of our own sockets; 0 chooses"),
    T2P_SETTING_FORMAT_NUMBER, NULL, 0, G_MAXUINT32 },
  { "route-table", "u", NULL, NULL, FALSE,
    N_ ("Routing table of the captured networks; 0 chooses"), T2P_SETTING_FORMAT_NUMBER, NULL,
    0, G_MAXUINT32 },
  { "rule-priority", "u", NULL, NULL, FALSE,
    N_ ("Priority of the first routing rule; 0 chooses"), T2P_SETTING_FORMAT_NUMBER, NULL, 0,
    LAST_PRIORITY },
  { "connect-timeout", "u", "10", NULL, TRUE,
    N_ ("Seconds that a connection may take to be made"), SECONDS },
  { "tcp-idle-timeout", "u", "7200", NULL, TRUE,
    N_ ("Seconds after which a silent TCP connection ends"), SECONDS },
  { "half-close-timeout", "u", "60", NULL, TRUE,
    N_ ("Seconds after which a silent TCP connection ends that one side has closed"), SECONDS },
  { "udp-idle-timeout", "u", "60", NULL, TRUE,
    N_ ("Seconds after which a silent UDP flow ends"), SECONDS },
  { "max-connections", "u", "65536", NULL, TRUE, N_ ("Connections at a time"),
    T2P_SETTING_FORMAT_NUMBER, NULL, 1, 1048576 },
  { "permissions", "as", "", NULL, FALSE,
    N_ ("Users and groups that may start and stop a persisted tunnel"), UNSUPPORTED_LIST },
  { "autostart", "b", "false", NULL, FALSE, N_ ("Start the persisted tunnel with the service"),
    FLAG },
  { NULL },
};
/* clang-format on */
G_STATIC_ASSERT (G_N_ELEMENTS (keys) == T2P_N_SETTINGS + 1);

/**
 * t2p_setting_keys:
 *
 * Returns: (transfer none): the rows of the table, and one without a name after them
 *
 * Since: 0.1
 */
const T2pSettingKey *
t2p_setting_keys (void)
{
  return keys;
}

/**
 * t2p_setting_key_find:
 * @name: (nullable): name of a setting
 *
 * Returns: (transfer none) (nullable): its row
 *
 * Since: 0.1
 */
const T2pSettingKey *
t2p_setting_key_find (const char *name)
{
  for (const T2pSettingKey *key = keys; key->name != NULL; key++)
    if (g_strcmp0 (key->name, name) == 0)
      return key;
  return NULL;
}
