#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A worker that runs out of descriptors: what is open goes on, what is new is refused at once."""
import json
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, open_fds, plan, settled_fds, tap  # noqa: E402

# Opens COUNT connections at once and says how they went, then echoes on each, every time that a
# line comes by the FIFO.
CROWD = '''
import json, os, selectors, socket, sys, time
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
watch, begun, open_ones, refused, slowest = selectors.DefaultSelector(), {}, [], 0, 0
for _ in range(count):
    sock = socket.socket()
    sock.setblocking(False)
    begun[sock] = time.monotonic()
    sock.connect_ex((host, port))
    watch.register(sock, selectors.EVENT_WRITE)
until = time.monotonic() + 15
while begun and time.monotonic() < until:
    for key, _ in watch.select(1):
        sock, error = key.fileobj, key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        watch.unregister(sock)
        took = time.monotonic() - begun.pop(sock)
        if error:
            refused, slowest = refused + 1, max(slowest, took)
            sock.close()
        else:
            open_ones.append(sock)
print(json.dumps([len(open_ones), refused, len(begun), slowest]), flush=True)
for line in os.fdopen(os.open(sys.argv[4], os.O_RDWR)):
    fine = 0
    for sock in open_ones:
        sock.settimeout(5)
        try:
            sock.sendall(line.encode())
            fine += sock.recv(100) == line.encode()
        except OSError:
            pass
    print(json.dumps(fine), flush=True)
'''
LIMIT, CROWD_SIZE = 300, 600
ASK = '/run/crowd.fifo'


def cpu_seconds(pid):
    fields = open(f'/proc/{pid}/stat', encoding='ascii').read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Descriptors(LabCase):
    options = {'proxies': ['danted', 'microsocks-open']}
    proxy = f'socks5://{plan.PROXY4}:{plan.PORTS["microsocks-open"]}'

    def crowd(self, count):
        """What became of COUNT connections, and a pipe to the program that holds them."""
        self.lab.write('/run/crowd.py', CROWD)
        self.lab.sh(f'rm -f {ASK}; mkfifo {ASK}')
        program = self.lab.start(['python3', '/run/crowd.py', plan.SERVER4, str(plan.ECHO),
                                  str(count), ASK], name=f'crowd-{count}')
        self.addCleanup(program.kill)
        self.lab.wait_for(lambda: program.log().count('\n') >= 1, 30)
        return program, json.loads(program.log().splitlines()[0])

    def limit(self, descriptors):
        """Lowers the worker's limit; whoever runs as the same user may."""
        pid = self.lab.run(['pgrep', '-x', 'tun2proxy-worke']).stdout.strip()
        self.lab.run(['python3', '-c', 'import resource, sys; '
                      'resource.prlimit(int(sys.argv[1]), resource.RLIMIT_NOFILE, '
                      '(int(sys.argv[2]), int(sys.argv[2])))', pid, str(descriptors)],
                     uid=plan.WORKER_UID)

    def echoes(self, program):
        before = program.log().count('\n')
        self.lab.sh(f'echo still there >{ASK}')
        self.lab.wait_for(lambda: program.log().count('\n') > before, 60)
        return int(program.log().splitlines()[-1])

    def test_descriptors(self):
        """600 connections with 300 descriptors: those beyond are refused at once, and all recovers"""
        with Service(self.lab) as service:
            tunnel = service.create('work', self.proxy, capture='default', dns='off')
            worker = service.workers()[0]
            before = settled_fds(worker)
            self.limit(LIMIT)
            program, (opened, refused, waiting, slowest) = self.crowd(CROWD_SIZE)
            self.assertEqual((opened + refused, waiting), (CROWD_SIZE, 0))
            self.assertGreater(opened, LIMIT - before - 40)
            self.assertLessEqual(opened, LIMIT - before)
            self.assertLess(slowest, 3)
            self.assertEqual(self.echoes(program), opened)
            self.assertGreaterEqual(tunnel.statistics()['dropped-limit'], 1)
            said = [line for line in service.daemon.log().splitlines()
                    if 'Too many open files' in line]
            self.assertEqual(len(said), 1, said)

            # nothing turns in circles while there are none
            busy = cpu_seconds(worker)
            time.sleep(3)
            self.assertLess(cpu_seconds(worker) - busy, 0.3)
            self.assertEqual(self.echoes(program), opened)

            program.kill()
            self.lab.wait_for(lambda: tunnel.statistics()['connections-active'] == 0, 20)
            self.lab.wait_for(lambda: open_fds(worker) <= before + 2, 20)
            self.assertEqual(service.workers(), [worker])
            program, (opened, refused, _, _) = self.crowd(100)
            self.assertEqual((opened, refused), (100, 0))
            self.assertEqual(self.echoes(program), 100)


if __name__ == '__main__':
    tap.main()
