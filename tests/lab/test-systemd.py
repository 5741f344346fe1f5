#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service as it is installed: a real systemd, the shipped units with their sandbox."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Wire, changes, network_dump, plan, tap  # noqa: E402
from t2plab.booted import Booted  # noqa: E402

UNIT, EARLY = 'tun2proxyd.service', 'tun2proxy-kill-switch.service'
URL = f'http://{plan.SERVER4}/ip'
OUTSIDE, INSIDE = '10.77.0.', plan.PROXY4
NAME = plan.PROXY_ONLY_NAME
DISCARD, STARTS = 9, 20
OTHER_URL = f'http://{plan.SERVER4}:{plan.HTTP_ALT}/ip'
HASTY = '''[Service]
Type=oneshot
Slice={slice}
ExecStart=bash -c "echo >/dev/udp/{server}/{echo}; exec curl -sS -m 9 -o /run/seen-%p {url}"
'''
UNITS = {'asker': ('system.slice', plan.ECHO, URL), 'nested': ('lab-inner.slice', plan.ECHO, URL),
         'other': ('system.slice', DISCARD, OTHER_URL)}


class Systemd(LabCase):
    options = {'proxies': ['danted']}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.machine = Booted(cls.lab).__enter__()
        cls.addClassCleanup(cls.machine.__exit__)

    def setUp(self):
        self.before = network_dump(self.machine)
        self.addCleanup(self.leave)

    def leave(self):
        self.ctl('kill-switch', 'off', check=False)
        self.machine.run(['systemctl', 'stop', UNIT])
        self.machine.run(['systemctl', 'reset-failed'])  # and the count of starts in a while
        self.assertEqual(changes(self.before, network_dump(self.machine)), [])

    def ctl(self, *words, **kwargs):
        return self.machine.run(['tun2proxyctl', *words], **kwargs)

    def up(self, *words, name='work'):
        return self.ctl('up', '--name', name, plan.DANTED_URI, 'capture=default', *words)

    def fetch(self, *prefix, url=URL):
        """Whom the server saw; '' when it was not reached."""
        return self.machine.run([*prefix, 'curl', '-sS', '-m', '5', url], check=False).stdout.strip()

    def main_pid(self):
        return int(self.machine.property(UNIT, 'MainPID'))

    def restarted(self, old_pid):
        return self.lab.wait_for(lambda: self.main_pid() not in (0, old_pid)
                                 and self.machine.property(UNIT, 'ActiveState') == 'active',
                                 20, 'the next service')

    def test_activated(self):
        """a call on the bus has systemd start the service, whose sandbox lets it do its work"""
        self.assertEqual(self.machine.property(UNIT, 'ActiveState'), 'inactive')
        self.assertTrue(self.fetch().startswith(OUTSIDE))
        self.up()
        self.assertEqual(self.machine.property(UNIT, 'ActiveState'), 'active')
        self.assertEqual(self.fetch(), INSIDE)
        self.assertIn('hello', self.fetch(url=f'http://{NAME}/'))
        self.assertIn('goes through a tunnel', self.ctl('explain', f'{plan.SERVER4}:80').stdout)
        shown = self.ctl('show', 'work').stdout
        self.assertRegex(shown, r'Routes by:\s+netlink')
        self.assertRegex(shown, r'Resolver by:\s+file')
        self.assertNotRegex(self.machine.journal(UNIT), 'ignoring|EPERM|not permitted|denied')

    def keeps_names(self, restart):
        self.up()
        address = self.machine.run(['getent', 'ahosts', NAME]).stdout.split()[0]
        url = f'http://[{address}]/' if ':' in address else f'http://{address}/'
        self.assertIn('hello', self.fetch(url=url))
        pid = self.main_pid()
        restart(pid)
        self.restarted(pid)
        self.assertEqual(changes(self.before, network_dump(self.machine)), [])
        self.up()
        self.assertIn('hello', self.fetch(url=url))  # nobody has asked for the name again
        return url

    def test_restart(self):
        """a restart takes tunnels down, and keeps what virtual addresses stand for until a stop"""
        url = self.keeps_names(lambda _: self.machine.run(['systemctl', 'restart', UNIT]))
        self.machine.run(['systemctl', 'stop', UNIT])
        self.up()
        self.assertEqual(self.fetch(url=url), '')

    def test_killed(self):
        """a killed service is started again, has undone what was left, and knows the names"""
        self.keeps_names(lambda pid: self.machine.run(['systemctl', 'kill', '-s', 'KILL', UNIT]))

    def test_killed_alone(self):
        """so it is when its workers live on"""
        self.keeps_names(lambda pid: self.machine.run(['kill', '-KILL', str(pid)]))

    def make_units(self):
        for name, (slice, echo, url) in UNITS.items():
            unit = HASTY.format(slice=slice, server=plan.SERVER4, echo=echo, url=url)
            self.machine.run(['tee', f'/run/systemd/system/{name}.service'], input=unit)
        self.machine.run('systemctl daemon-reload')

    def start_units(self):
        """Whom the server saw; the first two are to be captured."""
        self.machine.sh('rm -f /run/seen-*; systemctl restart asker nested other')
        seen = [self.machine.run(f'cat /run/seen-{name}').stdout.strip() for name in UNITS]
        self.assertEqual(seen[:2], [INSIDE] * 2)
        self.assertTrue(seen[2].startswith(OUTSIDE), seen)

    def start_units_unseen(self):
        """While the service does not run at all."""
        pid = self.main_pid()
        self.machine.sh(f'kill -STOP {pid}; (sleep 0.5; kill -CONT {pid}) >/dev/null 2>&1 &')
        self.start_units()

    def test_units(self):
        """of a unit in `apps` no packet gets past, however often it is started; others go on"""
        self.make_units()
        self.up('apps=asker.service,nested.service')
        with Wire(self.lab) as wire:
            for _ in range(STARTS):
                self.start_units()
            self.start_units_unseen()
            ports = {row['port'] for row in wire.since_last() if row['protocol'] in ('tcp', 'udp')
                     and plan.SERVER4 in (row['source'], row['destination'])}
        self.assertEqual(ports - {DISCARD}, {plan.HTTP_ALT})  # a held datagram is lost
        self.assertTrue(self.fetch().startswith(OUTSIDE))

    def test_run(self):
        """`run` starts a program in a scope of its own, inside from its first packet on"""
        self.up('apps=nobody.service')
        run = ('tun2proxyctl', 'run', '--')
        self.assertEqual(self.fetch(*run), INSIDE)
        cgroup = self.machine.run([*run, 'cat', '/proc/self/cgroup']).stdout
        self.assertRegex(cgroup, r'0::/system\.slice/tun2proxy-work-\d+\.scope')
        self.assertEqual(self.machine.run([*run, 'sh', '-c', 'exit 7'], check=False).returncode, 7)
        self.assertTrue(self.fetch().startswith(OUTSIDE))

    def test_namespace(self):
        """the sandbox lets it make a tunnel in a network namespace of the machine"""
        self.machine.sh('ip netns add guest; ip -n guest link set lo up')
        self.addCleanup(self.machine.run, 'ip netns del guest')
        holder = self.machine.argv(['tun2proxyctl', 'up', '--netns', '/run/netns/guest', '--name',
                                    'guest', plan.DANTED_URI, 'capture=default'])
        with subprocess.Popen(holder, stdout=subprocess.DEVNULL) as up:
            try:
                self.lab.wait_for(lambda: self.fetch('ip', 'netns', 'exec', 'guest') == INSIDE, 10,
                                  'the tunnel of the namespace', interval=0.2)
                self.assertTrue(self.fetch().startswith(OUTSIDE))
            finally:
                up.terminate()

    def test_early_kill_switch(self):
        """what is to be blocked is blocked before the service is there, and after it was stopped"""
        self.up('kill-switch=always')
        self.assertEqual(self.fetch(), INSIDE)
        self.machine.run(['systemctl', 'stop', UNIT])
        self.assertEqual(self.fetch(), '')
        self.machine.run('nft flush ruleset')  # as a boot does
        self.assertTrue(self.fetch().startswith(OUTSIDE))
        self.machine.run(['systemctl', 'start', EARLY])
        self.assertEqual(self.fetch(), '')
        self.assertIn('off', self.ctl('kill-switch', 'off').stdout.lower())
        self.assertTrue(self.fetch().startswith(OUTSIDE))


if __name__ == '__main__':
    tap.main()
