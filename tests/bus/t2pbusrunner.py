# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the tests of a program, each with a service, a client and a proxy of its own, as TAP."""
import contextlib
import os
import sys
import traceback

import t2pbustest as lab
from t2pbustest import ERROR, BusError, Client, Proxy, Service, wait_for
from gi.repository import Gio, GLib

TESTS = []
ALONE = []  # those that start their services themselves


def test(function):
    """A test that is called with a service, a client and a proxy."""
    TESTS.append(function)
    return function


def test_alone(function):
    """A test that is called with the paths of daemon and worker."""
    ALONE.append(function)
    return test(function)


def fails(name, function, *args, **kwargs):
    """The message of the error that the call gives; fails when it gives another or none."""
    try:
        result = function(*args, **kwargs)
    except BusError as error:
        assert error.name == ERROR + name or error.name == name, error
        return error.message
    raise AssertionError(f'{name} expected, {result} seen')


def equal(seen, expected):
    assert seen == expected, f'{seen!r} seen, {expected!r} expected'


def begin(client, path, interface, method, parameters, on_end=None):
    """A call whose end somebody may care about."""
    def ended(bus, result):
        try:
            bus.call_finish(result)
            error = None
        except GLib.Error as failure:
            error = Gio.DBusError.get_remote_error(failure) or 'gone'
        if on_end:
            on_end(error)
    client.bus.call(lab.NAME, path, interface, method, parameters, None, Gio.DBusCallFlags.NONE,
                    60000, None, ended)


class States:
    """The StateChanged signals and property changes of all tunnels, as they come."""

    def __init__(self, service):
        self.client = Client(service.address)
        self.seen, self.properties = [], []
        self.client.bus.signal_subscribe(
            lab.NAME, 'org.tun2proxy.Tunnel', 'StateChanged', None, None,
            Gio.DBusSignalFlags.NONE, self.on_state)
        self.client.bus.signal_subscribe(
            lab.NAME, 'org.freedesktop.DBus.Properties', 'PropertiesChanged', None, None,
            Gio.DBusSignalFlags.NONE, self.on_properties)
        self.client.objects()

    def on_state(self, _bus, _sender, _path, _interface, _signal, parameters):
        self.seen.append(parameters.unpack()[1:])

    def on_properties(self, _bus, _sender, _path, _interface, _signal, parameters):
        state = parameters.unpack()[1].get('State')
        if state:
            self.properties.append(state)

    def wait(self, state):
        wait_for(lambda: any(new == state for new, _ in self.seen))

    def close(self):
        self.client.close()


@contextlib.contextmanager
def parts(daemon, worker):
    """A service that is not started and a proxy, which end; the service's log when a test fails."""
    service, proxy = Service(daemon, worker), Proxy()
    try:
        yield service, proxy
    except BaseException:
        print('\n'.join('# ' + line for line in service.text().splitlines()[-40:]))
        raise
    finally:
        proxy.close()
        service.close()


def run(function, daemon, worker):
    with parts(daemon, worker) as (service, proxy):
        service.start()
        client = Client(service.address)
        function(service, client, proxy)
        log = service.text()
        assert 'CRITICAL' not in log and 'Sanitizer' not in log and 'runtime error' not in log, log


def run_as_tap(number, name, function, *args):
    try:
        function(*args)
        print(f'ok {number} {name}', flush=True)
        return True
    except BaseException:
        print('\n'.join('# ' + line for line in traceback.format_exc().splitlines()))
        print(f'not ok {number} {name}', flush=True)
        return False

def main():
    daemon, worker, *wanted = sys.argv[1:]
    if os.getuid() != 0 or not os.path.exists('/dev/net/tun'):
        print('1..0 # SKIP needs root and /dev/net/tun')
        return 0
    lab.enter_namespace()
    chosen = [one for one in TESTS if not wanted or one.__name__ in wanted]
    print(f'1..{len(chosen)}')
    ok = True
    for number, function in enumerate(chosen, 1):
        runs = (function,) if function in ALONE else (run, function)
        ok &= run_as_tap(number, function.__name__.replace('_', '-'), *runs, daemon, worker)
    return 0 if ok else 1
