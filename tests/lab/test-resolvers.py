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
        service, self.service = self.service, None
        if service:
            if service.daemon.is_running():
                for tunnel in service.list():
                    tunnel.delete()
            service.__exit__(None)

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

    def test_renewed_servers(self):
        """openresolv: excluded names are asked for at the servers that a renewed lease names"""
        self.start()
        self.up(dns_exclude=[PUBLIC])
        self.assertEqual(self.look_up(PUBLIC), [plan.SERVER4])
        self.lab.sh(f'printf "nameserver {plan.ROUTER6}\nsearch office.example\n" '
                    '| resolvconf -a eth0.dhcp')

        def asked_at_new_one():
            mark = len(self.lab.log('router-dns'))
            self.assertEqual(self.look_up(PUBLIC), [plan.SERVER4])
            return f'query[A] {PUBLIC} from {plan.LAB6}' in self.lab.log('router-dns')[mark:]
        self.assertNotIn(f'query[A] {PUBLIC} from {plan.LAB6}', self.lab.log('router-dns'))
        self.lab.wait_for(asked_at_new_one, timeout=8, interval=0.3, what='the new server')

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


class File(ResolverCase):
    """Neither systemd-resolved nor resolvconf: resolv.conf itself."""

    backend = 'file'
    CONF = '/etc/resolv.conf'
    KEPT = f'# kept\n\nsearch office.example\nnameserver {plan.ROUTER4}\noptions edns0\n# end'

    def prepare(self):
        self.lab.sh(f'rm -f {self.CONF} /run/elsewhere.conf')
        self.lab.write(self.CONF, self.KEPT, 0o640)
        self.lab.sh(f'chown 0:{plan.USER_UID} {self.CONF}')

    def test_up_and_down(self):
        """file: names go to the proxy, and the file is as before, to the byte, mode and owner"""
        self.check_up_and_down()

    def test_killed(self):
        """file: what a kill of everything leaves a new daemon undoes"""
        self.check_killed()

    def test_guarded(self):
        """file: after a kill of the daemon the file comes back without one"""
        self.check_guarded()

    def test_killed_while_applied(self):
        """file: a kill in the middle of the step leaves nothing"""
        self.check_killed_while_applied()

    def test_some_domains(self):
        """file: only some domains is refused, and nothing is left"""
        self.check_some_domains()

    def test_excluded(self):
        """file: excluded names are resolved by the servers that the file had"""
        self.check_excluded()

    def test_link(self):
        """file: a link comes back as that link, and what it leads to is not touched"""
        self.lab.write('/run/elsewhere.conf', self.KEPT)
        self.lab.sh(f'ln -sfn ../run/elsewhere.conf {self.CONF}')
        self.before = self.state()
        self.assertIn('../run/elsewhere.conf', self.before['what resolv.conf is'][0])
        self.start()
        tunnel = self.up()
        self.assert_in_tunnel()
        self.assertEqual(self.lab.read('/run/elsewhere.conf'), self.KEPT)
        tunnel.delete()
        self.assert_as_before()
        self.leave()
        self.check_killed()

    def test_absent(self):
        """file: where there was none, there is none afterwards"""
        self.lab.sh(f'rm {self.CONF}')
        for end in (lambda tunnel: tunnel.delete(), lambda _: self.service.stop(signal.SIGKILL)):
            self.start()
            tunnel = self.up()
            self.assert_in_tunnel()
            end(tunnel)
            self.lab.wait_for(lambda: self.lab.sh('ls -a /etc | grep resolv.conf || true').stdout
                              == '', what='the file to go')
            self.leave()

    def test_changed_by_others(self):
        """file: what somebody else has written meanwhile stays, after a kill, too"""
        theirs = f'# theirs\nnameserver {plan.ROUTER6}\n'
        for end in (lambda tunnel: tunnel.delete(), lambda _: self.service.stop(signal.SIGKILL)):
            self.prepare()
            self.start()
            tunnel = self.up()
            self.assert_in_tunnel()
            self.lab.write(self.CONF, theirs)
            end(tunnel)
            self.lab.wait_for(lambda: self.service.workers() == [], what='the worker to go')
            self.lab.sh('sleep 1')  # whoever would undo more has done so
            self.assertEqual(self.lab.read(self.CONF), theirs)
            self.assertEqual(self.look_up(PUBLIC), [plan.SERVER4])
            self.leave()

    def check_refused(self, obstacle, undo, words):
        self.lab.sh(obstacle)
        self.addCleanup(self.lab.sh, undo, check=False)
        self.start()
        before = self.lab.read(self.CONF)
        with self.assertRaisesRegex(BusError, f'DnsSetupFailed.*{self.CONF}.*{words}'):
            self.up()
        self.assertEqual(self.lab.read(self.CONF), before)
        self.lab.sh(undo)
        self.assert_as_before()

    def test_mount_point(self):
        """file: one that is a mount point, as in containers, is refused by name"""
        self.check_refused(f'mount --bind {self.CONF} {self.CONF}', f'umount {self.CONF}',
                           'mount point')

    def test_immutable(self):
        """file: one that is immutable is refused by name"""
        self.check_refused(f'chattr +i {self.CONF}', f'chattr -i {self.CONF}', 'immutable')

    def test_read_only(self):
        """file: one in a folder that nobody may write is refused by name"""
        self.check_refused('mount -o remount,bind,ro /etc', 'mount -o remount,bind,rw /etc',
                           'Read-only file system')

    def test_two_tunnels(self):
        """file: only one tunnel can have all names; the other is refused, and changes nothing"""
        self.start()
        first = self.up()
        during = self.lab.read(self.CONF)
        with self.assertRaisesRegex(BusError, 'RouteConflict.*work'):
            self.up('second', capture='routes', routes=['203.0.113.0/24'], dns='virtual')
        with self.assertRaisesRegex(BusError, 'DnsSetupFailed'):
            self.up('third', capture='routes', routes=['203.0.113.0/24'], dns='virtual',
                    dns_domains=['corp.example'])
        self.assertEqual(self.lab.read(self.CONF), during)
        self.assert_in_tunnel()
        first.delete()
        self.assert_as_before()


class Resolved(ResolverCase):
    options = {'resolved': True}
    backend = 'resolved'

    def configure_uplink(self):
        """What NetworkManager would do each time resolved has started."""
        self.lab.sh(f'resolvectl dns {plan.UPLINK} {plan.ROUTER4} {plan.ROUTER6}; '
                    f'resolvectl domain {plan.UPLINK} office.example')

    def prepare(self):
        self.configure_uplink()

    def told(self, what, link):
        return self.lab.run(['resolvectl', what, link]).stdout.strip().rpartition(': ')[2]

    def test_up_and_down(self):
        """resolved: names go to the proxy, and all links are as before"""
        self.check_up_and_down()

    def test_guarded(self):
        """resolved: after a kill of the daemon nothing is left"""
        self.check_guarded()

    def test_killed_while_applied(self):
        """resolved: a kill in the middle of the step leaves nothing"""
        self.check_killed_while_applied()

    def test_excluded(self):
        """resolved: excluded names are resolved by the uplink's servers"""
        self.check_excluded()

    def test_cache(self):
        """resolved: no virtual address stays in its cache when the tunnel goes"""
        self.start()
        tunnel = self.up()
        self.look_up(PUBLIC)
        asked = tunnel.statistics()['dns-queries']
        virtual = self.look_up(PUBLIC)
        self.assertEqual(tunnel.statistics()['dns-queries'], asked)  # it does have a cache
        self.assertTrue(virtual[0].startswith(POOL4))
        tunnel.delete()
        self.assertEqual(self.look_up(PUBLIC), [plan.SERVER4])

    def test_cache_before(self):
        """resolved: no address from before stays in its cache when the tunnel comes"""
        self.assertEqual(self.look_up(PUBLIC), [plan.SERVER4])
        self.start()
        self.up()
        self.assertTrue(self.look_up(PUBLIC)[0].startswith(POOL4))

    def check_restart(self, sig):
        self.start()
        tunnel = self.up()
        self.assert_in_tunnel()
        self.lab.restart('resolved', sig)
        self.lab.wait_for(lambda: self.lab.run(
            ['resolvectl', 'domain', tunnel.interface], check=False).stdout.strip().endswith('~.'),
            timeout=15, what='the settings to come back')
        self.configure_uplink()
        self.assert_in_tunnel()
        for setting in ('dnssec', 'dnsovertls'):
            self.assertEqual(self.told(setting, tunnel.interface), 'no')
        tunnel.delete()
        self.assert_as_before()

    def test_restart(self):
        """resolved: one that was restarted is told again"""
        self.check_restart(signal.SIGTERM)

    def test_killed_resolved(self):
        """resolved: one that was killed is told again when it is back"""
        self.check_restart(signal.SIGKILL)

    def test_gone(self):
        """resolved: a tunnel goes down while it is away, and it knows nothing of it later"""
        self.start()
        tunnel = self.up()
        self.lab.halt('resolved', signal.SIGKILL)
        tunnel.delete()
        self.lab.resume('resolved')
        self.lab.wait_for(lambda: self.lab.run(['resolvectl', 'status'], check=False).returncode
                          == 0, what='resolved')
        self.configure_uplink()
        self.assert_as_before()

    def test_strict(self):
        """resolved: DNSSEC and DNS over TLS are off for the tunnel, on as before for others"""
        conf = '/etc/systemd/resolved.conf.d/zz-strict.conf'
        self.lab.write(conf, '[Resolve]\nDNSSEC=yes\nDNSOverTLS=yes\n')
        self.addCleanup(self.lenient, conf)
        self.restart_resolved()
        self.assertEqual(self.look_up(PUBLIC), [])  # strict indeed
        self.start()
        tunnel = self.up()
        for setting in ('dnssec', 'dnsovertls'):
            self.assertEqual(self.told(setting, tunnel.interface), 'no')
            self.assertEqual(self.told(setting, plan.UPLINK), 'yes')
        self.assert_in_tunnel()
        tunnel.delete()
        self.assertEqual(self.look_up(PUBLIC), [])

    def restart_resolved(self):
        self.lab.restart('resolved')
        self.lab.wait_for(lambda: self.lab.run(['resolvectl', 'status'], check=False).returncode
                          == 0, what='resolved')
        self.configure_uplink()

    def lenient(self, conf):
        self.lab.sh(f'rm {conf}')
        self.restart_resolved()

    def test_some_domains(self):
        """resolved: with dns-domains only they are routed to the tunnel, none is searched"""
        self.start()
        tunnel = self.up(capture='none', dns='virtual', dns_domains=['proxy-only.example'])
        self.assertEqual(self.told('domain', tunnel.interface), '~proxy-only.example')
        self.assertEqual(self.told('default-route', tunnel.interface), 'no')
        self.assertEqual(self.told('default-route', plan.UPLINK), 'yes')
        self.assertTrue(self.look_up(plan.PROXY_ONLY_NAME)[0].startswith(POOL4))
        self.assertEqual(self.look_up(PUBLIC), [plan.SERVER4])
        tunnel.delete()
        self.assert_as_before()


if __name__ == '__main__':
    tap.main()
