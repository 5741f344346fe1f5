#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""test-service.py DAEMON WORKER: what the service answers on its bus, and what it leaves."""
import errno
import os
import signal
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import t2pbustest as lab  # noqa: E402
from t2pbustest import ERROR, BusError, Client, Proxy, Service, vardict, wait_for  # noqa: E402
from gi.repository import Gio, GLib  # noqa: E402

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def fails(name, function, *args, **kwargs):
    """The message of the error that the call gives; fails when it gives another or none."""
    try:
        result = function(*args, **kwargs)
    except BusError as error:
        assert error.name == ERROR + name or error.name == name, error
        return error.message
    raise AssertionError(f'{name} expected, {result} seen')


def equal(seen, expected):
    assert seen == expected, f'{seen!r} seen, {expected!r} expected'


class States:
    """The StateChanged signals and property changes of all tunnels, as they come."""

    def __init__(self, service):
        self.client = Client(service.address)
        self.seen, self.properties = [], []
        self.client.bus.signal_subscribe(
            lab.NAME, 'org.tun2proxy.Tunnel', 'StateChanged', None, None,
            Gio.DBusSignalFlags.NONE, self.on_state)
        self.client.bus.signal_subscribe(
            lab.NAME, 'org.freedesktop.DBus.Properties', 'PropertiesChanged', None, None,
            Gio.DBusSignalFlags.NONE, self.on_properties)
        self.client.objects()

    def on_state(self, _bus, _sender, _path, _interface, _signal, parameters):
        self.seen.append(parameters.unpack()[1:])

    def on_properties(self, _bus, _sender, _path, _interface, _signal, parameters):
        state = parameters.unpack()[1].get('State')
        if state:
            self.properties.append(state)

    def wait(self, state):
        wait_for(lambda: any(new == state for new, _ in self.seen))

    def close(self):
        self.client.close()


@test
def bad_settings_are_named_and_touch_nothing(service, client, proxy):
    before = lab.dump()
    uri = proxy.uri()
    assert 'proxies' in fails('InvalidSettings', client.manager, 'CreateTunnel', '(sa{sv}a{sv})',
                              'a', {}, {})
    assert 'colour' in fails('InvalidSettings', client.create, 'a', uri, colour='red')
    assert 'capture' in fails('InvalidSettings', client.create, 'a', uri, capture='all')
    assert 'mtu' in fails('InvalidSettings', client.create, 'a', uri, mtu='big')
    assert 'routes' in fails('InvalidSettings', client.create, 'a', uri, capture='routes',
                             routes=['10.0.0.1/8'])
    message = fails('InvalidSettings', client.create, 'a', 'socks5://joe:hunter2@@:x')
    assert 'hunter2' not in message, message
    assert 'kill-switch' in fails('NotSupported', client.create, 'a', uri, kill_switch='always')
    for name in ('', '-a', 'a b', 'a/b', 'x' * 65, 'ä'):
        fails('InvalidArgument', client.create, name, uri)
    equal(client.manager('ListTunnels', '(a{sv})', {}), ([],))
    equal(lab.dump(), before)


@test
def unknown_options_are_refused_by_name(service, client, proxy):
    uri = proxy.uri()
    assert 'wayt' in fails('InvalidArgument', client.create, 'a', uri, {'wayt': True})
    assert 'wait' in fails('InvalidArgument', client.create, 'a', uri, {'wait': 'yes'})
    assert 'lifetime' in fails('InvalidArgument', client.create, 'a', uri, {'lifetime': 'short'})
    fails('InvalidArgument', client.create, 'a', uri, {'persist': True, 'lifetime': 'caller'})
    assert 'persist' in fails('NotSupported', client.create, 'a', uri, {'persist': True})
    assert 'rollback-timeout' in fails('NotSupported', client.create, 'a', uri,
                                       {'rollback_timeout': 5})
    fails('InvalidArgument', client.manager, 'ListTunnels', '(a{sv})', vardict(x=True))
    fails('InvalidArgument', client.manager, 'GetTunnel', '(sa{sv})', 'a', vardict(x=True))
    fails('NotFound', client.manager, 'GetTunnel', '(sa{sv})', 'a', {})


@test
def large_messages_are_refused(service, client, proxy):
    routes = [f'10.{i // 256}.{i % 256}.0/24' for i in range(20000)]
    fails('LimitExceeded', client.create, 'a', proxy.uri(), capture='routes', routes=routes)


@test
def an_inactive_tunnel_is_an_object(service, client, proxy):
    path, result = client.create('work', proxy.uri('joe:hunter2@'), {'activate': False},
                                 mtu=1400)
    equal(path, '/org/tun2proxy/Tunnel/1')
    equal(result, {'interface': '', 'warnings': []})
    equal(client.get(path, 'State'), 'inactive')
    equal(client.get(path, 'Owner'), os.getuid())
    equal(client.get(path, 'Mtu'), 1400)
    equal(client.get(path, 'Scope'), 'system')
    equal(client.manager('GetTunnel', '(sa{sv})', 'work', {}), (path,))
    equal(client.manager('ListTunnels', '(a{sv})', {}), ([path],))
    objects = client.objects()
    equal(sorted(objects), ['/org/tun2proxy/Manager', path])
    assert 'hunter2' not in repr(objects)
    settings, version = client.tunnel(path, 'GetSettings')
    equal(settings['proxies'], [proxy.uri()])
    equal(settings['proxies-with-credentials'], [0])
    equal(settings['mtu'], 1400)
    equal(version, 1)
    details, = client.tunnel(path, 'GetDetails')
    assert 'hunter2' not in repr(details)
    equal(details['proxies'][0]['uri'], proxy.uri())
    statistics, = client.tunnel(path, 'GetStatistics')
    equal(statistics['rx-bytes'], 0)
    equal(client.tunnel(path, 'ListConnections', '(a{sv}tua{sv})', {}, 0, 0, {}), ([], 0))
    assert 'hots' in fails('InvalidArgument', client.tunnel, path, 'ListConnections',
                           '(a{sv}tua{sv})', vardict(hots='a'), 0, 0, {})
    equal(client.tunnel(path, 'CloseConnections', '(a{sv}a{sv})', {}, {}), (0,))
    fails('AlreadyExists', client.create, 'work', proxy.uri())
    client.tunnel(path, 'Delete')
    equal(sorted(client.objects()), ['/org/tun2proxy/Manager'])
    path, _ = client.create('work', proxy.uri(), {'activate': False})
    equal(path, '/org/tun2proxy/Tunnel/2')
    client.tunnel(path, 'Delete')
    assert 'hunter2' not in service.text()


@test
def a_tunnel_goes_through_its_states(service, client, proxy):
    before = lab.dump()
    states = States(service)
    path, result = client.create('work', proxy.uri(), {'wait': True})
    equal(client.get(path, 'State'), 'active')
    equal(result['interface'], client.get(path, 'Interface'))
    assert result['interface'].startswith('t2p'), result
    assert client.get(path, 'IfIndex') > 0
    equal(client.get(path, 'NetworkBackend'), 'netlink')
    assert abs(client.get(path, 'ActiveSince') / 1e6 - time.time()) < 10
    equal(service.journals(), ['1.json'])
    client.tunnel(path, 'Activate')
    client.tunnel(path, 'Deactivate')
    equal(client.get(path, 'State'), 'inactive')
    equal(client.get(path, 'Interface'), '')
    equal(states.seen, [('preparing', 'user-requested'), ('connecting', 'none'),
                        ('configuring', 'none'), ('active', 'none'),
                        ('deactivating', 'user-requested'), ('inactive', 'user-requested')])
    equal(states.properties, [state for state, _ in states.seen])
    equal(lab.dump(), before)
    equal(service.journals(), [])
    states.seen.clear()
    client.tunnel(path, 'Activate', '(a{sv})', vardict(wait=True))
    equal(client.get(path, 'State'), 'active')
    client.tunnel(path, 'Delete')
    equal(lab.dump(), before)
    states.close()


@test
def default_capture_of_the_system(service, client, proxy):
    before = lab.dump()
    path, _ = client.create('all', proxy.uri(), {'wait': True}, capture='default', dns='off')
    equal(client.get(lab.MANAGER, 'DefaultRouteTunnel', lab.NAME), path)
    assert lab.dump() != before
    assert "'all'" in fails('RouteConflict', client.create, 'other', proxy.uri(),
                            capture='default', dns='off')
    client.tunnel(path, 'Delete')
    equal(client.get(lab.MANAGER, 'DefaultRouteTunnel', lab.NAME), '/')
    equal(lab.dump(), before)


@test
def packets_go_through_the_proxy(service, client, proxy):
    before = lab.dump()
    path, _ = client.create('some', proxy.uri(), {'wait': True}, capture='routes',
                            routes=['203.0.113.0/24'])
    equal(lab.fetch('203.0.113.7', 8080), 'yes')
    # The tunnel may ask the proxy how it is at any time, so this need not be the last request.
    assert (bytes([203, 0, 113, 7]), 8080) in proxy.asked, proxy.asked
    assert client.tunnel(path, 'GetStatistics')[0]['connections-opened'] >= 1
    client.tunnel(path, 'Delete')
    equal(lab.dump(), before)


@test
def names_go_through_the_proxy(service, client, proxy):
    before = lab.dump()
    path, _ = client.create('all', proxy.uri(), {'wait': True}, capture='default')
    equal(client.get(path, 'ResolverBackend'), 'file')
    equal(lab.fetch('www.example.net'), 'yes')
    assert (b'www.example.net', 80) in proxy.asked, proxy.asked
    service.stop(signal.SIGKILL)
    wait_for(lambda: not lab.processes(str(service.runtime)), 20)
    equal(lab.dump(), before)


@test
def a_local_proxy_needs_no_default_route(service, client, proxy):
    before = lab.dump()
    direct, _ = client.create('local', proxy.uri(), {'wait': True})
    lab.subprocess.run('ip route del default'.split(), check=True)
    lab.wait_for(lambda: 'uplink changed' in service.text())
    equal(client.get(direct, 'State'), 'active')
    lab.subprocess.run('ip route add default via 192.0.2.1'.split(), check=True)
    client.tunnel(direct, 'Delete')
    equal(lab.dump(), before)


@test
def a_proxy_that_fails_leaves_nothing(service, client, proxy):
    locked, broken = Proxy(password='secret'), Proxy(garbage=True)
    before = lab.dump()
    cases = (
        (f'socks5://127.0.0.1:{lab.closed_port()}', 'ProxyUnreachable', 'proxy-unreachable'),
        (locked.uri('joe:wrong@'), 'ProxyAuthenticationFailed', 'proxy-auth'),
        (locked.uri(), 'ProxyAuthenticationFailed', 'proxy-auth'),
        (broken.uri(), 'ProxyProtocol', 'proxy-protocol'),
        ('socks5://no-such-host.invalid:1080', 'ResolveFailed', 'resolve-failed'),
    )
    for uri, error, reason in cases:
        message = fails(error, client.create, 'work', uri, {'wait': True})
        assert 'wrong' not in message, message
        equal(client.manager('ListTunnels', '(a{sv})', {}), ([],))
        equal(lab.dump(), before)
        path, _ = client.create('work', uri)
        wait_for(lambda: client.get(path, 'State') == 'failed')
        equal(client.get(path, 'StateReason'), reason)
        assert client.tunnel(path, 'GetDetails')[0]['message']
        client.tunnel(path, 'Delete')
    path, _ = client.create('work', locked.uri('joe:secret@'), {'wait': True})
    client.tunnel(path, 'Delete')
    equal(lab.dump(), before)
    assert 'secret' not in service.text()
    locked.close()
    broken.close()


@test
def test_proxy_tells_what_a_handshake_shows(service, client, proxy):
    locked = Proxy(password='secret')
    answer, = client.manager('TestProxy', '(sa{sv})', proxy.uri(), {})
    equal((answer['reachable'], answer['auth'], answer['error']), (True, 'none', ''))
    answer, = client.manager('TestProxy', '(sa{sv})', locked.uri('joe:wrong@'), {})
    equal(answer['error'], 'ProxyAuthenticationFailed')
    answer, = client.manager('TestProxy', '(sa{sv})', f'socks5://127.0.0.1:{lab.closed_port()}',
                             {})
    equal((answer['reachable'], answer['error']), (False, 'ProxyUnreachable'))
    fails('InvalidArgument', client.manager, 'TestProxy', '(sa{sv})', 'ftp://x', {})
    fails('InvalidArgument', client.manager, 'TestProxy', '(sa{sv})', proxy.uri(),
          vardict(timeout=31))
    locked.close()


@test
def a_killed_worker_is_replaced(service, client, proxy):
    path, _ = client.create('work', proxy.uri(), {'wait': True})
    ifindex = client.get(path, 'IfIndex')
    states = States(service)
    for _ in range(2):
        states.seen.clear()
        pid, = service.workers()
        os.kill(pid, signal.SIGKILL)
        states.wait('active')
        equal(states.seen, [('degraded', 'worker-crashed'), ('active', 'none')])
        equal(client.get(path, 'IfIndex'), ifindex)
    client.tunnel(path, 'Delete')
    states.close()


@test
def without_a_worker_captured_traffic_is_unreachable(service, client, proxy):
    program = service.folder / 'worker'
    lab.shutil.copy(service.worker, program)
    service.stop()
    service.worker = str(program)
    service.start(f'--worker-program={program}')
    client = Client(service.address)
    before = lab.dump()
    path, _ = client.create('some', proxy.uri(), {'wait': True}, capture='routes',
                            routes=['203.0.113.0/24', '2001:db8:113::/48'])
    program.rename(service.folder / 'away')
    pid, = service.workers()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: client.get(path, 'State') == 'degraded')
    wait_for(lambda: 'unreachable 203.0.113.0/24' in lab.dump())
    try:
        raise AssertionError(lab.fetch('203.0.113.7'))
    except OSError as error:
        assert error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH), error
    (service.folder / 'away').rename(program)
    wait_for(lambda: client.get(path, 'State') == 'active', 30)
    wait_for(lambda: 'unreachable 203' not in lab.dump())
    equal(lab.fetch('203.0.113.7'), 'yes')
    client.tunnel(path, 'Delete')
    equal(lab.dump(), before)


def create_and_hold(service, client, proxy, resolved):
    """A tunnel that is still being configured, because the resolver takes its time."""
    path, _ = client.create('all', proxy.uri(), capture='default', ipv6='on')
    wait_for(lambda: resolved.waiting)
    equal(client.get(path, 'State'), 'configuring')
    return path


def rules():
    return lab.subprocess.run(['ip', '-6', 'rule'], capture_output=True, text=True,
                              check=True).stdout


@test
def what_changes_while_it_is_configured_is_not_lost(service, client, proxy):
    before = lab.dump()
    resolved = lab.Resolved(service.address, 'SetLinkDNS')
    path = create_and_hold(service, client, proxy, resolved)
    held = rules()
    for command in ('addr add 2001:db8::2/64 dev up0 nodad', 'route add default via 2001:db8::1'):
        lab.subprocess.run(['ip', '-6', *command.split()], check=True)
    time.sleep(0.5)
    equal((client.get(path, 'State'), rules()), ('configuring', held))
    resolved.go_on()
    wait_for(lambda: client.get(path, 'State') == 'active')
    wait_for(lambda: rules() != held, 5)
    seen = rules()
    client.tunnel(path, 'Deactivate')
    client.tunnel(path, 'Activate', '(a{sv})', vardict(wait=True))
    equal(seen, rules())
    client.tunnel(path, 'Delete')
    lab.subprocess.run('ip -6 addr del 2001:db8::2/64 dev up0'.split(), check=True)
    lab.subprocess.run('ip -6 route flush dev up0 proto boot'.split(), check=True)
    resolved.close()
    equal(lab.dump(), before)


@test
def a_worker_that_ends_while_it_is_configured_is_noticed(service, client, proxy):
    program = service.folder / 'worker'
    lab.shutil.copy(service.worker, program)
    service.stop()
    service.worker = str(program)
    service.start(f'--worker-program={program}')
    client = Client(service.address)
    before = lab.dump()
    resolved = lab.Resolved(service.address, 'SetLinkDNS')
    path = create_and_hold(service, client, proxy, resolved)
    program.rename(service.folder / 'away')
    pid, = service.workers()
    os.kill(pid, signal.SIGKILL)
    time.sleep(1.5)
    equal(client.get(path, 'State'), 'configuring')
    resolved.go_on()
    wait_for(lambda: client.get(path, 'State') == 'degraded')
    equal(client.get(path, 'StateReason'), 'worker-crashed')
    wait_for(lambda: 'unreachable default' in lab.dump(), 5)
    client.tunnel(path, 'Delete')
    resolved.close()
    equal(lab.dump(), before)


@test
def a_resolver_that_hangs_holds_up_no_deactivation(service, client, proxy):
    before = lab.dump()
    resolved = lab.Resolved(service.address, 'RevertLink')
    path, _ = client.create('all', proxy.uri(), {'wait': True}, capture='default')
    equal(client.get(path, 'ResolverBackend'), 'resolved')
    client.tunnel(path, 'Deactivate', timeout=9000)
    assert resolved.waiting
    resolved.close()
    equal(lab.dump(), before)
    equal(service.journals(), [])


@test
def a_missing_worker_user_is_named(service, client, proxy):
    service.stop()
    service.start('--worker-user=no-such-user')
    client = Client(service.address)
    path, _ = client.create('work', proxy.uri())
    wait_for(lambda: client.get(path, 'State') == 'failed')
    equal(client.get(path, 'StateReason'), 'internal')
    assert 'no-such-user' in client.tunnel(path, 'GetDetails')[0]['message']
    equal(service.journals(), [])


@test
def a_removed_link_fails_the_tunnel(service, client, proxy):
    before = lab.dump()
    path, result = client.create('work', proxy.uri(), {'wait': True})
    lab.subprocess.run(['ip', 'link', 'del', result['interface']], check=True)
    wait_for(lambda: client.get(path, 'State') == 'failed')
    equal(client.get(path, 'StateReason'), 'device-failed')
    equal(lab.dump(), before)
    client.tunnel(path, 'Activate', '(a{sv})', vardict(wait=True))
    client.tunnel(path, 'Delete')
    equal(lab.dump(), before)


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


@test
def sigterm_takes_everything_down(service, client, proxy):
    before = lab.dump()
    client.create('work', proxy.uri(), {'wait': True}, capture='routes',
                  routes=['203.0.113.0/24'])
    guardians = lab.processes(f'--guardian --runtime-dir={service.runtime}')
    equal(len(guardians), 1)
    with open(f'/proc/{guardians[0]}/cmdline', encoding='utf-8') as line:
        equal(line.read().split('\0')[:2], ['tun2proxyd', '--guardian'])
    equal(service.stop(), 0)
    equal(lab.dump(), before)
    equal(service.journals(), [])
    wait_for(lambda: not lab.processes(f'--guardian --runtime-dir={service.runtime}'))
    assert not list(service.runtime.glob('worker-*')), list(service.runtime.glob('*'))


def begin(client, path, interface, method, parameters, on_end=None):
    """A call whose end somebody may care about."""
    def ended(bus, result):
        try:
            bus.call_finish(result)
            error = None
        except GLib.Error as failure:
            error = Gio.DBusError.get_remote_error(failure) or 'gone'
        if on_end:
            on_end(error)
    client.bus.call(lab.NAME, path, interface, method, parameters, None, Gio.DBusCallFlags.NONE,
                    60000, None, ended)


def begin_drain(client, path, seconds, on_end=None):
    begin(client, path, 'org.tun2proxy.Tunnel', 'Deactivate',
          GLib.Variant('(a{sv})', (vardict(drain_timeout=seconds),)), on_end)
    wait_for(lambda: client.get(path, 'State') == 'deactivating')


@test
def a_shorter_drain_cuts_a_longer_one_short(service, client, proxy):
    before = lab.dump()
    path, _ = client.create('work', proxy.uri(), {'wait': True}, capture='routes',
                            routes=['203.0.113.0/24'])
    with lab.socket.create_connection(('203.0.113.7', 8080), timeout=10):
        ends = []
        begin_drain(client, path, 600, ends.append)
        begin_drain(client, path, 3000, ends.append)
        time.sleep(0.5)
        equal((client.get(path, 'State'), ends), ('deactivating', []))
        client.tunnel(path, 'Deactivate', timeout=10000)
        wait_for(lambda: ends == [None, None], 1)
    equal(client.get(path, 'State'), 'inactive')
    equal(lab.dump(), before)


@test
def sigterm_cannot_be_held_off(service, client, proxy):
    before = lab.dump()
    path, _ = client.create('work', proxy.uri(), {'wait': True}, capture='routes',
                            routes=['203.0.113.0/24'])
    silent = lab.socket.create_server(('127.0.0.1', 0))
    errors, number = [], 0

    def create_another(error=None):
        nonlocal number
        number += 1
        if error:
            errors.append(error)
        if error != 'gone' and len(errors) < 50:
            begin(client, lab.MANAGER, lab.NAME, 'CreateTunnel', GLib.Variant('(sa{sv}a{sv})', (
                f'f{number % 12}', vardict(proxies=[proxy.uri()]), {})), create_another)

    with lab.socket.create_connection(('203.0.113.7', 8080), timeout=10):
        begin_drain(client, path, 600)
        tested = []
        begin(client, lab.MANAGER, lab.NAME, 'TestProxy', GLib.Variant('(sa{sv})', (
            f'socks5://127.0.0.1:{silent.getsockname()[1]}', {})), tested.append)
        wait_for(lambda: len(service.workers()) == 2)
        workers = service.workers()
        service.daemon.send_signal(signal.SIGTERM)
        create_another()
        wait_for(lambda: service.daemon.poll() is not None, 10)
    wait_for(lambda: tested)
    equal(service.daemon.returncode, 0)
    # the bus's own errors when the service has gone already
    own = {error for error in errors if not error.startswith('org.freedesktop.DBus.Error.')}
    assert own - {'gone'} == {ERROR + 'Cancelled'}, set(errors)
    equal(lab.dump(), before)
    equal(service.journals(), [])
    equal(list(service.runtime.glob('worker-*')), [])
    equal([pid for pid in workers if os.path.exists(f'/proc/{pid}')], [])
    silent.close()


@test
def sigkill_is_repaired_by_the_guardian(service, client, proxy):
    before = lab.dump()
    client.create('work', proxy.uri(), {'wait': True}, capture='default', dns='off')
    assert lab.dump() != before
    service.stop(signal.SIGKILL)
    wait_for(lambda: lab.dump() == before, 20)
    wait_for(lambda: not service.journals())
    wait_for(lambda: not lab.processes(str(service.runtime)))


@test
def sigkill_is_repaired_by_the_next_start(service, client, proxy):
    before = lab.dump()
    client.create('work', proxy.uri(), {'wait': True}, capture='default', dns='off')
    service.stop(signal.SIGKILL)
    service.start()
    equal(lab.dump(), before)
    equal(service.journals(), [])
    again = Client(service.address)
    path, _ = again.create('work', proxy.uri(), {'activate': False})
    equal(path, '/org/tun2proxy/Tunnel/2')
    again.close()


@test
def one_daemon_for_a_runtime_directory(service, client, proxy):
    second = lab.subprocess.run(service.command, capture_output=True, text=True, timeout=20)
    equal(second.returncode, 1)
    assert 'is in use by daemon' in second.stderr, second.stderr


STEPS = ('resolve-upstream', 'create-device', 'start-worker', 'probe-upstream', 'configure-link',
         'install-bypass', 'install-capture', 'apply-dns')


def run_pauses(daemon, worker):
    """SIGKILL after each step: the journal names it, and the guardian leaves nothing."""
    for step in STEPS:
        service, proxy = Service(daemon, worker), Proxy()
        try:
            before = lab.dump()
            service.start(f'--pause-at={step}')
            client = Client(service.address)
            client.create('work', proxy.uri(), capture='default')
            wait_for(lambda: f'paused at {step}' in service.text())
            assert step in (service.runtime / 'journal' / '1.json').read_text()
            service.stop(signal.SIGKILL)
            wait_for(lambda: not lab.processes(str(service.runtime)), 20)
            equal(lab.dump(), before)
            equal(service.journals(), [])
        finally:
            proxy.close()
            service.close()


def run(function, daemon, worker):
    service, proxy = Service(daemon, worker), Proxy()
    try:
        service.start()
        client = Client(service.address)
        function(service, client, proxy)
        log = service.text()
        assert 'CRITICAL' not in log and 'Sanitizer' not in log and 'runtime error' not in log, log
    except BaseException:
        print('\n'.join('# ' + line for line in service.text().splitlines()[-40:]))
        raise
    finally:
        proxy.close()
        service.close()


def run_as_tap(number, name, function, *args):
    try:
        function(*args)
        print(f'ok {number} {name}', flush=True)
        return True
    except BaseException:
        print('\n'.join('# ' + line for line in traceback.format_exc().splitlines()))
        print(f'not ok {number} {name}', flush=True)
        return False


def main():
    daemon, worker, *wanted = sys.argv[1:]
    if os.getuid() != 0 or not os.path.exists('/dev/net/tun'):
        print('1..0 # SKIP needs root and /dev/net/tun')
        return 0
    lab.enter_namespace()
    chosen = [one for one in TESTS if not wanted or one.__name__ in wanted]
    with_pauses = not wanted or 'pauses' in wanted
    print(f'1..{len(chosen) + with_pauses}')
    ok = True
    for number, function in enumerate(chosen, 1):
        ok &= run_as_tap(number, function.__name__.replace('_', '-'), run, function, daemon, worker)
    if with_pauses:
        ok &= run_as_tap(len(chosen) + 1, 'sigkill-after-each-step-leaves-nothing', run_pauses,
                         daemon, worker)
    return 0 if ok else 1


if __name__ == '__main__':
    sys.exit(main())
