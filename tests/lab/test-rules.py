#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules: which way a connection goes, by what the server sees of it and the application gets."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import BusError, LabCase, Service, plan, tap  # noqa: E402

V4_URL, V6_URL = f'http://{plan.SERVER4}', f'http://[{plan.SERVER6}]'
SECOND_URI = f'socks5://{plan.PROXY4}:{plan.PORTS["microsocks-open"]}'
MANY = 100_000
CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 't2plab', 'client.py')


class Rules(LabCase):
    options = {'proxies': ('danted', 'microsocks-open')}

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.service.__exit__, None)

    def tunnel(self, *rules, proxies=(plan.DANTED_URI,), **settings):
        return self.service.create('work', proxies, capture='default', rules=list(rules),
                                   **settings)

    def seen_as(self, url, uid=0):
        """The address by which the server sees a fetch from the lab."""
        return self.lab.run(['curl', '-sS', '-m', '15', url + '/ip'], uid=uid).stdout.strip()

    def refusal(self, *rules, **settings):
        with self.assertRaises(BusError) as refused:
            self.tunnel(*rules, **settings)
        self.assertEqual(refused.exception.name, 'org.tun2proxy.Error.InvalidSettings')
        return refused.exception.message

    def hold(self, tunnel, host):
        """Opens a connection, and tells how the tunnel lists it."""
        before = len(tunnel.connections())
        holder = self.lab.start(['/usr/bin/python3', '-B', CLIENT, 'hold', host,
                                 str(plan.ECHO), '1'], name=f'holder-{before}')
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        rows = self.lab.wait_for(lambda: tunnel.connections()[before:], what='the connection')
        self.lab.wait_for(lambda: '1' in holder.log(), what='the connection to be there')
        return [(row['rule'], row['proxy']) for row in rows]

    def test_direct_by_address(self):
        """cidr -> direct leaves by the uplink, the rest goes to the proxy, in both families"""
        self.tunnel(f'cidr:{plan.SERVER4}/32 & port:{plan.HTTP} -> direct')
        self.assertEqual(self.seen_as(V4_URL), plan.LAB4)
        self.assertEqual(self.seen_as(f'{V4_URL}:{plan.HTTP_ALT}'), plan.PROXY4)
        self.assertEqual(self.seen_as(V6_URL), plan.PROXY6)

    def test_direct6(self):
        """cidr -> direct works for IPv6"""
        self.tunnel('cidr:2001:db8:113::/64 -> direct')
        self.assertEqual(self.seen_as(V6_URL), plan.LAB6)
        self.assertEqual(self.seen_as(V4_URL), plan.PROXY4)

    def test_direct_sockets_do_not_loop(self):
        """direct sockets carry the mark and leave by the uplink, never by the tunnel"""
        tunnel = self.tunnel('any -> direct')
        mark = re.search(r'fwmark (0x[0-9a-f]+)', self.lab.run('ip rule').stdout)[1]
        self.lab.run('nft -f -', input=f'''
            table inet watch {{
                counter looped {{ }}
                counter left {{ }}
                counter unmarked {{ }}
                chain out {{
                    type filter hook output priority 300;
                    oifname "{tunnel.interface}" meta mark {mark} counter name looped
                    oifname "{plan.UPLINK}" ip daddr {plan.SERVER4} meta mark {mark} \\
                        counter name left
                    oifname "{plan.UPLINK}" ip daddr {plan.SERVER4} meta mark != {mark} \\
                        counter name unmarked
                }}
            }}''')
        self.addCleanup(self.lab.run, 'nft delete table inet watch')
        self.assertEqual(self.seen_as(V4_URL), plan.LAB4)

        def packets(name):
            said = self.lab.run(f'nft list counter inet watch {name}').stdout
            return int(re.search(r'packets (\d+)', said)[1])
        self.assertGreater(packets('left'), 3)
        self.assertEqual((packets('looped'), packets('unmarked')), (0, 0))

    def test_domains(self):
        """names decide for virtual addresses, and a cidr of their pool does not"""
        self.tunnel('cidr:198.18.0.0/15 -> drop', 'domain:www.example -> direct',
                    'domain-suffix:bulk.example -> reject')
        self.assertEqual(self.seen_as('http://www.example'), plan.LAB4)
        self.assertEqual(self.seen_as('http://v4.example'), plan.PROXY4)
        for name in ('bulk.example', 'a.b.bulk.example'):
            self.assertEqual(self.lab.client('connect', name, plan.HTTP)[0], 'refused')

    def test_reject_and_drop(self):
        """reject is refused at once, drop is silence, each is counted and nothing leaves"""
        tunnel = self.tunnel(f'port:{plan.HTTP} -> reject', f'port:{plan.HTTP_ALT} -> drop')
        for host in (plan.SERVER4, plan.SERVER6):
            outcome, seconds, _ = self.lab.client('connect', host, plan.HTTP)
            self.assertEqual(outcome, 'refused')
            self.assertLess(seconds, 1)
        before = tunnel.statistics()
        outcome, _, _ = self.lab.client('connect', plan.SERVER4, plan.HTTP_ALT, 4.0)
        self.assertEqual(outcome, 'timed out')
        after = tunnel.statistics()
        self.assertGreaterEqual(after['dropped-rule'] - before['dropped-rule'], 2)  # sent again
        self.assertEqual(after['connections-active'], 0)
        self.assertEqual(after['tx-packets'], before['tx-packets'])  # no answer of any kind

    def test_one_proxy(self):
        """proxy:N uses that upstream alone; connections tell their rule and their way"""
        rules = [f'cidr:{plan.SERVER4}/32 -> proxy:2', f'cidr:{plan.SERVER6}/128 -> direct']
        tunnel = self.tunnel(*rules, proxies=(plan.DANTED_URI, SECOND_URI))
        self.assertEqual(self.hold(tunnel, plan.SERVER4), [(rules[0], SECOND_URI)])
        self.assertEqual(self.hold(tunnel, plan.SERVER6), [(rules[1], 'direct')])

    def test_users(self):
        """user: rules tell users apart, by name, uid and range"""
        self.tunnel(f'user:{plan.USER} -> direct', f'user:{plan.ADMIN_UID} -> reject',
                    'user:5000-5999 -> drop')
        for url, own, proxied in ((V4_URL, plan.LAB4, plan.PROXY4),
                                  (V6_URL, plan.LAB6, plan.PROXY6)):
            self.assertEqual(self.seen_as(url, uid=plan.USER_UID), own)
            self.assertEqual(self.seen_as(url), proxied)
        self.assertEqual(self.lab.client('connect', plan.SERVER4, plan.HTTP,
                                         uid=plan.ADMIN_UID)[0], 'refused')

    def test_user_without_an_answer(self):
        """a flow of which nobody can say whose it is, is refused and does not leave"""
        tunnel = self.tunnel('user:4001 -> direct')
        self.service.daemon.kill(19)  # SIGSTOP: no answer comes
        try:
            outcome, seconds, _ = self.lab.client('connect', plan.SERVER4, plan.HTTP)
        finally:
            self.service.daemon.kill(18)
        self.assertEqual(outcome, 'refused')
        self.assertGreater(seconds, 1.5)
        self.assertLess(seconds, 4)
        self.assertEqual(tunnel.statistics()['connections-opened'], 0)
        self.assertEqual(self.seen_as(V4_URL, uid=plan.USER_UID), plan.LAB4)

    def test_after_a_crash(self):
        """rules hold for the worker that takes the place of one that crashed"""
        self.lab.write('/etc/nets', f'{plan.SERVER6}\n')
        tunnel = self.tunnel(f'user:{plan.USER} -> direct', 'cidr-file:/etc/nets -> direct')
        first, = self.service.workers()
        os.kill(first, 9)
        self.lab.wait_for(lambda: first not in self.service.workers()
                          and len(self.service.workers()) == 1, what='another worker')
        self.service.wait_state(tunnel, 'active')
        self.assertEqual(self.seen_as(V4_URL, uid=plan.USER_UID), plan.LAB4)
        self.assertEqual(self.seen_as(V4_URL), plan.PROXY4)
        self.assertEqual(self.seen_as(V6_URL), plan.LAB6)

    def test_large_files(self):
        """files of 100,000 entries decide for the one that matters"""
        nets = [f'{11 + n // 65536}.{n // 256 % 256}.{n % 256}.0/25' for n in range(MANY)]
        self.lab.write('/etc/nets', '\r\n'.join(['# direct', *nets, plan.SERVER4, '']))
        names = [f'host-{n}.zone-{n % 977}.example' for n in range(MANY)]
        self.lab.write('/etc/names', '\n'.join([*names, 'bulk.example  # and below', '']))
        self.tunnel('cidr-file:/etc/nets -> direct', 'domain-file:/etc/names -> direct')
        self.assertEqual(self.seen_as(V4_URL), plan.LAB4)
        self.assertIn(self.seen_as('http://some.bulk.example'), (plan.LAB4, plan.LAB6))
        self.assertEqual(self.seen_as('http://v4.example'), plan.PROXY4)
        self.assertEqual(self.seen_as(V6_URL), plan.PROXY6)

    def test_refused(self):
        """what is wrong is told by entry, file and line, and never by what stands in a file"""
        self.lab.write('/etc/nets', '192.0.2.0/24\nroot:secret\n')
        self.assertEqual(self.refusal('any -> direct', 'port:http -> direct'),
                         "rules: entry 2: 'http' is no port, expected 0 to 65535, or a range "
                         'such as 8000-8999')
        self.assertIn('entry 1: proxy:2 is none of the 1', self.refusal('any -> proxy:2'))
        self.assertIn("entry 1: there is no user 'nemo'", self.refusal('user:nemo -> drop'))
        said = self.refusal('cidr-file:/etc/nets -> drop')
        self.assertIn('entry 1: /etc/nets: line 2: is no CIDR', said)
        self.assertNotIn('secret', said)
        self.assertIn('/etc/nonexistent', self.refusal('domain-file:/etc/nonexistent -> drop'))


if __name__ == '__main__':
    tap.main()
