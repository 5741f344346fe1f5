#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tun2proxy program: one device, no service, nothing configured but by its user."""
import fcntl
import hashlib
import itertools
import os
import signal
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, changes, network_dump, peer, plan, tap  # noqa: E402
from t2plab.service import find_program  # noqa: E402

LINK4, LINK6 = '10.99.0.1/24', 'fd99::1/64'
MIB = 1 << 20
TUNSETIFF, IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x400454ca, 0x1, 0x1000, 0x4000


def open_tun_and_run(name, flags, program, *options):
    """In the lab: what a program does that makes the device itself and hands it over."""
    fd = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack('16sH22x', name.encode(), int(flags)))
    os.set_inheritable(fd, True)
    os.execv(program, [program, '--tun-fd', str(fd), *options])


class Standalone(LabCase):
    options = {'proxies': ['danted', 'microsocks', 'unix-danted', 'stunnel-danted']}
    numbers = itertools.count(1)

    def setUp(self):
        self.before = network_dump(self.lab)
        self.program = find_program(self.lab, 'tun2proxy')
        self.running = None
        self.addCleanup(self.leave)

    def leave(self):
        self.stop()
        self.lab.run('ip link del tunx', check=False)
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])

    def start(self, *words, proxy=plan.DANTED_URI):
        self.running = self.lab.start([*words, '--proxy', proxy, '-6'],
                                      name=f'tun2proxy.{next(self.numbers)}')
        self.lab.wait_for(lambda: 'carries to' in self.running.log()
                          or not self.running.is_running(), what='the program')
        self.assertTrue(self.running.is_running(), self.running.log())

    def stop(self):
        if self.running and self.running.is_running():
            self.running.kill(signal.SIGTERM)
            self.assertEqual(self.running.wait(10), 0)
            self.assertNotIn('Sanitizer', self.running.log())

    def configure(self):
        """What is left to the user: addresses, and routes to the server."""
        self.lab.sh(f"""
ip addr add {LINK4} dev tunx; ip -6 addr add {LINK6} dev tunx nodad; ip link set tunx up
ip route add {plan.SERVER4}/32 dev tunx; ip -6 route add {plan.SERVER6}/128 dev tunx""")

    def check_carries(self):
        for url in (f'http://{plan.SERVER4}', f'http://[{plan.SERVER6}]'):
            got = self.lab.run(['curl', '-sS', '-m', '30', f'{url}/bytes/{8 * MIB}'],
                               text=False).stdout
            self.assertEqual(hashlib.sha256(got).hexdigest(), peer.sha256(8 * MIB))
        seen = self.lab.run(['curl', '-sS', '-m', '30', f'http://{plan.SERVER4}/ip']).stdout
        self.assertEqual(seen.strip(), plan.PROXY4)
        self.lab.sh('head -c 3000000 /dev/urandom >/tmp/up')
        told = self.lab.run(['curl', '-sS', '-m', '30', '-T', '/tmp/up',
                             f'http://{plan.SERVER4}/up']).stdout
        self.assertIn(self.lab.run('sha256sum /tmp/up').stdout.split()[0], told)

    def test_new_device(self):
        """it makes a device that goes with it, and configures nothing"""
        self.start(self.program, '--tun', 'tunx')
        self.assertEqual(changes(self.before, network_dump(self.lab), 'tunx'), [])
        self.configure()
        self.check_carries()
        self.stop()
        self.assertNotEqual(self.lab.run('ip link show tunx', check=False).returncode, 0)

    def test_user_made_device(self):
        """it attaches to a device that its user has made, which stays"""
        self.lab.run('ip tuntap add dev tunx mode tun')
        self.configure()
        for _ in range(2):
            self.start(self.program, '--tun', 'tunx')
            self.assertIn('tso', self.running.log())
            self.check_carries()
            self.stop()
        self.assertEqual(self.lab.run('ip link show tunx').returncode, 0)

    def test_descriptors(self):
        """an open descriptor is taken with the header that it was opened for, or without one"""
        script = os.path.abspath(__file__)
        for flags in (IFF_VNET_HDR, 0):
            with self.subTest(flags):
                self.start('/usr/bin/python3', '-B', script, 'open-tun', 'tunx',
                           str(IFF_TUN | IFF_NO_PI | flags), self.program)
                self.assertEqual('tso' in self.running.log(), flags == IFF_VNET_HDR)
                self.configure()
                self.check_carries()
                self.stop()

    def test_virtual_dns(self):
        """names go to the proxy as names"""
        self.start(self.program, '--tun', 'tunx', '--dns', 'virtual',
                   proxy=plan.MICROSOCKS_URI)
        self.configure()
        self.lab.run('ip route add 198.18.0.0/15 dev tunx')
        server = ['python3', '-B', '-c', DIG, '10.99.0.2', plan.PROXY_ONLY_NAME]
        address = self.lab.run(server).stdout.strip()
        self.assertTrue(address.startswith('198.1'), address)

    def test_dns_over_tcp(self):
        """with --dns over-tcp queries go to --dns-addr by TCP, through the proxy"""
        self.start(self.program, '--tun', 'tunx', '--dns', 'over-tcp', '--dns-addr',
                   plan.SERVER4)
        self.configure()
        for name in ('v4.example', 'www.example'):
            server = ['python3', '-B', '-c', DIG, '10.99.0.2', name]
            self.assertIn(self.lab.run(server).stdout.strip(), plan.NAMES[name])

    def test_none(self):
        """--proxy none connects directly, --proxy by unix socket and with TLS too"""
        for proxy, seen in (('none', plan.LAB4), ('direct', plan.LAB4),
                            (f'socks5://unix:{plan.UNIX_SOCKETS}/unix-danted', plan.PROXY4),
                            (f'socks5+tls://proxy.example:{plan.PORTS["stunnel-danted"]}'
                             f'?tls-ca={plan.CA}', plan.PROXY4)):
            with self.subTest(proxy):
                self.start(self.program, '--tun', 'tunx', '--mark', '9', proxy=proxy)
                self.configure()
                self.lab.sh('ip rule add fwmark 9 lookup 99 pref 9; '
                            f'ip route add default via {plan.ROUTER4} table 99')
                self.addCleanup(self.lab.sh, 'ip rule del pref 9; ip route flush table 99',
                                check=False)
                got = self.lab.run(['curl', '-sS', '-m', '15', f'http://{plan.SERVER4}/ip'])
                self.assertEqual(got.stdout.strip(), seen)
                self.stop()
                self.lab.sh('ip rule del pref 9; ip route flush table 99')

    def test_missing_file(self):
        """a file that is not there is told by its name"""
        said = self.lab.run([self.program, '--tun', 'tunx', '--proxy',
                             'https://h?tls-ca=/nowhere'], check=False)
        self.assertEqual(said.returncode, 2)
        self.assertIn('/nowhere: No such file', said.stderr)

    def test_namespace(self):
        """the manual's example: everything of a new namespace is carried, by name"""
        self.lab.run('ip tuntap add dev tunx mode tun')
        self.start(self.program, '--tun', 'tunx', '--dns', 'virtual')
        self.addCleanup(self.lab.run, 'ip netns del inside', check=False)
        self.lab.sh("""
ip netns add inside; ip link set tunx netns inside; ip -n inside addr add 10.9.0.1/24 dev tunx
ip -n inside link set tunx up; ip -n inside route add default dev tunx""")
        seen = self.lab.run(['ip', 'netns', 'exec', 'inside', 'curl', '-4sS', '-m', '15',
                             'http://www.example/ip'])
        self.assertIn(seen.stdout.strip(), (plan.PROXY4, plan.PROXY6))
        self.stop()

    def test_refuses(self):
        """what it does not carry out it refuses by name"""
        for option in ('--setup', '--unshare', '--daemonize', '--bypass=1.2.3.4'):
            said = self.lab.run([self.program, option, '--tun', 'tunx', '--proxy',
                                 plan.DANTED_URI], check=False)
            self.assertEqual(said.returncode, 2)
            self.assertIn(option.split('=')[0], said.stderr)
        said = self.lab.run([self.program, '--tun', 'eth0', '--proxy', plan.DANTED_URI],
                            check=False)
        self.assertEqual(said.returncode, 1)
        self.assertIn('eth0 is no TUN device', said.stderr)


# Asks one server for one A record; prints its address.
DIG = """
import socket, struct, sys
name = b''.join(bytes([len(part)]) + part.encode() for part in sys.argv[2].split('.')) + bytes(1)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.settimeout(5)
    sock.sendto(struct.pack('>6H', 7, 256, 1, 0, 0, 0) + name + struct.pack('>2H', 1, 1),
                (sys.argv[1], 53))
    print(socket.inet_ntoa(sock.recv(2000)[-4:]))
"""

if __name__ == '__main__':
    if sys.argv[1:2] == ['open-tun']:
        open_tun_and_run(*sys.argv[2:])
    tap.main()
