#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Netlink beside a running NetworkManager: it leaves the tunnel alone, and nothing else changes."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402

URL = f'http://{plan.SERVER4}/ip'


class NetworkManagerCase(LabCase):
    def setUp(self):
        self.lab.wait_for(lambda: 'via fe80' in self.lab.run('ip -6 route').stdout)
        self.settle()
        self.before = network_dump(self.lab)
        self.devices = self.nmcli()
        self.service = Service(self.lab, ['--network-backend=netlink']).start()
        self.addCleanup(self.leave)

    def settle(self):
        """Waits until NetworkManager has learned all servers, of both families."""
        self.lab.wait_for(lambda: len(self.lab.run('resolvectl dns eth0').stdout.split()) >= 5)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.service.__exit__(None)
        self.settle()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.lab.wait_for(lambda: self.nmcli() == self.devices)

    def nmcli(self):
        said = self.lab.run('nmcli -t -f DEVICE,TYPE,STATE,CONNECTION device').stdout
        return sorted(said.splitlines())

    def fetch(self):
        return self.lab.run(['curl', '-sS', '-m', '15', URL]).stdout.strip()


class WithNetworkManager(NetworkManagerCase):
    options = {'nm': True, 'resolved': True, 'proxies': ('danted',)}

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


class WithConnectivityCheck(NetworkManagerCase):
    """NetworkManager asks http://www.example/ out of its own link, and rewrites the default route
    when that leads nowhere."""

    options = {'nm': True, 'resolved': True, 'connectivity': True, 'proxies': ('danted',)}

    def connectivity(self):
        return self.lab.run('nmcli networking connectivity check').stdout.strip()

    def settle(self):
        super().settle()
        self.lab.wait_for(lambda: self.connectivity() == 'full'
                          and 'metric 20100' not in self.default_route()
                          + self.lab.run('ip -6 route show default').stdout)
        self.route = self.default_route()

    def default_route(self):
        return self.lab.run('ip route show default').stdout

    def addresses(self, name):
        said = self.lab.run(['getent', 'ahostsv4', name], check=False).stdout
        return sorted({line.split()[0] for line in said.splitlines()})

    def assert_full(self):
        for _ in range(3):
            self.assertEqual(self.connectivity(), 'full')
            self.assertEqual(self.default_route(), self.route)

    def test_capture(self):
        """its connectivity stays full and the default route the same, byte for byte"""
        tunnel = self.service.create('work', plan.DANTED_URI, capture='default')
        self.assertEqual(self.fetch(), plan.PROXY4)
        self.assertEqual(self.addresses('www.example'), [plan.SERVER4])
        self.assertTrue(self.addresses('v4.example')[0].startswith('198.1'))
        self.assert_full()
        tunnel.delete()
        self.assert_full()

    def test_users_names(self):
        """names of the user's own take the place of the built-in ones, not of the uplink's"""
        self.service.create('work', plan.DANTED_URI, capture='default',
                            dns_exclude=['bulk.example'])
        self.assertEqual(self.addresses('a.bulk.example'), [plan.SERVER4])
        self.assertEqual(self.addresses('host.lan.example'), [plan.ROUTER4])  # by DHCP
        self.assertTrue(self.addresses('v4.example')[0].startswith('198.1'))
        self.assert_full()

    def test_follows(self):
        """another host to be asked, told while the tunnel is up, is let through too"""
        # a name with both families, or NetworkManager finds IPv6 limited
        self.service.create('work', plan.DANTED_URI, capture='default')
        self.assertTrue(self.addresses('a.bulk.example')[0].startswith('198.1'))
        path = '/run/lab/NetworkManager.conf'
        conf = self.lab.read(path)
        self.addCleanup(self.reload, path, conf)
        self.reload(path, conf.replace('www.example', 'a.bulk.example'))
        self.lab.wait_for(lambda: self.addresses('a.bulk.example') == [plan.SERVER4], timeout=10)
        self.lab.wait_for(lambda: self.connectivity() == 'full', timeout=10)

    def reload(self, path, conf):
        self.lab.write(path, conf)
        self.lab.run('nmcli general reload conf')


if __name__ == '__main__':
    tap.main()
