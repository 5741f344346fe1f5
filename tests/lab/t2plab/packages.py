# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian packages for the lab: downloaded and unpacked into a cache folder, never installed.

Nothing that starts a daemon or replaces a file of this machine is installed; the unpacked tree is
laid over /usr and /etc inside the lab only.
"""
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import time

# Package, and what the lab wants it for.
PACKAGES = {
    'dbus': 'the system bus, with the setuid helper that starts services',
    'polkitd': 'who may do what',
    'systemd': 'itself, busctl, the validators of units and sysusers',
    'systemd-resolved': 'per-link DNS',
    'network-manager': 'the usual owner of the uplink',
    'iproute2': 'namespaces, links, routes, rules, ss',
    'nftables': 'counters that prove what did not leave',
    'procps': 'sysctl',
    'iputils-ping': 'reachability',
    'tcpdump': 'what really was on a wire',
    'dnsmasq-base': 'DHCP, router advertisements and DNS',
    'curl': 'the most used client',
    'iperf3': 'throughput',
    'dante-server': 'SOCKS4, SOCKS5 with UDP ASSOCIATE',
    'microsocks': 'SOCKS5 with user and password',
    'squid-openssl': 'HTTP CONNECT, without and with TLS',
    'tinyproxy': 'HTTP CONNECT',
    'openssh-server': 'the far end of ssh -D',
    'openssh-client': 'ssh -D: SOCKS4a and SOCKS5',
    'stunnel4': 'TLS before a SOCKS proxy',
    'haproxy': 'TLS before an HTTP proxy',
    'socat': 'unix sockets before a proxy',
    'openssl': 'certificates',
    'krb5-kdc': 'a Kerberos realm',
    'krb5-admin-server': 'its users and services',
    'krb5-user': 'tickets',
    'unbound': 'a name server that answers over TCP in any order',
    'ngtcp2-client': 'QUIC',
    'ngtcp2-server': 'QUIC',
    'libxml2-utils': 'xmllint',
    'libdbus-1-dev': 'the grammar of introspection files',
}

STATUS = '/var/lib/dpkg/status'


def cache_folder():
    """Where the packages are kept between runs: T2P_LAB_CACHE, XDG_CACHE_HOME or /var/cache."""
    own = os.environ.get('T2P_LAB_CACHE')
    if own:
        return pathlib.Path(own)
    base = os.environ.get('XDG_CACHE_HOME') or '/var/cache'
    return pathlib.Path(base) / 'tun2proxy-lab'


def _apt(cache, debs, *args):
    options = ['-o', f'Dir::Cache::Archives={debs}', '-o', 'Debug::NoLocking=1',
               '-o', 'APT::Sandbox::User=root']
    if (cache / 'lists').exists():
        options += ['-o', f'Dir::State::Lists={cache}/lists']
    return subprocess.run(['apt-get', '-q', '-y', *options, *args], text=True, cwd=debs,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          env={**os.environ, 'DEBIAN_FRONTEND': 'noninteractive', 'LC_ALL': 'C'})


def _apt_fresh(cache, debs, *args):
    """A machine without package lists, or with outdated ones, gets private ones in the cache."""
    got = _apt(cache, debs, *args)
    if got.returncode != 0:
        (cache / 'lists' / 'partial').mkdir(parents=True, exist_ok=True)
        _apt(cache, debs, 'update')
        got = _apt(cache, debs, *args)
    if got.returncode != 0:
        raise RuntimeError('apt-get: ' + got.stdout.strip()[-2000:])
    return got.stdout


def _missing_debs(cache, names):
    """File names of the packages, with those of their dependencies that this machine lacks."""
    empty = cache / 'empty'
    (empty / 'partial').mkdir(parents=True, exist_ok=True)
    said = _apt_fresh(cache, empty, 'install', '--print-uris', '--no-install-recommends', *names)
    return re.findall(r"^'[^']+' (\S+\.deb) \d+", said, re.MULTILINE)


def _unpack(debs, tree):
    for folder in ('bin', 'sbin', 'lib', 'lib64'):  # merged /usr, as on the machine itself
        (tree / 'usr' / folder).mkdir(parents=True)
        (tree / folder).symlink_to(f'usr/{folder}')
    (tree / 'etc').mkdir()
    for deb in debs:
        with subprocess.Popen(['dpkg-deb', '--fsys-tarfile', deb], stdout=subprocess.PIPE) as data:
            subprocess.run(['tar', '-x', '--keep-directory-symlink', '--warning=none', '-C', tree],
                           stdin=data.stdout, check=True)
        if data.returncode != 0:
            raise RuntimeError(f'cannot unpack {deb}')


def _build(cache, names):
    """Makes the tree for what this machine lacks now; trees that a lab may be using stay."""
    files = _missing_debs(cache, names)
    tree = cache / ('tree-' + hashlib.sha256(' '.join(sorted(files)).encode()).hexdigest()[:12])
    if tree.exists():
        return tree
    debs = cache / 'debs'
    (debs / 'partial').mkdir(parents=True, exist_ok=True)
    _apt_fresh(cache, debs, 'install', '--download-only', '--no-install-recommends', *names)
    new = cache / (tree.name + '.new')
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    _unpack([debs / f for f in sorted(files)], new)
    new.rename(tree)
    return tree


def unpacked_alone(name):
    """Returns a folder with one package and nothing else, for one that conflicts with others."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    tree = cache / f'alone-{name}'
    with open(cache / 'lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if tree.exists():
            return tree
        debs = cache / f'alone-{name}.debs'
        shutil.rmtree(debs, ignore_errors=True)
        (debs / 'partial').mkdir(parents=True)
        _apt_fresh(cache, debs, 'download', name)
        new = cache / f'alone-{name}.new'
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        _unpack([*debs.glob('*.deb')], new)
        new.rename(tree)
        shutil.rmtree(debs)
        return tree


def _drop_old(cache, used):
    for tree in cache.glob('tree-*'):
        if tree != used and tree.stat().st_mtime < time.time() - 7 * 86400:
            shutil.rmtree(tree, ignore_errors=True)


def unpacked(extra=()):
    """Returns the folder with the packages (and EXTRA ones) unpacked, making it when needed.

    Works without a network once it has been there. Raises RuntimeError with apt's own words.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    names = sorted([*PACKAGES, *extra])
    key = hashlib.sha256(' '.join(names).encode()).hexdigest()[:12]
    stamp = cache / f'current-{key}'
    with open(cache / 'lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = pathlib.Path(stamp.read_text()) if stamp.exists() else None
        if known and known.exists() and stamp.stat().st_mtime >= os.stat(STATUS).st_mtime:
            return known
        try:
            tree = _build(cache, names)
        except RuntimeError:
            if known and known.exists():  # without a network the old one still serves
                return known
            raise
        stamp.write_text(str(tree))
        os.utime(tree)
        _drop_old(cache, tree)
        return tree
