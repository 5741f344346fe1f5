# SPDX-License-Identifier: LGPL-2.1-or-later
"""What programs try while nobody looks: run inside the lab, until it is killed.

traffic.py LINK ADDRESS4 ADDRESS6 DESTINATION…    prints what each try got

Each destination is tried by TCP, UDP and a ping's kind of socket, each from a socket of no
address, one bound to the uplink's, and one bound to LINK; from the first alone when LINK is "-".
"""
import errno
import socket
import sys
import time

PAUSE = 0.01
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


def attempt(destination, kind, source, link):
    family = socket.AF_INET6 if ':' in destination else socket.AF_INET
    with socket.socket(family, kind) as sock:
        sock.setblocking(False)
        try:
            if link:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
            if source:
                sock.bind((source, 0))
            code = sock.connect_ex((destination, 80 if kind == TCP else 443))
            if kind == UDP:
                sock.send(b'leak')
                code = 0
        except OSError as error:
            code = error.errno
    return errno.errorcode.get(code, str(code))


def main():
    link, address4, address6, *destinations = sys.argv[1:]
    most = 1 if link == '-' else 3
    while True:
        for destination in destinations:
            for kind, name in ((TCP, 'tcp'), (UDP, 'udp')):
                own = address6 if ':' in destination else address4
                for source, device, how in (('', '', 'free'), (own, '', 'address'),
                                            ('', link, 'link'))[:most]:
                    print(destination, name, how, attempt(destination, kind, source, device),
                          flush=True)
                    time.sleep(PAUSE)


main()
