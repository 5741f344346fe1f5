#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The second half of tests/demo, inside a lab: argv is BUILD-DIR [PROXY-URI [URL]]."""
import ctypes
import os
import re
import shlex
import socket
import sys
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from t2plab import Lab, LabError, Service, changes, network_dump, plan  # noqa: E402

CLONE_NEWNET = 0x40000000
MANAGER = 'org.tun2proxy.Manager /org/tun2proxy/Manager org.tun2proxy.Manager'
DEFAULT_URL = 'http://deb.debian.org/debian/dists/bookworm/main/Contents-all.gz'
FORWARDED_PORT = 1090
DEFAULT_PORTS = {'socks5': 1080, 'socks5h': 1080, 'socks4': 1080, 'socks4a': 1080, 'http': 8080,
                 'https': 443}
GIB = 1 << 30


def step(text):
    print(f'\n\033[1m{text}\033[0m' if sys.stdout.isatty() else f'\n{text}', flush=True)


def show(lab, words, shown=None, **kwargs):
    """Runs a command in the lab as a person would and prints both."""
    print('  $ ' + (shown or shlex.join(words)), flush=True)
    done = lab.run(words, check=False, **kwargs)
    if done.returncode != 0:
        raise SystemExit('demo: ' + (done.stderr.strip() or f'it ended with {done.returncode}'))
    said = done.stdout.strip()
    for line in said.splitlines():
        print('    ' + line[:150])
    return said


class Forwarder:
    """Lets the lab reach a proxy of the real network, without a route between the two: a socket
    that listens in the lab's proxy namespace, and is served from this machine's."""

    def __init__(self, lab, host, port):
        self._target = host, port
        opened = []
        thread = threading.Thread(target=lambda: opened.append(self._listen_in(lab)))
        thread.start()  # a namespace is a thread's own; this one ends with it
        thread.join()
        if not opened:
            raise SystemExit('cannot listen in the proxy namespace')
        self._listener = opened[0]
        threading.Thread(target=self._serve, daemon=True).start()

    @staticmethod
    def _listen_in(lab):
        with open(lab.path('/run/netns/px'), encoding='ascii') as netns:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(netns.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), 'setns')
        return socket.create_server((plan.PROXY4, FORWARDED_PORT), backlog=512)

    def _serve(self):
        while True:
            near, _ = self._listener.accept()
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near):
        try:
            far = socket.create_connection(self._target, timeout=15)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        other = threading.Thread(target=self._pump, args=(far, near), daemon=True)
        other.start()
        self._pump(near, far)
        other.join()
        near.close()
        far.close()

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(1 << 18):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def parse(uri):
    """The parts of a proxy's URI: (scheme, login, host, port, query)."""
    try:
        parts = urllib.parse.urlsplit(uri)
        host, port = parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        host = port = None
    if not host or not port:
        raise SystemExit('demo: the proxy is a URI such as socks5://USER:PASSWORD@HOST:1080')
    return parts.scheme, parts.netloc.rpartition('@')[0], host, port, parts.query


def upstream(lab, uri):
    """The URI that the lab uses, and how it is shown: without a password."""
    if uri is None:
        ours = f'socks5://{plan.PROXY4}:{plan.DANTED}'
        return ours, ours
    scheme, login, host, port, query = parse(uri)
    Forwarder(lab, host, port)
    place = f'{plan.PROXY4}:{FORWARDED_PORT}'
    tail = f'?{query}' if query else ''
    ours = f'{scheme}://{login + "@" if login else ""}{place}{tail}'
    return ours, f'{scheme}://{"…@" if login else ""}{place}{tail}'


def create(lab, uri, shown):
    words = ['busctl', 'call', *MANAGER.split(), 'CreateTunnel', 'sa{sv}a{sv}', 'demo',
             '2', 'proxies', 'as', '1', uri, 'capture', 's', 'default', '1', 'wait', 'b', 'true']
    said = show(lab, words, shlex.join(words).replace(uri, shown))
    return re.match(r'oa\{sv\} "([^"]+)"', said)[1]


def show_connections(service, path):
    """The table of what is open, while something is."""
    rows = service.bus.call(path, 'org.tun2proxy.Tunnel', 'ListConnections', 'a{sv}tua{sv}',
                            {}, 0, 10, {})[0]
    print(f'    {"id":>4} {"protocol":8} {"destination":32} {"host":16} {"state":12} '
          f'{"received":>14}')
    for row in rows:
        print(f'    {row.get("id", 0):>4} {row.get("protocol", ""):8} '
              f'{row.get("destination", ""):32} {row.get("host", ""):16} '
              f'{row.get("state", ""):12} {row.get("tx-bytes", 0):>14,}')


def fetch(lab, service, path, url):
    """Downloads, shows the connection table meanwhile, and how fast it was."""
    form = '%{size_download} %{time_total} %{speed_download}'
    words = ['curl', '-fsSL', '-m', '120', '-o', '/dev/null', '-w', form, url]
    print('  $ ' + shlex.join(words[:-3] + [url]), flush=True)
    running = lab.start(words, name='demo-fetch')
    time.sleep(1.2)  # counters arrive once a second
    print('  ListConnections, meanwhile:')
    show_connections(service, path)
    if running.wait(130) != 0:
        raise SystemExit('demo: the download failed: ' + running.log())
    size, seconds, speed = running.log().split()[-3:]
    print(f'    {int(size):,} bytes in {float(seconds):.2f} s: '
          f'{float(speed) / 1e6:,.0f} MB/s, {float(speed) * 8 / 1e9:.2f} Gbit/s')


def demonstrate(lab, uri, url):
    before = network_dump(lab)
    step('2. The service, on the bus of that machine')
    with Service(lab) as service:
        show(lab, ['busctl', 'get-property', *MANAGER.split(), 'Version'])
        step('3. A tunnel that captures everything, created by busctl')
        ours, shown = upstream(lab, uri)
        path = create(lab, ours, shown)
        show(lab, ['busctl', 'get-property', 'org.tun2proxy.Manager', path,
                   'org.tun2proxy.Tunnel', 'State'])
        step('4. What goes through it')
        if uri is None:
            seen = show(lab, ['curl', '-sS', '-m', '20', 'http://www.example/ip'])
            print(f'    (the server saw {seen}: the proxy, not this machine)')
        fetch(lab, service, path, url or (DEFAULT_URL if uri else
                                          f'http://www.example/bytes/{GIB}'))
        show(lab, ['busctl', 'call', 'org.tun2proxy.Manager', path, 'org.tun2proxy.Tunnel',
                   'GetStatistics', 'a{sv}', '0'])
        step('5. It goes, and leaves nothing')
        show(lab, ['busctl', 'call', 'org.tun2proxy.Manager', path, 'org.tun2proxy.Tunnel',
                   'Delete', 'a{sv}', '0'])
    left = changes(before, network_dump(lab))
    print('    routes, rules, nft and resolvers: '
          + ('as before' if not left else '\n    '.join(['LEFT BEHIND:', *left])))
    return not left


def main():
    build, uri, url = (sys.argv[1:] + [None, None])[:3]
    if uri is not None:
        parse(uri)
    step('1. A machine of its own: namespaces, bus, polkit, resolver, router, SOCKS server, web')
    began = time.monotonic()
    with Lab(resolved=True, proxies=('danted',), build_dir=os.path.abspath(build)) as lab:
        print(f'    up in {time.monotonic() - began:.1f} s; this machine stays as it is')
        try:
            good = demonstrate(lab, uri, url)
        except LabError as error:
            raise SystemExit(f'demo: {error}') from None
    step('The same on this machine, for real:')
    print('    meson setup build && meson install -C build')
    print('    tun2proxyctl up --name demo socks5://PROXY:1080 capture=default')
    print('    tun2proxyctl down demo')
    sys.exit(0 if good else 1)


if __name__ == '__main__':
    main()
