#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""UDP for the tests: run inside the lab.

datagrams.py serve FIRST COUNT OTHER      echoes on COUNT ports of every address; a datagram to port
                                          FIRST-1 is answered by another socket, from OTHER:FIRST-2
datagrams.py echo HOST PORT SIZE          whether a datagram of that size comes back as it was
datagrams.py dns HOST NAME                what HOST says is NAME's address, asked by UDP
datagrams.py stun HOST PORT               who answers: "ADDRESS PORT"
datagrams.py mesh HOST FIRST COUNT SOCKETS   from each socket one datagram to each port, again and
                                          again until it came back: a JSON object with the counts
"""
import json
import select
import socket
import struct
import sys
import time

WINDOW = 400  # datagrams on their way
AGAIN_S = 1.0


def udp(host=None):
    family = socket.AF_INET6 if host is None or ':' in host else socket.AF_INET
    return socket.socket(family, socket.SOCK_DGRAM)


def bound(port, host='::'):
    sock = udp(host)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind((host, port))
    return sock


def serve(first, count, other):
    """IPV6_V6ONLY is off: IPv4 comes as mapped addresses."""
    poll, socks = select.epoll(), {}
    stun, another = bound(first - 1), bound(first - 2, other)
    for sock in [bound(first + n) for n in range(count)] + [stun]:
        socks[sock.fileno()] = sock
        poll.register(sock, select.EPOLLIN)
    print('ready', flush=True)
    while True:
        for number, _ in poll.poll():
            sock = socks[number]
            data, source = sock.recvfrom(70000)
            if sock is stun:
                another.sendto(data, (source[0].removeprefix('::ffff:'), source[1]))
            else:
                sock.sendto(data, source)


def echo(host, port, size):
    data = bytes(n * 7 % 251 for n in range(size))
    with udp(socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0][4][0]) as sock:
        sock.settimeout(5)
        sock.connect((host, port))
        sock.send(data)
        return sock.recv(70000) == data


def stun(host, port):
    with udp(host) as sock:
        sock.settimeout(5)
        sock.sendto(b'who', (host, port))
        _, source = sock.recvfrom(100)
        return f'{source[0]} {source[1]}'


def dns(host, name):
    question = b''.join(bytes([len(label)]) + label.encode() for label in name.split('.'))
    query = struct.pack('>6H', 4711, 0x100, 1, 0, 0, 0) + question + b'\0\0\1\0\1'
    with udp(host) as sock:
        sock.settimeout(5)
        sock.connect((host, 53))
        sock.send(query)
        answer = sock.recv(4096)
    number, flags, _, answers, _, _ = struct.unpack('>6H', answer[:12])
    if number != 4711 or not flags & 0x8000 or not answers:
        return 'nothing'
    return socket.inet_ntoa(answer[-4:])


class Mesh:
    def __init__(self, host, first, count, sockets):
        self.poll, self.socks = select.epoll(), {}
        self.open, self.received, self.wrong, self.sent = {}, 0, 0, 0
        self.host, self.count = host, count
        # all sockets at once, so that all mappings are there at the same time
        self.todo = [(n, first + p) for p in range(count) for n in range(sockets)]
        self.todo.reverse()
        for n in range(sockets):
            sock = udp(host)
            sock.setblocking(False)
            self.socks[sock.fileno()] = n, sock
            self.poll.register(sock, select.EPOLLIN)
        self.by_number = {n: sock for n, sock in self.socks.values()}

    def send(self, item):
        n, port = item
        self.by_number[n].sendto(f'{n} {port}'.encode(), (self.host, port))
        self.open[item] = time.monotonic()
        self.sent += 1

    def receive(self):
        for number, _ in self.poll.poll(0.05):
            n, sock = self.socks[number]
            try:
                data, source = sock.recvfrom(2000)
            except OSError:
                continue
            item = tuple(int(word) for word in data.split())
            if item != (n, source[1]) or source[0] != self.host:
                self.wrong += 1
            elif self.open.pop(item, None) is not None:
                self.received += 1

    def run(self, seconds):
        end = time.monotonic() + seconds
        while (self.todo or self.open) and time.monotonic() < end:
            while self.todo and len(self.open) < WINDOW:
                self.send(self.todo.pop())
            self.receive()
            late = time.monotonic() - AGAIN_S
            for item in [item for item, when in self.open.items() if when < late]:
                self.send(item)
        return {'received': self.received, 'wrong': self.wrong, 'sent': self.sent}


def main():
    verb, *words = sys.argv[1:]
    if verb == 'serve':
        serve(int(words[0]), int(words[1]), words[2])
    elif verb == 'echo':
        print(echo(words[0], int(words[1]), int(words[2])))
    elif verb == 'dns':
        print(dns(words[0], words[1]))
    elif verb == 'stun':
        print(stun(words[0], int(words[1])))
    else:
        first, count, sockets = (int(word) for word in words[1:4])
        print(json.dumps(Mesh(words[0], first, count, sockets).run(float(words[4]))))


if __name__ == '__main__':
    main()
