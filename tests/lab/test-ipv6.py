#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`ipv6`: by what the proxy in use can, and what is refused is refused at once."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, changes, network_dump, plan, tap  # noqa: E402

V4_URL, V6_URL = f'http://{plan.SERVER4}/ip', f'http://[{plan.SERVER6}]/ip'
IPV4_ONLY = f'socks5://{plan.PROXY4}:{plan.PORTS["danted-ipv4"]}'


class Ipv6(LabCase):
    options = {'proxies': ['danted', 'danted-ipv4'], 'resolved': True}

    def setUp(self):
        self.before = network_dump(self.lab)
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.service.__exit__(None)

    def create(self, *proxies, **settings):
        return self.service.create('work', proxies, capture='default', **settings)

    def fetch(self, url):
        """Which address the server saw, or curl's status; seconds."""
        said = self.lab.run(['curl', '-sS', '-m', '8', '-w', r'\t%{exitcode}\t%{time_total}', url],
                            check=False).stdout
        seen, status, seconds = said.replace('\n', '').split('\t')
        return (seen if status == '0' else f'curl {status}'), float(seconds)

    def check_refused(self, tunnel):
        self.assertEqual(tunnel.details()['ipv6-mode'], 'reject')
        seen, seconds = self.fetch(V6_URL)
        self.assertEqual(seen, 'curl 7')  # could not connect
        self.assertLess(seconds, 1)
        self.assertEqual(self.fetch(V4_URL)[0], plan.PROXY4)
        found = self.lab.run(['getent', 'ahostsv6', 'www.example'], check=False).stdout
        self.assertNotIn('2001:', found)
        self.assertNotIn('fd', found)
        self.assertIn(self.fetch('http://www.example/ip')[0], (plan.PROXY4, plan.PROXY6))

    def check_carried(self, tunnel):
        self.assertEqual(tunnel.details()['ipv6-mode'], 'on')
        self.assertEqual(self.fetch(V6_URL)[0], plan.PROXY6)

    def test_auto_both(self):
        """a proxy that connects to IPv6 is asked for it"""
        self.check_carried(self.create(plan.DANTED_URI))

    def test_auto_ipv4_only(self):
        """with a proxy that has no IPv6, IPv6 is refused at once, and no AAAA is answered"""
        self.check_refused(self.create(IPV4_ONLY))

    def test_on(self):
        """with ipv6=on a proxy that has no IPv6 is asked all the same"""
        tunnel = self.create(IPV4_ONLY, ipv6='on')
        self.assertEqual(tunnel.details()['ipv6-mode'], 'on')
        self.assertNotEqual(self.fetch(V6_URL)[0], plan.LAB6)

    def test_reject(self):
        """with ipv6=reject nothing but a refusal comes back, whatever the proxy can"""
        self.check_refused(self.create(plan.DANTED_URI, ipv6='reject'))

    def test_leave(self):
        """with ipv6=leave IPv6 goes its own way"""
        self.create(plan.DANTED_URI, ipv6='leave')
        self.assertEqual(self.fetch(V6_URL)[0], plan.LAB6)

    def test_follows_the_active(self):
        """when another proxy takes over, what it can decides, within a second or two"""
        with self.own_proxy() as first:
            tunnel = self.create(first.uri, plan.DANTED_URI, connect_timeout=3)
            self.check_refused(tunnel)
        self.assertEqual(self.fetch(V4_URL)[0], plan.PROXY4)  # meets the one that is gone
        self.lab.wait_for(lambda: tunnel.details()['ipv6-mode'] == 'on', 5)
        self.lab.wait_for(lambda: self.fetch(V6_URL)[0] == plan.PROXY6, 5)

    def test_follows_a_restart(self):
        """a proxy that comes back with IPv6 is asked for it again"""
        first = self.own_proxy()
        with first:
            tunnel = self.create(first.uri, connect_timeout=2)
            self.check_refused(tunnel)
        self.fetch(V4_URL)
        self.service.wait_state(tunnel, 'degraded')
        with self.own_proxy(both=True):
            self.service.wait_state(tunnel, 'active', timeout=40)
            self.lab.wait_for(lambda: tunnel.details()['ipv6-mode'] == 'on', 5)
            self.check_carried(tunnel)

    def own_proxy(self, both=False):
        return OwnDanted(self.lab, both)


class OwnDanted:
    """A danted that comes and goes."""
    PORT = 1086
    uri = f'socks5://{plan.PROXY4}:{PORT}'

    def __init__(self, lab, both):
        self.lab, self.external = lab, 'eth0' if both else plan.PROXY4

    def __enter__(self):
        conf = self.lab.read('/run/lab/danted.conf').replace(f'port = {plan.DANTED}',
                                                            f'port = {self.PORT}')
        self.lab.write('/run/lab/own.conf', conf.replace('external: eth0',
                                                         f'external: {self.external}'))
        self.process = self.lab.start(['danted', '-f', '/run/lab/own.conf'], name='own-danted',
                                      netns='px')
        self.lab.wait_for(lambda: self.lab.netns('px').run(
            ['bash', '-c', f'echo > /dev/tcp/{plan.PROXY4}/{self.PORT}'],
            check=False).returncode == 0, 5)
        return self

    def __exit__(self, *_):
        self.process.stop()


if __name__ == '__main__':
    tap.main()
