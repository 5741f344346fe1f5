#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""NetworkManager as the owner of tunnels: what it installs, keeps, changes and leaves."""
import os
import re
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.bus import BusError, vardict  # noqa: E402
from t2plab.service import RUNTIME_DIR  # noqa: E402

ADOPT_TIMEOUT = 2
STEPS = ('configure-link', 'install-bypass', 'install-capture', 'apply-dns')
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
        return self.lab.run(['cat', f'/proc/sys/net/ipv4/conf/{interface}/rp_filter']).stdout.strip()


class Captures(NmCase):
    def test_none(self):
        """capture=none changes no rule and no resolver, and sends into the tun what is bound to it"""
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


class Restarts(NmCase):
    def restart(self, sig):
        tunnel = self.create(capture='default')
        download = self.lab.start(
            ['curl', '-sS', '--limit-rate', '400k', '-o', '/dev/null', '-w', '%{size_download}',
             f'http://{plan.SERVER4}/bytes/2000000'], name='download')
        rules = network_dump(self.lab)['rules4']
        self.lab.halt('nm', sig)
        self.assert_carried()
        self.assertEqual(network_dump(self.lab)['rules4'], rules)
        self.lab.resume('nm')
        self.lab.wait_for(
            lambda: f'{tunnel.interface}:tun:connected:tun2proxy work' in self.lab.run(
                'nmcli -t -f DEVICE,TYPE,STATE,CONNECTION device', check=False).stdout, timeout=15)
        self.assert_carried()
        self.assertEqual(download.wait(20), 0)
        self.assertTrue(download.log().strip().endswith('2000000'))
        self.assertEqual(tunnel.state, 'active')
        self.lab.wait_for(lambda: self.nmcli_uplink() == 'connected', timeout=15)
        self.lab.run('ip -6 address add 2001:db8:77::79/128 dev eth0 nodad')
        self.lab.wait_for(lambda: 'from 2001:db8:77::79 ' in '\n'.join(
            network_dump(self.lab)['rules6']), timeout=5)
        self.lab.run('ip -6 address del 2001:db8:77::79/128 dev eth0')
        self.assertEqual(self.rp_filter(tunnel.interface), '2')
        self.assertEqual(self.fetch('http://v4.example/ip'), plan.PROXY4)

    def nmcli_uplink(self):
        return next(line.split(':')[2] for line in self.nmcli() if line.startswith('eth0:eth'))

    def test_term(self):
        """a running connection and new ones live through a restart of NetworkManager by TERM"""
        self.restart(signal.SIGTERM)

    def test_kill(self):
        """a running connection and new ones live through a restart of NetworkManager by KILL"""
        self.restart(signal.SIGKILL)

    def test_forgotten(self):
        """a NetworkManager that has forgotten the profile gets it again"""
        tunnel = self.create(capture='default')
        self.lab.halt('nm', signal.SIGKILL)
        self.lab.sh(f'rm -f "{PROFILES}"/tun2proxy*')
        self.lab.resume('nm')
        self.assert_carried()
        self.lab.wait_for(
            lambda: f'{tunnel.interface}:tun:connected:tun2proxy work' in self.lab.run(
                'nmcli -t -f DEVICE,TYPE,STATE,CONNECTION device', check=False).stdout, timeout=20)
        self.lab.wait_for(lambda: self.fetch('http://v4.example/ip') == plan.PROXY4)
        self.assert_carried()
        self.assertEqual(tunnel.state, 'active')

    def test_deleted_while_away(self):
        """a tunnel that is deleted while NetworkManager is away leaves nothing, nor does it later"""
        tunnel = self.create(capture='default')
        self.lab.halt('nm', signal.SIGKILL)
        tunnel.delete()
        rules = network_dump(self.lab)
        self.assertEqual(rules['rules4'], self.before['rules4'])
        self.assertEqual(rules['rules6'], self.before['rules6'])
        self.lab.resume('nm')
        self.lab.wait_for(lambda: self.lab.run('nmcli device', check=False).returncode == 0)

    def test_resolved(self):
        """names still go to the tunnel after a restart of systemd-resolved"""
        self.create(capture='default')
        self.lab.restart('resolved')
        self.lab.wait_for(lambda: self.fetch('http://v4.example/ip') == plan.PROXY4)


class Kills(NmCase):
    """Nothing of ours is running any more: what was done goes with the last descriptor."""

    def leave(self):
        self.lab.wait_for(lambda: self.service.workers() == [], timeout=ADOPT_TIMEOUT + 10,
                          what='workers to end')
        self.service.bus.close()
        self.assert_clean(ADOPT_TIMEOUT + 10)
        self.lab.sh(f'rm -rf {RUNTIME_DIR}')
        self.assert_outside()

    def kill(self, with_worker):
        workers = self.service.workers()
        self.service.daemon.kill()
        for pid in workers if with_worker else ():
            os.kill(pid, signal.SIGKILL)
        self.service.daemon.wait()

    def test_daemon(self):
        """a kill of the daemon leaves nothing once the worker has waited for another"""
        self.create(capture='default')
        self.kill(with_worker=False)

    def test_both(self):
        """a kill of daemon and worker leaves nothing"""
        self.create(capture='default')
        self.kill(with_worker=True)

    def test_all(self):
        """a kill of daemon, worker and NetworkManager leaves nothing"""
        self.create(capture='default')
        self.lab.halt('nm', signal.SIGKILL)
        self.kill(with_worker=True)
        self.lab.wait_for(lambda: network_dump(self.lab)['rules4'] == self.before['rules4'],
                          timeout=ADOPT_TIMEOUT + 10)
        self.lab.resume('nm')
        self.lab.wait_for(lambda: self.lab.run('nmcli device', check=False).returncode == 0)

    def test_steps(self):
        """a kill behind each step that NetworkManager owns, which the journal names, leaves nothing"""
        for step in STEPS:
            with self.subTest(step):
                self.service.stop()
                self.service.bus.close()
                self.service = Service(self.lab, (*self.args, f'--pause-at={step}')).start()
                self.service.call('CreateTunnel', 'sa{sv}a{sv}', 'work',
                                  vardict({'proxies': [plan.DANTED_URI], 'capture': 'default'}),
                                  vardict({'wait': False}))
                self.lab.wait_for(lambda step=step: f'paused at {step}'
                                  in self.service.daemon.log())
                journal = self.lab.sh(f'find {RUNTIME_DIR}/journal -type f | xargs cat').stdout
                self.assertIn(step, journal)
                self.kill(with_worker=True)
                self.assert_clean(ADOPT_TIMEOUT + 10)


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
