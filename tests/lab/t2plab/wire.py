# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks at the wires between the lab's machine and its router, by sniffer.py.

Whoever asks what was seen gets an answer from a watch that works: each time a packet leaks on
purpose by each link that is up, and the answer is what was seen until those were, too."""
import json
import pathlib

from . import plan
from .leak import Leak

SNIFFER = pathlib.Path(__file__).resolve().parent / 'sniffer.py'
WIRES = {plan.UPLINK: 'lan0', plan.SECOND_UPLINK: 'lan1'}  # the ends of the machine, the router's


class Wire:
    """with Wire(lab) as wire: … wire.since_last(), wire.all()"""

    def __init__(self, lab):
        self._lab, self._at = lab, 0
        self._running = self._leak = None
        self._on_purpose = set()  # ports

    def __enter__(self):
        self._running = self._lab.start(['/usr/bin/python3', '-B', SNIFFER, *WIRES.values()],
                                        netns='wan')
        self._lab.wait_for(lambda: 'ready' in self._running.log(), what='the sniffer')
        self._leak = Leak(self._lab)
        return self

    def __exit__(self, *_):
        self._leak.close()
        self._running.kill()
        self._running.wait()

    def _rows(self):
        return [json.loads(line) for line in self._running.log().splitlines()
                if line.startswith('{') and line.endswith('}')]

    def _others(self, rows):
        return [row for row in rows if row['port'] not in self._on_purpose]

    def all(self):
        """One dictionary for each kind of packet that was seen; see sniffer.py."""
        return self._others(self._rows())

    def since_last(self):
        """Those that were sent since the last call, shown to be all by packets that follow them."""
        leaks = {(wire, port) for link, wire in WIRES.items() for port in self._leak.send(link)}
        assert leaks, 'no link is up'
        self._on_purpose |= {port for _, port in leaks}
        self._lab.wait_for(lambda: leaks <= {(row['link'], row['port']) for row in self._rows()},
                           what='the wire to show what leaks on purpose')
        rows = self._rows()
        new, self._at = rows[self._at:], len(rows)
        return self._others(new)
