#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Proxies that stall, hang up or stutter at each byte of each handshake."""
import contextlib
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, StallingProxy, open_fds, plan, tap  # noqa: E402

AT_ONCE = ('refused', 'reset', 'unreachable')
CONNECT_TIMEOUT = 3
# Between the beginnings of hundreds of handshakes: all at once, they take seconds under sanitizers.
PAUSE_SECONDS = 0.005
# Of many at once some wait for those before them, while a proxy gives no sign of life: as long again.
REFUSED_SECONDS = 2 * CONNECT_TIMEOUT
BUSY = 2  # seconds that a loaded machine may add
LOGIN = f'{plan.PROXY_USER}:{plan.PROXY_PASSWORD}@'
# Their first word follows the request: silence, and the end, may be the destination's.
MAY_SAY_NOTHING = ('socks4', 'socks4a')
TLS_SPREAD = 16  # the length of a TLS handshake depends on its signatures
TLS_STRIDE = 61  # of the 1,500 bytes or so of a TLS handshake; each byte of what is inside has its own

ERRORS = ('ProxyProtocol', 'TlsFailed', '')  # the last where it may be the destination's fault

# A proxy that says nothing is given up after 64 connections or so: long handshakes are shared out.
SHARES = {'http-digest': 4}
# Scheme and login of the URI, by the protocol of staller.py.
PROTOCOLS = {
    'socks5': ('socks5', ''),
    'socks5-password': ('socks5', LOGIN),
    'socks4': ('socks4', ''),
    'socks4a': ('socks4a', ''),
    'http': ('http', ''),
    'http-digest': ('http', LOGIN),
    'socks5+tls': ('socks5+tls', ''),
    'http+tls': ('https', ''),
}


class Talk:
    """One protocol: its proxy, and a tunnel that captures an address of its own."""

    def __init__(self, case, number, protocol, share):
        self.protocol, self.address = protocol, f'203.0.113.{100 + number}'
        self.stride = TLS_STRIDE if protocol.endswith('+tls') else SHARES.get(protocol, 1)
        self.first = share
        self.stub = StallingProxy(case.lab, protocol)
        case.enterContext(self.stub)
        scheme, login = PROTOCOLS[protocol]
        query = f'?tls-ca={plan.CA}' if protocol.endswith('+tls') else ''
        self.uri = f'{scheme}://{login}{plan.PROXY4}:{self.stub.port}{query}'
        self.tunnel = case.service.create(
            f'tunnel-{number}', self.uri, capture='routes', dns='off', scope='system',
            routes=[self.address + '/32'], connect_timeout=CONNECT_TIMEOUT,
            dns_pool4=f'10.{200 + number}.0.0/18')  # of its own there are eight
        self.positions = self.stub.handshake_bytes() - (TLS_SPREAD if query else 0)

    def become(self, mode, everywhere):
        """At one byte, the first, or at all of its share."""
        if everywhere:
            self.stub.become(mode, self.positions, self.stride, self.first)
        else:
            self.stub.become(mode)

    def places(self):
        return set(range(self.first, self.positions, self.stride))

    def lines(self, everywhere):
        """What the proxy will be asked for, and what it answers when it is fine."""
        ports = range(1000, 1000 + (len(self.places()) if everywhere else 1))
        return [f'{self.address} {port}\n' for port in ports]


class Stall(LabCase):
    options = {'proxies': ('stunnel-danted',)}  # for its certificates

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.service.__exit__, None)

    def ask(self, everywhere=False):
        """Connections of all at once: (talk, the stub's line, outcome, seconds, data) of each."""
        lines = [(talk, line) for talk in self.talks for line in talk.lines(everywhere)]
        answers = self.lab.client('ask', 10.0, PAUSE_SECONDS, timeout=120,
                                  input=''.join(line for _, line in lines))
        return [(*about, *answer) for about, answer in zip(lines, answers)]

    def left(self):
        """Descriptors of all workers together, and the flows of each."""
        return (sum(open_fds(worker) for worker in self.service.workers()),
                [talk.tunnel.statistics()['connections-active'] for talk in self.talks])

    @contextlib.contextmanager
    def phase(self, what, mode, everywhere=False):
        """A subtest with the proxies gone bad in one way; nothing of it may be left."""
        with self.subTest(what):
            for talk in self.talks:
                talk.become('fine', False)
            self.wait_active()
            for talk in self.talks:
                talk.become(mode, everywhere)
            yield
            for talk in self.talks:  # what probes them meanwhile is no leftover
                talk.become('fine', False)
            self.lab.wait_for(self.is_clean, what=f'{self.before} again')

    def is_clean(self):
        """No flow, no descriptor more than there was."""
        fds, flows = self.left()
        return fds <= self.before and not any(flows)

    def wait_active(self):
        for talk in self.talks:
            self.service.wait_state(talk.tunnel, 'active')

    def check_fine(self):
        for talk, line, outcome, _, data in self.ask():
            self.assertEqual((outcome, data), ('closed', line), talk.protocol)

    def check_split(self):
        with self.phase('in two pieces, broken at each byte: as ever', 'split', True):
            for talk, line, outcome, _, data in self.ask(True):
                self.assertEqual((outcome, data), ('closed', line), talk.protocol)
            for talk in self.talks:
                self.assertEqual(talk.stub.positions(), talk.places(), talk.protocol)

    def check_wrong(self, mode):
        with self.phase(f'{mode} at each byte: refused in time', mode, True):
            for talk, _, outcome, seconds, data in self.ask(True):
                self.assertIn(outcome, AT_ONCE, talk.protocol)
                self.assertEqual(data, '')
                self.assertLess(seconds, REFUSED_SECONDS + BUSY, talk.protocol)
            for talk in self.talks if mode == 'stall' else ():
                self.assertEqual(talk.stub.positions(), talk.places(), talk.protocol)

    def check_told(self):
        with self.phase('close at each byte: TestProxy tells what it was', 'close', True):
            for talk in self.talks:
                for _ in talk.places():
                    told = self.service.call('TestProxy', 'sa{sv}', talk.uri, {})
                    self.assertTrue(told['reachable'])
                    self.assertIn(told['error'], ERRORS, talk.protocol)
                self.assertEqual(talk.stub.positions(), talk.places(), talk.protocol)

    def check_reason(self, mode, reason):
        with self.phase(f'{mode} before the first byte: degraded by {reason}', mode):
            self.ask()
            for talk in self.talks:
                if talk.protocol in MAY_SAY_NOTHING:
                    continue
                self.service.wait_state(talk.tunnel, 'degraded')
                with contextlib.suppress(TimeoutError):
                    self.lab.wait_for(lambda talk=talk: talk.tunnel.prop('StateReason') == reason)
                self.assertEqual(talk.tunnel.prop('StateReason'), reason, talk.protocol)

    def test_each_byte(self):
        """proxies that go wrong at each byte of what they say"""
        shares = [(protocol, share) for protocol in PROTOCOLS
                  for share in range(SHARES.get(protocol, 1))]
        self.talks = [Talk(self, number, *each) for number, each in enumerate(shares)]
        self.before, _ = self.left()
        self.check_split()
        for mode in ('stall', 'close', 'reset'):
            self.check_wrong(mode)
        self.check_told()
        self.check_reason('stall', 'proxy-unreachable')
        self.check_reason('close', 'proxy-protocol')
        with self.phase('fine again: active', 'fine'):
            self.check_fine()


if __name__ == '__main__':
    tap.main()
