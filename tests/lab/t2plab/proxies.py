# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real proxies of the lab, as Debian ships them; names and ports stand in plan.PORTS.

One that stands before another, with TLS or on a unix socket, brings the other one along.
"""
import hashlib
import pathlib
import subprocess

import certificates
import kerberos
import plan

RUN = pathlib.Path('/run/lab')
BOTH = (plan.PROXY4, plan.PROXY6)
WITH_PASSWORD = ['-u', plan.PROXY_USER, '-P', plan.PROXY_PASSWORD]

DANTED_CONF = """
logoutput: stderr
internal: {v4} port = {port}
internal: {v6} port = {port}
external: {external}
udp.connectdst: no
clientmethod: none
socksmethod: {method}
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 0/0 to: 0/0 }}
client pass {{ from: ::/0 to: ::/0 }}
socks pass {{ from: 0/0 to: 0/0 command: bind connect udpassociate bindreply udpreply }}
socks pass {{ from: ::/0 to: ::/0 command: bind connect udpassociate bindreply udpreply }}
"""


def start_danted(starter, name):
    """The password is the one in the lab's shadow file."""
    method = 'username' if name == 'danted-password' else 'none'
    conf = RUN / f'{name}.conf'
    conf.write_text(DANTED_CONF.format(v4=plan.PROXY4, v6=plan.PROXY6, port=plan.PORTS[name],
                                       external=plan.PROXY4 if name == 'danted-ipv4' else 'eth0',
                                       method=method))
    starter.start(name, ['danted', '-f', str(conf)], netns='px')


def start_microsocks(starter, name):
    starter.start(name, ['microsocks', '-i', '::', '-p', str(plan.PORTS[name]),
                         *(WITH_PASSWORD if name == 'microsocks' else [])], netns='px')


SSHD_CONF = """
ListenAddress 127.0.0.1
HostKey {run}/ssh-host
PidFile none
AuthorizedKeysFile {run}/ssh-client.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
MaxSessions 100
"""


def start_ssh(starter, name):
    """The server lets root in by a key made here; the client listens for SOCKS."""
    for key in ('ssh-host', 'ssh-client'):
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', str(RUN / key)],
                       check=True)
    conf = RUN / 'sshd.conf'
    conf.write_text(SSHD_CONF.format(run=RUN))
    pathlib.Path('/run/sshd').mkdir(exist_ok=True)
    starter.start('sshd', ['/usr/sbin/sshd', '-D', '-e', '-f', str(conf)], netns='px')
    listen = [f'-D{plan.PROXY4}:{plan.PORTS[name]}', f'-D[{plan.PROXY6}]:{plan.PORTS[name]}']
    options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes',
               'ExitOnForwardFailure=yes', 'LogLevel=ERROR', 'ConnectionAttempts=20']
    starter.wait_port('px', 22)
    starter.start(name, ['ssh', '-F', 'none', '-N', '-i', str(RUN / 'ssh-client'), *listen,
                         *(f'-o{option}' for option in options), 'root@127.0.0.1'], netns='px')


SQUID_CONF = """http_port {port}
{tls}
{auth}
http_access deny all
cache deny all
access_log stdio:{folder}/access.log
cache_log {folder}/cache.log
pid_filename none
coredump_dir {folder}
pinger_enable off
dns_nameservers {dns}
shutdown_lifetime 1 seconds
max_filedescriptors 4096
"""
SQUID_AUTH = """auth_param {scheme} program /usr/lib/squid/{helper} {folder}/passwords
auth_param {scheme} children 2 startup=1 idle=1
auth_param {scheme} realm lab
acl known proxy_auth REQUIRED
http_access allow CONNECT known
"""
SQUID_NEGOTIATE = f"""auth_param negotiate program /usr/lib/squid/negotiate_kerberos_auth \\
  -k {kerberos.KEYTAB} -s HTTP/proxy.example
auth_param negotiate children 2 startup=1 idle=1
auth_param negotiate keep_alive on
acl known proxy_auth REQUIRED
http_access allow CONNECT known
"""
SQUID_TLS = f'https_port {{port}} tls-cert={certificates.SERVER}'


def _squid_auth(name, folder):
    if name == 'squid':
        return 'acl all_ports port 1-65535\nhttp_access allow CONNECT all_ports\n'
    if name == 'squid-negotiate':
        return SQUID_NEGOTIATE
    user, password = plan.PROXY_USER, plan.PROXY_PASSWORD
    if name == 'squid-basic':
        hashed = subprocess.run(['openssl', 'passwd', '-apr1', password], check=True, text=True,
                                stdout=subprocess.PIPE).stdout.strip()
        (folder / 'passwords').write_text(f'{user}:{hashed}\n')
        return SQUID_AUTH.format(scheme='basic', helper='basic_ncsa_auth', folder=folder)
    hashed = hashlib.md5(f'{user}:lab:{password}'.encode()).hexdigest()
    (folder / 'passwords').write_text(f'{user}:lab:{hashed}\n')
    return SQUID_AUTH.format(scheme='digest', helper='digest_file_auth -c', folder=folder)


def start_squid(starter, name, tls=False):
    folder = RUN / name
    folder.mkdir()
    auth = _squid_auth(name, folder)
    conf = RUN / f'{name}.conf'
    conf.write_text(SQUID_CONF.format(
        port=plan.PORTS[name], auth=auth, folder=folder, dns=plan.PX_ROUTER4,
        tls=SQUID_TLS.format(port=plan.PORTS[f'{name}-tls']) if tls else ''))
    subprocess.run(['chown', '-R', 'proxy:', str(folder)], check=True)
    starter.start(name, ['squid', '-N', '-n', name.replace('-', ''), '-f', str(conf)], netns='px')


def start_squid_negotiate(starter, name):
    kerberos.start(starter)
    start_squid(starter, name)


def start_tinyproxy(starter, name):
    conf = RUN / f'{name}.conf'
    conf.write_text(f'Port {plan.PORTS[name]}\n'
                    + ''.join(f'Listen {address}\n' for address in BOTH)
                    + 'Timeout 60\nUser nobody\nGroup nogroup\nLogLevel Info\nMaxClients 1000\n'
                    + (f'BasicAuth {plan.PROXY_USER} {plan.PROXY_PASSWORD}\n'
                       if name == 'tinyproxy-basic' else ''))
    starter.start(name, ['tinyproxy', '-d', '-c', str(conf)], netns='px')


STUNNEL_CONF = """foreground = yes
syslog = no
pid =
[front]
accept = :::{port}
connect = {v4}:{behind}
cert = {server}
{verify}
"""


def start_stunnel(starter, name, behind):
    verify = f'verifyChain = yes\nCAfile = {plan.CA}' if name.endswith('certificate') else ''
    conf = RUN / f'{name}.conf'
    conf.write_text(STUNNEL_CONF.format(port=plan.PORTS[name], v4=plan.PROXY4, verify=verify,
                                        behind=plan.PORTS[behind], server=certificates.SERVER))
    starter.start(name, ['stunnel4', str(conf)], netns='px')


HAPROXY_CONF = """defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen front
  bind :::{port} v4v6 ssl crt {server} {verify}
  server behind {v4}:{behind}
"""


def start_haproxy(starter, name, behind):
    verify = f'ca-file {plan.CA} verify required' if name.endswith('certificate') else ''
    conf = RUN / f'{name}.conf'
    conf.write_text(HAPROXY_CONF.format(port=plan.PORTS[name], v4=plan.PROXY4, verify=verify,
                                        behind=plan.PORTS[behind], server=certificates.SERVER))
    starter.start(name, ['haproxy', '-db', '-f', str(conf)], netns='px')


def start_unix(starter, name, behind):
    folder = pathlib.Path(plan.UNIX_SOCKETS)
    folder.mkdir(exist_ok=True)
    starter.start(name, ['socat', f'UNIX-LISTEN:{folder / name},fork,mode=666,backlog=128',
                         f'TCP:{plan.PROXY4}:{plan.PORTS[behind]}'], netns='px')


SERVERS = {
    'danted': start_danted, 'danted-password': start_danted, 'danted-ipv4': start_danted,
    'microsocks': start_microsocks, 'microsocks-open': start_microsocks,
    'ssh': start_ssh,
    'squid': start_squid, 'squid-basic': start_squid, 'squid-digest': start_squid,
    'squid-negotiate': start_squid_negotiate,
    'tinyproxy': start_tinyproxy, 'tinyproxy-basic': start_tinyproxy,
}
# How it is started, and what stands behind it.
FRONTS = {
    'stunnel-danted': (start_stunnel, 'danted'),
    'stunnel-danted-password': (start_stunnel, 'danted-password'),
    'stunnel-certificate': (start_stunnel, 'danted'),
    'haproxy-squid': (start_haproxy, 'squid'),
    'haproxy-tinyproxy-basic': (start_haproxy, 'tinyproxy-basic'),
    'haproxy-certificate': (start_haproxy, 'squid'),
    'unix-danted': (start_unix, 'danted'),
    'unix-microsocks': (start_unix, 'microsocks'),
    'unix-squid': (start_unix, 'squid'),
}
OWN_TLS = ('squid-tls', 'squid-basic-tls', 'squid-digest-tls')


def _has_tls(name):
    return name in OWN_TLS or name.startswith(('stunnel', 'haproxy'))


def start(starter, names):
    if any(_has_tls(name) for name in names):
        certificates.make()
    behind = [FRONTS[name][1] for name in names if name in FRONTS]
    behind += [name.removesuffix('-tls') for name in names if name in OWN_TLS]
    for name in dict.fromkeys([*(name for name in names if name in SERVERS), *behind]):
        if f'{name}-tls' in names:
            SERVERS[name](starter, name, tls=True)
        else:
            SERVERS[name](starter, name)
    for name in names:
        if name in FRONTS:
            FRONTS[name][0](starter, name, FRONTS[name][1])


def wait(starter, names):
    for name in names:
        if name in plan.UNIX_PROXIES:
            starter.wait(name, 'test', '-S', f'{plan.UNIX_SOCKETS}/{name}')
        else:
            starter.wait_port('px', plan.PORTS[name])
