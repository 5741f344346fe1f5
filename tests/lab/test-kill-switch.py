#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kill switch: what leaves by the uplink while tunnels, workers and daemons die."""
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, Wire, changes, network_dump, plan, tap  # noqa: E402
from t2plab.lab import HERE  # noqa: E402
from t2plab.service import RUNTIME_DIR, STATE_DIR, find_program  # noqa: E402

ADOPT_TIMEOUT = 2
URL = f'http://{plan.SERVER4}/ip'
AWAY = (plan.SERVER4, plan.SERVER6)
SECONDS = 1.5  # of tries, of which there are fifty in a second


class KillSwitchCase(LabCase):
    uid = 0  # whose traffic is watched
    same = None  # sections that the end must find as before; None: all

    def setUp(self):
        self.before = network_dump(self.lab)
        self.service = None
        self.wire = Wire(self.lab).__enter__()
        self.addCleanup(self.wire.__exit__)

    def tearDown(self):
        if self.service:
            if not self.service.daemon.is_running():
                self.service.start()
            self.service.call('SetKillSwitch', 'sa{sv}', 'off', {})
            for tunnel in self.service.list():
                tunnel.delete()
            self.service.stop()
            self.service.bus.close()
        self.lab.sh(f'rm -rf {RUNTIME_DIR} {STATE_DIR}')
        after = network_dump(self.lab)
        for section in self.same or self.before:
            self.assertEqual(after[section], self.before[section])

    def python(self, program, *args, **kwargs):
        return self.lab.start(['/usr/bin/python3', '-B', HERE / program, *args],
                              name=f'{program}.{time.monotonic_ns()}', **kwargs)

    def start(self):
        self.service = self.service or Service(self.lab, [f'--adopt-timeout={ADOPT_TIMEOUT}'])
        return self.service.start()

    def create(self, mode='on-failure', **settings):
        return self.service.create('work', plan.DANTED_URI, **{
            'capture': 'default', 'scope': 'system', 'kill-switch': mode, **settings})

    def addresses(self):
        return plan.LAB4, plan.LAB6

    def attempts(self, seconds=SECONDS, uplink=plan.UPLINK, addresses=None, meanwhile=None):
        """What programs got that tried for a while: set of (destination, kind, how, outcome)."""
        running = self.python('traffic.py', uplink, *(addresses or self.addresses()), *AWAY,
                              uid=self.uid)
        if meanwhile:
            self.lab.wait_for(running.log, what='the first try')
            meanwhile()
        time.sleep(seconds)
        running.kill()
        running.wait()
        got = {tuple(line.split()) for line in running.log().splitlines()[:-1]}
        self.assertGreaterEqual(len({entry[:3] for entry in got}), 12)
        return got

    def leaks(self):
        """Packets since the last time that were meant for the world, and not for the proxy."""
        return [row for row in self.wire.since_last() if row['destination'] in AWAY]

    def assert_tight(self, seconds=SECONDS, **where):
        got = self.attempts(seconds, **where)
        self.assertEqual(self.leaks(), [])
        return got

    def assert_state(self, state, timeout=5):
        self.lab.wait_for(lambda: self.service.prop('KillSwitch') == state, timeout,
                          f'the kill switch to be {state}')

    def fetches(self):
        return self.lab.run(['curl', '-sS', '-m', '10', URL], check=False).stdout.strip()

    def kill_daemon(self, workers=False):
        pids = self.service.workers()
        self.service.daemon.kill()
        for pid in pids if workers else ():
            os.kill(pid, signal.SIGKILL)
        self.service.daemon.wait()

    def wait_repaired(self):
        """Until the guardian has undone what the daemon left: the routes are as before."""
        def repaired():
            now = network_dump(self.lab)
            return all(now[name] == self.before[name] for name in ('rules4', 'rules6'))
        self.lab.wait_for(repaired, timeout=ADOPT_TIMEOUT + 8, interval=0.2)


class WhatLeaves(KillSwitchCase):
    options = {'resolved': True}

    def test_seen(self):
        """the wire shows what leaves when nothing is armed, from each kind of socket"""
        self.start()
        self.attempts()
        self.assertEqual({(row['destination'], row['protocol']) for row in self.leaks()},
                         {(address, kind) for address in AWAY for kind in ('tcp', 'udp')})
        tunnel = self.create('off')
        self.attempts()
        self.assertGreater(len(self.leaks()), 0, 'bound sockets')
        self.kill_daemon(workers=True)
        self.wait_repaired()
        self.attempts()
        self.assertGreater(len(self.leaks()), 0)
        self.assertFalse(tunnel.path == '')

    def test_working(self):
        """while the tunnel works bound sockets are refused, others go through it"""
        self.start()
        tunnel = self.create()
        self.assert_state('armed')
        self.leaks()
        got = self.assert_tight()
        for how in ('address', 'link'):
            self.assertEqual({entry[3] for entry in got if entry[1:3] == ('udp', how)}, {'EPERM'})
        self.assertEqual({entry[3] for entry in got if entry[1:3] == ('udp', 'free')}, {'0'})
        self.assertEqual(self.fetches(), plan.PROXY4)
        tunnel.delete()
        self.assert_state('off')
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.assertEqual(self.fetches(), plan.LAB4)

    def test_worker(self):
        """a killed worker, again and again: nothing leaves"""
        self.start()
        tunnel = self.create()
        self.leaks()
        for _ in range(3):
            for pid in self.service.workers():
                os.kill(pid, signal.SIGKILL)
            self.assert_tight(0.7)
        self.service.wait_state(tunnel, 'active', timeout=30)
        self.assert_state('armed')
        self.assertEqual(self.fetches(), plan.PROXY4)

    def test_daemon(self):
        """a killed daemon: nothing leaves, also when everything else of the tunnel is gone"""
        self.start()
        self.create()
        self.leaks()
        self.kill_daemon()
        self.assert_tight()
        self.wait_repaired()
        self.assert_tight()

    def test_both_and_back(self):
        """daemon and worker killed: blocked until the tunnel is back, by a new daemon too"""
        self.start()
        self.create()
        self.leaks()
        self.kill_daemon(workers=True)
        self.assert_tight()
        self.wait_repaired()
        got = self.assert_tight()
        self.assertEqual({entry[3] for entry in got if entry[1] == 'udp'}, {'EPERM'})
        self.assertEqual(self.lab.client('connect', plan.SERVER4, '80', '3')[0], 'refused')
        self.start()
        self.assert_state('blocking')
        self.assert_tight()
        tunnel = self.create()
        self.assert_state('armed')
        self.assert_tight()
        self.assertEqual(self.fetches(), plan.PROXY4)
        tunnel.deactivate()
        self.assert_state('off')

    def test_proxy(self):
        """a dead proxy: blocking, nothing leaves; armed again when it is back"""
        self.start()
        tunnel = self.create()
        self.leaks()
        self.lab.kill('danted')
        try:
            self.lab.run(['curl', '-sS', '-m', '5', URL], check=False)
            self.service.wait_state(tunnel, 'degraded', timeout=60)
            self.assert_state('blocking')
            self.assert_tight()
        finally:
            self.lab.resume('danted')
        self.service.wait_state(tunnel, 'active', timeout=60)
        self.assert_state('armed')

    def test_uplink(self):
        """routes that change, also to what a hostile DHCP server would give: nothing leaves"""
        self.start()
        self.create()
        self.leaks()
        for prefix in ('0.0.0.0/1', '128.0.0.0/1', '203.0.113.0/24'):
            self.lab.run(f'ip route add {prefix} via {plan.ROUTER4} dev {plan.UPLINK} proto dhcp')
        self.lab.run(f'ip -6 route add 2001:db8:113::/48 via {plan.ROUTER6} dev {plan.UPLINK}')
        self.addCleanup(self.lab.sh, f'ip -6 route del 2001:db8:113::/48; '
                        'for p in 0.0.0.0/1 128.0.0.0/1 203.0.113.0/24; do ip route del $p; done',
                        check=False)
        self.assert_tight()
        self.lab.sh(f'ip route del default; sleep 0.2; '
                    f'ip route add default via {plan.ROUTER4} dev {plan.UPLINK}')
        self.assert_tight()
        self.kill_daemon(workers=True)
        self.wait_repaired()
        self.assert_tight()
        self.lab.sh(f'ip -6 route del 2001:db8:113::/48; '
                    'for p in 0.0.0.0/1 128.0.0.0/1 203.0.113.0/24; do ip route del $p; done')

    def use_second_uplink(self):
        """The default routes are those of the other uplink, at once; the first goes."""
        self.lab.run('ip -batch -', input=f'''
            addr add {plan.SECOND4}/24 dev {plan.SECOND_UPLINK}
            addr add {plan.SECOND6}/64 dev {plan.SECOND_UPLINK}
            link set {plan.SECOND_UPLINK} up
            route replace default via {plan.SECOND_ROUTER4} dev {plan.SECOND_UPLINK}
            route replace ::/0 via fe80::1 dev {plan.SECOND_UPLINK}
            link set {plan.UPLINK} down''')

    def use_first_uplink(self):
        """As it was at first."""
        self.lab.run('ip -batch -', input=f'''
            addr flush dev {plan.SECOND_UPLINK}
            link set {plan.SECOND_UPLINK} down
            link set {plan.UPLINK} up
            addr replace {plan.LAB6}/64 dev {plan.UPLINK}
            route replace default via {plan.ROUTER4} dev {plan.UPLINK}
            route replace ::/0 via fe80::1 dev {plan.UPLINK}''')

    def test_other_uplink(self):
        """another uplink instead, under traffic: nothing leaves by it, armed or blocking"""
        there = {'uplink': plan.SECOND_UPLINK, 'addresses': (plan.SECOND4, plan.SECOND6)}
        self.use_second_uplink()
        self.attempts(0.5, **there)
        self.assertEqual({(row['link'], row['destination']) for row in self.leaks()},
                         {('lan1', address) for address in AWAY})
        self.use_first_uplink()
        self.start()
        self.create()
        self.leaks()
        self.assert_tight(0.8, meanwhile=self.use_second_uplink)
        self.assert_tight(0.8, **there)
        self.assert_state('armed')
        self.lab.wait_for(lambda: self.fetches() == plan.PROXY4, what='the way by the new uplink')
        self.kill_daemon(workers=True)
        self.wait_repaired()
        self.assert_tight(0.8, **there)
        self.assert_tight(0.8, meanwhile=self.use_first_uplink)


class Portal(KillSwitchCase):
    """NetworkManager's connectivity check, and a router that wants a login."""
    options = {'nm': True, 'resolved': True, 'connectivity': True, 'proxies': ('danted',)}
    uid = plan.USER_UID  # root may go to where NetworkManager asks
    same = ('rules4', 'rules6', 'nft')  # routes and servers are what DHCP gives anew
    PAGE = ('import http.server, socket\n'
            'class Login(http.server.BaseHTTPRequestHandler):\n'
            '    def do_GET(self):\n'
            '        self.send_response(302)\n'
            '        self.send_header("Location", "http://login.example/")\n'
            '        self.end_headers()\n'
            '    do_HEAD = do_GET\n'
            'http.server.HTTPServer.address_family = socket.AF_INET6\n'
            'http.server.HTTPServer(("::", 8099), Login).serve_forever()\n')
    GATE = ('table inet portal {{\n'
            ' chain pre {{\n  type nat hook prerouting priority -100;\n'
            '  tcp dport 80 ip saddr 10.77.0.0/24 redirect to :8099\n'
            '  tcp dport 80 ip6 saddr 2001:db8:77::/64 redirect to :8099\n }}\n'
            ' chain gate {{\n  type filter hook forward priority 0;\n'
            '  tcp dport {port} reject with tcp reset\n }}\n}}\n')

    def addresses(self):
        said = self.lab.run(f'ip -o address show dev {plan.UPLINK} scope global').stdout.split()
        four, six = (next(said[i + 1] for i, word in enumerate(said) if word == family)
                     for family in ('inet', 'inet6'))
        return four.split('/')[0], six.split('/')[0]

    def connectivity(self):
        return self.lab.run('nmcli networking connectivity check').stdout.strip()

    def wait_connectivity(self, wanted):
        self.lab.wait_for(lambda: self.connectivity() == wanted, timeout=20, interval=0.3,
                          what=f'connectivity to be {wanted}')

    def test_dhcp(self):
        """an armed machine gets its addresses by DHCP and router advertisement again"""
        self.wait_connectivity('full')
        self.start()
        self.create()
        self.kill_daemon(workers=True)
        self.wait_repaired()
        self.leaks()
        name = self.lab.run(f'nmcli -g GENERAL.CONNECTION device show {plan.UPLINK}').stdout.strip()
        self.lab.run(['nmcli', 'connection', 'down', name])
        self.lab.run(['nmcli', 'connection', 'up', name])
        self.lab.wait_for(lambda: self.lab.run(
            f'ip -6 address show dev {plan.UPLINK} scope global').stdout.strip(),
            what='an address by router advertisement')
        self.assert_tight()
        self.start()

    def test_login(self):
        """the check passes; a portal opens web pages until the login, nothing else"""
        self.wait_connectivity('full')
        self.start()
        tunnel = self.create()
        self.assert_state('armed')
        self.lab.wait_for(lambda: 'tcp dport 80 accept' in self.lab.run(
            'nft list table inet tun2proxy').stdout, what='the way for the check')
        for _ in range(3):
            self.assertEqual(self.connectivity(), 'full')
        page = self.lab.start(['/usr/bin/python3', '-c', self.PAGE], netns='wan')
        self.addCleanup(page.kill)
        self.lab.netns('wan').run('nft -f -', input=self.GATE.format(port=plan.DANTED))
        self.addCleanup(self.lab.netns('wan').run, 'nft delete table inet portal', check=False)
        self.lab.kill('danted')
        self.addCleanup(self.lab.resume, 'danted')
        self.lab.run(['curl', '-sS', '-m', '5', URL], check=False)
        self.service.wait_state(tunnel, 'degraded', timeout=60)
        self.wait_connectivity('portal')
        self.lab.wait_for(lambda: 'wants a login' in self.service.daemon.log(),
                          what='the way to the portal')
        said = self.lab.run(['curl', '-sS', '-m', '5', '-i', '--interface', plan.UPLINK, URL])
        self.assertIn('login.example', said.stdout)
        bound = self.lab.run(['curl', '-sS', '-m', '5', '--interface', plan.UPLINK,
                              f'http://{plan.SERVER4}:{plan.HTTP_ALT}/'], check=False)
        self.assertEqual(bound.returncode, 7, bound)
        self.lab.netns('wan').run('nft delete table inet portal')
        self.wait_connectivity('full')
        self.lab.wait_for(lambda: 'portal is closed' in self.service.daemon.log(),
                          what='the way to be closed')
        self.assertNotIn('dport { 80, 443 }', self.lab.run('nft list table inet tun2proxy').stdout)


class WhatGoesOn(KillSwitchCase):
    options = {'resolved': True}

    def blocked(self):
        self.start()
        self.create()
        self.kill_daemon(workers=True)
        self.wait_repaired()

    def test_lan(self):
        """the LAN is reached and found while everything is blocked, both families"""
        self.blocked()
        self.lab.run('ip neigh flush all')
        for router in (plan.ROUTER4, plan.ROUTER6):
            self.lab.run(['ping', '-c', '2', '-i', '0.2', '-W', '2', router])

    def test_names(self):
        """a name server of the LAN is asked nothing while everything is blocked"""
        self.blocked()
        mark = len(self.lab.log('router-dns'))
        self.lab.run('resolvectl flush-caches')
        for way in ('ahostsv4', 'ahostsv6'):
            self.lab.run(['timeout', '2', 'getent', way, 'secret-blocked.bulk.example'],
                         check=False)
        self.assertNotIn('secret-blocked', self.lab.log('router-dns')[mark:])

    def test_inbound(self):
        """who is logged in from outside stays so, and others may log in, while all is blocked"""
        echo = ('import socket, threading\n'
                'def serve(peer):\n'
                '    while data := peer.recv(4096): peer.sendall(data)\n'
                'server = socket.create_server(("::", 2222), family=socket.AF_INET6,'
                ' dualstack_ipv6=True)\n'
                'while True: threading.Thread(target=serve, args=server.accept()[:1]).start()\n')
        talk = ('import socket, sys, time\n'
                'peer = socket.create_connection((sys.argv[1], 2222), 5)\n'
                'for i in range(int(sys.argv[2])):\n'
                '    peer.sendall(b"%d\\n" % i); assert peer.recv(99) == b"%d\\n" % i\n'
                '    print("said", i, flush=True); time.sleep(0.1)\n')
        server = self.lab.start(['/usr/bin/python3', '-c', echo])
        self.addCleanup(server.kill)
        time.sleep(0.3)
        logins = [self.lab.start(['/usr/bin/python3', '-c', talk, address, '80'], netns='wan')
                  for address in (plan.LAB4, plan.LAB6)]
        self.lab.wait_for(lambda: all('said 3' in login.log() for login in logins))
        self.blocked()
        for address in (plan.LAB4, plan.LAB6):
            self.lab.run(['/usr/bin/python3', '-c', talk, address, '3'], netns='srv')
        self.assertEqual([login.wait(30) for login in logins], [0, 0])

    def test_foreign_tables(self):
        """tables of others stay as they are; ours comes back when they flush everything"""
        self.lab.run('nft -f -', input='table inet mine {\n chain c {\n  type filter hook output '
                                       'priority 0; policy accept;\n }\n}\n')
        self.addCleanup(self.lab.run, 'nft delete table inet mine', check=False)
        mine = self.lab.run('nft list table inet mine').stdout
        self.start()
        self.create()
        self.assertEqual(self.lab.run('nft list table inet mine').stdout, mine)
        self.leaks()
        self.lab.run('nft flush ruleset')
        self.lab.wait_for(lambda: 'inet tun2proxy\n' in self.lab.run('nft list tables').stdout,
                          what='the table to be put back')
        self.assert_tight()


class Modes(KillSwitchCase):
    options = {'resolved': True}

    def boot(self):
        """What a restart of the machine leaves of the kernel's state and of /run."""
        self.lab.run('nft flush ruleset')
        self.lab.sh(f'rm -rf {RUNTIME_DIR}')

    def load(self):
        """What the unit runs before the network is there."""
        self.lab.run([find_program(self.lab, 'tun2proxyd'), '--load-kill-switch',
                      '--state-dir', STATE_DIR, '--runtime-dir', RUNTIME_DIR])

    def setUp(self):
        super().setUp()
        library = os.path.dirname(find_program(self.lab, 'libtun2proxy-1.0.so.0'))
        self.lab.write('/run/lab/ctl', f'#!/bin/sh\nLD_LIBRARY_PATH={library} exec tun2proxyctl '
                       '"$@"\n', 0o755)

    def ctl(self, *words, uid=0, check=True):
        return self.lab.run(['/run/lab/ctl', *words], uid=uid, check=check)

    def test_always(self):
        """always: over the end of tunnel and service and a boot, until it is switched off"""
        self.start()
        tunnel = self.create('always')
        self.leaks()
        tunnel.delete()
        self.assert_state('blocking')
        self.assert_tight()
        self.assertEqual(self.service.stop(), 0)
        self.assert_tight()
        self.boot()
        self.load()
        self.assert_tight()
        self.start()
        self.assert_state('blocking')
        self.assertTrue(self.service.call('TestProxy', 'sa{sv}', plan.DANTED_URI, {})['reachable'])
        self.assert_tight()
        self.ctl('kill-switch', 'off')
        self.assert_state('off')
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.boot()
        self.load()
        self.assertEqual(self.fetches(), plan.LAB4)

    def test_on_failure_ends_with_the_service(self):
        """on-failure: a service that is told to end, and a boot, leave nothing"""
        self.start()
        self.create()
        self.service.stop()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.load()
        self.assertEqual(self.fetches(), plan.LAB4)

    def test_failed_first_time(self):
        """a tunnel that never came up blocks nothing"""
        self.start()
        for mode in ('on-failure', 'always'):
            with self.assertRaises(Exception):
                self.service.create('work', f'socks5://{plan.NOBODY4}:1', **{
                    'capture': 'default', 'scope': 'system', 'kill-switch': mode})
            self.assert_state('off')
            self.assertEqual(self.fetches(), plan.LAB4)

    def test_link_deleted(self):
        """a tunnel that fails keeps it, its owner's deactivation ends it"""
        self.start()
        tunnel = self.create()
        self.leaks()
        self.lab.run(['ip', 'link', 'del', tunnel.interface])
        self.service.wait_state(tunnel, 'failed')
        self.assert_state('blocking')
        self.assert_tight()
        tunnel.deactivate()
        self.assert_state('off')

    def test_switched_at_run_time(self):
        """SetKillSwitch arms a tunnel that is up, and tells its property at once"""
        self.start()
        self.create('off')
        seen = self.service.bus.record('org.freedesktop.DBus.Properties', 'PropertiesChanged')
        self.assertIn('off', self.ctl('kill-switch').stdout)
        self.ctl('kill-switch', 'on-failure', 'work')
        self.assert_state('armed')
        self.assertIn('armed', self.ctl('kill-switch', 'status').stdout)
        self.leaks()
        self.kill_daemon(workers=True)
        self.wait_repaired()
        self.assert_tight()
        self.start()
        self.assertIn('blocking', self.ctl('kill-switch').stdout)
        self.ctl('kill-switch', 'always', 'work')
        self.assertTrue(self.lab.path(f'{STATE_DIR}/kill-switch.json').exists())
        self.ctl('kill-switch', 'off', 'work')
        self.assert_state('off')
        self.service.bus.pump()
        self.assertIn('armed', str(seen))

    def test_wrong_calls(self):
        """a wrong mode, an unknown tunnel and one that captures nothing are refused"""
        self.start()
        for words in (('sideways',), ('always', 'nobody'), ('always',)):
            self.assertNotEqual(self.ctl('kill-switch', *words, check=False).returncode, 0)
        self.service.create('idle', plan.DANTED_URI)
        said = self.ctl('kill-switch', 'always', 'idle', check=False)
        self.assertIn('capture=none', said.stderr)
        self.assert_state('off')

    def test_authority(self):
        """a user may neither arm nor switch off; a password is asked for, and is enough"""
        self.start()
        self.create('always')
        command = ['/run/lab/ctl', 'kill-switch', 'off']
        self.assertNotEqual(self.lab.run(command, uid=plan.USER_UID, check=False).returncode, 0)
        self.assert_state('armed')
        status, said, asked = self.lab.with_agent(plan.USER_UID, command, 'yes')
        self.assertEqual((status, len(asked)), (0, 1), said)
        self.assertIn('org.tun2proxy.kill-switch', asked[0])
        self.assert_state('off')

    def test_user(self):
        """a user's tunnel guards his sockets alone"""
        self.start()
        self.service.create('work', plan.DANTED_URI, **{
            'capture': 'default', 'scope': 'system', 'users': [str(plan.USER_UID)],
            'kill-switch': 'on-failure'})
        look_up = ['timeout', '3', 'getent', 'ahostsv4']
        self.lab.run([*look_up, 'www.example'], uid=plan.USER_UID)
        self.kill_daemon(workers=True)
        self.wait_repaired()
        mark = len(self.lab.log('router-dns'))
        self.lab.run([*look_up, 'secret-user.bulk.example'], uid=plan.USER_UID, check=False)
        self.assertNotIn('secret-user', self.lab.log('router-dns')[mark:])
        self.lab.run([*look_up, 'www.example'])
        self.assertEqual(self.fetches(), plan.LAB4)
        self.assertEqual(self.lab.client('connect', plan.SERVER4, '80', '3',
                                         uid=plan.USER_UID)[0], 'refused')


if __name__ == '__main__':
    tap.main()
