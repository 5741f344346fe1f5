#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every way to keep our own packets out of our own tunnel (`loop-avoidance`)."""
import os
import re
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.bus import BusError  # noqa: E402

URLS = [f'http://{plan.SERVER4}/ip', f'http://[{plan.SERVER6}]/ip']
EGRESS = [plan.PROXY4, plan.PROXY6]
METHODS = ('mark', 'bind-interface', 'host-route', 'half-default')


class Watched(LabCase):
    """A tunnel by one method, and a counter of packets to its upstream that leave by the tun."""

    proxy = plan.DANTED_URI

    def setUp(self):
        self.before = network_dump(self.lab)
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.service.__exit__(None)

    def create(self, method, proxy=None, **settings):
        settings = {'capture': 'default', 'loop_avoidance': method, **settings}
        return self.service.create('work', proxy or self.proxy, **settings)

    def watch(self, tunnel):
        self.lab.run('nft -f -', input=f'''
            table inet watch {{
                counter looped {{ }}
                chain out {{
                    type filter hook output priority 300;
                    oifname "{tunnel.interface}" meta skuid {plan.WORKER_UID} counter name looped
                }}
            }}''')
        self.addCleanup(self.lab.run, 'nft delete table inet watch', check=False)

    def unwatch(self):
        self.lab.run('nft delete table inet watch', check=False)

    def looped(self):
        said = self.lab.run('nft list counter inet watch looped').stdout
        return int(re.search(r'packets (\d+)', said)[1])

    def fetch(self, url, uid=None):
        return self.lab.run(['curl', '-sS', '-g', '-m', '10', url], uid=uid).stdout.strip()

    def carries(self, tunnel):
        """Both families go by the proxy, and nothing of ours by the tun."""
        self.watch(tunnel)
        for url, egress in zip(URLS, EGRESS):
            for _ in range(5):
                self.assertEqual(self.fetch(url), egress)
        self.assertEqual(self.looped(), 0)
        self.assertEqual(tunnel.statistics()['dropped-loop'], 0)
        self.unwatch()

    def mark_is_used(self):
        return bool(re.search('fwmark', self.lab.sh('ip rule; ip -6 rule').stdout))


class Methods(Watched):
    def test_each_carries(self):
        """a default capture by each method carries traffic, and nothing of ours goes round"""
        for method in METHODS:
            with self.subTest(method):
                tunnel = self.create(method)
                self.assertEqual(self.mark_is_used(), method == 'mark')
                self.carries(tunnel)
                tunnel.delete()
                self.assertEqual(changes(self.before, network_dump(self.lab)), [])

    def test_each_by_ipv6(self):
        """the same with an upstream by IPv6"""
        for method in METHODS:
            with self.subTest(method):
                tunnel = self.create(method, plan.DANTED6_URI)
                self.carries(tunnel)
                tunnel.delete()

    def test_each_by_name(self):
        """the same with an upstream by name, which is looked up past the tunnel"""
        for method in METHODS:
            with self.subTest(method):
                tunnel = self.create(method, f'socks5://proxy.example:{plan.DANTED}')
                self.carries(tunnel)
                tunnel.delete()

    def test_routes(self):
        """methods that go with some routes carry those, the upstream among them or not"""
        for method in METHODS[:3]:
            with self.subTest(method):
                tunnel = self.create(method, capture='routes',
                                     routes=[f'{plan.SERVER4}/32', f'{plan.PROXY4}/32',
                                             f'{plan.SERVER6}/128'])
                self.carries(tunnel)
                tunnel.delete()

    def test_loopback(self):
        """an upstream on loopback is reached by each method, bound links included"""
        relay = self.lab.start(['socat', 'TCP-LISTEN:1999,fork,reuseaddr,bind=127.0.0.1',
                                f'TCP:{plan.PROXY4}:{plan.DANTED}'], name='relay',
                               uid=plan.ADMIN_UID)
        self.addCleanup(relay.kill)
        self.lab.wait_for(lambda: ':1999' in self.lab.run('ss -ltn').stdout)
        for method in METHODS[:3]:
            with self.subTest(method):
                tunnel = self.create(method, 'socks5://127.0.0.1:1999', users=[str(plan.USER_UID)],
                                     dns='off')
                self.assertEqual(self.fetch(URLS[0], uid=plan.USER_UID), plan.PROXY4)
                tunnel.delete()


class Table(Watched):
    """The methods by which such tools keep their own packets out, one row each: which setting does
    it, or that none does and why. Descriptors of namespaces and BypassSocket have tests of their
    own."""

    def seen(self, *options, uid=None, url=URLS[0]):
        return self.lab.run(['curl', '-sS', '-g', '-m', '10', *options, url], uid=uid).stdout.strip()

    def passes(self, **settings):
        """The tunnel carries, and the default route is what it was."""
        defaults = self.lab.sh('ip route show default; ip -6 route show default').stdout
        tunnel = self.create(**settings)
        self.carries(tunnel)
        self.assertEqual(self.lab.sh('ip route show default; ip -6 route show default').stdout,
                         defaults)
        return tunnel

    def refused(self, method):
        with self.assertRaisesRegex(BusError, 'InvalidSettings.*loop-avoidance.*expected mark'):
            self.create(method)

    def row_host_routes(self):
        self.passes(method='host-route')

    def row_half_defaults(self):
        self.passes(method='half-default')

    def row_source_rule(self):
        """A socket that is bound to the uplink's address stays outside by itself."""
        self.passes(method='mark')
        self.assertEqual(self.seen('--interface', f'host!{plan.LAB4}'), plan.LAB4)
        self.assertEqual(self.seen('--interface', f'host!{plan.LAB6}', url=URLS[1]), plan.LAB6)

    def row_mark(self):
        self.passes(method='mark')
        self.assertTrue(self.mark_is_used())

    def row_exclude_interface(self):
        """Nor is one that is bound to the uplink captured."""
        self.passes(method='mark')
        self.assertEqual(self.seen('--interface', f'if!{plan.UPLINK}', uid=plan.USER_UID),
                         plan.LAB4)

    def row_suppress_ifgroup(self):
        """Does not fall back to a shorter route of the same table: not used."""
        self.passes(method='mark')
        self.assertNotIn('suppress_ifgroup', self.lab.sh('ip rule; ip -6 rule').stdout)
        self.refused('suppress-ifgroup')

    def row_inverse_mark(self):
        """What enters is told, by user here: everybody else stays outside."""
        self.create('mark', users=[str(plan.USER_UID)])
        self.assertEqual(self.seen(uid=plan.USER_UID), plan.PROXY4)
        self.assertEqual(self.seen(uid=plan.ADMIN_UID), plan.LAB4)

    def row_redirect(self):
        """TCP only, and no device."""
        self.refused('redirect')

    def row_tproxy(self):
        """For gateways, and no device."""
        self.refused('tproxy')

    def row_bind_to_device(self):
        self.passes(method='bind-interface')

    def row_unicast_if(self):
        """Without effect on TCP."""
        self.refused('unicast-if')

    def test_table(self):
        """each known method has its setting, or is refused"""
        for name in dir(self):
            if name.startswith('row_'):
                with self.subTest(name.removeprefix('row_').replace('_', ' ')):
                    try:
                        getattr(self, name)()
                    finally:
                        self.unwatch()
                        for tunnel in self.service.list():
                            tunnel.delete()


class Gateway(Watched):
    """What follows the uplink. The router has a second address."""

    def setUp(self):
        super().setUp()
        self.other = plan.ROUTER4.rsplit('.', 1)[0] + '.2'
        router = self.lab.netns('wan')
        lan = router.run(f'ip -o addr show to {plan.ROUTER4}').stdout.split()[1]
        router.run(f'ip addr add {self.other}/24 dev {lan}')
        self.addCleanup(router.run, f'ip addr del {self.other}/24 dev {lan}')

    def host_route(self):
        return self.lab.run(f'ip -4 route show {plan.PROXY4}/32 table main').stdout

    def test_host_route_moves(self):
        """a host route moves with the gateway, comes back when it is deleted, and goes"""
        tunnel = self.create('host-route')
        self.assertIn(f'via {plan.ROUTER4}', self.host_route())
        self.lab.run(f'ip route replace default via {self.other}')
        try:
            self.lab.wait_for(lambda: f'via {self.other}' in self.host_route())
            self.assertEqual(self.fetch(URLS[0]), plan.PROXY4)
        finally:
            self.lab.run(f'ip route replace default via {plan.ROUTER4}')
        self.lab.wait_for(lambda: f'via {plan.ROUTER4}' in self.host_route())
        self.carries(tunnel)
        tunnel.delete()
        self.assertEqual(self.host_route(), '')

    def bound_to(self):
        """Links that sockets to the proxy are bound to, while something is fetched."""
        busy = self.lab.start(['curl', '-s', '--limit-rate', '10k', '-o', '/dev/null',
                               f'http://{plan.SERVER4}/bytes/10000000'], name='busy')
        try:
            return self.lab.wait_for(lambda: set(re.findall(
                r'%(\w+):', self.lab.run(f'ss -Htn dst {plan.PROXY4}').stdout)), timeout=20)
        finally:
            busy.kill()
            busy.wait()

    def test_bound_follows(self):
        """bound sockets follow the default route to another link"""
        other = f'{plan.UPLINK}m'
        tunnel = self.create('bind-interface')
        self.carries(tunnel)
        self.assertEqual(self.bound_to(), {plan.UPLINK})
        self.lab.sh(f'''ip link add {other} link {plan.UPLINK} type macvlan mode bridge
                        ip addr add 10.77.0.101/24 dev {other}
                        ip link set {other} up
                        ip route replace default via {plan.ROUTER4} dev {other}''')
        try:
            self.lab.wait_for(lambda: other in self.lab.run('ip rule').stdout)
            self.lab.wait_for(lambda: self.bound_to() == {other}, timeout=30)
        finally:
            self.lab.sh(f'''ip link del {other}
                            ip route replace default via {plan.ROUTER4} dev {plan.UPLINK}''')


class Kept(Watched):
    """What is in main as well, and whoever ends."""

    def test_killed(self):
        """after SIGKILL of daemon and worker nothing is left of routes in main"""
        for method in ('host-route', 'half-default'):
            with self.subTest(method):
                self.create(method)
                self.assertNotEqual(changes(self.before, network_dump(self.lab)), [])
                workers = self.service.workers()
                self.service.daemon.kill(signal.SIGKILL)
                for pid in workers:
                    os.kill(pid, signal.SIGKILL)
                self.lab.wait_for(lambda: changes(self.before, network_dump(self.lab)) == [],
                                  timeout=30, what='the guardian')
                self.service.daemon.wait()
                self.service.start()

    def test_upstream_moves(self):
        """an upstream whose name stands for another address gets a route when it is found"""
        px = self.lab.netns('px')
        link = px.run(f'ip -o addr show to {plan.PROXY4}').stdout.split()[1]
        places = [plan.PROXY4.rsplit('.', 1)[0] + end for end in ('.31', '.32')]
        for place in places:
            px.run(f'ip addr add {place}/24 dev {link}')
            self.addCleanup(px.run, f'ip addr del {place}/24 dev {link}')
        hosts = self.lab.read('/etc/hosts')
        self.addCleanup(self.lab.write, '/etc/hosts', hosts)

        def serve(place):
            self.lab.write('/etc/hosts', f'{hosts}\n{place} moving.example\n')
            relay = px.start(['socat', f'TCP-LISTEN:1998,fork,reuseaddr,bind={place}',
                              f'TCP:{plan.PROXY4}:{plan.DANTED}'], name='relay')
            self.addCleanup(relay.kill)
            self.lab.wait_for(lambda: f'{place}:1998' in px.run('ss -ltn').stdout)
            return relay
        first = serve(places[0])
        tunnel = self.create('host-route', 'socks5://moving.example:1998', connect_timeout=2)
        self.carries(tunnel)
        first.kill()
        first.wait()
        serve(places[1])
        self.lab.wait_for(lambda: self.lab.run(['curl', '-sS', '-m', '5', URLS[0]],
                                               check=False).stdout.strip() == plan.PROXY4,
                          timeout=60, what='the new address')
        self.assertIn('via', self.lab.run(f'ip route show {places[1]}/32').stdout)
        self.assertGreater(tunnel.statistics()['dropped-loop'], 0)


class Refused(Watched):
    def refused(self, said, **settings):
        with self.assertRaisesRegex(BusError, said):
            self.create(**settings)
        self.assertEqual(self.service.list(), [])

    def test_no_such_link(self):
        """an outbound-interface that is not there is DeviceUnavailable and leaves nothing"""
        self.refused('DeviceUnavailable.*wwan0', method='mark', outbound_interface='wwan0')

    def test_impossible(self):
        """methods that cannot do what is asked say so"""
        for said, settings in (
                ('InvalidSettings.*direct', dict(method='host-route', rules=['port:22 -> direct'])),
                ('InvalidSettings.*capture=default', dict(method='half-default', capture='routes',
                                                          routes=['10.0.0.0/8'])),
                ('InvalidSettings.*scope=system', dict(method='half-default', scope='user')),
                ('InvalidSettings.*icmp', dict(method='bind-interface', icmp='direct'))):
            with self.subTest(said):
                self.refused(said, **settings)

    def test_outbound_interface(self):
        """sockets bound to outbound-interface carry, with each method; to loopback they are not"""
        for method in METHODS:
            with self.subTest(method):
                tunnel = self.create(method, outbound_interface=plan.UPLINK)
                self.carries(tunnel)
                tunnel.delete()
        with self.assertRaisesRegex(BusError, 'ProxyUnreachable'):
            self.create('mark', outbound_interface='lo')


if __name__ == '__main__':
    tap.main()
