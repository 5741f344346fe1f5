# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts stub.py beside the lab's proxies."""
import itertools
import json
import pathlib

from . import plan

PROGRAM = str(pathlib.Path(__file__).resolve().parent / 'stub.py')


class StubProxy:
    """with StubProxy(lab, 'refuse', 5) as stub: … stub.uri … stub.requests()"""

    _ports = itertools.count(2000)

    def __init__(self, lab, behaviour, argument='', port=None):
        self.lab, self.port = lab, port or next(self._ports)
        self.uri = f'socks5://{plan.PROXY4}:{self.port}'
        self._words = ['/usr/bin/python3', '-B', PROGRAM, self.port, behaviour, argument]
        self._running = None

    def __enter__(self):
        self._running = self.lab.start(self._words, name=f'stub-{self.port}', netns='px')
        self.lab.wait_for(lambda: self.lab.run(['ss', '-Hltn', f'sport = :{self.port}'],
                                               netns='px').stdout, what='the stub to listen')
        return self

    def __exit__(self, *_):
        self._running.stop()

    def requests(self):
        """What it was asked for: [{'kind': 'ipv4', 'host': …, 'port': …}, …]."""
        return [json.loads(line) for line in self._running.log().splitlines()
                if line.startswith('{')]
