#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names for some users: their questions go into the tunnel, whoever they ask, nobody else's do."""
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, Wire, changes, network_dump, plan, tap  # noqa: E402
from t2plab.bus import BusError, vardict  # noqa: E402

CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 't2plab', 'dnsclient.py')
ASKER = os.path.join(os.path.dirname(CLIENT), 'asker.py')
ADOPT_TIMEOUT = 2
USER, ADMIN, ROOT = plan.USER_UID, plan.ADMIN_UID, None
# On this machine, where nobody listens and where somebody does; on the LAN; far away.
LOCAL = ('127.0.0.53', '127.0.0.1', '::1')
REMOTE = (plan.ROUTER4, plan.ROUTER6, plan.SERVER4, plan.SERVER6)
PUBLIC = 'v4.example'


class UserDns(LabCase):
    options = {'resolved': True}

    def setUp(self):
        self.before = network_dump(self.lab)
        self.service = None
        self.addCleanup(self.leave)

    def leave(self):
        if self.service:
            if self.service.daemon.is_running():
                for tunnel in self.service.list():
                    tunnel.delete()
            self.service.__exit__(None)
        self.assert_as_before()

    def assert_as_before(self, timeout=ADOPT_TIMEOUT + 8):
        try:
            self.lab.wait_for(lambda: not changes(self.before, network_dump(self.lab)),
                              timeout=timeout, interval=0.2)
        except TimeoutError:
            self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.assert_outside(USER)

    def start(self, *args):
        self.service = Service(self.lab, [f'--adopt-timeout={ADOPT_TIMEOUT}', *args]).start()

    def up(self, name='work', users=(str(USER),), **settings):
        settings = {'capture': 'default', 'scope': 'system', 'users': list(users), **settings}
        return self.service.create(name, plan.DANTED_URI, **settings)

    def up_as(self, uid):
        self.lab.session(uid, [
            'busctl', 'call', 'org.tun2proxy.Manager', '/org/tun2proxy/Manager',
            'org.tun2proxy.Manager', 'CreateTunnel', 'sa{sv}a{sv}', 'mine', '2', 'proxies', 'as', '1',
            plan.DANTED_URI, 'capture', 's', 'default', '1', 'wait', 'b', 'true'])
        return self.service.list()[-1]

    def table(self):
        return self.lab.run('nft list tables').stdout

    # --- what users get

    def getent(self, uid, name, database='ahostsv4'):
        said = self.lab.run(['getent', database, name], uid=uid, check=False).stdout
        return list(dict.fromkeys(line.split()[0] for line in said.splitlines()))

    def ask(self, uid, server, *questions):
        said = self.lab.run(['/usr/bin/python3', '-B', CLIENT, server], uid=uid,
                            input='\n'.join(questions) + '\n').stdout
        return json.loads(said)

    def assert_inside(self, uid, pool='198.18.'):
        for name in (plan.PROXY_ONLY_NAME, PUBLIC):
            found = self.getent(uid, name)
            self.assertTrue(found and found[0].startswith(pool), (uid, name, found))

    def assert_outside(self, uid):
        self.assertEqual(self.getent(uid, plan.PROXY_ONLY_NAME), [])
        self.assertEqual(self.getent(uid, PUBLIC), [plan.SERVER4])

    def assert_answers(self, uid, server):
        questions = [f'{plan.PROXY_ONLY_NAME} A', f'{plan.PROXY_ONLY_NAME} A tcp']
        for answer in self.ask(uid, server, *questions):
            self.assertEqual(answer['code'], 'NOERROR', (server, answer))
            self.assertTrue(answer['answers'][0][3].startswith('198.18.'), (server, answer))

    # --- claims

    def test_getent(self):
        """a chosen user's names go to the proxy, root's and others' do not, and afterwards none"""
        for uid in (USER, ADMIN, ROOT):
            self.assert_outside(uid)  # the measuring works
        self.start()
        tunnel = self.up()
        self.assert_inside(USER)
        for uid in (ADMIN, ROOT):
            self.assert_outside(uid)
        url = f'http://{plan.PROXY_ONLY_NAME}/ip'
        seen = self.lab.as_user(USER, ['curl', '-4sS', '-m', '15', url]).stdout.strip()
        self.assertIn(seen, (plan.PROXY4, plan.PROXY6))
        self.assertIn('resolver', ' '.join(tunnel.result['warnings']))
        self.assertEqual(tunnel.prop('ResolverBackend'), '')
        tunnel.delete()
        self.assertEqual(self.table(), '')
        self.assert_as_before()

    def test_every_server(self):
        """whichever server is asked, by UDP or TCP, answers come from it and the wire shows nothing"""
        self.lab.run('resolvectl flush-caches')
        with Wire(self.lab) as wire:
            def is_shown():
                return plan.PROXY_ONLY_NAME in {row['name'] for row in wire.since_last()}
            for server in ('127.0.0.53', *REMOTE):
                self.ask(USER, server, f'{plan.PROXY_ONLY_NAME} A')
                self.assertTrue(is_shown(), server)
            self.start()
            self.up()
            for server in (*LOCAL, *REMOTE):
                self.assert_answers(USER, server)
                self.assertFalse(is_shown(), server)

    def test_others_servers(self):
        """whichever server root asks, it is that server that answers"""
        self.start()
        self.up()
        for server in ('127.0.0.53', *REMOTE):
            found, missing = self.ask(ROOT, server, f'{PUBLIC} A', f'{plan.PROXY_ONLY_NAME} A')
            self.assertEqual(found['answers'][0][3], plan.SERVER4, server)
            self.assertEqual(missing['code'], 'NXDOMAIN', server)
        for server in ('127.0.0.1', '::1'):  # nobody is there
            self.assertIn('refused', self.ask(ROOT, server, f'{PUBLIC} A')[0]['code'])

    def test_own_tunnel(self):
        """an ordinary user's own tunnel redirects his questions, without a password"""
        self.start()
        self.up_as(USER)
        self.assert_inside(USER)
        for uid in (ADMIN, ROOT):
            self.assert_outside(uid)
        for server in LOCAL:
            self.assert_answers(USER, server)

    def test_two_tunnels(self):
        """two users with a tunnel each have their own responder, ::1 included"""
        self.start()
        first, second = self.up_as(USER), self.up_as(ADMIN)
        self.assert_inside(USER, '198.18.')
        pools = {}
        for uid in (USER, ADMIN):
            found = {self.ask(uid, server, f'{plan.PROXY_ONLY_NAME} A')[0]['answers'][0][3]
                     for server in (*LOCAL, plan.ROUTER4)}
            self.assertEqual(len(found), 1, found)
            pools[uid] = found.pop()
        self.assertNotEqual(pools[USER], pools[ADMIN])
        self.assert_outside(ROOT)
        first.delete()
        self.assert_outside(USER)
        for server in LOCAL:
            self.assert_answers(ADMIN, server)
        second.delete()

    def test_beside_the_systems(self):
        """beside a tunnel that has all names of the system, chosen users ask their own"""
        self.start()
        system = self.up('system', users=[], capture='routes', dns='virtual',
                         routes=[f'{plan.SERVER4}/32'])
        self.up('users')
        self.assert_inside(USER)
        self.assert_inside(ROOT)
        found = {uid: self.getent(uid, plan.PROXY_ONLY_NAME)[0].split('.')[2] for uid in (USER, ROOT)}
        self.assertNotEqual(int(found[USER]) >> 6, int(found[ROOT]) >> 6, found)  # their /18
        system.delete()
        self.assert_inside(USER)
        self.assert_outside(ROOT)

    def test_routes(self):
        """with capture=routes questions are redirected from whatever address they would come"""
        self.start()
        self.up(capture='routes', dns='virtual', routes=[f'{plan.SERVER4}/32'])
        for server in (*LOCAL, *REMOTE):
            self.assert_answers(USER, server)
        self.assert_outside(ROOT)

    def test_without_ipv6(self):
        """without IPv6 in the tunnel questions by it are refused at once, others go on"""
        self.start()
        self.up(ipv6='reject')
        for server in ('::1', plan.ROUTER6, plan.SERVER6):
            for answer in self.ask(USER, server, f'{PUBLIC} A', f'{PUBLIC} A tcp'):
                self.assertIn('none:', answer['code'], server)
                self.assertLess(answer['seconds'], 1)
        self.assert_inside(USER)
        self.assertEqual(self.ask(ROOT, plan.ROUTER6, f'{PUBLIC} A')[0]['code'], 'NOERROR')

    def test_own_questions(self):
        """what the worker asks for excluded names is not redirected, for everybody chosen"""
        self.start()
        self.up(users=['0-65535'], dns_exclude=[PUBLIC])
        self.assertEqual(self.getent(USER, PUBLIC), [plan.SERVER4])
        self.assertTrue(self.getent(ROOT, plan.PROXY_ONLY_NAME)[0].startswith('198.18.'))

    def test_flushed(self):
        """what somebody else flushes is put back at once"""
        self.start()
        self.up()
        self.lab.run('nft flush ruleset')
        self.lab.wait_for(lambda: 'inet tun2proxy-' in self.table(), timeout=2, what='the table')
        self.assert_inside(USER)

    def test_captures_nothing(self):
        """a tunnel that captures nothing redirects nothing, and says so"""
        self.start()
        tunnel = self.up(capture='none', dns='virtual')
        self.assertEqual(self.table(), '')
        self.assert_outside(USER)
        self.assertIn('redirects no questions', ' '.join(tunnel.result['warnings']))

    def test_some_domains(self):
        """only some domains cannot be redirected: refused by name, and nothing is left"""
        self.start()
        with self.assertRaisesRegex(BusError, "DnsSetupFailed.*'corp.example' seen"):
            self.up(dns_domains=['corp.example'])
        self.assertEqual(self.table(), '')

    def test_loopback_from_tunnel(self):
        """what comes out of the tunnel for 127/8 is dropped, though its answers may pass"""
        self.start()
        tunnel = self.up()
        path = f'/proc/sys/net/ipv4/conf/{tunnel.interface}/route_localnet'
        self.assertEqual(self.lab.run(['cat', path]).stdout.strip(), '1')
        guard = self.lab.run('nft list ruleset').stdout
        self.assertIn(f'iifname "{tunnel.interface}" ip daddr 127.0.0.0/8 drop', guard)
        for folder in ('all', 'default', 'lo', plan.UPLINK):
            self.assertEqual(self.lab.run(
                ['cat', f'/proc/sys/net/ipv4/conf/{folder}/route_localnet']).stdout.strip(), '0')

    def test_same_socket(self):
        """who asks from one socket all the time is redirected as long as the tunnel is there"""
        # somebody else translates addresses, too: otherwise the kernel forgets all by itself
        self.lab.run('nft -f -', input='table ip other { chain out { type nat hook postrouting '
                     'priority 100; oifname "eth1" masquerade; }; }')
        self.addCleanup(setattr, self, 'before', self.before)
        self.addCleanup(self.lab.run, 'nft delete table ip other')
        self.before = network_dump(self.lab)
        for server in ('127.0.0.53', plan.ROUTER4):
            asker = self.lab.start(['/usr/bin/python3', '-u', '-B', ASKER, server,
                                    plan.PROXY_ONLY_NAME], uid=USER)
            self.addCleanup(asker.kill)
            self.last(asker, 'NXDOMAIN')
            self.start()
            tunnel = self.up()
            self.last(asker, 'NOERROR')
            tunnel.delete()
            self.last(asker, 'NXDOMAIN')
            asker.kill()
            self.service.__exit__(None)
            self.service = None

    def last(self, asker, code):
        self.lab.wait_for(lambda: (asker.log().split() or [''])[-1] == code, timeout=6, what=code)

    # --- kills

    def test_killed(self):
        """what a kill of everything leaves, a new daemon undoes"""
        self.start()
        self.up()
        self.lab.sh('kill -9 $(pidof tun2proxyd tun2proxyd-guard tun2proxy-worker)', check=False)
        self.service.daemon.wait()
        self.service.bus.close()
        self.assertIn('inet tun2proxy-', self.table())
        self.start()
        self.assertEqual(self.table(), '')
        self.assert_as_before()

    def test_guarded(self):
        """after a kill of the daemon the redirect goes without one"""
        self.start()
        self.up()
        self.service.stop(signal.SIGKILL)
        self.lab.wait_for(lambda: self.table() == '', what='the table to go')

    def test_killed_at_capture(self):
        """a kill in the middle of the step leaves nothing"""
        self.start('--pause-at=install-capture')
        self.service.call('CreateTunnel', 'sa{sv}a{sv}', 'work',
                          vardict({'proxies': [plan.DANTED_URI], 'capture': 'default',
                                   'users': [str(USER)]}),
                          vardict({'wait': False}))
        self.lab.wait_for(lambda: 'paused at install-capture' in self.service.daemon.log(),
                          what='the pause')
        self.assertIn('inet tun2proxy-', self.table())
        self.service.stop(signal.SIGKILL)
        self.lab.wait_for(lambda: self.table() == '', what='the table to go')


class UnderNetworkManager(UserDns):
    options = {'resolved': True, 'nm': True}


if __name__ == '__main__':
    tap.main()
