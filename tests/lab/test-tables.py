#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A tunnel's own table of nftables: there when it is needed, back when somebody else flushes it."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402

WARNING = 'systemd-resolved may ask'


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
        return self.lab.run('nft list ruleset').stdout

    def resolver_is_turned_round(self):
        resolver = self.lab.run('id -u systemd-resolve').stdout.strip()
        return f'meta skuid {resolver} ' in self.ruleset()

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
            self.assertNotIn(WARNING, self.service.daemon.log())  # there is nobody to be asked
        finally:
            for family, lines in (('-4', routes), ('-6', routes6)):
                for line in lines:
                    self.lab.run(f'ip {family} route add {line}')
        self.lab.wait_for(self.resolver_is_turned_round, what='the redirect')


if __name__ == '__main__':
    tap.main()
