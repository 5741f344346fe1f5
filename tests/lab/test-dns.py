#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names: each mode with real proxies, and real name servers behind them."""
import ipaddress
import json
import os
import re
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, plan, tap  # noqa: E402
from t2plab.nameserver import NOBODY, NameServer  # noqa: E402

CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 't2plab', 'dnsclient.py')
# An address that is nobody's: port 53 of any destination in the tunnel is answered.
ANY, ANY6 = '192.0.2.1', '2001:db8:2::1'
COUNT, RATE = 10000, 1000


class DnsCase(LabCase):
    options = {'resolved': False}

    def setUp(self):
        self.server = NameServer(self.lab).__enter__()
        self.addCleanup(self.server.__exit__)
        self.service = Service(self.lab).start()
        self.addCleanup(self.service.__exit__, None)
        self.lab.netns('wan').run('nft -f -', input=f'''
            table inet names {{
                counter n-udp {{ }}
                counter n-tcp {{ }}
                chain in {{
                    type filter hook input priority 0;
                    iifname "px0" udp dport 53 counter name "n-udp"
                    iifname "px0" tcp dport 53 tcp flags syn counter name "n-tcp"
                }}
            }}''')
        self.addCleanup(self.lab.netns('wan').run, 'nft delete table inet names')

    def tunnel(self, dns, proxy=plan.DANTED_URI, name='work', **settings):
        settings = {'dns_servers': [self.server.address], 'capture': 'default',
                    'scope': 'system', **settings}
        return self.service.create(name, proxy, dns=dns, **settings)

    def ask(self, *questions, server=ANY, mode=(), timeout=60):
        said = self.lab.run(['/usr/bin/python3', '-B', CLIENT, server, *mode],
                            input='\n'.join(questions) + '\n', timeout=timeout).stdout
        return json.loads(said)

    def ask_one(self, question, **kwargs):
        return self.ask(question, **kwargs)[0]

    def data(self, question, **kwargs):
        return [record[3] for record in self.ask_one(question, **kwargs)['answers']]

    def asked_by(self, transport):
        """Datagrams, or connections, from the proxies to the name servers since the last time."""
        said = self.lab.netns('wan').run(f'nft reset counter inet names n-{transport}').stdout
        return int(re.search(r'packets (\d+)', said)[1])

    def watch_uplink(self):
        """Counts what goes to name servers by the uplink: ours, which are marked, and others'."""
        mark = re.search(r'fwmark (0x[0-9a-f]+)', self.lab.run('ip rule').stdout)[1]
        self.lab.run('nft -f -', input=f'''
            table inet leaks {{
                counter ours {{ }}
                counter others {{ }}
                chain out {{
                    type filter hook output priority 300;
                    oifname "{plan.UPLINK}" meta l4proto {{ tcp, udp }} th dport {{ 53, 853 }} jump told
                }}
                chain told {{
                    meta mark {mark} counter name ours
                    meta mark != {mark} counter name others
                }}
            }}''')
        self.addCleanup(self.lab.run, 'nft delete table inet leaks')

    def left_by_uplink(self, whose):
        said = self.lab.run(f'nft reset counter inet leaks {whose}').stdout
        return int(re.search(r'packets (\d+)', said)[1])

    def check_types(self):
        self.assertEqual(self.data('www.names.test A'), [plan.SERVER4])
        self.assertEqual(self.data('WWW.Names.test A tcp'), [plan.SERVER4])
        self.assertEqual(self.data('www.names.test AAAA', server=ANY6), [plan.SERVER6])
        self.assertEqual(self.data('names.test MX'), ['10 mail.names.test'])
        self.assertEqual(len(self.data('_ldap._tcp.names.test SRV')), 1)
        self.assertEqual(self.data('9.113.0.203.in-addr.arpa PTR'), ['www.names.test'])
        missing = self.ask_one('missing.names.test A')
        self.assertEqual((missing['code'], missing['authority'][0][1]), ('NXDOMAIN', 'SOA'))
        self.assertEqual(self.ask_one('www.names.test HTTPS')['code'], 'NOERROR')

    def check_big(self):
        """An answer of 13 KB: cut for datagrams, however large, and whole over TCP."""
        for size in ('', 'edns=1232', 'edns=4096'):
            cut = self.ask_one(f'big.names.test TXT {size}')
            self.assertTrue(cut['truncated'])
            self.assertEqual((cut['answers'], cut['edns']), ([], bool(size)))
            self.assertLessEqual(cut['bytes'], 1232)
            whole = self.ask_one(f'big.names.test TXT tcp {size}')
            self.assertFalse(whole['truncated'])
            self.assertEqual(sorted(text[:3] for *_, text in whole['answers']),
                             [f'{number:03}' for number in range(60)])


class Tcp(DnsCase):
    def test_types(self):
        """tcp: every type comes from the name server, over one connection by the proxy"""
        for proxy in (plan.DANTED_URI, plan.MICROSOCKS_URI):
            tunnel = self.tunnel('tcp', proxy)
            self.asked_by('tcp'), self.asked_by('udp'), self.server.seen()
            self.check_types()
            self.assertEqual((self.asked_by('tcp'), self.asked_by('udp')), (1, 0), proxy)
            self.assertEqual({source for source, *_ in self.server.seen()},
                             {plan.PX_ROUTER4.rsplit('.', 1)[0] + '.2'})
            self.assertGreater(tunnel.statistics()['dns-queries'], 7)
            tunnel.delete()

    def test_big(self):
        """tcp: a long answer is cut for a datagram and whole over TCP, with EDNS or without"""
        self.tunnel('tcp')
        self.check_big()

    def test_kept(self):
        """tcp: an answer is kept for its time, for everybody, a negative one by its SOA"""
        tunnel = self.tunnel('tcp')
        for question in ('www.names.test A', 'missing.names.test A'):
            self.server.seen()
            first = self.ask_one(question)
            again = self.ask_one(question.replace('names', 'NAMES'))
            self.assertEqual(len(self.server.seen()), 1)
            self.assertEqual(first['code'], again['code'])
            records = again['answers'] or again['authority']
            self.assertLessEqual(records[0][2], 300)
        self.assertEqual(tunnel.statistics()['dns-cache-hits'], 2)
        self.assertEqual(self.ask_one('brief.names.test A')['answers'][0][2], 3)
        self.lab.sh('sleep 1.2')
        self.assertLess(self.ask_one('brief.names.test A')['answers'][0][2], 3)
        self.lab.sh('sleep 2')
        self.server.seen()
        self.assertEqual(self.ask_one('brief.names.test A')['answers'][0][2], 3)
        self.assertEqual(len(self.server.seen()), 1)

    def test_any_order(self):
        """tcp: a slow question holds up none behind it, on either connection"""
        self.tunnel('tcp')
        answers = self.ask('never.slow.example A', 'www.names.test A', 'names.test MX',
                           mode=['--pipelined'])
        self.assertEqual([answer['asked'] for answer in answers][2], 'never.slow.example A')
        self.assertEqual([answer['code'] for answer in answers], ['NOERROR', 'NOERROR', 'SERVFAIL'])

    def test_silence(self):
        """tcp: SERVFAIL after five seconds when nobody answers"""
        self.tunnel('tcp')
        answer = self.ask_one('never.slow.example A')
        self.assertEqual(answer['code'], 'SERVFAIL')
        self.assertTrue(4 < answer['seconds'] < 6, answer['seconds'])

    def test_dead_server(self):
        """tcp: where one server is dead the next answers, and is asked first from then on"""
        self.tunnel('tcp', dns_servers=[NOBODY, self.server.address])
        first, *others = self.ask('www.names.test A', 'names.test MX', '_ldap._tcp.names.test SRV')
        self.assertEqual(first['code'], 'NOERROR')
        self.assertLess(first['seconds'], 4)
        for answer in others:
            self.assertEqual(answer['code'], 'NOERROR')
            self.assertLess(answer['seconds'], 0.5)

    def test_server_goes(self):
        """tcp: a server that is started anew is asked over another connection"""
        self.tunnel('tcp')
        self.assertEqual(self.data('www.names.test A'), [plan.SERVER4])
        self.server.__exit__()
        self.server.__enter__()
        self.assertEqual(self.data('names.test MX'), ['10 mail.names.test'])

    def test_stays_here(self):
        """tcp: private addresses, localhost and the canary are nobody's business"""
        self.tunnel('tcp')
        self.server.seen()
        answers = self.ask('1.1.168.192.in-addr.arpa PTR', 'localhost A', 'x.localhost AAAA',
                           'use-application-dns.net A')
        self.assertEqual([answer['code'] for answer in answers],
                         ['NOERROR', 'NOERROR', 'NOERROR', 'NXDOMAIN'])
        self.assertEqual(answers[1]['answers'][0][3], '127.0.0.1')
        self.assertEqual(answers[2]['answers'][0][3], '::1')
        self.assertEqual(self.server.seen(), [])

    def test_routes(self):
        """tcp: with capture=routes the responder is in reach, and the machine resolves by it"""
        self.tunnel('tcp', capture='routes', routes=[f'{plan.SERVER4}/32'])
        found = self.lab.run(['getent', 'ahostsv4', 'www.names.test']).stdout
        self.assertIn(plan.SERVER4, found)
        self.assertIn('www.names.test', [name for _, name, _ in self.server.seen()])

    def test_nothing_leaves(self):
        """tcp: nothing of it leaves by the uplink; excluded names do, as ours, of every type"""
        self.tunnel('tcp', dns_exclude=['lan.example'])
        self.watch_uplink()
        self.check_types()
        self.assertEqual((self.left_by_uplink('ours'), self.left_by_uplink('others')), (0, 0))
        mark = len(self.lab.log('router-dns'))
        self.server.seen()
        answers = self.ask('printer.lan.example A', '_ipp._tcp.lan.example SRV', 'printer A')
        self.assertEqual(answers[0]['answers'][0][3], plan.ROUTER4)
        self.assertEqual(answers[1]['code'], 'NOERROR')
        asked = re.findall(r'query\[(\S+)\] (\S+) from (\S+)', self.lab.log('router-dns')[mark:])
        self.assertLessEqual({('A', 'printer.lan.example'), ('SRV', '_ipp._tcp.lan.example'),
                              ('A', 'printer')}, {entry[:2] for entry in asked})
        self.assertGreater(self.left_by_uplink('ours'), 2)
        self.assertEqual((self.left_by_uplink('others'), self.server.seen()), (0, []))

    def test_load(self):
        """tcp: 10,000 different names, a thousand a second, are all answered"""
        self.tunnel('tcp')
        said = self.ask(mode=['--load', str(COUNT), str(RATE), 'load.test'], timeout=120)
        self.assertEqual((said['answered'], said['codes']), (COUNT, {'NOERROR': COUNT}), said)


class Udp(DnsCase):
    def test_types(self):
        """udp: every type comes from the name server, by datagrams"""
        self.tunnel('udp')
        self.asked_by('udp'), self.asked_by('tcp')
        self.check_types()
        self.assertGreaterEqual(self.asked_by('udp'), 7)
        self.assertEqual(self.asked_by('tcp'), 0)

    def test_big(self):
        """udp: what does not fit into a datagram is fetched over TCP"""
        self.tunnel('udp')
        self.asked_by('tcp')
        self.check_big()
        self.assertEqual(self.asked_by('tcp'), 1)

    def test_without_udp(self):
        """udp: by a proxy without UDP all is asked over TCP, without delay"""
        self.tunnel('udp', plan.MICROSOCKS_URI)
        self.check_types()
        self.assertEqual(self.asked_by('udp'), 0)
        answer = self.ask_one('brief.names.test A')
        self.assertLess(answer['seconds'], 0.5)

    def test_dead_server(self):
        """udp: where one server is dead the next answers"""
        self.tunnel('udp', dns_servers=[NOBODY, self.server.address])
        first, second = self.ask('www.names.test A', 'names.test MX')
        self.assertEqual((first['code'], second['code']), ('NOERROR', 'NOERROR'))
        self.assertLess(first['seconds'], 3)
        self.assertLess(second['seconds'], 0.5)

    def test_load(self):
        """udp: 10,000 different names, a thousand a second, are all answered"""
        self.tunnel('udp')
        said = self.ask(mode=['--load', str(COUNT), str(RATE), 'load.test'], timeout=120)
        self.assertEqual((said['answered'], said['codes']), (COUNT, {'NOERROR': COUNT}), said)


class Resolved(DnsCase):
    options = {'resolved': True}

    def test_tcp(self):
        """tcp: systemd-resolved sends everything to the tunnel, and nothing by the uplink"""
        tunnel = self.tunnel('tcp')
        self.assertIn('~.', self.lab.run(['resolvectl', 'domain', tunnel.interface]).stdout)
        self.watch_uplink()
        found = self.lab.run(['getent', 'ahosts', 'www.names.test']).stdout
        self.assertIn(plan.SERVER4, found)
        self.assertIn(plan.SERVER6, found)
        # resolved's own queries to the uplink's servers for its search domain are not among them
        self.assertEqual((self.left_by_uplink('ours'), self.left_by_uplink('others')), (0, 0))
        self.assertIn('www.names.test', [name for _, name, _ in self.server.seen()])

    def test_domains(self):
        """tcp: with dns-domains only these names are asked for through the tunnel"""
        self.tunnel('tcp', capture='none', dns_domains=['names.test'])
        self.server.seen()
        self.lab.run(['getent', 'ahosts', 'www.names.test'])
        self.lab.run(['getent', 'ahosts', 'www.example'])
        names = [name for _, name, _ in self.server.seen()]
        self.assertIn('www.names.test', names)
        self.assertNotIn('www.example', names)


class Virtual(DnsCase):
    def addresses(self, *names):
        return {name: answer['answers'][0][3] for name, answer
                in zip(names, self.ask(*[f'{name} A' for name in names]))}

    def test_types(self):
        """virtual: addresses are ours, HTTPS is empty, other types are the name server's"""
        self.tunnel('virtual')
        self.server.seen()
        a, aaaa, https = self.ask('www.names.test A', 'www.names.test AAAA', 'www.names.test HTTPS')
        address = ipaddress.ip_address(a['answers'][0][3])
        self.assertIn(address, ipaddress.ip_network('198.18.0.0/15'))
        self.assertTrue(ipaddress.ip_address(aaaa['answers'][0][3]).is_private)
        self.assertEqual((https['code'], https['answers']), ('NOERROR', []))
        self.assertEqual(self.data(f'{address.reverse_pointer} PTR'), ['www.names.test'])
        self.assertEqual(self.server.seen(), [])
        self.assertEqual(self.data('names.test MX'), ['10 mail.names.test'])
        self.assertEqual(self.data('9.113.0.203.in-addr.arpa PTR'), ['www.names.test'])
        absent = self.ask_one('missing.names.test TXT')
        self.assertEqual((absent['code'], absent['answers']), ('NOERROR', []))
        self.check_big()

    def test_no_servers(self):
        """virtual: without a name server other types are empty, and nobody waits twice"""
        self.tunnel('virtual', dns_servers=[NOBODY])
        first, again = self.ask('names.test MX', 'other.test TXT')
        self.assertEqual((first['code'], again['code']), ('NOERROR', 'NOERROR'))
        self.assertLess(again['seconds'], 0.5)
        self.assertEqual(self.ask_one('www.names.test A')['code'], 'NOERROR')

    def test_order(self):
        """virtual: over one TCP connection what is known overtakes what is asked for"""
        self.tunnel('virtual')
        answers = self.ask('never.slow.example TXT', 'a.example A', 'names.test MX', 'b.example AAAA',
                           mode=['--pipelined'])
        self.assertEqual([answer['asked'] for answer in answers][0], 'a.example A')
        self.assertEqual([answer['asked'] for answer in answers][3], 'never.slow.example TXT')

    def test_worker_dies(self):
        """virtual: a worker that is killed leaves its addresses to the next, for the same names"""
        tunnel = self.tunnel('virtual')
        names = ['www.example', *(f'n{number}.example' for number in range(50))]
        before = self.addresses(*names)
        old = self.service.workers()
        os.kill(old[0], signal.SIGKILL)
        self.lab.wait_for(lambda: self.service.workers() not in ([], old), timeout=20,
                          what='another worker')
        self.service.wait_state(tunnel, 'active')
        # an application that knows the address already asks nobody
        fetch = ['curl', '-sS', '-m', '10', f'http://{before["www.example"]}/ip']
        self.assertIn(self.lab.run(fetch).stdout.strip(), (plan.PROXY4, plan.PROXY6))
        fresh = self.addresses('fresh.example')['fresh.example']
        self.assertNotIn(fresh, before.values())
        self.assertEqual(self.addresses(*names), before)

    def test_two_tunnels(self):
        """virtual: two tunnels at once give out addresses of different pools"""
        tunnels = [self.tunnel('virtual', name=name, capture='none', scope='user')
                   for name in ('first', 'second')]
        pools = []
        for tunnel in tunnels:
            responder = self.beside(tunnel.interface)
            found = self.data('www.example A', server=responder)
            pools.append(ipaddress.ip_network(f'{found[0]}/18', strict=False))
            self.assertIn(ipaddress.ip_address(responder), pools[-1])
        self.assertFalse(pools[0].overlaps(pools[1]), pools)

    def beside(self, interface):
        """The responder: the address behind the tunnel's own."""
        said = json.loads(self.lab.run(f'ip -j -4 address show dev {interface}').stdout)
        return str(ipaddress.ip_address(said[0]['addr_info'][0]['local']) + 1)


if __name__ == '__main__':
    tap.main()
