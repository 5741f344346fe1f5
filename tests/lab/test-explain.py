#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the service says about a connection, and what then happens to it."""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, LabError, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.bus import BusError, vardict  # noqa: E402
from t2plab.service import find_program  # noqa: E402
from t2plab.wire import Wire  # noqa: E402

DENIED = '(?i)InteractiveAuthorizationRequired|not ?authorized|exit status 3'
# What the server, or nobody, sees of a connection: where it came from.
SEEN = {'direct': (plan.LAB4, plan.LAB6), 'tunnel': (plan.PROXY4, plan.PROXY6), 'blocked': ('',)}


class ExplainCase(LabCase):
    options = {'resolved': True}

    def setUp(self):
        library = os.path.dirname(find_program(self.lab, 'libtun2proxy-1.0.so.0'))
        self.env = {'LD_LIBRARY_PATH': library}
        self.before = network_dump(self.lab)
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.service.__exit__(None)

    def create(self, **settings):
        return self.service.create('work', plan.DANTED_URI, **{'capture': 'default', **settings})

    def explain(self, destination, **options):
        return self.service.call('Explain', 'sa{sv}', destination, vardict(options))

    def fetch(self, host, uid=0, *words):
        """The address that the server has seen, or nothing."""
        host = f'[{host}]' if ':' in host else host
        return self.lab.run(['curl', '-sS', '-m', '5', *words, f'http://{host}/ip'], uid=uid,
                            check=False).stdout.strip()

    def agrees(self, host, path, uid=0):
        """Explain says PATH, and so it is; returns all that it says."""
        told = self.explain(f'[{host}]:80' if ':' in host else f'{host}:80', uid=uid)
        self.assertEqual(told['path'], path, told)
        self.assertIn(self.fetch(host, uid), SEEN[path], told)
        return told


class WithoutTunnel(ExplainCase):
    def test_no_tunnel(self):
        """without a tunnel everything goes directly, names included"""
        told = self.agrees(plan.SERVER4, 'direct')
        self.assertEqual(told['interface'], 'eth0')
        self.assertNotIn('tunnel', told)
        self.assertIn('no tunnel', told['reason'])
        self.assertEqual(self.explain('www.example')['path'], 'direct')
        self.assertEqual(self.explain('127.0.0.1')['path'], 'direct')
        self.assertIn('address of this machine', self.explain(plan.LAB4)['reason'])

    def test_no_route(self):
        """what no route leads to is blocked"""
        self.lab.run(['ip', 'route', 'add', 'unreachable', '192.0.2.99/32'])
        try:
            told = self.explain('192.0.2.99')
        finally:
            self.lab.run(['ip', 'route', 'del', 'unreachable', '192.0.2.99/32'])
        self.assertEqual(told['path'], 'blocked')
        self.assertIn('refuses', told['reason'])

    def test_wrong_questions(self):
        """what is no destination, no process or too much is refused"""
        for text in ('', 'a b', '192.0.2.1:0', '192.0.2.1:99999', '-', 'x' * 300):
            with self.assertRaisesRegex(BusError, 'InvalidArgument', msg=text):
                self.explain(text)
        with self.assertRaisesRegex(BusError, 'InvalidArgument'):
            self.explain(plan.SERVER4, uid=1, pid=1)
        with self.assertRaisesRegex(BusError, 'InvalidArgument'):
            self.explain(plan.SERVER4, gid=1)
        with self.assertRaisesRegex(BusError, 'NotFound'):
            self.explain(plan.SERVER4, pid=4000000)


class WithTunnel(ExplainCase):
    def test_captured(self):
        """what is captured is said to be, by address and by name"""
        tunnel = self.create()
        for host in (plan.SERVER4, plan.SERVER6, 'www.example'):
            told = self.agrees(host, 'tunnel')
            self.assertEqual(told['tunnel'], tunnel.path)
            self.assertEqual(told['interface'], tunnel.interface)
            self.assertIn('lookup', told['rule'])
            self.assertIn('bound', told['reason'])
        self.assertIn('as it is', told['reason'])

    def test_bound(self):
        """a socket that is bound to the uplink goes directly, as the reason warns"""
        self.create()
        told = self.agrees(plan.SERVER4, 'tunnel')
        self.assertIn('bound to another address', told['reason'])
        for where in (plan.LAB4, 'eth0'):
            self.assertEqual(self.fetch(plan.SERVER4, 0, '--interface', where), plan.LAB4)

    def test_excluded(self):
        """what exclude-routes leaves outside is said to stay there, and by which route"""
        self.create(exclude_routes=[f'{plan.SERVER4}/32'])
        told = self.agrees(plan.SERVER4, 'direct')
        self.assertIn(f'{plan.SERVER4}/32', told['reason'])
        self.assertEqual(told['interface'], 'eth0')
        self.agrees(plan.SERVER6, 'tunnel')

    def test_lan(self):
        """what is on the LAN stays there"""
        self.create()
        told = self.explain(f'{plan.LAB4.rpartition(".")[0]}.1:80')
        self.assertEqual(told['path'], 'direct')
        self.assertIn('network of this machine', told['reason'])

    def test_rules(self):
        """rules of the tunnel are followed, by name and by address"""
        self.create(rules=['domain:www.example -> direct', 'port:81 -> reject',
                           'port:82 -> drop', f'user:{plan.USER_UID} -> reject'])
        told = self.agrees('www.example', 'direct')
        self.assertEqual(told['rule'], 'domain:www.example -> direct')
        self.assertEqual(told['interface'], 'eth0')
        self.assertIn('sends it directly', told['reason'])
        for port, word in ((81, 'refuses'), (82, 'not answered')):
            told = self.explain(f'{plan.SERVER4}:{port}')
            self.assertEqual((told['path'], told['rule'].partition(' ')[0]),
                             ('blocked', f'port:{port}'))
            self.assertIn(word, told['reason'])
        self.agrees(plan.SERVER4, 'tunnel')
        self.agrees(plan.SERVER4, 'blocked', plan.USER_UID)

    def test_names(self):
        """names that keep their real address, and those of /etc/hosts, are said to"""
        self.create(dns_exclude=['www.example'])
        self.lab.sh(f"echo '{plan.SERVER4} printer.example' >>/etc/hosts")
        self.addCleanup(self.lab.sh, "sed -i '/printer.example/d' /etc/hosts")
        told = self.agrees('www.example', 'tunnel')
        self.assertIn('dns-exclude', told['reason'])
        self.assertIn('/etc/hosts', self.agrees('printer.example', 'tunnel')['reason'])

    def test_rejected_ipv6(self):
        """a family that is refused is said to be blocked"""
        self.create(ipv6='reject')
        told = self.agrees(plan.SERVER6, 'blocked')
        self.assertIn('IPv6', told['reason'])
        self.agrees(plan.SERVER4, 'tunnel')

    def test_routes(self):
        """with some routes all else goes directly"""
        self.create(capture='routes', routes=[f'{plan.SERVER4}/32'], dns='off')
        self.agrees(plan.SERVER4, 'tunnel')
        self.agrees(plan.SERVER6, 'direct')
        self.agrees('v4.example', 'tunnel')
        self.agrees('v6.example', 'direct')
        self.assertIn('of the first', self.explain('www.example')['reason'])

    def test_kill_switch(self):
        """what the kill switch refuses is said to be blocked, with the tunnel and without"""
        self.addCleanup(self.service.call, 'SetKillSwitch', 'sa{sv}', 'off', {})
        tunnel = self.create(kill_switch='always')
        self.agrees(plan.SERVER4, 'tunnel')
        tunnel.deactivate()
        for host in (plan.SERVER4, plan.SERVER6):
            told = self.agrees(host, 'blocked')
            self.assertIn("kill switch of tunnel 'work'", told['reason'])
        self.assertEqual(self.explain(plan.LAB4)['path'], 'direct')
        self.assertEqual(self.explain('127.0.0.1')['path'], 'direct')
        self.assertEqual(self.explain(f'{plan.LAB4.rpartition(".")[0]}.1:80')['path'], 'direct')
        self.service.call('SetKillSwitch', 'sa{sv}', 'off', {})
        self.agrees(plan.SERVER4, 'direct')

    def test_nothing_is_sent(self):
        """a question sends nothing to the destination, and no name to a name server"""
        self.create()
        with Wire(self.lab) as wire:
            self.explain(f'{plan.SERVER4}:80')
            self.explain('secret.example')
            # what is looked at last is seen, so what was before would have been, too
            self.fetch(plan.SERVER4, 0, '--interface', 'eth0')
            self.lab.wait_for(lambda: any(row['destination'] == plan.SERVER4
                                          for row in wire.all()), what='a packet on the wire')
            seen = [row for row in wire.all() if 'secret' in (row.get('name') or '')
                    or row['destination'] == plan.SERVER4]
        self.assertEqual(len(seen), 1, seen)


class OfUsers(ExplainCase):
    EXPLAIN = ['busctl', 'call', '-j', 'org.tun2proxy.Manager', '/org/tun2proxy/Manager',
               'org.tun2proxy.Manager', 'Explain', 'sa{sv}']

    def ask(self, *words, uid=plan.USER_UID):
        said = self.lab.as_user(uid, self.EXPLAIN + list(words)).stdout
        return {key: value['data'] for key, value in json.loads(said)['data'][0].items()}

    def test_other_user(self):
        """a tunnel for one user captures him, and not others"""
        self.create(users=[str(plan.USER_UID)])
        self.agrees(plan.SERVER4, 'tunnel', plan.USER_UID)
        self.agrees(plan.SERVER4, 'direct', plan.ADMIN_UID)
        self.agrees(plan.SERVER4, 'direct')

    def test_process(self):
        """a process is known by its user, and by its unit for tunnels with apps"""
        self.create(users=[str(plan.USER_UID)])
        process = self.lab.start(['sleep', '60'], name='sleep', uid=plan.USER_UID)
        pid = int(self.lab.sh(f'pgrep -u {plan.USER_UID} -x sleep').stdout.split()[0])
        self.assertEqual(self.explain(plan.SERVER4, pid=pid)['path'], 'tunnel')
        self.assertEqual(self.explain(plan.SERVER4, pid=1)['path'], 'direct')
        process.stop()

    def test_apps(self):
        """with apps it is said which programs are captured, and that it depends on them"""
        self.lab.sh('mkdir -p /sys/fs/cgroup/system.slice/chosen.service')
        self.addCleanup(self.lab.sh, 'rmdir /sys/fs/cgroup/system.slice/chosen.service')
        self.create(apps=['chosen.service'], dns='off')
        process = self.lab.start(
            ['sh', '-c', 'echo $$ >/sys/fs/cgroup/system.slice/chosen.service/cgroup.procs; '
             'exec sleep 61'], name='chosen')
        pid = int(self.lab.wait_for(lambda: self.lab.sh("pgrep -x -f 'sleep 61'", check=False)
                                    .stdout.strip(), what='the process'))
        told = self.explain(plan.SERVER4, pid=pid)
        self.assertEqual(told['path'], 'tunnel', told)
        self.assertEqual(self.explain(plan.SERVER4, pid=1)['path'], 'direct')
        told = self.explain(plan.SERVER4)
        self.assertEqual(told['path'], 'direct')
        self.assertIn('only some programs', told['reason'])
        process.stop()

    def test_privacy(self):
        """a user asks about himself, not about others, and is not told what others set"""
        self.service.create('roots', plan.DANTED_URI, capture='default',
                            rules=['port:81 -> reject'])
        told = self.ask(f'{plan.SERVER4}:81', '0')
        self.assertEqual(told['path'], 'blocked')
        self.assertNotIn('port:81', told['rule'])
        for words in (['1', 'uid', 'u', '0'], ['1', 'pid', 'u', '1'],
                      ['1', 'pid', 'u', '4000000']):
            with self.assertRaisesRegex(LabError, DENIED):
                self.ask(plan.SERVER4, *words)

    def test_others_tunnel(self):
        """another user's tunnel is not named"""
        self.lab.session(plan.USER_UID, [
            'busctl', 'call', 'org.tun2proxy.Manager', '/org/tun2proxy/Manager',
            'org.tun2proxy.Manager', 'CreateTunnel', 'sa{sv}a{sv}', 'mine', '2', 'proxies', 'as',
            '1', plan.DANTED_URI, 'capture', 's', 'default', '1', 'wait', 'b', 'true'])
        told = self.ask(plan.SERVER4, '0')
        self.assertEqual(told['path'], 'tunnel')
        self.assertIn("'mine'", told['reason'])
        told = self.ask(plan.SERVER4, '0', uid=plan.ADMIN_UID)
        self.assertEqual(told['path'], 'direct')
        self.assertNotIn('mine', json.dumps(told))

    def test_command(self):
        """tun2proxyctl explain says it for people and for programs"""
        tunnel = self.create(users=[str(plan.USER_UID)])
        said = self.lab.run(['tun2proxyctl', 'explain', f'{plan.SERVER4}:80', '--user',
                             str(plan.USER_UID)], env=self.env).stdout
        self.assertIn('goes through a tunnel', said)
        self.assertIn('Tunnel: work\n', said)
        self.assertIn(f'Interface: {tunnel.interface}\n', said)
        said = self.lab.run(['tun2proxyctl', 'explain', plan.SERVER4], env=self.env).stdout
        self.assertIn('goes directly', said)
        told = json.loads(self.lab.run(['tun2proxyctl', 'explain', '--json', plan.SERVER6],
                                       env=self.env).stdout)
        self.assertEqual(told['path'], 'direct')


if __name__ == '__main__':
    tap.main()
