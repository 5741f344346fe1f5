# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab's system bus, spoken to as root from outside, and the service's objects on it.

For calls as another user, run busctl or a program in the lab: see Lab.as_user and Lab.session.
"""
from gi.repository import Gio, GLib

NAME = 'org.tun2proxy.Manager'
MANAGER_PATH = '/org/tun2proxy/Manager'
MANAGER = 'org.tun2proxy.Manager'
TUNNEL = 'org.tun2proxy.Tunnel'
PROPERTIES = 'org.freedesktop.DBus.Properties'


class BusError(Exception):
    """A D-Bus error: `name` as on the wire, `message` without GLib's prefix."""

    def __init__(self, error):
        self.name = Gio.DBusError.get_remote_error(error) or f'{error.domain}:{error.code}'
        self.message = error.message.removeprefix(f'GDBus.Error:{self.name}: ')
        super().__init__(f'{self.name}: {self.message}')


def variant(value):
    """A variant of the type that the settings table has for such a Python value."""
    if isinstance(value, GLib.Variant):
        return value
    if isinstance(value, bool):
        return GLib.Variant('b', value)
    if isinstance(value, int):
        return GLib.Variant('u', value)
    if isinstance(value, str):
        return GLib.Variant('s', value)
    return GLib.Variant('as', list(value))


def vardict(values):
    """{'dns-servers': […]} for a{sv}; underscores in keys stand for dashes."""
    return {key.replace('_', '-'): variant(value) for key, value in (values or {}).items()}


class Bus:
    def __init__(self, lab):
        flags = (Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
                 | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
        socket = lab.path('/run/dbus/system_bus_socket')
        self.connection = Gio.DBusConnection.new_for_address_sync(
            f'unix:path={socket}', flags, None, None)
        self.connection.set_exit_on_close(False)

    def call(self, path, interface, method, signature='', *args, name=NAME, timeout=60):
        """Calls and returns the unpacked reply (the value itself if it is one), or BusError."""
        parameters = GLib.Variant(f'({signature})', args) if signature else None
        try:
            reply = self.connection.call_sync(name, path, interface, method, parameters, None,
                                              Gio.DBusCallFlags.NONE, int(timeout * 1000), None)
        except GLib.Error as error:
            raise BusError(error) from None
        values = reply.unpack()
        return values[0] if len(values) == 1 else values

    def get(self, path, interface, prop, name=NAME):
        return self.call(path, PROPERTIES, 'Get', 'ss', interface, prop, name=name)

    def has_owner(self, name):
        return self.call('/', 'org.freedesktop.DBus', 'NameHasOwner', 's', name,
                         name='org.freedesktop.DBus')

    def owner(self, name=NAME):
        """The unique name of whoever has it now; None when nobody does."""
        try:
            return self.call('/', 'org.freedesktop.DBus', 'GetNameOwner', 's', name,
                             name='org.freedesktop.DBus')
        except BusError:
            return None

    def record(self, interface=None, member=None, path=None):
        """A list that grows by (path, interface, member, arguments) while pump() is called."""
        seen = []

        def arrived(_connection, _sender, where, iface, name, parameters):
            seen.append((where, iface, name, parameters.unpack()))
        self.connection.signal_subscribe(None, interface, member, path, None,
                                         Gio.DBusSignalFlags.NONE, arrived)
        self.call('/', 'org.freedesktop.DBus', 'GetId', name='org.freedesktop.DBus')
        return seen

    @staticmethod
    def pump():
        """Delivers the signals that have arrived."""
        while GLib.MainContext.default().iteration(False):
            pass

    def close(self):
        if not self.connection.is_closed():
            self.connection.close_sync(None)


class Tunnel:
    """One tunnel object: properties by prop('State'), methods by their names below."""

    def __init__(self, bus, path, result=None):
        self.bus, self.path, self.result = bus, path, result or {}

    def prop(self, name):
        return self.bus.get(self.path, TUNNEL, name)

    def call(self, method, signature='', *args, **kwargs):
        return self.bus.call(self.path, TUNNEL, method, signature, *args, **kwargs)

    @property
    def interface(self):
        return self.prop('Interface')

    @property
    def state(self):
        return self.prop('State')

    def activate(self, **options):
        return self.call('Activate', 'a{sv}', vardict(options))

    def deactivate(self, **options):
        return self.call('Deactivate', 'a{sv}', vardict(options))

    def delete(self, **options):
        return self.call('Delete', 'a{sv}', vardict(options))

    def settings(self):
        return self.call('GetSettings', 'a{sv}', {})

    def details(self):
        return self.call('GetDetails', 'a{sv}', {})

    def statistics(self):
        return self.call('GetStatistics', 'a{sv}', {})

    def connections(self, after=0, most=1000, **match):
        return self.call('ListConnections', 'a{sv}tua{sv}', vardict(match), after, most, {})[0]
