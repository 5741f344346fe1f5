#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main job, small: what a tunnel captures, what it leaves alone, that it goes without trace."""
import hashlib
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import BusError, LabCase, Service, changes, network_dump, peer, plan, tap  # noqa: E402

V4_URL, V6_URL = f'http://{plan.SERVER4}', f'http://[{plan.SERVER6}]'
MIB = 1 << 20


class TunnelCase(LabCase):
    """Each test has a service of its own, and must leave the network as it found it."""

    def setUp(self):
        self.before = network_dump(self.lab)
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.service.__exit__(None)

    def seen_as(self, url, *more):
        """The address by which the server sees a fetch from the lab."""
        return self.lab.run(['curl', '-sS', '-m', '15', *more, url + '/ip']).stdout.strip()

    def fetch(self, url, size):
        got = self.lab.run(['curl', '-sS', '-m', '60', f'{url}/bytes/{size}'], text=False,
                           timeout=70).stdout
        self.assertEqual(len(got), size)
        self.assertEqual(hashlib.sha256(got).hexdigest(), peer.sha256(size))

    def added(self, tunnel):
        return changes(self.before, network_dump(self.lab), tunnel.interface)


class WithoutResolver(TunnelCase):
    def test_default_options(self):
        """default options change no route, rule, nft table or resolver"""
        tunnel = self.service.create('work', plan.DANTED_URI)
        self.assertEqual(tunnel.state, 'active')
        self.assertEqual(self.added(tunnel), [])
        self.assertEqual(self.seen_as(V4_URL), plan.LAB4)
        self.assertEqual(self.seen_as(V6_URL), plan.LAB6)

    def test_bound_socket(self):
        """without capture a socket bound to the interface goes through the proxy"""
        tunnel = self.service.create('work', plan.DANTED_URI)
        bound = ['--interface', 'if!' + tunnel.interface]
        # IPv6 wants a route even then, which a tunnel without capture does not make
        self.assertEqual(self.seen_as(V4_URL, *bound), plan.PROXY4)

    def test_routes(self):
        """capture=routes captures those destinations and no other, in both families"""
        self.service.create('work', plan.DANTED_URI, capture='routes',
                            routes=[plan.SERVER4 + '/32'])
        self.assertEqual(self.seen_as(V4_URL), plan.PROXY4)
        self.assertEqual(self.seen_as(V6_URL), plan.LAB6)

    def test_routes6(self):
        """capture=routes captures IPv6 destinations"""
        self.service.create('work', plan.DANTED_URI, capture='routes',
                            routes=['2001:db8:113::/64'])
        self.assertEqual(self.seen_as(V4_URL), plan.LAB4)
        self.assertEqual(self.seen_as(V6_URL), plan.PROXY6)

    def test_default_capture(self):
        """capture=default fetches by IPv4 and IPv6 address, content intact"""
        self.service.create('work', plan.DANTED_URI, capture='default')
        self.assertEqual(self.seen_as(V4_URL), plan.PROXY4)
        self.assertEqual(self.seen_as(V6_URL), plan.PROXY6)
        self.fetch(V4_URL, 2 * MIB)
        self.fetch(V6_URL, 2 * MIB)

    def test_exclude(self):
        """exclude-routes stay outside a default capture"""
        self.service.create('work', plan.DANTED_URI, capture='default',
                            exclude_routes=[plan.SERVER4 + '/32'])
        self.assertEqual(self.seen_as(V4_URL), plan.LAB4)
        self.assertEqual(self.seen_as(V6_URL), plan.PROXY6)

    def test_upstream6(self):
        """an upstream that has an IPv6 address serves as well"""
        self.service.create('work', plan.DANTED6_URI, capture='default')
        self.assertEqual(self.seen_as(V4_URL), plan.PROXY4)
        self.assertEqual(self.seen_as(V6_URL), plan.PROXY6)

    def test_upstream_name(self):
        """an upstream given by name is looked up outside the tunnel"""
        self.service.create('work', f'socks5://proxy.example:{plan.DANTED}', capture='default')
        self.assertEqual(self.seen_as(V4_URL), plan.PROXY4)

    def test_password(self):
        """a proxy gets its password, and nobody else does"""
        tunnel = self.service.create('work', plan.MICROSOCKS_URI, capture='default')
        self.assertEqual(self.seen_as(V4_URL), plan.PROXY4)
        told = f'{tunnel.settings()} {tunnel.details()}'
        told += str(self.service.bus.call('/org/tun2proxy', 'org.freedesktop.DBus.ObjectManager',
                                          'GetManagedObjects'))
        told += self.service.daemon.log()
        told += self.lab.sh('cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null || :').stdout
        told += self.lab.sh('grep -rs . /run/tun2proxy /var/lib/tun2proxy || :').stdout
        self.assertNotIn(plan.PROXY_PASSWORD, told)

    def test_names_in_resolv_conf(self):
        """without systemd-resolved names go to the proxy too, and resolv.conf comes back"""
        self.service.create('work', plan.DANTED_URI, capture='default')
        self.assertIn(self.seen_as(f'http://{plan.PROXY_ONLY_NAME}'), (plan.PROXY4, plan.PROXY6))

    def test_second_default(self):
        """a second default capture of the system is refused and names the first"""
        self.service.create('first', plan.DANTED_URI, capture='default')
        with self.assertRaises(BusError) as refused:
            self.service.create('second', plan.DANTED_URI, capture='default')
        self.assertEqual(refused.exception.name, 'org.tun2proxy.Error.RouteConflict')
        self.assertIn('first', refused.exception.message)

    def test_connections(self):
        """connections are listed with what they were asked for, counted and closed"""
        tunnel = self.service.create('work', plan.DANTED_URI, capture='default')
        holder = self.lab.start(['/usr/bin/python3', '-B', self.client, 'hold', plan.SERVER4,
                                 str(plan.ECHO), '3'], name='holder')
        self.lab.wait_for(lambda: '3' in holder.log(), what='the connections')
        rows = tunnel.connections()
        self.assertEqual({row['destination'] for row in rows},
                         {f'{plan.SERVER4}:{plan.ECHO}'})
        self.assertEqual(len(rows), 3)
        self.assertEqual(tunnel.statistics()['connections-active'], 3)
        closed = tunnel.call('CloseConnections', 'a{sv}a{sv}', {}, {})
        self.assertEqual(closed, 3)
        self.lab.wait_for(lambda: tunnel.statistics()['connections-active'] == 0)
        holder.kill()
        holder.wait()

    def test_deactivate(self):
        """a tunnel that is deactivated comes up again with the same settings"""
        tunnel = self.service.create('work', plan.DANTED_URI, capture='default')
        tunnel.deactivate()
        self.assertEqual(tunnel.state, 'inactive')
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        tunnel.activate(wait=True)
        self.assertEqual(self.seen_as(V4_URL), plan.PROXY4)

    @property
    def client(self):
        return os.path.join(os.path.dirname(os.path.abspath(__file__)), 't2plab', 'client.py')


class WithResolved(TunnelCase):
    options = {'resolved': True}

    def test_names(self):
        """names go to the proxy as names, by systemd-resolved"""
        self.service.create('work', plan.DANTED_URI, capture='default')
        self.assertIn(self.seen_as(f'http://{plan.PROXY_ONLY_NAME}'), (plan.PROXY4, plan.PROXY6))
        self.assertEqual(self.seen_as('http://v4.example'), plan.PROXY4)
        self.assertEqual(self.seen_as('http://v6.example'), plan.PROXY6)
        self.fetch('http://www.example', 2 * MIB)

    def test_no_leak(self):
        """no query for a captured name leaves by the uplink"""
        self.service.create('work', plan.DANTED_URI, capture='default')
        mark = len(self.lab.log('router-dns'))
        for name in ('secret-a.bulk.example', 'secret-b.bulk.example'):
            self.lab.run(['curl', '-sS', '-m', '15', '-o', '/dev/null', f'http://{name}/'])
        asked = [line for line in self.lab.log('router-dns')[mark:].splitlines()
                 if 'secret-' in line and 'from 198.51.100' not in line
                 and 'from 2001:db8:51:' not in line and 'query' in line]
        self.assertEqual(asked, [])

    def test_default_options(self):
        """default options leave systemd-resolved alone"""
        tunnel = self.service.create('work', plan.DANTED_URI)
        self.assertEqual(self.added(tunnel), [])
        tunnel.delete()


if __name__ == '__main__':
    tap.main()
