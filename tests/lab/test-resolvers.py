#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine's resolver: each way of telling it, what programs then get, and what is left."""
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.bus import BusError, vardict  # noqa: E402
from t2plab.service import RUNTIME_DIR  # noqa: E402

ADOPT_TIMEOUT = 2
POOL4 = '198.18.'
# Known to the uplink's name servers; what only the proxies know is plan.PROXY_ONLY_NAME.
PUBLIC = 'v4.example'


class ResolverCase(LabCase):
    """Look-ups by glibc, as programs make them."""

    backend = None

    def setUp(self):
        self.prepare()
        self.before = self.state()
        self.service = None
        self.addCleanup(self.leave)

    def prepare(self):
        pass

    def state(self):
        """Everything that must be as before; resolv.conf to the byte, and what it is."""
        return {**network_dump(self.lab), 'what resolv.conf is': self.lab.sh(
            'stat -c "%N %a %u %g" /etc/resolv.conf; cksum /etc/resolv.conf',
            check=False).stdout.splitlines()}

    def leave(self):
        if self.service:
            if self.service.daemon.is_running():
                for tunnel in self.service.list():
                    tunnel.delete()
            self.service.__exit__(None)

    def start(self, *args):
        self.service = Service(self.lab, [f'--adopt-timeout={ADOPT_TIMEOUT}', *args]).start()

    def up(self, name='work', **settings):
        settings = {'capture': 'default', 'scope': 'system', **settings}
        return self.service.create(name, plan.DANTED_URI, **settings)

    def look_up(self, name, run=None):
        """IPv4 addresses that glibc finds, in their order."""
        said = (run or self.lab.run)(['getent', 'ahostsv4', name], check=False)
        return list(dict.fromkeys(line.split()[0] for line in said.stdout.splitlines()))

    def assert_in_tunnel(self):
        for name in (plan.PROXY_ONLY_NAME, PUBLIC):
            found = self.look_up(name)
            self.assertTrue(found and found[0].startswith(POOL4), (name, found))
        url = f'http://{plan.PROXY_ONLY_NAME}/ip'
        seen = self.lab.run(['curl', '-4sS', '-m', '15', url]).stdout.strip()
        self.assertIn(seen, (plan.PROXY4, plan.PROXY6))

    def assert_as_before(self, timeout=ADOPT_TIMEOUT + 8):
        try:
            self.lab.wait_for(lambda: not changes(self.before, self.state()), timeout=timeout,
                              interval=0.2)
        except TimeoutError:
            self.assertEqual(changes(self.before, self.state()), [])
        self.assertEqual(self.look_up(PUBLIC), [plan.SERVER4])
        self.assertEqual(self.look_up(plan.PROXY_ONLY_NAME), [])

    def check_up_and_down(self):
        self.assert_as_before()  # the measuring works
        self.start()
        for _ in range(2):
            tunnel = self.up()
            self.assertEqual(tunnel.prop('ResolverBackend'), self.backend)
            self.assert_in_tunnel()
            tunnel.delete()
            self.assert_as_before()

    def kill(self):
        """Daemon and guardian and worker at once: nobody is left who could clean up."""
        self.lab.sh('kill -9 $(pidof tun2proxyd tun2proxyd-guard tun2proxy-worker)', check=False)
        self.service.daemon.wait()

    def check_killed(self):
        """What nobody could undo is there still, and a new daemon undoes it."""
        self.start()
        self.up()
        self.kill()
        self.service.bus.close()
        self.assertNotEqual(changes(self.before, self.state()), [])
        self.start()
        self.assert_as_before()

    def check_guarded(self):
        self.start()
        self.up()
        self.service.stop(signal.SIGKILL)
        self.assert_as_before()

    def check_killed_while_applied(self):
        """At the moment when the step is written down and perhaps done."""
        self.start('--pause-at=apply-dns')
        self.service.call('CreateTunnel', 'sa{sv}a{sv}', 'work',
                          vardict({'proxies': [plan.DANTED_URI], 'capture': 'default'}),
                          vardict({'wait': False}))
        self.lab.wait_for(lambda: 'paused at apply-dns' in self.service.daemon.log(),
                          what='the pause')
        self.assertNotEqual(changes(self.before, self.state()), [])
        self.service.stop(signal.SIGKILL)
        self.assert_as_before()

    def check_some_domains(self):
        """A flat file cannot split: refused by name, and nothing is left."""
        self.start()
        with self.assertRaisesRegex(BusError, 'DnsSetupFailed.*dns-domains'):
            self.up(dns_domains=['corp.example'])
        self.assert_as_before()

    def check_excluded(self):
        """Excluded names are asked for at the uplink's servers, which are still known."""
        self.start()
        self.up(dns_exclude=[PUBLIC])
        self.assertEqual(self.look_up(PUBLIC), [plan.SERVER4])
        self.assert_in_tunnel_but_excluded()

    def assert_in_tunnel_but_excluded(self):
        self.assertTrue(self.look_up(plan.PROXY_ONLY_NAME)[0].startswith(POOL4))


class Openresolv(ResolverCase):
    options = {'over': ('openresolv',)}
    backend = 'resolvconf'

    def prepare(self):
        self.lab.sh(f'printf "nameserver {plan.ROUTER4}\nnameserver {plan.ROUTER6}\n'
                    'search office.example\n" | resolvconf -a eth0.dhcp')
        self.assertIn('openresolv', self.lab.sh('resolvconf --version').stdout)
        self.assertTrue(self.lab.read('/etc/resolv.conf').startswith('# Generated by resolvconf'))

    def state(self):
        return {**super().state(), 'records': self.lab.sh('resolvconf -l').stdout.splitlines()}

    def test_up_and_down(self):
        """openresolv: names go to the proxy, and the file is as before"""
        self.check_up_and_down()

    def test_killed(self):
        """openresolv: what a kill of everything leaves a new daemon undoes"""
        self.check_killed()

    def test_guarded(self):
        """openresolv: after a kill of the daemon the record goes without one"""
        self.check_guarded()

    def test_killed_while_applied(self):
        """openresolv: a kill in the middle of the step leaves nothing"""
        self.check_killed_while_applied()

    def test_some_domains(self):
        """openresolv: only some domains is refused, and nothing is left"""
        self.check_some_domains()

    def test_excluded(self):
        """openresolv: excluded names are resolved by the servers of the other records"""
        self.check_excluded()

    def test_alone(self):
        """openresolv: while the tunnel is up the uplink's servers are not in the file"""
        self.start()
        self.up()
        conf = self.lab.read('/etc/resolv.conf')
        self.assertNotIn(plan.ROUTER4, conf)
        self.assertIn('search office.example', conf)

    def test_renewed_lease(self):
        """openresolv: a lease that is renewed meanwhile is what comes back"""
        self.start()
        tunnel = self.up()
        self.lab.sh(f'printf "nameserver {plan.ROUTER4}\nsearch new.example\n" '
                    '| resolvconf -a eth0.dhcp')
        self.assert_in_tunnel()
        tunnel.delete()
        conf = self.lab.read('/etc/resolv.conf')
        self.assertIn('search new.example', conf)
        self.assertIn(f'nameserver {plan.ROUTER4}', conf)
        self.assertNotIn(POOL4, conf)

    def test_not_its_file(self):
        """openresolv: a resolv.conf that is not its own is replaced and given back"""
        kept = self.lab.read('/etc/resolv.conf')
        self.addCleanup(self.lab.write, '/etc/resolv.conf', kept)
        self.lab.write('/etc/resolv.conf', f'# mine\nnameserver {plan.ROUTER4}\n')
        self.before = self.state()
        self.start()
        tunnel = self.up()
        self.assertEqual(tunnel.prop('ResolverBackend'), 'file')
        self.assert_in_tunnel()
        tunnel.delete()
        self.assert_as_before()

    def test_hangs(self):
        """openresolv: one that hangs fails the tunnel by name, and nothing else"""
        self.lab.sh('cp -a /usr/sbin/resolvconf /usr/sbin/resolvconf.real; printf '
                    '"#!/bin/sh\ncase \\$1 in -x|-a) sleep 60;; *) exec resolvconf.real \\"\\$@\\";; '
                    'esac\n" >/usr/sbin/resolvconf.new; chmod 755 /usr/sbin/resolvconf.new; '
                    'mv /usr/sbin/resolvconf.new /usr/sbin/resolvconf')
        self.addCleanup(self.lab.sh, 'mv /usr/sbin/resolvconf.real /usr/sbin/resolvconf')
        self.start()
        with self.assertRaisesRegex(BusError, 'DnsSetupFailed.*resolvconf did not end within'):
            self.up()
        self.assert_as_before()


class DebianResolvconf(ResolverCase):
    options = {'over': ('resolvconf',)}
    backend = 'resolvconf'

    def prepare(self):
        self.lab.sh('mkdir -p /run/resolvconf/interface; rm -f /etc/resolvconf/update.d/unbound; '
                    'ln -sfn ../run/resolvconf/resolv.conf /etc/resolv.conf; '
                    'resolvconf --enable-updates; '
                    f'printf "nameserver {plan.ROUTER4}\nsearch office.example\n" '
                    '| resolvconf -a eth0.dhcp')
        self.assertIn('Debian', self.lab.sh('resolvconf --version').stdout)

    def state(self):
        return {**super().state(), 'records': self.lab.sh('resolvconf -l').stdout.splitlines()}

    def test_up_and_down(self):
        """Debian's resolvconf: names go to the proxy, and the file is as before"""
        self.check_up_and_down()

    def test_killed(self):
        """Debian's resolvconf: what a kill of everything leaves a new daemon undoes"""
        self.check_killed()

    def test_guarded(self):
        """Debian's resolvconf: after a kill of the daemon the record goes without one"""
        self.check_guarded()

    def test_killed_while_applied(self):
        """Debian's resolvconf: a kill in the middle of the step leaves nothing"""
        self.check_killed_while_applied()

    def test_some_domains(self):
        """Debian's resolvconf: only some domains is refused, and nothing is left"""
        self.check_some_domains()

    def test_excluded(self):
        """Debian's resolvconf: excluded names are resolved by the servers of other records"""
        self.check_excluded()

    def test_updates_disabled(self):
        """Debian's resolvconf: one that may not write fails the tunnel, and nothing is left"""
        self.lab.run(['resolvconf', '--disable-updates'])
        self.addCleanup(self.lab.run, ['resolvconf', '--enable-updates'])
        self.start()
        with self.assertRaisesRegex(BusError, 'DnsSetupFailed.*first name server'):
            self.up()
        self.assert_as_before()

    def test_failing_hook(self):
        """Debian's resolvconf: somebody else's hook that fails does not count"""
        self.lab.write('/etc/resolvconf/update.d/zz-broken', '#!/bin/sh\nexit 7\n', 0o755)
        self.addCleanup(self.lab.run, 'rm /etc/resolvconf/update.d/zz-broken')
        self.start()
        tunnel = self.up()
        self.assert_in_tunnel()
        tunnel.delete()
        self.assert_as_before()


if __name__ == '__main__':
    tap.main()
