#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is on a wire: run in the router's namespace, where nothing that leaves the lab's machine can
hide, whatever its sockets are bound to.

sniffer.py LINK...     one JSON object for each kind of packet when it is first seen:
                       {"link", "protocol", "source", "destination", "port", "name"}

After a packet that leaks on purpose (leak.py) each kind is new again.

port is the destination's, or the source's where that is the lower one (an answer); 0 without ports.
name is what a DNS packet asks for. protocol is "udp", "tcp", "icmp", "icmp6 TYPE", "arp", "ip N" for
others, "ether N" for what is not IP.
"""
import json
import select
import socket
import struct
import sys

import plan

ETH_P_ALL, ARP, IP4, IP6, VLAN = 0x0003, 0x0806, 0x0800, 0x86dd, 0x8100
DNS_PORTS = (53, 853, 5353, 5355)
SKIPPED_HEADERS = (0, 43, 60)  # hop-by-hop, routing, destination options


def dns_name(data, protocol):
    """The question's name, as far as it can be read."""
    data = data[2:] if protocol == 'tcp' else data
    labels, at = [], 12
    while at < len(data) and 0 < data[at] < 64:
        labels.append(data[at + 1:at + 1 + data[at]].decode('latin-1'))
        at += 1 + data[at]
    return '.'.join(labels)


def transport(number, data, row):
    if number == 1:
        row['protocol'] = 'icmp'
    elif number == 58:
        row['protocol'] = f'icmp6 {data[0]}' if data else 'icmp6'
    elif number in (6, 17) and len(data) >= 8:
        row['protocol'] = 'tcp' if number == 6 else 'udp'
        row['port'] = min(struct.unpack('!HH', data[:4]))
        if row['port'] in DNS_PORTS:
            header = (data[12] >> 4) * 4 if number == 6 and len(data) > 12 else 8
            row['name'] = dns_name(data[header:], row['protocol'])
    else:
        row['protocol'] = f'ip {number}'


def network(kind, data, row):
    if kind == IP4 and len(data) >= 20:
        row['source'], row['destination'] = map(socket.inet_ntoa, (data[12:16], data[16:20]))
        is_first = struct.unpack('!H', data[6:8])[0] & 0x1fff == 0
        transport(data[9], data[(data[0] & 15) * 4:] if is_first else b'', row)
    elif kind == IP6 and len(data) >= 40:
        row['source'], row['destination'] = (socket.inet_ntop(socket.AF_INET6, data[at:at + 16])
                                             for at in (8, 24))
        number, data = data[6], data[40:]
        while number in SKIPPED_HEADERS and len(data) >= 8:
            number, data = data[0], data[(data[1] + 1) * 8:]
        transport(number, data, row)
    else:
        row['protocol'] = 'arp' if kind == ARP else f'ether {kind:#06x}'


def describe(link, frame):
    row = {'link': link, 'protocol': '', 'source': '', 'destination': '', 'port': 0, 'name': ''}
    kind, data = struct.unpack('!H', frame[12:14])[0], frame[14:]
    if kind == VLAN:
        kind, data = struct.unpack('!H', data[2:4])[0], data[4:]
    network(kind, data, row)
    return row


def main():
    sockets, seen = {}, set()
    for link in sys.argv[1:]:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.bind((link, ETH_P_ALL))
        sockets[sock] = link
    print('ready', flush=True)
    while True:
        for sock in select.select(list(sockets), [], [])[0]:
            frame = sock.recv(65536)
            text = json.dumps(describe(sockets[sock], frame))
            if frame.endswith(plan.LEAK_SIGN):
                seen.clear()
            if text not in seen:
                seen.add(text)
                print(text, flush=True)


if __name__ == '__main__':
    main()
