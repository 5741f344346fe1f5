#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Beside what others have made: dumps of routes, rules, nft, resolv.conf and resolvectl are equal
before and after a tunnel, however it ends, and what others made works all the while.

Normalised, see dump.py: times to live of routes, counters, the numbers of links; links of which
resolved knows nothing. The kernel's own routes of the tunnel's link go with it."""
import contextlib
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.bus import vardict  # noqa: E402
from t2plab.service import RUNTIME_DIR  # noqa: E402

ADOPT_TIMEOUT = 1
STEPS = ('resolve-upstream', 'create-device', 'start-worker', 'probe-upstream', 'configure-link',
         'install-bypass', 'install-capture', 'apply-dns')
GUEST4, GUEST6 = '172.17.0.2', 'fd00:17::2'
GUEST_ROUTER4, GUEST_ROUTER6 = '172.17.0.1', 'fd00:17::1'
V4_URL, V6_URL = f'http://{plan.SERVER4}/ip', f'http://[{plan.SERVER6}]/ip'

# What other programs may have made, each with what takes it away again.
FOREIGN = {
    'default route': (
        'ip addr add 10.78.0.100/24 dev eth1; ip link set eth1 up; '
        'ip route add default via 10.78.0.1 dev eth1 metric 4000',
        'ip addr flush dev eth1; ip link set eth1 down'),
    'table and rules': (
        'ip route add 203.0.113.77 via 10.77.0.1 table 4242; ip rule add to 203.0.113.77 lookup '
        '4242 pref 30000; ip -6 rule add fwmark 0x99 lookup 4242 pref 31000; '
        'ip rule add pref 5210 fwmark 0x80000/0xff0000 lookup main; '
        'ip rule add pref 5270 lookup 52',
        'ip rule del pref 30000; ip -6 rule del pref 31000; ip rule del pref 5210; '
        'ip rule del pref 5270; ip route flush table 4242'),
    'unreachable': (
        'ip route add unreachable 192.0.2.0/24; ip -6 route add blackhole 2001:db8:dead::/48',
        'ip route del unreachable 192.0.2.0/24; ip -6 route del blackhole 2001:db8:dead::/48'),
    'nft table': (
        "nft 'table inet foreign { chain out { type route hook output priority mangle; meta skuid "
        "4001 counter meta mark set meta mark; }; chain in { type filter hook input priority 0; "
        "ct state established accept; }; }; table ip nat { chain post { type nat hook postrouting "
        "priority srcnat; oifname \"eth9\" masquerade; }; }'",
        'nft delete table inet foreign; nft delete table ip nat'),
    'bridge': (
        'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; '
        'ip netns add guest; ip link add docker0 type bridge; ip link set docker0 up; '
        f'ip addr add {GUEST_ROUTER4}/16 dev docker0; ip addr add {GUEST_ROUTER6}/64 dev docker0; '
        'ip link add veth0 type veth peer name eth0 netns guest; '
        'ip link set veth0 master docker0 up; ip -n guest link set lo up; '
        f'ip -n guest addr add {GUEST4}/16 dev eth0; ip -n guest addr add {GUEST6}/64 dev eth0 nodad; '
        'ip -n guest link set eth0 up; '
        f'ip -n guest route add default via {GUEST_ROUTER4}; '
        f'ip -n guest route add ::/0 via {GUEST_ROUTER6} dev eth0; '
        "nft 'table inet docker { chain post { type nat hook postrouting priority srcnat; "
        "oifname != \"docker0\" ip saddr 172.17.0.0/16 masquerade; "
        "oifname != \"docker0\" ip6 saddr fd00:17::/64 masquerade; }; }'",
        'ip link del docker0; ip netns del guest; nft delete table inet docker; '
        'sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0'),
}


class CoexistenceCase(LabCase):
    def setUp(self):
        self.cleanup = contextlib.ExitStack()
        self.addCleanup(self.cleanup.close)
        self.settle()
        self.before = network_dump(self.lab)
        self.service = None

    def settle(self):
        """What comes by itself has come."""
        self.lab.wait_for(lambda: network_dump(self.lab) == network_dump(self.lab))

    def make_foreign(self, what):
        make, unmake = FOREIGN[what]
        self.lab.sh(make)
        self.cleanup.callback(self.lab.sh, unmake)
        self.settle()
        self.before = network_dump(self.lab)

    def fetch(self, url=V4_URL, **kwargs):
        return self.lab.run(['curl', '-sS', '-m', '5', url], check=False, **kwargs).stdout.strip()

    def fetch_as_guest(self, url):
        return self.fetch(url, netns='guest')

    def start(self, *args):
        self.service = Service(self.lab, [f'--adopt-timeout={ADOPT_TIMEOUT}', *args]).start()
        self.cleanup.callback(self.end)

    def create(self, name='work', **settings):
        return self.service.create(name, plan.DANTED_URI, **{'capture': 'default', **settings})

    def end(self):
        if self.service.daemon.is_running():
            self.service.stop()
        for pid in self.service.workers():
            os.kill(pid, signal.SIGKILL)
        self.lab.sh(f'rm -rf {RUNTIME_DIR}')
        self.service.bus.close()

    def found_changes(self):
        return changes(self.before, network_dump(self.lab))

    def assert_same(self, timeout=ADOPT_TIMEOUT + 6):
        with contextlib.suppress(TimeoutError):
            self.lab.wait_for(lambda: not self.found_changes(), timeout, interval=0.2)
        self.assertEqual(self.found_changes(), [])

    def kill_all(self):
        workers = self.service.workers()
        self.service.daemon.kill()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        self.service.daemon.wait()

    def up_and_down(self):
        """Up and down, then killed: always as before."""
        self.start()
        tunnel = self.create()
        self.assertEqual(self.fetch(), plan.PROXY4)
        self.while_up()
        tunnel.delete()
        self.assert_same(2)
        self.create()
        self.kill_all()
        self.assert_same()
        self.assertEqual(self.fetch(), plan.LAB4)

    def while_up(self):
        pass


class Beside(CoexistenceCase):
    options = {'resolved': True, 'proxies': ('danted',)}

    def test_dump_sees(self):
        """the dump sees each thing that others made"""
        for what, (make, unmake) in FOREIGN.items():
            self.lab.sh(make)
            seen = self.found_changes()
            self.lab.sh(unmake)
            self.assertNotEqual(seen, [], what)
            self.assert_same(2)

    def test_default_route(self):
        """beside another default route"""
        self.make_foreign('default route')
        self.up_and_down()

    def test_table(self):
        """beside another's table and rules, before and behind ours, marks included"""
        self.make_foreign('table and rules')
        self.up_and_down()

    def test_unreachable(self):
        """beside routes that lead nowhere, which still lead nowhere"""
        self.make_foreign('unreachable')
        self.while_up = lambda: self.assertEqual(
            self.lab.client('connect', '192.0.2.1', '80')[0], 'unreachable')
        self.up_and_down()

    def test_nft(self):
        """beside another's nft tables"""
        self.make_foreign('nft table')
        self.up_and_down()

    def check_guest(self):
        self.assertEqual(self.fetch_as_guest(V4_URL), plan.LAB4)
        self.assertEqual(self.fetch_as_guest(V6_URL), plan.LAB6)
        self.assertEqual(self.lab.run(['ping', '-c1', '-W1', GUEST4], check=False).returncode, 0)

    def test_bridge(self):
        """beside a bridge with a guest, whose traffic goes as before, both families"""
        self.make_foreign('bridge')
        self.check_guest()
        self.while_up = self.check_guest
        self.up_and_down()

    def test_second_tunnel(self):
        """beside a tunnel of our own, which goes on to work"""
        self.start()
        first = self.create('first', capture='routes', routes=['203.0.113.0/25'])
        self.assertEqual(self.fetch(), plan.PROXY4)
        between = network_dump(self.lab)
        second = self.create('second', capture='none')
        self.assertEqual(self.fetch(), plan.PROXY4)
        second.delete()
        self.assertEqual(changes(between, network_dump(self.lab)), [])
        first.delete()
        self.assert_same(2)

    def test_resolv_conf(self):
        """resolv.conf is the same file, byte for byte"""
        stat = 'stat -c %i:%a:%U:%s /etc/resolv.conf; cat /etc/resolv.conf'
        before = self.lab.sh(stat).stdout
        self.up_and_down()
        self.assertEqual(self.lab.sh(stat).stdout, before)


class WithoutResolved(Beside):
    """The resolver is a plain file, which is replaced and given back."""

    options = {'proxies': ('danted',)}

    def test_resolv_conf(self):
        """resolv.conf has the same content, owner and mode"""
        stat = 'stat -c %a:%U:%s /etc/resolv.conf; cat /etc/resolv.conf'
        before = self.lab.sh(stat).stdout
        self.up_and_down()
        self.assertEqual(self.lab.sh(stat).stdout, before)


class WithNetworkManager(CoexistenceCase):
    options = {'nm': True, 'resolved': True, 'proxies': ('danted',)}

    def settle(self):
        self.lab.wait_for(lambda: 'via fe80' in self.lab.run('ip -6 route').stdout)
        self.lab.wait_for(lambda: len(self.lab.run('resolvectl dns eth0').stdout.split()) >= 5)

    def fetch(self, url=V4_URL, **kwargs):
        said = super().fetch(url, **kwargs)
        return plan.LAB4 if said.startswith('10.77.0.') else said

    def test_up_and_down(self):
        """with NetworkManager: up, down and killed"""
        self.up_and_down()

    def restart_nm(self, sig):
        self.lab.restart('nm', sig)
        self.lab.wait_for(lambda: 'eth0:connected' in self.lab.run(
            'nmcli -t -f DEVICE,STATE device', check=False).stdout, timeout=20)

    def test_restarted_between(self):
        """with NetworkManager, restarted by TERM and by KILL in between"""
        self.start()
        tunnel = self.create()
        for sig in (signal.SIGTERM, signal.SIGKILL):
            self.restart_nm(sig)
            self.lab.wait_for(lambda: self.fetch() == plan.PROXY4)
        tunnel.delete()
        self.settle()
        self.assert_same(5)

    def test_restarted_when_killed(self):
        """with NetworkManager that is restarted when the tunnel is gone by a kill"""
        self.start()
        self.create()
        self.kill_all()
        self.restart_nm(signal.SIGKILL)
        self.settle()
        self.assert_same()


    def kill_at(self, step, with_worker):
        self.start('--pause-at=' + step)
        self.service.call('CreateTunnel', 'sa{sv}a{sv}', 'work',
                          vardict({'proxies': [plan.DANTED_URI], 'capture': 'default'}),
                          vardict({'wait': False}))
        self.lab.wait_for(lambda: step in self.lab.sh(
            f'cat {RUNTIME_DIR}/journal/*', check=False).stdout, 15, f'the journal to name {step}')
        if with_worker:
            self.kill_all()
        else:
            self.service.stop(signal.SIGKILL)
        self.assert_same()
        self.end()

    def test_killed_at_each_step(self):
        """with NetworkManager: killed at each step of the bring-up, with and without the worker"""
        for number, step in enumerate(STEPS):
            self.kill_at(step, number % 2 == 0)
            self.kill_at(step, number % 2 == 1)


class WithConnectivityCheck(WithNetworkManager):
    """The same with its connectivity check, which rewrites default routes when it fails."""

    options = {'nm': True, 'resolved': True, 'connectivity': True, 'proxies': ('danted',)}
    test_killed_at_each_step = None  # shown above

    def settle(self):
        super().settle()
        self.lab.wait_for(lambda: self.lab.run(
            'nmcli networking connectivity check').stdout.strip() == 'full'
            and 'metric 20' not in self.lab.sh('ip route; ip -6 route').stdout)


if __name__ == '__main__':
    tap.main()
