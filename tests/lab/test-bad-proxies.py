#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Proxies on bad days: the application sees it at once, the tunnel says what it was."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import (BusError, LabCase, Service, StubProxy, open_fds, plan, settled_fds,  # noqa: E402
                    tap)

CLOSED_PORT = f'socks5://{plan.PROXY4}:1999'
# Reply code of RFC 1928, and what a client of it sees: never a connection that dies afterwards.
REPLIES = {1: ('refused', 'unreachable', 'reset'), 2: ('unreachable', 'refused', 'reset'),
           3: ('unreachable',), 4: ('unreachable',), 5: ('refused',)}
AT_ONCE = ('refused', 'reset', 'unreachable')


class BadProxies(LabCase):
    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.service.__exit__, None)

    def fails_with(self, uri, error):
        """CreateTunnel with wait returns the error, and nothing is left."""
        with self.assertRaises(BusError) as refused:
            self.service.create('bad', uri, capture='default', connect_timeout=2)
        self.assertEqual(refused.exception.name, 'org.tun2proxy.Error.' + error)
        self.assertEqual(self.service.list(), [])

    def fails_as(self, uri, reason):
        """CreateTunnel without wait leaves a failed tunnel that says why."""
        tunnel = self.service.create('bad', uri, capture='default', connect_timeout=2,
                                     options={'wait': False})
        self.service.wait_state(tunnel, 'failed')
        self.assertEqual(tunnel.prop('StateReason'), reason)
        tunnel.delete()

    def leaves_as_before(self, behaviour, argument='', outcomes=AT_ONCE, *, state='active',
                         reason=None):
        """A proxy that goes bad under a tunnel: what the applications see, what is left of it."""
        fine = StubProxy(self.lab, 'record')
        fine.__enter__()
        tunnel = self.service.create('work', fine.uri, capture='default', connect_timeout=2)
        fine.__exit__()
        worker = self.service.workers()[0]
        before = settled_fds(worker), tunnel.statistics()['connections-active']
        with StubProxy(self.lab, behaviour, argument, port=fine.port):
            places = ''.join(f'{place} {port}\n' for port in range(1, 6)
                             for place in (plan.SERVER4, plan.SERVER6))
            for outcome, seconds, data in self.lab.client('ask', '10', input=places):
                self.assertIn(outcome, outcomes)
                self.assertEqual(data, '')
                self.assertLess(seconds, 3.5)  # connect-timeout, and a busy machine
            self.lab.wait_for(lambda: (open_fds(worker), tunnel.statistics()[
                'connections-active']) == before, what=f'{before} again')
            self.service.wait_state(tunnel, state)
            if reason:
                self.lab.wait_for(lambda: tunnel.prop('StateReason') == reason,
                                  what=f'the reason {reason}')
        tunnel.delete()

    def test_left_refused(self):
        """refusals are about destinations: the tunnel stays active, nothing is left of them"""
        self.leaves_as_before('refuse', 5)

    def test_left_silent(self):
        """a proxy that falls silent: refused in connect-timeout, degraded, nothing is left"""
        self.leaves_as_before('silent', state='degraded', reason='proxy-unreachable')

    def test_left_password(self):
        """a proxy that begins to want a password: refused, the reason says it, nothing is left"""
        self.leaves_as_before('no-method', state='degraded', reason='proxy-auth')

    def test_left_early(self):
        """a proxy that closes at the greeting: refused, degraded, nothing is left"""
        self.leaves_as_before('close-early', state='degraded', reason='proxy-protocol')

    def test_left_midway(self):
        """a proxy that closes in mid-handshake: refused, the reason says it, nothing is left"""
        self.leaves_as_before('close-midway', state='degraded', reason='proxy-protocol')

    def test_left_garbage(self):
        """a proxy that turns into something else: refused, the reason says it, nothing is left"""
        self.leaves_as_before('garbage', state='degraded', reason='proxy-protocol')

    def test_closed_port(self):
        """a proxy that is not there"""
        self.fails_with(CLOSED_PORT, 'ProxyUnreachable')
        self.fails_as(CLOSED_PORT, 'proxy-unreachable')

    def test_early(self):
        """a proxy that closes when the greeting has come"""
        with StubProxy(self.lab, 'close-early') as stub:
            self.fails_with(stub.uri, 'ProxyProtocol')
            self.fails_as(stub.uri, 'proxy-protocol')

    def test_silent(self):
        """a proxy that says nothing"""
        with StubProxy(self.lab, 'silent') as stub:
            self.fails_with(stub.uri, 'ProxyUnreachable')
            self.fails_as(stub.uri, 'proxy-unreachable')

    def test_password(self):
        """a proxy that wants a password, or another one"""
        open_uri = f'socks5://{plan.PROXY4}:{plan.MICROSOCKS}'
        self.fails_with(open_uri, 'ProxyAuthenticationFailed')
        self.fails_as(open_uri, 'proxy-auth')
        wrong = f'socks5://alice:wrong@{plan.PROXY4}:{plan.MICROSOCKS}'
        self.fails_with(wrong, 'ProxyAuthenticationFailed')

    def test_no_method(self):
        """a proxy that accepts no method"""
        with StubProxy(self.lab, 'no-method') as stub:
            self.fails_with(stub.uri, 'ProxyAuthenticationFailed')
            self.fails_as(stub.uri, 'proxy-auth')

    def test_garbage(self):
        """something that is no SOCKS proxy"""
        with StubProxy(self.lab, 'garbage') as stub:
            self.fails_with(stub.uri, 'ProxyProtocol')
            self.fails_as(stub.uri, 'proxy-protocol')

    def test_replies(self):
        """each refusal of the proxy reaches the application as one, at once"""
        for code, outcomes in REPLIES.items():
            with self.subTest(code), StubProxy(self.lab, 'refuse', code) as stub:
                tunnel = self.service.create('work', stub.uri, capture='default')
                outcome, seconds, _ = self.lab.client('connect', plan.SERVER4, 80)
                self.assertIn(outcome, outcomes)
                self.assertLess(seconds, 3)
                outcome, seconds, _ = self.lab.client('connect', plan.SERVER6, 80)
                self.assertIn(outcome, outcomes)
                tunnel.delete()

    def test_no_connect(self):
        """a proxy that knows no CONNECT is of no use"""
        with StubProxy(self.lab, 'refuse', 7) as stub:
            self.fails_with(stub.uri, 'NotSupported')

    def test_midway(self):
        """a proxy that closes in mid-handshake"""
        with StubProxy(self.lab, 'close-midway') as stub:
            self.fails_with(stub.uri, 'ProxyProtocol')
            self.fails_as(stub.uri, 'proxy-protocol')

    def test_slow(self):
        """a reply in single bytes is understood"""
        with StubProxy(self.lab, 'slow') as stub:
            tunnel = self.service.create('work', stub.uri, capture='default')
            outcome, _, data = self.lab.client('connect', plan.SERVER4, 80)
            self.assertEqual((outcome, data.split()), ('closed', [plan.SERVER4, '80']))
            tunnel.delete()

    def test_vanish(self):
        """a proxy that resets in mid-transfer resets the application's connection, no more"""
        with StubProxy(self.lab, 'vanish', 300000) as stub:
            tunnel = self.service.create('work', stub.uri, capture='default')
            worker = self.service.workers()[0]
            fetch = ['curl', '-sS', '-m', '20', '-o', '/dev/null',
                     f'http://{plan.SERVER4}/bytes/9000000']
            self.assertEqual(self.lab.run(fetch, check=False).returncode, 56)
            before = open_fds(worker)
            for _ in range(10):
                self.assertEqual(self.lab.run(fetch, check=False).returncode, 56)
            self.lab.wait_for(lambda: tunnel.statistics()['connections-active'] == 0)
            self.assertLessEqual(open_fds(worker), before)
            tunnel.delete()

    def test_gone(self):
        """a proxy that goes makes the tunnel degraded, one that comes back makes it active"""
        stub = StubProxy(self.lab, 'record')
        stub.__enter__()
        tunnel = self.service.create('work', stub.uri, capture='default', connect_timeout=2)
        stub.__exit__()
        self.assertIn(self.lab.client('connect', plan.SERVER4, 80)[0], AT_ONCE)
        self.service.wait_state(tunnel, 'degraded')
        # At the moment of going it may hang up in a handshake first.
        self.lab.wait_for(lambda: tunnel.prop('StateReason') == 'proxy-unreachable',
                          what='the reason')
        with stub:
            self.service.wait_state(tunnel, 'active', timeout=60)
            tunnel.delete()


if __name__ == '__main__':
    tap.main()
