#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What virtual addresses stand for, over restarts of the service."""
import os
import pathlib
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, plan, tap  # noqa: E402

KEEPER = pathlib.Path(__file__).resolve().parent / 't2plab/keeper.py'
NAME = plan.PROXY_ONLY_NAME


class NamesKept(LabCase):
    options = {'proxies': ['danted']}

    def setUp(self):
        self.service = Service(self.lab, under=['/usr/bin/python3', '-B', KEEPER]).start()
        self.addCleanup(self.service.__exit__, None)

    def create(self, name='work'):
        return self.service.create(name, plan.DANTED_URI, capture='default', ipv6='reject')

    def look_up(self, name=NAME):
        return self.lab.run(['getent', 'ahostsv4', name]).stdout.split()[0]

    def fetch(self, address):
        """What comes from there, by whatever the address stands for; '' for nothing."""
        return self.lab.run(['curl', '-sS', '-m', '5', f'http://{address}/'], check=False).stdout

    def restart(self, sig):
        before = self.service.bus.owner()
        self.service.daemon.kill(sig)
        self.lab.wait_for(lambda: self.service.bus.owner() not in (before, None), 20,
                          'the next service')
        self.assertEqual(self.service.list(), [])

    def fill(self):
        """Other names, so that an address means the same by no chance."""
        return [self.look_up(f'n{number}.bulk.example') for number in range(20)]

    def keeps(self, sig):
        self.create()
        others = self.fill()
        address = self.look_up()
        self.assertEqual(self.fetch(address), 'hello from the server\n')
        self.restart(sig)
        tunnel = self.create()
        self.assertEqual(self.fetch(address), 'hello from the server\n')  # nobody has asked again
        self.assertEqual(self.look_up(), address)
        self.assertEqual(self.fill(), others)
        tunnel.delete()

    def test_term(self):
        """a service that was restarted knows the names behind the addresses of the one before"""
        self.keeps(signal.SIGHUP)

    def test_kill(self):
        """so does one whose predecessor was killed"""
        self.keeps(signal.SIGUSR1)

    def test_others(self):
        """another tunnel, and one that was deleted, begin anew"""
        self.create()
        address = self.look_up()
        self.restart(signal.SIGHUP)
        other = self.create('other')
        self.assertEqual(self.fetch(address), '')
        other.delete()
        tunnel = self.create()
        self.assertEqual(self.fetch(address), 'hello from the server\n')
        tunnel.delete()
        self.create()
        self.assertEqual(self.fetch(address), '')

    def test_what_is_kept(self):
        """one descriptor is kept for each tunnel with virtual names, until it is deleted"""
        for _ in range(2):
            tunnel = self.create('told')
            tunnel.deactivate()
            tunnel.activate()
            tunnel.delete()
        said = [line.split()[1:] for line in self.service.daemon.log().splitlines()
                if line.startswith('keeper: FDSTORE') and 'names-0-told' in line]
        self.assertEqual(said, 2 * [['FDSTORE=1', 'names-0-told', '1'],
                                    ['FDSTOREREMOVE=1', 'names-0-told', '0']])


if __name__ == '__main__':
    tap.main()
