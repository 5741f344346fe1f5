#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mixed traffic until SIGTERM, for the soak: run inside the lab, prints one JSON value at its end.

{kind: [done, failed, wrong]}; wrong: another content than was sent or asked for. Proxies that go
make things fail; nothing may ever be wrong.
"""
import collections
import hashlib
import http.client
import json
import os
import random
import signal
import socket
import sys
import threading
import time
import urllib.request

import peer
import plan

TIMEOUT_SECONDS = 15
BULK_BYTES, UPLOAD_BYTES = 8 << 20, 2 << 20
HOLDS = 50            # connections that are kept and say something now and then
DATAGRAM_SOCKETS = 20
DATAGRAMS = 50        # from one socket, then there is a new one
NAMES = 1000          # that are looked up
HOSTS = (plan.SERVER4, f'[{plan.SERVER6}]', plan.PROXY_ONLY_NAME)

stop = threading.Event()
counts = collections.defaultdict(lambda: [0, 0, 0])
DONE, FAILED, WRONG = range(3)


def count(kind, result):
    counts[kind][result] += 1  # the interpreter's own lock is enough for a statistic


def repeat(kind, pause, action):
    """Calls ACTION, which says whether the content was right, again and again."""
    while not stop.is_set():
        try:
            count(kind, DONE if action() else WRONG)
        except (OSError, EOFError, http.client.HTTPException):  # as of a body that ends early
            count(kind, FAILED)
        stop.wait(pause)


def download():
    with urllib.request.urlopen(f'http://{random.choice(HOSTS)}/bytes/{BULK_BYTES}',
                                timeout=TIMEOUT_SECONDS) as answer:
        data = answer.read()
    if len(data) < BULK_BYTES:
        raise EOFError  # the proxy went
    return hashlib.sha256(data).hexdigest() == peer.sha256(BULK_BYTES)


def upload():
    data = os.urandom(UPLOAD_BYTES)
    request = urllib.request.Request(f'http://{random.choice(HOSTS)}/', data, method='PUT')
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        return json.load(answer)['sha256'] == hashlib.sha256(data).hexdigest()


def short():
    with urllib.request.urlopen(f'http://{random.choice(HOSTS)}/', timeout=TIMEOUT_SECONDS) as answer:
        return answer.read() == b'hello from the server\n'


def echoed(sock):
    sent = os.urandom(random.randrange(1, 2000))
    sock.sendall(sent)
    data = b''
    while len(data) < len(sent):
        part = sock.recv(65536)
        if not part:
            raise EOFError
        data += part
    return data == sent


def hold():
    """One connection, as long as it lives."""
    host = random.choice((plan.SERVER4, plan.SERVER6))
    with socket.create_connection((host, plan.ECHO), TIMEOUT_SECONDS) as sock:
        while not stop.wait(random.uniform(0.5, 5)):
            if not echoed(sock):
                return False
            count('echo', DONE)
    return True


def datagrams():
    """One socket and its lifetime; lost ones are no news."""
    family, host = random.choice(((socket.AF_INET, plan.SERVER4), (socket.AF_INET6, plan.SERVER6)))
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        for _ in range(DATAGRAMS):
            sent = os.urandom(random.randrange(16, 1400))
            sock.sendto(sent, (host, plan.ECHO))
            try:
                while (data := sock.recv(65536)) != sent:
                    if len(data) < 16:
                        return False
            except TimeoutError:
                count('datagram', FAILED)
                if stop.wait(0.1):
                    return True
                continue
            count('datagram', DONE)
            if stop.wait(0.02):
                return True
    return True


def lookup():
    name = f'n{random.randrange(NAMES)}.bulk.example'
    return bool(socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM))


# Name, seconds between two of a thread, what it does, threads.
KINDS = (
    ('download', 0.5, download, 2),
    ('upload', 0.5, upload, 1),
    ('short', 0.02, short, 4),
    ('held', 0.5, hold, HOLDS),
    ('socket', 0.2, datagrams, DATAGRAM_SOCKETS),
    ('lookup', 0.02, lookup, 2),
)


def main():
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threads = [threading.Thread(target=repeat, args=(kind, pause, action), daemon=True)
               for kind, pause, action, number in KINDS for _ in range(number)]
    for thread in threads:
        thread.start()
    while not stop.wait(1):
        if not all(thread.is_alive() for thread in threads):
            sys.exit('a thread ended before its time')
    end = time.monotonic() + TIMEOUT_SECONDS + 5
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    print(json.dumps({**counts, 'stuck': sum(thread.is_alive() for thread in threads)}))


if __name__ == '__main__':
    main()
