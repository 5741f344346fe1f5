#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tunnels that want the same, and a machine whose addresses, rules and tables others have taken."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import BusError, LabCase, Service, changes, network_dump, plan, tap  # noqa: E402

REFUSED = ('refused', 'unreachable')  # by the worker, or by the kernel where the proxy has no IPv6
EVERYTHING = {'capture': 'default', 'scope': 'system'}


class OverlapCase(LabCase):
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

    def create(self, name, proxy=plan.DANTED_URI, **settings):
        return self.service.create(name, proxy, **settings)

    def refused(self, name, **settings):
        with self.assertRaises(BusError) as refused:
            self.create(name, **settings)
        return refused.exception.name.rsplit('.')[-1], refused.exception.message

    def outcome(self, host, uid=0):
        outcome, _, _ = self.lab.client('connect', host, plan.HTTP, '0.5', uid=uid)
        return outcome


class Tunnels(OverlapCase):
    def test_routes_in_default(self):
        """a tunnel for some routes is asked before one for everything, whichever came first"""
        for some, other, route in ((plan.SERVER4, plan.SERVER6, f'{plan.SERVER4}/32'),
                                   (plan.SERVER6, plan.SERVER4, f'{plan.SERVER6}/128')):
            order = [('all', plan.DANTED_URI, EVERYTHING),
                     ('some', 'reject://', {'capture': 'routes', 'scope': 'system', 'dns': 'off',
                                            'routes': [route]})]
            for names in (order, order[::-1]):
                tunnels = {name: self.create(name, proxy, **settings)
                           for name, proxy, settings in names}
                self.assertIn(self.outcome(some), REFUSED)
                self.assertEqual(self.outcome(other), 'connected')
                tunnels.pop('some').delete()
                self.assertEqual(self.outcome(some), 'connected')
                tunnels.pop('all').delete()

    def test_user_in_system(self):
        """a user's own tunnel is asked before that of the system, and by nobody else"""
        self.create('all', **EVERYTHING)
        self.create('mine', 'reject://', capture='default', scope='user', dns='off')
        for host in (plan.SERVER4, plan.SERVER6):
            self.assertIn(self.outcome(host), REFUSED)
            self.assertEqual(self.outcome(host, uid=plan.USER_UID), 'connected')

    def test_two_defaults(self):
        """a second tunnel for everything is a RouteConflict that names the first"""
        self.create('first', **EVERYTHING)
        rules = self.lab.sh('ip rule; ip -6 rule; resolvectl status').stdout
        name, message = self.refused('second', **EVERYTHING)
        self.assertEqual(name, 'RouteConflict')
        self.assertIn("'first'", message)
        self.assertEqual(self.lab.sh('ip rule; ip -6 rule; resolvectl status').stdout, rules)

    def test_one_of_each_user(self):
        """one for each user is no conflict with that of the system"""
        self.create('all', **EVERYTHING)
        self.create('mine', capture='default', scope='user')
        made = self.lab.run(
            ['busctl', 'call', 'org.tun2proxy.Manager', '/org/tun2proxy/Manager',
             'org.tun2proxy.Manager', 'CreateTunnel', 'sa{sv}a{sv}', 'his', '2', 'proxies', 'as',
             '1', plan.DANTED_URI, 'capture', 's', 'default', '1', 'wait', 'b', 'true'],
            uid=plan.USER_UID, session=True)
        self.assertIn('/org/tun2proxy/Tunnel/', made.stdout)
        name, message = self.refused('again', capture='default', scope='user')
        self.assertEqual(name, 'RouteConflict')
        self.assertIn("'mine'", message)

    def test_one_for_every_name(self):
        """only one tunnel resolves all names of the system; others may bring domains, or users"""
        self.create('all', **EVERYTHING)
        name, message = self.refused('names', scope='system', dns='virtual')
        self.assertEqual(name, 'RouteConflict')
        self.assertIn("'all'", message)
        self.create('corp', scope='system', dns='virtual', dns_domains=['corp.example'])
        self.create('some', scope='system', dns='virtual', users=[str(plan.USER_UID)],
                    capture='routes', routes=['192.0.2.0/24'])


class Neighbours(OverlapCase):
    """docker, libvirt and Tailscale have what is usually theirs, and somebody the benchmark network."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, address in (('docker0', '172.17.0.1/16'), ('virbr0', '192.168.122.1/24'),
                              ('other0', '198.18.0.1/16')):
            cls.lab.sh(f'ip link add {name} type bridge; ip address add {address} dev {name};'
                       f'ip link set {name} up')
        cls.lab.sh('''
            ip rule add pref 5210 fwmark 0x80000/0xff0000 lookup main
            ip rule add pref 5230 fwmark 0x80000/0xff0000 lookup default
            ip rule add pref 5250 fwmark 0x80000/0xff0000 unreachable
            ip rule add pref 5270 lookup 52
            ip route add 100.64.0.0/10 dev virbr0 table 52
            ip route add 100.100.100.100 dev virbr0 table 52''')

    def test_around_them(self):
        """addresses, mark, table and priorities are chosen around them; they stay reachable"""
        tunnel = self.create('work', **EVERYTHING)
        addresses = ' '.join(tunnel.details()['addresses'])
        self.assertIn('198.19.0.1/30', addresses)
        rules = self.lab.run('ip rule').stdout
        ours = [int(line.split(':')[0]) for line in rules.splitlines() if 'proto 142' in line]
        self.assertGreater(min(ours), 5270)
        mark = int(re.search(r'fwmark (0x[0-9a-f]+) lookup main proto 142', rules)[1], 16)
        self.assertEqual(mark & 0xff0000, 0)
        for address, link in (('172.17.0.2', 'docker0'), ('192.168.122.9', 'virbr0'),
                              ('100.64.1.1', 'virbr0'), ('198.18.0.9', 'other0'),
                              (plan.SERVER4, tunnel.interface)):
            self.assertIn(f'dev {link}', self.lab.run(f'ip route get {address}').stdout)
        self.assertEqual(self.outcome(plan.SERVER4), 'connected')

    def test_addresses(self):
        """what is asked for and taken, and a network without a free part, is an AddressConflict"""
        for settings, culprit in (({'dns_pool4': '172.17.128.0/20'}, '172.17.0.0/16'),
                                  ({'dns_pool4': '100.64.0.0/16'}, '100.64.0.0/10'),
                                  ({'addresses': ['192.168.122.1/30']}, '192.168.122.1')):
            name, message = self.refused('work', **EVERYTHING, **settings)
            self.assertEqual(name, 'AddressConflict')
            self.assertIn(culprit, message)
        self.lab.run('ip address add 198.19.0.1/16 dev other0')
        try:
            name, message = self.refused('work', **EVERYTHING)
        finally:
            self.lab.run('ip address del 198.19.0.1/16 dev other0')
        self.assertEqual(name, 'AddressConflict')
        self.assertIn('198.19.', message)

    def test_rules(self):
        """a priority or table that another program uses is a RouteConflict, and what is free is had"""
        for settings in ({'rule_priority': 5265}, {'route_table': 52}):
            name, _ = self.refused('work', **EVERYTHING, **settings)
            self.assertEqual(name, 'RouteConflict', settings)
        self.create('work', **EVERYTHING, rule_priority=5300, route_table=5200)
        self.assertIn('5300:', self.lab.run('ip rule').stdout)


if __name__ == '__main__':
    tap.main()
