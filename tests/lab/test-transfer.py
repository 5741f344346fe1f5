#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Much data: sums, many at once, both ways, half-closed."""
import hashlib
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, peer, plan, tap  # noqa: E402

V4_URL, V6_URL = f'http://{plan.SERVER4}', f'http://[{plan.SERVER6}]'
NAME_URL = 'http://www.example'
MIB, GIB = 1 << 20, 1 << 30
# A build with sanitizers moves less in the same time.
LARGE = int(os.environ.get('T2P_LAB_LARGE', GIB))


class Transfer(LabCase):
    options = {'resolved': True}

    def setUp(self):
        self.service = Service(self.lab).start()
        self.addCleanup(self.service.__exit__, None)

    def tunnel(self, proxy=plan.DANTED_URI):
        return self.service.create('work', proxy, capture='default')

    def sum_of(self, url, size, seconds=120):
        said = self.lab.sh(f'curl -sS -m {seconds} {url}/bytes/{size} | sha256sum',
                           timeout=seconds + 10)
        return said.stdout.split()[0]

    def check_fetch(self, url, size):
        self.assertEqual(self.sum_of(url, size), peer.sha256(size), url)

    def check_upload(self, url, size):
        self.lab.sh('mkdir -p /run/data; mountpoint -q /run/data || '
                    'mount -t tmpfs tmpfs /run/data; cd /run/data; '
                    f'[ -s {size} ] || head -c {size} /dev/urandom >{size}')
        wanted = self.lab.run(f'sha256sum /run/data/{size}', timeout=120).stdout.split()[0]
        told = json.loads(self.lab.run(['curl', '-sS', '-m', '120', '-T', f'/run/data/{size}',
                                        url + '/up'], timeout=130).stdout)
        self.assertEqual(told, {'bytes': size, 'sha256': wanted})

    def test_large_down(self):
        """1 GiB comes down with the right sum"""
        self.tunnel()
        self.check_fetch(V4_URL, LARGE)

    def test_large_up(self):
        """1 GiB goes up with the right sum"""
        self.tunnel()
        self.check_upload(V4_URL, LARGE)

    def test_64(self):
        """64 MiB by address, by IPv6 address and by name, both ways"""
        self.tunnel()
        for url in (V4_URL, V6_URL, NAME_URL):
            self.check_fetch(url, min(64 * MIB, LARGE))
            self.check_upload(url, min(64 * MIB, LARGE))

    def test_password(self):
        """64 MiB through microsocks with a password, both ways"""
        self.tunnel(plan.MICROSOCKS_URI)
        self.check_fetch(V4_URL, min(64 * MIB, LARGE))
        self.check_upload(NAME_URL, min(64 * MIB, LARGE))

    def test_parallel(self):
        """200 fetches of 2 MiB at once are all intact"""
        self.tunnel()
        size = 2 * MIB
        lines = [f'url = {V4_URL if n % 2 else V6_URL}/bytes/{size}\noutput = /run/many/{n}'
                 for n in range(200)]
        self.lab.sh('rm -rf /run/many; mkdir /run/many')
        self.lab.write('/run/many.conf', '\n'.join(lines) + '\n')
        self.lab.run('curl -sS -f -m 120 --parallel --parallel-immediate --parallel-max 200 '
                     '-K /run/many.conf', timeout=150)
        sums = self.lab.sh('sha256sum /run/many/* | cut -d" " -f1').stdout.split()
        self.assertEqual(sums, [peer.sha256(size)] * 200)
        self.lab.sh('rm -rf /run/many')

    def test_parallel_up(self):
        """200 uploads of 2 MiB at once are all intact"""
        self.tunnel()
        size = 2 * MIB
        script = f'''
            head -c {size} /dev/urandom >/run/up
            for n in $(seq 200); do curl -sS -m 120 -T /run/up {V4_URL}/up & done; wait
            sha256sum /run/up'''
        said = self.lab.sh(script, timeout=150).stdout.splitlines()
        wanted = {'bytes': size, 'sha256': said[-1].split()[0]}
        self.assertEqual([json.loads(line) for line in said[:-1]], [wanted] * 200)

    def iperf3(self, *more):
        said = json.loads(self.lab.run(['iperf3', '-J', '-t', '5', '-c', plan.SERVER4, *more],
                                       timeout=40).stdout)
        self.assertNotIn('error', said)
        return said['end']

    def test_iperf3(self):
        """iperf3 runs down, up and both ways at once for 5 s"""
        self.tunnel()
        for direction in ((), ('-R',), ('--bidir',)):
            with self.subTest(direction):
                end = self.iperf3(*direction)
                least = 20e6  # a floor that a sanitizer build reaches; the bench has the numbers
                self.assertGreater(end['sum_received']['bits_per_second'], least)

    def test_half_close(self):
        """a client that sends and shuts down its side still gets the whole answer"""
        self.tunnel()
        answer = hashlib.sha256(b'%020d\n' % (3 * MIB) + peer.pattern()[:MIB]).hexdigest()
        for host in (plan.SERVER4, plan.SERVER6):
            told = self.lab.client('half-close', host, plan.ANSWER_AFTER_EOF, 3 * MIB)
            self.assertEqual(told, {'told': 3 * MIB, 'received': MIB + 21, 'sha256': answer})

    def test_nothing_left(self):
        """afterwards no flow and no descriptor is left over"""
        from t2plab import open_fds
        tunnel = self.tunnel()
        worker = self.service.workers()[0]
        self.check_fetch(V4_URL, MIB)
        self.lab.wait_for(lambda: tunnel.statistics()['connections-active'] == 0, timeout=20)
        before = open_fds(worker)
        for _ in range(20):
            self.check_fetch(V4_URL, MIB)
        self.lab.wait_for(lambda: tunnel.statistics()['connections-active'] == 0, timeout=20)
        self.assertLessEqual(open_fds(worker), before)


if __name__ == '__main__':
    tap.main()
