#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fetches as a browser does: by HTTP/3, and by TLS over TCP when QUIC is refused.

quicfetch.py HOST PORT PATH prints JSON: 'quic' or 'tcp', seconds until QUIC was refused, the page.

The QUIC client is ngtcp2's. It does not connect its socket, as curl and the browsers do, and so
never hears of ICMP errors; its datagrams therefore pass through a connected socket here.
"""
import json
import pathlib
import selectors
import socket
import ssl
import subprocess
import sys
import tempfile
import time

PATIENCE_SECONDS = 10


def pump(near, far, client):
    """Passes datagrams on until the client has ended; OSError when the far side refuses."""
    end, peer = time.monotonic() + PATIENCE_SECONDS, None
    selector = selectors.DefaultSelector()
    for sock in (near, far):
        selector.register(sock, selectors.EVENT_READ)
    while client.poll() is None:
        if time.monotonic() > end:
            raise TimeoutError('neither an answer nor an error')
        for key, _ in selector.select(0.02):
            if key.fileobj is near:
                data, peer = near.recvfrom(65536)
                far.send(data)
            else:
                near.sendto(far.recv(65536), peer)


def fetch_quic(host, port, path):
    family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with tempfile.TemporaryDirectory() as folder, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near, \
            socket.socket(family, kind) as far:
        near.bind(('127.0.0.1', 0))
        far.connect(place)
        with subprocess.Popen(
                ['gtlsclient', '-q', '--exit-on-all-streams-close', f'--download={folder}',
                 '127.0.0.1', str(near.getsockname()[1]), f'https://www.example{path}'],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
            try:
                pump(near, far, client)
            finally:
                client.kill()
        return pathlib.Path(folder, path.rpartition('/')[2]).read_text()


def fetch_tcp(host, port, path):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), PATIENCE_SECONDS) as sock, \
            context.wrap_socket(sock) as tls:
        tls.sendall(f'GET {path} HTTP/1.0\r\n\r\n'.encode())
        data = b''
        while part := tls.recv(65536):
            data += part
    return data.partition(b'\r\n\r\n')[2].decode()


def main():
    host, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    began = time.monotonic()
    try:
        how, page, refused = 'quic', fetch_quic(host, port, path), None
    except ConnectionRefusedError:
        refused = time.monotonic() - began
        how, page = 'tcp', fetch_tcp(host, port, path)
    print(json.dumps({'how': how, 'refused': refused, 'page': page}))


if __name__ == '__main__':
    main()
