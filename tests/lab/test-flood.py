#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many callers at once: the service answers all of them, and goes on."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, open_fds, plan, tap  # noqa: E402

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


if __name__ == '__main__':
    tap.main()
