#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An application with UDP sockets, for the tests: run inside the lab, prints one JSON value.

udpclient.py ask HOST PORT SECONDS TEXT...     one socket that is not connected sends each TEXT
                                               there; all that came: [[address, port, data], ...]
udpclient.py many HOST:PORT... SECONDS         the same with the text "x" to each place
udpclient.py sizes HOST PORT SIZE...           which sizes came back whole
udpclient.py burst HOST PORT COUNT SIZE        how many of so many came back, and the sending
                                               used super-packets
udpclient.py mesh HOST FIRST-PORT PORTS SOCKETS    each socket talks to each port, one after the
                                               other: how many answers came, how many were wrong,
                                               and how many places the sockets were seen at
udpclient.py refused HOST PORT COUNT           seconds until an ICMP error, of each of so many
udpclient.py keep HOST PORT COUNT              so many sockets talk once and stay; then reads a
                                               line, talks again, and says how many were answered
"""
import json
import select
import socket
import sys
import time

UDP_SEGMENT = 103


def resolve(host, port, family=socket.AF_UNSPEC):
    family, _, _, _, place = socket.getaddrinfo(host, int(port), family,
                                                type=socket.SOCK_DGRAM)[0]
    return family, place


def new_socket(family):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    return sock


def collect(sock, seconds, most):
    """Until so many have come, or the time is over."""
    seen, end = [], time.monotonic() + seconds
    while len(seen) < most and (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            data, peer = sock.recvfrom(65536)
        except TimeoutError:
            break
        seen.append([peer[0], peer[1], data.decode('latin-1')])
    return seen


def ask(host, port, seconds, *texts):
    family, place = resolve(host, port)
    sock = new_socket(family)
    for text in texts:
        sock.sendto(text.encode(), place)
    return collect(sock, float(seconds), len(texts))


def many(*words):
    places, family, sock = [], socket.AF_UNSPEC, None
    for word in words[:-1]:
        family, place = resolve(*word.rsplit(':', 1), family)
        sock = sock or new_socket(family)
        sock.sendto(b'x', place)
        places.append(place[:2])
    return places, collect(sock, float(words[-1]), len(places))


def sizes(host, port, *wanted):
    family, place = resolve(host, port)
    sock, whole = new_socket(family), []
    for size in map(int, wanted):
        data = bytes(i * 7 % 251 for i in range(size))
        for _ in range(2):  # a first one may only learn that it does not fit
            try:
                sock.sendto(data, place)
            except OSError:
                continue
            answers = collect(sock, 2.0, 1)
            if answers and answers[0][2].encode('latin-1').endswith(data):
                whole.append(size)
                break
    return whole


def burst(host, port, count, size):
    family, place = resolve(host, port)
    sock, count, size = new_socket(family), int(count), int(size)
    sock.connect(place)
    per_packet = 60000 // size
    sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
    numbers = set()
    for first in range(0, count, per_packet):
        batch = range(first, min(first + per_packet, count))
        sock.send(b''.join(f'{number:08}'.encode().ljust(size, b'.') for number in batch))
        for _, _, data in collect(sock, 2.0, len(batch)):
            numbers.add(data.split(' ')[2][:8])
    return len(numbers)


def mesh(host, first, ports, sockets):
    family, (address, *_) = resolve(host, first)
    poll, by_fd = select.epoll(), {}
    for number in range(int(sockets)):
        sock = new_socket(family)
        sock.setblocking(False)
        poll.register(sock, select.EPOLLIN)
        by_fd[sock.fileno()] = [number, sock, None]
    good = wrong = 0
    seen = {}
    for port in range(int(first), int(first) + int(ports)):
        waiting, tries = dict(by_fd), 0
        while waiting and tries < 3:
            tries += 1
            for count, (fd, (number, sock, _)) in enumerate(list(waiting.items())):
                sock.sendto(f'{number} {port}'.encode(), (address, port))
                if count % 50 == 49:  # no more than what a queue of the way holds
                    good, wrong = drain(poll, by_fd, waiting, seen, port, good, wrong, 0.02)
            good, wrong = drain(poll, by_fd, waiting, seen, port, good, wrong, 1.0)
    return {'good': good, 'wrong': wrong, 'places': len(set(seen.values())),
            'moved': sum(1 for each in by_fd.values() if each[2] == 'moved')}


def drain(poll, by_fd, waiting, seen, port, good, wrong, seconds):
    end = time.monotonic() + seconds
    while waiting and (left := end - time.monotonic()) > 0:
        for fd, _ in poll.poll(left):
            entry = by_fd[fd]
            number, sock, _ = entry
            try:
                data, peer = sock.recvfrom(2048)
            except BlockingIOError:
                continue
            *place, his_number, his_port = data.decode().split(' ')
            if int(his_number) != number or int(his_port) != peer[1]:
                wrong += 1
                continue
            if peer[1] != port or fd not in waiting:
                continue  # a second answer: it was sent twice
            good += 1
            del waiting[fd]
            if seen.setdefault(number, tuple(place)) != tuple(place):
                entry[2] = 'moved'
    return good, wrong


def refused(host, port, count):
    family, place = resolve(host, port)
    told = []
    for _ in range(int(count)):
        sock = new_socket(family)
        sock.connect(place)
        sock.settimeout(5)
        began = time.monotonic()
        try:
            sock.send(b'hello')
            sock.recv(100)
            told.append('answered')
        except ConnectionRefusedError:
            told.append(round(time.monotonic() - began, 3))
        except OSError as error:
            told.append(str(error))
    return told


def keep(host, port, count):
    family, place = resolve(host, port)
    sockets = [new_socket(family) for _ in range(int(count))]

    def talk():
        for sock in sockets:
            sock.sendto(b'x', place)
            time.sleep(0.001)
        return sum(len(collect(sock, 2.0, 1)) for sock in sockets)
    print(json.dumps(talk()), flush=True)
    sys.stdin.readline()
    return talk()


if __name__ == '__main__':
    verbs = {'ask': ask, 'many': many, 'sizes': sizes, 'burst': burst, 'mesh': mesh,
             'refused': refused, 'keep': keep}
    print(json.dumps(verbs[sys.argv[1]](*sys.argv[2:])), flush=True)
