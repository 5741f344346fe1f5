#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What logind says to programs about the machine's sleep, without a sleep.

Run inside the lab as root. On org.freedesktop.login1 it answers Inhibit, and sends PrepareForSleep
when it is told to by the interface org.tun2proxy.Lab of the same object:

Sleep() -> s    tells of the sleep, waits until all delay locks are given back: "" or who holds on
Wake()          tells of the awakening
Locks() -> as   who holds a lock
"""
import os
import select
import time

from gi.repository import Gio, GLib

NAME, PATH = 'org.freedesktop.login1', '/org/freedesktop/login1'
MANAGER, LAB = 'org.freedesktop.login1.Manager', 'org.tun2proxy.Lab'
MOST_SECONDS = 5  # logind's own InhibitDelayMaxSec
XML = f'''<node>
  <interface name="{MANAGER}">
    <method name="Inhibit">
      <arg type="s" direction="in"/><arg type="s" direction="in"/>
      <arg type="s" direction="in"/><arg type="s" direction="in"/>
      <arg type="h" direction="out"/>
    </method>
    <signal name="PrepareForSleep"><arg type="b"/></signal>
  </interface>
  <interface name="{LAB}">
    <method name="Sleep"><arg type="s" direction="out"/></method>
    <method name="Wake"/>
    <method name="Locks"><arg type="as" direction="out"/></method>
  </interface>
</node>'''


class Logind:
    def __init__(self):
        self.bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
        self.locks = {}  # our end of each → who
        for interface in Gio.DBusNodeInfo.new_for_xml(XML).interfaces:
            self.bus.register_object(PATH, interface, self.called, None, None)
        Gio.bus_own_name_on_connection(self.bus, NAME, Gio.BusNameOwnerFlags.NONE, None, None)

    def held(self):
        """Those whose other end is open still."""
        poll = select.poll()
        for fd in self.locks:
            poll.register(fd, 0)
        for fd, _ in poll.poll(0):
            os.close(fd)
            del self.locks[fd]
        return sorted(self.locks.values())

    def tell(self, is_asleep):
        self.bus.emit_signal(None, PATH, MANAGER, 'PrepareForSleep',
                             GLib.Variant('(b)', (is_asleep,)))

    def inhibit(self, invocation, what, who, _why, mode):
        if what != 'sleep' or mode != 'delay':
            invocation.return_dbus_error('org.freedesktop.DBus.Error.InvalidArgs', what + mode)
            return
        ours, theirs = os.pipe()
        self.locks[ours] = who
        fds = Gio.UnixFDList.new()
        fds.append(theirs)
        os.close(theirs)
        invocation.return_value_with_unix_fd_list(GLib.Variant('(h)', (0,)), fds)

    def sleep(self, invocation):
        self.tell(True)
        end = time.monotonic() + MOST_SECONDS
        while self.held() and time.monotonic() < end:
            time.sleep(0.01)
        invocation.return_value(GLib.Variant('(s)', (' '.join(self.held()),)))

    def called(self, _bus, _sender, _path, _interface, method, parameters, invocation):
        if method == 'Inhibit':
            self.inhibit(invocation, *parameters.unpack())
        elif method == 'Sleep':
            self.sleep(invocation)
        elif method == 'Wake':
            self.tell(False)
            invocation.return_value(None)
        else:
            invocation.return_value(GLib.Variant('(as)', (self.held(),)))


if __name__ == '__main__':
    logind = Logind()
    GLib.MainLoop().run()
