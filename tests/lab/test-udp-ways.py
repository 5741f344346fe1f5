#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Applications with UDP sockets, by proxies that carry datagrams in one way or another, or not."""
import json
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, plan, tap  # noqa: E402
from t2plab import bus, service as t2pservice  # noqa: E402

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 't2plab')
CLIENT = ['/usr/bin/python3', '-B', os.path.join(HERE, 'udpclient.py')]
PEER = ['/usr/bin/python3', '-B', os.path.join(HERE, 'udppeer.py')]
# the proxies' own /etc: that of the lab is a tunnel's to change
BIND_ETC = ['unshare', '-m', 'sh', '-c', 'mount --bind /run/lab/px-etc /etc && exec "$@"', 'sh']
SERVERS = ['/usr/bin/python3', '-B', os.path.join(HERE, 'udpservers.py')]

FIRST, PORTS = 20000, 100
OTHER4, OTHER6 = '203.0.113.20', '2001:db8:113::20'  # more addresses of the server
UDPGW, IN_TCP = 7300, 1090
IN_TCP_URI = f'socks5://{plan.PROXY4}:{IN_TCP}?udp=udp-in-tcp'
OPEN_URI = f'socks5://{plan.PROXY4}:{plan.PORTS["microsocks-open"]}'
TLS_URI = f'socks5+tls://{plan.PROXY4}:{plan.PORTS["stunnel-danted"]}?tls-verify=no'
HTTP_URI = f'http://{plan.PROXY4}:{plan.SQUID}'


class UdpCase(LabCase):
    options = {'proxies': ('danted', 'microsocks-open', 'squid', 'stunnel-danted')}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        srv, px = cls.lab.netns('srv'), cls.lab.netns('px')
        srv.run(f'ip addr add {OTHER4}/24 dev eth0')
        srv.run(f'ip addr add {OTHER6}/64 dev eth0')
        peer = srv.start([*PEER, FIRST, PORTS, plan.SERVER4, plan.SERVER6, OTHER4, OTHER6],
                         name='udp-peer')
        px.start([*SERVERS, 'udpgw', UDPGW], name='udpgw')
        px.start([*BIND_ETC, *SERVERS, 'udp-in-tcp', IN_TCP], name='udp-in-tcp')  # it looks up names
        cls.lab.wait_for(lambda: 'ready' in peer.log(), what='the peer')
        for port in (UDPGW, IN_TCP):
            cls.lab.wait_for(lambda port=port: px.run(
                ['ss', '-Hltn', f'sport = :{port}']).stdout, what='the servers')

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.service.__exit__, None)
        self.tunnel = None

    def create(self, proxy, **settings):
        settings = {'capture': 'default', 'dns': 'virtual', **settings}
        self.tunnel = self.service.create('work', proxy, **settings)

    def client(self, *words, timeout=60):
        return json.loads(self.lab.run([*CLIENT, *words], timeout=timeout).stdout)

    def mode(self):
        return self.tunnel.details()['udp-mode']

    def rows(self):
        return [row for row in self.tunnel.connections() if row['protocol'] == 'udp']

    def told(self, text):
        return [line for line in self.service.daemon.log().splitlines() if text in line]

    def worker_fds(self):
        return t2pservice.open_fds(self.service.workers()[0])

    def check_answers(self, answers, count, sources):
        self.assertEqual(len(answers), count)
        self.assertEqual({(address, port) for address, port, _ in answers}, set(sources))

    def check_places(self):
        """Addresses of both families and a name: the answer comes from where was asked."""
        for host in (plan.SERVER4, plan.SERVER6):
            self.check_answers(self.client('ask', host, FIRST, 5, 'a', 'b', 'c'), 3,
                               [(host, FIRST)])
        asked, answers = self.client('many', f'www.example:{FIRST}', f'www.example:{FIRST + 1}', 5)
        self.assertEqual(sorted(asked), sorted([address, port] for address, port, _ in answers))
        self.assertNotIn(asked[0][0], (plan.SERVER4, plan.SERVER6))  # a virtual address


class Associate(UdpCase):

    def test_places(self):
        """associate: datagrams to IPv4, IPv6 and names come back from there"""
        self.create(plan.DANTED_URI)
        self.check_places()
        self.assertEqual(self.mode(), 'associate')

    def test_ipv6_proxy(self):
        """associate: the same by a proxy that is reached by IPv6"""
        self.create(plan.DANTED6_URI)
        self.check_places()

    def test_full_cone(self):
        """associate: who was never asked may answer, and is seen as who it is"""
        self.create(plan.DANTED_URI)
        for host, other in ((plan.SERVER4, OTHER4), (plan.SERVER6, OTHER6)):
            answers = self.client('ask', host, FIRST, 5, f'via {other} {FIRST + 3} x',
                                  f'via {other} {FIRST} y', f'via {host} {FIRST + 1} z', 'plain')
            self.check_answers(answers, 4, [(other, FIRST + 3), (other, FIRST),
                                            (host, FIRST + 1), (host, FIRST)])
            self.assertEqual(len({tuple(data.split()[:2]) for _, _, data in answers}), 1)

    def test_one_mapping(self):
        """associate: one socket is seen at one place by all whom it asks, names included"""
        self.create(plan.DANTED_URI)
        _, answers = self.client('many', f'{plan.SERVER4}:{FIRST}', f'{OTHER4}:{FIRST + 5}',
                                 f'v4.example:{FIRST + 1}', 5)
        self.assertEqual(len(answers), 3)
        self.assertEqual(len({tuple(data.split()[:2]) for _, _, data in answers}), 1)
        self.assertEqual(len(self.rows()), 1)

    def test_burst(self):
        """associate: super-packets of an application are carried whole"""
        self.create(plan.DANTED_URI)
        self.assertEqual(self.client('burst', plan.SERVER4, FIRST, 2000, 1200), 2000)

    def test_sizes(self):
        """associate: datagrams of any size that fit the way, fragments included"""
        self.create(plan.DANTED_URI)
        sizes = [0, 1, 1200, 1472, 1473, 9000, 60000]
        for host in (plan.SERVER4, plan.SERVER6):
            self.assertEqual(self.client('sizes', host, FIRST, *sizes), sizes, host)

    def test_rows(self):
        """associate: connections are listed, with counters, and can be closed"""
        self.create(plan.DANTED_URI)
        with self.keeping(plan.SERVER4, 3) as client:
            rows = self.rows()
            self.assertEqual(len(rows), 3)
            for row in rows:
                self.assertEqual(row['destination'], f'{plan.SERVER4}:{FIRST}')
                self.assertEqual((row['rx-bytes'], row['state']), (1, 'established'))
                self.assertGreater(row['tx-bytes'], 1)
                self.assertEqual(row['proxy'], plan.DANTED_URI)
            self.tunnel.call('CloseConnections', 'a{sv}a{sv}',
                             bus.vardict({'protocol': 'udp'}), {})
            self.assertEqual(self.rows(), [])
            self.assertEqual(client.again(), 3)  # the next datagram opens another

    def keeping(self, host, count):
        return Keeping(self.lab, host, count)

    def test_evicts(self):
        """associate: beyond max-connections the idlest socket makes room"""
        self.create(plan.DANTED_URI, **{'max-connections': 20})
        with self.keeping(plan.SERVER4, 15), self.keeping(plan.SERVER4, 15):
            self.assertEqual(len(self.rows()), 20)
            outcome, _, _ = self.lab.client('connect', plan.SERVER4, plan.ECHO, 1)
            self.assertEqual(outcome, 'connected')

    def test_proxy_goes(self):
        """associate: it ends with its connection, and the next datagram gets another"""
        self.create(plan.DANTED_URI)
        with self.keeping(plan.SERVER4, 3) as client:
            self.lab.netns('px').run(['ss', '-K', f'sport = :{plan.DANTED}'])
            self.lab.wait_for(lambda: not self.rows(), what='the associations to end')
            self.assertEqual(client.again(), 3)


class Keeping:
    """Sockets that have talked once, and talk again when told."""

    def __init__(self, lab, host, count):
        import subprocess
        self.child = subprocess.Popen(
            lab.argv([*CLIENT, 'keep', host, FIRST, count]), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.first, self.count = json.loads(self.child.stdout.readline()), count

    def again(self):
        self.child.stdin.write('\n')
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def __enter__(self):
        assert self.first == self.count, f'{self.first} of {self.count} were answered'
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(60)
        self.child.stdout.close()


class Streams(UdpCase):

    def test_udpgw(self):
        """udpgw: by an HTTP proxy, datagrams to IPv4, IPv6 and names"""
        self.create(HTTP_URI, udpgw=f'{plan.PROXY4}:{UDPGW}', **{'dns-servers': [plan.SERVER4]})
        self.check_places()
        self.assertEqual(self.mode(), 'udpgw')

    def test_udpgw_crowd(self):
        """udpgw: 300 sockets talk to 10 destinations each over a few connections"""
        self.create(HTTP_URI, udpgw=f'{plan.PROXY4}:{UDPGW}')
        before = self.worker_fds()
        told = self.client('mesh', plan.SERVER4, FIRST, 10, 300, timeout=120)
        self.assertEqual((told['good'], told['wrong']), (3000, 0))
        self.assertLessEqual(self.worker_fds() - before, 4)

    def test_udpgw_sizes(self):
        """udpgw: datagrams of any size"""
        self.create(HTTP_URI, udpgw=f'{plan.PROXY4}:{UDPGW}')
        sizes = [1, 1200, 1472, 9000, 60000]
        self.assertEqual(self.client('sizes', plan.SERVER4, FIRST, *sizes), sizes)

    def test_in_tcp(self):
        """udp-in-tcp: datagrams to IPv4, IPv6 and names come back from there"""
        self.create(IN_TCP_URI)
        self.check_places()
        self.assertEqual(self.mode(), 'udp-in-tcp')

    def test_in_tcp_full_cone(self):
        """udp-in-tcp: who was never asked may answer"""
        self.create(IN_TCP_URI)
        answers = self.client('ask', plan.SERVER4, FIRST, 5, f'via {OTHER4} {FIRST + 3} x', 'y')
        self.check_answers(answers, 2, [(OTHER4, FIRST + 3), (plan.SERVER4, FIRST)])

    def test_in_tcp_sizes(self):
        """udp-in-tcp: what is too long for the server is not sent, and ends nothing"""
        self.create(IN_TCP_URI)
        self.assertEqual(self.client('sizes', plan.SERVER4, FIRST, 1, 1200, 1400, 1600, 1300),
                         [1, 1200, 1400, 1300])

    def test_setting(self):
        """the setting udp holds for all proxies, an option of a proxy for that one"""
        self.create(f'socks5://{plan.PROXY4}:{IN_TCP}', udp='udp-in-tcp')
        self.check_answers(self.client('ask', plan.SERVER4, FIRST, 5, 'x'), 1,
                           [(plan.SERVER4, FIRST)])
        self.tunnel.delete()
        self.create(f'{plan.DANTED_URI}?udp=associate', udp='reject')
        self.check_answers(self.client('ask', plan.SERVER4, FIRST, 5, 'x'), 1,
                           [(plan.SERVER4, FIRST)])

    def test_rules(self):
        """direct: a rule lets datagrams pass the proxy by, from a socket that anybody may answer"""
        self.create(OPEN_URI, rules=[f'cidr:{plan.SERVER4}/32 -> direct'])
        answers = self.client('ask', plan.SERVER4, FIRST, 5, f'via {OTHER4} {FIRST + 3} x', 'y')
        self.check_answers(answers, 2, [(OTHER4, FIRST + 3), (plan.SERVER4, FIRST)])
        self.assertEqual({data.split()[0] for _, _, data in answers}, {plan.LAB4})


class Without(UdpCase):

    def test_refused(self):
        """a proxy without UDP: every datagram is refused at once, one line tells of it"""
        for uri in (OPEN_URI, HTTP_URI):
            self.create(uri)
            told = self.client('refused', plan.SERVER4, FIRST, 50)
            self.assertEqual([each for each in told if not isinstance(each, float)], [])
            self.assertLess(max(told), 1)
            self.assertLess(max(told[5:]), 0.1)
            self.assertLess(self.client('refused', 'www.example', FIRST, 1)[0], 1)
            self.assertEqual(self.mode(), 'none')
            self.assertEqual(len(self.told(f'{uri} carries no UDP')), 1)
            self.tunnel.delete()

    def test_tls(self):
        """socks5+tls and chains: no datagram travels in the clear beside them"""
        for uri in (f'{OPEN_URI} | {plan.DANTED_URI}', TLS_URI):
            self.create(uri)
            self.assertLess(self.client('refused', plan.SERVER4, FIRST, 1)[0], 1)
            self.assertEqual(self.mode(), 'none')
            self.tunnel.delete()


if __name__ == '__main__':
    tap.main()
