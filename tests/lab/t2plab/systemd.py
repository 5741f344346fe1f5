#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What systemd does for a transient scope, and nothing else: run inside the lab as root."""
import os

from gi.repository import Gio, GLib

NAME, PATH = 'org.freedesktop.systemd1', '/org/freedesktop/systemd1'
MANAGER = 'org.freedesktop.systemd1.Manager'
JOB = PATH + '/job/7'
XML = f'''<node><interface name="{MANAGER}">
  <method name="Subscribe"/>
  <method name="StartTransientUnit">
    <arg type="s" direction="in"/><arg type="s" direction="in"/>
    <arg type="a(sv)" direction="in"/><arg type="a(sa(sv))" direction="in"/>
    <arg type="o" direction="out"/>
  </method>
  <signal name="JobRemoved"><arg type="u"/><arg type="o"/><arg type="s"/><arg type="s"/></signal>
</interface></node>'''


def start_unit(bus, unit, mode, properties, _others):
    """Makes the cgroup, puts the processes in, and tells later that it is done."""
    values = dict(properties)
    folder = f'/sys/fs/cgroup/system.slice/{unit}'
    assert mode == 'fail' and unit.endswith('.scope') and values['PIDs'], (mode, unit, values)
    print(unit, flush=True)

    def done():
        os.makedirs(folder)
        for pid in values['PIDs']:
            with open(f'{folder}/cgroup.procs', 'w', encoding='ascii') as file:
                file.write(str(pid))
        bus.emit_signal(None, PATH, MANAGER, 'JobRemoved',
                        GLib.Variant('(uoss)', (7, JOB, unit, 'done')))
    GLib.timeout_add(300, done)


def called(bus, _sender, _path, _interface, method, parameters, invocation):
    if method == 'Subscribe':
        invocation.return_value(None)
        return
    start_unit(bus, *parameters.unpack())
    invocation.return_value(GLib.Variant('(o)', (JOB,)))


def main():
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
    bus.register_object(PATH, Gio.DBusNodeInfo.new_for_xml(XML).interfaces[0], called, None, None)
    Gio.bus_own_name_on_connection(bus, NAME, Gio.BusNameOwnerFlags.NONE,
                                   lambda *_: print('ready', flush=True), None)
    GLib.MainLoop().run()


if __name__ == '__main__':
    main()
