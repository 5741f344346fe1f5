#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What --close-existing ends of the connections that were open before, and what it leaves."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.service import find_program  # noqa: E402

CGROUPS = '/sys/fs/cgroup'
PORT = 8097
# Connects, says so, and says when and how that ends. A datagram socket asks again and again.
HOLD = '''
import socket, sys, time
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
if kind == 'listen':
    server = socket.create_server(('', port))
    print('ready', flush=True)
    sock = server.accept()[0]
else:
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM if kind == 'udp' else socket.SOCK_STREAM)
    sock.connect((host, port))
print('open', flush=True)
try:
    while kind == 'udp':
        try:
            sock.send(b'x')
        except ConnectionRefusedError:  # says the server
            pass
        time.sleep(0.05)
    print('ended' if not sock.recv(1) else 'data', flush=True)
except OSError as error:
    print('error', error.errno, flush=True)
'''


class CloseExisting(LabCase):
    options = {'resolved': True}

    def setUp(self):
        self.before = network_dump(self.lab)
        self.service = Service(self.lab).start()
        self.started = []
        self.addCleanup(self.leave)

    def leave(self):
        for background in self.started:
            background.kill()
            background.wait()
        for tunnel in self.service.list():
            tunnel.delete()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.service.__exit__(None)

    def start(self, kind, host, port, cgroup='', **where):
        enter = f'echo $$ >{CGROUPS}/{cgroup}/cgroup.procs; ' if cgroup else ''
        become = ''
        if cgroup and 'uid' in where:
            become = f'setpriv --reuid {where.pop("uid")} --clear-groups '
        background = self.lab.start(['sh', '-c', f'{enter}exec {become}python3 -c "$0" "$@"',
                                     HOLD, kind, host, str(port)], **where)
        self.started.append(background)
        return background

    def open(self, *words, **where):
        background = self.start(*words, **where)
        self.lab.wait_for(lambda: 'open' in background.log() or not background.is_running(),
                          what='a connection')
        self.assertTrue(background.is_running(), background.log())
        return background

    def server(self, net):
        """Something that takes one connection and keeps it, beside the machine."""
        server = self.start('listen', '', PORT, netns=net)
        self.lab.wait_for(lambda: 'ready' in server.log(), what='a server')
        return server

    def up(self, **settings):
        return self.service.create('mine', plan.DANTED_URI, capture='default',
                                   options={'close-existing': True}, **settings)

    def ended(self, background):
        self.lab.wait_for(lambda: not background.is_running(), what='the connection to end')
        self.assertIn('error', background.log())

    def test_all(self):
        """connections of everybody end, but not those of the LAN, from outside and of others' marks"""
        self.server('srv')
        self.server('wan')
        away = self.open('tcp', plan.SERVER4, PORT)
        datagrams = self.open('udp', plan.SERVER4, 9)
        local = self.open('tcp', plan.ROUTER4, PORT)
        inside = self.start('listen', '', PORT)
        self.lab.wait_for(lambda: 'ready' in inside.log(), what='a server')
        guest = self.open('tcp', plan.LAB4, PORT, netns='srv')
        self.up()
        self.ended(away)
        self.ended(datagrams)
        for kept in (local, inside, guest):
            self.assertTrue(kept.is_running(), kept.log())

    def test_users(self):
        """with users, connections of nobody else end"""
        self.server('srv')
        other = self.open('tcp', plan.SERVER4, PORT, uid=plan.ADMIN_UID)
        self.up(users=[str(plan.USER_UID)])
        self.assertTrue(other.is_running(), other.log())
        self.service.list()[0].delete()
        self.up(users=[str(plan.ADMIN_UID)])
        self.ended(other)

    def test_apps(self):
        """with apps, connections of nothing else end"""
        if not self.lab.cgroup:
            self.skipTest('needs a writable cgroup2 file system')
        self.lab.sh(f'mkdir -p {CGROUPS}/run.slice/one.scope {CGROUPS}/other.slice')
        self.server('srv')
        app = self.open('udp', plan.SERVER4, 9, cgroup='run.slice/one.scope')
        other = self.open('tcp', plan.SERVER4, PORT, cgroup='other.slice')
        self.up(apps=['run.slice'])
        self.ended(app)
        self.assertTrue(other.is_running(), other.log())
        other.kill()
        self.lab.wait_for(lambda: self.lab.sh(
            f'cd {CGROUPS}; rmdir run.slice/one.scope run.slice other.slice 2>/dev/null || true; '
            'ls -d run.slice other.slice 2>/dev/null || true').stdout == '', what='no cgroup')

    def test_not_asked(self):
        """without the option every connection stays"""
        self.server('srv')
        away = self.open('tcp', plan.SERVER4, PORT)
        self.service.create('mine', plan.DANTED_URI, capture='default')
        self.assertTrue(away.is_running(), away.log())

    def test_command(self):
        """`up --close-existing` asks for it"""
        self.server('srv')
        away = self.open('tcp', plan.SERVER4, PORT)
        library = os.path.dirname(find_program(self.lab, 'libtun2proxy-1.0.so.0'))
        self.lab.run(['tun2proxyctl', 'up', '--close-existing', plan.DANTED_URI,
                      'capture=default'], env={'LD_LIBRARY_PATH': library})
        self.ended(away)


if __name__ == '__main__':
    tap.main()
