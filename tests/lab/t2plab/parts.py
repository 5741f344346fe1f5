# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a lab is made of: its links and its daemons, each started as its own service would."""
import pathlib
import subprocess

import plan
import proxies

HERE = pathlib.Path(__file__).resolve().parent
RUN = pathlib.Path('/run/lab')

LAB_LINKS = f"""
link set lo up
link add {plan.UPLINK} type veth peer name lan0 netns wan
link add {plan.SECOND_UPLINK} type veth peer name lan1 netns wan
"""
STATIC_UPLINK = f"""
addr add {plan.LAB4}/24 dev {plan.UPLINK}
addr add {plan.LAB6}/64 dev {plan.UPLINK}
link set {plan.UPLINK} up
route add default via {plan.ROUTER4}
route add ::/0 via fe80::1 dev {plan.UPLINK}
"""
ROUTER_LINKS = f"""
link set lan0 up
addr add {plan.ROUTER4}/24 dev lan0
addr add {plan.ROUTER6}/64 dev lan0
addr add fe80::1/64 dev lan0
link set lan1 up
addr add 10.78.0.1/24 dev lan1
addr add 2001:db8:78::1/64 dev lan1
addr add fe80::1/64 dev lan1
link add px0 type veth peer name eth0 netns px
link set px0 up
addr add {plan.PX_ROUTER4}/24 dev px0
addr add {plan.PX_ROUTER6}/64 dev px0
link add srv0 type veth peer name eth0 netns srv
link set srv0 up
addr add {plan.SRV_ROUTER4}/24 dev srv0
addr add {plan.SRV_ROUTER6}/64 dev srv0
"""
PROXY_LINKS = f"""
addr add {plan.PROXY4}/24 dev eth0
addr add {plan.PROXY6}/64 dev eth0
link set eth0 up
route add default via {plan.PX_ROUTER4}
route add ::/0 via {plan.PX_ROUTER6}
"""
SERVER_LINKS = f"""
addr add {plan.SERVER4}/24 dev eth0
addr add {plan.SERVER6}/64 dev eth0
link set eth0 up
route add default via {plan.SRV_ROUTER4}
route add ::/0 via {plan.SRV_ROUTER6}
"""


def start_bus(starter):
    starter.start('dbus', ['dbus-daemon', '--system', '--nofork', '--nopidfile', '--nosyslog'])
    starter.wait('the bus', 'test', '-S', '/run/dbus/system_bus_socket')


def start_polkit(starter):
    starter.start('polkitd', ['/usr/lib/polkit-1/polkitd'])
    starter.wait_bus('org.freedesktop.PolicyKit1')


def start_router(starter):
    starter.start('router-dns', [
        'dnsmasq', '-k', '-C', '/dev/null', '-u', 'root', '--no-resolv', '--no-hosts',
        '--log-queries', '--log-facility=-', '--bind-dynamic', '--cache-size=0',
        '--interface=lan0', '--interface=lan1', '--interface=px0', f'--server={plan.SERVER4}',
        '--dhcp-range=10.77.0.50,10.77.0.99,1h', '--dhcp-range=10.78.0.50,10.78.0.99,1h',
        '--dhcp-range=2001:db8:77::,slaac', '--dhcp-range=2001:db8:78::,slaac', '--enable-ra',
        f'--dhcp-leasefile={RUN}/leases', '--dhcp-authoritative', '--no-ping',
        '--dhcp-option=option:domain-search,lan.example', f'--address=/lan.example/{plan.ROUTER4}',
    ], netns='wan')


def start_server(starter):
    names = [f'--address=/{name}/{address}' for name, all_of in plan.NAMES.items()
             for address in all_of]
    starter.start('server-dns', [
        'dnsmasq', '-k', '-C', '/dev/null', '-u', 'root', '--no-resolv', '--no-hosts',
        '--log-queries', '--log-facility=-', '--local=/#/', *names], netns='srv')
    starter.start('server', ['/usr/bin/python3', '-u', str(HERE / 'peer.py')], netns='srv')
    starter.start('iperf3', ['iperf3', '-s', '-p', str(plan.IPERF3)], netns='srv')


def wait_server(starter):
    for port in (53, plan.HTTP, plan.ECHO, plan.IPERF3):
        starter.wait_port('srv', port)
    starter.wait_port('wan', 53)


def start_resolved(starter, config):
    conf = pathlib.Path('/etc/systemd/resolved.conf.d')
    conf.mkdir(parents=True, exist_ok=True)
    (conf / 'lab.conf').write_text(
        '[Resolve]\nFallbackDNS=\nDNSSEC=no\nMulticastDNS=no\nLLMNR=no\n')
    subprocess.run(['chown', 'systemd-resolve:', '/run/systemd/resolve'], check=True)
    caps = '+setpcap,+net_raw,+net_bind_service'
    starter.start('resolved', [
        'setpriv', '--reuid', 'systemd-resolve', '--regid', 'systemd-resolve', '--clear-groups',
        f'--inh-caps={caps}', f'--ambient-caps={caps}', '/lib/systemd/systemd-resolved',
    ], env={'SYSTEMD_LOG_LEVEL': 'info', 'SYSTEMD_LOG_TARGET': 'console'})
    starter.wait_bus('org.freedesktop.resolve1')
    pathlib.Path('/etc/resolv.conf').write_text('nameserver 127.0.0.53\n')
    if not config['nm']:
        for setting in (['dns', plan.ROUTER4, plan.ROUTER6], ['domain', 'lan.example']):
            subprocess.run(['resolvectl', setting[0], plan.UPLINK, *setting[1:]], check=True)


def start_nm(starter, config):
    dns = 'systemd-resolved' if config['resolved'] else 'default'
    (RUN / 'NetworkManager.conf').write_text(f"""[main]
plugins=keyfile
dns={dns}
rc-manager={'unmanaged' if config['resolved'] else 'file'}
auth-polkit=true
dhcp=internal
no-auto-default=*
[logging]
level=INFO
[keyfile]
path=/etc/NetworkManager/system-connections
unmanaged-devices=interface-name:eth1
[connectivity]
enabled={'true' if config['connectivity'] else 'false'}
uri=http://www.example/
response=hello from the server
interval=300
""")
    starter.start('nm', ['/usr/sbin/NetworkManager', '--debug',
                         f'--config={RUN}/NetworkManager.conf'])
    starter.wait_bus('org.freedesktop.NetworkManager')
    nmcli = ['nmcli', '-w', '15']
    quiet = {'check': True, 'stdout': subprocess.DEVNULL}
    subprocess.run([*nmcli, 'con', 'add', 'type', 'ethernet', 'ifname', plan.UPLINK, 'con-name',
                    'lan', 'ipv4.method', 'auto', 'ipv6.method', 'auto'], **quiet)
    subprocess.run([*nmcli, 'con', 'up', 'lan'], **quiet)
    starter.wait('both families of the LAN', 'sh', '-c',  # "up" is said after the first
                 'ip route show default | grep -q . && ip -6 route show default | grep -q .')


def start_all(starter, config):
    """Starts everything first and waits afterwards: the parts come up side by side."""
    start_router(starter)
    start_server(starter)
    proxies.start(starter, config['proxies'])
    start_bus(starter)
    if config['polkit']:
        start_polkit(starter)
    if config['resolved']:
        start_resolved(starter, config)
    if config['nm']:
        start_nm(starter, config)
    wait_server(starter)
    proxies.wait(starter, config['proxies'])
