#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a crash leaves behind: nothing, without anything being started again."""
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402
from t2plab.bus import vardict  # noqa: E402
from t2plab.service import RUNTIME_DIR  # noqa: E402

STEPS = ('resolve-upstream', 'create-device', 'start-worker', 'probe-upstream', 'configure-link',
         'install-bypass', 'install-capture', 'apply-dns')
ADOPT_TIMEOUT = 10        # the default
SHORT_ADOPT_TIMEOUT = 2   # where every step is tried
URL = f'http://{plan.SERVER4}/ip'


class KillCase(LabCase):
    def setUp(self):
        self.before = network_dump(self.lab)
        self.service = None

    def tearDown(self):
        if self.service and self.service.daemon.is_running():
            for tunnel in self.service.list():
                tunnel.delete()
            self.service.stop()
        for pid in self.service.workers():
            os.kill(pid, signal.SIGKILL)
        self.lab.sh(f'rm -rf {RUNTIME_DIR}')
        self.service.bus.close()

    def start(self, *args):
        self.service = Service(self.lab, args).start()

    def create(self):
        return self.service.create('work', plan.DANTED_URI, capture='default')

    def fetches(self):
        return self.lab.run(['curl', '-sS', '-m', '10', URL], check=False).stdout.strip()

    def assert_clean(self, timeout=ADOPT_TIMEOUT + 5):
        try:
            self.lab.wait_for(lambda: not changes(self.before, network_dump(self.lab)),
                              timeout=timeout, interval=0.2)
        except TimeoutError:
            self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.lab.wait_for(lambda: self.service.workers() == [], what='workers to end')
        self.assertEqual(self.fetches(), plan.LAB4)


class WhileActive(KillCase):
    options = {'resolved': True}

    def test_worker(self):
        """a killed worker is restarted on the same device, meanwhile degraded"""
        self.start()
        tunnel = self.create()
        ifindex = tunnel.prop('IfIndex')
        states = self.service.bus.record('org.tun2proxy.Tunnel', 'StateChanged', tunnel.path)
        old = self.service.workers()
        os.kill(old[0], signal.SIGKILL)
        self.lab.wait_for(lambda: self.service.workers() not in ([], old), timeout=20,
                          what='another worker')
        self.service.wait_state(tunnel, 'active')
        self.service.bus.pump()
        self.assertIn(('active', 'degraded', 'worker-crashed'), [entry[3] for entry in states])
        self.assertEqual(tunnel.prop('IfIndex'), ifindex)
        self.assertEqual(self.fetches(), plan.PROXY4)

    def test_daemon(self):
        """after a kill of the daemon nothing is left"""
        self.start()
        self.create()
        self.service.stop(signal.SIGKILL)
        self.assert_clean()

    def test_both(self):
        """after a kill of daemon and worker nothing is left"""
        self.start()
        self.create()
        workers = self.service.workers()
        self.service.daemon.kill()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        self.service.daemon.wait()
        self.assert_clean()

    def test_term(self):
        """a service that is told to end, and does not come back, leaves nothing"""
        self.start()
        self.create()
        self.assertEqual(self.service.stop(), 0)
        self.assert_clean()

    def test_link_deleted(self):
        """a tunnel whose link somebody deletes fails and leaves nothing"""
        self.start()
        tunnel = self.create()
        self.lab.run(['ip', 'link', 'del', tunnel.interface])
        self.service.wait_state(tunnel, 'failed', 'inactive')
        self.assert_clean()


class AtEachStep(KillCase):
    options = {'resolved': True}

    def pause_at(self, step, proxy=plan.DANTED_URI):
        """Begins to bring a tunnel up; returns when the journal says that it stands at STEP."""
        self.start('--pause-at=' + step, f'--adopt-timeout={SHORT_ADOPT_TIMEOUT}')
        self.service.call('CreateTunnel', 'sa{sv}a{sv}', 'work',
                          vardict({'proxies': [proxy], 'capture': 'default'}),
                          vardict({'wait': False}))
        self.lab.wait_for(lambda: step in self.journal(), timeout=15,
                          what=f'the journal to name {step}')

    def journal(self):
        said = self.lab.sh(f'find {RUNTIME_DIR} -type f | xargs -r cat', check=False).stdout
        return said.replace('\0', ' ')

    def kill_at(self, step, worker):
        self.pause_at(step)
        workers = self.service.workers()
        self.service.daemon.kill()
        if worker:
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
        self.service.daemon.wait()

    def kill_worker_at(self, step):
        """The worker alone is killed while the bring-up stands behind STEP."""
        # a proxy with a name: the worker is there from the first step
        self.pause_at(step, f'socks5://proxy.example:{plan.DANTED}')
        self.lab.wait_for(lambda: f'paused at {step}' in self.service.daemon.log(),
                          what='the pause')
        workers = self.service.workers()
        self.assertEqual(len(workers), 1)
        os.kill(workers[0], signal.SIGKILL)
        self.lab.wait_for(lambda: workers[0] not in self.service.workers())

    def delete_without_worker(self, step):
        self.kill_worker_at(step)
        self.service.list()[0].delete()
        self.assertEqual(self.service.list(), [])
        self.assert_clean()
        self.assertTrue(self.service.daemon.is_running())

    def daemon_after_worker(self, step):
        self.kill_worker_at(step)
        self.service.daemon.kill()
        self.service.daemon.wait()
        self.assert_clean()


def add_worker_tests(step):
    def deleted(self):
        self.delete_without_worker(step)

    def killed(self):
        self.daemon_after_worker(step)
    deleted.__doc__ = f'Delete after a kill of the worker at {step} leaves nothing'
    killed.__doc__ = f'a kill of the worker at {step}, then of the daemon, leaves nothing'
    name = step.replace('-', '_')
    setattr(AtEachStep, f'test_{name}_worker_delete', deleted)
    setattr(AtEachStep, f'test_{name}_worker_then_daemon', killed)


def add_step_tests():
    for step in STEPS:
        for worker in (False, True):
            def test(self, step=step, worker=worker):
                self.kill_at(step, worker)
                self.assert_clean()
            who = 'daemon and worker' if worker else 'the daemon'
            test.__doc__ = f'a kill of {who} at {step} leaves nothing'
            name = f'test_{step.replace("-", "_")}_{"both" if worker else "daemon"}'
            setattr(AtEachStep, name, test)
        add_worker_tests(step)


add_step_tests()

if __name__ == '__main__':
    tap.main()
