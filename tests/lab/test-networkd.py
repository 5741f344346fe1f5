#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Beside a real systemd-networkd, which deletes the rules and the uplink's routes of others when it
configures a link anew: they are put back, and nothing leaves past the tunnel meanwhile."""
import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Wire, changes, network_dump, plan, tap  # noqa: E402
from t2plab.booted import Booted  # noqa: E402
from t2plab.lab import HERE  # noqa: E402

UNIT = 'systemd-networkd'
URL = f'http://{plan.SERVER4}/ip'
AWAY = (plan.SERVER4, plan.SERVER6)
# Where /sys can be written, networkd waits for what udev says of a link, and here is none.
WITHOUT_UDEV = '[Service]\nReadOnlyPaths=/sys\n'
UPLINK = f'''[Match]
Name={plan.UPLINK}

[Network]
Address={plan.LAB4}/24
Address={plan.LAB6}/64
Gateway={plan.ROUTER4}
Gateway=fe80::1
IPv6AcceptRA=no
'''
# Read after ours, whose value it so takes back to what networkd is shipped with.
TAKEN_BACK = '/run/systemd/networkd.conf.d/zz-lab.conf'
SHIPPED = '[Network]\nManageForeignRoutingPolicyRules=yes\n'
RESTART = f'systemctl restart {UNIT}'
RECONFIGURE = f'networkctl reconfigure {plan.UPLINK}'


class Networkd(LabCase):
    options = {'proxies': ['danted']}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.machine = Booted(cls.lab).__enter__()
        cls.addClassCleanup(cls.machine.__exit__)
        cls.write(f'/run/systemd/system/{UNIT}.service.d/lab.conf', WITHOUT_UDEV)
        cls.write('/run/systemd/network/50-uplink.network', UPLINK)
        cls.machine.run('systemctl daemon-reload')
        cls.machine.sh(f'ip link set {plan.UPLINK} down; ip address flush dev {plan.UPLINK}')
        cls.machine.run(RESTART)
        cls.wait_configured()

    @classmethod
    def write(cls, path, text):
        cls.machine.run(['mkdir', '-p', os.path.dirname(path)])
        cls.machine.run(['tee', path], input=text)

    @classmethod
    def wait_configured(cls):
        cls.lab.wait_for(lambda: re.search(rf'{plan.UPLINK} .* routable +configured', cls.machine.run(
            'networkctl list --no-pager', check=False).stdout), what='the uplink to be configured')

    def setUp(self):
        self.before = network_dump(self.machine)
        self.addCleanup(self.leave)
        self.wire = Wire(self.lab).__enter__()
        self.addCleanup(self.wire.__exit__)

    def leave(self):
        self.machine.run(['systemctl', 'stop', 'tun2proxyd'])
        self.machine.run(['rm', '-f', TAKEN_BACK])
        self.assertEqual(changes(self.before, network_dump(self.machine)), [])

    def up(self, *words):
        self.machine.run(['tun2proxyctl', 'up', '--name', 'work', plan.DANTED_URI, 'capture=default',
                          *words])
        self.known = network_dump(self.machine)

    def fetch(self):
        return self.machine.run(['curl', '-sS', '-m', '5', URL], check=False).stdout.strip()

    def try_all(self, link):
        running = self.lab.start(['/usr/bin/python3', '-B', HERE / 'traffic.py', link, plan.LAB4,
                                  plan.LAB6, *AWAY])
        self.addCleanup(running.kill)
        self.lab.wait_for(running.log, what='the first try')

    def leaks(self):
        return [row for row in self.wire.since_last() if row['destination'] in AWAY]

    def assert_watched(self, link):
        """Without a tunnel all of it leaves."""
        self.try_all(link)
        time.sleep(0.3)
        self.assertEqual({(row['protocol'], row['destination']) for row in self.leaks()},
                         {(kind, address) for address in AWAY for kind in ('tcp', 'udp')})

    def seen_of(self, action):
        """Rules and routes that came and went meanwhile, when all is as the tunnel had made it."""
        seen = self.lab.start(['ip', 'monitor', 'rule', 'route'])
        self.addCleanup(seen.kill)
        self.machine.run(action)
        self.wait_configured()
        self.lab.wait_for(lambda: not changes(self.known, network_dump(self.machine)), 5,
                          'all to be back')
        self.lab.wait_for(lambda: self.fetch() == plan.PROXY4, what='the way to the proxy')
        return seen.log().splitlines()

    @staticmethod
    def deleted_captures(seen):
        return [line for line in seen if re.match('Deleted .* iif lo lookup', line)]

    def test_shipped(self):
        """as it is shipped it deletes all our rules: with a kill switch nothing leaves meanwhile"""
        self.write(TAKEN_BACK, SHIPPED)
        self.machine.run(RESTART)
        self.wait_configured()
        self.assert_watched(plan.UPLINK)
        self.up('kill-switch=on-failure')
        self.leaks()
        for action in (RESTART, RECONFIGURE):
            seen = self.seen_of(action)
            self.assertEqual(self.leaks(), [])
        self.assertEqual(len(self.deleted_captures(seen)), 3, seen)

    def test_drop_in(self):
        """with our drop-in the rules stay, and nothing leaves, though there is no kill switch"""
        self.machine.run(RESTART)
        self.wait_configured()
        self.assert_watched('-')
        self.up()
        self.leaks()
        for action in (RESTART, RECONFIGURE):
            self.assertEqual(self.deleted_captures(self.seen_of(action)), [])
            self.assertEqual(self.leaks(), [])

    def test_host_route(self):
        """a route to the proxy in the machine's own table goes with the address, and is put back"""
        self.up('loop-avoidance=host-route')
        self.assertIn(f'{plan.PROXY4} via {plan.ROUTER4}', ' '.join(self.seen_of(RECONFIGURE)))


if __name__ == '__main__':
    tap.main()
