#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ways to keep a tunnel from swallowing its own packets that people know from other programs, as a
table: each is there under a name of ours and carries, or is refused. Why: docs/decisions.md.

The namespace has test-netns.py, a program that is let out by its descriptor test-bypass.py, groups of
programs test-apps.py; the methods in depth test-loop-methods.py."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import BusError, LabCase, Service, changes, network_dump, plan, tap  # noqa: E402

V4_URL, V6_URL = f'http://{plan.SERVER4}/ip', f'http://[{plan.SERVER6}]/ip'
# Way: (settings, what `ip rule; ip route show table all` says of it while the tunnel is up).
CARRIED = {
    'a mark and rules': ({'loop_avoidance': 'mark'}, r'fwmark 0x[0-9a-f]+ lookup main'),
    'two halves beside the default route': ({'loop_avoidance': 'half-default'},
                                            r'0\.0\.0\.0/1 dev t2p'),
    'a route to the proxy': ({'loop_avoidance': 'host-route'},
                             rf'{re.escape(plan.PROXY4)} via {re.escape(plan.ROUTER4)}'),
    'sockets that are bound to the uplink': ({'loop_avoidance': 'bind-interface'}, 'iif lo'),
    'a link that is named': ({'outbound_interface': plan.UPLINK}, 'iif lo'),
    'rules for users': ({'users': ['root']}, r'uidrange 0-0'),
    'rules for what this machine sends, not for what it forwards': ({}, r'iif lo lookup'),
}
# Way: the value that would be its name.
REFUSED = {
    'deleting the default route': 'delete-default',
    'a rule for the source address': 'source-address',
    'routes without the links of a group': 'suppress-ifgroup',
    'redirecting to a port': 'redirect',
    'a transparent proxy': 'tproxy',
    'a link for unicast': 'unicast-if',
}


class Table(LabCase):
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

    def create(self, **settings):
        return self.service.create('work', plan.DANTED_URI, capture='default', scope='system',
                                   **settings)

    def fetch(self, url):
        return self.lab.run(['curl', '-sS', '-m', '5', url], check=False).stdout.strip()

    def defaults(self):
        return self.lab.sh('ip route show default; ip -6 route show default').stdout

    def check_carried(self, settings, sign):
        defaults = self.defaults()
        self.assertNotRegex(self.said(), sign)
        tunnel = self.create(**settings)
        self.assertRegex(self.said(), sign)
        self.assertEqual(self.fetch(V4_URL), plan.PROXY4)
        self.assertEqual(self.fetch(V6_URL), plan.PROXY6)
        self.assertEqual(self.defaults(), defaults)
        tunnel.delete()

    def said(self):
        return self.lab.sh('ip rule; ip route show table all').stdout

    def check_refused(self, value):
        with self.assertRaises(BusError) as caught:
            self.create(loop_avoidance=value)
        self.assertIn('InvalidSettings', caught.exception.name)
        for word in ('loop-avoidance', value, 'mark', 'half-default'):
            self.assertIn(word, caught.exception.message)
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])


def add_tests():
    for number, (way, (settings, sign)) in enumerate(CARRIED.items()):
        def carried(self, settings=settings, sign=sign):
            self.check_carried(settings, sign)
        carried.__doc__ = f'{way}: carries, and the default routes are the same'
        setattr(Table, f'test_carried_{number}', carried)
    for number, (way, value) in enumerate(REFUSED.items()):
        def refused(self, value=value):
            self.check_refused(value)
        refused.__doc__ = f'{way}: there is none, and what there is is told'
        setattr(Table, f'test_refused_{number}', refused)


add_tests()

if __name__ == '__main__':
    tap.main()
