#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Datagrams through a real SOCKS server: who they reach, who answers, what is left of them."""
import json
import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, open_fds, plan, tap  # noqa: E402

PROGRAM = str(pathlib.Path(__file__).resolve().parent / 't2plab' / 'datagrams.py')
FIRST, COUNT, OTHER = 20000, 100, '203.0.113.11'
OPEN = f'socks5://{plan.PROXY4}:{plan.PORTS["microsocks-open"]}'


class Datagrams(LabCase):
    options = {'proxies': ['danted', 'microsocks-open']}

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)
        self.lab.run(f'ip addr replace {OTHER}/24 dev eth0', netns='srv')
        self.server = self.lab.start(['/usr/bin/python3', '-B', PROGRAM, 'serve', FIRST, COUNT,
                                      OTHER], name='datagrams', netns='srv')
        self.lab.wait_for(lambda: 'ready' in self.server.log(), what='the server of datagrams')

    def leave(self):
        self.server.stop()
        for tunnel in self.service.list():
            tunnel.delete()
        self.service.__exit__(None)

    def program(self, *words, timeout=120):
        return self.lab.run(['/usr/bin/python3', '-B', PROGRAM, *words],
                            timeout=timeout).stdout.strip()

    def create(self, uri=plan.DANTED_URI, **settings):
        return self.service.create('work', uri, capture='default', **settings)

    def test_echo(self):
        """datagrams reach addresses of both families and names, and their answers come back"""
        tunnel = self.create()
        self.assertEqual(tunnel.details()['udp-mode'], 'associate')
        for host in (plan.SERVER4, plan.SERVER6, 'v4.example'):
            self.assertEqual((host, self.program('echo', host, FIRST, 100)), (host, 'True'))
        rows = [row for row in tunnel.connections() if row['protocol'] == 'udp']
        self.assertEqual(len(rows), 3)
        self.assertEqual({row['proxy'] for row in rows}, {plan.DANTED_URI})
        self.assertIn('v4.example', [row['host'] for row in rows])
        self.assertEqual({row['rx-bytes'] for row in rows}, {100})
        self.assertEqual(tunnel.statistics()['udp-flows'], 3)

    def test_large(self):
        """datagrams longer than the MTU pass both ways, in fragments"""
        tunnel = self.create()
        for host in (plan.SERVER4, plan.SERVER6):
            for size in (1400, 1473, 4000, 30000, 60000):
                said = self.program('echo', host, FIRST, size)
                self.assertEqual((host, size, said), (host, size, 'True'))
        self.assertGreaterEqual(tunnel.statistics()['reassembled'], 6)
        self.assertEqual(tunnel.statistics()['dropped-fragment'], 0)

    def test_stun(self):
        """an answer from another address and port arrives, with the source that it has"""
        self.create()
        self.assertEqual(self.program('stun', plan.SERVER4, FIRST - 1), f'{OTHER} {FIRST - 2}')

    def test_mesh(self):
        """1,000 sockets × 100 destinations: every datagram comes back to its own socket"""
        tunnel = self.create()
        worker = self.service.workers()[0]
        before = open_fds(worker)
        said = json.loads(self.program('mesh', plan.SERVER4, FIRST, COUNT, 1000, 150, timeout=200))
        self.assertEqual((said['received'], said['wrong']), (100000, 0), said)
        self.assertLess(said['sent'], 110000, said)
        # a control connection and a socket for each application socket, and no more
        self.assertLess(open_fds(worker), before + 2 * 1000 + 20)
        self.assertEqual(tunnel.statistics()['udp-flows'], 1000)

    def test_idle(self):
        """silent sockets are forgotten, with everything that they held"""
        tunnel = self.create(udp_idle_timeout=2)
        worker = self.service.workers()[0]
        before = open_fds(worker)
        json.loads(self.program('mesh', plan.SERVER4, FIRST, 2, 50, 30))
        self.assertGreater(open_fds(worker), before)
        self.lab.wait_for(lambda: tunnel.statistics()['udp-flows'] == 0, what='no flow')
        self.lab.wait_for(lambda: open_fds(worker) <= before, what='the descriptors')

    def said_no_udp(self):
        """Services of one lab write to one log."""
        return self.service.daemon.log().count('carries no UDP')

    def test_no_udp(self):
        """a proxy without UDP: port unreachable at once, one line in the log"""
        before = self.said_no_udp()
        tunnel = self.create(OPEN)
        places = ''.join(f'{plan.SERVER4} {FIRST + n} udp\n' for n in range(20))
        for outcome, seconds, _ in self.lab.client('ask', '5', input=places):
            self.assertEqual(outcome, 'refused')
            self.assertLess(seconds, 1)
        self.assertEqual(tunnel.details()['udp-mode'], 'none')
        self.assertEqual(self.said_no_udp(), before + 1)

    def test_dns_without_udp(self):
        """a question by UDP to the application's own server goes over TCP where the proxy has none"""
        self.create(OPEN, dns='off')
        said = self.lab.run(['/usr/bin/python3', '-B', PROGRAM, 'dns', plan.SERVER4,
                             'www.example']).stdout.strip()
        self.assertEqual(said, plan.SERVER4)

    def test_reject(self):
        """udp=reject: no datagram passes, and each is refused at once"""
        self.create(udp='reject')
        outcome, seconds, _ = self.lab.client('ask', '5', input=f'{plan.SERVER4} {FIRST} udp\n')[0]
        self.assertEqual(outcome, 'refused')
        self.assertLess(seconds, 1)

    def test_rules(self):
        """rules are about datagrams, too: direct, reject and drop"""
        tunnel = self.create(rules=[f'port:{FIRST} -> direct', f'port:{FIRST + 1} -> reject',
                                    f'port:{FIRST + 2} & protocol:udp -> drop'])
        self.assertEqual(self.program('echo', plan.SERVER4, FIRST, 100), 'True')
        rows = [row for row in tunnel.connections() if row['protocol'] == 'udp']
        self.assertEqual([(row['proxy'], row['rule']) for row in rows],
                         [('direct', f'port:{FIRST} -> direct')])
        places = f'{plan.SERVER4} {FIRST + 1} udp\n{plan.SERVER4} {FIRST + 2} udp\n'
        refused, dropped = self.lab.client('ask', '2', input=places)
        self.assertIn(refused[0], ('refused', 'unreachable'))
        self.assertEqual(dropped[0], 'timed out')


if __name__ == '__main__':
    tap.main()
