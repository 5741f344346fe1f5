#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many callers at once: the service answers all of them, and goes on."""
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import (LabCase, Service, changes, network_dump, open_fds, plan,  # noqa: E402
                    processes, tap)
from t2plab.service import RUNTIME_DIR, WORKER  # noqa: E402

CLIENTS, CALLS = 50, 40
FLOOD = '''
import sys
from gi.repository import Gio, GLib
bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
calls = [
    ('/org/tun2proxy/Manager', 'org.tun2proxy.Manager', 'ListTunnels', '(a{sv})', ({},)),
    ('/org/tun2proxy/Manager', 'org.tun2proxy.Manager', 'GetTunnel', '(sa{sv})', ('no', {})),
    ('/org/tun2proxy/Manager', 'org.tun2proxy.Manager', 'CreateTunnel', '(sa{sv}a{sv})',
     ('bad/name', {}, {})),
    ('/org/tun2proxy/Manager', 'org.tun2proxy.Manager', 'CreateTunnel', '(sa{sv}a{sv})',
     ('mine', {'proxies': GLib.Variant('as', ['socks5://198.51.100.2:1080'])}, {})),
    ('/org/tun2proxy', 'org.freedesktop.DBus.ObjectManager', 'GetManagedObjects', None, None),
]
left = int(sys.argv[1])
loop = GLib.MainLoop()
def answered(source, result):
    global left
    try:
        source.call_finish(result)
    except GLib.Error as error:
        if 'NoReply' in error.message or 'Timeout' in error.message:
            sys.exit(error.message)
    left -= 1
    if left == 0:
        loop.quit()
for number in range(left):
    path, interface, method, kind, args = calls[number % len(calls)]
    bus.call('org.tun2proxy.Manager', path, interface, method,
             GLib.Variant(kind, args) if kind else None, None, 0, 60000, None, answered)
loop.run()
'''


# Creates and deletes tunnels of its own, one after the other, until the service has gone; a line
# for each that was made, and one at the end for each error that is not about limits.
CHURN = '''
import sys
from gi.repository import Gio, GLib
bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
name, rounds = sys.argv[1], int(sys.argv[2])
settings = {'proxies': GLib.Variant('as', ['socks5://198.51.100.2:1080'])}
FINE = ('LimitExceeded', 'Busy', 'AddressConflict')
GONE = ('NoReply', 'ServiceUnknown', 'NameHasNoOwner', 'Cancelled', 'NotFound', 'UnknownObject', 'UnknownMethod')
def call(path, interface, method, kind, *args):
    return bus.call_sync('org.tun2proxy.Manager', path, 'org.tun2proxy.' + interface, method,
                         GLib.Variant(kind, args), None, Gio.DBusCallFlags.NO_AUTO_START, 60000,
                         None).unpack()
for number in range(rounds):
    try:
        path = call('/org/tun2proxy/Manager', 'Manager', 'CreateTunnel', '(sa{sv}a{sv})',
                    f'{name}-{number}', settings, {'wait': GLib.Variant('b', number % 2 == 0)})[0]
        print('made', flush=True)
        call(path, 'Tunnel', 'Delete', '(a{sv})', {})
    except GLib.Error as error:
        remote = (Gio.DBusError.get_remote_error(error) or error.message).split('.')[-1]
        if remote in GONE:
            print('gone', remote, flush=True)
            sys.exit(0)
        if remote not in FINE:
            sys.exit(error.message)
'''
# Two of the users may, by a rule; the third is root.
RULE = """polkit.addRule(function(action, subject) {
    if (action.id.indexOf("org.tun2proxy.") == 0) return polkit.Result.YES;
});"""


class Flood(LabCase):
    def test_flood(self):
        """50 clients that call without waiting are all answered, and nothing is left of them"""
        with Service(self.lab) as service:
            service.create('work', plan.DANTED_URI)
            before = open_fds(service.pid)
            self.lab.write('/run/flood.py', FLOOD)
            crowd = [self.lab.start(['/usr/bin/python3', '/run/flood.py', str(CALLS)],
                                    name=f'flood-{number}',
                                    uid=plan.USER_UID if number % 2 else plan.ADMIN_UID)
                     for number in range(CLIENTS)]
            self.assertEqual([(client.wait(90), client.log()) for client in crowd],
                             [(0, '')] * CLIENTS)
            self.assertEqual(len(service.list()), 1)
            self.assertEqual(service.list()[0].state, 'active')
            self.lab.wait_for(lambda: open_fds(service.pid) <= before)

    def churn(self, rounds):
        """Half a hundred programs of three users that make tunnels and delete them."""
        self.lab.write('/run/churn.py', CHURN)
        return [self.lab.start(['/usr/bin/python3', '/run/churn.py', f'churn{number}', str(rounds)],
                               name=f'churn-{rounds}-{number}',
                               uid=(0, plan.USER_UID, plan.ADMIN_UID)[number % 3])
                for number in range(CLIENTS)]

    def allow_all(self):
        rule = '/etc/polkit-1/rules.d/10-flood.rules'
        self.lab.write(rule, RULE)
        self.addCleanup(self.lab.path(rule).unlink)

    def made(self, crowd):
        return sum(client.log().count('made') for client in crowd)

    def test_churn(self):
        """50 clients of three users make and delete tunnels, and others are still answered"""
        self.allow_all()
        before = network_dump(self.lab)
        with Service(self.lab) as service:
            fds, slowest = open_fds(service.pid), 0
            crowd = self.churn(2)
            while any(client.is_running() for client in crowd):
                began = time.monotonic()
                service.list()
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.1)
            self.assertEqual([client.log() for client in crowd if client.wait(1) != 0], [])
            self.assertLess(slowest, 3)
            self.assertGreater(self.made(crowd), CLIENTS // 2)
            self.assertEqual(service.list(), [])
            self.lab.wait_for(lambda: open_fds(service.pid) <= fds and not service.workers(),
                              what='the service to be as before')
            self.assertEqual(changes(before, network_dump(self.lab)), [])

    def test_shutdown(self):
        """told to end while 50 clients make tunnels, the service does, and leaves nothing"""
        self.allow_all()
        before = network_dump(self.lab)
        service = Service(self.lab).start()
        self.addCleanup(service.bus.close)
        crowd = self.churn(1000)
        self.lab.wait_for(lambda: self.made(crowd) > 5, timeout=30, what='some tunnels')
        began = time.monotonic()
        self.assertEqual(service.stop(timeout=20), 0)
        self.assertLess(time.monotonic() - began, 10)
        self.lab.wait_for(lambda: not processes(self.lab, WORKER), what='the workers to end')
        for client in crowd:
            client.kill()
            client.wait()
        self.assertEqual(changes(before, network_dump(self.lab)), [])
        left = self.lab.sh(f'ip -br link show type tun; find {RUNTIME_DIR} -type f '
                           '! -name lock ! -name last-id').stdout
        self.assertEqual(left, '')
        service.check_sanitizers()


if __name__ == '__main__':
    tap.main()
