#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""NetworkManager as the owner of tunnels: what it installs, changes and leaves to others."""
import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.bus import BusError  # noqa: E402
from t2plab.nmcase import NmCase  # noqa: E402


class Captures(NmCase):
    def test_none(self):
        """capture=none changes no rule and no resolver, and carries what is bound to the tun"""
        tunnel = self.create()
        self.assertEqual(tunnel.prop('ResolverBackend'), '')
        self.assertEqual([line for line in
                          changes(self.before, network_dump(self.lab), tunnel.interface)], [])
        self.assertEqual(self.uplink_routes(), self.route)
        self.assert_outside()
        self.assertEqual(self.fetch(f'http://{plan.SERVER4}/ip', '--interface',
                                    tunnel.interface), plan.PROXY4)

    def test_routes(self):
        """capture=routes carries the routes of both families, and nothing else"""
        self.create(capture='routes', routes=[f'{plan.SERVER4}/32', f'{plan.SERVER6}/128'])
        self.assert_carried()
        self.assertEqual(self.uplink_routes(), self.route)

    def test_default(self):
        """capture=default carries both families and names, by rules in the profile alone"""
        tunnel = self.create(capture='default')
        self.assertEqual(tunnel.prop('ResolverBackend'), 'networkmanager')
        self.assert_carried()
        self.assertEqual(self.fetch('http://v4.example/ip'), plan.PROXY4)
        self.assertEqual(self.uplink_routes(), self.route)
        self.assertEqual(self.rp_filter(tunnel.interface), '2')
        rules = network_dump(self.lab)['rules4']
        self.assertEqual([line for line in rules if 'proto 142' in line], [])
        self.assertIn('proto static', ' '.join(rules))


    def test_refused_ipv6(self):
        """ipv6=reject ends IPv6 at once, and carries IPv4"""
        tunnel = self.create(capture='default', ipv6='reject')
        self.assert_carried((4,))
        self.assertEqual(self.lab.client('connect', plan.SERVER6, str(plan.HTTP))[0],
                         'unreachable')
        self.assertIn('unreachable default', ' '.join(self.lab.run(
            'ip -6 route show table all').stdout.split()))
        self.assertEqual(self.rp_filter(tunnel.interface), '2')

    def test_one_user(self):
        """scope=user carries the owner's sockets by rules in the profile, and nobody else's"""
        self.create(capture='default', scope='user')  # root's own
        self.assert_carried()
        said = self.lab.run(['curl', '-sS', '-m', '10', f'http://{plan.SERVER4}/ip'],
                            uid=plan.USER_UID).stdout.strip()
        self.assertEqual(said, self.uplink_address())


class Changes(NmCase):
    def rules(self, address):
        return [line for line in network_dump(self.lab)['rules6'] if f'from {address} ' in line]

    def test_address_of_uplink(self):
        """an address that the uplink gets and loses is followed by a Reapply"""
        tunnel = self.create(capture='default')
        self.lab.run('ip -6 address add 2001:db8:77::77/128 dev eth0 nodad')
        self.lab.wait_for(lambda: len(self.rules('2001:db8:77::77')) == 2, timeout=5)
        self.assertEqual(self.fetch(f'http://[{plan.SERVER6}]/ip', '--interface',
                                    '2001:db8:77::77'), '2001:db8:77::77')
        self.assert_carried()
        self.lab.run('ip -6 address del 2001:db8:77::77/128 dev eth0')
        self.lab.wait_for(lambda: self.rules('2001:db8:77::77') == [], timeout=5)
        self.assert_carried()
        self.assertEqual(self.rp_filter(tunnel.interface), '2')

    def test_removed_rule(self):
        """rules that somebody deletes come back"""
        self.create(capture='default')
        before = network_dump(self.lab)['rules4']
        unreachable = next(line for line in before if 'unreachable' in line)
        self.lab.run(['ip', 'rule', 'del', 'pref', unreachable.split(':')[0]])
        self.lab.wait_for(lambda: network_dump(self.lab)['rules4'] == before, timeout=5)
        self.assert_carried()

    def reapplies(self):
        return self.lab.log('nm').count('op="device-reapply"')

    def test_removed_route(self):
        """routes and addresses that somebody deletes come back, by as few Reapplies"""
        tunnel = self.create(capture='default')
        before, began = network_dump(self.lab), self.reapplies()
        self.lab.sh(f'ip route del default table {self.table()};'
                    f'ip -6 route flush table {self.table()};'
                    f'ip -4 address flush dev {tunnel.interface}')
        self.lab.wait_for(lambda: not changes(before, network_dump(self.lab)), timeout=5)
        self.assert_carried()
        time.sleep(1)  # for those that would follow
        self.assertLessEqual(self.reapplies() - began, 3)

    def table(self):
        return next(re.search(r'lookup (\d+)', line).group(1)
                    for line in network_dump(self.lab)['rules4'] if 'iif lo lookup' in line)

    def test_foreign_rule(self):
        """rules of another program are followed by our own sockets, ours are not"""
        self.create(capture='default')
        self.lab.run('ip rule add pref 20000 fwmark 0x77/0xff lookup 52')
        self.addCleanup(self.lab.run, 'ip rule del pref 20000')
        self.lab.run('ip -6 address add 2001:db8:77::78/128 dev eth0 nodad')
        self.lab.wait_for(lambda: len(self.rules('2001:db8:77::78')) == 2, timeout=5)
        self.lab.run('ip -6 address del 2001:db8:77::78/128 dev eth0')
        self.lab.wait_for(lambda: self.rules('2001:db8:77::78') == [], timeout=5)
        marked = [line for line in network_dump(self.lab)['rules4'] if 'fwmark 0x77' not in line
                  and 'fwmark' in line]
        self.assertEqual(len(marked), 2)  # main, then unreachable
        self.assert_carried()
        self.assertNotIn('in the way', self.service.daemon.log())

    def test_many_routes(self):
        """4,000 routes are installed, changed with the uplink, and gone with the tunnel"""
        routes = [f'198.51.{third}.{fourth}/32' for third in range(101, 117)
                  for fourth in range(250)]
        self.create(capture='routes', routes=[f'{plan.SERVER4}/32', f'{plan.SERVER6}/128',
                                              *routes])
        count = f'ip route show table {self.table()} | wc -l'
        self.assertEqual(self.lab.sh(count).stdout.strip(), '4001')
        self.lab.run('ip -6 address add 2001:db8:77::80/128 dev eth0 nodad')
        self.lab.wait_for(lambda: len(self.rules('2001:db8:77::80')) == 1)
        self.lab.run('ip -6 address del 2001:db8:77::80/128 dev eth0')
        self.lab.wait_for(lambda: self.rules('2001:db8:77::80') == [])
        self.assertEqual(self.lab.sh(count).stdout.strip(), '4001')
        self.assert_carried()

    def test_two_tunnels(self):
        """a second tunnel finds no conflict in what NetworkManager installed for the first"""
        first = self.create('one', capture='routes', routes=[f'{plan.SERVER4}/32'])
        second = self.create('two', capture='routes', routes=[f'{plan.SERVER6}/128'])
        self.assertNotEqual(first.interface, second.interface)
        self.assert_carried()
        first.delete()
        self.assert_outside()
        self.assert_carried((6,))

    def test_taken_down(self):
        """a tunnel that somebody takes down in NetworkManager fails, and says so"""
        tunnel = self.create(capture='default')
        self.lab.run(['nmcli', 'device', 'disconnect', tunnel.interface])
        self.service.wait_state(tunnel, 'failed')
        self.assertEqual(tunnel.prop('StateReason'), 'network-backend-failed')
        self.assertIn('had NetworkManager take', self.service.daemon.log())
        self.assert_outside()

    def test_link_deleted(self):
        """a tunnel whose link somebody deletes fails and leaves nothing"""
        tunnel = self.create(capture='default')
        self.lab.run(['ip', 'link', 'del', tunnel.interface])
        self.service.wait_state(tunnel, 'failed')
        self.assert_outside()


class Fallbacks(NmCase):
    def refused(self, text):
        path = '/run/lab/NetworkManager.conf'
        conf = self.lab.read(path)
        self.addCleanup(self.reload, path, conf)
        self.reload(path, conf.replace('unmanaged-devices=interface-name:eth1', text))

    def reload(self, path, conf):
        self.lab.write(path, conf)
        self.lab.run('nmcli general reload conf')

    def test_unmanaged(self):
        """where a user has NetworkManager leave such devices alone, netlink carries the tunnel"""
        self.refused('unmanaged-devices=interface-name:eth1,interface-name:t2p*')
        tunnel = self.service.create('work', plan.DANTED_URI, capture='default')
        self.assertEqual(tunnel.prop('NetworkBackend'), 'netlink')
        self.assertEqual(tunnel.prop('ResolverBackend'), 'resolved')
        self.assertIn('strictly unmanaged', self.service.daemon.log())
        self.assert_carried()
        tunnel.delete()

    def test_default_backend(self):
        """the service tells who would own a tunnel, and follows NetworkManager"""
        self.lab.wait_for(lambda: self.service.prop('DefaultNetworkBackend') == 'networkmanager')
        self.lab.halt('nm')
        self.lab.wait_for(lambda: self.service.prop('DefaultNetworkBackend') == 'netlink')
        tunnel = self.service.create('work', plan.DANTED_URI, capture='default')
        self.assertEqual(tunnel.prop('NetworkBackend'), 'netlink')
        tunnel.delete()
        self.lab.resume('nm')
        self.lab.wait_for(lambda: self.service.prop('DefaultNetworkBackend') == 'networkmanager')


class Forced(NmCase):
    args = ('--network-backend=networkmanager',)

    def test_not_running(self):
        """who was told to use a NetworkManager that does not run says that it does not"""
        self.lab.halt('nm')
        with self.assertRaises(BusError) as caught:
            self.service.create('work', plan.DANTED_URI)
        self.assertIn('NetworkManagerFailed', caught.exception.name)
        self.assertIn('not running', str(caught.exception))
        self.lab.resume('nm')
        self.lab.wait_for(lambda: self.lab.run('nmcli device', check=False).returncode == 0)
        self.lab.wait_for(lambda: self.service.prop('DefaultNetworkBackend') == 'networkmanager')
        self.create()

    def test_netlink(self):
        """who was told to use netlink does, with a NetworkManager running"""
        self.service.stop()
        self.service.bus.close()
        self.service = Service(self.lab, ('--network-backend=netlink',)).start()
        tunnel = self.service.create('work', plan.DANTED_URI, capture='default')
        self.assertEqual(tunnel.prop('NetworkBackend'), 'netlink')
        self.assertIn(f'{tunnel.interface}:tun:unmanaged:', self.nmcli())
        self.assert_carried()


class PlainUplink(NmCase):
    """An uplink without a domain: NetworkManager then tells resolved none of its servers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.sh(f'nmcli connection modify lan ipv4.ignore-auto-dns yes ipv4.dns {plan.ROUTER4} '
                   'ipv6.ignore-auto-dns yes; nmcli connection up lan')

    def settle(self):
        self.lab.wait_for(lambda: 'via fe80' in self.lab.run('ip -6 route').stdout)
        self.lab.wait_for(lambda: plan.ROUTER4 in self.lab.run('resolvectl dns eth0').stdout)

    def test_excluded_names(self):
        """its servers are asked for excluded names all the same, after a restart, too"""
        tunnel = self.create(capture='default', dns_exclude=['bulk.example'])
        for _ in range(2):
            self.assertNotIn(plan.ROUTER4, self.lab.run('resolvectl dns eth0').stdout)
            self.lab.wait_for(lambda: plan.SERVER4 in self.lab.run(
                'getent ahostsv4 a.bulk.example', check=False).stdout)
            self.assertEqual(self.fetch('http://v4.example/ip'), plan.PROXY4)
            self.lab.restart('nm')
            self.lab.wait_for(lambda: f'{tunnel.interface}:tun:connected' in self.lab.run(
                'nmcli -t -f DEVICE,TYPE,STATE device', check=False).stdout, timeout=15)
            time.sleep(1)  # for what is learned afterwards

    def test_dnssec(self):
        """where resolved validates signatures, it does not of virtual addresses"""
        self.lab.write('/etc/systemd/resolved.conf.d/zz.conf', '[Resolve]\nDNSSEC=yes\n')
        self.addCleanup(self.lab.restart, 'resolved')
        self.addCleanup(self.lab.sh, 'rm /etc/systemd/resolved.conf.d/zz.conf')
        self.lab.restart('resolved')
        tunnel = self.create(capture='default')
        said = self.lab.run(['resolvectl', 'dnssec', tunnel.interface]).stdout
        self.assertIn('no', said.split())
        self.assertEqual(self.fetch('http://v4.example/ip'), plan.PROXY4)
        tunnel.delete()


class FlatResolver(NmCase):
    """NetworkManager writes resolv.conf itself: a list that cannot be split."""

    options = {'nm': True, 'proxies': ('danted',)}

    def test_default(self):
        """resolv.conf names the tunnel's responder alone, and the uplink's after it"""
        tunnel = self.create(capture='default')
        self.assertEqual(tunnel.prop('ResolverBackend'), 'networkmanager')
        servers = re.findall(r'^nameserver (\S+)', self.lab.read('/etc/resolv.conf'), re.M)
        self.assertEqual(len(servers), 1)
        self.assertTrue(servers[0].startswith('198.1'))
        self.assertEqual(self.fetch('http://v4.example/ip'), plan.PROXY4)
        self.assertIn(plan.ROUTER4, self.lab.run('getent ahostsv4 host.lan.example').stdout)
        tunnel.delete()
        self.assertNotIn(servers[0], self.lab.read('/etc/resolv.conf'))

    def test_some_domains(self):
        """names of some domains only are refused, as by every flat resolv.conf"""
        with self.assertRaises(BusError) as caught:
            self.service.create('work', plan.DANTED_URI, capture='default',
                                dns_domains=['corp.example'])
        self.assertIn('DnsSetupFailed', caught.exception.name)


class ConnectivityCheck(NmCase):
    """NetworkManager asks http://www.example/ out of its own link, and rewrites the default route
    when that leads nowhere."""

    options = {'nm': True, 'resolved': True, 'connectivity': True, 'proxies': ('danted',)}

    def settle(self):
        super().settle()
        self.lab.wait_for(lambda: self.connectivity() == 'full'
                          and 'metric 20100' not in self.uplink_routes(), timeout=20)

    def connectivity(self):
        return self.lab.run('nmcli networking connectivity check').stdout.strip()

    def assert_full(self):
        for _ in range(3):
            self.assertEqual(self.connectivity(), 'full')
            self.assertEqual(self.uplink_routes(), self.route)

    def test_capture(self):
        """its connectivity stays full and the default routes the same, byte for byte"""
        tunnel = self.create(capture='default')
        self.assert_carried()
        self.assert_full()
        tunnel.delete()
        self.assert_full()


if __name__ == '__main__':
    tap.main()
