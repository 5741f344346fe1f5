#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Upstreams that are programs of this machine: their own connections stay outside, or there is
no tunnel."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.bus import BusError  # noqa: E402

URL = f'http://{plan.SERVER4}/ip'
CGROUPS = '/sys/fs/cgroup'
SERVICE_USER, SERVICE_UID = 'proxyd', 4200  # nobody logs in as
PORT = 2080
URI = f'socks5://127.0.0.1:{PORT}'
DANTED_CONF = f"""
logoutput: stderr
internal: 127.0.0.1 port = {PORT}
external: {plan.UPLINK}
clientmethod: none
socksmethod: none
user.privileged: USER
user.unprivileged: USER
client pass {{ from: 0/0 to: 0/0 }}
socks pass {{ from: 0/0 to: 0/0 command: connect }}
"""
SSHD_CONF = f"""
ListenAddress {plan.PROXY4}
HostKey /run/lab/hop-host
PidFile none
AuthorizedKeysFile /run/lab/hop-client.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
"""


class LocalProxy(LabCase):
    def setUp(self):
        self.before = network_dump(self.lab)
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.service.__exit__(None)

    def run_proxy(self, cmd, **where):
        proxy = self.lab.start(cmd, name='local-proxy', **where)
        self.addCleanup(proxy.wait)
        self.addCleanup(proxy.kill)
        self.lab.wait_for(lambda: f':{PORT} ' in self.lab.run('ss -ltn').stdout,
                          what=f'the proxy to listen: {proxy.log()}')
        return proxy

    def danted(self, user):
        self.lab.write('/run/lab/hop-danted.conf', DANTED_CONF.replace('USER', user))
        return ['danted', '-f', '/run/lab/hop-danted.conf']

    def fetch(self, uid=None):
        return self.lab.run(['curl', '-sS', '-m', '10', URL], uid=uid, check=False).stdout.strip()

    def rules(self):
        return self.lab.run('ip rule').stdout

    def carries(self, proxy=URI, seen=plan.LAB4, **settings):
        """A tunnel by that proxy, through which the server sees the machine's own address."""
        tunnel = self.service.create('work', proxy, capture='default', **settings)
        self.lab.run('nft -f -', input=f'''
            table inet watch {{
                counter seen {{ }}
                chain out {{
                    type filter hook postrouting priority 300;
                    oifname "{tunnel.interface}" counter name seen
                }}
            }}''')
        try:
            for _ in range(5):
                self.assertEqual(self.fetch(), seen)
            said = self.lab.run('nft list counter inet watch seen').stdout
            self.assertGreater(int(re.search(r'packets (\d+)', said)[1]), 10)  # it is captured
        finally:
            self.lab.run('nft delete table inet watch')
        # nothing went round: what the worker had to carry is what was fetched
        self.assertEqual(tunnel.statistics()['connections-opened'], 5)
        return tunnel


class OwnUser(LocalProxy):
    def setUp(self):
        super().setUp()
        self.lab.sh(f'grep -q ^{SERVICE_USER}: /etc/passwd || echo {SERVICE_USER}:x:{SERVICE_UID}:'
                    f'{SERVICE_UID}::/:/usr/sbin/nologin >>/etc/passwd')

    def test_own_user(self):
        """danted under a user of its own is excluded by that, and carries"""
        self.run_proxy(self.danted(SERVICE_USER), uid=SERVICE_UID)
        self.carries()
        self.assertIn(f'uidrange {SERVICE_UID}-{SERVICE_UID} lookup main', self.rules())

    def test_rule_comes_back(self):
        """its rule comes back when somebody takes it away"""
        self.run_proxy(self.danted(SERVICE_USER), uid=SERVICE_UID)
        self.carries()
        before = self.rules()
        self.lab.run(f'ip rule del uidrange {SERVICE_UID}-{SERVICE_UID} lookup main')
        self.lab.wait_for(lambda: self.rules() == before)

    def test_exclusion_broken(self):
        """where somebody's rule sends it into the tunnel all the same, the circle is cut"""
        self.run_proxy(self.danted(SERVICE_USER), uid=SERVICE_UID)
        tunnel = self.carries()
        signals = self.service.bus.record(member='LoopDetected')
        table = re.search(r'iif lo lookup (\d+)', self.rules())[1]
        self.lab.run(f'ip rule add priority 5 uidrange {SERVICE_UID}-{SERVICE_UID} lookup {table}')

        def heard():
            self.fetch()
            self.service.bus.pump()
            return [arguments[0] for *_, arguments in signals]
        try:
            told = self.lab.wait_for(heard, timeout=60, what='LoopDetected')[0]
        finally:
            self.lab.run('ip rule del priority 5')
        self.assertEqual((told['kind'], told['program'], told['uid']),
                         ('local-proxy', 'danted', SERVICE_UID))
        self.assertEqual(told['destination'], f'{plan.SERVER4}:80')
        self.assertGreater(tunnel.statistics()['dropped-loop'], 0)
        self.assertLess(tunnel.statistics()['connections-active'], 1000)
        self.lab.wait_for(lambda: self.fetch() == plan.LAB4, timeout=60)

    def test_other_users_tunnel(self):
        """a tunnel for other users needs no rule for it"""
        self.run_proxy(self.danted(SERVICE_USER), uid=SERVICE_UID)
        self.service.create('work', URI, capture='default', users=[str(plan.USER_UID)])
        self.assertNotIn(f'uidrange {SERVICE_UID}', self.rules())
        self.assertEqual(self.fetch(plan.USER_UID), plan.LAB4)


class OwnUnit(LocalProxy):
    def setUp(self):
        if not self.lab.cgroup:
            self.skipTest('needs a writable cgroup2 file system')
        super().setUp()
        self.unit = f'{CGROUPS}/system.slice/danted.service'
        self.lab.sh(f'mkdir -p {self.unit}')
        self.addCleanup(self.lab.sh, f'rmdir {self.unit}', check=False)

    def test_own_unit(self):
        """danted as root, in a unit of its own, is excluded by that, and carries"""
        cmd = ' '.join(self.danted('root'))
        self.run_proxy(['sh', '-c', f'echo $$ >{self.unit}/cgroup.procs; exec {cmd}'])
        self.carries()
        self.assertIn('danted.service', self.lab.run('nft list ruleset').stdout)
        self.assertNotIn('uidrange', self.rules())


class Shared(LocalProxy):
    def ssh(self, uid):
        for key in ('hop-host', 'hop-client'):
            self.lab.sh(f'test -e /run/lab/{key} || '
                        f'ssh-keygen -q -t ed25519 -N "" -f /run/lab/{key}; chmod 755 /run/lab')
        self.lab.write('/run/lab/hop-sshd.conf', SSHD_CONF)
        self.lab.sh(f'mkdir -p /run/sshd; install -o {uid} -m 600 /run/lab/hop-client '
                    '/tmp/hop-client')
        server = self.lab.netns('px').start(['/usr/sbin/sshd', '-D', '-e', '-f',
                                             '/run/lab/hop-sshd.conf'], name='hop-sshd')
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.lab.wait_for(lambda: ':22 ' in self.lab.netns('px').run('ss -ltn').stdout)
        options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes',
                   'ExitOnForwardFailure=yes', 'LogLevel=ERROR']
        return self.run_proxy(['ssh', '-F', 'none', '-N', '-i', '/tmp/hop-client',
                               f'-D127.0.0.1:{PORT}', *(f'-o{option}' for option in options),
                               f'root@{plan.PROXY4}'], uid=uid)

    def test_ssh(self):
        """ssh -D of a user stays connected to its server, past the tunnel, and carries"""
        self.ssh(plan.USER_UID)
        self.carries(seen=plan.PROXY4)
        self.assertRegex(self.rules(), f'to {plan.PROXY4} uidrange {plan.USER_UID}-{plan.USER_UID}')
        self.assertEqual(self.fetch(plan.USER_UID), plan.PROXY4)  # his others are captured

    def test_ssh_half_default(self):
        """the same without rules: its server has a route"""
        self.ssh(plan.USER_UID)
        self.carries(seen=plan.PROXY4, loop_avoidance='half-default')
        self.assertIn('via', self.lab.run(f'ip route show {plan.PROXY4}/32').stdout)

    def test_refused(self):
        """a proxy that shares user and cgroup and is connected to nobody is refused by name"""
        self.run_proxy(['microsocks', '-i', '127.0.0.1', '-p', str(PORT)], uid=plan.USER_UID)
        with self.assertRaisesRegex(BusError, 'RoutingLoop.*microsocks'):
            self.service.create('work', URI, capture='default')
        self.assertEqual(self.service.list(), [])
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])

    def test_not_captured(self):
        """it is fine where its own connections are not captured"""
        self.run_proxy(['microsocks', '-i', '127.0.0.1', '-p', str(PORT)], uid=plan.USER_UID)
        self.service.create('work', URI, capture='default', users=[str(plan.ADMIN_UID)])
        self.assertEqual(self.fetch(plan.ADMIN_UID), plan.LAB4)


if __name__ == '__main__':
    tap.main()
