# SPDX-License-Identifier: LGPL-2.1-or-later
"""Addresses, ports, users and names of the lab: the one place that spells them.

    lab machine ── LAN ── router ──┬── proxy net     (proxies)
     eth0                  wan     └── server net    (HTTP, echo, iperf3, DNS)

The proxy is not on the LAN: packets to it need the default route, as in real life.
"""

# The machine under test.
LAB4, LAB6 = '10.77.0.100', '2001:db8:77::100'  # its static addresses, without NetworkManager
UPLINK = 'eth0'
ROUTER4, ROUTER6 = '10.77.0.1', '2001:db8:77::1'
# Its second link to the router, which is down until a test wants to roam; nobody gives it addresses.
SECOND_UPLINK = 'eth1'
SECOND4, SECOND6 = '10.78.0.100', '2001:db8:78::100'
SECOND_ROUTER4 = '10.78.0.1'
# How a packet ends that leaves on purpose, see leak.py.
LEAK_SIGN = b'leaks on purpose'

# Network namespaces beside it.
NETNS = ('wan', 'px', 'srv')
PROXY4, PROXY6 = '198.51.100.2', '2001:db8:51::2'
NOBODY4 = '198.51.100.99'  # beside the proxy
PX_ROUTER4, PX_ROUTER6 = '198.51.100.1', '2001:db8:51::1'
SERVER4, SERVER6 = '203.0.113.10', '2001:db8:113::10'
SRV_ROUTER4, SRV_ROUTER6 = '203.0.113.1', '2001:db8:113::1'

# Proxies: port by the name under which Lab(proxies=…) takes them, see proxies.py. All listen on
# PROXY4 and PROXY6. "password" and "basic", "digest" want the user and password below.
PORTS = {
    'danted': 1080,                   # SOCKS4 and 5, UDP ASSOCIATE
    'microsocks': 1081,               # SOCKS5, password, CONNECT only
    'danted-password': 1082,          # SOCKS5, password, UDP ASSOCIATE
    'microsocks-open': 1083,          # SOCKS5, CONNECT only
    'danted-ipv4': 1085,              # connects to IPv4 only
    'ssh': 1084,                      # ssh -D: SOCKS4, 4a and 5, CONNECT only
    'squid': 3128,                    # HTTP CONNECT
    'squid-basic': 3129,
    'squid-digest': 3130,
    'squid-negotiate': 3131,          # by a Kerberos ticket for HTTP/proxy.example, see kerberos.py
    'tinyproxy': 8888,                # HTTP CONNECT
    'tinyproxy-basic': 8889,
    'squid-tls': 4128,                # squid's own https_port, of 'squid' and …
    'squid-basic-tls': 4129,
    'squid-digest-tls': 4130,
    'stunnel-danted': 1443,           # TLS before 'danted' and …
    'stunnel-danted-password': 1444,
    'stunnel-certificate': 1445,      # TLS that wants a client's certificate, before 'danted'
    'haproxy-squid': 2443,            # TLS before 'squid' and …
    'haproxy-tinyproxy-basic': 2444,
    'haproxy-certificate': 2445,      # TLS that wants a client's certificate, before 'squid'
}
# socat on UNIX_SOCKETS/unix-danted, before 'danted' and so on.
UNIX_PROXIES = ('unix-danted', 'unix-microsocks', 'unix-squid')
UNIX_SOCKETS = '/run/lab/unix'
PROXIES = (*PORTS, *UNIX_PROXIES)
DANTED, MICROSOCKS = PORTS['danted'], PORTS['microsocks']
DANTED_PASSWORD, SQUID, TINYPROXY = PORTS['danted-password'], PORTS['squid'], PORTS['tinyproxy']
PROXY_USER, PROXY_PASSWORD, REALM = 'alice', 'secret', 'LAB.EXAMPLE'

# Made when a proxy with TLS is asked for, see certificates.py.
TLS = '/run/lab/tls'
CA, OTHER_CA = f'{TLS}/ca.pem', f'{TLS}/other-ca.pem'
CLIENT_CERTIFICATE, CLIENT_KEY = f'{TLS}/client.pem', f'{TLS}/client.key'

DANTED_URI = f'socks5://{PROXY4}:{DANTED}'
DANTED6_URI = f'socks5://[{PROXY6}]:{DANTED}'
MICROSOCKS_URI = f'socks5://{PROXY_USER}:{PROXY_PASSWORD}@{PROXY4}:{MICROSOCKS}'

# Services of the server, see peer.py.
HTTP, HTTP_ALT = 80, 8080
ECHO = 7                # TCP and UDP
ANSWER_AFTER_EOF = 5000
IPERF3 = 5201

# Names: www has both families; proxy-only is known to the proxy's resolver alone.
NAMES = {
    'www.example': (SERVER4, SERVER6),
    'v4.example': (SERVER4,),
    'v6.example': (SERVER6,),
    'bulk.example': (SERVER4, SERVER6),  # and every name below it
    'proxy.example': (PROXY4, PROXY6),
    'half-closed.example': (SERVER4, PROXY4),  # no proxy listens there
    'half-silent.example': (NOBODY4, PROXY4),
}
PROXY_ONLY_NAME = 'proxy-only.example'

# Users.
USER, USER_UID = 't2puser', 4001
ADMIN, ADMIN_UID = 't2padmin', 4002  # an administrator, for polkit; has the proxy's password
WORKER, WORKER_UID = 'tun2proxy', 4100
