# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates of the lab, made by openssl when a part with TLS comes up; nothing of them is kept.

A CA of the proxies, another one that signed nothing here, the proxies' certificate (proxy.example
and the proxy's two addresses) and a client's.
"""
import pathlib
import subprocess

import plan

FOLDER = pathlib.Path(plan.TLS)
SERVER = FOLDER / 'server.pem'  # key and certificate in one file
NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
CA_EXTENSIONS = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=keyCertSign']


def _openssl(*argv):
    subprocess.run(['openssl', *argv], check=True, cwd=FOLDER, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _make_ca(name):
    _openssl('req', '-x509', *NEW_KEY, '-keyout', f'{name}.key', '-out', f'{name}.pem',
             '-subj', f'/CN=lab {name}', '-days', '2', *CA_EXTENSIONS)


def _make(name, usage, alternatives):
    (FOLDER / f'{name}.ext').write_text(
        f'extendedKeyUsage={usage}\nsubjectAltName={alternatives}\nbasicConstraints=CA:FALSE\n')
    _openssl('req', *NEW_KEY, '-keyout', f'{name}.key', '-out', f'{name}.csr', '-subj',
             f'/CN={name}')
    _openssl('x509', '-req', '-in', f'{name}.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key',
             '-CAcreateserial', '-days', '2', '-extfile', f'{name}.ext', '-out', f'{name}.pem')


def make():
    """Makes them once; proxies that drop privileges may read all of them."""
    if FOLDER.exists():
        return
    FOLDER.mkdir(parents=True)
    _make_ca('ca')
    _make_ca('other-ca')
    _make('server', 'serverAuth',
          f'DNS:proxy.example,IP:{plan.PROXY4},IP:{plan.PROXY6},DNS:www.example')
    _make('client', 'clientAuth', 'DNS:client.example')
    with SERVER.open('a') as both:
        both.write((FOLDER / 'server.key').read_text())
    for path in FOLDER.iterdir():
        path.chmod(0o644)
