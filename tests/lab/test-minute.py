#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A minute of everything that applications do, and what of it is on the machine's wire: traffic to
the proxy, DHCP, neighbour discovery, and what was excluded."""
import contextlib
import ipaddress
import os
import pathlib
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, Wire, plan, tap  # noqa: E402

SECONDS = int(os.environ.get('T2P_LAB_MINUTE', '60'))
EXCLUDED_NAME = 'excluded.bulk.example'
NM_CHECK_NAME = 'www.example'  # excluded by itself: NetworkManager asks it for connectivity
HERE = pathlib.Path(__file__).parent / 't2plab'
DHCP_PORTS = (67, 68, 546, 547)
NEIGHBOUR_DISCOVERY = ('icmp6 133', 'icmp6 134', 'icmp6 135', 'icmp6 136', 'icmp6 143')
WAYS = ('ahostsv4', 'ahostsv6', 'hosts')
NAMES = ('a.bulk.example', 'v4.example', 'v6.example', 'secret-public.test', 'secret-label',
         'secret.local', plan.SERVER4, plan.SERVER6, plan.PROXY_ONLY_NAME)
SERVERS = {'4': plan.SERVER4, '6': plan.SERVER6}
# One datagram with a QUIC long header to port 443 of each family, and what came of it.
UDP = '''
import socket, sys
for address, port, data in ((%r, 443, b"\\xc3\\0\\0\\0\\1" + b"q" * 1195), (%r, 443, b"\\xc3q"),
                            (%r, 7, b"x"), (%r, 7, b"x"), (%r, 123, b"ntp"), (%r, 3478, b"stun")):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(0.3)
    try:
        sock.connect((address, port))
        sock.send(data)
        sock.recv(2000)
    except OSError:
        pass
''' % (plan.SERVER4, plan.SERVER6, plan.SERVER4, plan.SERVER6, plan.SERVER4, plan.SERVER6)


def is_on_link(text):
    address = ipaddress.ip_address(text)
    return address.is_link_local or address.is_multicast or address in ipaddress.ip_network(
        '10.77.0.0/24') or address in ipaddress.ip_network('2001:db8:77::/64')


def excuse(row):
    """Why a packet may be on the wire; None: it may not."""
    ends = {row['source'], row['destination']}
    if row['protocol'] == 'arp' or row['protocol'] in NEIGHBOUR_DISCOVERY:
        return 'neighbours'
    if row['protocol'] == 'udp' and row['port'] in DHCP_PORTS:
        return 'DHCP'
    if row['protocol'] == 'tcp' and ends & {plan.PROXY4, plan.PROXY6} and row['port'] == plan.DANTED:
        return 'the proxy'
    if row['protocol'] == 'udp' and ends & {plan.PROXY4, plan.PROXY6} and row['port'] > 1023:
        return "the proxy's relay"
    if row['port'] == 53 and (row['name'] or 'x').endswith((EXCLUDED_NAME, NM_CHECK_NAME, 'lan.example')):
        return 'excluded names' if all(map(is_on_link, ends)) else None
    return None


def as_text(row):
    return '{protocol} {source} > {destination} {port} {name}'.format(**row)


class Minute(LabCase):
    maxDiff = None
    options = {'nm': True, 'resolved': True, 'proxies': ('danted',)}

    def setUp(self):
        self.cleanup = contextlib.ExitStack()
        self.addCleanup(self.cleanup.close)
        self.lab.wait_for(lambda: 'via fe80' in self.lab.run('ip -6 route').stdout)
        self.wire = self.cleanup.enter_context(Wire(self.lab))

    def quietly(self, *cmd, **kwargs):
        return self.lab.run(list(cmd), check=False, timeout=20, **kwargs)

    # --- what applications do

    def look_up(self):
        for name in NAMES:
            for way in WAYS:
                self.quietly('timeout', '3', 'getent', way, name)
        self.quietly('getent', 'ahosts', EXCLUDED_NAME)

    def fetch(self):
        for url in (f'http://{plan.SERVER4}/ip', f'http://[{plan.SERVER6}]/ip',
                    'http://b.bulk.example/ip', 'https://c.bulk.example/'):
            self.quietly('curl', '-sS', '-m', '3', url)

    def send_datagrams(self):
        self.quietly('/usr/bin/python3', '-c', UDP)

    def ping(self):
        for address in SERVERS.values():
            self.quietly('ping', '-c', '1', '-W', '1', address)

    def ask_servers(self):
        """Queries to name servers of one's own choice, on the link and beyond."""
        for server in (plan.SERVER4, plan.SERVER6, plan.ROUTER4, plan.ROUTER6):
            for words in ('A', 'AAAA tcp'):
                self.quietly('timeout', '2', '/usr/bin/python3', '-B', str(HERE / 'dnsclient.py'),
                             server, input=f'secret-chosen.test {words}\n')

    def as_user(self):
        self.quietly('curl', '-sS', '-m', '3', 'http://d.bulk.example/ip', uid=plan.USER_UID)

    def run_all(self, seconds):
        end, failures = time.monotonic() + seconds, []

        def again(do):
            try:
                do()
                while time.monotonic() < end:
                    do()
                    time.sleep(1)
            except Exception as error:  # told by the main thread
                failures.append(error)
        threads = [threading.Thread(target=again, args=(do,)) for do in (
            self.look_up, self.fetch, self.send_datagrams, self.ping, self.ask_servers,
            self.as_user)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def strangers(self):
        return [row for row in self.wire.since_last() if excuse(row) is None]

    def test_a_seen_without(self):
        """without a tunnel the wire shows all of it: names, addresses, both families, QUIC, ping"""
        self.run_all(0)
        seen = self.strangers()
        self.assertLessEqual({'tcp', 'udp', 'icmp', 'icmp6 128'}, {row['protocol'] for row in seen})
        self.assertLessEqual({53, 80, 443, 7}, {row['port'] for row in seen})
        self.assertLessEqual({plan.SERVER4, plan.SERVER6}, {row['destination'] for row in seen})
        names = {row['name'].split('.')[0] for row in seen}
        self.assertLessEqual({'a', 'secret-public', 'secret-chosen'}, names)

    def test_b_minute(self):
        """with one: the proxy, DHCP, neighbours and what was excluded, and nothing else"""
        with Service(self.lab) as service:
            service.create('work', plan.DANTED_URI, capture='default', scope='system',
                           dns_exclude=[EXCLUDED_NAME])
            self.wire.since_last()
            self.run_all(SECONDS)
            self.assertEqual([as_text(row) for row in self.strangers()], [])
            kinds = {excuse(row) for row in self.wire.all()}
            self.assertLessEqual({'the proxy', 'excluded names'}, kinds)


if __name__ == '__main__':
    tap.main()
