#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names: each mode with real proxies and a real name server behind them."""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, plan, tap  # noqa: E402

CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 't2plab', 'dnsclient.py')
# An address that is nobody's: port 53 of any destination in the tunnel is answered.
ANY = '192.0.2.1'


class DnsCase(LabCase):
    options = {'resolved': False}

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.service.__exit__, None)

    def tunnel(self, dns, proxy=plan.DANTED_URI, **settings):
        settings = {'dns_servers': [plan.SERVER4], 'capture': 'default', 'scope': 'system',
                    **settings}
        return self.service.create('work', proxy, dns=dns, **settings)

    def ask(self, *questions, server=ANY, mode=()):
        said = self.lab.run(['/usr/bin/python3', '-B', CLIENT, server, *mode],
                            input='\n'.join(questions), timeout=120).stdout
        return json.loads(said)

    def ask_one(self, question, **kwargs):
        return self.ask(question, **kwargs)[0]

    def seen(self):
        """What the name server was asked since the last time: names."""
        log = self.lab.log('server-dns')
        new, self.mark = log[getattr(self, 'mark', 0):], len(log)
        return [line.split(' query')[1].split()[1] for line in new.splitlines()
                if ' query[' in line]


class Tcp(DnsCase):
    def test_types(self):
        """tcp: every type comes from the name server behind the proxy"""
        self.tunnel('tcp')
        answers = self.ask('www.example A', 'www.example AAAA', 'nothing.test A')
        self.assertEqual([a['code'] for a in answers], ['NOERROR', 'NOERROR', 'NXDOMAIN'])
        self.assertEqual(answers[0]['answers'][0][3], plan.SERVER4)
        self.assertEqual(answers[1]['answers'][0][3], plan.SERVER6)


if __name__ == '__main__':
    tap.main()
