#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Time-outs and limits of the settings: each is what the data plane does."""
import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import BusError, LabCase, Service, StubProxy, plan, tap  # noqa: E402

MIB = 1 << 20
OPEN_URI = f'socks5://{plan.PROXY4}:{plan.PORTS["microsocks-open"]}'
URL = f'http://{plan.SERVER4}'
MUTE_PORT = 5990  # a server that neither answers nor ends
# Seconds from the last byte to the end, with the other side's half closed or not.
WAIT = '''
import socket, sys, time
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
if sys.argv[3] == 'half':
    sock.shutdown(socket.SHUT_WR)
sock.settimeout(20)
began = time.monotonic()
try:
    sock.recv(1)
except OSError:
    pass
print(time.monotonic() - began)
'''


class Limits(LabCase):
    options = {'proxies': ['danted', 'microsocks-open']}

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)
        self.mute = self.lab.start(
            ['socat', '-t', '1000', f'TCP-LISTEN:{MUTE_PORT},fork,reuseaddr', 'EXEC:sleep 1000'],
            name='mute', netns='srv')
        self.addCleanup(self.mute.kill)
        self.lab.wait_for(lambda: str(MUTE_PORT) in self.lab.run(
            ['ss', '-Hltn', f'sport = {MUTE_PORT}'], netns='srv').stdout, 5)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.service.__exit__(None)

    def create(self, proxy=plan.DANTED_URI, **settings):
        return self.service.create('work', proxy, capture='default', **settings)

    def wait(self, how):
        self.lab.write('/run/wait.py', WAIT)
        return float(self.lab.run(['python3', '/run/wait.py', plan.SERVER4, str(MUTE_PORT), how],
                                  timeout=40).stdout)

    def test_connect_timeout(self):
        """connect-timeout: a proxy that does not answer is given up in time, not sooner"""
        with StubProxy(self.lab, 'silent') as stub:
            for seconds in (1, 3):
                began = time.monotonic()
                with self.assertRaisesRegex(BusError, 'ProxyUnreachable'):
                    self.create(stub.uri, connect_timeout=seconds)
                self.assertGreater(time.monotonic() - began, seconds)
                self.assertLess(time.monotonic() - began, seconds + 1.5)

    def test_tcp_idle(self):
        """tcp-idle-timeout: a silent connection ends, and no sooner"""
        self.create(tcp_idle_timeout=3)
        seconds = self.wait('open')
        self.assertGreater(seconds, 2.5)
        self.assertLess(seconds, 6)

    def test_half_close(self):
        """half-close-timeout: a connection that one side has closed ends sooner"""
        self.create(half_close_timeout=2, tcp_idle_timeout=600)
        seconds = self.wait('half')
        self.assertGreater(seconds, 1.5)
        self.assertLess(seconds, 5)

    def test_max_connections(self):
        """max-connections: one more than that is refused with a reset, the others stay"""
        tunnel = self.create(max_connections=10, half_close_timeout=1)
        holder = self.lab.start(['python3', '-c', f'''
import socket, time
socks = [socket.create_connection(("{plan.SERVER4}", {MUTE_PORT}), 5) for _ in range(10)]
print("held", flush=True)
time.sleep(1000)'''], name='holder')
        self.addCleanup(holder.kill)
        self.lab.wait_for(lambda: 'held' in holder.log())
        outcome, seconds, _ = self.lab.client('connect', plan.SERVER4, MUTE_PORT)
        self.assertEqual(outcome, 'refused')
        self.assertLess(seconds, 1)
        counters = tunnel.statistics()
        self.assertEqual(counters['connections-active'], 10)
        self.assertEqual(counters['connections-refused'], 1)
        holder.kill()
        self.lab.wait_for(lambda: tunnel.statistics()['connections-active'] == 0, 10)
        self.assertEqual(self.lab.run(['curl', '-sS', '-m', '10', URL + '/ip']).stdout.strip(),
                         plan.PROXY4)

    def test_early_accept(self):
        """early-accept: a connection is there before the proxy has said yes, or no"""
        with StubProxy(self.lab, 'refuse', 5) as stub:
            tunnel = self.create(stub.uri)
            self.assertEqual(self.lab.client('connect', plan.SERVER4, 80)[0], 'refused')
            tunnel.delete()
            tunnel = self.create(stub.uri, early_accept=True)
            self.assertIn(self.lab.client('connect', plan.SERVER4, 80)[0], ('reset', 'closed'))
            tunnel.delete()

    def rss(self):
        status = open(f'/proc/{self.service.workers()[0]}/status', encoding='ascii').read()
        return int(re.search(r'VmRSS:\s+(\d+) kB', status)[1]) * 1024

    def slow_readers(self, n):
        """Downloads that nobody reads, so that all the buffers fill."""
        script = (f'for i in $(seq {n}); do curl -sS -m 60 --limit-rate 1 -o /dev/null '
                  f'{URL}/bytes/60000000 & done; wait')
        readers = self.lab.start(['bash', '-c', script], name='readers')
        self.addCleanup(readers.kill)
        return readers

    def grown(self, n, **settings):
        tunnel = self.create(OPEN_URI, **settings)
        before = self.rss()
        readers = self.slow_readers(n)
        self.lab.wait_for(lambda: tunnel.statistics()['connections-active'] > 20, 30)
        last = -1
        while last < self.rss() - MIB:
            last = self.rss()
            self.lab.run(['sleep', '2'])
        grown = self.rss() - before
        active = tunnel.statistics()['connections-active']
        self.lab.sh('pkill curl', check=False)  # the lab's own, in its own process namespace
        readers.kill()
        self.lab.wait_for(lambda: tunnel.statistics()['connections-active'] == 0, 20)
        self.assertEqual(self.lab.run(['curl', '-sS', '-m', '20', URL + '/ip']).stdout.strip(),
                         plan.PROXY4)
        tunnel.delete()
        return grown, active

    def test_memory_limit(self):
        """memory-limit: the buffers of slow readers stay within; who has no room is refused"""
        wide, active = self.grown(100)
        self.assertEqual(active, 100)
        self.assertGreater(wide, 16 * MIB)
        narrow, active = self.grown(100, memory_limit=8 * MIB)
        self.assertLess(narrow, 12 * MIB)
        self.assertGreater(active, 20)
        self.assertLess(active, 100)


if __name__ == '__main__':
    tap.main()
