# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of tunnels that NetworkManager owns have in common."""
import re

from . import plan
from .dump import changes, network_dump
from .service import Service
from .tap import LabCase

ADOPT_TIMEOUT = 2
PROFILES = '/run/NetworkManager/system-connections'


class NmCase(LabCase):
    """Each test leaves the machine, and what NetworkManager knows of it, as it was."""

    options = {'nm': True, 'resolved': True, 'proxies': ('danted',)}
    args = (f'--adopt-timeout={ADOPT_TIMEOUT}',)

    def setUp(self):
        self.settle()
        self.before, self.known = network_dump(self.lab), self.nmcli()
        self.route = self.uplink_routes()
        self.service = Service(self.lab, self.args).start()
        self.addCleanup(self.leave)

    def settle(self):
        """Waits until NetworkManager has learned all of the uplink, of both families."""
        self.lab.wait_for(lambda: 'via fe80' in self.lab.run('ip -6 route').stdout)
        if self.lab.config['resolved']:
            self.lab.wait_for(lambda: len(self.lab.run('resolvectl dns eth0').stdout.split()) >= 5)

    def leave(self):
        if self.service.daemon.is_running():
            for tunnel in self.service.list():
                tunnel.delete()
        self.service.__exit__(None)
        self.assert_clean()

    def assert_clean(self, timeout=15):
        try:
            self.lab.wait_for(lambda: not changes(self.before, network_dump(self.lab))
                              and self.nmcli() == self.known, timeout=timeout, interval=0.2)
        except TimeoutError:
            self.assertEqual(changes(self.before, network_dump(self.lab)), [])
            self.assertEqual(self.nmcli(), self.known)
        self.assertEqual(self.uplink_routes(), self.route)
        self.assertEqual([name for name in self.lab.sh(f'ls {PROFILES}').stdout.splitlines()
                          if 'tun2proxy' in name], [])

    def nmcli(self):
        """What NetworkManager has: devices with their states, and profiles."""
        said = self.lab.sh('nmcli -t -f DEVICE,TYPE,STATE,CONNECTION device;'
                           'nmcli -t -f NAME,TYPE,DEVICE connection').stdout
        return sorted(said.splitlines())

    def uplink_routes(self):
        """Byte for byte, but for what the clock changes."""
        said = self.lab.sh('ip route show default; ip -6 route show default').stdout
        return re.sub(r' expires \d+sec', '', said)

    def create(self, name='work', **settings):
        tunnel = self.service.create(name, plan.DANTED_URI, **settings)
        self.assertEqual(tunnel.prop('NetworkBackend'), 'networkmanager')
        self.assertIn(f'{tunnel.interface}:tun:connected:tun2proxy {name}', self.nmcli())
        return tunnel

    def fetch(self, url, *options):
        return self.lab.run(['curl', '-sS', '-m', '10', *options, url], check=False).stdout.strip()

    def assert_carried(self, families=(4, 6)):
        for family in families:
            host, proxy = ((plan.SERVER4, plan.PROXY4), (f'[{plan.SERVER6}]', plan.PROXY6))[
                family == 6]
            self.assertEqual(self.fetch(f'http://{host}/ip'), proxy)

    def assert_outside(self):
        self.assertEqual(self.fetch(f'http://{plan.SERVER4}/ip'), self.uplink_address())

    def uplink_address(self):
        said = self.lab.run('ip -4 -o address show eth0').stdout
        return re.search(r'inet ([\d.]+)/', said).group(1)

    def rp_filter(self, interface):
        path = f'/proc/sys/net/ipv4/conf/{interface}/rp_filter'
        return self.lab.run(['cat', path]).stdout.strip()
