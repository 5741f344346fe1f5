#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our own packets never enter our own tunnel."""
import os
import re
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, plan, tap  # noqa: E402

URL = f'http://{plan.SERVER4}/bytes/1000000000'
SECONDS = int(os.environ.get('T2P_LAB_LOOP_SECONDS', 60))


class Watched(LabCase):
    """A tunnel that captures everything, and a counter of what must not leave by it."""

    upstream = plan.DANTED_URI
    _mark = None

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.service.__exit__, None)
        self.tunnel = self.service.create('work', self.upstream, capture='default',
                                          connect_timeout=3)
        self.signals = self.service.bus.record(member='LoopDetected')
        self.tunnel.details()  # who calls a method hears the tunnel's signals
        self.count_marked()

    def mark(self):
        """Our mark, remembered: a test may take the rules away that tell it."""
        if not self._mark:
            said = self.lab.run('ip rule').stdout
            self._mark = re.search(r'fwmark (0x[0-9a-f]+)', said)[1]
        return self._mark

    def count_marked(self):
        """A counter of packets with our mark that leave by the tun."""
        self.lab.run('nft -f -', input=f'''
            table inet watch {{
                counter marked {{ }}
                chain out {{
                    type filter hook output priority 300;
                    oifname "{self.tunnel.interface}" meta mark {self.mark()} counter name marked
                }}
            }}''')
        self.addCleanup(self.lab.run, 'nft delete table inet watch')

    def marked(self):
        said = self.lab.run('nft list counter inet watch marked').stdout
        return int(re.search(r'packets (\d+)', said)[1])

    def traffic(self):
        """Something that fetches again and again, until it is killed."""
        script = f'while :; do curl -s -m 5 -o /dev/null {URL} || sleep 0.1; done'
        busy = self.lab.start(['sh', '-c', script], name='traffic')
        self.addCleanup(busy.wait)
        self.addCleanup(busy.kill)
        return busy

    def caught(self):
        """What our own detector has seen."""
        return self.tunnel.statistics()['dropped-loop']

    def received(self):
        return self.tunnel.statistics()['tx-bytes']  # of the tun: what applications get

    def drop_bypass(self):
        self.lab.sh(f'for f in -4 -6; do while ip $f rule del fwmark {self.mark()} 2>/dev/null; '
                    'do :; done; done')

    def heard(self):
        """Details of the LoopDetected signals that have come."""
        self.service.bus.pump()
        return [arguments[0] for _, _, _, arguments in self.signals]

    def without_bypass(self):
        self.service.daemon.kill(signal.SIGSTOP)  # it would put them back
        try:
            self.drop_bypass()
            self.traffic()
            self.lab.wait_for(lambda: self.marked() > 0, timeout=20, what='a marked packet')
            time.sleep(2)
        finally:
            self.service.daemon.kill(signal.SIGCONT)
        self.lab.wait_for(self.heard, timeout=20, what='LoopDetected')
        self.assertGreater(self.caught(), 0)
        told = self.heard()[0]
        self.assertEqual(told['kind'], 'own-socket')
        self.assertEqual(told['destination'].split(':')[-1], str(plan.DANTED))
        self.assertLess(len(self.heard()), 10)  # one a second, whatever the worker has seen

    def uplink_lost(self):
        """Both default routes away under traffic, and back."""
        self.traffic()
        self.lab.wait_for(lambda: self.received() > 1000000)
        v4, v6 = f'default via {plan.ROUTER4}', f'default via fe80::1 dev {plan.UPLINK}'
        self.lab.sh(f'ip route del {v4}; ip -6 route del {v6}')
        try:
            self.service.wait_state(self.tunnel, 'degraded', timeout=30)
            for host in (plan.SERVER4, plan.SERVER6):
                outcome, seconds, _ = self.lab.client('connect', host, 80)
                self.assertNotIn(outcome, ('connected', 'closed', 'timed out'))
                self.assertLess(seconds, 1)
            self.assertEqual(self.marked(), 0)
        finally:
            self.lab.sh(f'ip route add {v4}; ip -6 route add {v6}')
        self.service.wait_state(self.tunnel, 'active', timeout=60)
        before = self.received()
        self.lab.wait_for(lambda: self.received() > before + 1000000, timeout=20)
        self.assertEqual(self.marked(), 0)


class Loops(Watched):
    def test_none(self):
        """no packet with our mark leaves by the tun while it carries traffic"""
        self.traffic()
        time.sleep(SECONDS)
        self.assertEqual(self.marked(), 0)
        self.assertEqual(self.caught(), 0)
        self.assertGreater(self.received(), 1000000)

    def test_without_bypass(self):
        """the same watch sees packets when the bypass rules are taken away"""
        self.without_bypass()

    def test_rules_come_back(self):
        """bypass rules that somebody takes away come back"""
        before = self.lab.run('ip rule').stdout, self.lab.run('ip -6 rule').stdout
        self.drop_bypass()
        self.lab.wait_for(lambda: (self.lab.run('ip rule').stdout,
                                   self.lab.run('ip -6 rule').stdout) == before)

    def test_uplink_lost(self):
        """without default routes still none, upstreams fail at once, degraded, then active"""
        self.uplink_lost()


    def test_foreign_rule(self):
        """a rule of somebody else that sends us into the tunnel: told, named, a state that ends"""
        table = re.search(r'iif lo lookup (\d+)', self.lab.run('ip rule').stdout)[1]
        self.lab.run(f'ip rule add priority 5 fwmark {self.mark()} lookup {table}')
        try:
            self.traffic()
            told = self.lab.wait_for(self.heard, timeout=20, what='LoopDetected')[0]
            self.assertEqual((told['kind'], told['protocol']), ('own-socket', 'tcp'))
            self.assertEqual(told['destination'], f'{plan.PROXY4}:{plan.DANTED}')
            self.assertEqual((told['program'], told['uid']), ('tun2proxy-worke', plan.WORKER_UID))
            self.lab.wait_for(lambda: (self.tunnel.state, self.tunnel.prop('StateReason'))
                              == ('degraded', 'loop'), timeout=30)
            self.assertLess(self.caught(), 1000)  # no avalanche
        finally:
            self.lab.run('ip rule del priority 5')
        self.service.wait_state(self.tunnel, 'active', timeout=60)
        before = self.received()
        self.lab.wait_for(lambda: self.received() > before + 1000000, timeout=20)

    def test_upstream_by_tunnel(self):
        """who connects to the proxy by the tunnel is refused, and named"""
        outcome, seconds, _ = self.lab.client('connect', plan.PROXY4, plan.DANTED,
                                              uid=plan.USER_UID)
        self.assertNotIn(outcome, ('connected', 'timed out'))
        self.assertLess(seconds, 3)
        told = self.lab.wait_for(self.heard)[0]
        self.assertEqual((told['kind'], told['uid']), ('upstream', plan.USER_UID))
        self.assertIn('python3', told['program'])
        time.sleep(3)
        self.assertEqual(self.tunnel.state, 'active')  # nothing of ours goes round
        self.assertLessEqual(self.caught(), 3)


class Loops6(Watched):
    upstream = plan.DANTED6_URI

    def test_uplink_lost(self):
        """the same with an upstream by IPv6"""
        self.uplink_lost()

    def test_without_bypass(self):
        """by IPv6, too, the watch sees packets when the bypass rules are taken away"""
        self.without_bypass()


if __name__ == '__main__':
    tap.main()
