#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names, of every kind and by every way that programs have, in a network whose DHCP server gives
`com` as a search domain and routes to everything: which of them the wire shows, and who sent them."""
import contextlib
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, Wire, plan, tap  # noqa: E402

DNS_PORTS = (53, 853)
# What programs look up, and what of its name would be seen. Nobody has told the tunnel of these.
SECRETS = {
    'a public name': ('secret-public.bulk.example', 'secret-public'),
    'a name below a search domain of one label': ('secret-hostile.com', 'secret-hostile'),
    'a single label, which LLMNR is asked for, too': ('secretlabel', 'secretlabel'),
    'an IPv4 address': (plan.SERVER4, '113.0.203.in-addr'),
    'an IPv6 address': (plan.SERVER6, '3.1.1.0.8.b.d.0'),
}
# Those that `dns-exclude` has: the uplink's own domain, and, where mDNS does not answer, its names.
EXCLUDED, MDNS_NAME = 'excluded-host.lan.example', 'excluded-host.local'
HOSTILE = ['--dhcp-option=option:domain-search,com,lan.example',
           f'--dhcp-option=121,0.0.0.0/1,{plan.ROUTER4},128.0.0.0/1,{plan.ROUTER4},'
           f'0.0.0.0/0,{plan.ROUTER4}']
WATCH = '''table inet watch {{
    counter strangers {{ }}
    counter ours {{ }}
    chain out {{
        type filter hook postrouting priority 300;
        oifname "{uplink}" meta l4proto {{ tcp, udp }} th dport {{ 53, 853 }} jump who
    }}
    chain who {{
        meta mark {mark} counter name ours return
        counter name strangers
    }}
}}'''


class DnsLeaks(LabCase):
    options = {'nm': True, 'resolved': True, 'proxies': ('danted',)}
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lab = cls.lab
        lab.write('/etc/systemd/resolved.conf.d/lab.conf',
                  '[Resolve]\nFallbackDNS=\nDNSSEC=no\nMulticastDNS=yes\nLLMNR=yes\n')
        lab.restart('resolved')
        known = json.loads(lab.read('/run/lab/router-dns.json'))
        argv = [word for word in known['argv'] if 'domain-search' not in word] + HOSTILE
        lab.halt('router-dns')
        lab.write('/run/lab/router-dns.json', json.dumps({**known, 'argv': argv}))
        lab.resume('router-dns')
        lab.wait_for(lambda: lab.netns('wan').run(['ss', '-Hlun', 'sport = :67']).stdout)
        lab.run('nmcli con modify lan connection.llmnr yes connection.mdns yes')
        lab.run('nmcli con up lan')
        lab.wait_for(lambda: 'via fe80' in lab.run('ip -6 route').stdout)
        lab.wait_for(lambda: '0.0.0.0/1 via' in lab.run('ip route').stdout)
        lab.wait_for(lambda: ' com' in lab.run('resolvectl domain eth0').stdout)

    def setUp(self):
        self.cleanup = contextlib.ExitStack()
        self.addCleanup(self.cleanup.close)
        self.lab.run('resolvectl flush-caches')
        self.wire = self.cleanup.enter_context(Wire(self.lab))

    def look_up(self, name):
        way = 'hosts' if name in (plan.SERVER4, plan.SERVER6) else 'ahosts'  # both families
        self.lab.run(['timeout', '3', 'getent', way, name], check=False)

    def seen(self):
        """Names that were asked for on the wire since the last time."""
        return {row['name'] for row in self.wire.since_last() if row['port'] in DNS_PORTS}

    def shown(self):
        """Which of the secrets can be told from the wire."""
        shown = set()
        for what, (name, sign) in SECRETS.items():
            self.look_up(name)
            if any(sign in asked for asked in self.seen()):
                shown.add(what)
        return shown

    def up(self, **settings):
        service = self.cleanup.enter_context(Service(self.lab))
        tunnel = service.create('work', plan.DANTED_URI, capture='default', scope='system',
                                **settings)
        self.cleanup.callback(tunnel.delete)
        mark = re.search(r'fwmark (0x[0-9a-f]+)', self.lab.run('ip rule').stdout)[1]
        self.lab.run('nft -f -', input=WATCH.format(uplink=plan.UPLINK, mark=mark))
        self.cleanup.callback(self.lab.run, 'nft delete table inet watch')
        self.assert_watched()
        self.wire.since_last()

    def count(self, who):
        said = self.lab.run(f'nft list counter inet watch {who}').stdout
        return int(re.search(r'packets (\d+)', said)[1])

    def assert_watched(self):
        """The watch for strangers sees one that is bound to the uplink."""
        ask = ('import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); '
               's.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0"); '
               f's.sendto(b"x" * 20, ("{plan.ROUTER4}", 53))')
        self.lab.run(['/usr/bin/python3', '-c', ask])
        self.assertGreater(self.count('strangers'), 0)
        self.lab.run('nft reset counter inet watch strangers')

    def test_a_seen(self):
        """without a tunnel the wire shows every name, the network having asked for them"""
        shown = self.shown()
        self.assertEqual(shown | {name for name in SECRETS if 'LLMNR' in name}, set(SECRETS))
        self.look_up(EXCLUDED)
        self.assertIn(EXCLUDED, self.seen())

    def test_b_virtual(self):
        """with one it shows none, and no packet to a name server is anybody's but ours"""
        self.up()
        self.assertEqual(self.shown(), set())
        self.assertEqual(self.count('strangers'), 0)
        self.look_up(EXCLUDED)
        self.assertIn(EXCLUDED, self.seen())
        self.look_up(MDNS_NAME)
        self.assertGreater(self.count('ours'), 0)
        self.assertEqual(self.count('strangers'), 0)

    def test_c_by_tcp(self):
        """the same where names are asked of name servers behind the proxy"""
        self.up(dns='tcp', dns_servers=[plan.SERVER4])
        self.assertEqual(self.shown(), set())
        self.assertEqual(self.count('strangers'), 0)


if __name__ == '__main__':
    tap.main()
