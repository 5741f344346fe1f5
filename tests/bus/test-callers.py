#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""test-callers.py DAEMON WORKER: who may do what, and what becomes of those who leave or flood."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import t2pbustest as lab  # noqa: E402
from t2pbusrunner import States, begin, equal, fails, main, test  # noqa: E402
from t2pbustest import ERROR, Client, vardict, wait_for  # noqa: E402
from gi.repository import Gio, GLib  # noqa: E402


@test
def a_tunnel_may_live_as_long_as_its_caller(service, client, proxy):
    before = lab.dump()
    other = Client(service.address)
    path, _ = other.create('work', proxy.uri(), {'wait': True, 'lifetime': 'caller'})
    equal(client.get(path, 'Lifetime'), 'caller')
    states = States(service)
    other.close()
    states.wait('inactive')
    assert ('deactivating', 'caller-vanished') in states.seen, states.seen
    wait_for(lambda: path not in client.objects())
    equal(lab.dump(), before)
    states.close()


def call_at_once(service, *calls):
    """The errors (None: none) of calls that the service sees in one turn of its loop: it asks
    the bus who this new connection is, and then has them all."""
    client, ends = Client(service.address), []
    for path, method, options in calls:
        client.bus.call(lab.NAME, path, 'org.tun2proxy.Tunnel', method,
                        GLib.Variant('(a{sv})', (options,)), None, Gio.DBusCallFlags.NONE, 20000,
                        None, lambda bus, result, method=method: ends.append((method, result)))
    wait_for(lambda: len(ends) == len(calls), 30)
    errors = {}
    for method, result in ends:
        try:
            client.bus.call_finish(result)
            errors[method] = None
        except GLib.Error as error:
            errors[method] = Gio.DBusError.get_remote_error(error)
    client.close()
    return errors


@test
def a_deleted_tunnel_cannot_be_activated_any_more(service, client, proxy):
    before = lab.dump()
    for options in ({}, vardict(wait=True)):
        path, _ = client.create('work', proxy.uri(), {'activate': False}, capture='routes',
                                routes=['203.0.113.0/24'])
        errors = call_at_once(service, (path, 'Delete', {}), (path, 'Activate', options))
        # the latter when its object had gone already
        assert errors['Activate'] in (ERROR + 'NotFound',
                                      'org.freedesktop.DBus.Error.UnknownMethod'), errors
        equal(errors['Delete'], None)
        equal(sorted(client.objects()), [lab.MANAGER])
        equal(service.workers(), [])
        equal(lab.dump(), before)
    # Who waited for one that failed, while another activates it again.
    nobody = f'socks5://127.0.0.1:{lab.closed_port()}'
    client.bus.signal_subscribe(
        lab.NAME, 'org.tun2proxy.Tunnel', 'StateChanged', None, None, Gio.DBusSignalFlags.NONE,
        lambda bus, _sender, path, _interface, _signal, parameters:
            parameters[1] == 'failed' and bus.call(
                lab.NAME, path, 'org.tun2proxy.Tunnel', 'Activate',
                GLib.Variant('(a{sv})', ({},)), None, Gio.DBusCallFlags.NONE, 9000, None, None))
    fails('ProxyUnreachable', client.create, 'work', nobody, {'wait': True})
    wait_for(lambda: sorted(client.objects()) == [lab.MANAGER])
    equal(service.workers(), [])
    equal(lab.dump(), before)


@test
def many_callers_are_seen_leaving(service, client, proxy):
    others = [Client(service.address) for _ in range(40)]
    for other in others:
        other.manager('ListTunnels', '(a{sv})', {})
    last = Client(service.address)
    path, _ = last.create('work', proxy.uri(), {'wait': True, 'lifetime': 'caller'})
    last.close()
    wait_for(lambda: path not in client.objects())
    equal(service.workers(), [])
    for other in others:
        other.close()


@test
def a_caller_that_leaves_at_once_leaves_nothing(service, client, proxy):
    for number in range(20):
        other = Client(service.address)
        begin(other, lab.MANAGER, lab.NAME, 'CreateTunnel', GLib.Variant('(sa{sv}a{sv})', (
            f'w{number}', vardict(proxies=[proxy.uri()]),
            vardict(activate=False, lifetime='caller'))))
        other.bus.flush_sync(None)
        other.close()
    wait_for(lambda: sorted(client.objects()) == [lab.MANAGER])
    time.sleep(0.3)
    equal(sorted(client.objects()), [lab.MANAGER])


@test
def limits_are_kept(service, client, proxy):
    paths = [client.create(f't{i}', proxy.uri(), {'activate': False})[0] for i in range(16)]
    fails('LimitExceeded', client.create, 'more', proxy.uri(), {'activate': False})
    for path in paths:
        client.tunnel(path, 'Delete')


@test
def without_polkit_only_root_may(service, client, proxy):
    settings = f"{{'proxies': <['{proxy.uri()}']>}}"
    status, text = lab.as_user('nobody', service.address, f'{lab.NAME}.CreateTunnel', "'a'",
                               settings, '@a{sv} {}')
    assert status != 0 and f'{ERROR}NotAuthorized' in text, text
    # What is wrong is told first, and nobody is asked for a password for it.
    status, text = lab.as_user('nobody', service.address, f'{lab.NAME}.CreateTunnel', "'a'",
                               '@a{sv} {}', '@a{sv} {}')
    assert f'{ERROR}InvalidSettings' in text, text
    status, text = lab.as_user('nobody', service.address, f'{lab.NAME}.ListTunnels', '@a{sv} {}')
    assert status == 0, text


@test
def polkit_decides_for_the_others(service, client, proxy):
    polkit = lab.Polkit(service.address)
    uri = proxy.uri()

    def create(rest='', options='@a{sv} {}'):
        return lab.as_user('nobody', service.address, f'{lab.NAME}.CreateTunnel', "'mine'",
                           f"{{'proxies': <['{uri}']>{rest}}}", options)[1]

    before = lab.dump()
    assert 'NotAuthorized' in create()
    equal([asked[0] for asked in polkit.asked], ['org.tun2proxy.create-tunnel'])
    equal(polkit.asked[0][1]['tunnel'], 'mine')
    polkit.asked.clear()
    polkit.answers['org.tun2proxy.create-tunnel'] = 'password'
    assert 'InteractiveAuthorizationRequired' in create()
    polkit.answers['org.tun2proxy.create-tunnel'] = 'dismissed'
    assert 'AuthorizationDismissed' in create(options="{'interactive': <true>}")
    polkit.asked.clear()
    assert 'NotAuthorized' in create(", 'scope': <'system'>, 'capture': <'default'>")
    equal([asked[0] for asked in polkit.asked], ['org.tun2proxy.capture-default'])
    equal((polkit.asked[0][1]['capture'], polkit.asked[0][1]['scope']), ('default', 'system'))
    # A flat no comes before anybody is disturbed.
    polkit.asked.clear()
    polkit.answers.update({'org.tun2proxy.advanced': 'password',
                           'org.tun2proxy.create-tunnel': 'no'})
    assert 'NotAuthorized' in create(", 'interface': <'foo0'>", "{'interactive': <true>}")
    equal(sum(flags & 1 for _, _, flags in polkit.asked), 0)
    # One dialog, for the strongest, which covers what it implies.
    polkit.asked.clear()
    polkit.answers['org.tun2proxy.create-tunnel'] = 'password'
    text = create(", 'interface': <'foo0'>", "{'interactive': <true>, 'activate': <false>}")
    assert 'objectpath' in text, text
    equal([action for action, _, flags in polkit.asked if flags & 1], ['org.tun2proxy.advanced'])
    client.tunnel(text.split("'")[1], 'Delete')
    equal(lab.dump(), before)
    polkit.answers['org.tun2proxy.create-tunnel'] = 'yes'
    text = create(options="{'activate': <false>}")
    assert 'objectpath' in text, text
    path = text.split("'")[1]
    equal(client.get(path, 'Owner'), 65534)
    equal(client.get(path, 'Scope'), 'user')
    # Root sees it, another cannot touch root's.
    rooted, _ = client.create('rooted', uri, {'activate': False})
    polkit.asked.clear()
    _, text = lab.as_user('nobody', service.address, 'org.tun2proxy.Tunnel.Delete', '@a{sv} {}',
                          path=rooted)
    assert 'NotAuthorized' in text, text
    equal([asked[0] for asked in polkit.asked], ['org.tun2proxy.manage-others'])
    _, text = lab.as_user('nobody', service.address, 'org.tun2proxy.Tunnel.GetSettings',
                          '@a{sv} {}', path=rooted)
    assert 'NotAuthorized' in text, text
    _, text = lab.as_user('nobody', service.address, 'org.tun2proxy.Tunnel.Delete', '@a{sv} {}',
                          path=path)
    equal(text, '()\n')
    client.tunnel(rooted, 'Delete')
    polkit.bus.close_sync(None)


@test
def pending_dialogs_are_few_and_end_with_their_caller(service, client, proxy):
    polkit = lab.Polkit(service.address)
    polkit.answers['org.tun2proxy.create-tunnel'] = 'hang'
    settings = f"{{'proxies': <['{proxy.uri()}']>}}"
    waiting = [lab.subprocess.Popen(
        ['setpriv', '--reuid=nobody', '--clear-groups', 'gdbus', 'call', '--address',
         service.address, '--dest', lab.NAME, '--object-path', lab.MANAGER, '--method',
         f'{lab.NAME}.CreateTunnel', f"'t{i}'", settings, '@a{sv} {}'],
        stdout=lab.subprocess.DEVNULL, stderr=lab.subprocess.DEVNULL) for i in range(16)]
    wait_for(lambda: len(polkit.asked) == 16)
    _, text = lab.as_user('nobody', service.address, f'{lab.NAME}.CreateTunnel', "'x'", settings,
                          '@a{sv} {}')
    assert f'{ERROR}Busy' in text, text
    for process in waiting:
        process.kill()
        process.wait()
    wait_for(lambda: len(polkit.cancelled) == 16)
    equal(client.manager('ListTunnels', '(a{sv})', {}), ([],))
    polkit.bus.close_sync(None)


@test
def fifty_clients_flood_the_bus(service, client, proxy):
    clients = [Client(service.address) for _ in range(50)]
    answered, errors = [], []

    def on_answer(bus, result):
        try:
            bus.call_finish(result)
        except GLib.Error as error:
            errors.append(Gio.DBusError.get_remote_error(error))
        answered.append(1)

    total = 0
    for turn in range(20):
        for index, flooder in enumerate(clients):
            method, parameters = (
                ('ListTunnels', GLib.Variant('(a{sv})', ({},))) if turn % 2 else
                ('CreateTunnel', GLib.Variant('(sa{sv}a{sv})', (
                    f'f{index}', vardict(proxies=[proxy.uri()]), vardict(activate=False)))))
            flooder.bus.call(lab.NAME, lab.MANAGER, lab.NAME, method, parameters, None,
                             Gio.DBusCallFlags.NONE, 60000, None, on_answer)
            total += 1
    wait_for(lambda: len(answered) == total, 60)
    assert set(errors) <= {ERROR + 'LimitExceeded', ERROR + 'AlreadyExists'}, set(errors)
    paths, = client.manager('ListTunnels', '(a{sv})', {})
    equal(len(paths), 16)
    for path in paths:
        client.tunnel(path, 'Delete')
    for flooder in clients:
        flooder.close()
    descriptors = len(os.listdir(f'/proc/{service.daemon.pid}/fd'))
    assert descriptors < 40, descriptors


if __name__ == '__main__':
    sys.exit(main())
