#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The installed files by which the system knows the service, each asked of who will read it."""
import os
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import Bus, LabCase, plan, tap  # noqa: E402

# Action, and what it answers any, inactive and active sessions (docs: the D-Bus reference).
YES, ASK, KEEP = 'yes', 'auth_admin', 'auth_admin_keep'
ACTIONS = {
    'create-tunnel': (ASK, ASK, YES),
    'capture-routes': (ASK, ASK, KEEP),
    'capture-default': (ASK, ASK, KEEP),
    'advanced': (ASK, ASK, KEEP),
    'test-proxy': (ASK, ASK, YES),
    'control': (ASK, ASK, YES),
    'persist': (ASK, ASK, KEEP),
    'manage-others': (ASK, ASK, ASK),
    'kill-switch': (ASK, ASK, KEEP),
    'bypass': (ASK, ASK, KEEP),
    'inspect': (ASK, ASK, KEEP),
}
TOP = pathlib.Path(__file__).resolve().parents[2]
EXPOSURE = 35  # tenths; systemd's own scale, lower is better
NAME = 'org.tun2proxy.Manager'


class Data(LabCase):
    options = {'proxies': ()}

    def staged(self, pattern):
        """Where the lab sees an installed file."""
        stage = self.lab.state / 'stage'
        found = [path for path in stage.glob(pattern) if path.is_file()]
        self.assertEqual(len(found), 1, f'{pattern}: {found}')
        return '/' + str(found[0].relative_to(stage))

    def unit(self):
        """The unit; a stand-in for its program until a build installs one."""
        unit = self.staged('**/systemd/system/tun2proxyd.service')
        program = re.search(r'^ExecStart=(\S+)', self.lab.read(unit), re.MULTILINE)[1]
        if not self.lab.path(program).exists():
            self.lab.write(program, '#!/bin/sh\n', 0o755)
        return unit

    def test_unit(self):
        """systemd finds nothing wrong with the unit"""
        said = self.lab.run(f'systemd-analyze verify --man=no {self.unit()}')
        self.assertEqual(said.stderr.strip(), '')

    def test_early_unit(self):
        """systemd finds nothing wrong with the unit that runs before the network, and knows it"""
        self.unit()
        unit = self.staged('**/systemd/system/tun2proxy-kill-switch.service')
        said = self.lab.run(f'systemd-analyze verify --man=no {unit}')
        self.assertEqual(said.stderr.strip(), '')
        wanted = self.lab.path(os.path.dirname(unit)) / 'sysinit.target.wants'
        self.assertTrue((wanted / os.path.basename(unit)).is_symlink())

    def test_exposure(self):
        """the unit's exposure stays below the limit"""
        self.lab.run(f'systemd-analyze security --offline=yes --threshold={EXPOSURE} '
                     f'{self.unit()}')

    def test_sysusers(self):
        """systemd-sysusers makes the workers' user, without a shell or a home"""
        conf = self.lab.read(self.staged('**/sysusers.d/tun2proxy.conf'))
        self.lab.run('mkdir -p /run/root/etc')
        self.lab.run('systemd-sysusers --root=/run/root -', input=conf)
        line = self.lab.read('/run/root/etc/passwd')
        self.assertRegex(line, rf'(?m)^{plan.WORKER}:x?:\d+:\d+:tun2proxy workers:/:.*nologin$')

    def test_tmpfiles(self):
        """systemd-tmpfiles makes the folder of profiles, for root alone"""
        conf = self.lab.read(self.staged('**/tmpfiles.d/tun2proxy.conf'))
        self.lab.run('mkdir -p /run/tmpfiles-root')
        self.lab.run('systemd-tmpfiles --root=/run/tmpfiles-root --create -', input=conf)
        made = self.lab.path('/run/tmpfiles-root/etc/tun2proxy/tunnels.d')
        self.assertEqual(made.stat().st_mode & 0o7777, 0o700)

    def test_networkd(self):
        """the networkd drop-ins are where it looks, for our links only"""
        network = self.lab.read(self.staged('**/systemd/network/10-tun2proxy.network'))
        self.assertRegex(network, r'\[Match\]\nName=t2p\*\n\n\[Link\]\nUnmanaged=yes\n')
        conf = self.lab.read(self.staged('**/systemd/networkd.conf.d/tun2proxy.conf'))
        self.assertRegex(conf, r'\[Network\]\nManageForeignRoutingPolicyRules=no\n')

    def test_grammar(self):
        """introspection files and the polkit policy follow their grammars"""
        xmllint = 'xmllint --nonet --noout --dtdvalid /usr/share/'
        self.lab.run(xmllint + 'polkit-1/policyconfig-1.dtd '
                     + self.staged('**/org.tun2proxy.policy'))
        for path in sorted((TOP / 'dbus').glob('*.xml')):
            self.lab.write(f'/run/{path.name}', path.read_text())
            self.lab.run(f'{xmllint}xml/dbus-1/introspect.dtd /run/{path.name}')

    def test_actions(self):
        """polkit knows exactly our actions with exactly their defaults"""
        known = [line for line in self.lab.run('pkaction').stdout.split()
                 if line.startswith('org.tun2proxy.')]
        self.assertEqual(known, sorted(f'org.tun2proxy.{name}' for name in ACTIONS))
        for name, defaults in ACTIONS.items():
            said = self.lab.run(f'pkaction -v -a org.tun2proxy.{name}').stdout
            found = re.findall(r'implicit (?:any|inactive|active): +(\S+)', said)
            self.assertEqual(tuple(found), defaults, name)

    def test_active_session(self):
        """an active local user may create a tunnel, and not capture everybody's traffic"""
        ask = 'pkcheck -a org.tun2proxy.{} -p $$; echo $?'
        may = self.lab.session(plan.USER_UID, ['sh', '-c', ask.format('create-tunnel')])
        self.assertEqual(may.stdout.split()[-1], '0')
        may_not = self.lab.session(plan.USER_UID, ['sh', '-c', ask.format('capture-default')])
        self.assertNotEqual(may_not.stdout.split()[-1], '0')

    def request_name(self, uid):
        return self.lab.run('busctl --system call org.freedesktop.DBus / org.freedesktop.DBus '
                            f'RequestName su {NAME} 0', uid=uid, check=False)

    def test_policy_own(self):
        """the bus lets root own the name and nobody else"""
        refused = self.request_name(plan.USER_UID)
        self.assertIn('Access denied', refused.stderr)
        self.assertEqual(self.request_name(0).stdout, 'u 1\n')

    def test_policy_send(self):
        """the bus lets everybody talk to the service"""
        owner = Bus(self.lab)
        self.addCleanup(owner.close)
        owner.call('/', 'org.freedesktop.DBus', 'RequestName', 'su', NAME, 0,
                   name='org.freedesktop.DBus')
        asked = self.lab.as_user(plan.USER_UID, f'busctl --system call {NAME} '
                                 f'/org/tun2proxy/Manager {NAME} Reload', check=False)
        self.assertIn('Object does not exist', asked.stderr)  # arrived, though nobody is at home


class Activation(LabCase):
    options = {'proxies': ()}

    def test_activation(self):
        """a user's call starts the service, as root, by bus activation"""
        said = self.lab.as_user(plan.USER_UID, f'busctl --system get-property {NAME} '
                                f'/org/tun2proxy/Manager {NAME} Version')
        self.assertRegex(said.stdout, r'^s "\d+\.\d+')
        status = self.lab.run(f'busctl --system status {NAME}').stdout
        self.assertRegex(status, r'(?m)^UID=0$')


if __name__ == '__main__':
    tap.main()
