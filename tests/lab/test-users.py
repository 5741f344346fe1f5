#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may: ordinary users, with and without a session, and what a refusal leaves alone."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, LabError, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.bus import BusError  # noqa: E402

CREATE = ['busctl', 'call', 'org.tun2proxy.Manager', '/org/tun2proxy/Manager',
          'org.tun2proxy.Manager', 'CreateTunnel', 'sa{sv}a{sv}', 'mine']
WAIT = ['1', 'wait', 'b', 'true']
URL = f'http://{plan.SERVER4}/ip'
DENIED = 'InteractiveAuthorizationRequired|not ?authorized|access denied'


def settings(**values):
    """busctl's words for a{sv} of strings; proxies is there always."""
    words = [str(len(values) + 1), 'proxies', 'as', '1', plan.DANTED_URI]
    for key, value in values.items():
        words += [key.replace('_', '-'), 's', value]
    return words


class Users(LabCase):
    options = {'resolved': True}

    def setUp(self):
        self.before = network_dump(self.lab)
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.service.__exit__(None)

    def refused(self, run, words):
        monitor = self.lab.start(['ip', 'monitor', 'link', 'address', 'route', 'rule'],
                                 name='monitor')
        said = run(plan.USER_UID, CREATE + words + WAIT, check=False)
        self.assertNotEqual(said.returncode, 0)
        self.assertRegex(said.stderr, f'(?i){DENIED}')
        self.assertEqual(self.service.list(), [])
        monitor.stop()
        self.assertEqual(monitor.log(), '')
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])

    def fetch(self, uid):
        return self.lab.as_user(uid, ['curl', '-sS', '-m', '15', URL]).stdout.strip()

    def test_no_session(self):
        """a user without a session is refused, and nothing at all happens"""
        self.refused(self.lab.as_user, settings())

    def test_system_scope(self):
        """a user with a session may not capture everybody's traffic"""
        self.refused(self.lab.session, settings(scope='system', capture='default'))

    def test_advanced(self):
        """a user with a session may not choose what needs an administrator"""
        self.refused(self.lab.session, settings(interface='eth7'))

    ASKING = CREATE[:2] + ['--allow-interactive-authorization=yes'] + CREATE[2:]
    EVERYTHING = dict(scope='system', capture='default', interface='wide0')

    def test_one_dialog(self):
        """a user whom polkit asks is asked once, for the strongest, and a yes is enough"""
        status, said, asked = self.lab.with_agent(
            plan.USER_UID, self.ASKING + settings(**self.EVERYTHING) + WAIT, 'yes')
        self.assertEqual(status, 0, said)
        self.assertEqual([line.split(':')[0] for line in asked], ['org.tun2proxy.advanced'])
        self.assertEqual(self.fetch(plan.ADMIN_UID), plan.PROXY4)

    def test_dismissed(self):
        """a dialog that is dismissed is told apart from a refusal, and nothing happens"""
        status, said, asked = self.lab.with_agent(
            plan.USER_UID, self.ASKING + settings(**self.EVERYTHING) + WAIT, 'no')
        self.assertNotEqual(status, 0)
        self.assertEqual(len(asked), 1)
        self.assertRegex(said, '(?i)dismissed')
        self.assertEqual(self.service.list(), [])

    def test_own_traffic(self):
        """a user with a session captures his own traffic without a password, nobody else's"""
        self.lab.session(plan.USER_UID, CREATE + settings(capture='default') + WAIT)
        self.assertEqual(self.fetch(plan.USER_UID), plan.PROXY4)
        self.assertEqual(self.fetch(plan.ADMIN_UID), plan.LAB4)
        self.assertEqual(self.lab.run(['curl', '-sS', URL]).stdout.strip(), plan.LAB4)

    def test_chosen_users(self):
        """users captures the traffic of those users and of nobody else, resolver unchanged"""
        resolver = self.lab.sh('resolvectl dns; resolvectl domain').stdout
        tunnel = self.service.create('chosen', plan.DANTED_URI, capture='default',
                                     users=[self.lab.sh(f'id -nu {plan.USER_UID}').stdout.strip()])
        self.assertEqual(self.fetch(plan.USER_UID), plan.PROXY4)
        self.assertEqual(self.fetch(plan.ADMIN_UID), plan.LAB4)
        self.assertEqual(self.lab.run(['curl', '-sS', URL]).stdout.strip(), plan.LAB4)
        told = self.lab.sh('resolvectl dns; resolvectl domain').stdout
        told = '\n'.join(line for line in told.splitlines() if tunnel.interface not in line)
        self.assertEqual(told, resolver.strip())
        self.assertIn('resolver', ' '.join(tunnel.result['warnings']))

    def test_unknown_user(self):
        """a user that nobody is named in the error, and nothing is left"""
        with self.assertRaisesRegex(BusError, 'InvalidSettings.*nobody-has-this-name'):
            self.service.create('chosen', plan.DANTED_URI, capture='default',
                                users=['nobody-has-this-name'])
        self.assertEqual(self.service.list(), [])

    def test_others_tunnel(self):
        """what belongs to root is not told to a user, nor changed by him"""
        tunnel = self.service.create('roots', plan.DANTED_URI)
        for method in ('GetSettings', 'GetDetails', 'Deactivate', 'Delete'):
            with self.assertRaises(LabError, msg=method):
                self.lab.session(plan.USER_UID, [
                    'busctl', 'call', 'org.tun2proxy.Manager', tunnel.path,
                    'org.tun2proxy.Tunnel', method, 'a{sv}', '0'])
        self.assertEqual(tunnel.state, 'active')

    def test_worker(self):
        """the worker is another user without privileges, capabilities or new ones"""
        self.service.create('work', plan.DANTED_URI)
        with open(f'/proc/{self.service.workers()[0]}/status', encoding='ascii') as file:
            known = dict(line.split(':\t', 1) for line in file.read().splitlines() if ':\t' in line)
        self.assertEqual(known['Uid'].split(), [str(plan.WORKER_UID)] * 4)
        self.assertEqual(known['NoNewPrivs'], '1')
        net_raw = 1 << 13
        for caps in ('CapEff', 'CapPrm', 'CapBnd'):
            self.assertEqual(int(known[caps], 16) & ~net_raw, 0, caps)


if __name__ == '__main__':
    tap.main()
