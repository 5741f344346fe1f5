#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QUIC client and a QUIC server, with proxies that carry datagrams and that do not."""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, plan, tap  # noqa: E402

PORT, WWW, PAGE = 443, '/run/lab/www', 'a page of 20 KiB\n' * 1200
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), 't2plab', 'quicfetch.py')
KEY, CERTIFICATE = f'{plan.TLS}/server.key', f'{plan.TLS}/server.pem'


class Quic(LabCase):
    options = {'proxies': ('danted', 'microsocks-open', 'stunnel-danted')}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.write(f'{WWW}/page', PAGE)
        srv = cls.lab.netns('srv')
        srv.start(['gtlsserver', '-q', '-d', WWW, '*', PORT, KEY, CERTIFICATE], name='quic-server')
        srv.start(['sh', '-c', f'cd {WWW} && exec openssl s_server -quiet -WWW -accept {PORT} '
                   f'-key {KEY} -cert {CERTIFICATE}'], name='tls-server')
        for kind in ('-u', '-t'):
            cls.lab.wait_for(lambda kind=kind: srv.run(
                ['ss', '-Hln', kind, f'sport = :{PORT}']).stdout, what='the servers')

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.service.__exit__, None)

    def fetch(self, host):
        said = self.lab.run(['/usr/bin/python3', '-B', PROGRAM, host, PORT, '/page']).stdout
        told = json.loads(said)
        self.assertEqual(told['page'], PAGE)
        return told

    def test_direct(self):
        """the client fetches by QUIC without a tunnel"""
        self.assertEqual(self.fetch(plan.SERVER4)['how'], 'quic')

    def test_through(self):
        """a proxy with UDP carries QUIC, by IPv4, IPv6 and name"""
        tunnel = self.service.create('work', plan.DANTED_URI, capture='default')
        for host in (plan.SERVER4, plan.SERVER6, 'www.example'):
            self.assertEqual(self.fetch(host)['how'], 'quic', host)
        self.assertGreater(tunnel.statistics()['udp-flows'], 0)

    def test_falls_back(self):
        """a proxy without UDP: QUIC is refused within a second, the page comes by TCP"""
        self.service.create('work', f'socks5://{plan.PROXY4}:{plan.PORTS["microsocks-open"]}',
                            capture='default')
        for host in (plan.SERVER4, plan.SERVER6, 'www.example'):
            told = self.fetch(host)
            self.assertEqual(told['how'], 'tcp', host)
            self.assertLess(told['refused'], 1)


if __name__ == '__main__':
    tap.main()
