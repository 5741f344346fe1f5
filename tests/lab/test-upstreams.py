#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several upstreams, several addresses of one, and what a running tunnel tells of itself."""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, StubProxy, plan, tap  # noqa: E402

URL = f'http://{plan.SERVER4}'
CLOSED = f'socks5://{plan.PROXY4}:1999'
SILENT = f'socks5://{plan.NOBODY4}:{plan.DANTED}'
SHORT_CONNECT_TIMEOUT = 3


class UpstreamCase(LabCase):
    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.service.__exit__(None)

    def create(self, *proxies, **settings):
        return self.service.create('work', proxies, capture='default', **settings)

    def seen_as(self):
        return self.lab.run(['curl', '-sS', '-m', '15', URL + '/ip']).stdout.strip()

    def seconds(self):
        form = ['-o', '/dev/null', '-w', '%{time_total}']
        return float(self.lab.run(['curl', '-sS', '-m', '15', *form, URL + '/ip']).stdout)

    def states(self, tunnel):
        return [(row['uri'], row['state']) for row in tunnel.details()['proxies']]


class Upstreams(UpstreamCase):
    options = {'proxies': ('danted', 'squid')}

    def test_first_closed(self):
        """the second upstream is used when the first is dead, and the details say so"""
        for dead in (CLOSED, SILENT):
            with self.subTest(dead):
                tunnel = self.create(dead, plan.DANTED_URI,
                                     connect_timeout=SHORT_CONNECT_TIMEOUT)
                self.assertEqual(tunnel.details()['active-proxy'], plan.DANTED_URI)
                self.assertEqual(self.states(tunnel), [(dead, 'down'), (plan.DANTED_URI, 'up')])
                first, second = tunnel.details()['proxies']
                self.assertEqual(first['rtt-us'], 0)
                self.assertGreater(second['rtt-us'], 0)
                self.assertLess(second['rtt-us'], 1000000)
                self.assertLess(self.seconds(), 1)  # the dead one costs flows nothing
                self.assertEqual(self.seen_as(), plan.PROXY4)
                tunnel.delete()

    def test_goes_away(self):
        """an upstream that goes is left for the next one, and its owner is told"""
        with StubProxy(self.lab, 'record') as stub:
            tunnel = self.create(stub.uri, plan.DANTED_URI,
                                 connect_timeout=SHORT_CONNECT_TIMEOUT)
            told = self.service.bus.record('org.tun2proxy.Tunnel', 'ProxyChanged', tunnel.path)
            self.assertEqual(tunnel.details()['active-proxy'], stub.uri)
            first, second = self.states(tunnel)
            self.assertEqual(first, (stub.uri, 'up'))
            self.assertIn(second, [(plan.DANTED_URI, 'unknown'), (plan.DANTED_URI, 'up')])
        self.assertEqual(self.seen_as(), plan.PROXY4)
        self.assertEqual(tunnel.details()['active-proxy'], plan.DANTED_URI)
        self.assertEqual(tunnel.state, 'active')
        self.service.bus.pump()
        self.assertEqual([entry[3][:2] for entry in told], [(stub.uri, plan.DANTED_URI)])
        # Who hangs up in a handshake while it goes is seen as that.
        self.assertIn(told[0][3][2], ('proxy-unreachable', 'proxy-protocol'))

    def test_hangs(self):
        """an HTTP proxy that takes connections and says nothing is left for the next one"""
        hung = f'http://{plan.PROXY4}:{plan.SQUID}'
        tunnel = self.create(hung, plan.DANTED_URI, connect_timeout=SHORT_CONNECT_TIMEOUT)
        self.assertEqual(self.seen_as(), plan.PROXY4)
        self.assertEqual(tunnel.details()['active-proxy'], hung)
        pid = json.loads(self.lab.read('/run/lab/squid.json'))['pid']
        self.lab.run(['kill', '-STOP', pid])
        self.addCleanup(self.lab.run, ['kill', '-CONT', pid])
        self.assertEqual(self.lab.client('connect', plan.SERVER4, 80)[0], 'unreachable')
        self.lab.wait_for(lambda: tunnel.details()['active-proxy'] == plan.DANTED_URI,
                          what='the next one')
        self.assertEqual(self.seen_as(), plan.PROXY4)
        self.assertEqual(self.states(tunnel)[0], (hung, 'down'))

    def test_addresses(self):
        """of a name with a dead address and a live one, the live one is used"""
        for name in ('half-closed.example', 'half-silent.example'):
            with self.subTest(name):
                tunnel = self.create(f'socks5://{name}:{plan.DANTED}',
                                     connect_timeout=SHORT_CONNECT_TIMEOUT)
                for _ in range(4):
                    self.assertEqual(self.seen_as(), plan.PROXY4)
                self.assertLess(self.seconds(), 1)
                tunnel.delete()

    def test_direct(self):
        """`direct` goes past the proxy, also when the proxy before it is dead"""
        for proxies in (['direct'], ['direct', plan.DANTED_URI], [CLOSED, 'direct']):
            with self.subTest(proxies):
                tunnel = self.create(*proxies)
                self.assertEqual(self.seen_as(), plan.LAB4)
                name = self.lab.run(['curl', '-sS', '-m', '15', 'http://v4.example/ip'])
                self.assertEqual(name.stdout.strip(), plan.LAB4)
                self.assertEqual(tunnel.details()['active-proxy'], 'direct://')
                tunnel.delete()

    def test_reject(self):
        """`reject` refuses at once"""
        self.create('reject', plan.DANTED_URI)
        outcome, seconds, _ = self.lab.client('connect', plan.SERVER4, 80)
        self.assertIn(outcome, ('refused', 'unreachable'))
        self.assertLess(seconds, 1)


class Told(UpstreamCase):
    def test_live_rows(self):
        """the row of a running download counts its bytes while they come"""
        tunnel = self.create(plan.DANTED_URI)
        fetch = self.lab.start(['curl', '-sS', '-m', '60', '--limit-rate', '2M', '-o', '/dev/null',
                                URL + '/bytes/60000000'], name='fetch')
        self.addCleanup(fetch.kill)
        self.lab.wait_for(lambda: [row for row in tunnel.connections() if row['tx-bytes'] > 0])
        seen = []
        for more in range(3):
            if more:
                self.lab.wait_for(lambda: tunnel.connections()[0]['tx-bytes'] > seen[-1][0])
            row = tunnel.connections()[0]
            self.assertEqual((row['state'], row['proxy'], row['destination']),
                             ('established', plan.DANTED_URI, f'{plan.SERVER4}:80'))
            self.assertGreater(row['rx-bytes'], 50)  # the request
            seen.append((row['tx-bytes'], row['age-us']))
        self.assertEqual(seen, sorted(seen))
        fetch.kill()
        self.lab.wait_for(lambda: tunnel.connections() == [])
        self.assertGreater(tunnel.statistics()['tx-bytes'], 0)

    def test_modes(self):
        """the details tell the modes that were found, not those that were asked for"""
        tunnel = self.create(plan.DANTED_URI)
        details = tunnel.details()
        self.assertEqual((details['udp-mode'], details['ipv6-mode'], details['dns-mode']),
                         ('associate', 'on', 'virtual'))
        tunnel.deactivate()
        self.assertEqual(tunnel.details()['udp-mode'], 'unknown')
        tunnel.delete()
        with StubProxy(self.lab, 'refuse', 3) as stub:  # network unreachable
            self.assertEqual(self.create(stub.uri).details()['ipv6-mode'], 'reject')

    def test_descriptors(self):
        """who asks for more connections than there are descriptors is told, nobody else"""
        tunnel = self.create(plan.DANTED_URI, max_connections=1048576)
        self.assertRegex(' '.join(tunnel.result['warnings']),
                         r'^max-connections: 1048576, but the limit of descriptors allows \d+$')
        tunnel.delete()
        tunnel = self.create(plan.DANTED_URI)
        self.assertEqual(tunnel.result['warnings'], [])


if __name__ == '__main__':
    tap.main()
