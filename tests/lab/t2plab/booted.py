# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real systemd on the lab's machine: its own PID 1, /run, cgroups, system bus and journal."""
import contextlib
import os
import pathlib
import shlex
import signal
import subprocess

from .lab import PATH, LabError, children_of

NAMESPACES = ('--cgroup', '--mount', '--pid', '--ipc', '--uts')
BOOT = '''
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /run/lock /run/systemd/system
umount -l /sys/fs/cgroup
mount -o remount,bind,rw /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
printf '[Unit]\\nDescription=the lab\\n' >/run/systemd/system/lab.target
export container=lab
exec /lib/systemd/systemd --system --unit=lab.target --log-target=console --show-status=0
'''


class Booted:
    """Boots systemd beside what the lab has: the network is the lab's. Quacks like a Lab."""

    def __init__(self, lab):
        self.lab, self.config, self.pid = lab, {**lab.config, 'resolved': False}, None

    def __enter__(self):
        self.unshare = self.lab.start(
            ['unshare', *NAMESPACES, '--fork', '--mount-proc', '--propagation', 'private',
             '--kill-child', '--', 'sh', '-euc', BOOT], name='systemd')
        self.pid = self.lab.wait_for(self._find, what='systemd')
        self.lab.wait_for(lambda: self.run('systemctl is-system-running', check=False).stdout.strip()
                          in ('running', 'degraded'), 30, 'the machine to be up')
        self.run('ldconfig')
        self.run('systemctl start dbus')
        return self

    def _find(self):
        """From outside; it is the shell until it has become systemd."""
        for pid in children_of(self.unshare.pid):
            with contextlib.suppress(OSError):
                if pathlib.Path(os.readlink(f'/proc/{pid}/exe')).name == 'systemd':
                    return pid
        return None

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.unshare.wait()

    def argv(self, cmd):
        cmd = shlex.split(cmd) if isinstance(cmd, str) else [str(word) for word in cmd]
        return ['nsenter', '--target', str(self.pid), *NAMESPACES, '--net', '--root', '--wd=/', '--',
                'env', f'PATH={PATH}', *cmd]

    def run(self, cmd, *, check=True, timeout=60, input=None):
        """As Lab.run(), as root."""
        said = subprocess.run(self.argv(cmd), input=input, capture_output=True, text=True,
                              timeout=timeout, stdin=None if input else subprocess.DEVNULL)
        if check and said.returncode != 0:
            raise LabError(f'{cmd}: exit status {said.returncode}\n{said.stdout}\n{said.stderr}')
        return said

    def sh(self, script, **kwargs):
        return self.run(['sh', '-euc', script], **kwargs)

    def property(self, unit, name):
        return self.run(['systemctl', 'show', '--value', '-p', name, unit]).stdout.strip()

    def journal(self, unit):
        return self.run(['journalctl', '-b', '--no-pager', '-o', 'cat', '-u', unit]).stdout
