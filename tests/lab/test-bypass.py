#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A socket that the service was asked to let bypass goes directly, while all else is captured."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, LabError, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.service import find_program  # noqa: E402

# The library by introspection would do as well; this is what any program can do.
PROGRAM = f'''
import socket, sys
from gi.repository import Gio, GLib

def bypass(one):
    descriptors = Gio.UnixFDList.new()
    descriptors.append(one.fileno())
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
    bus.call_with_unix_fd_list_sync(
        'org.tun2proxy.Manager', '/org/tun2proxy/Manager', 'org.tun2proxy.Manager',
        'BypassSocket', GLib.Variant('(ha{{sv}})', (0, {{}})), None, Gio.DBusCallFlags.NONE,
        20000, descriptors, None)

def ask(one):
    one.settimeout(10)
    one.connect((sys.argv[1], 80))
    one.sendall(b'GET /ip HTTP/1.0\\r\\n\\r\\n')
    data = b''
    while part := one.recv(4096):
        data += part
    return data.decode().rpartition('\\r\\n\\r\\n')[2].strip()

family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
with socket.socket(family) as marked, socket.socket(family) as plain:
    bypass(marked)
    print(ask(marked), ask(plain))
'''


class Bypass(LabCase):
    options = {'resolved': True}

    def setUp(self):
        self.before = network_dump(self.lab)
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.service.__exit__(None)

    def ask(self, server, run=None):
        """The address that a marked, and one that a plain socket comes from."""
        return (run or self.lab.run)(['/usr/bin/python3', '-c', PROGRAM, server]).stdout.split()

    def test_marked(self):
        """a marked socket reaches the server directly while others go through the proxy"""
        self.service.create('work', plan.DANTED_URI, capture='default')
        self.assertEqual(self.ask(plan.SERVER4), [plan.LAB4, plan.PROXY4])
        self.assertEqual(self.ask(plan.SERVER6), [plan.LAB6, plan.PROXY6])

    def test_before_the_tunnel(self):
        """the mark that was given before any tunnel holds for the next one"""
        self.assertEqual(self.ask(plan.SERVER4), [plan.LAB4, plan.LAB4])
        self.service.create('work', plan.DANTED_URI, capture='default')
        self.assertEqual(self.ask(plan.SERVER4), [plan.LAB4, plan.PROXY4])

    def test_not_for_everybody(self):
        """a user whom polkit does not let is refused, with a session and without"""
        for run in (self.lab.as_user, self.lab.session):
            with self.assertRaisesRegex(LabError, '(?i)InteractiveAuthorization|NotAuthorized'):
                self.ask(plan.SERVER4, lambda words, run=run: run(plan.USER_UID, words))

    def test_other_mark(self):
        """with a tunnel that has a mark of its own no socket is said to bypass it"""
        self.service.create('work', plan.DANTED_URI, capture='default', mark=0x77)
        with self.assertRaisesRegex(LabError, 'NotSupported'):
            self.ask(plan.SERVER4)


if __name__ == '__main__':
    tap.main()
