#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""asker.py SERVER NAME: asks for an address again and again, from the same socket all the time;
prints how each answer ends. What an application with a resolver of its own does."""
import socket
import struct
import sys
import time

import dnsclient

SECONDS = 0.2


def main(server, name):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(SECONDS)
    sock.connect((server, 53))
    number = 0
    while True:
        number = number % 65535 + 1
        try:
            sock.send(dnsclient.encode(number, name, 'A'))
            answer = sock.recv(65535)
            if struct.unpack('!H', answer[:2])[0] == number:
                print(dnsclient.decode(answer)['code'], flush=True)
        except OSError as error:
            print(type(error).__name__, flush=True)
        time.sleep(SECONDS)


if __name__ == '__main__':
    main(*sys.argv[1:])
