#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a default capture leaves outside: local networks as `lan` says, answers of servers, and nothing
that a hostile DHCP server or router would like to have there."""
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, Wire, plan, tap  # noqa: E402

PORT = 9000
PRIVATE4, PUBLIC4 = '172.20.0.1', '192.0.2.99'  # behind the router, each with a route of its own
# A server that tells each caller, by TCP or UDP, where he comes from.
WHO = f'''
import socket, threading
tcp = socket.create_server(("::", {PORT}), family=socket.AF_INET6, dualstack_ipv6=True)
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.bind(("::", {PORT}))
def answer():
    while True:
        _, peer = udp.recvfrom(100)
        udp.sendto(peer[0].encode(), peer)
threading.Thread(target=answer, daemon=True).start()
print("ready", flush=True)
while True:
    connection, peer = tcp.accept()
    connection.sendall(peer[0].encode())
    connection.close()
'''
# Who we are to that server: argv is its address, "tcp" or "udp"; "-" when nobody answers.
AM_I = f'''
import socket, sys
address, kind = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
sock = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
sock.settimeout(2)
try:
    sock.connect((address, {PORT}))
    if kind == "udp":
        sock.send(b"who")
    print(sock.recv(100).decode().removeprefix("::ffff:"))
except OSError:
    print("-")
'''
# The address that a name server gives www.example, "-" for none: argv is server, "tcp" or "udp", link.
ASK = '''
import socket, struct, sys
server, kind, link = sys.argv[1:]
family = socket.AF_INET6 if ":" in server else socket.AF_INET
sock = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
if link:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
sock.settimeout(3)
question = b"\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\3www\\7example\\0\\0\\1\\0\\1"
try:
    sock.connect((server, 53))
    sock.sendall((struct.pack("!H", len(question)) if kind == "tcp" else b"") + question)
    print(socket.inet_ntoa(sock.recv(512)[-4:]))
except OSError:
    print("-")
'''
# A router advertisement with a route, from fe80::1: argv is link, prefix, length, seconds.
ADVERTISE = '''
import ipaddress, socket, struct, sys
link, prefix, length, seconds = sys.argv[1:]
sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
sock.bind(("fe80::1", 0, 0, socket.if_nametoindex(link)))
packet = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
packet += struct.pack("!BBBBI16s", 24, 3, int(length), 0, int(seconds),
                      ipaddress.IPv6Address(prefix).packed)
sock.sendto(packet, ("ff02::1", 0, 0, socket.if_nametoindex(link)))
'''


class CaptureCase(LabCase):
    """Servers that tell who calls, and watches on the uplink for packets to them that are not ours."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for place in (None, 'wan', 'srv'):
            server = cls.lab.start(['/usr/bin/python3', '-c', WHO], netns=place)
            cls.lab.wait_for(lambda one=server: 'ready' in one.log(), what='a server')
        cls.wire = Wire(cls.lab).__enter__()
        cls.addClassCleanup(cls.wire.__exit__)
        cls.lab.run('nft -f -', input=f'''
            table inet watch {{
                counter asked {{ }}
                chain out {{
                    type filter hook postrouting priority 300;
                    oifname "{plan.UPLINK}" th dport {{ 53, 853 }} meta mark 0 counter name asked
                }}
            }}''')

    def service(self):
        service = Service(self.lab).start()
        self.addCleanup(service.__exit__, None)
        return service

    def seen(self):
        """How many kinds of packets to and from the servers were on the wire, since the last time."""
        proxies, servers = {plan.PROXY4, plan.PROXY6}, {plan.SERVER4, plan.SERVER6}
        return len([row for row in self.wire.since_last()
                    if not proxies & {row['source'], row['destination']}
                    and (row['port'] == PORT or row['port'] == plan.HTTP
                         and servers & {row['source'], row['destination']})])

    def asked(self):
        """Questions to name servers that left by the uplink, since the last time."""
        said = self.lab.run('nft reset counter inet watch asked').stdout
        return int(re.search(r'packets (\d+)', said)[1])

    def me(self, address, kind='tcp', **where):
        return self.lab.run(['/usr/bin/python3', '-c', AM_I, address, kind], **where).stdout.strip()

    def assert_tunnelled(self, address, proxy):
        self.seen()
        self.assertEqual(self.me(address), proxy)
        self.assertEqual(self.seen(), 0)

    def assert_direct(self, address, own):
        self.seen()
        self.assertEqual(self.me(address), own)
        self.assertGreater(self.seen(), 0)


class Lan(CaptureCase):
    options = {'proxies': ('danted',)}

    def setUp(self):
        self.lab.netns('wan').run(f'ip address add {PRIVATE4}/32 dev lo')
        self.lab.netns('wan').run(f'ip address add {PUBLIC4}/32 dev lo')
        self.lab.sh(f'ip route add 172.20.0.0/16 via {plan.ROUTER4};'
                    f'ip route add 192.0.2.0/24 via {plan.ROUTER4} proto dhcp')
        self.addCleanup(self.lab.sh, 'ip route del 172.20.0.0/16; ip route del 192.0.2.0/24')
        self.addCleanup(self.lab.netns('wan').run, f'ip address del {PRIVATE4}/32 dev lo')
        self.addCleanup(self.lab.netns('wan').run, f'ip address del {PUBLIC4}/32 dev lo')
        self.daemon = self.service()

    def create(self, **settings):
        return self.daemon.create('work', plan.DANTED_URI, capture='default', **settings)

    def test_connected(self):
        """lan=connected: the link and private networks stay outside, what DHCP adds does not"""
        self.create()
        self.assert_direct(plan.ROUTER4, plan.LAB4)
        self.assert_direct(plan.ROUTER6, plan.LAB6)
        self.assert_direct(PRIVATE4, plan.LAB4)
        self.assert_tunnelled(PUBLIC4, plan.PROXY4)
        self.assert_tunnelled(plan.SERVER4, plan.PROXY4)
        self.assert_tunnelled(plan.SERVER6, plan.PROXY6)

    def test_all(self):
        """lan=all: everything that main has a route for stays outside"""
        self.create(lan='all')
        self.assert_direct(plan.ROUTER4, plan.LAB4)
        self.assert_direct(PRIVATE4, plan.LAB4)
        self.assert_direct(PUBLIC4, plan.LAB4)
        self.assert_tunnelled(plan.SERVER4, plan.PROXY4)

    def test_none(self):
        """lan=none: the router itself is reached through the tunnel, and the proxy through it"""
        self.create(lan='none')
        for address in (plan.ROUTER4, PRIVATE4, PUBLIC4, plan.SERVER4):
            self.assert_tunnelled(address, plan.PROXY4)
        for address in (plan.ROUTER6, plan.SERVER6):
            self.assert_tunnelled(address, plan.PROXY6)

    def ask(self, server, kind, link=''):
        """What a name server says, and how many packets to one left by the uplink for it."""
        self.asked()
        said = self.lab.run(['/usr/bin/python3', '-c', ASK, server, kind, link]).stdout.strip()
        return said, self.asked()

    def test_questions(self):
        """name servers on the link are answered for by the tunnel, unless a program binds to the link"""
        self.create()
        for server in (plan.ROUTER4, plan.ROUTER6):
            for kind in ('udp', 'tcp'):
                said, packets = self.ask(server, kind, plan.UPLINK)
                self.assertEqual(said, plan.SERVER4)
                self.assertGreater(packets, 0)  # the watch sees it
                said, packets = self.ask(server, kind)
                self.assertRegex(said, r'198\.18\.')
                self.assertEqual(packets, 0)

    def test_inbound(self):
        """who calls this machine from another subnet is answered, by TCP and by UDP servers"""
        self.create()
        for address, caller in ((plan.LAB4, plan.SERVER4), (plan.LAB6, plan.SERVER6)):
            for kind in ('tcp', 'udp'):
                self.assertEqual(self.me(address, kind, netns='srv'), caller, (address, kind))

    def test_late_server(self):
        """a UDP server that is started later is found within seconds, one that has gone forgotten"""
        self.create()
        port = PORT + 1
        late = self.lab.start(['/usr/bin/python3', '-c', WHO.replace(str(PORT), str(port))])
        asks = AM_I.replace(str(PORT), str(port))
        self.lab.wait_for(lambda: 'ready' in late.log(), what='the late server')
        self.lab.wait_for(lambda: self.lab.netns('srv').run(
            ['/usr/bin/python3', '-c', asks, plan.LAB4, 'udp']).stdout.strip() == plan.SERVER4,
            timeout=8, what='an answer')
        rules = lambda: self.lab.sh('ip rule; ip -6 rule').stdout.count(f'sport {port}')
        self.assertEqual(rules(), 2)
        late.kill()
        self.lab.wait_for(lambda: rules() == 0, timeout=8, what='the rules to go')

    def test_asking(self):
        """a program that asks by UDP, on a port that the kernel chose, goes through the tunnel"""
        self.create()
        self.seen()
        self.assertEqual(self.me(plan.SERVER4, 'udp'), plan.PROXY4)
        self.assertEqual(self.seen(), 0)


class Attacks(CaptureCase):
    """The router of the network is the enemy; NetworkManager believes it."""

    options = {'nm': True, 'resolved': True, 'proxies': ('danted',)}

    def setUp(self):
        self.daemon = self.service()
        self.addCleanup(self.calm)

    def calm(self):
        self.lab.netns('wan').run(['/usr/bin/python3', '-c', ADVERTISE, 'lan0', '2000::', '3', '0'])
        self.router()

    def router(self, *extra):
        """The router's DHCP server again, with other options, and the uplink brought up anew."""
        if getattr(self, 'dnsmasq', None):
            self.dnsmasq.kill()
            self.dnsmasq.wait()
        else:
            self.lab.halt('router-dns')
        argv = json.loads(self.lab.read('/run/lab/router-dns.json'))['argv']
        argv = argv[argv.index('dnsmasq'):]
        self.dnsmasq = None
        if extra:
            self.dnsmasq = self.lab.netns('wan').start([*argv, *extra])
        else:
            self.lab.resume('router-dns')
        self.lab.run('nmcli -w 20 connection up lan')

    def attack4(self, routes):
        self.router(f'--dhcp-option=121,{routes},0.0.0.0/0,{plan.ROUTER4}')
        self.lab.wait_for(lambda: routes.split(',')[0].removesuffix('/32') in self.lab.run('ip route').stdout,
                          what='the route of option 121')

    def attack6(self):
        self.lab.netns('wan').run(['/usr/bin/python3', '-c', ADVERTISE, 'lan0', '2000::', '3',
                                   '1800'])
        self.lab.wait_for(lambda: '2000::/3' in self.lab.run('ip -6 route').stdout,
                          what='the route of the advertisement')

    def http(self, address):
        host = f'[{address}]' if ':' in address else address
        return self.lab.run(['curl', '-sm', '10', f'http://{host}/ip']).stdout.strip()

    def leaks(self, address):
        self.seen()
        return self.http(address), self.seen()

    def test_dhcp(self):
        """halves of the Internet by option 121 lead nothing past the tunnel, which lan=all does"""
        tunnel = self.daemon.create('work', plan.DANTED_URI, capture='default', lan='all')
        self.attack4(f'0.0.0.0/1,{plan.ROUTER4},128.0.0.0/1,{plan.ROUTER4}')
        who, packets = self.leaks(plan.SERVER4)
        self.assertRegex(who, r'10\.77\.0\.')
        self.assertGreater(packets, 0)
        tunnel.delete()
        self.daemon.create('work', plan.DANTED_URI, capture='default')
        self.assertEqual(self.leaks(plan.SERVER4), (plan.PROXY4, 0))
        self.assertRegex(self.me(plan.ROUTER4), r'10\.77\.0\.')  # the LAN is still there

    def test_dhcp_later(self):
        """the same while the tunnel is up, and for one host only; the routes go with the lease"""
        self.daemon.create('work', plan.DANTED_URI, capture='default')
        rules = self.lab.run('ip rule').stdout
        self.attack4(f'{plan.SERVER4}/32,{plan.ROUTER4}')
        self.lab.wait_for(lambda: self.lab.run('ip rule').stdout != rules)
        self.assertEqual(self.leaks(plan.SERVER4), (plan.PROXY4, 0))
        self.router()
        self.lab.wait_for(lambda: self.lab.run('ip rule').stdout == rules, timeout=20)
        self.assertEqual(self.leaks(plan.SERVER4), (plan.PROXY4, 0))

    def test_late_server(self):
        """a UDP server that is started later answers by the uplink where NetworkManager has the rules"""
        self.daemon.create('work', plan.DANTED_URI, capture='default')
        port, rules = PORT + 1, self.lab.run('ip rule').stdout
        late = self.lab.start(['/usr/bin/python3', '-c', WHO.replace(str(PORT), str(port))])
        self.lab.wait_for(lambda: f'sport {port}' in self.lab.run('ip rule').stdout, timeout=8)
        own = re.search(r'inet (10\.77\.0\.\d+)', self.lab.run(f'ip -4 address show {plan.UPLINK}').stdout)[1]
        asked = self.lab.netns('srv').run(['/usr/bin/python3', '-c', AM_I.replace(str(PORT), str(port)), own, 'udp'])
        self.assertEqual(asked.stdout.strip(), plan.SERVER4)
        late.kill()
        self.lab.wait_for(lambda: self.lab.run('ip rule').stdout == rules, timeout=8)

    def test_on_link(self):
        """option 121 with a gateway of 0.0.0.0, which makes an on-link route, neither"""
        self.daemon.create('work', plan.DANTED_URI, capture='default')
        self.attack4(f'{plan.SERVER4}/32,0.0.0.0')
        self.assertEqual(self.leaks(plan.SERVER4), (plan.PROXY4, 0))

    def test_advertisement(self):
        """a router advertisement with 2000::/3 leads nothing past the tunnel, which lan=all does"""
        tunnel = self.daemon.create('work', plan.DANTED_URI, capture='default', lan='all')
        self.lab.wait_for(lambda: 'via fe80' in self.lab.run('ip -6 route').stdout)
        self.attack6()
        who, packets = self.leaks(plan.SERVER6)
        self.assertRegex(who, '2001:db8:77:')
        self.assertGreater(packets, 0)
        tunnel.delete()
        self.daemon.create('work', plan.DANTED_URI, capture='default')
        self.assertEqual(self.leaks(plan.SERVER6), (plan.PROXY6, 0))
        self.assertRegex(self.me(plan.ROUTER6), '2001:db8:77:')

    def test_advertisement_later(self):
        """the same while the tunnel is up"""
        self.daemon.create('work', plan.DANTED_URI, capture='default')
        self.lab.wait_for(lambda: 'via fe80' in self.lab.run('ip -6 route').stdout)
        self.attack6()
        self.lab.wait_for(lambda: '2000::/3' in self.lab.run('ip -6 route show table all dev t2p0').stdout)
        self.assertEqual(self.leaks(plan.SERVER6), (plan.PROXY6, 0))


if __name__ == '__main__':
    tap.main()
