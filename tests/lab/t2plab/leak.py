# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packets that leave the lab's machine on purpose, whatever its routes, rules and filters say: what
a watch must see that is to find leaks."""
import concurrent.futures
import ctypes
import errno
import ipaddress
import itertools
import socket
import struct

from . import plan

CLONE_NEWNET = 0x40000000
ETH_IPV4, ETH_IPV6, UDP, HOPS = 0x0800, 0x86dd, 17, 64
# To all on the link, so that no router takes it for a packet that it has to forward.
ETHERNET = b'\xff' * 6 + b'\x02\x00\x00\x00\x00\x01'
PORTS = itertools.count(61000)  # one for each packet


def packet_socket(lab):
    """A socket of the lab's machine, in this process."""
    def make():
        with open(f'/proc/{lab.pid}/ns/net', encoding='ascii') as machine:
            if ctypes.CDLL(None, use_errno=True).setns(machine.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), 'cannot enter the network of the lab')
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:  # which ends there
        return thread.submit(make).result()


def frame(source, destination, port):
    """A datagram; nobody is to take it, so it has no checksums."""
    source, destination = map(ipaddress.ip_address, (source, destination))
    data = struct.pack('!HHHH', port, port, 8 + len(plan.LEAK_SIGN), 0) + plan.LEAK_SIGN
    if source.version == 4:
        kind = ETH_IPV4
        header = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(data), 0, 0, HOPS, UDP, 0)
    else:
        kind, header = ETH_IPV6, struct.pack('!IHBB', 6 << 28, len(data), UDP, HOPS)
    return b''.join((ETHERNET, struct.pack('!H', kind), header, source.packed, destination.packed,
                     data))


class Leak:
    """Sends from the machine to the server, by links that are up."""

    def __init__(self, lab):
        self._socket = packet_socket(lab)

    def send(self, link):
        """One packet of each family; the ports that tell them from all others, [] if LINK is down."""
        ports = []
        for ends in ((plan.LAB4, plan.SERVER4), (plan.LAB6, plan.SERVER6)):
            port = next(PORTS)
            try:
                self._socket.sendto(frame(*ends, port), (link, 0))
            except OSError as error:
                if error.errno != errno.ENETDOWN:
                    raise
            else:
                ports.append(port)
        return ports

    def close(self):
        self._socket.close()
