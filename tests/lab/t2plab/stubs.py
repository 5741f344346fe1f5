# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts stub.py, staller.py and delayer.py beside the lab's proxies."""
import itertools
import json
import pathlib

from . import plan

HERE = pathlib.Path(__file__).resolve().parent


class StubProxy:
    """with StubProxy(lab, 'refuse', 5) as stub: … stub.uri … stub.requests()"""

    _ports = itertools.count(2000)

    def __init__(self, lab, behaviour, argument='', port=None):
        self.lab, self.port = lab, port or next(self._ports)
        self.uri = f'socks5://{plan.PROXY4}:{self.port}'
        self._log, self._words = f'stub-{self.port}', ['stub.py', self.port, behaviour, argument]
        self._running = None

    def __enter__(self):
        program, *words = self._words
        self._running = self.lab.start(['/usr/bin/python3', '-B', HERE / program, *words],
                                       name=self._log, netns='px')
        self.lab.wait_for(lambda: self.lab.run(['ss', '-Hltn', f'sport = :{self.port}'],
                                               netns='px').stdout, what='the stub to listen')
        return self

    def __exit__(self, *_):
        self._running.stop()

    def requests(self):
        """What it has told: [{'kind': 'ipv4', 'host': …, 'port': …}, …]."""
        return [json.loads(line) for line in self._running.log().splitlines()
                if line.startswith('{')]


class StallingProxy(StubProxy):
    """with StallingProxy(lab, 'socks5') as stub: … stub.become('stall', 12) …; see staller.py."""

    def __init__(self, lab, protocol):
        super().__init__(lab, protocol)
        self._mode, self._orders = 'fine', f'/run/lab/stub-{self.port}.orders'
        self._words = ['staller.py', self.port, protocol, self._orders]

    def __enter__(self):
        self.become('fine')
        return super().__enter__()

    def become(self, mode, positions=1, stride=1, first=0):
        """For connections from now on."""
        self._mode = mode
        new = self._orders + '.new'
        self.lab.write(new, f'{mode} {positions} {stride} {first}\n')
        self.lab.path(new).rename(self.lab.path(self._orders))

    def positions(self):
        """Behind which bytes it has gone wrong in this mode so far."""
        return {row['position'] for row in self.requests()
                if row['total'] is None and row['mode'] == self._mode}

    def handshake_bytes(self):
        """How many bytes the longest of the handshakes sent."""
        return max(row['total'] for row in self.requests() if row['total'] is not None)


class DistantProxy(StubProxy):
    """with DistantProxy(lab, plan.DANTED, 60) as far: … far.move(20); milliseconds, each way."""

    def __init__(self, lab, proxy_port, delay_ms):
        super().__init__(lab, '')
        self._file = f'/run/lab/stub-{self.port}.delay'
        self._words = ['delayer.py', self.port, proxy_port, self._file]
        self.move(delay_ms)

    def move(self, delay_ms):
        self.lab.write(self._file + '.new', f'{delay_ms}\n')
        self.lab.path(self._file + '.new').rename(self.lab.path(self._file))
