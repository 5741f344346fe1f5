# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private bus with the real daemon, a SOCKS5 proxy and a polkit that answers as told."""
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import tempfile
import threading
import time

import gi
gi.require_version('Gio', '2.0')
from gi.repository import Gio, GLib  # noqa: E402

NAME = 'org.tun2proxy.Manager'
MANAGER = '/org/tun2proxy/Manager'
ERROR = 'org.tun2proxy.Error.'
CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x00020000
BUS_CONFIG = '''<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
  </policy>
  <limit name="max_match_rules_per_connection">32</limit>
</busconfig>
'''
POLKIT_XML = '''<node><interface name="org.freedesktop.PolicyKit1.Authority">
<method name="CheckAuthorization">
 <arg type="(sa{sv})" direction="in"/><arg type="s" direction="in"/>
 <arg type="a{ss}" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
 <arg type="(bba{ss})" direction="out"/></method>
<method name="CancelCheckAuthorization"><arg type="s" direction="in"/></method>
</interface></node>'''


class SocksHandler(socketserver.BaseRequestHandler):
    """RFC 1928 CONNECT to anywhere: the answer is made here, nothing is connected."""

    def read(self, count):
        data = b''
        while len(data) < count:
            part = self.request.recv(count - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data

    def authenticate(self):
        server = self.server
        _, count = self.read(2)
        methods = self.read(count)
        if server.garbage:
            self.request.sendall(b'HTTP/1.0 400 what\r\n\r\n')
            raise ConnectionError
        if server.password is None:
            self.request.sendall(b'\5\0')
            return
        if 2 not in methods:
            self.request.sendall(b'\5\xff')
            raise ConnectionError
        self.request.sendall(b'\5\2')
        _, count = self.read(2)
        self.read(count)
        given = self.read(self.read(1)[0])
        ok = given == server.password.encode()
        self.request.sendall(b'\1\0' if ok else b'\1\1')
        if not ok:
            raise ConnectionError

    def handle(self):
        try:
            self.authenticate()
            _, _, _, kind = self.read(4)
            size = {1: 4, 4: 16}.get(kind) or self.read(1)[0]
            target = self.read(size)
            port = struct.unpack('>H', self.read(2))[0]
            self.server.asked.append((target, port))
            self.request.sendall(b'\5\0\0\1\0\0\0\0\0\0')
            data = self.request.recv(4096)
            if data:
                self.request.sendall(b'HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes')
        except OSError:
            pass


SERVICE_UID = 0x10000 + os.getpid()  # nobody's, nor that of a test that runs beside this one
FRONT = '''
import asyncio, sys
async def pump(source, sink):
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.write_eof()
    except OSError:
        sink.close()
async def serve(source, sink):
    try:
        behind = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    except OSError:
        sink.close()
        return
    await asyncio.gather(pump(source, behind[1]), pump(behind[0], sink))
    behind[1].close()
    sink.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
'''


class Proxy(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, password=None, garbage=False, port=0):
        self.password, self.garbage, self.asked = password, garbage, []
        super().__init__(('127.0.0.1', port), SocksHandler)
        self.port, self.front = self.server_address[1], None
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def uri(self, userinfo=''):
        return f'socks5://{userinfo}127.0.0.1:{self.port}'

    def own_uri(self):
        """Of a process before it that has a user of its own, as a service has: a tunnel that
        captures everything can tell its connections from those of others."""
        if self.front is None:
            self.front = subprocess.Popen(['/usr/bin/python3', '-c', FRONT, str(self.port)],
                                          user=SERVICE_UID, stdout=subprocess.PIPE, text=True)
            self.front_port = int(self.front.stdout.readline())
        return f'socks5://127.0.0.1:{self.front_port}'

    def close(self):
        if self.front is not None:
            self.front.kill()
            self.front.wait()
            self.front.stdout.close()
        self.shutdown()
        self.server_close()


class Polkit:
    """answers: action → 'yes', 'no', 'password', 'dismissed', 'hang'; asked: what was asked."""

    def __init__(self, address):
        self.answers, self.asked, self.cancelled = {}, [], []
        self.granted = set()
        self.bus = connect(address)
        info = Gio.DBusNodeInfo.new_for_xml(POLKIT_XML).interfaces[0]
        self.bus.register_object('/org/freedesktop/PolicyKit1/Authority', info, self.on_call)
        call(self.bus, 'org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus',
             'RequestName', GLib.Variant('(su)', ('org.freedesktop.PolicyKit1', 4)))

    def on_call(self, _bus, _sender, _path, _interface, method, parameters, invocation):
        if method == 'CancelCheckAuthorization':
            self.cancelled.append(parameters.unpack()[0])
            invocation.return_value(None)
            return
        _subject, action, details, flags, _identifier = parameters.unpack()
        self.asked.append((action, details, flags))
        answer = self.answers.get(action, 'no')
        if answer == 'hang':
            return
        extra = {}
        granted = answer == 'yes' or action in self.granted
        if answer == 'password' and flags & 1:
            granted = True
        if answer == 'dismissed' and flags & 1:
            extra = {'polkit.dismissed': 'true'}
        challenge = not granted and answer in ('password', 'dismissed')
        invocation.return_value(GLib.Variant('((bba{ss}))', ((granted, challenge, extra),)))


RESOLVED_METHODS = {'SetLinkDNSSEC': 'is', 'SetLinkDNSOverTLS': 'is', 'SetLinkLLMNR': 'is',
                    'SetLinkMulticastDNS': 'is', 'SetLinkDNS': ('i', 'a(iay)'),
                    'SetLinkDomains': ('i', 'a(sb)'), 'SetLinkDefaultRoute': 'ib',
                    'FlushCaches': '', 'RevertLink': 'i'}


class Resolved:
    """A systemd-resolved that takes its time with the methods in `slow`, until told to go on."""

    def __init__(self, address, *slow):
        self.slow, self.waiting, self.seen = set(slow), [], []
        self.bus = connect(address)
        methods = ''.join(
            f'<method name="{name}">'
            + ''.join(f'<arg type="{kind}" direction="in"/>' for kind in kinds) + '</method>'
            for name, kinds in RESOLVED_METHODS.items())
        info = Gio.DBusNodeInfo.new_for_xml(
            f'<node><interface name="org.freedesktop.resolve1.Manager">{methods}'
            '<property name="DNS" type="a(iiay)" access="read"/></interface></node>').interfaces[0]
        self.bus.register_object('/org/freedesktop/resolve1', info, self.on_call,
                                 lambda *_: GLib.Variant('a(iiay)', []), None)
        call(self.bus, 'org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus',
             'RequestName', GLib.Variant('(su)', ('org.freedesktop.resolve1', 4)))
        pathlib.Path('/etc/resolv.conf').write_text('nameserver 127.0.0.53\n')

    def on_call(self, _bus, _sender, _path, _interface, method, _parameters, invocation):
        self.seen.append(method)
        if method in self.slow:
            self.waiting.append(invocation)
        else:
            invocation.return_value(None)

    def go_on(self):
        self.slow.clear()
        for invocation in self.waiting:
            invocation.return_value(None)
        self.waiting.clear()

    def close(self):
        self.bus.close_sync(None)
        pathlib.Path('/etc/resolv.conf').write_text('nameserver 192.0.2.53\n')


def connect(address):
    flags = (Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
             | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
    return Gio.DBusConnection.new_for_address_sync(address, flags, None, None)


class BusError(Exception):
    def __init__(self, name, message):
        super().__init__(f'{name}: {message}')
        self.name, self.message = name, message


def call(bus, name, path, interface, method, parameters=None, timeout=30000,
         flags=Gio.DBusCallFlags.NONE):
    """One call, with the main loop running, so that fakes of this process can answer."""
    box = []
    bus.call(name, path, interface, method, parameters, None, flags, timeout, None,
             lambda source, result: box.append(result))
    context = GLib.MainContext.default()
    while not box:
        context.iteration(True)
    try:
        return bus.call_finish(box[0]).unpack()
    except GLib.Error as error:
        remote = Gio.DBusError.get_remote_error(error)
        Gio.DBusError.strip_remote_error(error)
        raise BusError(remote, error.message) from None


def variant(value):
    if isinstance(value, bool):
        return GLib.Variant('b', value)
    if isinstance(value, int):
        return GLib.Variant('u', value)
    if isinstance(value, str):
        return GLib.Variant('s', value)
    if isinstance(value, list):
        return GLib.Variant('as', value)
    return value


def vardict(**values):
    return {key.replace('_', '-'): variant(value) for key, value in values.items()}


class Client:
    def __init__(self, address):
        self.bus = connect(address)

    def manager(self, method, signature, *args, **kwargs):
        return call(self.bus, NAME, MANAGER, NAME, method, GLib.Variant(signature, args), **kwargs)

    def create(self, name, proxies, options=None, **settings):
        if isinstance(proxies, str):
            proxies = [proxies]
        path, result = self.manager('CreateTunnel', '(sa{sv}a{sv})', name,
                                    vardict(proxies=proxies, **settings),
                                    vardict(**(options or {})))
        return path, result

    def tunnel(self, path, method, signature='(a{sv})', *args, **kwargs):
        args = args or ({},)
        return call(self.bus, NAME, path, 'org.tun2proxy.Tunnel', method,
                    GLib.Variant(signature, args), **kwargs)

    def get(self, path, prop, interface='org.tun2proxy.Tunnel'):
        return call(self.bus, NAME, path, 'org.freedesktop.DBus.Properties', 'Get',
                    GLib.Variant('(ss)', (interface, prop)))[0]

    def objects(self):
        return call(self.bus, NAME, '/org/tun2proxy', 'org.freedesktop.DBus.ObjectManager',
                    'GetManagedObjects')[0]

    def close(self):
        self.bus.close_sync(None)


class Service:
    """dbus-daemon, tun2proxyd and what they leave, in a folder of their own."""

    def __init__(self, daemon, worker, *args):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='t2p-bus-'))
        self.folder.chmod(0o755)
        self.runtime = self.folder / 'run'
        self.worker = worker
        self.address = f'unix:path={self.folder}/bus'
        self.command = [daemon, f'--bus={self.address}', f'--runtime-dir={self.runtime}',
                        f'--state-dir={self.folder}/state', f'--config-dir={self.folder}/config',
                        f'--worker-program={worker}', '--worker-user=nobody',
                        '--adopt-timeout=1', '--log-level=info', *args]
        (self.folder / 'bus.conf').write_text(BUS_CONFIG.format(path=self.folder / 'bus'))
        self.log = (self.folder / 'log').open('ab')
        self.bus_process = subprocess.Popen(
            ['dbus-daemon', f'--config-file={self.folder}/bus.conf', '--nofork', '--nopidfile',
             '--print-address=1'], stdout=subprocess.PIPE, stderr=self.log)
        self.bus_process.stdout.readline()
        self.daemon = None

    def start(self, *args, wait=True):
        self.daemon = subprocess.Popen([*self.command, *args], stderr=self.log, stdout=self.log)
        if wait:
            self.wait_name()
        return self

    def wait_name(self):
        bus = connect(self.address)
        wait_for(lambda: self.daemon.poll() is not None
                 or call(bus, 'org.freedesktop.DBus', '/org/freedesktop/DBus',
                         'org.freedesktop.DBus', 'NameHasOwner',
                         GLib.Variant('(s)', (NAME,)))[0])
        bus.close_sync(None)
        assert self.daemon.poll() is None, self.text()

    def text(self):
        return (self.folder / 'log').read_text(errors='replace')

    def stop(self, sig=signal.SIGTERM):
        self.daemon.send_signal(sig)
        return self.daemon.wait(20)

    def close(self):
        if self.daemon and self.daemon.poll() is None:
            self.stop()
        self.bus_process.terminate()
        self.bus_process.wait()
        self.log.close()
        shutil.rmtree(self.folder)

    def workers(self):
        pid = self.daemon.pid
        children = pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
        return [int(child) for child in children if pathlib.Path(f'/proc/{child}/cmdline')
                .read_bytes().startswith(self.worker.encode())]

    def journals(self):
        return sorted(path.name for path in (self.runtime / 'journal').glob('*.json'))


def wait_for(condition, timeout=15):
    """Runs the main loop until the condition holds."""
    context = GLib.MainContext.default()
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError('waited in vain')
        while context.iteration(False):
            pass
        time.sleep(0.01)


def dump():
    """What a tunnel could have changed in this namespace."""
    return pathlib.Path('/etc/resolv.conf').read_text() + '\n'.join(subprocess.run(['ip', *args], capture_output=True, text=True, check=True).stdout
                     for args in (['-o', 'link'], ['rule'], ['-6', 'rule'],
                                  ['route', 'show', 'table', 'all'],
                                  ['-6', 'route', 'show', 'table', 'all']))


def processes(marker):
    """Pids of processes whose command line has the marker."""
    found = []
    for path in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
        try:
            if marker in path.read_bytes().replace(b'\0', b' ').decode(errors='replace'):
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


def as_user(user, address, method, *args, path=MANAGER):
    """(exit status, output) of gdbus run by another user."""
    done = subprocess.Popen(
        ['setpriv', f'--reuid={user}', '--clear-groups', 'gdbus', 'call', '--address', address,
         '--dest', NAME, '--object-path', path, '--method', method, *args],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: done.poll() is not None, 40)
    return done.returncode, done.stdout.read()


def fetch(host, port=80):
    """What an application on this machine sees."""
    with socket.create_connection((host, port), timeout=10) as peer:
        peer.sendall(b'GET / HTTP/1.0\r\n\r\n')
        data = b''
        while part := peer.recv(4096):
            data += part
        return data.decode().rpartition('\r\n\r\n')[2]


def closed_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def enter_namespace():
    """A network of this process and its children with loopback and an uplink, and an /etc of
    their own, since a tunnel may replace resolv.conf."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET | CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), 'unshare')
    scratch = tempfile.mkdtemp(prefix='t2p-etc-')
    for command in ('mount --make-rprivate /', f'mount -t tmpfs tmpfs {scratch}',
                    f'mkdir {scratch}/upper {scratch}/work',
                    'mount -t overlay -o '
                    f'lowerdir=/etc,upperdir={scratch}/upper,workdir={scratch}/work overlay /etc',
                    f'umount -l {scratch}', f'rmdir {scratch}',
                    'ip link set lo up', 'ip link add up0 type veth peer name up1',
                    # else duplicate address detection changes the dumps after two seconds
                    'ip link set up0 addrgenmode none', 'ip link set up1 addrgenmode none',
                    'ip link set up1 up', 'ip addr add 192.0.2.2/24 dev up0',
                    'ip link set up0 up', 'ip route add default via 192.0.2.1'):
        subprocess.run(command.split(), check=True)
    pathlib.Path('/etc/resolv.conf').unlink(missing_ok=True)
    pathlib.Path('/etc/resolv.conf').write_text('nameserver 192.0.2.53\n')
