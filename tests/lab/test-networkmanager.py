#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A running NetworkManager: it leaves the tunnel alone, and nothing else changes for it."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402

URL = f'http://{plan.SERVER4}/ip'


class WithNetworkManager(LabCase):
    options = {'nm': True, 'resolved': True, 'proxies': ('danted',)}

    def setUp(self):
        self.lab.wait_for(lambda: 'via fe80' in self.lab.run('ip -6 route').stdout)
        self.before = network_dump(self.lab)
        self.devices = self.nmcli()
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.service.__exit__(None)
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.lab.wait_for(lambda: self.nmcli() == self.devices)

    def nmcli(self):
        said = self.lab.run('nmcli -t -f DEVICE,TYPE,STATE,CONNECTION device').stdout
        return sorted(said.splitlines())

    def fetch(self):
        return self.lab.run(['curl', '-sS', '-m', '15', URL]).stdout.strip()

    def test_default_options(self):
        """with default options NetworkManager calls the device unmanaged, nothing else changes"""
        tunnel = self.service.create('work', plan.DANTED_URI)
        self.assertEqual([line for line in self.nmcli() if line not in self.devices],
                         [f'{tunnel.interface}:tun:unmanaged:'])
        self.assertEqual([line for line in self.devices if line not in self.nmcli()], [])
        self.assertEqual(changes(self.before, network_dump(self.lab), tunnel.interface), [])

    def test_capture(self):
        """capture=default carries traffic, and stays through a restart of NetworkManager"""
        tunnel = self.service.create('work', plan.DANTED_URI, capture='default')
        self.assertEqual(self.fetch(), plan.PROXY4)
        self.assertIn(f'{tunnel.interface}:tun:unmanaged:', self.nmcli())
        self.lab.restart('nm', 9)
        self.lab.wait_for(lambda: self.lab.run('nmcli device', check=False).returncode == 0
                          and [line for line in self.nmcli() if 'eth0:' in line]
                          == [line for line in self.devices if 'eth0:' in line], timeout=20)
        self.assertIn(f'{tunnel.interface}:tun:unmanaged:', self.nmcli())
        self.assertEqual(self.fetch(), plan.PROXY4)
        defaults = [line for line in network_dump(self.lab)['routes4']
                    if re.match(r'default .* dev eth0', line)]
        self.assertEqual(defaults, [line for line in self.before['routes4']
                                    if line.startswith('default ')])


if __name__ == '__main__':
    tap.main()
