#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A tunnel's own table of nftables: there when it is needed, back when somebody else flushes it."""
import os
import re
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402

WARNING, REMOVED = 'systemd-resolved may ask', 'another program has removed'


class Tables(LabCase):
    options = {'resolved': True, 'proxies': ('danted',)}

    def setUp(self):
        self.before = network_dump(self.lab)
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.service.__exit__(None)
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])

    def up(self, **settings):
        return self.service.create('work', plan.DANTED_URI,
                                   **{'capture': 'default', 'scope': 'system', **settings})

    def ruleset(self):
        """In no order of tables, and without the newest control group of when apps were looked for,
        which is others' matter."""
        said = re.sub(r'(cgroupv2 level \d+ > )\S+', r'\1NEWEST', self.lab.run('nft list ruleset').stdout)
        return ''.join(sorted(re.split('^(?=table )', said, flags=re.MULTILINE)))

    def resolver_is_turned_round(self):
        resolver = self.lab.run('id -u systemd-resolve').stdout.strip()
        return f'meta skuid {resolver} ' in self.ruleset()

    def count(self, text):
        """How often the daemons of this lab have said so."""
        return self.service.daemon.log().count(text)

    def assert_restored(self, command='nft flush ruleset', after=lambda: None):
        """What the table had is there again, without any change of the network, and told once."""
        had, told = self.ruleset(), self.count(REMOVED)
        self.assertIn('table inet tun2proxy-', had)
        self.lab.sh(command)
        after()
        self.lab.wait_for(lambda: self.ruleset() == had, timeout=2, what='the table')
        self.assertEqual(self.count(REMOVED), told + 1)

    def test_resolver(self):
        """what turns resolved's questions round is put back at once"""
        self.up()
        self.assertTrue(self.resolver_is_turned_round())
        self.assert_restored()

    def test_users(self):
        """the redirect of some users' questions is put back at once, for both families"""
        self.up(users=[str(plan.USER_UID)])
        self.assertIn('dnat ip6 to', self.ruleset())
        self.assert_restored()
        found = self.lab.run(['getent', 'ahostsv4', plan.PROXY_ONLY_NAME], uid=plan.USER_UID,
                             check=False).stdout
        self.assertTrue(found.startswith('198.18.'), found)

    def test_forwarded(self):
        """the rules for answers of what is behind this machine are put back at once"""
        self.up(forwarded=True, dns='off')
        self.assert_restored()

    def test_apps(self):
        """with apps, rules for them and for their questions are put back at once, and again"""
        if not self.lab.cgroup:
            self.skipTest('needs a writable cgroup2 file system')
        group = '/sys/fs/cgroup/system.slice/fetch.service'
        self.lab.sh(f'mkdir -p {group}')
        self.addCleanup(self.lab.sh, f'rmdir {group}')
        self.up(apps=['fetch.service'])
        for _ in range(3):
            self.assertIn('socket cgroupv2', self.ruleset())
            self.assertIn('dnat ip to', self.ruleset())
            self.assert_restored()
        seen = self.lab.sh(f'echo $$ >{group}/cgroup.procs; '
                           f'exec curl -sS -m 15 http://{plan.SERVER4}/ip').stdout.strip()
        self.assertEqual(seen, plan.PROXY4)

    def test_another_in_its_place(self):
        """a table that is deleted is missed though there is another of its name by then"""
        self.up(users=[str(plan.USER_UID)])
        name = self.ruleset().split()[2]
        self.service.daemon.kill(signal.SIGSTOP)
        try:
            self.lab.sh('nft add table inet other; nft delete table inet other')
            self.assert_restored(f'nft delete table inet {name}; nft add table inet {name}',
                                 after=lambda: self.service.daemon.kill(signal.SIGCONT))
        finally:
            self.service.daemon.kill(signal.SIGCONT)

    def test_deleted_alone(self):
        """a table that is deleted by its name comes back, and goes with the tunnel for good"""
        tunnel = self.up(users=[str(plan.USER_UID)])
        self.assert_restored(f'nft delete table inet {self.ruleset().split()[2]}')
        told = self.count(REMOVED)
        tunnel.delete()
        self.assertEqual((self.ruleset(), self.count(REMOVED)), ('', told))

    def test_uplink_comes_later(self):
        """a tunnel that came up without an uplink turns resolved's questions round when one comes"""
        routes = self.lab.run('ip route show default').stdout.splitlines()
        routes6 = self.lab.run('ip -6 route show default').stdout.splitlines()
        self.lab.sh(f'ip route add {plan.PROXY4}/32 via {plan.ROUTER4}; '
                    'ip route flush default; ip -6 route flush default')
        self.addCleanup(self.lab.run, f'ip route del {plan.PROXY4}/32')
        try:
            self.up()
            self.assertFalse(self.resolver_is_turned_round())
            self.assertEqual(self.count(WARNING), 0)  # there is nobody to be asked
        finally:
            for family, lines in (('-4', routes), ('-6', routes6)):
                for line in lines:
                    self.lab.run(f'ip {family} route add {line}')
        self.lab.wait_for(self.resolver_is_turned_round, what='the redirect')


if __name__ == '__main__':
    tap.main()
