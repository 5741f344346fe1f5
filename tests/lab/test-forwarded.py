#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers behind a bridge as docker makes it: captured when `forwarded` says so, else untouched."""
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, peer, plan, tap  # noqa: E402

BRIDGE4, BRIDGE6 = '172.17.0.1', '2001:db8:d::1'
BOX4, BOX6 = '172.17.0.2', '2001:db8:d::2'
PORT, INSIDE = 2222, 8000  # of a server on the machine; of one in the container, published as PORT + 1
BYTES = 20_000_000
MAKE = f'''
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip link add docker0 type bridge
ip address add {BRIDGE4}/16 dev docker0
ip -6 address add {BRIDGE6}/64 dev docker0 nodad
ip link set docker0 up
mkdir -p /etc/netns/box
echo 'nameserver {plan.ROUTER4}' >/etc/netns/box/resolv.conf
ip netns add box
ip link add box0 type veth peer name eth0 netns box
ip link set box0 master docker0 up
ip -n box address add {BOX4}/16 dev eth0
ip -n box -6 address add {BOX6}/64 dev eth0 nodad
ip -n box link set lo up
ip -n box link set eth0 up
ip -n box route add default via {BRIDGE4}
ip -n box -6 route add default via {BRIDGE6}
'''
# What docker's own rules do, and a watch on the uplink for what should not be there.
RULES = f'''
table inet docker {{
    chain nat {{
        type nat hook postrouting priority 100;
        ip saddr 172.17.0.0/16 oifname != "docker0" masquerade
        ip6 saddr 2001:db8:d::/64 oifname "{plan.UPLINK}" masquerade
    }}
    chain publish {{
        type nat hook prerouting priority -100;
        iifname "{plan.UPLINK}" tcp dport {PORT + 1} dnat ip to {BOX4}:{INSIDE}
    }}
}}
table inet watch {{
    counter seen {{ }}
    chain out {{
        type filter hook postrouting priority 300;
        oifname "{plan.UPLINK}" ip daddr {plan.SERVER4} tcp dport {plan.HTTP} counter name seen
        oifname "{plan.UPLINK}" ip6 daddr {plan.SERVER6} tcp dport {plan.HTTP} counter name seen
        oifname "{plan.UPLINK}" iifname "docker0" th dport 53 counter name seen
    }}
}}
'''
SERVE = '''
import socket, sys
tcp = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    connection, peer = tcp.accept()
    connection.sendall(b"hello")
    connection.close()
'''


class Forwarded(LabCase):
    options = {'proxies': ('danted',)}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.sh(MAKE)
        cls.lab.run('nft -f -', input=RULES)
        for place, port in ((None, PORT), ('box', INSIDE)):
            server = cls.lab.start(['/usr/bin/python3', '-c', SERVE, str(port)], netns=place)
            cls.lab.wait_for(lambda one=server: 'ready' in one.log(), what='a server')

    def setUp(self):
        self.before = network_dump(self.lab)
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.service.__exit__(None)
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])

    def create(self, **settings):
        return self.service.create('work', plan.DANTED_URI, capture='default', forwarded=True,
                                   **settings)

    def seen(self):
        said = self.lab.run('nft reset counter inet watch seen').stdout
        return int(re.search(r'packets (\d+)', said)[1])

    def box(self, host):
        """Who the container is to the HTTP server, and packets that were seen of that."""
        self.seen()
        host = f'[{host}]' if ':' in host else host
        who = self.lab.run(['curl', '-sm', '10', f'http://{host}/ip'], netns='box').stdout.strip()
        return who.removeprefix('::ffff:'), self.seen()

    def hello(self, address, port, netns='srv'):
        script = ('import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])),'
                  ' 3); print(s.recv(9).decode())')
        return self.lab.run(['/usr/bin/python3', '-c', script, address, str(port)], netns=netns,
                            check=False).stdout.strip()

    def test_untouched(self):
        """without it a container goes its own way, by both families, while the machine is captured"""
        self.service.create('work', plan.DANTED_URI, capture='default')
        for host, own in ((plan.SERVER4, plan.LAB4), (plan.SERVER6, plan.LAB6)):
            who, packets = self.box(host)
            self.assertEqual(who, own)
            self.assertGreater(packets, 0)  # and the watch sees it
        self.assertEqual(self.lab.run(f'curl -sm 10 http://{plan.SERVER4}/ip').stdout.strip(),
                         plan.PROXY4)

    def test_captured(self):
        """with it the container is carried, by both families and by name, nothing by the uplink"""
        self.create()
        self.assertEqual(self.box(plan.SERVER4), (plan.PROXY4, 0))
        self.assertEqual(self.box(plan.SERVER6), (plan.PROXY6, 0))
        who, packets = self.box('www.example')
        self.assertIn(who, (plan.PROXY4, plan.PROXY6))
        self.assertEqual(packets, 0)

    def test_download(self):
        """a download of the container is whole, also when the tunnel takes smaller packets"""
        for mtu in (1500, 1280):
            tunnel = self.create(mtu=mtu)
            said = self.lab.sh(f'curl -sm 60 http://{plan.SERVER4}/bytes/{BYTES} | sha256sum',
                               netns='box').stdout
            self.assertEqual(said.split()[0], peer.sha256(BYTES), mtu)
            tunnel.delete()

    def test_lan(self):
        """what is on a link of the machine is reached as before, whatever `lan` leaves outside"""
        self.create()
        self.assertEqual(self.hello(BRIDGE4, PORT, netns='box'), 'hello')
        self.assertEqual(self.hello(BOX4, INSIDE, netns=None), 'hello')

    def test_no_lan(self):
        """with lan=none, too, what the tunnel answers comes back to the container"""
        self.create(lan='none')
        self.assertEqual(self.box(plan.SERVER4), (plan.PROXY4, 0))
        self.assertEqual(self.box(plan.SERVER6), (plan.PROXY6, 0))

    def test_inbound(self):
        """servers of the machine and published ones of the container answer who calls from outside"""
        self.create()
        for address in (plan.LAB4, plan.LAB6):
            self.assertEqual(self.hello(address, PORT), 'hello')
        self.assertEqual(self.hello(plan.LAB4, PORT + 1), 'hello')

    def test_reverse_path(self):
        """a strict reverse path filter on the bridge and a loose one on the uplink drop nothing"""
        self.addCleanup(self.lab.run, f'sysctl -qw net.ipv4.conf.docker0.rp_filter=0 '
                                      f'net.ipv4.conf.{plan.UPLINK}.rp_filter=0')
        self.lab.run(f'sysctl -qw net.ipv4.conf.docker0.rp_filter=1 '
                     f'net.ipv4.conf.{plan.UPLINK}.rp_filter=2')
        self.create()
        self.assertEqual(self.box(plan.SERVER4), (plan.PROXY4, 0))
        self.assertEqual(self.hello(plan.LAB4, PORT), 'hello')


if __name__ == '__main__':
    tap.main()
