#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a dead service has left is told, and undone when that is asked; the living stay."""
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, LabError, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.service import RUNTIME_DIR, find_program, processes  # noqa: E402

JOURNALS = f'{RUNTIME_DIR}/journal'
ASIDE = '/run/journal-of-the-dead'


class Repair(LabCase):
    options = {'resolved': True}

    def setUp(self):
        library = os.path.dirname(find_program(self.lab, 'libtun2proxy-1.0.so.0'))
        self.env = {'LD_LIBRARY_PATH': library}
        self.before = network_dump(self.lab)
        self.service = Service(self.lab)
        self.addCleanup(self.leave)

    def leave(self):
        if self.service.daemon.is_running():
            self.service.stop()
        self.service.bus.close()
        self.lab.sh(f'rm -rf {RUNTIME_DIR} {ASIDE}')
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])

    def ctl(self, *words, **where):
        return self.lab.run(['tun2proxyctl', *words], env=self.env, **where).stdout

    def leave_behind(self):
        """Routes and rules whose owner is dead, and their journal, after the start of the next
        service, which did not see it."""
        self.service.start()
        self.service.create('dead', plan.DANTED_URI, capture='default', dns='off')
        guards = [pid for pid in processes(self.lab, 'tun2proxyd') if pid != self.service.pid]
        for pid in guards + self.service.workers():
            os.kill(pid, signal.SIGKILL)
        self.service.stop(signal.SIGKILL)
        self.lab.sh(f'mkdir {ASIDE}; mv {JOURNALS}/*.json {ASIDE}')
        self.service.start()
        left = network_dump(self.lab)
        self.assertNotEqual(changes(self.before, left), [])
        self.lab.sh(f'mv {ASIDE}/*.json {JOURNALS}')
        return left

    def test_repair(self):
        """leftovers are listed without being touched, then undone, and a living tunnel stays"""
        left = self.leave_behind()
        tunnel = self.service.create('living', plan.DANTED_URI, capture='routes',
                                     routes=[f'{plan.SERVER4}/32'], dns='off')
        self.assertIn('Would be undone:', self.ctl('repair', '--dry-run'))
        told = json.loads(self.ctl('repair', '--dry-run', '--json'))
        self.assertTrue(any('rule' in line for line in told), told)
        for line in changes(self.before, left):
            self.assertIn(line, changes(self.before, network_dump(self.lab)))
        self.assertEqual(json.loads(self.ctl('repair', '--json')), told)
        self.assertEqual(tunnel.state, 'active')
        self.assertEqual(self.lab.run(['curl', '-sS', '-m', '10', f'http://{plan.SERVER4}/ip'])
                         .stdout.strip(), plan.PROXY4)
        self.assertEqual(self.ctl('repair'), 'There is nothing to undo.\n')
        tunnel.delete()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])

    def test_not_for_everybody(self):
        """who is no administrator is told nothing and undoes nothing"""
        left = self.leave_behind()
        for words in (['repair'], ['repair', '--dry-run']):
            with self.assertRaisesRegex(LabError, 'exit status 3'):
                self.ctl(*words, uid=plan.USER_UID)
        self.assertEqual(changes(left, network_dump(self.lab)), [])
        self.ctl('repair')

    def test_dry_run_starts_nothing(self):
        """to tell, the service is not started, since that would undo everything"""
        self.service.start()
        self.service.stop()
        with self.assertRaisesRegex(LabError, 'when it starts'):
            self.ctl('repair', '--dry-run')
        self.assertEqual(processes(self.lab, 'tun2proxyd'), [])


if __name__ == '__main__':
    tap.main()
