#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A tunnel that locks somebody out goes away by itself, one that is confirmed does not."""
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, LabError, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.service import find_program  # noqa: E402

ROLLBACK_S = 5  # the least that the service takes
URL = f'http://{plan.SERVER4}/ip'


class Rollback(LabCase):
    options = {'resolved': True}

    def setUp(self):
        library = os.path.dirname(find_program(self.lab, 'libtun2proxy-1.0.so.0'))
        self.env = {'LD_LIBRARY_PATH': library}
        self.before = network_dump(self.lab)
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.service.__exit__(None)

    def ctl(self, *words):
        return self.lab.run(['tun2proxyctl', *words], env=self.env).stdout

    def up(self):
        return self.ctl('up', plan.DANTED_URI, '--name=work', 'capture=default',
                        f'--rollback={ROLLBACK_S}')

    def tunnel(self):
        return self.service.list()[0]

    def fetch(self):
        return self.lab.run(['curl', '-sS', '-m', '10', URL]).stdout.strip()

    def test_not_confirmed(self):
        """without a confirmation all is as before, though the caller has long gone"""
        said = self.up()
        self.assertIn('tun2proxyctl confirm work', said)
        self.assertEqual(self.fetch(), plan.PROXY4)
        tunnel = self.tunnel()
        left = tunnel.prop('RollbackDeadline') / 1e6 - time.time()
        self.assertTrue(0 < left <= ROLLBACK_S, left)
        self.service.wait_state(tunnel, 'inactive')
        self.assertEqual(tunnel.prop('StateReason'), 'rollback')
        self.assertEqual(tunnel.prop('RollbackDeadline'), 0)
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.assertEqual(self.fetch(), plan.LAB4)
        with self.assertRaisesRegex(LabError, 'not confirmed in time'):
            self.ctl('confirm', 'work')

    def test_confirmed(self):
        """a confirmed tunnel carries on after the time is over"""
        self.up()
        self.assertIn('down again in', self.ctl('show', 'work'))
        self.ctl('confirm', 'work')
        self.assertEqual(self.tunnel().prop('RollbackDeadline'), 0)
        time.sleep(ROLLBACK_S + 1)
        self.assertEqual(self.tunnel().state, 'active')
        self.assertEqual(self.fetch(), plan.PROXY4)

    def test_locked_out(self):
        """one whose proxy stops to answer, so that nobody reaches the machine, goes as well"""
        self.up()
        self.lab.halt('danted')
        self.addCleanup(self.lab.resume, 'danted')
        self.assertNotEqual(self.lab.run(['curl', '-sS', '-m', '2', URL],
                                         check=False).returncode, 0)
        self.service.wait_state(self.tunnel(), 'inactive')
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.assertEqual(self.fetch(), plan.LAB4)


if __name__ == '__main__':
    tap.main()
