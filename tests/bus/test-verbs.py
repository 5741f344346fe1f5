#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Methods beside those that make and end tunnels: what they do, and to whom they do it not."""
import ctypes
import os
import pathlib
import signal
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import t2pbustest as lab  # noqa: E402
from t2pbustest import ERROR, Client, vardict, wait_for  # noqa: E402
from t2pbusrunner import States, equal, fails, main, test  # noqa: E402
from gi.repository import Gio, GLib  # noqa: E402

ROLLBACK_S = 5  # the least


@test
def a_tunnel_that_nobody_confirms_is_taken_down(service, client, proxy):
    before = lab.dump()
    other = Client(service.address)
    path, _ = other.create('work', proxy.uri(), {'wait': True, 'rollback_timeout': ROLLBACK_S})
    left = client.get(path, 'RollbackDeadline') / 1e6 - time.time()
    assert ROLLBACK_S - 2 < left <= ROLLBACK_S, left
    states = States(service)
    other.close()
    states.wait('inactive')
    equal(states.seen, [('deactivating', 'rollback'), ('inactive', 'rollback')])
    equal(client.get(path, 'RollbackDeadline'), 0)
    equal(client.get(path, 'StateReason'), 'rollback')
    equal(lab.dump(), before)
    fails('TimedOut', client.tunnel, path, 'Confirm')
    states.close()


@test
def a_confirmed_tunnel_stays(service, client, proxy):
    path, _ = client.create('work', proxy.uri(), {'wait': True, 'rollback_timeout': ROLLBACK_S})
    client.tunnel(path, 'Confirm')
    equal(client.get(path, 'RollbackDeadline'), 0)
    # also one whose timer came with Activate, while it was up
    client.tunnel(path, 'Activate', '(a{sv})', vardict(rollback_timeout=ROLLBACK_S))
    assert client.get(path, 'RollbackDeadline') > 0
    client.tunnel(path, 'Confirm')
    client.tunnel(path, 'Confirm')
    end = time.monotonic() + ROLLBACK_S + 1
    wait_for(lambda: time.monotonic() > end)
    equal(client.get(path, 'State'), 'active')
    client.tunnel(path, 'Deactivate')
    fails('Failed', client.tunnel, path, 'Confirm')
    fails('InvalidArgument', client.tunnel, path, 'Activate', '(a{sv})',
          vardict(rollback_timeout=1))
    equal(client.get(path, 'State'), 'inactive')


@test
def only_its_owner_confirms_a_tunnel(service, client, proxy):
    path, _ = client.create('work', proxy.uri(), {'wait': True, 'rollback_timeout': 60})
    status, text = lab.as_user('nobody', service.address, 'org.tun2proxy.Tunnel.Confirm',
                               '@a{sv} {}', path=path)
    assert status != 0 and f'{ERROR}NotAuthorized' in text, text
    assert client.get(path, 'RollbackDeadline') > 0


def bypass(client, *sockets, handle=0):
    """BypassSocket with these descriptors."""
    descriptors = Gio.UnixFDList.new()
    for one in sockets:
        descriptors.append(one.fileno())
    box = []
    client.bus.call_with_unix_fd_list(
        lab.NAME, lab.MANAGER, lab.NAME, 'BypassSocket', GLib.Variant('(ha{sv})', (handle, {})),
        None, Gio.DBusCallFlags.NONE, 20000, descriptors if sockets else None, None,
        lambda bus, result: box.append(result))
    wait_for(lambda: box)
    try:
        client.bus.call_with_unix_fd_list_finish(box[0])
    except GLib.Error as error:
        remote = Gio.DBusError.get_remote_error(error)
        raise lab.BusError(remote, error.message) from None


def mark_of(peer):
    return peer.getsockopt(socket.SOL_SOCKET, socket.SO_MARK)


@test
def a_socket_gets_the_mark_of_the_tunnels(service, client, proxy):
    path, _ = client.create('work', proxy.uri(), {'wait': True}, capture='routes',
                            routes=['192.0.2.77/32'])
    rules = lab.subprocess.run(['ip', 'rule'], capture_output=True, text=True).stdout
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as peer:
            bypass(client, peer)
            assert f'fwmark {mark_of(peer):#x} ' in rules, rules
    client.tunnel(path, 'Delete')
    # before any tunnel, too; and the next one goes by the same mark
    with socket.socket() as first, socket.socket() as second:
        bypass(client, first)
        bypass(client, second)
        assert mark_of(first) == mark_of(second) != 0


@test
def what_is_no_new_socket_of_ones_own_is_refused(service, client, proxy):
    files_before = len(list(pathlib.Path(f'/proc/{service.daemon.pid}/fd').iterdir()))
    with open('/dev/null') as null:
        fails('InvalidFd', bypass, client, null)
    with socket.socket() as one, socket.socket() as other:
        fails('InvalidFd', bypass, client, one, other)
        fails('InvalidFd', bypass, client, one, handle=7)
        equal(mark_of(one), 0)
        one.connect(('127.0.0.1', proxy.port))
        fails('InvalidFd', bypass, client, one)
    with socket.socket(socket.AF_UNIX) as local:
        fails('InvalidFd', bypass, client, local)
    fails('InvalidFd', bypass, client)
    with in_another_namespace() as elsewhere:
        fails('InvalidFd', bypass, client, elsewhere)
    equal(len(list(pathlib.Path(f'/proc/{service.daemon.pid}/fd').iterdir())), files_before)


def in_another_namespace():
    """A socket that a child has made in a network of its own."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ctypes.CDLL(None).unshare(lab.CLONE_NEWNET)
            with socket.socket() as made:
                socket.send_fds(theirs, [b'x'], [made.fileno()])
        finally:
            os._exit(0)
    theirs.close()
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    os.waitpid(pid, 0)
    ours.close()
    return socket.socket(fileno=fds[0])


BYPASS = f"""
import socket, sys
from gi.repository import Gio, GLib
flags = (Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
         | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
bus = Gio.DBusConnection.new_for_address_sync(sys.argv[1], flags, None, None)
one, fds = socket.socket(), Gio.UnixFDList.new()
fds.append(one.fileno())
bus.call_with_unix_fd_list_sync('{lab.NAME}', '{lab.MANAGER}', '{lab.NAME}', 'BypassSocket',
                                GLib.Variant('(ha{{sv}})', (0, {{}})), None,
                                Gio.DBusCallFlags.NONE, 20000, fds, None)
print('mark', one.getsockopt(socket.SOL_SOCKET, socket.SO_MARK))
"""


def bypass_as_nobody(service):
    """What somebody is told who marks a socket of his own."""
    done = lab.subprocess.Popen(
        ['setpriv', '--reuid=nobody', '--clear-groups', sys.executable, '-c', BYPASS,
         service.address], stdout=lab.subprocess.PIPE, stderr=lab.subprocess.STDOUT, text=True)
    wait_for(lambda: done.poll() is not None)
    return done.stdout.read()


@test
def bypass_needs_its_action(service, client, proxy):
    polkit = lab.Polkit(service.address)
    said = bypass_as_nobody(service)
    assert 'NotAuthorized' in said, said
    equal([action for action, _, _ in polkit.asked], ['org.tun2proxy.bypass'])
    polkit.answers['org.tun2proxy.bypass'] = 'yes'
    said = bypass_as_nobody(service)
    assert said.startswith('mark ') and said.strip() != 'mark 0', said


@test
def repair_is_for_administrators_and_spares_the_living(service, client, proxy):
    path, _ = client.create('work', proxy.uri(), {'wait': True}, capture='routes',
                            routes=['192.0.2.77/32'])
    before = lab.dump()
    status, text = lab.as_user('nobody', service.address, f'{lab.NAME}.Repair', '@a{sv} {}')
    assert status != 0 and f'{ERROR}NotAuthorized' in text, text
    for options in ({}, vardict(dry_run=True)):
        equal(client.manager('Repair', '(a{sv})', options), ([],))
    fails('InvalidArgument', client.manager, 'Repair', '(a{sv})', vardict(dry=True))
    equal(lab.dump(), before)
    equal(client.get(path, 'State'), 'active')


def explain(client, destination, **options):
    return client.manager('Explain', '(sa{sv})', destination, vardict(**options))[0]


@test
def explain_follows_the_tunnel(service, client, proxy):
    equal(explain(client, '192.0.2.77')['path'], 'direct')
    path, result = client.create('work', proxy.uri(), {'wait': True}, capture='routes',
                                 routes=['192.0.2.77/32'], dns='off',
                                 rules=['port:25 -> reject'])
    told = explain(client, '192.0.2.77:80')
    equal((told['path'], told['tunnel'], told['interface']), ('tunnel', path, result['interface']))
    told = explain(client, '192.0.2.77:25')
    equal((told['path'], told['rule']), ('blocked', 'port:25 -> reject'))
    equal(explain(client, '192.0.2.78')['path'], 'direct')
    equal(explain(client, 'localhost')['path'], 'direct')
    # a worker that does not answer: it is still known what enters the tunnel
    os.kill(service.workers()[0], signal.SIGSTOP)
    equal(explain(client, '192.0.2.77:80')['path'], 'tunnel')
    os.kill(service.workers()[0], signal.SIGCONT)
    client.tunnel(path, 'Delete')
    equal(explain(client, '192.0.2.77:80')['path'], 'direct')


@test
def explain_tells_users_about_themselves_only(service, client, proxy):
    polkit = lab.Polkit(service.address)
    status, text = lab.as_user('nobody', service.address, f'{lab.NAME}.Explain', "'192.0.2.77'",
                               '@a{sv} {}')
    assert status == 0 and "'path': <'direct'>" in text, text
    equal(polkit.asked, [])
    for options in ("{'uid': <uint32 0>}", "{'pid': <uint32 1>}", "{'pid': <uint32 4000000>}"):
        status, text = lab.as_user('nobody', service.address, f'{lab.NAME}.Explain',
                                   "'192.0.2.77'", options)
        assert status != 0 and f'{ERROR}NotAuthorized' in text, text
    equal({action for action, _, _ in polkit.asked}, {'org.tun2proxy.inspect'})
    polkit.answers['org.tun2proxy.inspect'] = 'yes'
    status, text = lab.as_user('nobody', service.address, f'{lab.NAME}.Explain', "'192.0.2.77'",
                               "{'uid': <uint32 0>}")
    assert status == 0, text


if __name__ == '__main__':
    sys.exit(main())
