#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an application does, for the tests: run inside the lab, prints one JSON value.

client.py connect HOST PORT [SECONDS]   how a connection went: [outcome, seconds, first bytes]
client.py ask SECONDS [PAUSE]           the same for each line "HOST PORT" of the input, at once or
                                        with a pause between their beginnings;
                                        "HOST PORT udp": a datagram there, and what came back
client.py half-close HOST PORT BYTES    sends, shuts its side down, reads to the end
client.py hold HOST PORT COUNT          opens connections, says how many, keeps them until killed
"""
import errno
import hashlib
import json
import socket
import sys
import threading
import time

OUTCOMES = {
    errno.ECONNREFUSED: 'refused', errno.ECONNRESET: 'reset', errno.ENETUNREACH: 'unreachable',
    errno.EHOSTUNREACH: 'unreachable', errno.EACCES: 'unreachable', errno.EPERM: 'unreachable',
    errno.ETIMEDOUT: 'timed out',
}


def connect(host, port, seconds=10.0):
    """'connected' means established; the data is what came until the end or a pause."""
    began, data = time.monotonic(), b''
    try:
        with socket.create_connection((host, int(port)), float(seconds)) as sock:
            outcome = 'connected'
            try:
                while part := sock.recv(4096):
                    data += part
                outcome = 'closed'
            except TimeoutError:
                pass
    except TimeoutError:
        outcome = 'timed out'
    except OSError as error:
        outcome = OUTCOMES.get(error.errno, str(error))
    return outcome, round(time.monotonic() - began, 3), data.decode('latin-1')


def send(host, port, seconds=10.0):
    """'answered' means that the datagram came back; a connected socket learns of ICMP errors."""
    began, data = time.monotonic(), b''
    try:
        kind, _, _, _, place = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
        with socket.socket(kind, socket.SOCK_DGRAM) as sock:
            sock.settimeout(float(seconds))
            sock.connect(place)
            sock.send(f'{host} {port}'.encode())
            data = sock.recv(65536)
            outcome = 'answered'
    except TimeoutError:
        outcome = 'timed out'
    except OSError as error:
        outcome = OUTCOMES.get(error.errno, str(error))
    return outcome, round(time.monotonic() - began, 3), data.decode('latin-1')


def ask(seconds, pause=0.0):
    places = [line.split() for line in sys.stdin]
    answers = [None] * len(places)

    def one(number):
        host, port, *kind = places[number]
        answers[number] = (send if kind == ['udp'] else connect)(host, port, seconds)
    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(places))]
    for thread in threads:
        thread.start()
        time.sleep(float(pause))
    for thread in threads:
        thread.join()
    return answers


def half_close(host, port, size):
    digest, received = hashlib.sha256(), 0
    with socket.create_connection((host, int(port)), 20) as sock:
        left = int(size)
        while left:
            left -= sock.send(b'x' * min(left, 65536))
        sock.shutdown(socket.SHUT_WR)
        first = b''
        while data := sock.recv(65536):
            if len(first) < 21:
                first = (first + data)[:21]
            digest.update(data)
            received += len(data)
    return {'told': int(first), 'received': received, 'sha256': digest.hexdigest()}


def hold(host, port, count):
    kept = [socket.create_connection((host, int(port)), 20) for _ in range(int(count))]
    print(json.dumps(len(kept)), flush=True)
    while True:
        time.sleep(60)


if __name__ == '__main__':
    verbs = {'connect': connect, 'ask': ask, 'half-close': half_close, 'hold': hold}
    print(json.dumps(verbs[sys.argv[1]](*sys.argv[2:])), flush=True)
