#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""keeper.py COMMAND…: what systemd does with descriptors of a service that it restarts.

There is no systemd in a lab. Run inside it: SIGHUP restarts the command by SIGTERM, SIGUSR1 by
SIGKILL, SIGTERM ends it. What it asks to have kept (FDSTORE of sd_notify(3)) is passed to the
next one as sd_listen_fds(3) says. Each request is a line on standard output.
"""
import array
import os
import signal
import socket
import sys
import threading

kept = {}  # name → descriptor
ended = threading.Event()


def hear(notify):
    size = array.array('i').itemsize
    while True:
        text, ancillary, _, _ = notify.recvmsg(4096, socket.CMSG_SPACE(8 * size))
        fds = array.array('i')
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data[:len(data) - len(data) % size])
        said = dict(line.split('=', 1) for line in text.decode().splitlines() if '=' in line)
        name = said.get('FDNAME', 'stored')
        print('keeper:', text.decode().split('\n')[0], name, len(fds), flush=True)
        if 'FDSTORE' in said:
            for fd in fds:
                kept[name] = fd
        elif 'FDSTOREREMOVE' in said and name in kept:
            os.close(kept.pop(name))


def become(command, address):
    """In the child: descriptors from 3 on, in the order of their names."""
    names = list(kept)
    high = [os.dup2(kept[name], 200 + n, inheritable=False) for n, name in enumerate(names)]
    for n, fd in enumerate(high):
        os.dup2(fd, 3 + n, inheritable=True)
    env = {**os.environ, 'NOTIFY_SOCKET': address, 'LISTEN_PID': str(os.getpid()),
           'LISTEN_FDS': str(len(names)), 'LISTEN_FDNAMES': ':'.join(names)}
    if not names:
        env = {key: value for key, value in env.items() if not key.startswith('LISTEN_')}
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execvpe(command[0], command, env)


def main():
    address = f'@lab-keeper-{os.getpid()}'
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind('\0' + address[1:])
    signals = {signal.SIGHUP: signal.SIGTERM, signal.SIGUSR1: signal.SIGKILL,
               signal.SIGTERM: signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, [*signals, signal.SIGCHLD])
    threading.Thread(target=hear, args=(notify,), daemon=True).start()
    while True:
        child = os.fork()
        if not child:
            become(sys.argv[1:], address)
        got = signal.sigwait([*signals, signal.SIGCHLD])
        while got == signal.SIGCHLD and os.waitpid(child, os.WNOHANG)[0] == 0:
            got = signal.sigwait([*signals, signal.SIGCHLD])
        if got == signal.SIGCHLD:
            sys.exit(1)  # it ended by itself
        os.kill(child, signals[got])
        status = os.waitpid(child, 0)[1]
        if got == signal.SIGTERM:
            sys.exit(os.waitstatus_to_exitcode(status) & 0xff)


if __name__ == '__main__':
    main()
