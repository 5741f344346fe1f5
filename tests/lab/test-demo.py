#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The second half of tests/demo with a proxy that somebody names: in a network of the test's own,
which takes the place of this machine's."""
import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from t2plab import packages, tap  # noqa: E402
from t2plab.lab import default_build_dir  # noqa: E402

PASSWORD = 'hush-hush'
WEB, SIZE = '192.0.2.80', 30000000
URL = f'http://{WEB}:8000/file'
MACHINE = f'''
ip link set lo up
ip address add {WEB}/32 dev lo
folder=$(mktemp -d)
truncate -s {SIZE} "$folder/file"
/usr/bin/python3 -m http.server -d "$folder" --bind {WEB} 8000 >/dev/null 2>&1 &
"$1/usr/bin/microsocks" -i 127.0.0.1 -p 1080 -u alice -P {PASSWORD} >/dev/null 2>&1 &
shift
/usr/bin/python3 -B {HERE}/demo.py "$@"
status=$?
rm -r "$folder"
exit $status
'''


class Demo(unittest.TestCase):
    lab = None

    def demo(self, *words):
        argv = ['unshare', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', 'bash', '-c',
                MACHINE, 'machine', str(packages.unpacked()), default_build_dir(), *words]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, text=True, timeout=90,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    def test_proxy(self):
        """a download through the proxy that was named, its password never shown"""
        status, said = self.demo(f'socks5://alice:{PASSWORD}@127.0.0.1', URL)
        self.assertEqual(status, 0, said)
        self.assertIn('s "active"', said)
        self.assertIn(f'{SIZE:,} bytes in ', said)
        self.assertIn('resolvers: as before', said)
        self.assertNotIn(PASSWORD, said)

    def fails(self, expected, *words):
        status, said = self.demo(*words)
        self.assertNotEqual(status, 0, said)
        self.assertIn(expected, said.splitlines()[-1])
        self.assertNotIn('Traceback', said)
        self.assertNotIn(PASSWORD, said)

    def test_no_uri(self):
        """what is no URI of a proxy is refused before a lab is made"""
        self.fails('socks5://USER:PASSWORD@HOST:1080', 'proxy')
        self.fails('socks5://USER:PASSWORD@HOST:1080', 'socks5://127.0.0.1:many')
        self.fails('socks5://USER:PASSWORD@HOST:1080', f'gopher://alice:{PASSWORD}@127.0.0.1')

    def test_not_there(self):
        """a proxy that is not there, or wants another password, is told in one line"""
        self.fails('demo: ', 'socks5://127.0.0.1:1999')
        self.fails('refused the user name or the password',
                   f'socks5://bob:{PASSWORD}@127.0.0.1:1080')


if __name__ == '__main__':
    tap.main()
