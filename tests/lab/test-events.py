#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens to a machine while a tunnel is up: another uplink, a sleep, parts that are restarted,
somebody who deletes what is the tunnel's."""
import contextlib
import os
import pathlib
import re
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import Bus, LabCase, Service, changes, network_dump, plan, tap  # noqa: E402

ETH1_4, ETH1_6, ETH1_ROUTER4 = plan.SECOND4, plan.SECOND6, plan.SECOND_ROUTER4
V4_URL, V6_URL = f'http://{plan.SERVER4}', f'http://[{plan.SERVER6}]'
LOGIND = pathlib.Path(__file__).parent / 't2plab/logind.py'
NEW_WITHIN = 2.0      # seconds, for connections that begin after a change
GIVEN_UP_AFTER = 5    # by the worker, on one that only listens and of which nothing is known
PROVEN_WITHIN = 7.0   # the same as an application sees it
CURLE_PARTIAL_FILE, CURLE_SEND_ERROR, CURLE_RECV_ERROR = 18, 55, 56
STALL = '''table inet stall {
    chain forward {
        type filter hook forward priority 0;
        iifname "lan0" drop
        oifname "lan0" drop
    }
    chain input { type filter hook input priority 0; iifname "lan0" drop; }
}'''


class Download:
    """A download that gets a line every 100 ms, and how it ended."""

    def __init__(self, lab, url, seconds=60):
        self._lab, self._path = lab, f'/run/lab/download-{time.monotonic_ns()}'
        self._curl = lab.start(['curl', '-sS', '-N', '-o', self._path,
                                f'{url}/drip/{seconds * 10}'])
        lab.wait_for(lambda: self.lines() > 2, what='the download to begin')

    def lines(self):
        try:
            return len(self._lab.read(self._path).splitlines())
        except FileNotFoundError:
            return 0

    def is_running(self):
        return self._curl.is_running()

    def goes_on(self):
        had = self.lines()
        self._lab.wait_for(lambda: self.lines() > had + 3, what='more of the download')

    def wait_broken(self, timeout):
        """Until curl says that the connection broke before its time."""
        self._lab.wait_for(lambda: not self.is_running(), timeout, 'the download to break')
        if self._curl.wait() not in (CURLE_PARTIAL_FILE, CURLE_RECV_ERROR):
            raise AssertionError(f'curl: {self._curl.wait()}\n{self._curl.log()}')

    def stop(self):
        self._curl.kill()
        self._curl.wait()


class EventCase(LabCase):
    proxy = plan.DANTED_URI
    options = {'resolved': True, 'proxies': ('danted',)}

    def setUp(self):
        self.before = network_dump(self.lab)
        self.cleanup = contextlib.ExitStack()
        self.addCleanup(self.cleanup.close)
        self.service = Service(self.lab).start()
        self.cleanup.callback(self.leave)
        self.tunnel = self.service.create('work', self.proxy, capture='default')
        self.states = self.service.bus.record('org.tun2proxy.Tunnel', 'StateChanged',
                                              self.tunnel.path)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.restore()
        self.service.__exit__(None)
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])

    def download(self, url=V4_URL):
        download = Download(self.lab, url)
        self.cleanup.callback(download.stop)
        return download

    def fetch(self, url=V4_URL, seconds=2):
        said = self.lab.run(['curl', '-sS', '-m', str(seconds), f'{url}/ip'], check=False).stdout
        return said.strip()

    def works_within(self, seconds, url=V4_URL):
        """Tries again and again, as an application does. How long it took."""
        began = time.monotonic()
        self.lab.wait_for(lambda: self.fetch(url, 1) in (plan.PROXY4, plan.PROXY6), seconds,
                          'a new connection')
        return time.monotonic() - began

    def seen_states(self):
        self.service.bus.pump()
        return [new for _, _, _, (_, new, _) in self.states]

    # --- a second uplink

    def make_eth1(self):
        self.lab.run('ip -batch -', input=f'''
            addr add {ETH1_4}/24 dev eth1
            addr add {ETH1_6}/64 dev eth1
            link set eth1 up''')

    def use_eth1(self):
        """The default routes are those of eth1, at once and with nothing between."""
        self.lab.run('ip -batch -', input=f'''
            route replace default via {ETH1_ROUTER4} dev eth1
            route replace ::/0 via fe80::1 dev eth1''')

    def lose_eth0(self):
        self.lab.sh(f'ip addr flush dev {plan.UPLINK}; ip link set {plan.UPLINK} down')

    def use_eth0(self):
        """As it was at first."""
        self.lab.run('ip -batch -', input=f'''
            addr replace {plan.LAB4}/24 dev {plan.UPLINK}
            addr replace {plan.LAB6}/64 dev {plan.UPLINK}
            link set {plan.UPLINK} up
            route replace default via {plan.ROUTER4} dev {plan.UPLINK}
            route replace ::/0 via fe80::1 dev {plan.UPLINK}''')

    def stall_eth0(self):
        """Nothing passes the router from or to eth0 any more, and nobody says so."""
        self.lab.netns('wan').run('nft -f -', input=STALL)

    def pass_eth0(self):
        self.lab.netns('wan').run('nft delete table inet stall', check=False)

    def restore(self):
        self.pass_eth0()
        self.use_eth0()
        self.lab.sh('ip addr flush dev eth1; ip link set eth1 down')
        self.lab.wait_for(lambda: 'proto kernel' in self.lab.run('ip -6 route').stdout)


class Uplink(EventCase):
    def check_lost(self):
        """eth0 goes with its addresses, eth1 comes."""
        old = self.download()
        self.make_eth1()
        self.lose_eth0()
        self.use_eth1()
        self.works_within(NEW_WITHIN)
        old.wait_broken(NEW_WITHIN)
        self.works_within(NEW_WITHIN, V6_URL)
        self.assertEqual(self.tunnel.state, 'active')

    def test_lost(self):
        """another uplink: new connections within 2 s, and a running download is reset"""
        self.check_lost()

    def test_stalled(self):
        """an uplink that passes nothing: a download over it is reset, though nothing told of it"""
        old = self.download()
        self.make_eth1()
        self.stall_eth0()
        self.use_eth1()
        self.works_within(NEW_WITHIN)
        old.wait_broken(PROVEN_WITHIN)

    def test_still_works(self):
        """a download whose way goes on to work is left alone by another default route"""
        old = self.download()
        self.make_eth1()
        self.use_eth1()
        self.works_within(NEW_WITHIN)
        time.sleep(GIVEN_UP_AFTER)
        old.goes_on()

    def test_back_soon(self):
        """a download survives a link that is away for a while and comes back with its address"""
        old = self.download()
        self.lab.run(f'ip route del default dev {plan.UPLINK}')
        self.service.wait_state(self.tunnel, 'degraded')
        time.sleep(GIVEN_UP_AFTER)
        self.use_eth0()
        self.service.wait_state(self.tunnel, 'active')
        old.goes_on()

    def test_upload(self):
        """an upload over an uplink that passes nothing is reset"""
        self.lab.sh('head -c 300000000 /dev/zero >/run/lab/upload')
        upload = self.lab.start(['curl', '-sS', '--limit-rate', '100k', '-T', '/run/lab/upload',
                                 f'{V4_URL}/'])
        self.cleanup.callback(upload.kill)
        self.lab.wait_for(lambda: any(max(row['rx-bytes'], row['tx-bytes']) > 100000
                                      for row in self.tunnel.connections()))
        self.make_eth1()
        self.stall_eth0()
        self.use_eth1()
        self.works_within(NEW_WITHIN)
        self.lab.wait_for(lambda: not upload.is_running(), PROVEN_WITHIN, 'the upload to break')
        self.assertIn(upload.wait(), (CURLE_SEND_ERROR, CURLE_RECV_ERROR))

    def test_udp(self):
        """an application's UDP socket goes on over another uplink"""
        self.make_eth1()
        ask = ['/usr/bin/python3', '-c', '''
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect((sys.argv[1], 7))
sock.settimeout(0.2)
while True:
    try:
        sock.send(b"x")
        sock.recv(10)
        print(time.monotonic(), flush=True)
    except OSError:
        pass
    time.sleep(0.1)
''', plan.SERVER4]
        running = self.lab.start(ask)
        self.cleanup.callback(running.kill)
        self.lab.wait_for(lambda: len(running.log().splitlines()) > 3)
        self.lose_eth0()
        self.use_eth1()
        had = len(running.log().splitlines())
        self.lab.wait_for(lambda: len(running.log().splitlines()) > had + 3, 3, 'answers')


class Named(EventCase):
    """A proxy with a name."""

    proxy = f'socks5://proxy.example:{plan.DANTED}'

    def test_asked_again(self):
        """another uplink: the proxy's name is asked again, of whoever is the name server there"""
        self.make_eth1()
        self.assertEqual(self.fetch(V6_URL), plan.PROXY6)
        mark = len(self.lab.log('router-dns'))
        self.lose_eth0()
        self.use_eth1()
        self.lab.run(['resolvectl', 'dns', 'eth1', ETH1_ROUTER4])
        self.cleanup.callback(self.lab.run, 'resolvectl revert eth1')
        self.works_within(NEW_WITHIN + 1)
        self.lab.wait_for(lambda: re.search(rf'proxy.example from ({ETH1_4}|{ETH1_6})',
                                            self.lab.log('router-dns')[mark:]))


class UplinkOfNetworkManager(EventCase):
    """NetworkManager roams, and has the tunnel."""

    options = {'nm': True, 'resolved': True, 'proxies': ('danted',)}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        conf = '/run/lab/NetworkManager.conf'
        cls.lab.write(conf, cls.lab.read(conf).replace('unmanaged-devices=interface-name:eth1', ''))
        cls.lab.restart('nm')
        cls.lab.wait_for(lambda: 'eth1:disconnected' in cls.lab.run(
            'nmcli -t -f DEVICE,STATE device', check=False).stdout, what='eth1 to be managed')
        cls.lab.run('nmcli con add type ethernet ifname eth1 con-name other ipv4.method auto '
                    'ipv6.method auto autoconnect no')

    def setUp(self):
        self.roam('lan', plan.UPLINK)
        super().setUp()

    def restore(self):
        self.roam('lan', plan.UPLINK)
        self.lab.run('nmcli con down other', check=False)
        self.lab.wait_for(lambda: len(self.lab.run('resolvectl dns eth0').stdout.split()) >= 5)

    def roam(self, connection, link):
        self.lab.run(['nmcli', '-w', '15', 'con', 'up', connection])
        self.lab.wait_for(lambda: re.search(f'via fe80::.* dev {link}', self.lab.run('ip -6 route').stdout))

    def test_roams(self):
        """NetworkManager brings another link up and takes the first one down, and back"""
        name, routes = self.tunnel.interface, network_dump(self.lab)['rules4']
        for connection, link, other in (('other', 'eth1', 'lan'), ('lan', plan.UPLINK, 'other')):
            old = self.download()
            self.roam(connection, link)
            self.lab.run(['nmcli', 'con', 'down', other])
            self.works_within(NEW_WITHIN)
            old.wait_broken(PROVEN_WITHIN)
            self.works_within(NEW_WITHIN, V6_URL)
            self.assertEqual(self.tunnel.state, 'active')
        self.assertEqual((self.tunnel.interface, network_dump(self.lab)['rules4']), (name, routes))


class Sleep(EventCase):
    def setUp(self):
        self.logind = self.lab.start(['/usr/bin/python3', '-B', LOGIND], name='logind')
        self.addCleanup(self.end_logind)
        super().setUp()
        self.wait_lock()

    def end_logind(self):
        self.logind.kill()
        self.logind.wait()

    def ask(self, method):
        return self.service.bus.call('/org/freedesktop/login1', 'org.tun2proxy.Lab', method,
                                     name='org.freedesktop.login1', timeout=10)

    def wait_lock(self):
        self.lab.wait_for(lambda: self.service.bus.has_owner('org.freedesktop.login1')
                          and self.ask('Locks') == ['tun2proxyd'], what='the lock')

    def test_states(self):
        """a sleep: suspended while the sleep is delayed for it, then active again"""
        self.assertEqual(self.ask('Sleep'), '')  # given back, and not because it took too long
        self.assertEqual(self.tunnel.state, 'suspended')
        self.service.bus.pump()
        self.assertEqual(self.states[-1][3], ('active', 'suspended', 'suspended'))
        self.assertEqual(self.fetch(), plan.PROXY4)  # it was only announced
        self.ask('Wake')
        self.service.wait_state(self.tunnel, 'active')
        self.wait_lock()
        self.assertEqual(self.ask('Sleep'), '')
        self.assertEqual(self.tunnel.state, 'suspended')
        self.tunnel.deactivate()
        self.ask('Wake')
        self.assertEqual(self.tunnel.state, 'inactive')

    def test_elsewhere(self):
        """who awakes elsewhere: old connections are reset, new ones work within 2 s"""
        old = self.download()
        self.make_eth1()
        self.ask('Sleep')
        everybody = [self.service.pid, *self.service.workers()]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        self.lose_eth0()
        self.use_eth1()
        time.sleep(1)
        for pid in reversed(everybody):
            os.kill(pid, signal.SIGCONT)
        self.service.daemon.kill(signal.SIGCONT)
        self.ask('Wake')
        self.works_within(NEW_WITHIN)
        old.wait_broken(NEW_WITHIN)
        self.service.wait_state(self.tunnel, 'active')

    def test_peer_forgot(self):
        """who awakes at the same place: a connection that died in the sleep is reset"""
        old = self.download()
        self.ask('Sleep')
        self.stall_eth0()
        time.sleep(0.5)
        self.lab.kill('danted')
        self.pass_eth0()
        self.lab.resume('danted')
        self.ask('Wake')
        old.wait_broken(PROVEN_WITHIN)
        self.works_within(NEW_WITHIN + 2)

    def test_awakes_without_uplink(self):
        """a machine that awakes without an uplink is degraded, and active when there is one"""
        self.ask('Sleep')
        self.lose_eth0()
        self.ask('Wake')
        self.service.wait_state(self.tunnel, 'degraded')
        self.use_eth0()
        self.service.wait_state(self.tunnel, 'active')
        self.works_within(NEW_WITHIN)
        self.assertEqual(self.seen_states(), ['suspended', 'degraded', 'active'])

    def test_logind_restarted(self):
        """a logind that is restarted gets another lock from us; one that goes ends the sleep"""
        self.ask('Sleep')
        self.end_logind()
        self.service.wait_state(self.tunnel, 'active')
        self.logind = self.lab.start(['/usr/bin/python3', '-B', LOGIND], name='logind')
        self.wait_lock()
        self.assertEqual(self.ask('Sleep'), '')
        self.assertEqual(self.tunnel.state, 'suspended')
        self.ask('Wake')


class Stopped(EventCase):
    def test_stopped(self):
        """without a logind: everybody stopped, another uplink, everybody goes on"""
        old = self.download()
        self.make_eth1()
        everybody = [self.service.pid, *self.service.workers()]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        self.lose_eth0()
        self.use_eth1()
        time.sleep(1)
        for pid in reversed(everybody):
            os.kill(pid, signal.SIGCONT)
        self.service.daemon.kill(signal.SIGCONT)
        self.works_within(NEW_WITHIN)
        old.wait_broken(NEW_WITHIN)


class Deleted(EventCase):
    """Somebody takes away what is the tunnel's: it is there again."""

    def setUp(self):
        super().setUp()
        self.up, self.addresses = network_dump(self.lab), self.list_addresses()

    def missing(self):
        """What is not as before; the kernel makes addresses of its own for a link that comes up."""
        return changes(self.up, network_dump(self.lab), self.tunnel.interface) + [
            address for address in self.addresses if address not in self.list_addresses()]

    def list_addresses(self):
        said = self.lab.run(f'ip -br address show dev {self.tunnel.interface}').stdout.split()
        return [word for word in said[2:] if not word.startswith('fe80')]

    def assert_restored(self):
        with contextlib.suppress(TimeoutError):
            self.lab.wait_for(lambda: self.missing() == [], 3)
        self.assertEqual(self.missing(), [])
        self.assertEqual(self.fetch(), plan.PROXY4)
        self.assertEqual(self.fetch(V6_URL), plan.PROXY6)
        self.assertEqual(self.tunnel.state, 'active')

    def delete_rules(self, is_ours):
        """As systemd-networkd does, with all that the kernel has not made."""
        for family in ('-4', '-6'):
            for line in self.lab.run(f'ip {family} rule').stdout.splitlines():
                preference, rule = re.match(r'(\d+):\s*(.*)', line).groups()
                if is_ours(rule) and ' proto kernel' not in f' {rule}' and preference not in (
                        '0', '32766', '32767'):
                    self.lab.run(f'ip {family} rule del pref {preference}')

    def test_rules(self):
        """all rules that are not the kernel's, deleted as systemd-networkd does"""
        self.delete_rules(lambda rule: True)
        self.assert_restored()

    def test_one_rule(self):
        """one rule in the middle: it comes back in its place"""
        self.delete_rules(lambda rule: 'fwmark' in rule and 'unreachable' in rule)
        self.assert_restored()

    def test_table(self):
        """the routes of the tunnel's own table"""
        table = re.search(r'lookup (\d+)', self.lab.run('ip rule').stdout)[1]
        self.lab.sh(f'ip route flush table {table}; ip -6 route flush table {table}')
        self.assert_restored()

    def test_address(self):
        """the addresses of the tunnel's link"""
        self.lab.run(f'ip addr flush dev {self.tunnel.interface}')
        self.assert_restored()

    def test_down(self):
        """the tunnel's link, put down"""
        self.lab.run(f'ip link set {self.tunnel.interface} down')
        self.assert_restored()

    def test_link(self):
        """the tunnel's link, deleted: the tunnel fails, and what it had is gone"""
        self.lab.run(f'ip link del {self.tunnel.interface}')
        self.service.wait_state(self.tunnel, 'failed')
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.assertEqual(self.fetch(), plan.LAB4)
        self.tunnel.activate(wait=True)
        self.assertEqual(self.fetch(), plan.PROXY4)

    def test_restarted_resolver(self):
        """what resolved knew of the tunnel's link, forgotten by its end and start, TERM and KILL"""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            self.lab.restart('resolved', sig)
            self.lab.wait_for(lambda: self.service.bus.has_owner('org.freedesktop.resolve1'))
            for setting in (['dns', plan.ROUTER4, plan.ROUTER6], ['domain', 'lan.example']):
                self.lab.run(['resolvectl', setting[0], plan.UPLINK, *setting[1:]])
            self.assert_restored()
            self.assertIn(self.fetch('http://www.example'), (plan.PROXY4, plan.PROXY6))


class DeletedFromNetworkManager(Deleted):
    """The same where NetworkManager has the tunnel."""

    options = {'nm': True, 'resolved': True, 'proxies': ('danted',)}
    test_restarted_resolver = None  # NetworkManager's business, and tested with it

    def setUp(self):
        self.lab.wait_for(lambda: 'via fe80' in self.lab.run('ip -6 route').stdout)
        self.lab.wait_for(lambda: len(self.lab.run('resolvectl dns eth0').stdout.split()) >= 5)
        super().setUp()
        self.assertEqual(self.tunnel.prop('NetworkBackend'), 'networkmanager')

    def fetch(self, url=V4_URL, seconds=2):
        said = super().fetch(url, seconds)
        return plan.LAB4 if said.startswith('10.77.0.') else said

    def restore(self):
        pass


if __name__ == '__main__':
    tap.main()
