#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""agent.py PID yes|no: a polkit authentication agent for one process, run as root in the lab.

polkit lets uid 0 answer for the user without PAM, so no password is needed. Says "registered",
then the action and message of each dialog it is asked to show.
"""
import os
import pathlib
import sys

from gi.repository import Gio, GLib

AUTHORITY = ('org.freedesktop.PolicyKit1', '/org/freedesktop/PolicyKit1/Authority',
             'org.freedesktop.PolicyKit1.Authority')
INTERFACE = '''<node><interface name="org.freedesktop.PolicyKit1.AuthenticationAgent">
<method name="BeginAuthentication">
 <arg type="s" name="action_id" direction="in"/><arg type="s" name="message" direction="in"/>
 <arg type="s" name="icon_name" direction="in"/><arg type="a{ss}" name="details" direction="in"/>
 <arg type="s" name="cookie" direction="in"/><arg type="a(sa{sv})" name="who" direction="in"/>
</method>
<method name="CancelAuthentication"><arg type="s" name="cookie" direction="in"/></method>
</interface></node>'''


def main():
    pid, answer = int(sys.argv[1]), sys.argv[2]
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
    stat = pathlib.Path(f'/proc/{pid}/stat').read_text()
    process = {'pid': GLib.Variant('u', pid),
               'start-time': GLib.Variant('t', int(stat.rpartition(')')[2].split()[19])),
               'uid': GLib.Variant('i', os.stat(f'/proc/{pid}').st_uid)}

    def called(_bus, _sender, _path, _interface, method, parameters, invocation):
        if method == 'BeginAuthentication':
            action, message, _, _, cookie, _ = parameters.unpack()
            print(f'{action}: {message}', flush=True)
            if answer == 'no':
                invocation.return_dbus_error('org.freedesktop.PolicyKit1.Error.Cancelled', 'no')
                return
            who = parameters.get_child_value(5).get_child_value(0)
            bus.call_sync(*AUTHORITY, 'AuthenticationAgentResponse2', GLib.Variant.new_tuple(
                GLib.Variant('u', 0), GLib.Variant('s', cookie), who), None, 0, 5000, None)
        invocation.return_value(None)

    bus.register_object('/agent', Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0], called)
    bus.call_sync(*AUTHORITY, 'RegisterAuthenticationAgent', GLib.Variant(
        '((sa{sv})ss)', (('unix-process', process), 'en_US.UTF-8', '/agent')), None, 0, 5000, None)
    print('registered', flush=True)
    GLib.MainLoop().run()


if __name__ == '__main__':
    main()
