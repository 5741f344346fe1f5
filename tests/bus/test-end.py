#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""test-end.py DAEMON WORKER: how the service ends, asked or killed, and what it leaves."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import t2pbustest as lab  # noqa: E402
from t2pbusrunner import begin, equal, main, parts, test, test_alone  # noqa: E402
from t2pbustest import ERROR, Client, vardict, wait_for  # noqa: E402
from gi.repository import GLib  # noqa: E402


@test
def sigterm_takes_everything_down(service, client, proxy):
    before = lab.dump()
    client.create('work', proxy.uri(), {'wait': True}, capture='routes',
                  routes=['203.0.113.0/24'])
    guardians = lab.processes(f'--guardian --runtime-dir={service.runtime}')
    equal(len(guardians), 1)
    with open(f'/proc/{guardians[0]}/cmdline', encoding='utf-8') as line:
        equal(line.read().split('\0')[:2], ['tun2proxyd', '--guardian'])
    equal(service.stop(), 0)
    equal(lab.dump(), before)
    equal(service.journals(), [])
    wait_for(lambda: not lab.processes(f'--guardian --runtime-dir={service.runtime}'))
    assert not list(service.runtime.glob('worker-*')), list(service.runtime.glob('*'))


def begin_drain(client, path, seconds, on_end=None):
    begin(client, path, 'org.tun2proxy.Tunnel', 'Deactivate',
          GLib.Variant('(a{sv})', (vardict(drain_timeout=seconds),)), on_end)
    wait_for(lambda: client.get(path, 'State') == 'deactivating')


@test
def a_shorter_drain_cuts_a_longer_one_short(service, client, proxy):
    before = lab.dump()
    path, _ = client.create('work', proxy.uri(), {'wait': True}, capture='routes',
                            routes=['203.0.113.0/24'])
    with lab.socket.create_connection(('203.0.113.7', 8080), timeout=10):
        ends = []
        begin_drain(client, path, 600, ends.append)
        begin_drain(client, path, 3000, ends.append)
        time.sleep(0.5)
        equal((client.get(path, 'State'), ends), ('deactivating', []))
        client.tunnel(path, 'Deactivate', timeout=10000)
        wait_for(lambda: ends == [None, None], 1)
    equal(client.get(path, 'State'), 'inactive')
    equal(lab.dump(), before)


@test
def sigterm_cannot_be_held_off(service, client, proxy):
    before = lab.dump()
    path, _ = client.create('work', proxy.uri(), {'wait': True}, capture='routes',
                            routes=['203.0.113.0/24'])
    silent = lab.socket.create_server(('127.0.0.1', 0))
    errors, number = [], 0

    def create_another(error=None):
        nonlocal number
        number += 1
        if error:
            errors.append(error)
        if error != 'gone' and len(errors) < 50:
            begin(client, lab.MANAGER, lab.NAME, 'CreateTunnel', GLib.Variant('(sa{sv}a{sv})', (
                f'f{number % 12}', vardict(proxies=[proxy.uri()]), {})), create_another)

    with lab.socket.create_connection(('203.0.113.7', 8080), timeout=10):
        begin_drain(client, path, 600)
        tested = []
        begin(client, lab.MANAGER, lab.NAME, 'TestProxy', GLib.Variant('(sa{sv})', (
            f'socks5://127.0.0.1:{silent.getsockname()[1]}', {})), tested.append)
        wait_for(lambda: len(service.workers()) == 2)
        workers = service.workers()
        service.daemon.send_signal(signal.SIGTERM)
        create_another()
        wait_for(lambda: service.daemon.poll() is not None, 10)
    wait_for(lambda: tested)
    equal(service.daemon.returncode, 0)
    # the bus's own errors when the service has gone already
    own = {error for error in errors if not error.startswith('org.freedesktop.DBus.Error.')}
    assert own - {'gone'} == {ERROR + 'Cancelled'}, set(errors)
    equal(lab.dump(), before)
    equal(service.journals(), [])
    equal(list(service.runtime.glob('worker-*')), [])
    equal([pid for pid in workers if os.path.exists(f'/proc/{pid}')], [])
    silent.close()


@test
def sigkill_is_repaired_by_the_guardian(service, client, proxy):
    before = lab.dump()
    client.create('work', proxy.own_uri(), {'wait': True}, capture='default', dns='off')
    assert lab.dump() != before
    service.stop(signal.SIGKILL)
    wait_for(lambda: lab.dump() == before, 20)
    wait_for(lambda: not service.journals())
    wait_for(lambda: not lab.processes(str(service.runtime)))


@test
def sigkill_is_repaired_by_the_next_start(service, client, proxy):
    before = lab.dump()
    client.create('work', proxy.own_uri(), {'wait': True}, capture='default', dns='off')
    service.stop(signal.SIGKILL)
    service.start()
    equal(lab.dump(), before)
    equal(service.journals(), [])
    again = Client(service.address)
    path, _ = again.create('work', proxy.uri(), {'activate': False})
    equal(path, '/org/tun2proxy/Tunnel/2')
    again.close()


@test
def one_daemon_for_a_runtime_directory(service, client, proxy):
    second = lab.subprocess.run(service.command, capture_output=True, text=True, timeout=20)
    equal(second.returncode, 1)
    assert 'is in use by daemon' in second.stderr, second.stderr


STEPS = ('resolve-upstream', 'create-device', 'start-worker', 'probe-upstream', 'configure-link',
         'install-bypass', 'install-capture', 'apply-dns')


@test_alone
def sigkill_after_each_step_leaves_nothing(daemon, worker):
    """SIGKILL after each step: the journal names it, and the guardian leaves nothing."""
    for step in STEPS:
        with parts(daemon, worker) as (service, proxy):
            before = lab.dump()
            service.start(f'--pause-at={step}')
            client = Client(service.address)
            client.create('work', proxy.own_uri(), capture='default')
            wait_for(lambda: f'paused at {step}' in service.text())
            assert step in (service.runtime / 'journal' / '1.json').read_text()
            service.stop(signal.SIGKILL)
            wait_for(lambda: not lab.processes(str(service.runtime)), 20)
            equal(lab.dump(), before)
            equal(service.journals(), [])


if __name__ == '__main__':
    sys.exit(main())
