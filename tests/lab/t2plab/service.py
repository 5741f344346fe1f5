# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real tun2proxyd of the build folder, running in a lab on the lab's system bus."""
import contextlib
import os
import pathlib
import re
import signal
import time

from . import bus as t2pbus
from .lab import LabError

DAEMON, WORKER = 'tun2proxyd', 'tun2proxy-worker'
RUNTIME_DIR, STATE_DIR, CONFIG_DIR = '/run/tun2proxy', '/var/lib/tun2proxy', '/etc/tun2proxy'
SANITIZER = re.compile(r'ERROR: \w+Sanitizer|: runtime error: |SUMMARY: \w+Sanitizer')


def find_program(lab, name):
    """Path inside the lab of a program that the build folder installs, libexec included."""
    stage = lab.state / 'stage'
    for path in sorted(stage.glob(f'**/{name}')):
        if path.is_file() and os.access(path, os.X_OK):
            return '/' + str(path.relative_to(stage))
    raise LabError(f'the build folder installs no {name}')


class Service:
    """Starts the daemon, waits for its name, makes tunnels, checks on the way out."""

    def __init__(self, lab, args=(), env=None, under=()):
        # says that this system bus is a test's own, which --pause-at wants to know
        self.env = {'DBUS_SYSTEM_BUS_ADDRESS': 'unix:path=/run/dbus/system_bus_socket',
                    **(env or {})}
        self.lab, self.args, self.under = lab, list(args), list(under)
        self.bus = t2pbus.Bus(lab)
        self.daemon = None
        self._starts = 0

    def start(self, wait=True):
        argv = [*self.under, find_program(self.lab, DAEMON), '--bus=system', '--runtime-dir', RUNTIME_DIR,
                '--state-dir', STATE_DIR, '--config-dir', CONFIG_DIR, *self.args]
        self.lab.sh(f'mkdir -p {RUNTIME_DIR} {STATE_DIR} {CONFIG_DIR}/tunnels.d')
        self._starts += 1
        self.daemon = self.lab.start(argv, name=f'{DAEMON}.{self._starts}', env=self.env)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=15):
        self.lab.wait_for(lambda: not self.daemon.is_running()
                          or self.bus.has_owner(t2pbus.NAME), timeout, 'the service to be there')
        if not self.daemon.is_running():
            raise LabError(f'{DAEMON} ended with {self.daemon.wait()}:\n{self.daemon.log()}')

    def stop(self, sig=signal.SIGTERM, timeout=15):
        """Ends the daemon, returns its exit status."""
        self.daemon.kill(sig)
        return self.daemon.wait(timeout)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            if self.daemon.is_running():
                self.stop()
        finally:
            self.bus.close()
        if kind is None:
            self.check_sanitizers()
            self.check_contract()

    # --- processes

    @property
    def pid(self):
        return self.daemon.pid

    def workers(self):
        """Pids of all workers in the lab, adopted and orphaned ones too."""
        return processes(self.lab, WORKER)

    def check_sanitizers(self):
        """Fails when a sanitizer has written anything to a log."""
        for path in (self.lab.state / 'log').iterdir():
            text = path.read_text(errors='replace')
            found = SANITIZER.search(text)
            if found:
                raise AssertionError(f'{path.name}:\n{text[max(0, found.start() - 200):][:6000]}')

    def check_contract(self):
        """Fails when the worker has said something to the daemon that nobody has documented."""
        strangers = [line for line in self.daemon.log().splitlines()
                     if 'not in the contract' in line]
        if strangers:
            raise AssertionError('\n'.join(strangers))

    # --- the bus interface

    def call(self, method, signature='', *args, **kwargs):
        return self.bus.call(t2pbus.MANAGER_PATH, t2pbus.MANAGER, method, signature, *args,
                             **kwargs)

    def prop(self, name):
        return self.bus.get(t2pbus.MANAGER_PATH, t2pbus.MANAGER, name)

    def create(self, name, proxy, *, options=None, **settings):
        """CreateTunnel as root; waits until it is active unless options say wait=False."""
        proxies = [proxy] if isinstance(proxy, str) else list(proxy)
        path, result = self.call('CreateTunnel', 'sa{sv}a{sv}', name,
                                 t2pbus.vardict({'proxies': proxies, **settings}),
                                 t2pbus.vardict({'wait': True, **(options or {})}))
        return t2pbus.Tunnel(self.bus, path, result)

    def list(self):
        return [t2pbus.Tunnel(self.bus, path) for path in self.call('ListTunnels', 'a{sv}', {})]

    def wait_state(self, tunnel, *states, timeout=20):
        return self.lab.wait_for(lambda: tunnel.state in states and tunnel.state, timeout,
                                 f'state {" or ".join(states)}')


def processes(lab, name):
    """Pids, as seen from outside, of the processes in the lab that run a program so named."""
    home = os.stat(f'/proc/{lab.pid}/ns/pid').st_ino
    found = []
    for folder in pathlib.Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError):
            if os.stat(folder / 'ns/pid').st_ino == home:
                program = os.path.basename(os.readlink(folder / 'exe')).removesuffix(' (deleted)')
                if program == name:
                    found.append(int(folder.name))
    return sorted(found)


def open_fds(pid):
    """How many descriptors a process holds."""
    return len(os.listdir(f'/proc/{pid}/fd'))


def settled_fds(pid):
    """The same when those of a bring-up just done have gone."""
    counts = []
    for _ in range(10):
        counts.append(open_fds(pid))
        time.sleep(0.05)
    return min(counts)
