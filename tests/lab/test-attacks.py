#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A network that wants to see what goes through the tunnel, and programs that go their own ways:
what the wire then shows. Each test first sees on the wire what must not be there with a tunnel."""
import contextlib
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import BusError, LabCase, Service, Wire, plan, tap  # noqa: E402

DNS_PORTS = (53, 853)
V4_URL, V6_URL = f'http://{plan.SERVER4}/ip', f'http://[{plan.SERVER6}]/ip'
IPV4_ONLY = f'socks5://{plan.PROXY4}:{plan.PORTS["danted-ipv4"]}'
WITHOUT_UDP = f'socks5://{plan.PROXY4}:{plan.PORTS["microsocks-open"]}'
# All of IPv4 in two halves, more specific than any default route (CVE-2024-3661, "TunnelVision").
OPTION_121 = f'0.0.0.0/1,{plan.ROUTER4},128.0.0.0/1,{plan.ROUTER4},0.0.0.0/0,{plan.ROUTER4}'
# A router advertisement with a route to all of IPv6 in two halves (RFC 4191); argv: link, lifetime.
ADVERTISE = '''
import socket, struct, sys
link, lifetime = sys.argv[1], int(sys.argv[2])
sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
index = socket.if_nametoindex(link)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
sock.bind(("fe80::1", 0, 0, index))
routes = b"".join(struct.pack("!BBBBI8s", 24, 2, 1, 8, lifetime, bytes([first]) + bytes(7))
                  for first in (0, 0x80))
sock.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + routes, ("ff02::1", 0, 0, index))
'''
# argv: how ("address X", "device X", "plain"), server, port, "tcp" or "udp"; says what came of it.
CALL = '''
import socket, sys
how, bound, server, port, kind = sys.argv[1:]
family = socket.AF_INET6 if ":" in server else socket.AF_INET
sock = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
if how == "address":
    sock.bind((bound, 0))
elif how == "device":
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bound.encode())
sock.settimeout(1)
try:
    sock.connect((server, int(port)))
    sock.send(b"GET /ip HTTP/1.0\\r\\n\\r\\n" if port == "80" else b"\\xc3\\0\\0\\0\\1" + bytes(1195))
    data = sock.recv(2000)
    while port == "80" and (more := sock.recv(2000)):
        data += more
    print(data.decode("latin-1").splitlines()[-1])
except OSError as error:
    print(error)
'''


class AttackCase(LabCase):
    def setUp(self):
        self.cleanup = contextlib.ExitStack()
        self.addCleanup(self.cleanup.close)
        self.service = None
        self.wire = self.cleanup.enter_context(Wire(self.lab))

    def up(self, proxy=plan.DANTED_URI, **settings):
        if self.service is None:
            self.service = Service(self.lab).start()
            self.cleanup.callback(self.service.__exit__, None)
        tunnel = self.service.create('work', proxy, capture='default', scope='system', **settings)
        self.cleanup.callback(self.down, tunnel)
        self.wire.since_last()
        return tunnel

    @staticmethod
    def down(tunnel):
        with contextlib.suppress(BusError):  # it went before
            tunnel.delete()

    def fetch(self, url, **kwargs):
        return self.lab.run(['curl', '-sS', '-m', '4', url], check=False, **kwargs).stdout.strip()

    def call(self, how, bound, server, port=80, kind='tcp'):
        return self.lab.run(['/usr/bin/python3', '-c', CALL, how, bound, server, port, kind],
                            uid=plan.USER_UID).stdout.strip()

    def to_servers(self):
        """Kinds of packets for the server, which only the proxy may send: (protocol, port)."""
        return {(row['protocol'], row['port'], row['destination']) for row in self.wire.since_last()
                if row['destination'] in (plan.SERVER4, plan.SERVER6)}

    def asked(self):
        """Names that were asked for on the wire."""
        return {row['name'] for row in self.wire.since_last()
                if row['port'] in DNS_PORTS and row['name']}


class HostileNetwork(AttackCase):
    """NetworkManager does what DHCP and router advertisements tell it."""

    options = {'nm': True, 'resolved': True, 'proxies': ('danted',)}
    hostile = [f'--dhcp-option=121,{OPTION_121}']

    def setUp(self):
        super().setUp()
        path = '/run/lab/router-dns.json'
        known = json.loads(self.lab.read(path))
        self.cleanup.callback(self.become, {**known, 'argv': known['argv']})
        self.known = known

    def become(self, part):
        """Another router, whose word NetworkManager hears at once."""
        self.lab.halt('router-dns')
        self.lab.write('/run/lab/router-dns.json', json.dumps(part))
        self.lab.resume('router-dns')
        self.lab.wait_for(lambda: self.lab.netns('wan').run(['ss', '-Hlun', 'sport = :67']).stdout)
        self.lab.run('nmcli con up lan')
        self.lab.wait_for(lambda: 'via fe80' in self.lab.run('ip -6 route').stdout)

    def become_hostile(self):
        self.become({**self.known, 'argv': [*self.known['argv'], *self.hostile]})
        self.lab.wait_for(lambda: '0.0.0.0/1 via' in self.lab.run('ip route').stdout)

    def advertise(self, lifetime):
        self.lab.netns('wan').run(['/usr/bin/python3', '-c', ADVERTISE, 'lan0', str(lifetime)])

    def advertise_routes(self):
        self.advertise(600)
        self.cleanup.callback(self.advertise, 0)
        self.lab.wait_for(lambda: '8000::/1 ' in self.lab.run('ip -6 route').stdout)

    def test_dhcp_before(self):
        """DHCP's routes to everything (option 121), there before the tunnel"""
        self.become_hostile()
        self.fetch(V4_URL)
        self.assertIn(('tcp', 80, plan.SERVER4), self.to_servers())
        self.up()
        self.assertEqual(self.fetch(V4_URL), plan.PROXY4)
        self.assertEqual(self.to_servers(), set())

    def test_dhcp_while_up(self):
        """the same, told by a router that turns hostile while the tunnel is up"""
        self.up()
        self.assertEqual(self.fetch(V4_URL), plan.PROXY4)
        self.become_hostile()
        self.lab.wait_for(lambda: self.fetch(V4_URL) == plan.PROXY4, 5)
        self.wire.since_last()
        self.assertEqual(self.fetch(V4_URL), plan.PROXY4)
        self.assertEqual(self.to_servers(), set())

    def test_advertised(self):
        """a router advertisement's routes to everything, before the tunnel and while it is up"""
        self.advertise_routes()
        self.fetch(V6_URL)
        self.assertIn(('tcp', 80, plan.SERVER6), self.to_servers())
        self.up()
        self.assertEqual(self.fetch(V6_URL), plan.PROXY6)
        self.advertise(0)
        self.lab.wait_for(lambda: '8000::/1 ' not in self.lab.run('ip -6 route').stdout)
        self.advertise_routes()
        self.lab.wait_for(lambda: self.fetch(V6_URL) == plan.PROXY6, 5)
        self.wire.since_last()
        self.assertEqual(self.fetch(V6_URL), plan.PROXY6)
        self.assertEqual(self.to_servers(), set())


class OwnWays(AttackCase):
    options = {'resolved': True, 'proxies': ('danted', 'danted-ipv4', 'microsocks-open')}

    def test_quic(self):
        """QUIC goes to the proxy that carries UDP, and is refused for one that does not"""
        self.call('plain', '', plan.SERVER4, 443, 'udp')
        self.call('plain', '', plan.SERVER6, 443, 'udp')
        seen = self.to_servers()
        for server in (plan.SERVER4, plan.SERVER6):
            self.assertIn(('udp', 443, server), seen)
        for proxy in (plan.DANTED_URI, WITHOUT_UDP):
            tunnel = self.up(proxy)
            said = {self.call('plain', '', server, 443, 'udp')
                    for server in (plan.SERVER4, plan.SERVER6)}
            if proxy == WITHOUT_UDP:
                self.assertTrue(all('refused' in words for words in said), said)
            self.assertEqual(self.to_servers(), set())
            self.down(tunnel)

    def test_no_ipv6(self):
        """IPv6, when the proxy has none: refused at once, nothing of it on the wire"""
        self.call('plain', '', plan.SERVER6)
        self.call('plain', '', plan.SERVER6, 443, 'udp')
        self.assertLessEqual({('tcp', 80, plan.SERVER6), ('udp', 443, plan.SERVER6)},
                             self.to_servers())
        self.up(IPV4_ONLY)
        for port, kind in ((80, 'tcp'), (443, 'udp')):
            self.assertRegex(self.call('plain', '', plan.SERVER6, port, kind), 'refused|unreach|No route')
        self.lab.run(['ping', '-c', '1', '-W', '1', plan.SERVER6], check=False)
        self.assertEqual(self.to_servers(), set())

    def test_second_interface(self):
        """another interface with a default route and a name server of its own is not used"""
        self.lab.sh('ip addr add 10.78.0.100/24 dev eth1; ip addr add 2001:db8:78::100/64 dev eth1;'
                    'ip link set eth1 up; ip route add default via 10.78.0.1 dev eth1 metric 50;'
                    'ip route add ::/0 via fe80::1 dev eth1 metric 50;'
                    'resolvectl dns eth1 10.78.0.1; resolvectl default-route eth1 yes')
        self.cleanup.callback(self.lab.sh, 'ip addr flush dev eth1; ip link set eth1 down; '
                              'resolvectl revert eth1')
        self.fetch('http://seen.bulk.example/ip')
        self.fetch(V6_URL)
        rows = [row for row in self.wire.all() if row['link'] == 'lan1']
        self.assertIn('seen.bulk.example', {row['name'] for row in rows})
        self.assertIn(plan.SERVER6, {row['destination'] for row in rows})
        self.up()
        self.assertIn(self.fetch('http://unseen.bulk.example/ip'), (plan.PROXY4, plan.PROXY6))
        self.assertEqual(self.fetch(V6_URL), plan.PROXY6)
        rows = self.wire.since_last()
        self.assertEqual({row['name'] for row in rows if row['name']}, set())
        self.assertEqual({row['destination'] for row in rows} & {plan.SERVER4, plan.SERVER6}, set())

    def test_bound(self):
        """without a kill switch, who binds to the uplink's address or link goes past the tunnel"""
        ways = (('address', plan.LAB4, plan.SERVER4), ('address', plan.LAB6, plan.SERVER6),
                ('device', plan.UPLINK, plan.SERVER4), ('device', plan.UPLINK, plan.SERVER6))
        self.up()
        for how, bound, server in ways:
            own = plan.LAB4 if server == plan.SERVER4 else plan.LAB6
            self.assertEqual(self.call(how, bound, server), own, (how, server))

    def test_open_before(self):
        """who came in from outside before the tunnel stays, as ssh does, both families"""
        server = self.lab.start(['socat', 'TCP6-LISTEN:2222,fork,reuseaddr,ipv6only=0', 'EXEC:cat'])
        self.cleanup.callback(server.kill)
        self.lab.wait_for(lambda: self.lab.run(['ss', '-Hltn', 'sport = :2222']).stdout)
        talks = '''
import socket, sys, time
sock = socket.create_connection((sys.argv[1], 2222), 5)
sock.settimeout(2)
for turn in range(100):
    sock.send(b"x")
    print(sock.recv(10) == b"x", flush=True)
    time.sleep(0.1)
'''
        for own in (plan.LAB4, plan.LAB6):
            caller = self.lab.netns('srv').start(['/usr/bin/python3', '-c', talks, own])
            self.cleanup.callback(caller.kill)
            self.lab.wait_for(lambda caller=caller: caller.log().count('True') > 1)
            tunnel = self.up()
            before = caller.log().count('True')
            self.lab.wait_for(lambda: caller.log().count('True') > before + 5)
            self.down(tunnel)
            before = caller.log().count('True')
            self.lab.wait_for(lambda: caller.log().count('True') > before + 3)
            self.assertTrue(caller.is_running(), caller.log())


if __name__ == '__main__':
    tap.main()
