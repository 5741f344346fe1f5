#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab itself: what the other tests take for granted."""
import hashlib
import json
import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import (Lab, LabCase, LabError, StubProxy, changes, network_dump, peer,  # noqa: E402
                    plan, tap)

V4_URL = f'http://{plan.SERVER4}/ip'
V6_URL = f'http://[{plan.SERVER6}]/ip'
LOGIN = f'{plan.PROXY_USER}:{plan.PROXY_PASSWORD}'
YES_TO_USER = '''polkit.addRule(function(action, subject) {
  if (action.id == "org.freedesktop.NetworkManager.reload" && subject.user == "t2puser")
    return polkit.Result.YES;
});
'''


def host_network():
    """What a lab could leave behind on this machine, apart from what others do meanwhile."""
    said = [subprocess.run(cmd, shell=True, stdout=subprocess.PIPE, text=True).stdout
            for cmd in ('ip -o link 2>/dev/null || ls /sys/class/net',
                        'ip rule; ip route', 'ls /run/netns /etc/netns 2>/dev/null',
                        'grep t2p-lab /proc/self/mounts', 'cat /etc/passwd /etc/resolv.conf')]
    return said


class WithProxies(LabCase):
    options = {'proxies': plan.PROXIES, 'build_dir': ''}

    def fetch(self, url, proxy=None, *more):
        return self.lab.run(['curl', '-sS', '-m', '10', *(['-x', proxy, '-p'] if proxy else []),
                             *more, url]).stdout.strip()

    def test_direct(self):
        """the server sees the lab's own addresses without a proxy"""
        self.assertEqual(self.fetch(V4_URL), plan.LAB4)
        self.assertEqual(self.fetch(V6_URL), plan.LAB6)

    def through(self, proxy):
        self.assertEqual(self.fetch(V4_URL, proxy), plan.PROXY4)
        self.assertEqual(self.fetch(V6_URL, proxy), plan.PROXY6)
        self.assertIn(self.fetch(f'http://{plan.PROXY_ONLY_NAME}/ip', proxy),
                      (plan.PROXY4, plan.PROXY6))

    def test_danted(self):
        """danted carries IPv4, IPv6 and names, asked over both families"""
        self.through(f'socks5h://{plan.PROXY4}:{plan.DANTED}')
        self.through(f'socks5h://[{plan.PROXY6}]:{plan.DANTED}')

    def test_microsocks(self):
        """microsocks wants the right password"""
        self.through(f'socks5h://{LOGIN}@{plan.PROXY4}:{plan.MICROSOCKS}')
        with self.assertRaises(LabError):
            self.fetch(V4_URL, f'socks5h://alice:wrong@{plan.PROXY4}:{plan.MICROSOCKS}')

    def test_danted_password(self):
        """the second danted wants the right password"""
        self.through(f'socks5h://{LOGIN}@[{plan.PROXY6}]:{plan.DANTED_PASSWORD}')
        with self.assertRaises(LabError):
            self.fetch(V4_URL, f'socks5h://alice:wrong@{plan.PROXY4}:{plan.DANTED_PASSWORD}')

    def test_http_proxies(self):
        """squid and tinyproxy carry CONNECT"""
        for port in (plan.SQUID, plan.TINYPROXY):
            self.through(f'http://{plan.PROXY4}:{port}')

    def test_http_passwords(self):
        """squid and tinyproxy want the right password, by Basic or Digest"""
        for name in ('squid-basic', 'squid-digest', 'tinyproxy-basic'):
            place = f'{plan.PROXY4}:{plan.PORTS[name]}'
            scheme = '--proxy-digest' if name == 'squid-digest' else '--proxy-basic'
            self.assertEqual(self.fetch(V4_URL, f'http://{LOGIN}@{place}', scheme), plan.PROXY4)
            with self.assertRaises(LabError):
                self.fetch(V4_URL, f'http://alice:wrong@{place}', scheme)
            with self.assertRaises(LabError):
                self.fetch(V4_URL, f'http://{place}')

    def test_negotiate(self):
        """squid takes a Kerberos ticket, and nobody without one"""
        words = ['curl', '-sS', '-m', '10', '-p', '--proxy-negotiate', '-U', ':', '-x',
                 f'http://proxy.example:{plan.PORTS["squid-negotiate"]}', V4_URL]
        cache = {'KRB5CCNAME': 'FILE:/run/lab/ticket'}
        with self.assertRaises(LabError):
            self.lab.run(words, env=cache)
        self.lab.run(['kinit', plan.PROXY_USER], env=cache, input=plan.PROXY_PASSWORD + '\n')
        self.assertEqual(self.lab.run(words, env=cache).stdout.strip(), plan.PROXY4)

    def test_ssh(self):
        """ssh -D speaks SOCKS4a and SOCKS5, danted SOCKS4"""
        self.through(f'socks4a://{plan.PROXY4}:{plan.PORTS["ssh"]}')
        self.through(f'socks5h://[{plan.PROXY6}]:{plan.PORTS["ssh"]}')
        self.assertEqual(self.fetch(V4_URL, f'socks4://{plan.PROXY4}:{plan.DANTED}'), plan.PROXY4)

    def test_tls(self):
        """what stands behind TLS shows the lab's certificate, some want one in return"""
        own = ['--proxy-cacert', plan.CA]
        client = ['--proxy-cert', plan.CLIENT_CERTIFICATE, '--proxy-key', plan.CLIENT_KEY]
        for name in ('squid-tls', 'haproxy-squid', 'haproxy-certificate'):
            proxy = f'https://proxy.example:{plan.PORTS[name]}'
            self.assertEqual(self.fetch(V4_URL, proxy, *own, *client), plan.PROXY4)
            with self.assertRaises(LabError):
                self.fetch(V4_URL, proxy, '--proxy-cacert', plan.OTHER_CA)
        with self.assertRaises(LabError):
            self.fetch(V4_URL, proxy, *own)
        for name in ('stunnel-danted', 'stunnel-danted-password', 'stunnel-certificate'):
            said = self.lab.run(['openssl', 's_client', '-CAfile', plan.CA, '-verify_return_error',
                                 '-cert', plan.CLIENT_CERTIFICATE, '-key', plan.CLIENT_KEY,
                                 '-verify_ip', plan.PROXY6, '-connect',
                                 f'[{plan.PROXY6}]:{plan.PORTS[name]}'], input=' ').stdout
            self.assertIn('Verification: OK', said)

    def test_unix(self):
        """proxies answer on unix sockets, to the workers' user too"""
        said = self.lab.as_user(plan.WORKER_UID, [
            'curl', '-sS', '-m', '10', '-i', '--unix-socket', f'{plan.UNIX_SOCKETS}/unix-squid',
            'http://www.example/']).stdout
        self.assertIn('squid', said)

    def test_content(self):
        """64 MiB arrive as the server's pattern, and an upload arrives as sent"""
        size = 64 << 20
        got = self.lab.run(['curl', '-sS', f'http://{plan.SERVER4}/bytes/{size}'], text=False)
        self.assertEqual(hashlib.sha256(got.stdout).hexdigest(), peer.sha256(size))
        sent = os.urandom(1 << 20)
        told = self.lab.run(['curl', '-sS', '--data-binary', '@-', f'http://{plan.SERVER4}/up'], input=sent, text=False)
        self.assertEqual(json.loads(told.stdout),
                         {'bytes': len(sent), 'sha256': hashlib.sha256(sent).hexdigest()})

    def test_iperf3(self):
        """iperf3 answers"""
        told = json.loads(self.lab.run(f'iperf3 -J -n 64M -c {plan.SERVER4}').stdout)
        self.assertGreater(told['end']['sum_received']['bytes'], 0)

    def test_names(self):
        """names resolve to both families through the router"""
        said = self.lab.run('getent ahosts www.example').stdout
        self.assertIn(plan.SERVER4, said)
        self.assertIn(plan.SERVER6, said)

    def test_tun(self):
        """a tun device can be made, by root alone"""
        self.lab.run('ip tuntap add dev probe0 mode tun')
        self.lab.run('ip link del probe0')
        refused = self.lab.as_user(plan.USER_UID, 'ip tuntap add dev probe1 mode tun', check=False)
        self.assertNotEqual(refused.returncode, 0)

    def test_dump(self):
        """the dump sees a new route, rule, nft table and resolver, and nothing else"""
        before = network_dump(self.lab)
        self.assertEqual(changes(before, network_dump(self.lab)), [])
        self.lab.sh('ip route add 192.0.2.0/24 via 10.77.0.1; ip -6 rule add pref 99 lookup 7; '
                    'nft add table inet probe; echo "# probe" >>/etc/resolv.conf')
        self.assertEqual(
            [line.split()[0] for line in changes(before, network_dump(self.lab))],
            ['+nft', '+nft', '+resolv.conf', '+routes4', '+rules6'])
        self.lab.sh('ip route del 192.0.2.0/24; ip -6 rule del pref 99; nft delete table inet probe;'
                    'sed -i /probe/d /etc/resolv.conf')
        self.assertEqual(changes(before, network_dump(self.lab)), [])

    def through_stub(self, behaviour, argument=''):
        """curl's exit status through a stub proxy, and what the stub was asked for."""
        with StubProxy(self.lab, behaviour, argument) as stub:
            done = self.lab.run(['curl', '-sS', '-m', '2', '-x', stub.uri, '-p', '-o', '/dev/null',
                                 f'http://{plan.SERVER4}/bytes/200000'], check=False)
            return done.returncode, stub.requests()

    def test_stub(self):
        """the stub proxy misbehaves as told, and tells what it was asked for"""
        wanted = [{'kind': 'ipv4', 'host': plan.SERVER4, 'port': plan.HTTP}]
        self.assertEqual(self.through_stub('record')[1], wanted)
        self.assertEqual(self.through_stub('slow')[1], wanted)
        self.assertEqual(self.through_stub('refuse', 5), (97, wanted))
        self.assertEqual(self.through_stub('close-midway'), (97, wanted))
        self.assertEqual(self.through_stub('vanish', 100000), (56, wanted))
        self.assertEqual(self.through_stub('silent'), (28, []))
        for behaviour in ('no-method', 'close-early', 'garbage'):
            self.assertEqual(self.through_stub(behaviour), (97, []), behaviour)

    def test_client(self):
        """the client tells a refusal from a silence, and answers after its end of data"""
        self.assertEqual(self.lab.client('connect', plan.SERVER4, 9)[0], 'refused')
        self.assertEqual(self.lab.client('connect', '10.77.0.222', 9, 0.2)[0], 'timed out')
        told = self.lab.client('half-close', plan.SERVER6, plan.ANSWER_AFTER_EOF, 300000)
        self.assertEqual((told['told'], told['received']), (300000, (1 << 20) + 21))

    def test_background(self):
        """a background program has a pid that outside can signal"""
        sleeper = self.lab.start('sleep 60', name='sleeper', uid=plan.USER_UID)
        self.assertTrue(sleeper.is_running())
        sleeper.kill()
        self.assertEqual(sleeper.wait(), -9)


class WithNetworkManager(LabCase):
    options = {'nm': True, 'resolved': True, 'proxies': (), 'build_dir': ''}

    def pkcheck(self, uid, runner):
        script = 'pkcheck -a org.freedesktop.NetworkManager.reload -p $$; echo $?'
        return runner(uid, ['sh', '-c', script]).stdout.split()[-1]

    def test_device(self):
        """NetworkManager manages the uplink, with DHCP and router advertisements"""
        said = self.lab.run('nmcli -t -f DEVICE,STATE device').stdout.splitlines()
        self.assertIn('eth0:connected', said)
        self.lab.wait_for(lambda: 'via fe80' in self.lab.run('ip -6 route').stdout)
        self.assertIn('proto dhcp', self.lab.run('ip -4 route').stdout)

    def test_resolved(self):
        """systemd-resolved answers by the servers of DHCP"""
        said = self.lab.run('resolvectl query www.example').stdout
        self.assertIn(plan.SERVER4, said)
        self.assertIn('resolve1 servers', network_dump(self.lab))

    def test_polkit_rules(self):
        """polkit says no to a user without a session, and yes by a rule"""
        self.assertNotEqual(self.pkcheck(plan.USER_UID, self.lab.as_user), '0')
        rule = '/etc/polkit-1/rules.d/10-lab.rules'
        self.lab.write(rule, YES_TO_USER)
        self.lab.wait_for(lambda: self.pkcheck(plan.USER_UID, self.lab.as_user) == '0')
        self.lab.path(rule).unlink()
        self.lab.wait_for(lambda: self.pkcheck(plan.USER_UID, self.lab.as_user) != '0')

    def test_session(self):
        """an active local session gets what a policy allows to it"""
        action = 'org.freedesktop.NetworkManager.network-control'
        ask = ['sh', '-c', f'pkcheck -a {action} -p $$; echo $?']
        self.assertEqual(self.lab.session(plan.USER_UID, ask).stdout.split()[-1], '0')
        self.assertNotEqual(self.lab.as_user(plan.USER_UID, ask).stdout.split()[-1], '0')

    def test_agent(self):
        """a polkit agent is asked, and its answer counts"""
        ask = ['pkcheck', '-u', '-a', 'org.freedesktop.NetworkManager.reload', '-p', '$$']
        ask = ['sh', '-c', ' '.join(ask)]
        status, _, asked = self.lab.with_agent(plan.USER_UID, ask, 'yes')
        self.assertEqual(status, 0)
        self.assertEqual([line.split(':')[0] for line in asked],
                         ['org.freedesktop.NetworkManager.reload'])
        status, _, asked = self.lab.with_agent(plan.USER_UID, ask, 'no')
        self.assertEqual((status, len(asked)), (3, 1))

    def test_restart(self):
        """NetworkManager comes back after a kill"""
        self.lab.restart('nm', 9)
        self.lab.wait_for(lambda: 'eth0:connected' in self.lab.run(
            'nmcli -t -f DEVICE,STATE device', check=False).stdout, timeout=20)


class SideBySide(unittest.TestCase):
    lab = None

    def test_two(self):
        """two labs run side by side, apart, and leave nothing on this machine"""
        before = host_network()
        with Lab(proxies=(), build_dir='') as one, Lab(proxies=(), build_dir='') as two:
            self.assertEqual(host_network(), before)
            one.run('ip link add mine type bridge')
            self.assertNotEqual(two.run('ip link show mine', check=False).returncode, 0)
            one.write('/etc/tun2proxy/x', 'x')
            self.assertFalse(two.path('/etc/tun2proxy/x').exists())
            left = [one.state, two.state, one.cgroup, two.cgroup]
            pids = one.pid, two.pid
        self.assertEqual([path for path in left if path and path.exists()], [])
        self.assertEqual([pid for pid in pids if os.path.exists(f'/proc/{pid}/root/run')], [])
        self.assertEqual(host_network(), before)


if __name__ == '__main__':
    tap.main()
