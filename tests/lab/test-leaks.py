#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a machine asks of name servers while everything is captured: nothing of it by the uplink."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, plan, tap  # noqa: E402

# A query, sent by the uplink whatever the routes say: argv is device, server, transport.
ASK_BY = '''
import socket, sys
device, server, transport = sys.argv[1:]
family = socket.AF_INET6 if ':' in server else socket.AF_INET
sock = socket.socket(family, socket.SOCK_STREAM if transport == 'tcp' else socket.SOCK_DGRAM)
if device:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
sock.settimeout(3)
try:
    sock.connect((server, 853 if transport == 'tcp' else 53))
    sock.send(b'\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4leak\\7example\\0\\0\\1\\0\\1')
    sock.recv(512)
except OSError:
    pass
'''
# Names, and the way an application looks them up: both families, by the machine's resolver.
LOOK_UPS = {
    'a public name': ['secret-public.bulk.example'],
    'a single label': ['secret-label'],
    'an address': [plan.SERVER4, plan.SERVER6],
}


class Leaks(LabCase):
    options = {'resolved': True}

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.service.__exit__, None)
        self.service.create('work', plan.DANTED_URI, capture='default', scope='system')
        mark = re.search(r'fwmark (0x[0-9a-f]+)', self.lab.run('ip rule').stdout)[1]
        self.lab.run('nft -f -', input=f'''
            table inet leaks {{
                counter seen {{ }}
                chain out {{
                    type filter hook output priority 300;
                    oifname "{plan.UPLINK}" meta l4proto {{ tcp, udp }} th dport {{ 53, 853 }} meta mark != {mark} counter name seen
                }}
            }}''')
        self.addCleanup(self.lab.run, 'nft delete table inet leaks')
        self.assert_seen()

    def leaked(self):
        """Packets to a name server by the uplink that are not our own, since the last time."""
        said = self.lab.run('nft reset counter inet leaks seen').stdout
        return int(re.search(r'packets (\d+)', said)[1])

    def ask_by(self, device, server, transport):
        self.lab.run(['/usr/bin/python3', '-c', ASK_BY, device, server, transport])

    def assert_seen(self):
        """The watch sees a query that leaves by the uplink, both families and transports."""
        for server in (plan.ROUTER4, plan.ROUTER6):
            for transport in ('udp', 'tcp'):
                self.ask_by(plan.UPLINK, server, transport)
                self.assertGreater(self.leaked(), 0, (server, transport))

    def test_look_ups(self):
        """no query for a public name, a single label or an address leaves by the uplink"""
        self.lab.run('resolvectl flush-caches')
        self.leaked()
        seen = {}
        for what, names in LOOK_UPS.items():
            for name in names:
                for way in ('ahostsv4', 'ahostsv6', 'hosts'):
                    self.lab.run(['getent', way, name], check=False)
            seen[what] = self.leaked()
        self.assertEqual(seen, dict.fromkeys(LOOK_UPS, 0))

    def test_search_domain(self):
        """a name of the uplink's search domain is asked of the uplink's own server alone"""
        mark = len(self.lab.log('router-dns'))
        self.lab.run(['getent', 'ahosts', 'secret-host.lan.example'])
        asked = re.findall(r'query\S+ secret-host.lan.example from (\S+)',
                           self.lab.log('router-dns')[mark:])
        self.assertGreater(len(asked), 0)
        self.assertLessEqual(set(asked), {plan.LAB4, plan.LAB6})

    def test_chosen_server(self):
        """a query to a server that the application chose goes into the tunnel, both families"""
        for server in (plan.SERVER4, plan.SERVER6):
            for transport in ('udp', 'tcp'):
                self.ask_by('', server, transport)
                self.assertEqual(self.leaked(), 0, (server, transport))


if __name__ == '__main__':
    tap.main()
