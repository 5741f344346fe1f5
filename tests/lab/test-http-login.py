#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTTP proxies: logging in by a Kerberos ticket, and by one nonce for many connections; what a
connection over TLS costs."""
import collections
import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, plan, tap  # noqa: E402
from t2plab.bus import BusError  # noqa: E402

URL = f'http://{plan.SERVER4}/ip'
PRINCIPAL = f'{plan.PROXY_USER}%40{plan.REALM}'
KNOWN_AS = f'{plan.PROXY_USER}@{plan.REALM}'
KDC = f'{plan.PROXY4}:88'
IDLE_BYTES = 24 * 1024
CONNECTIONS = 150  # squid takes a nonce 50 times


class LoginCase(LabCase):
    server = ''

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)
        self.lab.sh(f': > /run/lab/{self.server}/access.log')

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.service.__exit__(None)

    def fetch(self, n=1):
        """n connections, ten at a time; by which address the server saw them."""
        script = f'seq {n} | xargs -P 10 -I@ curl -sS -m 20 -w "\\n" {URL}'
        return collections.Counter(self.lab.sh(script, timeout=90).stdout.split())

    def logged(self):
        """How often squid said what to whom."""
        rows = [line.split() for line in
                self.lab.read(f'/run/lab/{self.server}/access.log').splitlines()]
        return collections.Counter((row[3].partition('/')[2], row[7]) for row in rows)


class Kerberos(LoginCase):
    server = 'squid-negotiate'
    options = {'proxies': [server]}

    def uri(self, login=f'{PRINCIPAL}:{plan.PROXY_PASSWORD}', kdc=KDC, auth='&auth=negotiate'):
        return f'http://{login}@proxy.example:{plan.PORTS[self.server]}?kdc={kdc}{auth}'

    def test_ticket(self):
        """squid knows by a ticket who each connection is, and never has to ask"""
        for auth in ('&auth=negotiate', ''):
            with self.subTest(auth):
                self.lab.sh(f': > /run/lab/{self.server}/access.log')
                tunnel = self.service.create('work', self.uri(auth=auth), capture='default')
                self.assertEqual(self.fetch(20), {plan.PROXY4: 20})
                tunnel.delete()
                self.lab.wait_for(lambda: self.logged()['200', KNOWN_AS] >= 20)
                self.assertNotIn('407', {status for status, _ in self.logged()})

    def test_replaced(self):
        """a worker that is replaced while everything is captured gets a ticket past the tunnel"""
        tunnel = self.service.create('work', self.uri(), capture='default')
        os.kill(self.service.workers()[0], 9)
        self.service.wait_state(tunnel, 'degraded')
        self.service.wait_state(tunnel, 'active')
        self.assertEqual(self.fetch(), {plan.PROXY4: 1})

    def allow(self, duration):
        self.lab.run(['kadmin.local', '-r', plan.REALM, '-q',
                      f'modprinc -maxlife "{duration}" HTTP/proxy.example'],
                     env={'KRB5_KDC_PROFILE': '/run/lab/krb5/kdc.conf'})

    def tickets(self):
        """Of squid's service, that the centre has made."""
        issued = re.compile(r'TGS_REQ .* ISSUE: .* for HTTP/proxy\.example')
        return len(issued.findall(self.lab.read('/run/lab/krb5/kdc.log')))

    def test_short_tickets(self):
        """a ticket that the centre makes short is used, and replaced before it has expired"""
        self.addCleanup(self.allow, '1 day')
        for duration in ('62 sec', '30 sec'):
            with self.subTest(duration):
                self.allow(duration)
                self.lab.sh(f': > /run/lab/{self.server}/access.log')
                tunnel = self.service.create('work', self.uri(), capture='default')
                self.assertEqual(self.fetch(), {plan.PROXY4: 1})
                time.sleep(3)
                before = self.tickets()
                self.assertEqual(self.fetch(), {plan.PROXY4: 1})
                self.assertGreater(self.tickets(), before)
                tunnel.delete()
                self.lab.wait_for(lambda: self.logged()['200', KNOWN_AS] >= 2)
                self.assertNotIn('407', {status for status, _ in self.logged()})

    def test_told(self):
        """TestProxy tells that a ticket was taken"""
        told = self.service.call('TestProxy', 'sa{sv}', self.uri(), {})
        self.assertEqual((told['reachable'], told['connect'], told['auth'], told['message']),
                         (True, True, 'negotiate', ''))

    def refused(self, uri):
        with self.assertRaises(BusError) as refused:
            self.service.create('work', uri, capture='default', connect_timeout=4)
        self.assertNotIn('wrong', refused.exception.message)
        return refused.exception.name.rpartition('.')[2]

    def test_refused(self):
        """a wrong password, a stranger and a centre that is not there are told apart"""
        self.assertEqual(self.refused(self.uri(f'{PRINCIPAL}:wrong')),
                         'ProxyAuthenticationFailed')
        self.assertEqual(self.refused(self.uri(f'mallory%40{plan.REALM}:wrong')),
                         'ProxyAuthenticationFailed')
        self.assertEqual(self.refused(self.uri(kdc=f'{plan.PROXY4}:9')), 'ProxyUnreachable')


class Digest(LoginCase):
    server = 'squid-digest'
    options = {'proxies': [server]}

    def test_nonce(self):
        """a nonce serves many connections at once, and a stale one is no wrong password"""
        login = f'{plan.PROXY_USER}:{plan.PROXY_PASSWORD}'
        self.service.create('work', f'http://{login}@{plan.PROXY4}:{plan.PORTS[self.server]}',
                            capture='default')
        self.assertEqual(self.fetch(CONNECTIONS), {plan.PROXY4: CONNECTIONS})
        self.lab.wait_for(lambda: self.logged()['200', plan.PROXY_USER] >= CONNECTIONS)
        challenges = sum(n for (status, _), n in self.logged().items() if status == '407')
        self.assertGreaterEqual(challenges, 2)
        self.assertLess(challenges, CONNECTIONS / 3)


class Tls(LabCase):
    options = {'proxies': ['squid-tls']}

    def rss(self, service):
        with open(f'/proc/{service.workers()[0]}/status', encoding='ascii') as status:
            return int(re.search(r'VmRSS:\s+(\d+) kB', status.read())[1]) * 1024

    def hold(self, n):
        """Connections that have carried something and are idle now."""
        holder = self.lab.start(['python3', '-c', f'''
import socket, time
held = []
for _ in range({n}):
    sock = socket.create_connection(("{plan.SERVER4}", {plan.ECHO}), 10)
    sock.sendall(b"x" * 30000)
    left = 30000
    while left:
        left -= len(sock.recv(left))
    held.append(sock)
print("held", flush=True)
time.sleep(1000)'''], name=f'holder-{n}')
        self.addCleanup(holder.kill)
        self.lab.wait_for(lambda: 'held' in holder.log(), 60)

    def test_idle(self):
        """an idle connection over TLS costs a worker less than 24 KiB"""
        uri = f'https://{plan.PROXY4}:{plan.PORTS["squid-tls"]}?tls-ca={plan.CA}'
        with Service(self.lab) as service:
            service.create('work', uri, capture='default')
            self.hold(50)
            before = self.rss(service)
            self.hold(500)
            each = (self.rss(service) - before) / 500
            print(f'# {each / 1024:.1f} KiB for each idle connection')
            self.assertLess(each, IDLE_BYTES)


if __name__ == '__main__':
    tap.main()
