#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reverse path filters, off, strict and loose, with everything captured: the machine's own traffic
goes through the tunnel, who comes in from the Internet is answered by the uplink. For IPv6, where
the kernel has no such switch, the rules that firewalld makes are used."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, plan, tap  # noqa: E402

OFF, STRICT, LOOSE = 0, 1, 2
FIB6 = {STRICT: 'fib saddr . mark . iif oif missing drop', LOOSE: 'fib saddr . mark oif missing drop'}
ADDRESSES = {'IPv4': (plan.LAB4, plan.SERVER4, plan.PROXY4),
             'IPv6': (plan.LAB6, plan.SERVER6, plan.PROXY6)}
TCP_PORT, WILDCARD_PORT, BOUND_PORT = 2222, 2223, 2224
# What runs on the machine: TCP and UDP servers on every address, and UDP servers on one each.
SERVERS = f'''
import socket, threading
def tcp():
    sock = socket.create_server(("::", {TCP_PORT}), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        peer, _ = sock.accept()
        peer.sendall(peer.recv(100))
        peer.close()
def udp(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if address == "::":
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address, port))
    while True:
        data, peer = sock.recvfrom(100)
        sock.sendto(data, peer)
threading.Thread(target=tcp).start()
for place in (("0.0.0.0", {WILDCARD_PORT}), ("::", {WILDCARD_PORT}), ("{plan.LAB4}", {BOUND_PORT}),
              ("{plan.LAB6}", {BOUND_PORT})):
    threading.Thread(target=udp, args=place).start()
print("ready", flush=True)
'''
# From outside: argv is address, port, "tcp" or "udp"; says what came back.
CALL = '''
import socket, sys
address, port, kind = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
sock = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
sock.settimeout(0.7)
try:
    sock.connect((address, int(port)))
    sock.send(b"hello")
    print(sock.recv(100).decode())
except OSError as error:
    print(error)
'''


class ReversePath(LabCase):
    options = {'resolved': True, 'proxies': ('danted',)}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = cls.lab.start(['/usr/bin/python3', '-c', SERVERS])
        cls.lab.wait_for(lambda: 'ready' in cls.servers.log(), what='the servers')

    def filter(self, family, mode):
        self.lab.sh('nft delete table inet rpfilter 2>/dev/null || true')
        kernels = mode if family == 'IPv4' else OFF
        for name in ('all', 'default', plan.UPLINK):
            self.lab.run(f'sysctl -qw net.ipv4.conf.{name}.rp_filter={kernels}')
        if family == 'IPv6' and mode != OFF:
            self.lab.run('nft -f -', input=f'''table inet rpfilter {{
                chain prerouting {{
                    type filter hook prerouting priority -290;
                    icmpv6 type {{ nd-router-advert, nd-neighbor-solicit }} accept
                    meta nfproto ipv6 {FIB6[mode]}
                }}
            }}''')
        self.addCleanup(self.lab.sh, 'nft delete table inet rpfilter 2>/dev/null || true')

    def call(self, address, port, kind):
        return self.lab.netns('srv').run(
            ['/usr/bin/python3', '-c', CALL, address, port, kind]).stdout.strip()

    def ping(self, address):
        return self.lab.netns('srv').run(['ping', '-c', '1', '-W', '1', address],
                                         check=False).returncode

    def inbound(self, family):
        """Which services of the machine answer somebody on the Internet."""
        own = ADDRESSES[family][0]
        return {'TCP': self.call(own, TCP_PORT, 'tcp') == 'hello',
                'UDP, bound': self.call(own, BOUND_PORT, 'udp') == 'hello',
                'UDP, wildcard': self.call(own, WILDCARD_PORT, 'udp') == 'hello',
                'ping': self.ping(own) == 0}

    def own(self, family):
        """What the machine's own traffic looks like from the Internet."""
        _, server, _ = ADDRESSES[family]
        host = f'[{server}]' if ':' in server else server
        return self.lab.run(['curl', '-sS', '-m', '3', f'http://{host}/ip'],
                            check=False).stdout.strip()

    def check(self, family, mode):
        self.filter(family, mode)
        seen = self.inbound(family)
        self.assertEqual(seen, dict.fromkeys(seen, True))
        with Service(self.lab) as service:
            tunnel = service.create('work', plan.DANTED_URI, capture='default', scope='system')
            seen = self.inbound(family)
            self.assertEqual(seen, dict.fromkeys(seen, True))
            self.assertEqual(self.own(family), ADDRESSES[family][2])
            tunnel.delete()
        self.assertEqual(self.own(family), ADDRESSES[family][0])

    def test_filters_bite(self):
        """a strict filter drops what comes in where no answer would go out; a loose one does not"""
        for family, (own, server, _) in ADDRESSES.items():
            self.lab.sh('ip addr add 10.78.0.100/24 dev eth1; ip addr add 2001:db8:78::100/64 dev '
                        'eth1; ip link set eth1 up')
            length = 128 if ':' in server else 32
            gateway = '2001:db8:78::1' if ':' in server else '10.78.0.1'
            self.lab.run(f'ip route add {server}/{length} via {gateway} dev eth1')
            for mode, passes in ((OFF, True), (STRICT, False), (LOOSE, True)):
                self.filter(family, mode)
                self.assertEqual(self.ping(own) == 0, passes, (family, mode))
            self.lab.sh('ip addr flush dev eth1; ip link set eth1 down')


def add_tests():
    names = {OFF: 'off', STRICT: 'strict', LOOSE: 'loose'}
    for family in ADDRESSES:
        for mode, name in names.items():
            def test(self, family=family, mode=mode):
                self.check(family, mode)
            test.__doc__ = f'{family}, reverse path filter {name}: in and out as they should'
            setattr(ReversePath, f'test_{family.lower()}_{name}', test)


add_tests()

if __name__ == '__main__':
    tap.main()
