#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Upstreams on unix sockets, which are connected to in the name of the tunnel's owner; and files
that the settings name."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, plan, tap  # noqa: E402
from t2plab.bus import BusError  # noqa: E402

URL = f'http://{plan.SERVER4}/ip'
FOLDER = '/run/lab/own'
MANAGER = ['org.tun2proxy.Manager', '/org/tun2proxy/Manager', 'org.tun2proxy.Manager']


class UnixCase(LabCase):
    options = {'proxies': ['danted', 'unix-danted'], 'polkit': True}

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.service.__exit__(None)

    def listen(self, uid):
        """A proxy's socket in a folder that only @uid may enter."""
        path = f'{FOLDER}-{uid}/socket'
        self.lab.sh(f'install -d -m 700 -o {uid} {FOLDER}-{uid}; rm -f {path}')
        socat = self.lab.start(['socat', f'UNIX-LISTEN:{path},fork,backlog=128',
                                f'TCP:{plan.PROXY4}:{plan.DANTED}'],
                               name=f'socat-{uid}', netns='px', uid=uid)
        self.addCleanup(socat.kill)
        self.lab.wait_for(lambda: self.lab.run(['test', '-S', path], check=False).returncode == 0)
        return path

    def create_as(self, uid, path, check=True):
        return self.lab.session(uid, [
            'busctl', 'call', *MANAGER, 'CreateTunnel', 'sa{sv}a{sv}', 'mine', '2', 'proxies',
            'as', '1', f'socks5://unix:{path}', 'capture', 's', 'default', '1', 'wait', 'b',
            'true'], check=check)


class Owner(UnixCase):
    def test_own(self):
        """a user's tunnel reaches the socket that only he may reach"""
        self.create_as(plan.USER_UID, self.listen(plan.USER_UID))
        for _ in range(3):
            seen = self.lab.as_user(plan.USER_UID, ['curl', '-sS', '-m', '15', URL]).stdout
            self.assertEqual(seen.strip(), plan.PROXY4)

    def test_foreign(self):
        """a user's tunnel does not reach the socket of another, nor root's"""
        for owner in (plan.ADMIN_UID, 0):
            with self.subTest(owner):
                said = self.create_as(plan.USER_UID, self.listen(owner), check=False)
                self.assertNotEqual(said.returncode, 0)
                self.assertRegex(said.stderr, f"{FOLDER}-{owner}/socket': Permission denied")
                self.assertEqual(self.service.list(), [])

    def test_root(self):
        """root's tunnel reaches root's socket"""
        self.service.create('work', f'socks5://unix:{self.listen(0)}', capture='default')
        seen = self.lab.run(['curl', '-sS', '-m', '15', URL]).stdout
        self.assertEqual(seen.strip(), plan.PROXY4)

    def test_missing(self):
        """a socket that is not there is told by its path"""
        with self.assertRaisesRegex(BusError, "/nowhere/s': No such file or directory"):
            self.service.create('work', 'socks5://unix:/nowhere/s')


class Many(UnixCase):
    def test_many(self):
        """two hundred connections at once are all made, in well under the connect time-out"""
        path = f'unix:{plan.UNIX_SOCKETS}/unix-danted'
        self.service.create('work', f'socks5://{path}', capture='default')
        script = ('for i in $(seq 200); do curl -sS -m 20 -o /dev/null -w "%{http_code}\\n" '
                  f'{URL} & done; wait')
        said = self.lab.sh(script, timeout=60).stdout.split()
        self.assertEqual(said, ['200'] * 200)

    def test_worker_replaced(self):
        """the worker that replaces one that was killed is given sockets, too"""
        path = f'unix:{plan.UNIX_SOCKETS}/unix-danted'
        tunnel = self.service.create('work', f'socks5://{path}', capture='default')
        os.kill(self.service.workers()[0], 9)
        self.service.wait_state(tunnel, 'degraded')
        self.service.wait_state(tunnel, 'active')
        seen = self.lab.run(['curl', '-sS', '-m', '15', URL]).stdout
        self.assertEqual(seen.strip(), plan.PROXY4)


class TestProxy(UnixCase):
    def test_path(self):
        """the test of a proxy at a path is made in the name of who asks"""
        path = self.listen(plan.USER_UID)
        ask = ['busctl', 'call', *MANAGER, 'TestProxy', 'sa{sv}', f'socks5://unix:{path}', '0']
        self.assertIn('"reachable" b true', self.lab.session(plan.USER_UID, ask).stdout)
        self.assertIn('Permission denied', self.lab.session(plan.ADMIN_UID, ask).stdout)


class Files(UnixCase):
    def probe(self, uri):
        return self.service.call('TestProxy', 'sa{sv}', uri, {})

    def test_missing(self):
        """a file that is not there is told by its name, with its place in the settings"""
        with self.assertRaisesRegex(BusError, "proxies: entry 2: '/nowhere/ca.pem': No such file"):
            self.service.create('work', (plan.DANTED_URI,
                                         'socks5+tls://h.example?tls-ca=/nowhere/ca.pem'))
        with self.assertRaisesRegex(BusError, ": '/nowhere/ca.pem': No such file"):
            self.probe('https://h.example?tls-ca=/nowhere/ca.pem')

    def test_special(self):
        """no device is opened"""
        with self.assertRaisesRegex(BusError, "'/dev/zero': is a folder, a device"):
            self.probe('https://h.example?tls-ca=/dev/zero')

    def test_user(self):
        """a user's path is not opened by the service"""
        said = self.lab.session(plan.USER_UID, [
            'busctl', 'call', *MANAGER, 'TestProxy', 'sa{sv}',
            'https://h.example?tls-ca=/etc/shadow', '0'], check=False)
        self.assertRegex(said.stderr, 'paths are opened for root only, expected fd:NAME')


if __name__ == '__main__':
    tap.main()
