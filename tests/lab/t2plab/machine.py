#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Process 1 of a lab: makes the private machine inside fresh namespaces, then reaps.

Run by lab.py through unshare. argv[1] is the lab's state folder, which holds config.json; a
file `ready` there says that the machine is up. Everything dies with this process.
"""
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

import parts
import plan

PROXIES_ETC = '/run/lab/px-etc'
BIND_ETC = ('sh', '-c', f'mount --bind {PROXIES_ETC} /etc && exec "$@"', 'sh')


def sh(*argv, **kwargs):
    return subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, **kwargs)


def mount(*argv):
    sh('mount', *argv)


def overlay(folder, lowers):
    """A writable private copy of FOLDER with LOWERS laid over it; the upper layer is in memory."""
    layer = pathlib.Path('/run/.overlay') / folder.strip('/').replace('/', '-')
    for name in ('upper', 'work'):
        (layer / name).mkdir(parents=True)
    lower = ':'.join([*(str(path) for path in lowers if path.is_dir()), folder])
    mount('-t', 'overlay', 'overlay', '-o',
          f'lowerdir={lower},upperdir={layer}/upper,workdir={layer}/work', folder)


def make_devices():
    """A /dev of our own, so that tests may take /dev/net/tun away."""
    new = pathlib.Path('/run/.dev')
    new.mkdir()
    mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', str(new))
    for name in ('null', 'zero', 'full', 'random', 'urandom', 'tty'):
        (new / name).touch()
        mount('--bind', f'/dev/{name}', str(new / name))
    for name in ('pts', 'shm', 'net'):
        (new / name).mkdir()
    mount('--rbind', '/dev/pts', str(new / 'pts'))
    mount('-t', 'tmpfs', '-o', 'mode=1777', 'tmpfs', str(new / 'shm'))
    for name, to in (('fd', '/proc/self/fd'), ('stdin', 'fd/0'), ('stdout', 'fd/1'),
                     ('stderr', 'fd/2'), ('ptmx', 'pts/ptmx')):
        (new / name).symlink_to(to)
    sh('mknod', '-m', '666', str(new / 'net/tun'), 'c', '10', '200')
    mount('--move', str(new), '/dev')


def make_file_systems(config):
    layers = [pathlib.Path(path) for path in config['layers']]
    mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run')
    for name in ('lab', 'dbus', 'lock', 'netns', 'user', 'NetworkManager', 'udev',
                 'systemd/resolve', 'systemd/seats', 'systemd/sessions', 'systemd/users',
                 'systemd/machines'):
        pathlib.Path('/run', name).mkdir(parents=True)
    for folder in ('/usr', '/etc', '/var/lib'):
        overlay(folder, [path / folder.strip('/') for path in layers])
    mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/var/log')
    make_devices()
    mount('-t', 'sysfs', 'sysfs', '/sys')  # one of the new network namespace
    try:
        mount('-t', 'cgroup2', 'cgroup2', '/sys/fs/cgroup')
    except subprocess.CalledProcessError:
        mount('-t', 'tmpfs', 'tmpfs', '/sys/fs/cgroup')
    mount('-o', 'remount,bind,ro', '/sys')  # NetworkManager then does without udev


def add_accounts():
    """Users that a package's installation or systemd-sysusers would have made, and ours."""
    passwd, group = pathlib.Path('/etc/passwd'), pathlib.Path('/etc/group')
    known = {line.split(':')[0] for line in passwd.read_text().splitlines()}
    groups = {line.split(':')[0] for line in group.read_text().splitlines()}
    wanted = {'messagebus': 4201, 'polkitd': 4202, 'systemd-resolve': 4203, 'proxy': 4204,
              plan.PROXY_USER: 4205, 'sshd': 4206, plan.USER: plan.USER_UID, plan.ADMIN: plan.ADMIN_UID,
              plan.WORKER: plan.WORKER_UID}
    with passwd.open('a') as users, group.open('a') as gids:
        for name, uid in wanted.items():
            if name not in known:
                shell = '/bin/sh' if name.startswith('t2p') else '/usr/sbin/nologin'
                users.write(f'{name}:x:{uid}:{uid}::/tmp:{shell}\n')
            if name not in groups:
                gids.write(f'{name}:x:{uid}:\n')
    lines = group.read_text().splitlines()
    group.write_text(''.join(f'{line}{"" if line.endswith(":") else ","}{plan.ADMIN}\n'
                             if line.startswith('sudo:') else line + '\n' for line in lines))
    # crypt (3) of plan.PROXY_PASSWORD, for the proxy and the polkit helper that ask the system
    with open('/etc/shadow', 'a', encoding='ascii') as shadow:
        for name in (plan.PROXY_USER, plan.ADMIN):
            shadow.write(f'{name}:$5$lab$wXIpw/O7Hg5SGTm4u/NdRKsLGt7l6A6xX1eCOj/3Xw7'
                         ':19000::::::\n')


def write_etc():
    etc = pathlib.Path('/etc')
    (etc / 'hostname').write_text('lab\n')
    (etc / 'hosts').write_text('127.0.0.1 localhost lab\n::1 localhost\n')
    (etc / 'nsswitch.conf').write_text('passwd: files\ngroup: files\nshadow: files\n'
                                       'hosts: files dns\n')
    (etc / 'resolv.conf').unlink(missing_ok=True)
    (etc / 'resolv.conf').write_text(f'nameserver {plan.ROUTER4}\nnameserver {plan.ROUTER6}\n')
    machine_id = etc / 'machine-id'
    if not machine_id.exists() or not machine_id.read_text().strip():
        machine_id.write_text(os.urandom(16).hex() + '\n')
    for stale in ('polkit-1/rules.d', 'NetworkManager/system-connections', 'tun2proxy'):
        for path in (etc / stale).glob('**/*'):
            if path.is_file():
                path.unlink()
    (etc / 'polkit-1/rules.d').mkdir(parents=True, exist_ok=True)
    resolver = {'px': plan.PX_ROUTER4, 'srv': plan.SERVER4, 'wan': plan.SERVER4}
    for name, server in resolver.items():  # ip netns exec binds these over /etc
        (etc / 'netns' / name).mkdir(parents=True)
        (etc / 'netns' / name / 'resolv.conf').write_text(f'nameserver {server}\n')
        (etc / 'netns' / name / 'hosts').write_text('127.0.0.1 localhost\n')
    with (etc / 'netns/px/hosts').open('a') as hosts:
        for address in (plan.SERVER4, plan.SERVER6):
            hosts.write(f'{address} {plan.PROXY_ONLY_NAME}\n')


def make_proxies_etc():
    """The proxies' /etc is apart: a tunnel replaces /etc/resolv.conf, and what ip netns exec has
    bound over it would vanish with the old file."""
    own = pathlib.Path(PROXIES_ETC)
    layer = pathlib.Path('/run/.overlay/px')
    for path in (own, layer / 'upper', layer / 'work'):
        path.mkdir(parents=True)
    for path in pathlib.Path('/etc/netns/px').iterdir():
        (layer / 'upper' / path.name).write_text(path.read_text())
    mount('-t', 'overlay', 'overlay', '-o',
          f'lowerdir=/etc,upperdir={layer}/upper,workdir={layer}/work', str(own))


def make_helpers_setuid():
    """Their packages would have done this when installed: to the program by which the bus starts
    services, and to the one that checks passwords for polkit's agents."""
    helper = pathlib.Path('/usr/lib/dbus-1.0/dbus-daemon-launch-helper')
    sh('chown', 'root:messagebus', str(helper))
    helper.chmod(0o4754)
    pathlib.Path('/usr/lib/polkit-1/polkit-agent-helper-1').chmod(0o4755)


def ip(batch, netns=None):
    sh_argv = ['ip', *(['-n', netns] if netns else []), '-batch', '-']
    subprocess.run(sh_argv, input=batch, text=True, check=True)


def make_network(config):
    quiet = ['net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.all.accept_dad=0']
    sh('sysctl', '-qw', *quiet)
    ip(''.join(f'netns add {name}\n' for name in plan.NETNS))
    for name in plan.NETNS:
        sh('ip', 'netns', 'exec', name, 'sysctl', '-qw', *quiet,
           *([] if name != 'wan' else ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']))
        ip('link set lo up\n', name)
    ip(parts.LAB_LINKS)
    ip(parts.ROUTER_LINKS, 'wan')
    ip(parts.PROXY_LINKS, 'px')
    ip(parts.SERVER_LINKS, 'srv')
    if not config['nm']:
        sh('sysctl', '-qw', f'net.ipv6.conf.{plan.UPLINK}.accept_ra=0')
        ip(parts.STATIC_UPLINK)


class Starter:
    """Starts the parts, keeps what is needed to start one again, waits until they answer."""

    MOST_STARTS = 5

    def __init__(self, state):
        self.state, self.children = state, {}

    def start(self, name, argv, netns=None, env=None):
        if netns == 'px':
            argv = [*BIND_ETC, *argv]
        argv = ['ip', 'netns', 'exec', netns, *argv] if netns else list(argv)
        self._spawn({'name': name, 'argv': argv, 'env': env or {}, 'starts': 0})

    def _spawn(self, part):
        with open(self.state / 'log' / part['name'], 'ab') as log:
            child = subprocess.Popen(part['argv'], stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=log, env={**os.environ, **part['env']})
        part.update(pid=child.pid, starts=part['starts'] + 1)
        self.children[part['name']] = child, part
        pathlib.Path('/run/lab', part['name'] + '.json').write_text(json.dumps(part))

    def _revive(self):
        """A part may find a limit of the user exhausted by other labs (inotify instances)."""
        for child, part in list(self.children.values()):
            if child.poll() is not None:
                if part['starts'] >= self.MOST_STARTS:
                    raise ChildProcessError(f'{part["name"]} ended with {child.returncode}')
                time.sleep(0.2)
                self._spawn(part)

    def wait(self, what, *argv, seconds=30):
        """Until a command succeeds; the parts log for themselves why they do not come."""
        end = time.monotonic() + seconds
        while subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL).returncode != 0:
            self._revive()
            if time.monotonic() > end:
                raise TimeoutError(f'{what} did not come up')
            time.sleep(0.03)

    def wait_bus(self, name):
        self.wait(name, 'busctl', '--system', 'call', 'org.freedesktop.DBus', '/',
                  'org.freedesktop.DBus', 'GetNameOwner', 's', name)

    def wait_port(self, netns, port):
        self.wait(f'port {port} in {netns}', 'ip', 'netns', 'exec', netns, 'sh', '-c',
                  f'ss -Hltn sport = :{port} | grep -q .')


def main():
    state = pathlib.Path(sys.argv[1])
    config = json.loads((state / 'config.json').read_text())
    socket.sethostname('lab')
    make_file_systems(config)
    add_accounts()
    write_etc()
    make_proxies_etc()
    make_helpers_setuid()
    make_network(config)
    parts.start_all(Starter(state), config)
    (state / 'ready').touch()
    while True:
        try:
            os.wait()
        except ChildProcessError:
            time.sleep(0.2)


if __name__ == '__main__':
    main()
