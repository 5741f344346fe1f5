# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks at the wires between the lab's machine and its router, by sniffer.py."""
import json
import pathlib

SNIFFER = pathlib.Path(__file__).resolve().parent / 'sniffer.py'


class Wire:
    """with Wire(lab) as wire: … wire.since_last(), wire.all()"""

    def __init__(self, lab, links=('lan0', 'lan1')):
        self._lab, self._links, self._at = lab, links, 0
        self._running = None

    def __enter__(self):
        self._running = self._lab.start(['/usr/bin/python3', '-B', SNIFFER, *self._links],
                                        netns='wan')
        self._lab.wait_for(lambda: 'ready' in self._running.log(), what='the sniffer')
        return self

    def __exit__(self, *_):
        self._running.kill()
        self._running.wait()

    def all(self):
        """One dictionary for each kind of packet that was seen; see sniffer.py."""
        return [json.loads(line) for line in self._running.log().splitlines()
                if line.startswith('{') and line.endswith('}')]

    def since_last(self):
        """Those that were never seen before the last call."""
        rows = self.all()
        new, self._at = rows[self._at:], len(rows)
        return new
