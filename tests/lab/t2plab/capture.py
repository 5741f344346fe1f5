# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints each IP packet that this machine sends by a link, for the tests: run inside the lab.

capture.py LINK    one line each: SOURCE DESTINATION PROTOCOL DESTINATION-PORT
"""
import ipaddress
import socket
import struct
import sys

ETH_P_ALL, PACKET_OUTGOING = 3, 4
ETH_IPV4, ETH_IPV6 = 0x0800, 0x86dd
PORTS = {socket.IPPROTO_TCP: 'tcp', socket.IPPROTO_UDP: 'udp'}


def describe(kind, packet):
    if kind == ETH_IPV4:
        protocol, start = packet[9], (packet[0] & 15) * 4
        source, destination = packet[12:16], packet[16:20]
    else:
        protocol, start = packet[6], 40
        source, destination = packet[8:24], packet[24:40]
    port = 0
    if protocol in PORTS and len(packet) >= start + 4:
        port = struct.unpack_from('!H', packet, start + 2)[0]
    return ' '.join((str(ipaddress.ip_address(source)), str(ipaddress.ip_address(destination)),
                     PORTS.get(protocol, str(protocol)), str(port)))


def main():
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.bind((sys.argv[1], ETH_P_ALL))
    print('watching', flush=True)
    while True:
        frame, (_, kind, direction, *_) = sock.recvfrom(65536)
        if direction == PACKET_OUTGOING and kind in (ETH_IPV4, ETH_IPV6):
            print(describe(kind, frame[14:]), flush=True)


main()
