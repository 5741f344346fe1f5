#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each outbound with each real proxy: what applications see, what the tunnel and TestProxy tell.

A row of OUTBOUNDS is a test. Its subtests: the proxy reached by IPv4, IPv6 and name with the right
credentials, then with a wrong password and with none. In each, an application fetches from the
server's IPv4 and IPv6 address and by a name that only proxies know (where a proxy takes none: by one
that a name server reached through it knows), sends datagrams, and connects to a closed port.
"""
import dataclasses
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import BusError, LabCase, Service, plan, tap  # noqa: E402

CLOSED = 9
AT_ONCE = ('refused', 'reset', 'unreachable')
AT_ONCE_SECONDS = 1.5  # on a busy machine
RIGHT, WRONG = f'{plan.PROXY_USER}:{plan.PROXY_PASSWORD}@', f'{plan.PROXY_USER}:wrong@'
TRUSTS = f'?tls-ca={plan.CA}'
CERTIFIED = f'&tls-cert={plan.CLIENT_CERTIFICATE}&tls-key={plan.CLIENT_KEY}'
HOSTS = {'IPv4': plan.PROXY4, 'IPv6': f'[{plan.PROXY6}]', 'name': 'proxy.example'}
FETCHES = (plan.SERVER4, f'[{plan.SERVER6}]', plan.PROXY_ONLY_NAME)
SEEN_AS = ((plan.PROXY4,), (plan.PROXY6,), (plan.PROXY4, plan.PROXY6))


@dataclasses.dataclass
class Outbound:
    """What a scheme can do with a server."""
    scheme: str
    server: str
    auth: str = 'none'      # as TestProxy tells it
    ipv6: bool = True
    names: bool = True
    udp: str = 'none'
    query: str = ''
    hosts: tuple = ('IPv4', 'IPv6', 'name')
    by: str = ''            # the hop before it: its scheme and server

    @property
    def name(self):
        before = f'{self.by.replace(" ", " with ")} before ' if self.by else ''
        return f'{before}{self.scheme} with {self.server}'

    @property
    def known_name(self):
        return plan.PROXY_ONLY_NAME if self.names else 'v4.example'

    @property
    def login(self):
        return '' if self.auth == 'none' else RIGHT

    def uris(self, login):
        """By the way in which the proxy, or the first of a chain, is reached."""
        if self.server in plan.UNIX_PROXIES:
            path = f'unix:{plan.UNIX_SOCKETS}/{self.server}'
            return {'by path': f'{self.scheme}://{login}{path}{self.query}'}
        port = plan.PORTS[self.server]
        if not self.by:
            return {f'by {kind}': f'{self.scheme}://{login}{HOSTS[kind]}:{port}{self.query}'
                    for kind in self.hosts}
        scheme, first = self.by.split()
        return {f'by {kind}': f'{scheme}://{host}:{plan.PORTS[first]} | '
                f'{self.scheme}://{login}{HOSTS[kind]}:{port}{self.query}'
                for kind, host in HOSTS.items()}


OUTBOUNDS = (
    Outbound('socks5', 'danted', udp='associate'),
    Outbound('socks5', 'danted-password', auth='password', udp='associate'),
    Outbound('socks5', 'microsocks', auth='password'),
    Outbound('socks5', 'microsocks-open'),
    Outbound('socks5', 'ssh'),
    Outbound('socks5h', 'danted', udp='associate'),
    Outbound('socks5', 'unix-danted'),
    Outbound('socks5', 'unix-microsocks', auth='password'),
    Outbound('socks4', 'danted', ipv6=False, names=False),
    # ssh hangs up on what it cannot reach, without a word: a check needs an IPv4 address
    Outbound('socks4', 'ssh', ipv6=False, names=False, hosts=('IPv4', 'name')),
    Outbound('socks4a', 'ssh', ipv6=False),
    Outbound('http', 'squid'),
    Outbound('http', 'squid-basic', auth='basic'),
    Outbound('http', 'squid-digest', auth='digest'),
    Outbound('http', 'tinyproxy'),
    Outbound('http', 'tinyproxy-basic', auth='basic'),
    Outbound('http', 'unix-squid'),
    Outbound('https', 'squid-tls', query=TRUSTS),
    Outbound('https', 'squid-basic-tls', auth='basic', query=TRUSTS),
    Outbound('https', 'squid-digest-tls', auth='digest', query=TRUSTS),
    Outbound('https', 'haproxy-squid', query=TRUSTS),
    Outbound('https', 'haproxy-tinyproxy-basic', auth='basic', query=TRUSTS),
    Outbound('https', 'haproxy-certificate', query=TRUSTS + CERTIFIED),
    Outbound('socks5+tls', 'stunnel-danted', query=TRUSTS),
    Outbound('socks5+tls', 'stunnel-danted-password', auth='password', query=TRUSTS),
    Outbound('socks5+tls', 'stunnel-certificate', query=TRUSTS + CERTIFIED),
    Outbound('socks5', 'microsocks', auth='password', by='socks5 danted'),
    Outbound('socks5', 'danted', by='socks5 ssh'),
    Outbound('http', 'squid-digest', auth='digest', by='socks5 danted'),
    Outbound('socks4a', 'ssh', ipv6=False, by='http squid'),
    Outbound('socks5+tls', 'stunnel-danted', query=TRUSTS, by='http squid'),
)


class Matrix(LabCase):
    options = {'proxies': list(dict.fromkeys(
        server for row in OUTBOUNDS for server in (row.server, *row.by.split()[1:])))}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service = Service(cls.lab).start()

    @classmethod
    def tearDownClass(cls):
        try:
            cls.service.__exit__(None)
        finally:
            super().tearDownClass()

    def tearDown(self):
        for tunnel in self.service.list():
            tunnel.delete()

    def fetched(self, hosts=FETCHES):
        """By which address the server saw each fetch, or curl's error; seconds."""
        form = ['-w', r'|%{exitcode}|%{time_total}\n', '-m', '10']
        urls = [f'http://{host}/ip' for host in hosts]
        said = self.lab.run(['curl', '-sS', *form, *urls], check=False).stdout
        rows = re.findall(r'([^\n|]*)\n?\|(\d+)\|([\d.]+)\n', said)
        self.assertEqual(len(rows), len(hosts), said)
        return [(address if status == '0' else f'curl {status}', float(seconds))
                for address, status, seconds in rows]

    def check_fetches(self, row):
        hosts = (*FETCHES[:2], row.known_name)
        for host, yes, seen_as, (outcome, seconds) in zip(hosts, (True, row.ipv6, True), SEEN_AS,
                                                          self.fetched(hosts)):
            if yes:
                self.assertIn(outcome, seen_as, host)
            else:
                self.assertIn(outcome, ('curl 6', 'curl 7'), host)
                self.assertLess(seconds, AT_ONCE_SECONDS, host)

    def check_sockets(self, row):
        places = [f'{plan.SERVER4} {CLOSED}', f'{plan.SERVER6} {CLOSED}',
                  f'{plan.SERVER4} {plan.ECHO} udp', f'{plan.SERVER6} {plan.ECHO} udp',
                  f'{row.known_name} {plan.ECHO} udp']
        answers = self.lab.client('ask', 10.0, input=''.join(f'{place}\n' for place in places))
        for place, (outcome, seconds, data) in zip(places, answers):
            if place.endswith('udp') and row.udp != 'none':
                self.assertEqual((outcome, data), ('answered', place.removesuffix(' udp')))
            else:
                self.assertIn(outcome, AT_ONCE, place)
                self.assertLess(seconds, AT_ONCE_SECONDS, place)

    def check_told(self, row, uri):
        told = self.service.call('TestProxy', 'sa{sv}', uri, {})
        self.assertLess(told.pop('rtt-us'), 1000000)
        self.assertEqual(told, {'reachable': True, 'auth': row.auth, 'connect': True,
                                'names': row.names, 'ipv6': row.ipv6, 'udp': row.udp, 'error': '',
                                'message': ''})

    def check_carries(self, row, uri):
        tunnel = self.service.create('work', uri, capture='default', connect_timeout=4,
                                     dns_servers=[plan.SERVER4])
        details = tunnel.details()
        self.assertEqual(details['ipv6-mode'], 'on' if row.ipv6 else 'reject')
        self.assertEqual(details['udp-mode'], row.udp)
        self.check_fetches(row)
        self.check_sockets(row)
        self.assertEqual(tunnel.state, 'active')
        tunnel.delete()

    def check_refused(self, row, uri):
        """Of no use without the right password: said at once and by its name."""
        told = self.service.call('TestProxy', 'sa{sv}', uri, {})
        self.assertEqual((told['reachable'], told['connect'], told['error']),
                         (True, False, 'ProxyAuthenticationFailed'))
        self.assertEqual(told['auth'], row.auth)
        with self.assertRaises(BusError) as refused:
            self.service.create('work', uri, capture='default', connect_timeout=4)
        self.assertEqual(refused.exception.name,
                         'org.tun2proxy.Error.ProxyAuthenticationFailed')
        tunnel = self.service.create('work', uri, capture='default', options={'wait': False})
        self.service.wait_state(tunnel, 'failed')
        self.assertEqual(tunnel.prop('StateReason'), 'proxy-auth')

    def check(self, row):
        uris = row.uris(row.login)
        for kind, uri in uris.items():
            with self.subTest(kind):
                self.check_told(row, uri)
                self.check_carries(row, uri)
            self.tearDown()
        for kind, login in ((('wrong password', WRONG), ('no password', '')) if row.login else ()):
            with self.subTest(kind):
                self.check_refused(row, next(iter(row.uris(login).values())))
            self.tearDown()


    def test_tls_refused(self):
        """TLS: who cannot be verified, wants a certificate or speaks none is named so"""
        uri, front = 'socks5+tls://proxy.example:', plan.PORTS['stunnel-danted']
        cases = {
            'by the system alone': f'{uri}{front}',
            'by another authority': f'{uri}{front}?tls-ca={plan.OTHER_CA}',
            'by another name': f'{uri}{front}{TRUSTS}&tls-name=another.example',
            'without a certificate': f'{uri}{plan.PORTS["stunnel-certificate"]}{TRUSTS}',
            'no TLS there': f'{uri}{plan.DANTED}{TRUSTS}',
        }
        for name, uri in cases.items():
            errors = ['TlsFailed']
            if name == 'without a certificate':  # when the reset overtakes the alert
                errors.append('ProxyProtocol')
            with self.subTest(name):
                told = self.service.call('TestProxy', 'sa{sv}', uri, {})
                self.assertFalse(told['connect'])
                self.assertIn(told['error'], errors, told)
                with self.assertRaises(BusError) as refused:
                    self.service.create('work', uri, capture='default', connect_timeout=4)
                self.assertIn(refused.exception.name.rpartition('.')[2], errors)
            self.tearDown()

    def test_tls_trusted(self):
        """TLS: another name that the certificate has, or no verification, when asked for"""
        for host, query in ((plan.PROXY4, f'{TRUSTS}&tls-name=www.example'),
                            ('half-closed.example', '?tls-verify=no')):
            uri = f'socks5+tls://{host}:{plan.PORTS["stunnel-danted"]}{query}'
            self.service.create('work', uri, capture='default', connect_timeout=4)
            self.assertEqual(self.fetched()[0][0], plan.PROXY4)
            self.tearDown()

    def test_direct(self):
        """direct: the server sees the machine itself, the closed port is refused"""
        self.service.create('work', 'direct://', capture='default')
        self.assertEqual([outcome for outcome, _ in self.fetched((
            plan.SERVER4, f'[{plan.SERVER6}]', 'v4.example', 'v6.example'))],
            [plan.LAB4, plan.LAB6, plan.LAB4, plan.LAB6])
        self.assertEqual(self.lab.client('connect', plan.SERVER4, CLOSED)[0], 'refused')

    def test_reject(self):
        """reject: whatever an application tries is refused at once"""
        tunnel = self.service.create('work', 'reject://', capture='default')
        for outcome, seconds in self.fetched():
            self.assertEqual(outcome, 'curl 7')
            self.assertLess(seconds, AT_ONCE_SECONDS)
        self.assertEqual(tunnel.state, 'active')


def add_tests():
    for row in OUTBOUNDS:
        def test(self, row=row):
            self.check(row)
        test.__doc__ = row.name
        setattr(Matrix, 'test_' + re.sub('[^a-z0-9]+', '_', row.name), test)


add_tests()
if __name__ == '__main__':
    tap.main()
