#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""tun2proxyctl with the real service: each verb, for people and programs, and on a terminal."""
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import LabCase, Service, Terminal, changes, network_dump, plan, tap  # noqa: E402
from t2plab.service import find_program  # noqa: E402

SECRET_FILE = '/run/lab/proxy-password'
MICROSOCKS = f'socks5://{plan.PROXY4}:{plan.MICROSOCKS}'
OK, FAILED, USAGE, NOT_AUTHORIZED, NO_SERVICE, NOT_FOUND, PROXY, CONFLICT = range(8)


class CommandCase(LabCase):
    options = {'proxies': ('danted', 'microsocks', 'squid')}

    def setUp(self):
        library = os.path.dirname(find_program(self.lab, 'libtun2proxy-1.0.so.0'))
        self.env = {'LD_LIBRARY_PATH': library}
        self.before = network_dump(self.lab)

    def ctl(self, *words, code=OK, **where):
        """Runs it, insists on the exit code, returns (output, errors)."""
        done = self.lab.run(['tun2proxyctl', *words], check=False, env=self.env, **where)
        self.assertEqual(done.returncode, code, f'{words}: {done.stdout}{done.stderr}')
        return done.stdout, done.stderr

    def told(self, *words, **where):
        """What it tells programs."""
        return json.loads(self.ctl('--json', *words, **where)[0])

    def fails(self, code, error, *words, **where):
        """For people a message, for programs the error's name; never a trace of it."""
        _, said = self.ctl(*words, code=code, **where)
        self.assertTrue(said.startswith('tun2proxyctl: '), said)
        _, said = self.ctl('--json', *words, code=code, **where)
        failure = json.loads(said)
        self.assertEqual(failure['exit-code'], code)
        self.assertIn(error, failure['error'])
        return failure['message']


class WithService(CommandCase):
    def setUp(self):
        super().setUp()
        self.service = Service(self.lab).start()
        self.addCleanup(self.leave)

    def leave(self):
        for tunnel in self.service.list():
            tunnel.delete()
        self.assertEqual(changes(self.before, network_dump(self.lab)), [])
        self.service.__exit__(None)

    def up(self, *words):
        return self.ctl('up', '--name', 'work', plan.DANTED_URI, *words)

    def test_up_and_down(self):
        """up with a password file, list, show and down tell people and programs the same"""
        self.lab.write(SECRET_FILE, plan.PROXY_PASSWORD + '\nnot this line\n', 0o600)
        said, _ = self.ctl('up', '--name', 'work', '--user', plan.PROXY_USER, '--password-file',
                           SECRET_FILE, MICROSOCKS, 'capture=default')
        self.assertRegex(said, '“work” on t2p0 is active')
        seen = self.lab.run(['curl', '-sS', '-m', '15', f'http://{plan.SERVER4}/ip']).stdout
        self.assertEqual(seen.strip(), plan.PROXY4)
        said, _ = self.ctl('list')
        self.assertRegex(said.splitlines()[0], r'^NAME +STATE +INTERFACE')
        self.assertRegex(said.splitlines()[1], r'^work +active +t2p0')
        row, = self.told('list')
        self.assertEqual((row['name'], row['state'], row['interface']), ('work', 'active', 't2p0'))
        said, _ = self.ctl('show', 'work')
        shown = self.told('show', 'work')
        self.assertEqual(shown['settings']['capture'], 'default')
        for text in ('capture=default', 't2p0', plan.PROXY4):
            self.assertIn(text, said)
        self.assertNotIn(plan.PROXY_PASSWORD, said + json.dumps(shown))
        self.assertIn('gone', self.ctl('down', 'work')[0])
        self.assertEqual(self.told('list'), [])
        self.assertIn('no tunnel', self.ctl('list')[0])

    def test_connections(self):
        """connections lists what is open while it is, a filter picks, --close closes"""
        self.up('capture=default')
        url = f'http://{plan.SERVER4}/bytes/4000000000'
        busy = self.lab.start(['curl', '-sS', '--limit-rate', '5M', '-o', '/dev/null', url])
        self.addCleanup(busy.kill)
        place = f'{plan.SERVER4}:{plan.HTTP}'
        self.lab.wait_for(lambda: any(row['tx-bytes'] > 1000000 for row in self.told(
            'connections', 'work', f'destination={place}')), what='a row that counts',
            interval=0.2)
        said, _ = self.ctl('connections', 'work')
        self.assertRegex(said, rf'tcp +\S+ +{place}.* [0-9.]+ MiB')
        self.assertEqual(self.told('connections', 'work', 'protocol=udp'), [])
        self.assertIn('1 connection was closed', self.ctl('connections', 'work', '--close')[0])
        self.assertNotEqual(busy.wait(), 0)

    def test_test_proxy(self):
        """test-proxy tells what a proxy can, and why one cannot"""
        can = self.told('test-proxy', plan.DANTED_URI)
        self.assertEqual((can['connect'], can['auth']), (True, 'none'))
        self.assertIn('Connects: yes', self.ctl('test-proxy', plan.DANTED_URI)[0])
        self.lab.write(SECRET_FILE, plan.PROXY_PASSWORD, 0o600)
        can = self.told('test-proxy', MICROSOCKS, '-u', plan.PROXY_USER, '-p', SECRET_FILE)
        self.assertEqual((can['connect'], can['auth']), (True, 'password'))
        self.fails(PROXY, 'ProxyAuthenticationFailed', 'test-proxy', MICROSOCKS)
        # squid waits for the end of a line, which SOCKS does not have
        self.fails(PROXY, 'ProxyUnreachable', 'test-proxy', '--timeout=1',
                   f'socks5://{plan.PROXY4}:{plan.SQUID}')
        self.fails(PROXY, 'ProxyUnreachable', 'test-proxy', f'socks5://{plan.PROXY4}:1999')
        self.fails(PROXY, 'ResolveFailed', 'test-proxy', 'socks5://no-such-name.example')

    def test_monitor(self):
        """monitor tells each event in a line, in words and as JSON, and ends by a signal"""
        monitors = [self.lab.start(['tun2proxyctl', 'monitor', *more], env=self.env)
                    for more in ([], ['--json'])]
        # an event tells that it listens: the first tunnel may be too early
        people, programs = monitors
        def listens():
            self.up()
            self.ctl('down', 'work')
            return all(monitor.log() for monitor in monitors)
        self.lab.wait_for(listens, what='the monitors to tell something')
        # and that it was the last of those
        self.lab.wait_for(lambda: all('removed' in monitor.log().splitlines()[-1]
                                      for monitor in monitors))
        mark = len(people.log()), len(programs.log())
        self.up()
        self.ctl('down', 'work')
        self.lab.wait_for(lambda: 'removed' in people.log()[mark[0]:]
                          and 'removed' in programs.log()[mark[1]:])
        events = [json.loads(line) for line in programs.log()[mark[1]:].splitlines()]
        self.assertEqual(events[0]['event'], 'tunnel-added')
        self.assertEqual(events[-1]['event'], 'tunnel-removed')
        states = [event['new'] for event in events if event['event'] == 'state-changed']
        self.assertIn('active', states)
        self.assertLess(states.index('active'), states.index('deactivating'))
        self.assertRegex(people.log()[mark[0]:], r'(?s)work: created.*active.*work: removed')
        for monitor in monitors:
            monitor.kill(signal.SIGTERM)
            self.assertEqual(monitor.wait(), OK)

    def test_failures(self):
        """what goes wrong has its exit code, a message that names it, and changes nothing"""
        self.assertIn('colour', self.fails(USAGE, 'InvalidSettings', 'up', plan.DANTED_URI,
                                           'colour=blue'))
        self.assertIn('everything', self.fails(USAGE, 'InvalidSettings', 'up', plan.DANTED_URI,
                                               'capture=everything'))
        self.fails(USAGE, '', 'up', 'gopher://192.0.2.1')
        self.fails(USAGE, '', 'up')
        self.fails(USAGE, '', 'fly')
        self.fails(NOT_FOUND, 'NotFound', 'show', 'nobody')
        self.fails(NOT_FOUND, 'NotFound', 'down', 'nobody')
        self.fails(FAILED, 'NotSupported', 'up', plan.DANTED_URI, 'queues=2')
        self.fails(PROXY, 'ProxyUnreachable', 'up', f'socks5://{plan.PROXY4}:1999')
        self.fails(PROXY, 'ProxyUnreachable', 'up', f'socks5://{plan.PROXY4}:{plan.SQUID}',
                   'connect-timeout=1')
        self.assertEqual(self.told('list'), [])
        self.up('capture=default')
        self.fails(CONFLICT, 'AlreadyExists', 'up', '--name', 'work', plan.DANTED_URI)
        self.assertIn('work', self.fails(CONFLICT, 'RouteConflict', 'up', '--name', 'more',
                                         plan.DANTED_URI, 'capture=default', 'scope=system'))
        user = {'uid': plan.USER_UID}
        self.fails(NOT_AUTHORIZED, 'NotAuthorized', 'up', '--name', 'more', plan.DANTED_URI, **user)
        self.ctl('down', 'work')

    # --- on a terminal

    def on_terminal(self, *words, uid=plan.USER_UID):
        return Terminal(self.lab, ['tun2proxyctl', *words], env=self.env, uid=uid)

    def test_agent(self):
        """a user on a terminal is asked for an administrator's password, which counts"""
        with self.on_terminal('up', '--name', 'mine', plan.DANTED_URI) as terminal:
            terminal.expect('org.tun2proxy.create-tunnel')
            terminal.expect('Authentication is required to create a tunnel to a proxy')
            terminal.expect(plan.ADMIN)
            terminal.expect('Password: ')
            self.assertEqual(self.service.list(), [])
            terminal.type_hidden(plan.PROXY_PASSWORD)
            self.assertEqual(terminal.wait(), OK, terminal.said)
            self.assertRegex(terminal.said, '“mine” on t2p0 is active')
            self.assertNotIn(plan.PROXY_PASSWORD, terminal.said)
        self.assertEqual(self.service.list()[0].prop('Owner'), plan.USER_UID)

    def test_agent_wrong(self):
        """a wrong password is a refusal, and nothing happens"""
        with self.on_terminal('up', '--name', 'mine', plan.DANTED_URI) as terminal:
            terminal.expect('Password: ')
            terminal.type_hidden('wrong')
            terminal.expect('AUTHENTICATION FAILED')
            self.assertEqual(terminal.wait(), NOT_AUTHORIZED, terminal.said)
        self.assertEqual(self.service.list(), [])

    def test_ask(self):
        """--ask asks on the terminal without showing it, and Ctrl-C gives up"""
        with self.on_terminal('up', '--ask', '--name', 'work', MICROSOCKS, uid=0) as terminal:
            terminal.expect('User name for ')
            terminal.type(plan.PROXY_USER)
            terminal.expect('Password of ' + plan.PROXY_USER)
            terminal.type_hidden(plan.PROXY_PASSWORD)
            self.assertEqual(terminal.wait(), OK, terminal.said)
            self.assertNotIn(plan.PROXY_PASSWORD, terminal.said)
        self.ctl('down', 'work')
        with self.on_terminal('up', '--ask', '--name', 'work', MICROSOCKS, uid=0) as terminal:
            terminal.expect('User name for ')
            terminal.press(b'\x03')
            self.assertEqual(terminal.wait(), FAILED, terminal.said)
        self.assertEqual(self.service.list(), [])


class WithoutService(CommandCase):
    def test_nobody(self):
        """without a service, and without a bus, it says so and where to look"""
        self.lab.sh('rm -f /usr/local/share/dbus-1/system-services/org.tun2proxy.* '
                    '/usr/share/dbus-1/system-services/org.tun2proxy.*; sleep 0.6')
        self.fails(NO_SERVICE, '', 'list')
        self.assertIn('systemctl status tun2proxyd', self.ctl('list', code=NO_SERVICE)[1])
        self.fails(NO_SERVICE, '', '--bus=unix:path=/run/nowhere', 'list')
        self.fails(USAGE, '', '--bus=omni', 'list')


if __name__ == '__main__':
    tap.main()
