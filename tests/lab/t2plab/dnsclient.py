#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""DNS as a stub resolver speaks it, for the tests: run inside the lab, prints one JSON value.

dnsclient.py SERVER                questions on the input, one a line: NAME TYPE [tcp] [edns=BYTES]
                                   [do] [cookie]; each has an answer in the list that is printed
dnsclient.py SERVER --pipelined    the same, all over one TCP connection without waiting; the
                                   answers in the order in which they came, with their "asked"
dnsclient.py SERVER --load COUNT RATE DOMAIN
                                   COUNT different names of DOMAIN at RATE a second, by UDP, asked
                                   again as stub resolvers do: {answered, failed, codes, seconds}
"""
import collections
import json
import select
import socket
import struct
import sys
import time

TYPES = {'A': 1, 'NS': 2, 'CNAME': 5, 'SOA': 6, 'PTR': 12, 'MX': 15, 'TXT': 16, 'AAAA': 28,
         'SRV': 33, 'OPT': 41, 'HTTPS': 65, 'ANY': 255}
NAMES = {number: name for name, number in TYPES.items()}
CODES = {0: 'NOERROR', 1: 'FORMERR', 2: 'SERVFAIL', 3: 'NXDOMAIN', 4: 'NOTIMP', 5: 'REFUSED'}
SECONDS = 6


def encode_name(name):
    labels = [label for label in name.rstrip('.').split('.') if label]
    return b''.join(bytes([len(label)]) + label.encode() for label in labels) + b'\0'


def encode(ident, name, kind, *options):
    sizes = [int(option[5:]) for option in options if option.startswith('edns=')]
    edns = b''
    if sizes or 'do' in options or 'cookie' in options:
        data = b'\0\x0a\0\x08cookies!' if 'cookie' in options else b''
        edns = b'\0' + struct.pack('!HHIH', 41, sizes[0] if sizes else 1232,
                                   0x8000 if 'do' in options else 0, len(data)) + data
    head = struct.pack('!6H', ident, 0x0100, 1, 0, 0, 1 if edns else 0)
    return head + encode_name(name) + struct.pack('!HH', TYPES[kind], 1) + edns


def read_name(message, at):
    labels, behind = [], None
    while message[at]:
        if message[at] >= 0xc0:
            behind = behind or at + 2
            at = (message[at] & 0x3f) << 8 | message[at + 1]
            continue
        labels.append(message[at + 1:at + 1 + message[at]].decode('latin-1'))
        at += 1 + message[at]
    return '.'.join(labels) or '.', behind or at + 1


def read_data(message, kind, at, size):
    if kind in ('A', 'AAAA'):
        return socket.inet_ntop(socket.AF_INET if kind == 'A' else socket.AF_INET6,
                                message[at:at + size])
    if kind in ('CNAME', 'NS', 'PTR'):
        return read_name(message, at)[0]
    if kind == 'MX':
        return f'{message[at] << 8 | message[at + 1]} {read_name(message, at + 2)[0]}'
    if kind == 'TXT':
        return message[at + 1:at + size].decode('latin-1')
    return message[at:at + size].hex()


def decode(message):
    ident, flags, *counts = struct.unpack('!6H', message[:12])
    asked, at = read_name(message, 12)
    kind, at = NAMES.get(struct.unpack('!H', message[at:at + 2])[0]), at + 4
    sections = []
    for count in counts[1:]:
        records = []
        for _ in range(count):
            owner, at = read_name(message, at)
            number, _klass, ttl, size = struct.unpack('!HHIH', message[at:at + 10])
            at += 10
            name = NAMES.get(number, str(number))
            records.append([owner, name, ttl, read_data(message, name, at, size)])
            at += size
        sections.append(records)
    return {'id': ident, 'asked': f'{asked} {kind}', 'code': CODES.get(flags & 15, flags & 15),
            'truncated': bool(flags & 0x200), 'answers': sections[0], 'authority': sections[1],
            'edns': any(record[1] == 'OPT' for record in sections[2]), 'bytes': len(message)}


def connect(server, kind):
    family = socket.AF_INET6 if ':' in server else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.settimeout(SECONDS)
    sock.connect((server, 53))
    return sock


def read_exactly(sock, size):
    data = b''
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise EOFError('the connection ended')
        data += part
    return data


def read_framed(sock):
    return read_exactly(sock, struct.unpack('!H', read_exactly(sock, 2))[0])


def frame(message):
    return struct.pack('!H', len(message)) + message


def ask_one(server, number, words):
    over_tcp = 'tcp' in words
    began = time.monotonic()
    try:
        with connect(server, socket.SOCK_STREAM if over_tcp else socket.SOCK_DGRAM) as sock:
            message = encode(number, *words)
            sock.sendall(frame(message) if over_tcp else message)
            answer = decode(read_framed(sock) if over_tcp else sock.recv(65535))
    except (OSError, EOFError) as error:
        answer = {'code': f'none: {error}'}
    return {**answer, 'seconds': round(time.monotonic() - began, 3)}


def ask_all(server, questions):
    return [ask_one(server, number, words) for number, words in enumerate(questions, 1)]


def ask_pipelined(server, questions):
    with connect(server, socket.SOCK_STREAM) as sock:
        sock.sendall(b''.join(frame(encode(number, *words))
                              for number, words in enumerate(questions, 1)))
        return [decode(read_framed(sock)) for _ in questions]


def load(server, count, rate, domain):
    """Each question is asked anew every second until it has an answer, five times at most."""
    sock = connect(server, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    waiting, codes, began = {}, collections.Counter(), time.monotonic()
    retries, sent, failed = collections.deque(), 0, 0
    while sent < count or waiting:
        now = time.monotonic()
        while sent < count and sent < (now - began) * rate:
            waiting[sent], _ = 1, retries.append((now + 1, sent))
            sock.send(encode(sent, f'load{sent}.{domain}', 'A'))
            sent += 1
        while retries and retries[0][0] <= now:
            number = retries.popleft()[1]
            if waiting.get(number, 9) < 5:
                waiting[number] += 1
                retries.append((now + 1, number))
                sock.send(encode(number, f'load{number}.{domain}', 'A'))
            elif number in waiting:
                del waiting[number]
                failed += 1
        while select.select([sock], [], [], 0.002)[0]:
            message = sock.recv(65535)
            number = struct.unpack('!H', message[:2])[0]
            if waiting.pop(number, None):
                answer = decode(message)
                assert answer['asked'] == f'load{number}.{domain} A', answer
                codes[answer['code']] += 1
    return {'answered': sum(codes.values()), 'failed': failed, 'codes': codes,
            'seconds': round(time.monotonic() - began, 1)}


def main(server, mode=None, *words):
    if mode == '--load':
        count, rate, domain = words
        return load(server, int(count), int(rate), domain)
    questions = [line.split() for line in sys.stdin if line.strip()]
    return (ask_pipelined if mode == '--pipelined' else ask_all)(server, questions)


if __name__ == '__main__':
    print(json.dumps(main(*sys.argv[1:])))
