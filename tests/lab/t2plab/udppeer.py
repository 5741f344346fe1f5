#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The far side of the UDP tests, in the manner of STUN: tells each sender where he is seen from.

udppeer.py FIRST-PORT COUNT ADDRESS...

Listens on COUNT ports of each ADDRESS. A datagram "via A P REST" is answered by the socket of
address A and port P, any other by the one it came to: "SEEN-ADDRESS SEEN-PORT DATAGRAM".
"""
import selectors
import socket
import sys


def main(first, count, addresses):
    selector, sockets = selectors.DefaultSelector(), {}
    for address in addresses:
        for port in range(first, first + count):
            sock = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET,
                                 socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sock.setblocking(False)
            sock.bind((address, port))
            sockets[address, port] = sock
            selector.register(sock, selectors.EVENT_READ)
    print('ready', flush=True)
    while True:
        for key, _ in selector.select():
            for _ in range(64):
                try:
                    data, peer = key.fileobj.recvfrom(65536)
                except BlockingIOError:
                    break
                words = data.split(b' ', 3)
                answerer = key.fileobj
                if words[0] == b'via':
                    answerer = sockets[words[1].decode(), int(words[2])]
                try:
                    answerer.sendto(f'{peer[0]} {peer[1]} '.encode() + data, peer)
                except OSError:  # longer than a datagram can be by now
                    pass


if __name__ == '__main__':
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
