# SPDX-License-Identifier: LGPL-2.1-or-later
"""A lab: a private machine with a router, proxies and a server beside it. See ../README.md."""
import contextlib
import ctypes
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

from . import packages, plan

HERE = pathlib.Path(__file__).resolve().parent
PR_SET_PDEATHSIG = 1
NAMESPACES = ('--cgroup', '--mount', '--net', '--pid', '--ipc', '--uts')
PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
# Parts that whoever does not find them does without.
BUS_NAMES = {'resolved': 'org.freedesktop.resolve1'}
PASSED_ON = ('ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS', 'G_DEBUG', 'MALLOC_PERTURB_')

# What libsystemd, and so polkitd, reads instead of asking logind: an active local session.
ENTER_SESSION = r'''
u=$1 s=c$1; shift
cg=/sys/fs/cgroup/user.slice/user-$u.slice/session-$s.scope
mkdir -p $cg
printf 'UID=%s\nUSER=%s\nACTIVE=1\nIS_DISPLAY=1\nSTATE=active\nREMOTE=0\nTYPE=wayland\nCLASS=user\nSCOPE=session-%s.scope\nSEAT=seat0\n' $u $u $s >/run/systemd/sessions/$s
printf 'NAME=u\nSTATE=active\nDISPLAY=%s\nSESSIONS=%s\nACTIVE_SESSIONS=%s\nSEATS=seat0\n' $s $s $s >/run/systemd/users/$u
printf 'IS_SEAT0=1\nCAN_GRAPHICAL=1\nACTIVE=%s\nACTIVE_UID=%s\nSESSIONS=%s\nUIDS=%s\n' $s $u $s $u >/run/systemd/seats/seat0
echo $$ >$cg/cgroup.procs
exec setpriv --reuid $u --regid $u --clear-groups --inh-caps=-all --bounding-set=-all -- "$@"
'''


class LabError(Exception):
    """The lab itself failed; the text has what its parts said."""


def why_not():
    """Why no lab can run on this machine, or None."""
    if os.geteuid() != 0:
        return 'needs root'
    for program in ('unshare', 'nsenter', 'setpriv', 'apt-get', 'dpkg-deb'):
        if shutil.which(program, path=PATH) is None:
            return f'needs {program}'
    return None


def default_build_dir():
    """T2P_BUILD_DIR, which meson sets, else build/ beside the sources, when there is one."""
    usual = HERE.parents[2] / 'build'
    return os.environ.get('T2P_BUILD_DIR') or (str(usual) if usual.is_dir() else '')


def children_of(pid):
    """Pids of a process's children, as the caller sees them."""
    found = []
    for task in pathlib.Path(f'/proc/{pid}/task').glob('*/children'):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def is_alive(pid):
    try:
        stat = pathlib.Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return False
    return stat.rpartition(')')[2].split()[0] != 'Z'


class Background:
    """A program that runs on inside the lab. `pid` is the one outside sees and can signal."""

    def __init__(self, lab, argv, log, popen_options):
        self.log_path = log
        with open(log, 'ab') as out:
            self._entered = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                                             stderr=out, **popen_options)
        # nsenter forks once to be inside the pid namespace; setpriv and ip exec in place
        lab.wait_for(lambda: children_of(self._entered.pid) or self._entered.poll() is not None,
                     what=f'{argv[-1]} to start')
        self.pid = next(iter(children_of(self._entered.pid)), 0)

    def is_running(self):
        return self._entered.poll() is None

    def kill(self, sig=signal.SIGKILL):
        if self.pid and self.is_running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)
                if sig == signal.SIGCONT:  # nsenter stops with its child, and stays so
                    os.kill(self._entered.pid, sig)

    def wait(self, timeout=10):
        """The exit status; minus the signal when one ended it."""
        return self._entered.wait(timeout)

    def stop(self, timeout=10):
        """Asks it to end, insists after TIMEOUT seconds, returns the exit status."""
        self.kill(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.wait(5)

    def log(self):
        return self.log_path.read_text(errors='replace')


class Netns:
    """A network namespace beside the lab's machine: 'wan' (router), 'px' (proxies), 'srv'."""

    def __init__(self, lab, name):
        self._lab, self._name = lab, name

    def run(self, cmd, **kwargs):
        return self._lab.run(cmd, netns=self._name, **kwargs)

    def start(self, cmd, **kwargs):
        return self._lab.start(cmd, netns=self._name, **kwargs)


class Lab:
    """Parts to choose: nm, resolved, polkit, proxies (names in plan.PROXIES), connectivity
    (NetworkManager's check). build_dir is installed into the lab; None takes T2P_BUILD_DIR
    or build/, and an empty string installs nothing. keep: the lab outlives the process that made it.
    over: packages that conflict with the lab's own, laid over them."""

    def __init__(self, *, nm=False, resolved=False, polkit=True, connectivity=False,
                 proxies=('danted', 'microsocks'), build_dir=None, extra_packages=(), over=(),
                 keep=False, state=None):
        self.config = {'nm': nm, 'resolved': resolved, 'polkit': polkit,
                       'connectivity': connectivity, 'proxies': list(proxies)}
        self.build_dir = default_build_dir() if build_dir is None else build_dir
        self.state = pathlib.Path(state) if state else None
        self.pid = self.cgroup = self._unshare = None
        self._extra, self._over, self._keep, self._count = extra_packages, over, keep, 0
        self._running = []

    # --- up and down

    def up(self):
        reason = why_not()
        if reason:
            raise LabError(reason)
        self._make_state()
        try:
            tree = packages.unpacked(self._extra)
            stage = self._stage()
            over = [packages.unpacked_alone(name) for name in self._over]
            self.config['layers'] = [str(path) for path in (stage, *over, tree) if path]
            (self.state / 'config.json').write_text(json.dumps(self.config))
            self._make_cgroup()
            self._boot()
        except BaseException:
            self.down()
            raise
        return self

    @staticmethod
    def _sweep(base):
        """Removes what labs of killed test programs left: their files and empty cgroups."""
        for state in base.glob('t2p-lab-*'):
            cgroup = ''
            with contextlib.suppress(OSError, ValueError):
                pid, _, cgroup = (state / 'pid').read_text().partition(' ')
                if str(state) in pathlib.Path(f'/proc/{pid}/cmdline').read_text():
                    continue
            with contextlib.suppress(OSError):
                if time.time() - state.stat().st_mtime > 600:
                    shutil.rmtree(state, ignore_errors=True)
                    if cgroup:
                        pathlib.Path(cgroup).rmdir()

    def _make_state(self):
        base = pathlib.Path(os.environ.get('T2P_LAB_STATE', '/var/tmp'))
        self._sweep(base)
        if self.state is None:
            self.state = pathlib.Path(tempfile.mkdtemp(prefix='t2p-lab-', dir=base))
        self.state.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o755)  # the lab's users read programs staged here
        (self.state / 'log').mkdir()

    def _stage(self):
        """Installs the programs of the build folder where the lab lays them over its own."""
        if not self.build_dir:
            return None
        stage = self.state / 'stage'
        done = subprocess.run(
            ['meson', 'install', '-C', self.build_dir, '--no-rebuild', '--quiet'], text=True,
            env={**os.environ, 'DESTDIR': str(stage)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise LabError('cannot install the build: ' + done.stdout)
        for folder in ('bin', 'sbin', 'lib'):  # a prefix of / means merged /usr
            if (stage / folder).is_dir():
                shutil.copytree(stage / folder, stage / 'usr' / folder, dirs_exist_ok=True,
                                symlinks=True)
        return stage

    def _make_cgroup(self):
        """A cgroup of its own, so that sessions can be faked; labs run without one too."""
        for line in pathlib.Path('/proc/mounts').read_text().splitlines():
            _, folder, kind, *_ = line.split()
            if kind == 'cgroup2':
                with contextlib.suppress(OSError):
                    cgroup = pathlib.Path(folder) / self.state.name
                    cgroup.mkdir()
                    self.cgroup = cgroup
                return

    def _in_child(self):
        """Runs between fork and exec."""
        if self.cgroup:
            (self.cgroup / 'cgroup.procs').write_text('0')
        if not self._keep:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def _popen_options(self, env=None):
        clean = {'PATH': PATH, 'LANG': 'C.UTF-8', 'HOME': '/root', 'T2P_LAB': str(self.state)}
        clean.update({name: os.environ[name] for name in PASSED_ON if name in os.environ})
        return {'preexec_fn': self._in_child, 'env': {**clean, **(env or {})}}

    def _boot(self):
        argv = ['setsid', 'unshare', *NAMESPACES, '--fork', '--mount-proc', '--propagation',
                'private', '--kill-child', '--', '/usr/bin/python3', '-B', '-u',
                str(HERE / 'machine.py'), str(self.state)]
        with open(self.state / 'log' / 'init', 'ab') as log:
            self._unshare = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log, **self._popen_options())
        with contextlib.suppress(TimeoutError):
            self.wait_for(lambda: (self.state / 'ready').exists()
                          or self._unshare.poll() is not None, timeout=60)
        self.pid = next(iter(children_of(self._unshare.pid)), None)
        if not (self.state / 'ready').exists() or self.pid is None:
            raise LabError('the lab does not come up:\n' + self.logs())
        (self.state / 'pid').write_text(f'{self.pid} {self.cgroup or ""}')

    @classmethod
    def attach(cls, state):
        """The lab that another process made with keep and this state folder."""
        lab = cls(state=state, keep=True, build_dir='')
        pid, _, cgroup = (lab.state / 'pid').read_text().partition(' ')
        lab.pid, lab.cgroup = int(pid), pathlib.Path(cgroup) if cgroup else None
        lab.config = json.loads((lab.state / 'config.json').read_text())
        return lab

    def down(self):
        """Ends the lab's process 1, and with it everything in the lab."""
        if self.pid is None and self._unshare:
            self.pid = next(iter(children_of(self._unshare.pid)), None)
        if self.pid and is_alive(self.pid):
            os.kill(self.pid, signal.SIGKILL)
        if self._unshare:
            self._unshare.wait()
        for background in self._running:
            background.wait()
        if self.pid:
            self.wait_for(lambda: not is_alive(self.pid), what='the lab to end')
        if self.cgroup:
            self._remove_cgroup()
        if self.state and not os.environ.get('T2P_LAB_KEEP_LOGS'):
            shutil.rmtree(self.state, ignore_errors=True)
        self.pid = self.cgroup = self._unshare = None

    def _remove_cgroup(self):
        def gone():
            for folder, _, _ in os.walk(self.cgroup, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            return not self.cgroup.exists()
        self.wait_for(gone, what='the cgroup to empty')

    def __enter__(self):
        return self.up()

    def __exit__(self, *_):
        self.down()

    # --- run things inside

    def argv(self, cmd, *, uid=0, netns=None, session=False):
        """The command line that runs CMD inside, for those who spawn it themselves."""
        cmd = shlex.split(cmd) if isinstance(cmd, str) else [str(word) for word in cmd]
        if session:
            cmd = ['sh', '-c', ENTER_SESSION, 'sh', str(uid), *cmd]
        elif uid:
            cmd = ['setpriv', '--reuid', str(uid), '--regid', str(uid), '--clear-groups',
                   '--inh-caps=-all', '--bounding-set=-all', '--', *cmd]
        if netns:
            cmd = ['ip', 'netns', 'exec', netns, *cmd]
        return ['nsenter', '--target', str(self.pid), *NAMESPACES, '--root', '--wd=/', '--', *cmd]

    def run(self, cmd, *, check=True, timeout=60, input=None, env=None, text=True, **where):
        """Runs CMD (words, or a line split as a shell would) as root; where: uid, netns, session.

        Returns a CompletedProcess with stdout and stderr. A failure raises LabError with both,
        unless check is false.
        """
        argv = self.argv(cmd, **where)
        with subprocess.Popen(argv, stdin=subprocess.PIPE if input else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=text,
                              **self._popen_options(env)) as child:
            try:
                out, err = child.communicate(input, timeout)
            except subprocess.TimeoutExpired:
                self._end_tree(child)
                out, err = child.communicate()
                raise LabError(f'{cmd}: still running after {timeout} s\n{out}\n{err}') from None
        if check and child.returncode != 0:
            raise LabError(f'{cmd}: exit status {child.returncode}\n{out}\n{err}')
        return subprocess.CompletedProcess(argv, child.returncode, out, err)

    @staticmethod
    def _end_tree(child):
        for pid in children_of(child.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        child.kill()

    def sh(self, script, **kwargs):
        """Runs a shell script inside."""
        return self.run(['sh', '-euc', script], **kwargs)

    def as_user(self, uid, cmd, **kwargs):
        """Runs CMD as another user without any capability and without a session."""
        return self.run(cmd, uid=uid, **kwargs)

    def session(self, uid, cmd, **kwargs):
        """Runs CMD as a user in what polkit takes for an active local session."""
        if not self.cgroup:
            raise LabError('a session needs a writable cgroup2 file system')
        return self.run(cmd, uid=uid, session=True, **kwargs)

    def netns(self, name):
        return Netns(self, name)

    def start(self, cmd, *, name=None, env=None, **where):
        """Starts CMD in the background; its output goes to the lab's log NAME."""
        argv = self.argv(cmd, **where)
        self._count += 1
        log = self.state / 'log' / (name or f'background-{self._count}')
        background = Background(self, argv, log, self._popen_options(env))
        self._running.append(background)
        return background

    def client(self, *words, **kwargs):
        """Runs client.py inside: what an application sees. Returns what it says."""
        argv = ['/usr/bin/python3', '-B', HERE / 'client.py', *words]
        return json.loads(self.run(argv, **kwargs).stdout)

    def with_agent(self, uid, cmd, answer, timeout=30):
        """Runs CMD as a user whom a polkit agent asks; answer: 'yes' or 'no'.

        Returns (exit status, output, what the agent was asked: lines "ACTION: MESSAGE").
        """
        self._count += 1
        gate = f'/run/lab/gate-{self._count}'
        wait = 'until [ -e "$0" ]; do sleep 0.02; done; exec "$@"'
        running = self.start(['sh', '-c', wait, gate, *cmd], uid=uid)
        agent = self.start(['/usr/bin/python3', '-B', HERE / 'agent.py', self.inner_pid(
            running.pid), answer])
        self.wait_for(lambda: 'registered' in agent.log(), what='the agent to register')
        self.write(gate, '')
        status = running.wait(timeout)
        agent.stop()
        return status, running.log(), agent.log().splitlines()[1:]

    @staticmethod
    def inner_pid(pid):
        """The pid that a process has inside the lab."""
        status = pathlib.Path(f'/proc/{pid}/status').read_text()
        return int(next(line for line in status.splitlines()
                        if line.startswith('NSpid')).split()[-1])

    def halt(self, part, sig=signal.SIGTERM):
        """Ends a part by a signal (nm, resolved, polkitd, danted, …)."""
        known = json.loads(self.read(f'/run/lab/{part}.json'))
        self.sh(f'kill -{int(sig)} {known["pid"]}; '
                f'while kill -0 {known["pid"]} 2>/dev/null; do sleep 0.05; done')

    def kill(self, part):
        """Ends a part with all its children at once, as when its machine goes."""
        pid = json.loads(self.read(f'/run/lab/{part}.json'))['pid']
        parents = {int(child): int(parent) for child, parent in map(
            str.split, self.run(['ps', '-e', '-o', 'pid=,ppid=']).stdout.splitlines())}
        family = {pid}
        while more := {child for child, parent in parents.items() if parent in family} - family:
            family |= more
        self.sh(f'kill -KILL {" ".join(map(str, family))} 2>/dev/null || :; '  # some ended
                f'while kill -0 {pid} 2>/dev/null; do sleep 0.05; done')

    def resume(self, part):
        """Starts a part that was ended again as it was; who asks for it by BUS_NAMES finds it."""
        known = json.loads(self.read(f'/run/lab/{part}.json'))
        background = self.start(known['argv'], name=part, env=known['env'])
        inner = self.inner_pid(background.pid)
        self.write(f'/run/lab/{part}.json', json.dumps({**known, 'pid': inner}))
        if part in BUS_NAMES:
            ask = ['busctl', 'call', 'org.freedesktop.DBus', '/', 'org.freedesktop.DBus',
                   'GetConnectionUnixProcessID', 's', BUS_NAMES[part]]
            self.wait_for(lambda: self.run(ask, check=False).stdout.split() == ['u', str(inner)],
                          20, f'{part} to be on the bus')
        return background

    def restart(self, part, sig=signal.SIGTERM):
        self.halt(part, sig)
        return self.resume(part)

    # --- look and wait

    def path(self, inside):
        """Where a file of the lab is seen from outside."""
        return pathlib.Path(f'/proc/{self.pid}/root') / inside.lstrip('/')

    def read(self, inside):
        return self.path(inside).read_text(errors='replace')

    def write(self, inside, text, mode=0o644):
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def log(self, name):
        path = self.state / 'log' / name
        return path.read_text(errors='replace') if path.exists() else ''

    def logs(self, lines=15):
        """The ends of all logs, for somebody who wants to know why."""
        parts = []
        for path in sorted((self.state / 'log').iterdir()):
            tail = path.read_text(errors='replace').splitlines()[-lines:]
            parts.append('\n'.join([f'==> {path.name} <==', *tail]))
        return '\n'.join(parts)

    @staticmethod
    def wait_for(condition, timeout=10, what='', interval=0.02):
        """Calls CONDITION until it returns something true, and returns that."""
        end = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise TimeoutError(f'waited {timeout} s for {what or condition}')
            time.sleep(interval)
