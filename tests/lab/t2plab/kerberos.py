# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Kerberos realm of the lab's own, made when squid-negotiate comes up: its KDC stands beside the
proxies, plan.PROXY_USER has the usual password, and squid the key of HTTP/proxy.example.
"""
import os
import pathlib
import subprocess

import plan

FOLDER = pathlib.Path('/run/lab/krb5')
KEYTAB = FOLDER / 'squid.keytab'
KRB5_CONF = f"""[libdefaults]
  default_realm = {plan.REALM}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
[realms]
  {plan.REALM} = {{
    kdc = {plan.PROXY4}:88
  }}
[domain_realm]
  .example = {plan.REALM}
"""
KDC_CONF = f"""[logging]
  kdc = FILE:{FOLDER}/kdc.log
[kdcdefaults]
  kdc_listen = {plan.PROXY4}:88
  kdc_tcp_listen = {plan.PROXY4}:88
[realms]
  {plan.REALM} = {{
    database_name = {FOLDER}/principal
    key_stash_file = {FOLDER}/stash
    acl_file = {FOLDER}/acl
    supported_enctypes = aes256-cts-hmac-sha1-96:normal
  }}
"""
ENV = {'KRB5_KDC_PROFILE': str(FOLDER / 'kdc.conf')}


def _run(*argv):
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   env={**os.environ, **ENV})


def start(starter):
    FOLDER.mkdir()
    # in /etc of the machine under test; the proxies' /etc lies over it
    pathlib.Path('/etc/krb5.conf').write_text(KRB5_CONF)
    (FOLDER / 'kdc.conf').write_text(KDC_CONF)
    _run('kdb5_util', 'create', '-s', '-r', plan.REALM, '-P', 'master')
    admin = ('kadmin.local', '-r', plan.REALM, '-q')
    _run(*admin, f'addprinc -pw {plan.PROXY_PASSWORD} {plan.PROXY_USER}')
    _run(*admin, 'addprinc -randkey HTTP/proxy.example')
    _run(*admin, f'ktadd -k {KEYTAB} HTTP/proxy.example')
    subprocess.run(['chown', 'proxy:', str(KEYTAB)], check=True)
    starter.start('krb5kdc', ['krb5kdc', '-n', '-r', plan.REALM], netns='px', env=ENV)
