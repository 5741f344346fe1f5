#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tunnels that NetworkManager owns, when it or we are restarted, hang, or are killed."""
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import Service, network_dump, plan, tap  # noqa: E402
from t2plab.bus import BusError, vardict  # noqa: E402
from t2plab.nmcase import ADOPT_TIMEOUT, PROFILES, NmCase  # noqa: E402
from t2plab.service import RUNTIME_DIR  # noqa: E402

STEPS = ('configure-link', 'install-bypass', 'install-capture', 'apply-dns')


class Restarts(NmCase):
    def restart(self, sig):
        tunnel = self.create(capture='default')
        download = self.lab.start(
            ['curl', '-sS', '--limit-rate', '400k', '-o', '/dev/null', '-w', '%{size_download}',
             f'http://{plan.SERVER4}/bytes/2000000'], name='download')
        rules = network_dump(self.lab)['rules4']
        self.lab.halt('nm', sig)
        self.assert_carried()
        self.assertEqual(network_dump(self.lab)['rules4'], rules)
        self.lab.resume('nm')
        self.lab.wait_for(
            lambda: f'{tunnel.interface}:tun:connected:tun2proxy work' in self.lab.run(
                'nmcli -t -f DEVICE,TYPE,STATE,CONNECTION device', check=False).stdout, timeout=15)
        self.assert_carried()
        self.assertEqual(download.wait(20), 0)
        self.assertTrue(download.log().strip().endswith('2000000'))
        self.assertEqual(tunnel.state, 'active')
        self.lab.wait_for(lambda: self.nmcli_uplink() == 'connected', timeout=15)
        self.lab.run('ip -6 address add 2001:db8:77::79/128 dev eth0 nodad')
        self.lab.wait_for(lambda: 'from 2001:db8:77::79 ' in '\n'.join(
            network_dump(self.lab)['rules6']), timeout=5)
        self.lab.run('ip -6 address del 2001:db8:77::79/128 dev eth0')
        self.assertEqual(self.rp_filter(tunnel.interface), '2')
        self.assertEqual(self.fetch('http://v4.example/ip'), plan.PROXY4)

    def nmcli_uplink(self):
        return next(line.split(':')[2] for line in self.nmcli() if line.startswith('eth0:eth'))

    def test_term(self):
        """a running connection and new ones live through a restart of NetworkManager by TERM"""
        self.restart(signal.SIGTERM)

    def test_kill(self):
        """a running connection and new ones live through a restart of NetworkManager by KILL"""
        self.restart(signal.SIGKILL)

    def test_forgotten(self):
        """a NetworkManager that has forgotten the profile gets it again"""
        tunnel = self.create(capture='default')
        self.lab.halt('nm', signal.SIGKILL)
        self.lab.sh(f'rm -f "{PROFILES}"/tun2proxy*')
        self.lab.resume('nm')
        self.assert_carried()
        self.lab.wait_for(
            lambda: f'{tunnel.interface}:tun:connected:tun2proxy work' in self.lab.run(
                'nmcli -t -f DEVICE,TYPE,STATE,CONNECTION device', check=False).stdout, timeout=20)
        self.lab.wait_for(lambda: self.fetch('http://v4.example/ip') == plan.PROXY4)
        self.assert_carried()
        self.assertEqual(tunnel.state, 'active')

    def test_deleted_while_away(self):
        """a tunnel that is deleted while NetworkManager is away leaves nothing, then or later"""
        tunnel = self.create(capture='default')
        self.lab.halt('nm', signal.SIGKILL)
        tunnel.delete()
        rules = network_dump(self.lab)
        self.assertEqual(rules['rules4'], self.before['rules4'])
        self.assertEqual(rules['rules6'], self.before['rules6'])
        self.lab.resume('nm')
        self.lab.wait_for(lambda: self.lab.run('nmcli device', check=False).returncode == 0)

    def test_resolved(self):
        """names still go to the tunnel after a restart of systemd-resolved"""
        self.create(capture='default')
        self.lab.restart('resolved')
        self.lab.wait_for(lambda: self.fetch('http://v4.example/ip') == plan.PROXY4)


class Hangs(NmCase):
    """A lab of its own: what is stopped here was started with the lab."""

    def signal_nm(self, sig):
        self.lab.sh(f'kill -{int(sig)} {json.loads(self.lab.read("/run/lab/nm.json"))["pid"]}')

    def test_started_beside(self):
        """a service that is started beside one that hangs says so, and uses it when it answers"""
        self.service.stop()
        self.service.bus.close()
        self.signal_nm(signal.SIGSTOP)
        try:
            self.service = Service(self.lab, self.args).start()
            with self.assertRaises(BusError) as caught:
                self.service.create('work', plan.DANTED_URI, capture='default')
            self.assertIn('NetworkManagerFailed', caught.exception.name)
        finally:
            self.signal_nm(signal.SIGCONT)
        self.lab.wait_for(lambda: self.service.prop('DefaultNetworkBackend') == 'networkmanager')
        self.create(capture='default')
        self.assert_carried()

    def test_hung(self):
        """a tunnel is taken down, and another fails, when NetworkManager does not answer"""
        tunnel = self.create(capture='default')
        self.signal_nm(signal.SIGSTOP)
        try:
            tunnel.delete()
            rules = network_dump(self.lab)
            self.assertEqual(rules['rules4'], self.before['rules4'])
            self.assertEqual(rules['rules6'], self.before['rules6'])
            with self.assertRaises(BusError) as caught:
                self.service.create('work', plan.DANTED_URI, capture='default')
            self.assertIn('NetworkManagerFailed', caught.exception.name)
            self.assertIn('within', str(caught.exception))
        finally:
            self.signal_nm(signal.SIGCONT)
        self.lab.wait_for(lambda: self.nmcli() == self.known)
        self.create(capture='default')
        self.assert_carried()


class Kills(NmCase):
    """Nothing of ours is running any more: what was done goes with the last descriptor."""

    def leave(self):
        self.lab.wait_for(lambda: self.service.workers() == [], timeout=ADOPT_TIMEOUT + 10,
                          what='workers to end')
        self.service.bus.close()
        self.assert_clean(ADOPT_TIMEOUT + 10)
        self.lab.sh(f'rm -rf {RUNTIME_DIR}')
        self.assert_outside()

    def kill(self, with_worker):
        workers = self.service.workers()
        self.service.daemon.kill()
        for pid in workers if with_worker else ():
            os.kill(pid, signal.SIGKILL)
        self.service.daemon.wait()

    def test_daemon(self):
        """a kill of the daemon leaves nothing once the worker has waited for another"""
        self.create(capture='default')
        self.kill(with_worker=False)

    def test_both(self):
        """a kill of daemon and worker leaves nothing"""
        self.create(capture='default')
        self.kill(with_worker=True)

    def test_all(self):
        """a kill of daemon, worker and NetworkManager leaves nothing"""
        self.create(capture='default')
        self.lab.halt('nm', signal.SIGKILL)
        self.kill(with_worker=True)
        self.lab.wait_for(lambda: network_dump(self.lab)['rules4'] == self.before['rules4'],
                          timeout=ADOPT_TIMEOUT + 10)
        self.lab.resume('nm')
        self.lab.wait_for(lambda: self.lab.run('nmcli device', check=False).returncode == 0)

    def test_steps(self):
        """a kill behind each step of NetworkManager, which the journal names, leaves nothing"""
        for step in STEPS:
            with self.subTest(step):
                self.service.stop()
                self.service.bus.close()
                self.service = Service(self.lab, (*self.args, f'--pause-at={step}')).start()
                self.service.call('CreateTunnel', 'sa{sv}a{sv}', 'work',
                                  vardict({'proxies': [plan.DANTED_URI], 'capture': 'default'}),
                                  vardict({'wait': False}))
                self.lab.wait_for(lambda step=step: f'paused at {step}'
                                  in self.service.daemon.log())
                journal = self.lab.sh(f'find {RUNTIME_DIR}/journal -type f | xargs cat').stdout
                self.assertIn(step, journal)
                self.kill(with_worker=True)
                self.assert_clean(ADOPT_TIMEOUT + 10)


if __name__ == '__main__':
    tap.main()
