#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which programs a tunnel captures: cgroups of systemd units, told apart by nftables."""
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.bus import BusError  # noqa: E402
from t2plab.service import find_program  # noqa: E402

CGROUPS = '/sys/fs/cgroup'
URL = f'http://{plan.SERVER4}/ip'
CREATE = ['busctl', 'call', 'org.tun2proxy.Manager', '/org/tun2proxy/Manager',
          'org.tun2proxy.Manager', 'CreateTunnel', 'sa{sv}a{sv}', 'mine']
WAIT = ['1', 'wait', 'b', 'true']
MANAGER = f'user.slice/user-{plan.USER_UID}.slice/user@{plan.USER_UID}.service'


class Apps(LabCase):
    options = {'resolved': True}

    def setUp(self):
        if not self.lab.cgroup:
            self.skipTest('needs a writable cgroup2 file system')
        self.before = network_dump(self.lab)
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        if self.service.daemon.is_running():
            for tunnel in self.service.list():
                tunnel.delete()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.lab.sh(f'find {CGROUPS} -mindepth 1 -depth -type d -name "*.slice" '
                    '-o -name "*.scope" -o -name "*.service" | xargs -r rmdir 2>/dev/null || true')
        self.service.__exit__(None)

    def make(self, path):
        self.lab.sh(f'mkdir -p {CGROUPS}/{path}')

    def inside(self, path, cmd, uid=0):
        """A command in a cgroup."""
        become = f'setpriv --reuid {uid} --regid {uid} --clear-groups ' if uid else ''
        return self.lab.sh(f'echo $$ >{CGROUPS}/{path}/cgroup.procs; exec {become}{cmd}')

    def seen(self, path, uid=0, url=URL):
        """From which address the server sees a program of that cgroup."""
        return self.inside(path, f'curl -sS -m 15 {url}', uid).stdout.strip()

    def outside(self, uid=0):
        return self.lab.run(['curl', '-sS', '-m', '15', URL], uid=uid).stdout.strip()

    def test_apps(self):
        """with apps, programs of those units go through the proxy, and no others"""
        self.make('system.slice/fetch.service')
        self.make('system.slice/other.service')
        self.service.create('apps', plan.DANTED_URI, capture='default', apps=['fetch.service'])
        self.assertEqual(self.seen('system.slice/fetch.service'), plan.PROXY4)
        self.assertEqual(self.seen('system.slice/other.service'), plan.LAB4)
        self.assertEqual(self.outside(), plan.LAB4)

    def test_exclude_apps(self):
        """with exclude-apps, all programs go through the proxy but those of these units"""
        self.make('system.slice/direct.service')
        self.service.create('most', plan.DANTED_URI, capture='default',
                            exclude_apps=['direct.service'])
        self.assertEqual(self.seen('system.slice/direct.service'), plan.LAB4)
        self.assertEqual(self.outside(), plan.PROXY4)

    def looked_up(self, path, name, uid=0):
        said = self.inside(path, f'sh -c "getent ahostsv4 {name} || true"', uid).stdout
        return {line.split()[0] for line in said.splitlines()}

    def check_names(self, captured, other):
        """Names that only the proxy knows, asked for at 127.0.0.53."""
        for name in (plan.PROXY_ONLY_NAME, 'v4.example'):
            found = self.looked_up(captured, name)
            self.assertTrue(found and all(address.startswith('198.18.') for address in found),
                            (name, found))
        self.assertEqual(self.looked_up(other, plan.PROXY_ONLY_NAME), set())
        self.assertEqual(self.looked_up(other, 'v4.example'), {plan.SERVER4})

    def test_names(self):
        """names that a captured app looks up go to the proxy, whoever it asks, no others do"""
        for unit in ('fetch', 'other'):
            self.make(f'system.slice/{unit}.service')
        self.service.create('apps', plan.DANTED_URI, capture='default', apps=['fetch.service'])
        self.check_names('system.slice/fetch.service', 'system.slice/other.service')

    def test_names_excluded(self):
        """names that an excluded app looks up do not go to the proxy, all others do"""
        for unit in ('direct', 'other', 'systemd-resolved'):
            self.make(f'system.slice/{unit}.service')
        resolver = json.loads(self.lab.read('/run/lab/resolved.json'))['pid']
        self.lab.sh(f'echo {resolver} >{CGROUPS}/system.slice/systemd-resolved.service/cgroup.procs')
        self.addCleanup(self.lab.sh, f'echo {resolver} >{CGROUPS}/cgroup.procs')
        tunnel = self.service.create(
            'most', plan.DANTED_URI, capture='default',
            exclude_apps=['direct.service', 'systemd-resolved.service'])
        self.assertIn('exclude that one, too', ' '.join(tunnel.result['warnings']))
        self.check_names('system.slice/other.service', 'system.slice/direct.service')

    def test_slice(self):
        """a slice stands for all that is in it, what comes later included, at once"""
        self.make('work.slice')
        self.service.create('apps', plan.DANTED_URI, capture='default', apps=['work.slice'])
        self.make('work.slice/later.scope')
        self.assertEqual(self.seen('work.slice/later.scope'), plan.PROXY4)

    def test_made_again(self):
        """a unit that is stopped and started again is captured again"""
        unit = 'system.slice/fetch.service'
        tunnel = self.service.create('apps', plan.DANTED_URI, capture='default',
                                     apps=['fetch.service'])
        self.assertIn('apps', ' '.join(tunnel.result['warnings']))
        for _ in range(3):
            self.make(unit)
            self.lab.wait_for(lambda: self.seen(unit) == plan.PROXY4, what='the new cgroup')
            self.lab.sh(f'rmdir {CGROUPS}/{unit}')
        self.assertEqual(self.outside(), plan.LAB4)

    def test_pattern(self):
        """a name with a star stands for every unit that fits"""
        self.make('app.slice/app-firefox-12.scope')
        self.make('app.slice/app-mail-13.scope')
        self.service.create('apps', plan.DANTED_URI, capture='default',
                            apps=['app.slice/app-firefox-*.scope'])
        self.assertEqual(self.seen('app.slice/app-firefox-12.scope'), plan.PROXY4)
        self.assertEqual(self.seen('app.slice/app-mail-13.scope'), plan.LAB4)

    def test_ipv6(self):
        """an app's IPv6 connections are refused at once where the proxy has no IPv6"""
        self.make('system.slice/fetch.service')
        self.service.create('apps', plan.MICROSOCKS_URI, capture='default', ipv6='reject',
                            apps=['fetch.service'])
        script = (f'curl -6 -sS -o /dev/null -m 15 -w "%{{time_total}}" '
                  f'"http://[{plan.SERVER6}]/ip" || true')
        said = self.inside('system.slice/fetch.service', f"sh -c '{script}'")
        self.assertLess(float(said.stdout), 2, said.stderr)
        self.assertNotIn(plan.LAB6, said.stdout)

    def test_own_apps(self):
        """a user with a session captures an app of his own without a password"""
        unit = f'{MANAGER}/app.slice/fetch.service'
        self.make(unit)
        self.make('system.slice/fetch.service')
        words = ['4', 'proxies', 'as', '1', plan.DANTED_URI, 'capture', 's', 'default',
                 'apps', 'as', '1', 'fetch.service', 'scope', 's', 'user']
        self.lab.session(plan.USER_UID, CREATE + words + WAIT)
        self.assertEqual(self.seen(unit, plan.USER_UID), plan.PROXY4)
        self.assertEqual(self.seen(unit, plan.ADMIN_UID), plan.LAB4)
        self.assertEqual(self.seen('system.slice/fetch.service', plan.USER_UID), plan.LAB4)
        self.assertEqual(self.outside(plan.USER_UID), plan.LAB4)

    def test_answers(self):
        """a captured unit goes on answering connections from outside"""
        self.make('system.slice/serve.service')
        self.service.create('apps', plan.DANTED_URI, capture='default', apps=['serve.service'])
        server = self.lab.start(['sh', '-c', f'echo $$ >{CGROUPS}/system.slice/serve.service/'
                                 'cgroup.procs; exec python3 -m http.server 8099'])
        fetch = ['curl', '-sS', '-m', '5', '-o', '/dev/null', '-w', '%{http_code}',
                 f'http://{plan.LAB4}:8099/']
        self.lab.wait_for(lambda: self.lab.netns('wan').run(fetch, check=False).stdout == '200',
                          what='an answer')
        server.kill()
        server.wait()

    def ctl(self, *words, uid=0, check=True, **where):
        library = os.path.dirname(find_program(self.lab, 'libtun2proxy-1.0.so.0'))
        return self.lab.run(['tun2proxyctl', *words], uid=uid, check=check,
                            env={'LD_LIBRARY_PATH': library}, **where)

    RUN = ['run', '--tunnel', 'inside', '--']
    FETCH = ['curl', '-sS', '-m', '15', URL]

    def test_run(self):
        """`run` starts programs inside, and nothing else is there; their exit status is theirs"""
        self.service.create('inside', plan.DANTED_URI, capture='default',
                            apps=['tun2proxy-inside-*.scope'])
        self.assertEqual(self.ctl(*self.RUN, *self.FETCH).stdout.strip(), plan.PROXY4)
        self.assertEqual(self.ctl(*self.RUN, 'sh', '-c', ' '.join(self.FETCH)).stdout.strip(),
                         plan.PROXY4)
        self.assertEqual(self.outside(), plan.LAB4)
        self.assertEqual(self.ctl('run', 'sh', '-c', 'exit 42', check=False).returncode, 42)
        self.assertEqual(self.ctl('run', 'no-such-program', check=False).returncode, 127)
        self.assertEqual(self.ctl('run', '/etc/passwd', check=False).returncode, 126)
        self.assertEqual(self.ctl('run', check=False).returncode, 2)
        self.assertEqual(self.ctl('run', '--tunnel', 'none', 'true', check=False).returncode, 5)

    def test_run_user(self):
        """a user starts a program inside his own tunnel, but not inside another's"""
        words = ['4', 'proxies', 'as', '1', plan.DANTED_URI, 'capture', 's', 'default',
                 'apps', 'as', '1', 'run.slice', 'scope', 's', 'user']
        self.lab.session(plan.USER_UID, CREATE + words + WAIT)
        run = ['run', '--tunnel', 'mine', '--']
        self.assertEqual(self.ctl(*run, *self.FETCH, uid=plan.USER_UID).stdout.strip(),
                         plan.PROXY4)
        self.assertEqual(self.outside(plan.USER_UID), plan.LAB4)
        self.service.create('inside', plan.DANTED_URI, capture='default', apps=['run.slice'])
        said = self.ctl(*self.RUN, *self.FETCH, uid=plan.USER_UID, check=False)
        self.assertEqual(said.returncode, 3, said.stderr)

    def test_run_excluded(self):
        """`run` starts a program inside though it is started by one that is excluded"""
        self.make('system.slice/direct.service')
        self.service.create('inside', plan.DANTED_URI, capture='default',
                            exclude_apps=['direct.service'])
        library = os.path.dirname(find_program(self.lab, 'libtun2proxy-1.0.so.0'))
        run = f'env LD_LIBRARY_PATH={library} tun2proxyctl ' + ' '.join(self.RUN + self.FETCH)
        self.assertEqual(self.inside('system.slice/direct.service', run).stdout.strip(),
                         plan.PROXY4)
        self.assertEqual(self.seen('system.slice/direct.service'), plan.LAB4)

    def test_run_outlives(self):
        """a program that outlives the tunnel goes on, and nothing of the tunnel is left"""
        tunnel = self.service.create('inside', plan.DANTED_URI, capture='default',
                                     apps=['run.slice'])
        library = os.path.dirname(find_program(self.lab, 'libtun2proxy-1.0.so.0'))
        program = self.lab.start(['tun2proxyctl', *self.RUN, 'sleep', '300'],
                                 env={'LD_LIBRARY_PATH': library})
        own = f'{CGROUPS}/tun2proxy'
        self.lab.wait_for(lambda: self.lab.sh(f'cat {own}/*/cgroup.procs || true').stdout.strip(),
                          what='the program to be inside')
        tunnel.delete()
        self.assertTrue(program.is_running())
        self.assertEqual(self.lab.sh(f'ls -d {own} || true').stdout, '')
        program.kill()
        program.wait()

    def test_run_killed(self):
        """what a killed daemon has put programs into is taken away by the next one"""
        self.service.create('inside', plan.DANTED_URI, capture='default', apps=['run.slice'])
        self.ctl(*self.RUN, 'true')
        self.assertNotEqual(self.lab.sh(f'ls -d {CGROUPS}/tun2proxy').stdout, '')
        self.service.stop(signal.SIGKILL)
        for pid in self.service.workers():
            os.kill(pid, signal.SIGKILL)
        self.service.start()
        self.assertEqual(self.lab.sh(f'ls -d {CGROUPS}/tun2proxy || true').stdout, '')

    def test_killed(self):
        """a daemon that is killed leaves nothing that the next one does not take away"""
        self.make('system.slice/fetch.service')
        self.service.create('apps', plan.DANTED_URI, capture='default', apps=['fetch.service'])
        self.assertIn('-hold', self.lab.run('nft list tables').stdout)
        self.service.stop(signal.SIGKILL)
        self.assertNotIn('-hold', self.lab.run('nft list tables').stdout)  # workers live
        self.make('system.slice/other.service')
        self.assertEqual(self.seen('system.slice/other.service'), plan.LAB4)
        for pid in self.service.workers():
            os.kill(pid, signal.SIGKILL)
        self.service.start()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])

    def test_bad_names(self):
        """what is no name of a unit is refused by its key"""
        for name in ('../x.service', 'x', 'a.slice/../b.service', 'x";drop.service'):
            with self.assertRaisesRegex(BusError, 'InvalidSettings.*apps'):
                self.service.create('bad', plan.DANTED_URI, capture='default', apps=[name])


class UnderNetworkManager(LabCase):
    options = {'nm': True, 'resolved': True}

    def seen(self, enter):
        return self.lab.sh(f'{enter} exec curl -sS -m 15 {URL}').stdout.strip()

    def test_profile(self):
        """apps and exclude-apps hold when the rules are those of NetworkManager's profile"""
        if not self.lab.cgroup:
            self.skipTest('needs a writable cgroup2 file system')
        self.lab.sh(f'mkdir -p {CGROUPS}/work.slice')
        self.addCleanup(self.lab.sh, f'rmdir {CGROUPS}/work.slice')
        inside = f'echo $$ >{CGROUPS}/work.slice/cgroup.procs;'
        with Service(self.lab) as service:
            tunnel = service.create('apps', plan.DANTED_URI, capture='default',
                                    apps=['work.slice'])
            self.assertEqual(tunnel.prop('NetworkBackend'), 'networkmanager')
            self.assertEqual(self.seen(inside), plan.PROXY4)
            self.assertNotEqual(self.seen(''), plan.PROXY4)
            tunnel.delete()
            tunnel = service.create('most', plan.DANTED_URI, capture='default',
                                    exclude_apps=['work.slice'])
            self.assertEqual(tunnel.prop('NetworkBackend'), 'networkmanager')
            self.assertNotEqual(self.seen(inside), plan.PROXY4)
            self.assertEqual(self.seen(''), plan.PROXY4)
            tunnel.delete()
            self.assertEqual(self.lab.sh('nft list tables').stdout, '')


if __name__ == '__main__':
    tap.main()
