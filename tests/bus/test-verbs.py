#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Methods beside those that make and end tunnels: what they do, and to whom they do it not."""
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import t2pbustest as lab  # noqa: E402
from t2pbustest import ERROR, Client, vardict, wait_for  # noqa: E402
from t2pbusrunner import States, equal, fails, main, test  # noqa: E402
ROLLBACK_S = 5  # the least


@test
def a_tunnel_that_nobody_confirms_is_taken_down(service, client, proxy):
    before = lab.dump()
    other = Client(service.address)
    path, _ = other.create('work', proxy.uri(), {'wait': True, 'rollback_timeout': ROLLBACK_S})
    left = client.get(path, 'RollbackDeadline') / 1e6 - time.time()
    assert ROLLBACK_S - 2 < left <= ROLLBACK_S, left
    states = States(service)
    other.close()
    states.wait('inactive')
    equal(states.seen, [('deactivating', 'rollback'), ('inactive', 'rollback')])
    equal(client.get(path, 'RollbackDeadline'), 0)
    equal(client.get(path, 'StateReason'), 'rollback')
    equal(lab.dump(), before)
    fails('TimedOut', client.tunnel, path, 'Confirm')
    states.close()


@test
def a_confirmed_tunnel_stays(service, client, proxy):
    path, _ = client.create('work', proxy.uri(), {'wait': True, 'rollback_timeout': ROLLBACK_S})
    client.tunnel(path, 'Confirm')
    equal(client.get(path, 'RollbackDeadline'), 0)
    # also one whose timer came with Activate, while it was up
    client.tunnel(path, 'Activate', '(a{sv})', vardict(rollback_timeout=ROLLBACK_S))
    assert client.get(path, 'RollbackDeadline') > 0
    client.tunnel(path, 'Confirm')
    client.tunnel(path, 'Confirm')
    end = time.monotonic() + ROLLBACK_S + 1
    wait_for(lambda: time.monotonic() > end)
    equal(client.get(path, 'State'), 'active')
    client.tunnel(path, 'Deactivate')
    fails('Failed', client.tunnel, path, 'Confirm')
    fails('InvalidArgument', client.tunnel, path, 'Activate', '(a{sv})',
          vardict(rollback_timeout=1))
    equal(client.get(path, 'State'), 'inactive')


@test
def only_its_owner_confirms_a_tunnel(service, client, proxy):
    path, _ = client.create('work', proxy.uri(), {'wait': True, 'rollback_timeout': 60})
    status, text = lab.as_user('nobody', service.address, 'org.tun2proxy.Tunnel.Confirm',
                               '@a{sv} {}', path=path)
    assert status != 0 and f'{ERROR}NotAuthorized' in text, text
    assert client.get(path, 'RollbackDeadline') > 0


if __name__ == '__main__':
    sys.exit(main())
