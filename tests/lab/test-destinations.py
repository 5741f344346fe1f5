#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Any address and any port: the proxy is asked for exactly what the application asked for."""
import ipaddress
import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, StubProxy, tap  # noqa: E402


def public4(chance):
    while True:
        address = ipaddress.IPv4Address(chance.getrandbits(32))
        if address.is_global and not address.is_multicast:
            return str(address)


def public6(chance):
    return str(ipaddress.IPv6Address((0x2000 << 112) | chance.getrandbits(125)))


class Destinations(LabCase):
    options = {'proxies': ()}

    def listeners(self):
        return self.lab.run('ss -Hltn').stdout

    def test_random(self):
        """100 random pairs of address and port: the proxy is asked for exactly those"""
        chance = random.Random(20240229)
        pairs = [(make(chance), chance.randrange(1, 65536))
                 for make in (public4, public6) for _ in range(50)]
        pairs = [(host, port if port not in (53, 853) else port + 1) for host, port in pairs]
        with StubProxy(self.lab, 'record') as stub, Service(self.lab) as service:
            listening = self.listeners()
            service.create('work', stub.uri, capture='default', dns='off')
            asked = ''.join(f'{host} {port}\n' for host, port in pairs)
            answers = self.lab.client('ask', 15.0, input=asked)
            self.assertEqual(self.listeners(), listening)
            seen = {(each['host'], each['port']) for each in stub.requests()}
        self.assertEqual([answer[2].split() for answer in answers],
                         [[host, str(port)] for host, port in pairs])
        self.assertEqual({pair for pair in pairs} - seen, set())


if __name__ == '__main__':
    tap.main()
