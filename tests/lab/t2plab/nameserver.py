# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real name server behind the router, on an address of its own: unbound."""
import re

# Two places, and one where nobody is.
PLACES = ('192.0.2.53', '192.0.2.54')
NOBODY = '192.0.2.55'
# Nobody answers below slow.example; everything below load.test has the same address; "big" is longer
# than any datagram.
ZONES = '''
    local-zone: "names.test." static
    local-data: "names.test. 300 IN SOA ns.names.test. hostmaster.names.test. 1 3600 900 86400 60"
    local-data: "www.names.test. 300 IN A 203.0.113.10"
    local-data: "www.names.test. 300 IN AAAA 2001:db8:113::10"
    local-data: "names.test. 300 IN MX 10 mail.names.test."
    local-data: "_ldap._tcp.names.test. 300 IN SRV 0 0 389 www.names.test."
    local-data: "brief.names.test. 3 IN A 203.0.113.11"
    local-zone: "9.113.0.203.in-addr.arpa." redirect
    local-data: "9.113.0.203.in-addr.arpa. 300 IN PTR www.names.test."
    local-zone: "load.test." redirect
    local-data: "load.test. 300 IN A 203.0.113.12"
'''


def configuration(address):
    big = ''.join(f'    local-data: \'big.names.test. 300 IN TXT "{number:03}{"x" * 200}"\'\n'
                  for number in range(60))
    return f'''server:
    interface: {address}
    access-control: 0.0.0.0/0 allow
    username: ""
    chroot: ""
    directory: "/run"
    pidfile: "/run/unbound-{address}.pid"
    use-syslog: no
    logfile: ""
    log-queries: yes
    do-ip6: no
    root-hints: ""
    module-config: "iterator"
    incoming-num-tcp: 200
    num-queries-per-thread: 4096
    outgoing-range: 8192
    so-reuseport: no
{ZONES}{big}forward-zone:
    name: "."
    forward-addr: {NOBODY}
remote-control:
    control-enable: no
'''


class NameServer:
    """with NameServer(lab) as server: server.address, server.seen()"""

    def __init__(self, lab, place=0):
        self.lab, self.address = lab, PLACES[place]
        self.router, self.mark = lab.netns('wan'), 0

    def __enter__(self):
        self.router.run('ip link add names type veth peer name silence', check=False)
        self.router.run('ip link set silence up')
        self.router.run('ip link set names up')
        self.router.run(f'ip address replace {self.address}/24 dev names')
        path = f'/run/unbound-{self.address}.conf'
        self.lab.write(path, configuration(self.address))
        self.name = f'unbound-{self.address}-{self.lab._count}'
        self.process = self.lab.start(['unbound', '-d', '-c', path], netns='wan', name=self.name)
        self.lab.wait_for(lambda: 'start of service' in self.process.log(), what='unbound')
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.router.run(f'ip address del {self.address}/24 dev names', check=False)

    def seen(self):
        """Who asked for what since the last time: [(address, name, type)]."""
        log = self.process.log()
        new, self.mark = log[self.mark:], len(log)
        return re.findall(r'info: (\S+) (\S+)\. (\S+) IN$', new, re.MULTILINE)
