# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program of the lab on a terminal of its own, for what asks people rather than files."""
import contextlib
import fcntl
import os
import pty
import select
import subprocess
import termios
import time

from .lab import PATH


class Terminal:
    """with Terminal(lab, cmd, uid=…) as it: it.expect('Password: '); it.type_hidden('secret')

    `said` is all that has been shown so far. A terminal that shows nothing more fails `expect`.
    """

    def __init__(self, lab, cmd, env=None, **where):
        self._fd, side = pty.openpty()
        self._lab, self.said = lab, ''
        self._from = 0

        def take_terminal():
            os.setsid()
            fcntl.ioctl(side, termios.TIOCSCTTY, 0)
        clean = {'PATH': PATH, 'LANG': 'C.UTF-8', 'HOME': '/tmp', 'TERM': 'dumb', **(env or {})}
        self._child = subprocess.Popen(lab.argv(cmd, **where), stdin=side, stdout=side,
                                       stderr=side, env=clean, preexec_fn=take_terminal)
        os.close(side)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._child.kill()
        self._child.wait()
        os.close(self._fd)

    def _read(self, seconds):
        """More of what is shown; False at the end, or when nothing came in time."""
        if not select.select([self._fd], [], [], max(seconds, 0))[0]:
            return False
        with contextlib.suppress(OSError):  # the other side is closed
            data = os.read(self._fd, 4096)
            self.said += data.decode(errors='replace')
            return bool(data)
        return False

    def expect(self, text, timeout=15):
        """Until TEXT has been shown, after what was expected before."""
        end = time.monotonic() + timeout
        while (at := self.said.find(text, self._from)) < 0:
            if not self._read(end - time.monotonic()):
                raise AssertionError(f'expected {text!r}, saw {self.said!r}')
        self._from = at + len(text)

    def type(self, text):
        os.write(self._fd, text.encode() + b'\n')

    def type_hidden(self, text, timeout=10):
        """Types when the terminal has stopped to echo; what comes before may be thrown away."""
        self._lab.wait_for(lambda: not termios.tcgetattr(self._fd)[3] & termios.ECHO, timeout,
                           'the terminal to hide what is typed')
        self.type(text)

    def press(self, key):
        os.write(self._fd, key)

    def wait(self, timeout=15):
        """The exit status, when all has been shown."""
        end = time.monotonic() + timeout
        while self._read(end - time.monotonic()):
            pass
        try:
            return self._child.wait(max(end - time.monotonic(), 1))
        except subprocess.TimeoutExpired:
            raise AssertionError(f'still running, has said {self.said!r}') from None
