#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a proxy's URI may ask for: fast open, the handshake in one go."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import BusError, LabCase, Service, StubProxy, plan, tap  # noqa: E402


class ProxyOptions(LabCase):
    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.service.__exit__, None)

    def fast_opens(self):
        """How many connections of the machine began with data in the SYN."""
        names, values = [line.split()[1:] for line in self.lab.run(
            ['cat', '/proc/net/netstat']).stdout.splitlines() if line.startswith('TcpExt:')]
        return int(dict(zip(names, values))['TCPFastOpenActive'])

    def fetch(self):
        outcome, _, data = self.lab.client('connect', plan.SERVER4, 80)
        self.assertEqual((outcome, data.split()), ('closed', [plan.SERVER4, '80']))

    def test_fast_open(self):
        """tfo=yes: the greeting goes with the SYN of the second connection and all behind it"""
        self.lab.run(['sysctl', '-qw', 'net.ipv4.tcp_fastopen=3'], netns='px')
        with StubProxy(self.lab, 'record') as stub:
            tunnel = self.service.create('slow', stub.uri, capture='default')
            self.fetch()
            self.assertEqual(self.fast_opens(), 0)
            tunnel.delete()
            tunnel = self.service.create('fast', stub.uri + '?tfo=yes', capture='default')
            self.fetch()
            before = self.fast_opens()
            self.fetch()
            self.assertEqual(self.fast_opens(), before + 1)
            tunnel.delete()

    def test_fast_open_without_proxy(self):
        """tfo=yes: a proxy that has gone is told of as one that was never there"""
        self.lab.run(['sysctl', '-qw', 'net.ipv4.tcp_fastopen=3'], netns='px')
        with StubProxy(self.lab, 'record') as stub:
            tunnel = self.service.create('fast', stub.uri + '?tfo=yes', capture='default',
                                         connect_timeout=3)
            self.fetch()
        outcome, seconds, _ = self.lab.client('connect', plan.SERVER4, 80)
        self.assertIn(outcome, ('refused', 'reset', 'unreachable'))
        self.assertLess(seconds, 3)
        self.service.wait_state(tunnel, 'degraded')
        self.lab.wait_for(lambda: tunnel.prop('StateReason') == 'proxy-unreachable',
                          what='the reason')
        tunnel.delete()

    def test_pipeline(self):
        """pipeline=yes: greeting and request go in one; without it nothing is sent ahead"""
        with StubProxy(self.lab, 'pipelined') as stub:
            tunnel = self.service.create('fast', stub.uri + '?pipeline=yes', capture='default')
            self.fetch()
            tunnel.delete()
            with self.assertRaises(BusError):
                self.service.create('slow', stub.uri, capture='default', connect_timeout=2)


if __name__ == '__main__':
    tap.main()
