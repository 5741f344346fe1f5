#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""test-service.py DAEMON WORKER: what the service answers on its bus, and what tunnels do."""
import errno
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import t2pbustest as lab  # noqa: E402
from t2pbusrunner import States, equal, fails, main, test  # noqa: E402
from t2pbustest import Client, Proxy, vardict, wait_for  # noqa: E402


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
    assert 'kill-switch' in fails('InvalidSettings', client.create, 'a', uri, kill_switch='always')
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
    for seconds in (4, 3601):
        assert 'rollback-timeout' in fails('InvalidArgument', client.create, 'a', uri,
                                           {'rollback_timeout': seconds})
    fails('InvalidArgument', client.create, 'a', uri,
          {'rollback_timeout': 5, 'activate': False})
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
    path, _ = client.create('all', proxy.own_uri(), {'wait': True}, capture='default', dns='off')
    equal(client.get(lab.MANAGER, 'DefaultRouteTunnel', lab.NAME), path)
    assert lab.dump() != before
    assert "'all'" in fails('RouteConflict', client.create, 'other', proxy.own_uri(),
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
    path, _ = client.create('all', proxy.own_uri(), {'wait': True}, capture='default')
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
    path, _ = client.create('all', proxy.own_uri(), capture='default', ipv6='on')
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
    path, _ = client.create('all', proxy.own_uri(), {'wait': True}, capture='default')
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


if __name__ == '__main__':
    sys.exit(main())
