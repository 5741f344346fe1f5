#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pings, hops and fragments: what is neither TCP nor a datagram that fits."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, plan, tap  # noqa: E402

FAMILIES = ((plan.SERVER4, '-4'), (plan.SERVER6, '-6'))
PINGS_UNDER_WAY = 1024  # T2P_MAX_PINGS
RANGE = '/proc/sys/net/ipv4/ping_group_range'
# Who says that the time of a datagram is up, and of which type that is.
HOP = '''
import socket, struct, sys
host, ttl = sys.argv[1], int(sys.argv[2])
v6 = ':' in host
sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
sock.setsockopt(level, 25 if v6 else 11, 1)                      # RECVERR
sock.setsockopt(level, socket.IPV6_UNICAST_HOPS if v6 else socket.IP_TTL, ttl)
sock.settimeout(5)
sock.connect((host, 33434))
sock.send(b'where')
try:
    sock.recv(100)
except OSError:
    pass
_, items, _, _ = sock.recvmsg(100, 512, socket.MSG_ERRQUEUE)
for _, _, data in items:
    if len(data) > 16:
        family = socket.AF_INET6 if v6 else socket.AF_INET
        print(socket.inet_ntop(family, data[24:40] if v6 else data[20:24]), data[5], data[6])
'''


class Pings(LabCase):
    options = {'proxies': ['danted']}

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.service.__exit__(None)

    def create(self, **settings):
        return self.service.create('work', plan.DANTED_URI, capture='default', ipv6='on',
                                   **settings)

    def ping(self, host, *args, uid=None):
        """What ping(8) says of one ping, or of as many as the arguments say."""
        return self.lab.run(['ping', '-n', '-c', '1', '-W', '3', *args, host], check=False, uid=uid,
                            timeout=60).stdout

    def test_unreachable(self):
        """icmp=unreachable, the default: a ping fails at once, and says why"""
        tunnel = self.create()
        for host, family in FAMILIES:
            said = self.ping(host, family)
            self.assertRegex(said, f'From {host} icmp_seq=1 (Packet filtered|Destination '
                                   'unreachable: Administratively prohibited)')
        self.assertEqual(tunnel.statistics()['dropped-ping'], 2)

    def test_reply(self):
        """icmp=reply: the tunnel answers every ping itself, long ones too"""
        self.create(icmp='reply')
        for host, family in FAMILIES:
            for size in ('56', '1472', '4000', '20000'):
                self.assertIn(' 0% packet loss', self.ping(host, family, '-s', size))
        self.assertIn(' 0% packet loss', self.ping('www.example', '-4'))

    def test_drop(self):
        """icmp=drop: no ping is answered, and no other ICMP is sent"""
        tunnel = self.create(icmp='drop')
        for host, family in FAMILIES:
            said = self.ping(host, family, '-W', '1')
            self.assertIn('100% packet loss', said)
            self.assertNotIn('From', said)
            self.assertIn('100% packet loss', self.ping(host, family, '-W', '1', '-t', '1'))
        self.assertEqual(tunnel.statistics()['dropped-hops'], 2)

    def check_direct(self):
        for host, family in FAMILIES:
            for size in ('8', '56', '1400', '4000'):
                said = self.ping(host, family, '-s', size)
                self.assertIn(' 0% packet loss', said)
                self.assertRegex(said, r'icmp_seq=1 ttl=62\b')  # the router and we
            # as a router on the way says it: the LAN's is the second hop now
            router = plan.ROUTER4 if family == '-4' else plan.ROUTER6
            self.assertRegex(self.ping(host, family, '-t', '2'),
                             rf'From {router} icmp_seq=1 Time (to live )?exceeded')
        # nobody is there: the router gives up on it
        self.assertRegex(self.ping('203.0.113.77', '-W', '8'),
                         rf'From {plan.ROUTER4} icmp_seq=1 Destination Host Unreachable')

    def test_direct(self):
        """icmp=direct: pings pass the proxy by, by ping sockets and by raw ones"""
        for allowed in ('0 2147483647', '1 0'):
            self.lab.sh(f'echo {allowed} >{RANGE}')
            tunnel = self.create(icmp='direct')
            self.check_direct()
            # an address that stands for a name is nobody's
            self.assertRegex(self.ping('www.example', '-4'),
                             'icmp_seq=1 Destination Host Unreachable')
            tunnel.delete()

    def test_direct_is_privileged(self):
        """icmp=direct needs `advanced`"""
        for icmp, may in (('reply', True), ('direct', False)):
            got = self.lab.session(
                plan.USER_UID,
                ['busctl', 'call', 'org.tun2proxy.Manager', '/org/tun2proxy/Manager',
                 'org.tun2proxy.Manager', 'CreateTunnel', 'sa{sv}a{sv}', icmp, '2', 'proxies',
                 'as', '1', plan.DANTED_URI, 'icmp', 's', icmp, '0'], check=False)
            self.assertEqual(got.returncode == 0, may, got.stderr)
            self.assertEqual('org.tun2proxy.advanced' in got.stderr, not may, got.stderr)

    @staticmethod
    def number(pattern, text):
        found = re.search(pattern, text)
        return int(found[1]) if found else 0

    def test_flood(self):
        """a flood of pings costs bounded memory, and other traffic goes on"""
        tunnel = self.create(icmp='direct')
        nobody = '203.0.113.77'
        self.lab.start(['ping', '-n', '-q', '-l', '6000', '-c', '6000', '-w', '4', nobody],
                       name='flood')
        url = f'http://{plan.SERVER4}/ip'
        for _ in range(8):
            self.assertEqual(self.lab.run(['curl', '-sS', '-m', '10', url]).stdout.strip(),
                             plan.PROXY4)
            self.lab.run(['sleep', '0.3'])
        self.lab.wait_for(lambda: 'packet loss' in self.lab.log('flood'), 20)
        sent = self.number(r'(\d+) packets transmitted', self.lab.log('flood'))
        errors = self.number(r'\+(\d+) errors', self.lab.log('flood'))
        self.assertGreater(sent, 3000)
        # Some find the queue of the device full and never reach us. Each error frees a place.
        queue = self.lab.run(['tc', '-s', 'qdisc', 'show', 'dev', tunnel.interface]).stdout
        before_us = self.number(r'dropped (\d+)', queue) + int(self.lab.read(
            f'/sys/class/net/{tunnel.interface}/statistics/tx_dropped'))
        self.assertGreaterEqual(tunnel.statistics()['dropped-ping'] + before_us,
                                sent - PINGS_UNDER_WAY - errors)
        self.lab.wait_for(lambda: ' 0% packet loss' in self.ping(plan.SERVER6), 15)

    def test_hops(self):
        """traceroute: the first hop is the tunnel, the second the destination"""
        self.lab.write('/run/hop.py', HOP)
        self.create(udp='reject', icmp='reply')
        for host, own, exceeded, refused in (
                (plan.SERVER4, '198.18.0.2', '11 0', '3 3'),
                (plan.SERVER6, 'fd', '3 0', '1 4')):
            first = self.lab.run(['python3', '/run/hop.py', host, '1']).stdout.strip()
            self.assertTrue(first.startswith(own) and first.endswith(exceeded), first)
            second = self.lab.run(['python3', '/run/hop.py', host, '2']).stdout.strip()
            self.assertEqual(second, f'{host} {refused}')
            said = self.ping(host, '-t', '1')
            self.assertRegex(said, rf'From {own}\S* icmp_seq=1 Time (to live )?exceeded')


if __name__ == '__main__':
    tap.main()
