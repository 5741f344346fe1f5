#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tunnels in a network namespace of the caller's, and the guard that they live by."""
import os
import re
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gi.repository import Gio, GLib  # noqa: E402
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab import bus as t2pbus  # noqa: E402
from t2plab.service import find_program  # noqa: E402

URL = f'http://{plan.SERVER4}/ip'
NAMED = 'http://www.example/ip'
ARGUMENTS = 'sa{sv}a{sh}a{sv}'


class Netns(LabCase):
    options = {'resolved': True}

    def setUp(self):
        library = os.path.dirname(find_program(self.lab, 'libtun2proxy-1.0.so.0'))
        self.env = {'LD_LIBRARY_PATH': library}
        self.before = network_dump(self.lab)
        self.service = Service(self.lab).start()
        self.started = []
        self.addCleanup(self.leave)

    def leave(self):
        for background in self.started:
            background.kill()
            background.wait()
        if self.service.daemon.is_running():
            self.lab.wait_for(lambda: self.service.list() == [], what='no tunnel')
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.service.__exit__(None)

    def start(self, cmd, **where):
        background = self.lab.start(cmd, **where)
        self.started.append(background)
        return background

    def namespace(self, uid):
        """A network namespace of that user's, by the pid of a process in it."""
        inside = self.start(['unshare', '-Urn', 'sh', '-c', 'echo ready; exec sleep 600'], uid=uid)
        self.lab.wait_for(lambda: 'ready' in inside.log(), what='the namespace')
        return inside.pid

    def up(self, pid, *words, name='mine', uid=plan.USER_UID):
        """`tun2proxyctl up --netns` of a user in a session."""
        inner = self.lab.inner_pid(pid)
        return self.start(['tun2proxyctl', 'up', '--netns', str(inner), '--name', name,
                           plan.DANTED_URI, *words], uid=uid, session=True, env=self.env)

    def inside(self, pid, *cmd, check=True):
        """A command in the namespaces of a process."""
        inner = self.lab.inner_pid(pid)
        return self.lab.run(['nsenter', '-t', str(inner), '-U', '-n', '--preserve-credentials',
                             *cmd], check=check)

    def wait_up(self, ctl, name='mine'):
        self.lab.wait_for(lambda: 'is active' in ctl.log() or not ctl.is_running(),
                          what='the tunnel')
        self.assertIn(f'Tunnel “{name}”', ctl.log())

    def call_fd(self, fds, names, settings=None, name='raw', options=None):
        """CreateTunnelFd as root; the fds that came back and the unpacked reply."""
        values = (name, t2pbus.vardict({'proxies': [plan.DANTED_URI], **(settings or {})}),
                  names, t2pbus.vardict({'wait': True, **(options or {})}))
        try:
            reply, back = self.service.bus.connection.call_with_unix_fd_list_sync(
                t2pbus.NAME, t2pbus.MANAGER_PATH, t2pbus.MANAGER, 'CreateTunnelFd',
                GLib.Variant(f'({ARGUMENTS})', values), None, Gio.DBusCallFlags.NONE, 60000,
                Gio.UnixFDList.new_from_array([os.dup(fd) for fd in fds]) if fds else None, None)
        except GLib.Error as error:
            raise t2pbus.BusError(error) from None
        return reply.unpack(), list(back.steal_fds())

    def test_own(self):
        """a user's tunnel in a namespace of his own carries everything that is in there"""
        pid = self.namespace(plan.USER_UID)
        ctl = self.up(pid, 'capture=default')
        self.wait_up(ctl)
        fetch = ['curl', '-sS', '-m', '15', URL]
        self.assertEqual(self.inside(pid, *fetch).stdout.strip(), plan.PROXY4)
        self.assertEqual(self.lab.run(fetch).stdout.strip(), plan.LAB4)
        self.assertEqual(self.lab.as_user(plan.USER_UID, fetch).stdout.strip(), plan.LAB4)
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        tunnel = self.service.list()
        self.assertEqual([one.prop('NetworkBackend') for one in tunnel], ['netns'])
        self.assertEqual([one.prop('IfIndex') for one in tunnel], [0])

    def test_names(self):
        """names asked of any server reach the proxy as names"""
        pid = self.namespace(plan.USER_UID)
        self.wait_up(self.up(pid, 'capture=default'))
        resolver = os.path.join(os.path.dirname(os.path.abspath(__file__)), 't2plab', 'dnsclient.py')
        said = self.inside(pid, 'sh', '-c', 'echo www.example A | exec python3 -B "$0" 192.0.2.53',
                           resolver).stdout
        address = re.search(r'198\.1[89]\.\d+\.\d+', said)
        self.assertIsNotNone(address, said)
        host = f'www.example:80:{address.group()}'
        self.assertIn(self.inside(pid, 'curl', '-sS', '-m', '15', '--resolve', host,
                                  NAMED).stdout.strip(), (plan.PROXY4, plan.PROXY6))

    def test_interrupted(self):
        """the tunnel goes with whoever keeps its guard, by a signal or by SIGKILL"""
        for sig in (signal.SIGINT, signal.SIGKILL):
            pid = self.namespace(plan.USER_UID)
            ctl = self.up(pid, 'capture=default')
            self.wait_up(ctl)
            ctl.kill(sig)
            ctl.wait()
            self.lab.wait_for(lambda: self.service.list() == [], what='no tunnel')
            self.assertNotIn('t2p', self.inside(pid, 'ip', 'link').stdout)

    def test_told(self):
        """who keeps the guard is told when somebody else takes the tunnel away"""
        ctl = self.up(self.namespace(plan.USER_UID))
        self.wait_up(ctl)
        self.service.list()[0].delete()
        self.assertEqual(ctl.wait(), 5)
        self.assertIn('gone', ctl.log())

    def test_others(self):
        """somebody else's namespace, and the machine's own, are refused"""
        for pid in (self.namespace(plan.ADMIN_UID), self.service.pid):
            inner = self.lab.inner_pid(pid)
            # Who cannot open it is passed it by somebody who can.
            said = self.lab.sh(
                f'exec 9</proc/{inner}/ns/net; ' + ' '.join(self.session_words())
                + f' tun2proxyctl up --netns /proc/self/fd/9 --name mine {plan.DANTED_URI}',
                check=False, env=self.env)
            self.assertEqual(said.returncode, 3, said.stderr)
            self.assertIn('does not belong', said.stderr)
        self.assertEqual(self.service.list(), [])

    @staticmethod
    def session_words():
        return ['setpriv', '--reuid', str(plan.USER_UID), '--regid', str(plan.USER_UID),
                '--clear-groups']

    def test_root(self):
        """root has tunnels in any namespace but the service's own; two are in nobody's way"""
        self.lab.sh('ip netns add one; ip netns add two')
        self.addCleanup(self.lab.sh, 'ip netns del one; ip netns del two')
        guards = []
        for name in ('one', 'two'):
            fd = os.open(self.lab.path(f'/run/netns/{name}'), os.O_RDONLY)
            guards += self.call_fd([fd], {'netns': 0}, {'capture': 'default'}, name=name)[1]
            os.close(fd)
        for name in ('one', 'two'):
            self.assertEqual(self.lab.run(['curl', '-sS', '-m', '15', URL],
                                          netns=name).stdout.strip(), plan.PROXY4)
        for guard in guards:
            os.close(guard)
        fd = os.open(f'/proc/{self.lab.pid}/ns/net', os.O_RDONLY)
        with self.assertRaisesRegex(t2pbus.BusError, 'InvalidFd.*own network'):
            self.call_fd([fd], {'netns': 0})
        os.close(fd)

    def test_wrong(self):
        """descriptors that do not fit are refused, and closed"""
        before = len(os.listdir(f'/proc/{self.service.pid}/fd'))
        null = os.open('/dev/null', os.O_RDONLY)
        cases = [
            ([null], {'netns': 0}, 'InvalidFd'),
            ([], {'netns': 0}, 'InvalidFd'),
            ([null], {}, 'InvalidFd'),
            ([null, null], {'netns': 0}, 'InvalidFd'),
            ([null, null], {'one': 0, 'two': 0}, 'InvalidFd'),
            ([null], {'one': 7}, 'InvalidFd'),
            ([null], {'stray': 0}, 'InvalidFd'),
            ([null], {'tun': 0}, 'NotSupported'),
            ([null], {'a b': 0}, 'InvalidArgument'),
        ]
        for fds, names, error in cases:
            with self.assertRaisesRegex(t2pbus.BusError, error, msg=str(names)):
                self.call_fd(fds, names)
        os.close(null)
        self.lab.wait_for(lambda: len(os.listdir(f'/proc/{self.service.pid}/fd')) <= before,
                          what='all descriptors to be closed')

    def test_settings(self):
        """settings about the machine's own programs are refused with netns"""
        self.lab.sh('ip netns add one')
        self.addCleanup(self.lab.sh, 'ip netns del one')
        fd = os.open(self.lab.path('/run/netns/one'), os.O_RDONLY)
        for key, value in (('users', ['0']), ('apps', ['a.service']),
                           ('exclude-routes', ['192.0.2.0/24'])):
            with self.assertRaisesRegex(t2pbus.BusError, f'NotSupported.*{key}'):
                self.call_fd([fd], {'netns': 0}, {'capture': 'default', key: value})
        os.close(fd)

    def test_failed(self):
        """a tunnel that cannot be brought up is an error, and its guard is not needed to end it"""
        self.lab.sh('ip netns add one')
        self.addCleanup(self.lab.sh, 'ip netns del one')
        fd = os.open(self.lab.path('/run/netns/one'), os.O_RDONLY)
        for _ in range(3):
            with self.assertRaisesRegex(t2pbus.BusError, 'ProxyUnreachable'):
                self.call_fd([fd], {'netns': 0}, {'proxies': [f'socks5://{plan.PROXY4}:9']})
        os.close(fd)
        self.lab.wait_for(lambda: self.service.list() == [], what='no tunnel')
        self.assertTrue(self.service.daemon.is_running())
        self.assertNotIn('t2p', self.lab.run('ip link', netns='one').stdout)

    def test_file(self):
        """a file that a setting has as fd:NAME is read from its descriptor"""
        path = self.lab.path('/run/names')
        path.write_text('www.example\n')
        fd = os.open(path, os.O_RDONLY)
        reply, guards = self.call_fd([fd], {'list': 0},
                                     {'rules': ['domain-file:fd:list -> reject']})
        self.assertEqual(self.service.bus.get(reply[0], t2pbus.TUNNEL, 'State'), 'active')
        os.close(fd)
        fd = os.open(path, os.O_WRONLY)
        with self.assertRaisesRegex(t2pbus.BusError, 'InvalidFd.*reading'):
            self.call_fd([fd], {'list': 0}, {'rules': ['domain-file:fd:list -> reject']},
                         name='other')
        os.close(fd)
        for guard in guards:
            os.close(guard)

    def test_killed(self):
        """a daemon and worker that are killed leave nothing in the namespace"""
        pid = self.namespace(plan.USER_UID)
        ctl = self.up(pid, 'capture=default')
        self.wait_up(ctl)
        self.service.stop(signal.SIGKILL)
        for worker in self.service.workers():
            os.kill(worker, signal.SIGKILL)
        self.lab.wait_for(lambda: 't2p' not in self.inside(pid, 'ip', 'link').stdout,
                          what='the device to go')
        self.assertEqual(self.inside(pid, 'ip', 'route').stdout, '')
        self.assertEqual(ctl.wait(), 5)
        self.service.start()


if __name__ == '__main__':
    tap.main()
