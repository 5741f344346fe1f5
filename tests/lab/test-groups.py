#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Policies of several upstreams, and what a dead one costs: real proxies, counted on their side."""
import collections
import os
import pathlib
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import t2plab  # noqa: E402
from t2plab import DistantProxy, LabCase, Service, plan, tap  # noqa: E402

CLIENT = pathlib.Path(t2plab.__file__).with_name('client.py')
OPEN, SSH = plan.PORTS['microsocks-open'], plan.PORTS['ssh']
OPEN_URI, SSH_URI = f'socks5://{plan.PROXY4}:{OPEN}', f'socks5://{plan.PROXY4}:{SSH}'
URIS = {plan.DANTED: plan.DANTED_URI, OPEN: OPEN_URI, SSH: SSH_URI}
CONNECT_TIMEOUT = 5  # a SYN that a full backlog drops is sent twice more
# What t2pw-group-member.c promises: attempts without a sign of life; and a check now and then.
ATTEMPTS, CHECKS = 64, 6


def name(number):
    return f'n{number}.bulk.example'


class GroupCase(LabCase):
    options = {'proxies': ('danted', 'microsocks-open', 'ssh')}

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)
        self.px = self.lab.netns('px')

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.service.__exit__(None)

    def create(self, policy, *proxies):
        tunnel = self.service.create('work', proxies, policy=policy, capture='default',
                                     connect_timeout=CONNECT_TIMEOUT)
        self.told = self.service.bus.record('org.tun2proxy.Tunnel', 'ProxyChanged', tunnel.path)
        tunnel.details()  # whoever has called a method is told
        return tunnel

    def changes(self):
        self.service.bus.pump()
        return [entry[3] for entry in self.told]

    def active_is(self, tunnel, uri, timeout=15):
        self.lab.wait_for(lambda: tunnel.details()['active-proxy'] == uri, timeout,
                          f'{uri} to be the active one')

    def hold(self, host, count=1):
        """Connections to the echo server that stay."""
        held = self.lab.start(['/usr/bin/python3', '-B', CLIENT, 'hold', host, plan.ECHO, count])
        self.addCleanup(held.kill)
        self.lab.wait_for(lambda: held.log() or not held.is_running(), what='the connections')
        self.assertEqual(held.log().strip(), str(count))
        return held

    def carried_by(self, port):
        """Connections from the tunnel that a proxy has, as its own side sees them."""
        said = self.px.run(['ss', '-Hnt', 'state', 'established',
                            f'( sport = :{port} and not src [::1] and not src 127.0.0.1 )'])
        return len(said.stdout.splitlines())

    def proxies_by_host(self, tunnel):
        found = collections.defaultdict(set)
        for row in tunnel.connections(state='established'):
            found[row['host']].add(row['proxy'])
        return found

    def proxies_in_use(self, tunnel):
        return [row['proxy'] for row in tunnel.connections(state='established')]

    def ask(self, numbers, seconds=1):
        lines = ''.join(f'{name(number)} {plan.ECHO}\n' for number in numbers)
        return self.lab.client('ask', str(seconds), input=lines, timeout=90)


class Policies(GroupCase):
    def test_failover(self):
        """failover leaves a proxy that dies, and returns when it has proven itself"""
        tunnel = self.create('failover', plan.DANTED_URI, OPEN_URI)
        first = self.hold(plan.SERVER4)
        self.assertEqual(self.carried_by(plan.DANTED), 1)
        first.kill()  # danted's children would carry it on
        self.lab.halt('danted')
        kept = self.hold(plan.SERVER4)
        self.assertEqual(self.carried_by(OPEN), 1)
        self.active_is(tunnel, OPEN_URI)
        self.assertEqual(self.changes(), [(plan.DANTED_URI, OPEN_URI, 'proxy-unreachable')])

        self.lab.resume('danted')
        self.lab.wait_for(lambda: tunnel.details()['proxies'][0]['state'] == 'up', 10)
        began = time.monotonic()
        self.assertEqual(tunnel.details()['active-proxy'], OPEN_URI)  # on probation
        self.active_is(tunnel, plan.DANTED_URI)
        self.assertGreater(time.monotonic() - began, 5)
        self.assertEqual(self.changes()[1:], [(OPEN_URI, plan.DANTED_URI, 'none')])
        self.hold(plan.SERVER4)
        self.assertEqual((self.carried_by(plan.DANTED), self.carried_by(OPEN)), (1, 1))
        self.assertTrue(kept.is_running())
        self.assertEqual(tunnel.state, 'active')

    def test_round_robin(self):
        """round-robin gives each host its turn, and goes on without one that died"""
        tunnel = self.create('round-robin', *URIS.values())
        for number in range(9):
            self.hold(name(number), 2)
        self.assertEqual([self.carried_by(port) for port in URIS], [6, 6, 6])
        by_host = self.proxies_by_host(tunnel)
        self.assertEqual(len(by_host), 9)
        self.assertEqual([len(proxies) for proxies in by_host.values()], [1] * 9)
        self.assertEqual(tunnel.details()['active-proxy'], plan.DANTED_URI)

        self.lab.halt('danted')  # whose children carry on what they have
        for number in range(9, 16):  # the first finds it out
            self.hold(name(number))
        self.assertEqual([self.carried_by(port) for port in URIS], [6, 10, 9])
        self.active_is(tunnel, OPEN_URI)
        self.assertEqual(self.changes(), [(plan.DANTED_URI, OPEN_URI, 'proxy-unreachable')])
        self.lab.resume('danted')
        self.active_is(tunnel, plan.DANTED_URI, 25)
        for number in range(16, 19):
            self.hold(name(number))
        self.assertEqual([self.carried_by(port) for port in URIS], [7, 11, 10])

    def test_least_latency(self):
        """least-latency finds the nearest proxy, and another when that has moved away"""
        with DistantProxy(self.lab, plan.DANTED, 60) as far, \
                DistantProxy(self.lab, OPEN, 10) as near:
            tunnel = self.create('least-latency', far.uri, near.uri)
            self.active_is(tunnel, near.uri, 5)
            held = self.hold(plan.SERVER4)
            self.assertEqual(self.proxies_in_use(tunnel), [near.uri])
            held.kill()
            near.move(200)
            for _ in range(12):  # flows are measures, too
                self.hold(plan.SERVER4).kill()
            self.active_is(tunnel, far.uri, 5)
            self.lab.wait_for(lambda: not tunnel.connections())
            self.hold(plan.SERVER4)
            self.assertEqual(self.proxies_in_use(tunnel), [far.uri])
            self.assertEqual(self.changes()[-1], (near.uri, far.uri, 'none'))


class Storms(GroupCase):
    FLOWS = 300

    def swallow(self, port):
        """What goes to a proxy is lost from now on, and its connection attempts are counted."""
        self.px.run('nft -f -', input=f'''
            table inet storm {{
                set attempts {{ typeof tcp sport; size 65535; flags dynamic; }}
                chain in {{
                    type filter hook input priority -300;
                    iifname "lo" accept
                    tcp dport {port} tcp flags & (syn | ack) == syn add @attempts {{ tcp sport }}
                    tcp dport {port} drop
                }}
            }}''')
        self.addCleanup(self.px.run, 'nft delete table inet storm')

    def attempts(self):
        """Since the last time; each is a source port, however often its SYN was sent."""
        said = self.px.run('nft list set inet storm attempts')
        self.px.run('nft flush set inet storm attempts')
        found = re.search(r'elements = \{(.*?)\}', said.stdout, re.DOTALL)
        return len(found[1].split(',')) if found else 0

    def test_dead(self):
        """many connections by a proxy that dies make few attempts, and fail together"""
        tunnel = self.create('failover', plan.DANTED_URI)
        self.assertEqual({answer[0] for answer in self.ask(range(3))}, {'connected'})
        self.swallow(plan.DANTED)
        answers = self.ask(range(self.FLOWS), CONNECT_TIMEOUT + 5)
        self.assertEqual({answer[0] for answer in answers}, {'unreachable'})
        self.assertLess(max(answer[1] for answer in answers), CONNECT_TIMEOUT + 2)
        self.assertIn(self.attempts(), range(ATTEMPTS, ATTEMPTS + CHECKS))
        self.assertEqual(tunnel.details()['proxies'][0]['state'], 'down')

        began = time.monotonic()
        answers = self.ask(range(self.FLOWS), 5)
        self.assertEqual({answer[0] for answer in answers}, {'unreachable'})
        self.assertLess(time.monotonic() - began, CONNECT_TIMEOUT)  # at once
        self.assertLessEqual(self.attempts(), CHECKS)
        self.px.run('nft flush chain inet storm in')
        self.service.wait_state(tunnel, 'active')
        self.assertEqual({answer[0] for answer in self.ask(range(self.FLOWS))}, {'connected'})

    def test_next(self):
        """all connections go on to the next proxy as soon as the first is known to be dead"""
        self.create('failover', OPEN_URI, plan.DANTED_URI)
        self.swallow(OPEN)
        answers = self.ask(range(self.FLOWS), CONNECT_TIMEOUT + 5)
        self.assertEqual({answer[0] for answer in answers}, {'connected'})
        self.assertIn(self.attempts(), range(ATTEMPTS, ATTEMPTS + CHECKS))


if __name__ == '__main__':
    tap.main()
